"""Starts of the search for the global minimiser of the Moreau objective."""

from __future__ import annotations

import functools
import itertools

import numpy as np

from replica.quantities.loss_structure import LossStructure
from replica.quantities.solvable_model import Model

__all__ = ["minimiser_starts", "starts_of"]

REACH = 0.7
# Of a loss of which nothing is known there may be minima farther out; more sign patterns than this are not tried.
FAR_REACH, MOST_PATTERNS = 2.0, 16


@functools.lru_cache(maxsize=16)
def minimiser_starts(sequence_length: int, rank: int = 1) -> np.ndarray:
    """Return starts (n, sequence_length * rank) of the multi-start.

    Attention can prefer a token to another only if their pre-activations differ, and minima come in nearly equal
    pairs z and -z, since the loss is even in z. For two tokens +-0.7 (1, -1) find them; in general, every pattern of
    signs but the uniform ones (where attention is flat), for every direction of the rank. The kernel adds starts
    where the local field is large. How often the search fails is measured in docs/performance.md.
    """
    patterns = [p for p in itertools.product((1.0, -1.0), repeat=sequence_length) if len(set(p)) > 1]
    starts = []
    for direction in range(rank):
        for pattern in patterns:
            start = np.zeros((sequence_length, rank))
            start[:, direction] = REACH * np.array(pattern)
            starts.append(start.ravel())
    table = np.array(starts)
    table.setflags(write=False)
    return table


def starts_of(model: Model) -> np.ndarray:
    """Return starts (n, fields) of the multi-start for a model.

    Those of :func:`minimiser_starts` for attention. Any other loss may prefer any signs: all patterns of them, near and
    far, and for many fields those along an axis.
    """
    if not isinstance(model.structure, LossStructure):
        return minimiser_starts(model.sequence_length, model.rank)
    return _general_starts(model.sequence_length * model.rank)


@functools.lru_cache(maxsize=16)
def _general_starts(fields: int) -> np.ndarray:
    patterns = np.array(list(itertools.product((1.0, -1.0), repeat=fields)))
    if len(patterns) > MOST_PATTERNS:
        patterns = np.concatenate([np.eye(fields), -np.eye(fields)])
    table = np.concatenate([REACH * patterns, FAR_REACH * patterns])
    table.setflags(write=False)
    return table
