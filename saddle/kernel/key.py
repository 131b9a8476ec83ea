"""The key of a kernel: a digest of everything that its text and its compiled code depend on.

It is computed without SymPy, so that a cached kernel is found without deriving anything.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.resources
import platform
import sys
from collections.abc import Iterator
from importlib.resources.abc import Traversable

import llvmlite
import numba
import numpy as np

from replica.quantities.loss_structure import LossStructure
from replica.quantities.structure import ModelStructure

__all__ = ["SOURCES", "numerics_key", "structure_key", "text_key"]

SOURCES = (
    "replica/common",
    "replica/algebra",
    "replica/quantities",
    "replica/model",
    "replica/equations",
    "replica/symmetry",
    "replica/code",
    "saddle/kernel",
)
"""Folders whose files decide what a kernel and its code hold: all that takes part in deriving and printing it."""

NUMERICS = "saddle/kernel/numerics"
"""A folder below these that does not: its files are compiled by themselves, for many kernels."""

KEY_LENGTH = 16


def versions() -> dict[str, str]:
    """Return the versions of whatever derives, prints and compiles a kernel."""
    return {
        "python": f"{platform.python_version()} {sys.implementation.cache_tag}",
        "numba": numba.__version__,
        "llvmlite": llvmlite.__version__,
        "numpy": np.__version__,
        # NOTE: from its metadata; importing SymPy would take longer than all the rest of loading a kernel.
        "sympy": importlib.metadata.version("sympy"),
    }


def source_files() -> Iterator[tuple[str, bytes]]:
    """Yield names and bytes of the source files that determine a kernel's text and code."""
    for folder in SOURCES:
        yield from (file for file in _files_below(folder) if not file[0].startswith(f"{NUMERICS}/"))


def _files_below(folder: str) -> list[tuple[str, bytes]]:
    package, _, place = folder.partition("/")
    return sorted(_python_files(importlib.resources.files(package).joinpath(place), folder))


def _python_files(folder: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield names and bytes of all Python files in a folder and those below it."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _python_files(entry, f"{name}/{entry.name}")
        elif entry.name.endswith(".py"):
            yield f"{name}/{entry.name}", entry.read_bytes()


def _digest(*parts: bytes) -> str:
    # Digests of digests, so that no shift of bytes between neighbours goes unseen.
    joined = b"".join(hashlib.sha256(part).digest() for part in parts)
    return hashlib.sha256(joined).hexdigest()[:KEY_LENGTH]


@functools.cache
def structure_key(structure: ModelStructure | LossStructure) -> str:
    """Return the key of the kernel of a model's structure."""
    files = (part for name, content in source_files() for part in (name.encode(), content))
    return _digest(b"structure", repr(structure).encode(), repr(versions()).encode(), *files)


def text_key(text: str) -> str:
    """Return the key of a kernel whose text is given, whatever system it came from."""
    loader = (part for name, content in source_files() for part in (name.encode(), content))
    return _digest(b"text", text.encode(), repr(versions()).encode(), *loader)


@functools.cache
def numerics_key(fields: int) -> str:
    """Return the key of the numerics that all kernels of a number of fields share."""
    # The loader's files are of all that compiles and calls them.
    files = (part for name, content in _files_below("saddle/kernel") for part in (name.encode(), content))
    return _digest(b"numerics", str(fields).encode(), repr(versions()).encode(), *files)
