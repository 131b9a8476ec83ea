r"""Mean and variance of a target of many Gaussian variables, on scrambled Sobol points.

The points are the same for all models of one size, so that results are smooth in a model's parameters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baselines.averages.moments import ROUNDING, TargetMoments, rounding_of_variance
from baselines.averages.target_function import TargetFunction

__all__ = ["sobol_moments"]

Array = NDArray[np.float64]

POINTS = 2**17
BLOCK = 2**13
SCRAMBLES = 16
SEED = 0
# Of the digits of a Sobol coordinate; half of the last one keeps normal quantiles finite.
BITS = 30


# What is not finite is refused at the end.
@np.errstate(over="ignore", invalid="ignore")
def sobol_moments(target: TargetFunction, points: int = POINTS, scrambles: int = SCRAMBLES) -> TargetMoments:
    """Return the moments as means over independent scrambles; their errors are twice the scatter's standard error.

    Parameters
    ----------
    target
        The target.
    points
        Points of each scramble, a power of two.
    scrambles
        Number of scrambles, at least two.

    Raises
    ------
    ValueError
        If the target is not finite at a point.
    """
    from scipy.special import ndtri
    from scipy.stats import qmc

    shares = target.traces / target.traces[0]
    centre = target.centre()
    means, squares = [], []
    for seed in np.random.SeedSequence(SEED).spawn(scrambles):
        sequence = qmc.Sobol(target.dimension, scramble=True, bits=BITS, rng=np.random.default_rng(seed))
        total, square = np.zeros(centre.shape[:2]), 0.0
        # A block at a time: all points would not fit into a processor's cache, or into memory.
        for _ in range(0, points, BLOCK):
            count = min(points, BLOCK)
            normal = np.ascontiguousarray(ndtri(sequence.random(count) + 0.5 ** (BITS + 1)).T)
            deviation = target(list(normal)) - centre
            total += deviation.sum(axis=2)
            square += float(np.sum((deviation**2).sum(axis=2) * shares))
        means.append(total / points)
        squares.append(square / points)
    mean, every = np.mean(means, axis=0), np.array(means)
    variances = np.array(squares) - np.sum(every**2 * shares, axis=(1, 2))
    variance = max(0.0, float(np.mean(squares) - np.sum(mean**2 * shares)))
    root = np.sqrt(scrambles)
    return TargetMoments(
        mean=centre[:, :, 0] + mean,
        variance=variance,
        mean_error=float(2 * np.max(every.std(axis=0, ddof=1)) / root) + ROUNDING,
        variance_error=float(2 * variances.std(ddof=1) / root) + rounding_of_variance(variance, shares),
        shares=shares,
        scale=float(target.traces[0] / target.length),
    )
