r"""The best purely positional layer: a fixed L x L matrix mixing the tokens, blind to what they say.

The layer :math:`f_W(x) = W x` has only :math:`L^2` parameters, so n = O(d) samples teach it its optimum,
:math:`W = \mathbb{E}[T(h^\star)]`, exactly: its test error is the variance of the target around W, whatever
alpha (theory notes, section 5; arXiv:2402.03902). Attention beats it only once it reads the tokens.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from replica import AttentionModel
from replica.layer import attention_entries, target_entries

__all__ = ["LinearPositional", "linear_positional"]

Array = NDArray[np.float64]

# For an analytic integrand that decays like a Gaussian the plain trapezoidal sum converges geometrically in
# the node density. Gauss-Hermite nodes draw together as the square root of the order only: 256 a token leave
# 2 per cent at sigma = 10, where the softmax is nearly a step, and their differences understate it.
FEWEST_NODES, MOST_NODES = 12, 1536
REACH = 9.0
# Of the whole grid, which has a power of the nodes per token.
LARGEST_GRID = 2**23
# Averages that agree to this between two densities have converged: the next one would gain rounding only.
CONVERGED = 1e-13


@dataclass(frozen=True, eq=False)
class LinearPositional:
    """The linear positional baseline of one model.

    Attributes
    ----------
    matrix
        The optimal W, shape (L, L), read-only.
    test_error
        Its test error per token, ``(1/(dL)) E|y - W x|^2``.
    error
        Estimate of the quadrature error of ``test_error``.
    name
        What figures and tables call this baseline.
    """

    matrix: Array
    test_error: float
    error: float
    name: str = "linear positional"


def linear_positional(model: AttentionModel) -> LinearPositional:
    r"""Return the linear positional baseline of a model.

    .. math::
        W = \mathbb{E}[T(h^\star)], \qquad
        \epsilon_{\mathrm{lin}} = \frac1L\,\mathbb{E}\,\mathrm{Tr}[(T - W) R (T - W)^\top],
        \qquad R = \sigma^2 1,\quad h^\star_l \sim \mathcal{N}(0, \sigma^2)

    Parameters
    ----------
    model
        The model; only its target (omega, A) and the token variance matter.

    Returns
    -------
    LinearPositional
        Matrix, test error per token (independent of alpha) and the quadrature error of the test error, which
        is the difference between the last two densities of nodes.

    Raises
    ------
    ValueError
        If the sequence is longer than five tokens (the grid of nodes would be too large), or the model is of
        another kind than the paper's.

    Notes
    -----
    Source: theory notes, section 5. Since A is constant, :math:`T - W = (1-\omega)(S - \mathbb{E}S)`, so the
    test error is :math:`(1-\omega)^2` times a function of sigma alone.
    """
    AttentionModel.require(model, "the linear positional baseline")
    counts = list(_node_counts(model.sequence_length))
    if len(counts) < 2:
        raise ValueError(f"the linear positional baseline needs at most 5 tokens, got {model.sequence_length!r}")
    coarse, change = _average(model, counts[0]), np.inf
    for count in counts[1:]:
        matrix, test_error = _average(model, count)
        change = abs(test_error - coarse[1])
        matrix_change = np.max(np.abs(matrix - coarse[0]))
        if change <= CONVERGED * test_error and matrix_change <= CONVERGED * np.max(np.abs(matrix)):
            break
        coarse = matrix, test_error
    matrix.setflags(write=False)
    rounding = 16 * float(np.finfo(np.float64).eps) * test_error
    return LinearPositional(matrix=matrix, test_error=test_error, error=change + rounding)


def _node_counts(length: int) -> Iterator[int]:
    """Yield numbers of nodes per token, each twice the one before, as far as the grid stays small enough."""
    count = FEWEST_NODES
    while count <= MOST_NODES and count**length <= LARGEST_GRID:
        yield count
        count *= 2


def _softmax(logits: Sequence[Array]) -> Array:
    """Return the weights of a row, exponentiating only non-positive numbers so that nothing overflows."""
    stacked = np.stack(np.broadcast_arrays(*logits))
    powers = np.exp(stacked - stacked.max(axis=0))
    return powers / powers.sum(axis=0)


def _target(model: AttentionModel, fields: Sequence[Array]) -> Array:
    """Return T(h*) for arrays of L fields, shape (L, L, ...)."""
    attention = attention_entries([[field] for field in fields], _softmax)
    return np.array(target_entries(attention, model.omega, model.positional_matrix))


def _average(model: AttentionModel, count: int) -> tuple[Array, float]:
    """Return (W, test error per token) by the trapezoidal rule, ``count`` nodes per token out to 9 sigma."""
    length = model.sequence_length
    nodes = np.linspace(-REACH, REACH, count)
    weights = np.exp(-(nodes**2) / 2)
    weights /= weights.sum()
    others = np.meshgrid(*[model.sigma * nodes] * (length - 1), indexing="ij")
    other_weights = functools.reduce(np.multiply.outer, [weights] * (length - 1)).ravel()
    # Deviations from T(0), or rounding of the mean square would hide a variance that is small.
    centre = _target(model, [np.zeros(1)] * length)
    mean, square = np.zeros((length, length)), 0.0
    # The target is even in h*, so half of the nodes will do; counts are even. A slice of the grid at a time: all
    # of it would not fit into a processor's cache, or into memory.
    half = slice(count // 2, None)
    for first, weight in zip(model.sigma * nodes[half], 2 * weights[half], strict=True):
        fields = [np.full(other_weights.size, first), *(field.ravel() for field in others)]
        deviation = _target(model, fields) - centre
        mean += weight * (deviation @ other_weights)
        square += weight * float(np.sum((deviation**2) @ other_weights))
    variance = max(0.0, square - float(np.sum(mean**2)))
    return centre[:, :, 0] + mean, model.token_variance / length * variance
