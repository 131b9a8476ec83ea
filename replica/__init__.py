"""Replica theory of attention models: the model, the derivation, generated code and equation reports."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from replica.model.attention_model import AttentionModel
from replica.model.spectrum import Spectrum, SpectrumAtom

if TYPE_CHECKING:
    from replica.equations.saddle_system import SaddleSystem, derive_saddle_system
    from replica.model.multi_index_model import MultiIndexModel
    from replica.model.user_functions import linear_attention, softmax, softmax_attention
    from replica.theory import Derivation, derive

__all__ = [
    "AttentionModel",
    "Derivation",
    "MultiIndexModel",
    "SaddleSystem",
    "Spectrum",
    "SpectrumAtom",
    "derive",
    "derive_saddle_system",
    "linear_attention",
    "softmax",
    "softmax_attention",
]

_LAZY = {
    "Derivation": "derivation",
    "derive": "derivation",
    "MultiIndexModel": "multi_index",
    "SaddleSystem": "saddle_equations",
    "derive_saddle_system": "saddle_equations",
    "linear_attention": "matrix_functions",
    "softmax": "matrix_functions",
    "softmax_attention": "matrix_functions",
}


def __getattr__(name: str) -> Any:
    """Import the derivation, and SymPy with it, when it is first asked for."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"replica.{_LAZY[name]}"), name)
