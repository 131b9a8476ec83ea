"""Replica theory of attention models: the model, the derivation, generated code and equation reports."""

from replica.model import AttentionModel
from replica.saddle_equations import SaddleSystem, derive_saddle_system

__all__ = ["AttentionModel", "SaddleSystem", "derive_saddle_system"]
