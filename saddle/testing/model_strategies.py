"""Hypothesis strategies for attention models of every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp
from hypothesis import assume, strategies as st
from hypothesis.extra.numpy import arrays

from replica.model.attention_model import AttentionModel
from replica.model.functions.user_functions import linear_attention, softmax, softmax_attention
from saddle.testing.drawn_models import lively, paper_like, wide
from saddle.testing.spectrum_strategies import spectra

__all__ = [
    "attention_models", "lively_models", "paper_like_models", "two_token_models", "wide_models", "written_models",
]  # fmt: skip

LARGEST_SEED = 2**32 - 1


def _numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_infinity=False)


@st.composite
def two_token_models(draw: st.DrawFn, largest_sigma: float = 1.2) -> AttentionModel:
    """Draw any model of two tokens and reasonable size: A need not be stochastic, the encodings need not be opposite.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    largest_sigma
        At sigma above 0.6 attention saturates, and averages are less smooth.
    """
    encoding = (draw(st.sampled_from([-1.0, 1.0])) * draw(_numbers(0.3, 1.5)), draw(_numbers(-1.5, 1.5)))
    return AttentionModel(
        omega=draw(_numbers(0.0, 1.0)),
        sigma=draw(_numbers(0.25, largest_sigma)),
        regularization=draw(_numbers(0.003, 0.3)),
        positional_matrix=[[draw(_numbers(-0.5, 1.5)) for _ in range(2)] for _ in range(2)],
        positional_encoding=encoding,
    )


def paper_like_models(stream: int = 0) -> st.SearchStrategy[AttentionModel]:
    """Draw models like the paper's, generic ones: a drawn seed, so that no parameter is drawn at an end of its range.

    Parameters
    ----------
    stream
        Tests with other streams meet other models, also in their first example, which has the simplest seed.
    """
    return _generators(stream).map(paper_like)


def wide_models(stream: int = 0) -> st.SearchStrategy[AttentionModel]:
    """Draw generic models of any omega, any A in [0, 1] and any encodings; not so wide as to be slow.

    Parameters
    ----------
    stream
        As of :func:`paper_like_models`.
    """
    return _generators(stream).map(lambda generator: wide(generator, largest_sigma=0.7, smallest_regularization=0.01))


def lively_models(stream: int = 0, omega: float | None = None) -> st.SearchStrategy[AttentionModel]:
    """Draw generic models that have transitions: of most wide ones the minimum is Q = 0.

    Parameters
    ----------
    stream
        As of :func:`paper_like_models`.
    omega
        Of all models, if it is given.
    """
    return _generators(stream).map(lambda generator: lively(generator, omega))


def _generators(stream: int) -> st.SearchStrategy[np.random.Generator]:
    return st.integers(0, LARGEST_SEED).map(lambda seed: np.random.default_rng([stream, seed]))


@st.composite
def attention_models(draw: st.DrawFn, largest_length: int = 3, largest_rank: int = 2) -> AttentionModel:
    """Draw any attention model: number of tokens, ranks, groups, directions of encodings, moments, attention.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    largest_length, largest_rank
        Of tokens, and of the columns of student and teacher. Every structure has a kernel of its own, which is
        compiled for a minute or more; students of three tokens have rank one.
    """
    length = draw(st.integers(2, largest_length))
    # Three tokens of rank two: minutes of algebra.
    rank = draw(st.integers(1, largest_rank if length == 2 else 1))
    teacher_rank = draw(st.integers(1, largest_rank))
    arguments: dict[str, Any] = {
        "omega": draw(_numbers(0.0, 1.0)),
        "regularization": draw(_numbers(0.003, 0.3)),
        "positional_matrix": [[draw(_numbers(-0.5, 1.5)) for _ in range(length)] for _ in range(length)],
        "rank": rank,
        "teacher_rank": teacher_rank,
    }
    if draw(st.booleans()):
        arguments["attention"] = linear_attention()
    if draw(st.booleans()):
        spectrum, gram = draw(spectra(length, teacher_rank))
        return AttentionModel(**arguments, spectrum=spectrum, positional_gram=gram.tolist())
    encodings = draw(arrays(float, (length, draw(st.integers(1, 2))), elements=st.integers(-2, 2).map(float)))
    assume(encodings.any())
    return AttentionModel(
        **arguments, sigma=draw(_numbers(0.25, 1.2)), positional_gram=(encodings @ encodings.T).tolist()
    )


def _residual_attention(h: sp.Matrix) -> sp.Matrix:
    kappa = sp.Symbol("kappa")
    return (1 - kappa) * softmax(h * h.T) + kappa * sp.eye(h.rows)


def _masked_attention(h: sp.Matrix) -> sp.Matrix:
    """Return attention of every token to itself and those before it, up to the weight kappa of the others."""
    weights = softmax(h * h.T)
    return sp.Matrix(h.rows, h.rows, lambda i, j: weights[i, j] * (1 if j <= i else sp.Symbol("kappa")))


def _linear_target(h: sp.Matrix) -> sp.Matrix:
    omega = sp.Symbol("omega")
    positional = sp.Matrix(h.rows, h.rows, lambda i, j: sp.Symbol(f"A_{i + 1}{j + 1}"))
    return (1 - omega) * h * h.T + omega * positional


def _sharp_target(h: sp.Matrix) -> sp.Matrix:
    return softmax(2 * h * h.T)


ATTENTIONS: tuple[Callable[[sp.Matrix], sp.Matrix], ...] = (
    softmax_attention(sp.Symbol("kappa")), _residual_attention, _masked_attention,
)  # fmt: skip
TARGETS: tuple[Callable[[sp.Matrix], sp.Matrix] | str, ...] = ("", _linear_target, _sharp_target)


@st.composite
def written_models(draw: st.DrawFn, length: int = 2) -> AttentionModel:
    """Draw any model of rank one whose attention, and perhaps target, are functions that a user wrote.

    Attention is one of three functions with a parameter ``kappa``; the target is the default one or one of two.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    length
        Number of tokens.
    """
    encoding = [draw(st.sampled_from([-1.0, 1.0])) * draw(_numbers(0.3, 1.5)) for _ in range(length)]
    return AttentionModel(
        omega=draw(_numbers(0.0, 1.0)),
        sigma=draw(_numbers(0.25, 1.2)),
        regularization=draw(_numbers(0.003, 0.3)),
        positional_matrix=[[draw(_numbers(-0.5, 1.5)) for _ in range(length)] for _ in range(length)],
        positional_encoding=encoding,
        attention=draw(st.sampled_from(ATTENTIONS)),
        target=draw(st.sampled_from(TARGETS)),
        parameters={"kappa": draw(_numbers(0.2, 0.9))},
    )
