"""Write the text of the numerics that kernels share: a preamble, and the files of ``saddle/kernel/numerics``."""

from __future__ import annotations

import importlib.resources

from saddle.kernel.workspace import rows_text

__all__ = ["numerics_source"]

PREAMBLE = '''"""Assembled by attention-phase; do not edit. The line rule's numerics, for models of as many fields."""

import math
from collections import namedtuple

import numba
import numpy as np

from saddle.kernel.machine_code import call, entry_point

# Nothing here owns arrays (see ``saddle.kernel.machine_code``).
PLAIN = {"error_model": "numpy", "nogil": True, "_nrt": False, "no_cfunc_wrapper": True}
# Never called from Python.
compiled = numba.njit(no_cpython_wrapper=True, **PLAIN)
# Called in one place: compiled as part of their caller, since every level of calls is optimised once more.
inlined = numba.njit(inline="always", **PLAIN)

'''

NUMERICS = ("minima.py", "scan.py", "jumps.py", "average.py")
"""The files of numerics, in order."""


def numerics_source(fields: int) -> str:
    """Return the whole text of the module of numerics for a number of local fields per sample.

    It is fixed in the text, since loops over fields are in the innermost places: as an argument it would make a line
    a fifth slower.
    """
    folder = importlib.resources.files("saddle.kernel.numerics")
    parts = [folder.joinpath(name).read_text(encoding="utf-8") for name in NUMERICS]
    parts = [part.replace("from __future__ import annotations\n\n", "", 1) for part in parts]
    return PREAMBLE + rows_text() + f"N_FIELDS = {fields}\n\n\n" + "\n\n\n".join(parts)
