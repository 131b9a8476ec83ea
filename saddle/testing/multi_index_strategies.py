"""Hypothesis strategies for models of losses other than attention's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import sympy as sp
from hypothesis import strategies as st

from replica.model.multi_index_model import MultiIndexModel
from saddle.testing.spectrum_strategies import spectra

__all__ = ["multi_index_models"]

Loss = Callable[[sp.Matrix, Sequence[sp.Symbol]], Any]
Outputs = Callable[[sp.Matrix, Sequence[sp.Symbol]], Sequence[Any]]


def _sum(matrix: sp.Matrix) -> sp.Expr:
    return sp.Add(*cast(list[sp.Expr], matrix.flat()))


def _sum_of_squares(matrix: sp.Matrix) -> sp.Expr:
    return sp.Add(*(x**2 for x in cast(list[sp.Expr], matrix.flat())))


def _square(z: sp.Matrix, y: Sequence[sp.Symbol]) -> sp.Expr:
    return (_sum(z) - y[0]) ** 2 / 2


def _pseudo_huber(z: sp.Matrix, y: Sequence[sp.Symbol]) -> sp.Expr:
    width = sp.Symbol("width")
    return width**2 * (sp.sqrt(1 + ((_sum(z) - y[0]) / width) ** 2) - 1)


def _phase(z: sp.Matrix, y: Sequence[sp.Symbol]) -> sp.Expr:
    """Return the loss of a student that sees squares, as in phase retrieval: it does not know its sign."""
    return (_sum_of_squares(z) - y[0]) ** 2 / 4


LOSSES: tuple[Loss, ...] = (_square, _pseudo_huber, _phase)
OUTPUTS: tuple[Outputs, ...] = (
    lambda h, noise: [_sum(h) + noise[0] / 2],
    lambda h, noise: [sp.tanh(_sum(h)) + noise[0] / 4],
    lambda h, noise: [_sum_of_squares(h) + noise[0] / 4],
)


@st.composite
def multi_index_models(draw: st.DrawFn, largest_length: int = 2, largest_rank: int = 1) -> MultiIndexModel:
    """Draw any model of one of three losses (square, pseudo-Huber, of squares), of one of three noisy outputs.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    largest_length, largest_rank
        Of tokens, and of the columns of student and teacher.
    """
    length = draw(st.integers(1, largest_length))
    teacher_rank = draw(st.integers(1, largest_rank))
    spectrum, gram = draw(spectra(length, teacher_rank))
    loss = draw(st.sampled_from(LOSSES))
    size = st.floats(0.5, 2.0, allow_nan=False)
    return MultiIndexModel(
        loss,
        draw(st.floats(0.01, 0.5, allow_nan=False)),
        outputs=draw(st.sampled_from(OUTPUTS)),
        noise=1,
        spectrum=spectrum,
        rank=draw(st.integers(1, largest_rank)),
        teacher_rank=teacher_rank,
        positional_gram=gram.tolist(),
        parameters={"width": draw(size)} if loss is _pseudo_huber else {},
    )
