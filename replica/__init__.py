"""Replica theory of attention models: the model, the derivation, generated code and equation reports."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from replica.model.attention_model import AttentionModel
from replica.model.spectrum import Spectrum, SpectrumAtom

if TYPE_CHECKING:
    from replica.derive import Derivation, derive
    from replica.equations.saddle_system import SaddleSystem, derive_saddle_system
    from replica.model.multi_index_model import MultiIndexModel
    from replica.model.user_functions import linear_attention, softmax, softmax_attention

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
    "Derivation": "derive",
    "derive": "derive",
    "MultiIndexModel": "model.multi_index_model",
    "SaddleSystem": "equations.saddle_system",
    "derive_saddle_system": "equations.saddle_system",
    "linear_attention": "model.user_functions",
    "softmax": "model.user_functions",
    "softmax_attention": "model.user_functions",
}


def __getattr__(name: str) -> Any:
    """Import the derivation, and SymPy with it, when it is first asked for."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"replica.{_LAZY[name]}"), name)
