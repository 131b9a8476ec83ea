"""Hypothesis strategies for states."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from replica.model.attention_model import AttentionModel
from replica.model.multi_index_model import MultiIndexModel
from saddle.testing.drawn_states import drawn_state

__all__ = ["states"]


@st.composite
def states(draw: st.DrawFn, model: AttentionModel | MultiIndexModel) -> np.ndarray:
    """Draw any state (n,) in the domain of the equations of a model, none of its overlaps zero.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    model
        The model; its state is in the order of :func:`replica.quantities.names.order_parameters`, (q, m, V, theta)
        for the paper's.
    """
    return drawn_state(
        model,
        lambda low, high: draw(st.floats(low, high, allow_nan=False, allow_infinity=False)),
        lambda: draw(st.sampled_from([-1.0, 1.0])),
    )
