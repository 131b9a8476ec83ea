"""A line through points of a plane, as smooth as the curve that they were solved on."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

__all__ = ["smooth_line"]

# Points that are drawn for one that was solved.
FINE = 20
# Of fewer points a spline says nothing.
FEWEST = 4


def smooth_line(points: np.ndarray, beside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return points (m, 2) of a cubic spline by chord length, and what goes with them, (m, k).

    Parameters
    ----------
    points
        Solved ones in the figure's units, (n, 2), in their order along the line.
    beside
        Errors there, (n, k): they are interpolated linearly, since a spline may overshoot.
    """
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    if len(points) < FEWEST or np.any(np.diff(length) <= 0.0):
        return points, beside
    fine = np.linspace(0.0, length[-1], FINE * len(points))
    errors = [np.interp(fine, length, column) for column in beside.T]
    return CubicSpline(length, points)(fine), np.stack(errors, axis=1)
