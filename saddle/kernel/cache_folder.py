"""Where kernels are kept."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
import warnings
from pathlib import Path

import platformdirs

from replica.common.checked_arguments import checked_path
from replica.common.errors import UnwritableFile

__all__ = ["CACHE_VARIABLE", "cache_folder", "preferred_folder", "warn_unwritable"]

CACHE_VARIABLE = "ATTENTION_PHASE_CACHE"

_has_warned = False


def preferred_folder(chosen: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder that kernels are looked up in, whether or not it exists or can be written."""
    named = checked_path("cache", chosen) if chosen is not None else os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).absolute()
    try:
        return Path(platformdirs.user_cache_dir("attention-phase")).absolute()
    except RuntimeError as error:
        # Neither a variable nor the system knows this user's home.
        warn_unwritable(Path("~"), str(error))
        return _temporary_folder()


def warn_unwritable(folder: Path, reason: str) -> None:
    """Warn that kernels will not be kept, once in a process: every folder and function would say the same."""
    global _has_warned
    if not _has_warned:
        _has_warned = True
        warnings.warn(f"cannot write {folder} ({reason}); compiled kernels will not be kept", stacklevel=3)


@functools.cache
def _temporary_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="attention-phase-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def cache_folder(chosen: str | os.PathLike[str] | None = None, key: str = "") -> Path:
    """Return a writable folder for kernels, or for the kernel of one key.

    Parameters
    ----------
    chosen
        A folder to use; otherwise the environment variable ATTENTION_PHASE_CACHE, otherwise the platform's
        user cache folder.
    key
        Name of a folder in it.

    Raises
    ------
    ValueError
        If ``chosen`` is given and cannot be written. A folder that comes from the variable or the platform
        is replaced by a temporary one, which lives as long as the process, with one warning per process.
    """
    folder = preferred_folder(chosen) / key
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        if chosen is not None:
            raise UnwritableFile(f"cannot write the cache folder {str(folder)!r}: {reason}") from None
        warn_unwritable(folder, reason)
        folder = _temporary_folder() / key
        folder.mkdir(exist_ok=True)
    return folder
