"""Linear attention trained on a linear target: the model of docs/examples/linear_attention.md."""

from __future__ import annotations

import sympy as sp

from replica import AttentionModel, linear_attention

__all__ = ["linear_mixture"]


def linear_mixture() -> AttentionModel:
    omega, matrix = sp.Symbol("omega"), sp.Matrix(2, 2, lambda i, j: sp.Symbol(f"A_{i + 1}{j + 1}"))
    return AttentionModel(
        omega=0.3,
        attention=linear_attention(),
        target=lambda h: (1 - omega) * h * h.T + omega * matrix,
        positional_matrix=[[0.6, -0.4], [-0.4, 0.6]],
    )
