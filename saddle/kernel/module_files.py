"""Modules of generated text in the cache: found if they are whole, else written anew and imported."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from replica.common.files import write_atomically
from saddle.kernel.cache_folder import cache_folder, preferred_folder, warn_unwritable

__all__ = ["kept_module"]

_loading = threading.Lock()


def _seal(key: str, text: str) -> str:
    """Return the comment that ends an intact text."""
    # The key is part of it, so that a text copied to another's place does not pass for it.
    digest = hashlib.sha256(f"{key}\n{text}".encode()).hexdigest()
    return f"# sha256 {digest}\n"


def _read_intact(path: Path, key: str) -> str | None:
    """Return a module's text, or nothing if the file is absent or not exactly as it was written."""
    try:
        lines = path.read_bytes().decode().splitlines(keepends=True)
    except (OSError, UnicodeDecodeError):
        return None
    text = "".join(lines[:-1])
    return text if lines and lines[-1] == _seal(key, text) else None


def _import_text(text: str, path: Path) -> ModuleType:
    # NOTE: not by an import of the file: that would read it a second time, and would trust Python's own cache of it.
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    # Numba looks the module up by name when it loads a compiled function.
    sys.modules[path.stem] = module
    try:
        exec(compile(text, str(path), "exec"), module.__dict__)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module


def _find(path: Path, key: str) -> ModuleType | None:
    """Return the module of a file if this process has imported it, or else if the file is intact."""
    module = sys.modules.get(path.stem)
    if module is not None and module.__file__ == str(path):
        return module
    text = _read_intact(path, key)
    return None if text is None else _import_text(text, path)


def _write(path: Path, key: str, source: Callable[[], str]) -> ModuleType:
    text = source()
    try:
        write_atomically(path, text + _seal(key, text))
    except OSError as error:
        warn_unwritable(path.parent, error.strerror or str(error))
    return _import_text(text, path)


def kept_module(
    stem: str, key: str, cache: str | os.PathLike[str] | None, source: Callable[[], str]
) -> tuple[Path, ModuleType]:
    """Return the module of a key and its file: from this process, from the cache, or from its source.

    Parameters
    ----------
    stem
        What the module's name begins with; the key follows.
    key
        A digest of everything that the text and its compiled code depend on.
    cache
        Folder for kernels; see :func:`saddle.kernel.cache_folder.cache_folder`.
    source
        Writes the text.

    Raises
    ------
    ValueError
        If ``cache`` is given, holds no such module and cannot be written.
    """
    name = f"{stem}_{key}.py"
    with _loading:
        # A folder that cannot be written is as good as any other as long as it holds the module.
        path = preferred_folder(cache) / key / name
        module = _find(path, key)
        if module is None:
            path = cache_folder(cache, key) / name
            module = _find(path, key) or _write(path, key, source)
    return path, module
