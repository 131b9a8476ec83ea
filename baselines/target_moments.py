r"""Mean and variance of the target matrix :math:`T(h^\star)`, by the trapezoidal rule.

Layers that do not read the tokens are compared with the target through these two alone.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from replica import AttentionModel
from replica.layer import attention_entries, target_entries

__all__ = ["MOST_TOKENS", "ROUNDING", "TargetMoments", "softmax", "target_moments", "target_values"]

Array = NDArray[np.float64]

# For an analytic integrand that decays like a Gaussian the plain trapezoidal sum converges geometrically in
# the node density. Gauss-Hermite nodes draw together as the square root of the order only: 256 a token leave
# 2 per cent at sigma = 10, where the softmax is nearly a step, and their differences understate it.
FEWEST_NODES, MOST_NODES = 12, 1536
REACH = 9.0
# Of the whole grid, which has a power of the nodes per token.
LARGEST_GRID = 2**23
# More would leave one density only, hence no estimate of the error.
MOST_TOKENS = 5
# Averages that agree to this between two densities have converged: the next one would gain rounding only.
CONVERGED = 1e-13
ROUNDING = 16 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class TargetMoments:
    r"""Mean and variance of :math:`T(h^\star)`.

    Attributes
    ----------
    mean
        :math:`\mathbb{E}[T]`, shape (L, L), read-only.
    variance
        :math:`\sum_{ij} \mathrm{Var}(T_{ij})`.
    mean_error, variance_error
        Estimates of the quadrature error, of the worst entry of the mean and of the variance: the difference between
        the last two densities of nodes, and rounding.
    """

    mean: Array
    variance: float
    mean_error: float
    variance_error: float


def target_moments(model: AttentionModel, what: str) -> TargetMoments:
    r"""Return mean and variance of :math:`T(h^\star)`, :math:`h^\star_l \sim \mathcal{N}(0, \sigma^2)`.

    Parameters
    ----------
    model
        The model; only its target (omega, A) and the token variance matter.
    what
        What needs the moments, for error messages.

    Raises
    ------
    ValueError
        If the sequence is longer than five tokens (the grid of nodes would be too large), or the model is of
        another kind than the paper's.
    """
    AttentionModel.require(model, what)
    if model.sequence_length > MOST_TOKENS:
        raise ValueError(f"{what} needs at most {MOST_TOKENS} tokens, got {model.sequence_length!r}")
    counts = list(_node_counts(model.sequence_length))
    coarse, change, mean_change = _average(model, counts[0]), np.inf, np.inf
    for count in counts[1:]:
        mean, variance = _average(model, count)
        change = abs(variance - coarse[1])
        mean_change = np.max(np.abs(mean - coarse[0]))
        if change <= CONVERGED * variance and mean_change <= CONVERGED * np.max(np.abs(mean)):
            break
        coarse = mean, variance
    mean.setflags(write=False)
    return TargetMoments(mean, variance, float(mean_change) + ROUNDING, float(change) + ROUNDING * variance)


def _node_counts(length: int) -> Iterator[int]:
    """Yield numbers of nodes per token, each twice the one before, as far as the grid stays small enough."""
    count = FEWEST_NODES
    while count <= MOST_NODES and count**length <= LARGEST_GRID:
        yield count
        count *= 2


def softmax(logits: Sequence[Array]) -> Array:
    """Return the weights of a row, exponentiating only non-positive numbers so that nothing overflows."""
    stacked = np.stack(np.broadcast_arrays(*logits))
    powers = np.exp(stacked - stacked.max(axis=0))
    return powers / powers.sum(axis=0)


def target_values(model: AttentionModel, fields: Sequence[Array]) -> Array:
    """Return T(h*) for arrays of L fields, shape (L, L, ...)."""
    attention = attention_entries([[field] for field in fields], softmax)
    return np.array(target_entries(attention, model.omega, model.positional_matrix))


def _average(model: AttentionModel, count: int) -> tuple[Array, float]:
    """Return (mean, variance) by the trapezoidal rule, ``count`` nodes per token out to 9 sigma."""
    length = model.sequence_length
    nodes = np.linspace(-REACH, REACH, count)
    weights = np.exp(-(nodes**2) / 2)
    weights /= weights.sum()
    others = np.meshgrid(*[model.sigma * nodes] * (length - 1), indexing="ij")
    other_weights = functools.reduce(np.multiply.outer, [weights] * (length - 1)).ravel()
    # Deviations from T(0), or rounding of the mean square would hide a variance that is small.
    centre = target_values(model, [np.zeros(1)] * length)
    mean, square = np.zeros((length, length)), 0.0
    # The target is even in h*, so half of the nodes will do; counts are even. A slice of the grid at a time: all
    # of it would not fit into a processor's cache, or into memory.
    half = slice(count // 2, None)
    for first, weight in zip(model.sigma * nodes[half], 2 * weights[half], strict=True):
        fields = [np.full(other_weights.size, first), *(field.ravel() for field in others)]
        deviation = target_values(model, fields) - centre
        mean += weight * (deviation @ other_weights)
        square += weight * float(np.sum((deviation**2) @ other_weights))
    return centre[:, :, 0] + mean, max(0.0, float(square - np.sum(mean**2)))
