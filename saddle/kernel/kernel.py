"""Find the kernel of a model's structure in the cache, or derive, write and import it.

A kernel is one Python module: the functions that SymPy wrote, and the symmetries of what they evaluate. It is kept as
``<cache>/<key>/kernel_<key>.py`` with its compiled code beside it. What calls these functions, the line rule's
numerics, is one module for all kernels of as many fields, ``<cache>/<key>/numerics_<key>.py``.
The key (``saddle.kernel.key``) is known without deriving anything, so a cached kernel starts without SymPy. The
text ends with its own checksum; one that fails it is derived again.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from replica.common.stages import stage
from replica.quantities.loss_structure import LossStructure
from replica.quantities.structure import ModelStructure
from replica.symmetry.symmetries import Symmetries, Symmetry
from saddle.kernel.key import numerics_key, structure_key, text_key
from saddle.kernel.line_functions import LineFunctions
from saddle.kernel.module_files import kept_module
from saddle.kernel.numerics_text import numerics_source

if TYPE_CHECKING:
    from replica.equations.saddle_system import SaddleSystem

__all__ = ["Kernel", "kernel_of_system", "load_kernel"]

PAPER_STRUCTURE = ModelStructure()
SYMMETRIES, REVERSALS, ROTATIONS, RENAMINGS = "SIGN_SYMMETRIES", "REVERSALS", "ROTATIONS", "RENAMINGS"


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
    made_of: ModelStructure | LossStructure | str = field(compare=False)

    @functools.cached_property
    def lines(self) -> LineFunctions:
        """Averages along lines and minima, by the numerics that all kernels of as many fields share."""
        root, fields = _writable(self.path.parent.parent), self.module.N_FIELDS
        _, numerics = kept_module("numerics", numerics_key(fields), root, lambda: numerics_source(fields))
        return LineFunctions(self.module, numerics)

    def __reduce__(self) -> tuple[Callable[..., Kernel], tuple[Any, ...]]:
        return _kernel_again, (self.made_of, self.path.parent.parent)


def _writable(folder: Path) -> Path | None:
    """Return a folder if it is there and can be written, else nothing: the default."""
    return folder if folder.is_dir() and os.access(folder, os.W_OK) else None


def _derived_text(structure: ModelStructure | LossStructure) -> str:
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


def _kernel_again(made_of: ModelStructure | LossStructure | str, folder: Path) -> Kernel:
    """Return the kernel that was pickled, from the folder it was in if there is such a folder here."""
    cache = _writable(folder)
    if isinstance(made_of, str):
        return _kernel(text_key(made_of), cache, lambda: made_of, made_of)
    return load_kernel(made_of, cache)


def _kernel(
    key: str,
    cache: str | os.PathLike[str] | None,
    derive: Callable[[], str],
    made_of: ModelStructure | LossStructure | str,
) -> Kernel:
    """Return the kernel of a key: from this process, from the cache, or derived."""
    path, module = kept_module("kernel", key, cache, derive)
    return Kernel(key, path, module, _kept_symmetries(module), made_of)


def load_kernel(
    structure: ModelStructure | LossStructure = PAPER_STRUCTURE, cache: str | os.PathLike[str] | None = None
) -> Kernel:
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
