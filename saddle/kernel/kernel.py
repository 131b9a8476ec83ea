"""Find the kernel of a model's structure in the cache, or derive, write and import it.

A kernel is one Python module: the functions that SymPy wrote, the texts of ``saddle/line_*.py``, and the sign
symmetries of what it evaluates. It is kept as ``<cache>/<key>/kernel_<key>.py`` with its compiled code beside it.
The key (``saddle.kernel.key``) is known without deriving anything, so a cached kernel starts without SymPy. The
text ends with its own checksum; one that fails it is derived again.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from replica.common.files import write_atomically
from replica.common.stages import stage
from replica.quantities.structure import ModelStructure
from replica.symmetry.symmetries import Symmetries, Symmetry
from saddle.kernel.cache_folder import cache_folder, preferred_folder, warn_unwritable
from saddle.kernel.key import structure_key, text_key

if TYPE_CHECKING:
    from replica.equations.saddle_system import SaddleSystem

__all__ = ["Kernel", "kernel_of_system", "load_kernel"]

PAPER_STRUCTURE = ModelStructure()
SYMMETRIES, REVERSALS, ROTATIONS, RENAMINGS = "SIGN_SYMMETRIES", "REVERSALS", "ROTATIONS", "RENAMINGS"

_loading = threading.Lock()


@dataclass(frozen=True)
class Kernel:
    """A kernel's module, its key and file, and the symmetries of what it evaluates.

    Functions of the module are compiled, or read from disk, on their first call. Two kernels of one key are equal. A
    pickled one is looked up where it is read, or else derived there.

    Attributes
    ----------
    symmetries
        Of the structure; of its reversals the signs alone.
    made_of
        The structure, or the text of a kernel that was derived by hand.
    """

    digest: str
    path: Path = field(compare=False)
    module: ModuleType = field(compare=False)
    symmetries: Symmetries
    made_of: ModelStructure | str = field(compare=False)

    def __reduce__(self) -> tuple[Callable[..., Kernel], tuple[Any, ...]]:
        return _kernel_again, (self.made_of, self.path.parent.parent)


def _derived_text(structure: ModelStructure) -> str:
    """Derive the equations of a structure and return its kernel's text: the one step that takes SymPy."""
    from replica.equations.free_entropy import build_free_entropy
    from replica.equations.saddle_system import derive_saddle_system

    with stage("derive"):
        system = derive_saddle_system(build_free_entropy(structure))
    return _text_of(system)


def _text_of(system: SaddleSystem) -> str:
    from replica.symmetry.finding import find_symmetries
    from saddle.kernel.text import kernel_source

    lines = [f"{name} = {value!r}\n" for name, value in _constants(find_symmetries(system.free_entropy)).items()]
    with stage("print"):
        source = kernel_source(system)
    return f"{source.rstrip()}\n\n\n{''.join(lines)}"


def _constants(symmetries: Symmetries) -> dict[str, Any]:
    """Return what a kernel's text keeps of its structure's symmetries: no names, and nothing of SymPy."""
    return {
        SYMMETRIES: {name: getattr(symmetries, name) for name in ("student", "teacher", "exchange")},
        REVERSALS: tuple(x.signs for x in symmetries.reversals),
        ROTATIONS: symmetries.rotations,
        RENAMINGS: symmetries.neighbours,
    }


def _kept_symmetries(module: ModuleType) -> Symmetries:
    reversals, rotations, neighbours = (getattr(module, name) for name in (REVERSALS, ROTATIONS, RENAMINGS))
    return Symmetries(
        **getattr(module, SYMMETRIES),
        neighbours=neighbours,
        reversals=tuple(Symmetry("reversal", signs) for signs in reversals),
        rotations=rotations,
    )


def _seal(key: str, text: str) -> str:
    """Return the comment that ends an intact kernel."""
    # The key is part of it, so that a kernel copied to another's place does not pass for it.
    digest = hashlib.sha256(f"{key}\n{text}".encode()).hexdigest()
    return f"# sha256 {digest}\n"


def _read_intact(path: Path, key: str) -> str | None:
    """Return a kernel's text, or nothing if the file is absent or not exactly as it was written."""
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
    """Return the module of a kernel file if this process has imported it, or else if the file is intact."""
    module = sys.modules.get(path.stem)
    if module is not None and module.__file__ == str(path):
        return module
    text = _read_intact(path, key)
    return None if text is None else _import_text(text, path)


def _derive(path: Path, key: str, derive: Callable[[], str]) -> ModuleType:
    text = derive()
    try:
        write_atomically(path, text + _seal(key, text))
    except OSError as error:
        warn_unwritable(path.parent, error.strerror or str(error))
    return _import_text(text, path)


def _kernel_again(made_of: ModelStructure | str, folder: Path) -> Kernel:
    """Return the kernel that was pickled, from the folder it was in if there is such a folder here."""
    cache = folder if folder.is_dir() and os.access(folder, os.W_OK) else None
    if isinstance(made_of, str):
        return _kernel(text_key(made_of), cache, lambda: made_of, made_of)
    return load_kernel(made_of, cache)


def _kernel(
    key: str, cache: str | os.PathLike[str] | None, derive: Callable[[], str], made_of: ModelStructure | str
) -> Kernel:
    """Return the kernel of a key: from this process, from the cache, or derived."""
    name = f"kernel_{key}.py"
    with _loading:
        # A folder that cannot be written is as good as any other as long as it holds the kernel.
        path = preferred_folder(cache) / key / name
        module = _find(path, key)
        if module is None:
            path = cache_folder(cache, key) / name
            module = _find(path, key) or _derive(path, key, derive)
    return Kernel(key, path, module, _kept_symmetries(module), made_of)


def load_kernel(structure: ModelStructure = PAPER_STRUCTURE, cache: str | os.PathLike[str] | None = None) -> Kernel:
    """Return the kernel of all models of one structure, derived and written if it is not in the cache.

    Functions are compiled by Numba on first call, and loaded from the cache afterwards.

    Parameters
    ----------
    structure
        What the equations depend on; a model's own is ``model.structure``. Its numeric parameters are arguments
        of the kernel.
    cache
        Folder for kernels; see :func:`saddle.kernel.cache_folder.cache_folder`.

    Raises
    ------
    ValueError
        If ``cache`` is given, holds no such kernel and cannot be written, or the structure's equations cannot
        be derived.
    """
    return _kernel(structure_key(structure), cache, lambda: _derived_text(structure), structure)


def kernel_of_system(system: SaddleSystem, cache: str | os.PathLike[str] | None = None) -> Kernel:
    """Return the kernel of a saddle-point system that was derived by hand; for parameters see :func:`load_kernel`."""
    text = _text_of(system)
    return _kernel(text_key(text), cache, lambda: text, text)
