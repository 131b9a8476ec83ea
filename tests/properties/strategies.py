"""Hypothesis strategies for whole models and states."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from replica import AttentionModel

__all__ = ["models", "states"]


def _numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_infinity=False)


@st.composite
def models(draw: st.DrawFn, largest_sigma: float = 1.2) -> AttentionModel:
    """Any valid model of reasonable size: A need not be stochastic, the encodings need not be opposite."""
    encoding = (draw(st.sampled_from([-1.0, 1.0])) * draw(_numbers(0.3, 1.5)), draw(_numbers(-1.5, 1.5)))
    return AttentionModel(
        omega=draw(_numbers(0.0, 1.0)),
        sigma=draw(_numbers(0.25, largest_sigma)),
        regularization=draw(_numbers(0.003, 0.3)),
        positional_matrix=[[draw(_numbers(-0.5, 1.5)) for _ in range(2)] for _ in range(2)],
        positional_encoding=encoding,
    )


@st.composite
def states(draw: st.DrawFn, model: AttentionModel) -> np.ndarray:
    """Any state in the domain of the equations of a model, none of its overlaps zero."""
    rho = model.token_variance
    q = rho * draw(_numbers(0.05, 1.0))
    m = np.sqrt(q) * draw(_numbers(0.1, 1.5)) * draw(st.sampled_from([-1.0, 1.0]))
    V = rho / model.regularization * draw(_numbers(0.1, 0.9))
    theta = np.sqrt(q * rho) * draw(_numbers(0.05, 0.9)) * draw(st.sampled_from([-1.0, 1.0]))
    return np.array([q, m, V, theta])
