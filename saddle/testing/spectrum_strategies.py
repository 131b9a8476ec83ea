"""Hypothesis strategies for the joint law of covariances, encodings and teacher."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from replica.model.spectrum import Spectrum, SpectrumAtom

__all__ = ["spectra"]


def _numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_infinity=False)


@st.composite
def spectra(draw: st.DrawFn, length: int, teacher_rank: int = 1) -> tuple[Spectrum, np.ndarray]:
    """Draw any spectrum of one to three atoms with the Gram matrix of its encodings, which need not be of full rank."""
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
