r"""Mean and variance of a target of few Gaussian variables, by the trapezoidal rule."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baselines.averages.moments import ROUNDING, TargetMoments, rounding_of_variance
from baselines.averages.target_function import TargetFunction
from replica.common.errors import InvalidArgument

__all__ = ["MOST_VARIABLES", "trapezoidal_moments"]

Array = NDArray[np.float64]

# For an analytic integrand that decays like a Gaussian the plain trapezoidal sum converges geometrically in
# the node density. Gauss-Hermite nodes draw together as the square root of the order only: 256 a token leave
# 2 per cent at sigma = 10, where the softmax is nearly a step, and their differences understate it.
FEWEST_NODES, MOST_NODES = 12, 1536
REACH = 9.0
# Nodes beyond this stand for what lies beyond the reach.
RIM = 8.0
# Of the whole grid, which has a power of the nodes per variable.
LARGEST_GRID = 2**23
BLOCK = 2**13
# More would leave one density only, hence no estimate of the error.
MOST_VARIABLES = 5
# Averages that agree to this between two densities have converged: the next one would gain rounding only.
CONVERGED = 1e-13


# What is not finite is refused at the end.
@np.errstate(over="ignore", invalid="ignore")
def trapezoidal_moments(target: TargetFunction) -> TargetMoments:
    """Return the moments by the trapezoidal rule; their errors are the differences between the last two densities.

    Raises
    ------
    ValueError
        If there are more than five variables, for which there are no two densities, or the target is not finite.
    """
    counts = list(_node_counts(target.dimension))
    if len(counts) < 2:
        raise InvalidArgument(
            f"the trapezoidal rule needs at most {MOST_VARIABLES} variables, got {target.dimension!r}"
        )
    shares = target.traces / target.traces[0]
    coarse, fine = (_average(target, shares, count) for count in counts[:2])
    change, mean_change = _changes(coarse, fine)
    for count in counts[2:]:
        if change <= CONVERGED * fine.variance and mean_change <= CONVERGED * np.max(np.abs(fine.mean)):
            break
        coarse, fine = fine, _average(target, shares, count)
        change, mean_change = _changes(coarse, fine)
    return TargetMoments(
        mean=fine.mean,
        variance=fine.variance,
        mean_error=float(mean_change) + ROUNDING + fine.mean_rim,
        variance_error=float(change) + rounding_of_variance(fine.variance, shares) + fine.square_rim,
        shares=shares,
        scale=float(target.traces[0] / target.length),
    )


def _node_counts(dimension: int) -> Iterator[int]:
    """Yield numbers of nodes per variable, each twice the one before, as far as the grid stays small enough."""
    count = FEWEST_NODES
    while count <= MOST_NODES and count**dimension <= LARGEST_GRID:
        yield count
        count *= 2


@dataclass(frozen=True, eq=False)
class _Average:
    """Mean and variance on one grid, and what the rim of the grid contributes to mean and mean square."""

    mean: Array
    variance: float
    mean_rim: float
    square_rim: float


def _changes(coarse: _Average, fine: _Average) -> tuple[float, float]:
    """Return the changes of variance and mean between two densities."""
    return abs(fine.variance - coarse.variance), float(np.max(np.abs(fine.mean - coarse.mean)))


def _average(target: TargetFunction, shares: Array, count: int) -> _Average:
    """Return mean and variance by the trapezoidal rule, ``count`` nodes per variable out to 9 standard deviations."""
    length, dimension = target.length, target.dimension
    nodes = np.linspace(-REACH, REACH, count)
    weights = np.exp(-(nodes**2) / 2)
    weights /= weights.sum()
    others = [x.ravel() for x in np.meshgrid(*[nodes] * (dimension - 1), indexing="ij")]
    other_weights = functools.reduce(np.multiply.outer, [weights] * (dimension - 1)).ravel()
    # Deviations from T(0), or rounding of the mean square would hide a variance that is small.
    centre = target.centre()
    mean, square, mean_rim, square_rim = np.zeros((length, length)), 0.0, 0.0, 0.0
    rim_weights = None
    if not target.bounded:
        rim_weights = np.where(np.max(np.abs(others), axis=0) > RIM, other_weights, 0.0)
    # Of an even target half of the nodes will do; counts are even.
    half, times = (slice(count // 2, None), 2) if target.even else (slice(None), 1)
    deviation = np.empty((length, length, other_weights.size))
    squares = np.empty_like(deviation)
    for first, weight in zip(nodes[half], times * weights[half], strict=True):
        # A slice of the grid at a time, and a block of it: all would not fit into a processor's cache, or into memory.
        for start in range(0, other_weights.size, BLOCK):
            block = [x[start : start + BLOCK] for x in others]
            values = target([np.full(block[0].size, first), *block])
            np.subtract(values, centre, out=deviation[:, :, start : start + BLOCK])
        mean += weight * (deviation @ other_weights)
        np.square(deviation, out=squares)
        square += weight * float(np.sum((squares @ other_weights) * shares))
        if rim_weights is not None:
            rim = other_weights if abs(first) > RIM else rim_weights
            mean_rim = mean_rim + weight * float(np.max(np.abs(deviation) @ rim))
            square_rim = square_rim + weight * float(np.sum((squares @ rim) * shares))
    return _Average(centre[:, :, 0] + mean, max(0.0, float(square - np.sum(mean**2 * shares))), mean_rim, square_rim)
