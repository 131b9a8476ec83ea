"""Write, import, compile and cache the kernel of a saddle-point system.

A kernel is one self-contained Python module: a short preamble that defines the decorators, the functions that
SymPy wrote, and the text of ``saddle/line_average.py``. It is written to ``<cache>/<digest>/kernel_<digest>.py``
by a temporary file and ``os.replace`` (two processes may do so at once), and imported from there, so that
Numba's own on-disk cache works across processes.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numba
import platformdirs

from replica.saddle_equations import SaddleSystem, derive_saddle_system
from replica.sectors import SignSymmetries, find_sign_symmetries

__all__ = ["CACHE_VARIABLE", "Kernel", "cache_folder", "load_kernel"]

CACHE_VARIABLE = "ATTENTION_PHASE_CACHE"


@dataclass(frozen=True)
class Kernel:
    """A compiled kernel: the module, its digest and file, and the sign symmetries of what it evaluates."""

    digest: str
    path: Path
    module: ModuleType
    symmetries: SignSymmetries


def cache_folder(chosen: str | os.PathLike[str] | None = None) -> Path:
    """Return a writable folder for generated modules.

    Parameters
    ----------
    chosen
        A folder to use; otherwise the environment variable ATTENTION_PHASE_CACHE, otherwise the platform's
        user cache folder.

    Raises
    ------
    ValueError
        If the folder was chosen (here or by the variable) and cannot be written. The platform's default,
        when it cannot be written, is replaced by a temporary folder with a warning.
    """
    explicit = chosen if chosen is not None else os.environ.get(CACHE_VARIABLE) or None
    folder = Path(explicit) if explicit is not None else Path(platformdirs.user_cache_dir("attention-phase"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        if explicit is not None:
            raise ValueError(f"cannot write the cache folder {str(folder)!r}: {error.strerror}") from None
        fallback = Path(tempfile.mkdtemp(prefix="attention-phase-"))
        warnings.warn(
            f"cannot write {folder} ({error.strerror}); compiled kernels go to {fallback} and will not be kept",
            stacklevel=2,
        )
        return fallback
    return folder


def write_atomically(path: Path, text: str) -> None:
    """Write a text file so that no reader ever sees half of it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _import_from(path: Path, name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise ImportError(f"cannot import the generated kernel {path}")
    module = importlib.util.module_from_spec(specification)
    # Numba's cache looks the module up by name when it loads a compiled function.
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


@functools.lru_cache(maxsize=16)
def _load(source: str, folder: Path, symmetries: SignSymmetries) -> Kernel:
    digest = hashlib.sha256((numba.__version__ + source).encode()).hexdigest()[:16]
    path = folder / digest / f"kernel_{digest}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    # A file that is not exactly what we would write (truncated, edited) is replaced, never trusted.
    if not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != source:
        write_atomically(path, source)
    return Kernel(digest, path, _import_from(path, f"kernel_{digest}"), symmetries)


@functools.lru_cache(maxsize=1)
def _default_system() -> tuple[str, SignSymmetries]:
    from saddle.kernel_text import kernel_source

    system = derive_saddle_system()
    return kernel_source(system), find_sign_symmetries(system.free_entropy)


def load_kernel(system: SaddleSystem | None = None, cache: str | os.PathLike[str] | None = None) -> Kernel:
    """Return the kernel of a saddle-point system, written and imported if need be.

    Functions are compiled by Numba on first call, and loaded from its cache afterwards.

    Parameters
    ----------
    system
        What to evaluate; by default the paper's model. Model parameters are arguments of the kernel.
    cache
        Folder for generated modules; see :func:`cache_folder`.
    """
    if system is None:
        source, symmetries = _default_system()
    else:
        from saddle.kernel_text import kernel_source

        source, symmetries = kernel_source(system), find_sign_symmetries(system.free_entropy)
    return _load(source, cache_folder(cache), symmetries)
