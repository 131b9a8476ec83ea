"""The key of a kernel: a digest of everything that its text and its compiled code depend on.

It is computed without SymPy, so that a cached kernel is found without deriving anything.
"""

from __future__ import annotations

import fnmatch
import functools
import hashlib
import importlib.metadata
import importlib.resources
import platform
import sys
from collections.abc import Iterator

import llvmlite
import numba
import numpy as np

from replica.model.attention_model import ModelStructure

__all__ = ["TEXT_SOURCES", "structure_key", "text_key"]

TEXT_SOURCES = ("compiled_code.py", "kernel*.py", "*_text.py", "line_*.py")
"""Patterns of the solver's files that decide what a kernel and its code hold, besides all of ``replica``."""

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
    for package, patterns in (("replica", ("*.py",)), ("saddle", TEXT_SOURCES)):
        files = {file.name: file for file in importlib.resources.files(package).iterdir()}
        for name in sorted(files):
            if any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
                yield f"{package}/{name}", files[name].read_bytes()


def _digest(*parts: bytes) -> str:
    # Digests of digests, so that no shift of bytes between neighbours goes unseen.
    joined = b"".join(hashlib.sha256(part).digest() for part in parts)
    return hashlib.sha256(joined).hexdigest()[:KEY_LENGTH]


@functools.cache
def structure_key(structure: ModelStructure) -> str:
    """Return the key of the kernel of a model's structure."""
    files = (part for name, content in source_files() for part in (name.encode(), content))
    return _digest(b"structure", repr(structure).encode(), repr(versions()).encode(), *files)


def text_key(text: str) -> str:
    """Return the key of a kernel whose text is given, whatever system it came from."""
    loader = (part for name, content in source_files() for part in (name.encode(), content))
    return _digest(b"text", text.encode(), repr(versions()).encode(), *loader)
