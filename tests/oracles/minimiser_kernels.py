"""Kernels of which only the minimisation is there: any number of tokens, any rank, no equations of state."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from replica.code.moreau_functions import objective_function
from replica.code.source import print_function
from replica.equations.moreau import moreau_problem
from replica.quantities.names import order_parameters
from replica.quantities.structure import ModelStructure
from saddle.kernel.key import numerics_key
from saddle.kernel.lanes import LaneLayout, newton_sweep
from saddle.kernel.line_functions import LineFunctions
from saddle.kernel.module_files import kept_module
from saddle.kernel.numerics_text import numerics_source
from saddle.kernel.text import PREAMBLE

__all__ = ["minimiser"]


@functools.cache
def minimiser(structure: ModelStructure, folder: Path) -> LineFunctions:
    """Return ``global_minima`` and ``proximal_points`` for a structure."""
    problem = moreau_problem(structure)
    points, fields, targets = (
        tuple(map(str, x)) for x in (problem.proximal_point, problem.fields, problem.target_symbols)
    )
    state = tuple(x.letter for x in order_parameters(problem.layout))
    diagonals = tuple(str(matrix[a, a]) for matrix in problem.susceptibilities for a in range(matrix.rows))
    layout = LaneLayout(points, fields, targets, targets, 1, state, diagonals)
    sizes = {**layout.sizes(), "N_PARAMETERS": len(problem.parameters), "N_STATE": len(state), "N_ODD": 0}
    sizes |= {"RANK": structure.rank, "N_SELF_OVERLAPS": 1, "GROUPS": (0,) * len(points)}
    sweep = newton_sweep(print_function(objective_function(problem)), layout)
    text = "\n\n\n".join([PREAMBLE, "\n".join(f"{name} = {value!r}" for name, value in sizes.items()), sweep])
    _, module = kept_module("minimiser", hashlib.sha256(text.encode()).hexdigest()[:16], folder, lambda: text)
    count = len(points)
    _, numerics = kept_module("numerics", numerics_key(count), None, lambda: numerics_source(count))
    return LineFunctions(module, numerics)
