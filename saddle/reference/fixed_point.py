"""Damped and accelerated iteration of a map that preserves a convex domain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from replica.common.errors import InvalidArgument
from saddle.reference.normal_rules import DegenerateLaw

__all__ = ["FixedPoint", "accelerated_fixed_point"]

WINDOW = 5
# Residual below which the iteration is taken to contract.
CONTRACTING = 0.05


@dataclass(frozen=True)
class FixedPoint:
    """The best point of an iteration.

    Attributes
    ----------
    point
        Where it is, (n,).
    residual
        Largest component of map(point) - point, in its units; infinite if the map could not be evaluated.
    left_domain
        Whether the iteration ended because the map could not be evaluated.
    """

    point: np.ndarray
    residual: float
    left_domain: bool = False


def _anderson_step(points: list[np.ndarray], residuals: list[np.ndarray], units: np.ndarray) -> np.ndarray:
    """Return the point whose residual would vanish if the map were affine on the last points."""
    changes = np.diff(np.array(residuals), axis=0) / units
    moves = np.diff(np.array(points), axis=0)
    weights, *_ = np.linalg.lstsq(changes.T, residuals[-1] / units, rcond=1e-10)
    return points[-1] + residuals[-1] - weights @ (moves + changes * units)


def accelerated_fixed_point(
    function: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    units: Callable[[np.ndarray], np.ndarray],
    tolerance: float,
    max_steps: int,
    damping: float,
) -> FixedPoint:
    """Iterate u -> (1 - damping) u + damping f(u) until it contracts, then extrapolate (Anderson's method).

    Parameters
    ----------
    function
        Map of (n,) to (n,); raises DegenerateLaw outside its domain.
    units
        Natural unit of every component at a point, (n,).
    tolerance
        Greatest residual at a solution, in these units.
    damping
        Step of the plain iteration, in (0, 1].

    Notes
    -----
    Damped steps stay in a convex domain that holds the map's values. An extrapolation that leaves it, or makes the
    residual ten times worse than it ever was, is dropped, and the iteration goes on with damped steps. Source: D. G.
    Anderson, J. ACM 12 (1965) 547.
    """
    if not 0.0 < damping <= 1.0:
        raise InvalidArgument(f"damping must lie in (0, 1], got {damping!r}")
    point = np.array(start, dtype=float)
    points: list[np.ndarray] = []
    residuals: list[np.ndarray] = []
    best = FixedPoint(point, np.inf)
    extrapolated = False
    for _ in range(max_steps):
        try:
            residual = function(point) - point
            size = float(np.max(np.abs(residual) / units(point)))
        except DegenerateLaw:
            residual, size = np.zeros_like(point), np.inf
        if size < best.residual:
            best = FixedPoint(point, size)
        if size <= tolerance:
            return best
        if not size <= 10 * best.residual and extrapolated:
            # Back to the last point but one, and on from there without the extrapolation.
            point, extrapolated = points[-1] + damping * residuals[-1], False
            points, residuals = [], []
        elif not np.isfinite(size):
            return replace(best, left_domain=True)
        else:
            points, residuals = [*points, point][-WINDOW - 1 :], [*residuals, residual][-WINDOW - 1 :]
            extrapolated = size < CONTRACTING and len(points) > 1
            point = _anderson_step(points, residuals, units(point)) if extrapolated else point + damping * residual
    return best
