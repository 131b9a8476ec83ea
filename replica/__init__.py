"""Replica theory of attention models: the model, the derivation, generated code and equation reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replica.model import AttentionModel

if TYPE_CHECKING:
    from replica.saddle_equations import SaddleSystem, derive_saddle_system

__all__ = ["AttentionModel", "SaddleSystem", "derive_saddle_system"]


def __getattr__(name: str) -> Any:
    """Import the derivation, and SymPy with it, when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from replica import saddle_equations

    return getattr(saddle_equations, name)
