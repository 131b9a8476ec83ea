"""Hypothesis strategies for whole models and states."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import assume, strategies as st
from hypothesis.extra.numpy import arrays

from replica import AttentionModel, Spectrum, SpectrumAtom, linear_attention
from tests.campaigns.random_models import lively, paper_like, wide

__all__ = ["general_models", "lively_models", "models", "paper_like_models", "spectra", "states", "wide_models"]


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


def paper_like_models(stream: int) -> st.SearchStrategy[AttentionModel]:
    """Models like the paper's, generic ones: a drawn seed, so that no parameter is drawn at an end of its range.

    Tests with other streams meet other models, also in their first example, which has the simplest seed.
    """
    return _generators(stream).map(paper_like)


def wide_models(stream: int) -> st.SearchStrategy[AttentionModel]:
    """Generic models of any omega, any A in [0, 1] and any encodings; not so wide as to be slow."""
    return _generators(stream).map(lambda generator: wide(generator, largest_sigma=0.7, smallest_regularization=0.01))


def lively_models(stream: int, omega: float | None = None) -> st.SearchStrategy[AttentionModel]:
    """Generic models, of the given omega if any, that have transitions: of most wide ones the minimum is Q = 0."""
    return _generators(stream).map(lambda generator: lively(generator, omega))


def _generators(stream: int) -> st.SearchStrategy[np.random.Generator]:
    return st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng([stream, seed]))


@st.composite
def states(draw: st.DrawFn, model: AttentionModel) -> np.ndarray:
    """Any state in the domain of the equations of a model, none of its overlaps zero."""
    rho = model.token_variance
    q = rho * draw(_numbers(0.05, 1.0))
    m = np.sqrt(q) * draw(_numbers(0.1, 1.5)) * draw(st.sampled_from([-1.0, 1.0]))
    V = rho / model.regularization * draw(_numbers(0.1, 0.9))
    theta = np.sqrt(q * rho) * draw(_numbers(0.05, 0.9)) * draw(st.sampled_from([-1.0, 1.0]))
    return np.array([q, m, V, theta])


@st.composite
def spectra(draw: st.DrawFn, length: int, teacher_rank: int = 1) -> tuple[Spectrum, np.ndarray]:
    """Any spectrum of one to three atoms with the Gram matrix of its encodings, which need not be of full rank."""
    count = draw(st.integers(1, 3))
    shares = np.array([draw(_numbers(0.2, 1.0)) for _ in range(count)])
    weights = shares / shares.sum()
    groups = [draw(st.integers(0, token)) for token in range(length)]
    small = st.integers(-4, 4).map(lambda x: x / 4.0)
    atoms, gram = [], np.zeros((length, length))
    rank, tied, plain = draw(st.integers(1, length)), draw(st.booleans()), draw(st.booleans())
    mixing = draw(arrays(float, (length, rank), elements=small)) + np.eye(length, rank)
    for weight in weights:
        gamma = [draw(_numbers(0.1, 1.0)) for _ in range(length)]
        # Projections tau = C u with u and pi made of a few independent variables, all of which both may share.
        root = np.eye(rank + teacher_rank)
        if not plain:
            root[:rank, :rank] += draw(arrays(float, (rank, rank), elements=small)) / 4
            root[rank:, rank:] += draw(arrays(float, (teacher_rank, teacher_rank), elements=small)) / 4
        if tied:
            root[rank:, :rank] = draw(arrays(float, (teacher_rank, rank), elements=small))
        change = np.zeros((length + teacher_rank, rank + teacher_rank))
        change[:length, :rank], change[length:, rank:] = mixing, np.eye(teacher_rank)
        joint = change @ root @ root.T @ change.T
        joint = (joint + joint.T) / 2
        gram += weight * joint[:length, :length]
        blocks = (joint[:length, :length], joint[length:, length:], joint[:length, length:])
        atoms.append(SpectrumAtom(weight, [gamma[g] for g in groups], *(x.tolist() for x in blocks)))
    return Spectrum(tuple(atoms)), gram


@st.composite
def general_models(draw: st.DrawFn, largest_length: int = 3, largest_rank: int = 2) -> AttentionModel:
    """Any attention model: number of tokens, ranks, groups, directions of encodings, moments, attention."""
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
