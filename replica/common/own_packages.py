"""Whether this library's packages are the ones that Python finds: a script of the same name would hide one."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from pathlib import Path

from replica.common.errors import AttentionPhaseError

__all__ = ["HiddenPackage", "require_own_packages", "warn_if_hidden"]


class HiddenPackage(AttentionPhaseError, ImportError):
    """A file or folder of the user's has the name of one of this library's packages, and is found before it."""


def _hiding(name: str) -> Path | None:
    """Return what hides one of this library's packages, or None if nothing does."""
    try:
        found = importlib.util.find_spec(name)
    except ValueError:
        # What runs as a script, or is being made by hand, has no place that could be compared.
        return None
    if found is None or found.origin is None:
        return None
    origin, own = Path(found.origin), Path(__file__).parents[2] / name
    return None if origin.parent.resolve() == own.resolve() or not own.is_dir() else origin


def _said(name: str, hiding: Path) -> str:
    return (
        f"{str(hiding)!r} has the name of attention-phase's package {name!r} and hides it: "
        "rename it, or run Python elsewhere"
    )


def require_own_packages(*names: str) -> None:
    """Refuse to go on with a package of this library hidden, before importing it fails for a reason that says nothing.

    Raises
    ------
    HiddenPackage
        Naming the file that hides it.
    """
    for name in names:
        hiding = _hiding(name)
        if hiding is not None:
            raise HiddenPackage(_said(name, hiding))


def warn_if_hidden(name: str) -> None:
    """Warn that a package which is not needed yet is hidden by a single file beside the script that runs."""
    hiding = _hiding(name)
    if (
        hiding is not None
        and sys.path
        and hiding.name == f"{name}.py"
        and hiding.parent == Path(sys.path[0]).absolute()
    ):
        warnings.warn(_said(name, hiding), stacklevel=3)
