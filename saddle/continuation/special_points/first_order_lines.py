"""First-order transitions: where two branches have equal potential, at a point and along a line in two parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from saddle.continuation.curve.bounds import Bounds
from saddle.continuation.curve.curves import CurveEvaluation, CurvePoint
from saddle.continuation.curve.stepping import StepControl
from saddle.continuation.curve.tracing import Curve, Stop, trace_both_ways
from saddle.continuation.outcomes import Outcome
from saddle.continuation.special_points.defining_systems import EqualPotentials
from saddle.continuation.special_points.locating import solve_square

__all__ = ["MergingPoint", "end_of_line", "first_order_line"]

MERGED = "the two branches merge"
# Where three solutions merge the equations' determinant vanishes as the fifth power of their distance.
BLURRED = 6.0
# Points from which an end is extrapolated.
FITTED = 5
# Distances solved at for that, in each of several ranges, and the closest's square as a part of the farthest's.
NODES = 8
CLOSEST = 0.02


@dataclass(frozen=True)
class MergingPoint:
    """Where the two branches of a first-order line merge.

    Attributes
    ----------
    parameters, error
        Values of the active parameters there, extrapolated, and their errors, (k,).
    """

    parameters: np.ndarray
    error: np.ndarray


def first_order_line(
    system: EqualPotentials,
    start: np.ndarray,
    *,
    toward: np.ndarray | None = None,
    bounds: Sequence[Bounds] = (),
    merged: float = 0.05,
    control: StepControl = StepControl(),
    report: Callable[[CurvePoint], object] = lambda point: None,
) -> Curve:
    """Continue a first-order transition in two parameters, until its branches merge or a bound is met.

    Parameters
    ----------
    system
        The two branches, with two active parameters.
    start
        Near a point of the line, (m_1 + m_2 + 2,); see ``EqualPotentials.join``.
    toward, bounds, control, report
        As for :func:`saddle.continuation.curve.tracing.trace`.
    merged
        Distance between the two solutions, in natural units, at which the line has ended: where they merge all
        derivatives of the difference of potentials vanish together, and nothing can be solved closer by. With noise
        that happens earlier.
    """
    merged = max(merged, BLURRED * system.noise**0.2)

    def closer(before: CurvePoint, after: CurvePoint) -> bool:
        gap, last = (np.subtract(*system.full(point.y)[:2]) for point in (after, before))
        return system.distance(after.y) < merged or float(gap @ last) <= 0.0

    return trace_both_ways(
        system,
        start,
        toward=toward,
        bounds=bounds,
        stops=[Stop(MERGED, closer)],
        control=control,
        report=report,
    )


@dataclass(frozen=True)
class _AtDistance:
    """The point of a first-order line at which its solutions are a given distance apart."""

    line: EqualPotentials
    apart: float

    @property
    def noise(self) -> float:
        """Of the problem."""
        return self.line.noise

    def units(self, y: np.ndarray) -> np.ndarray:
        """Return natural sizes."""
        return self.line.units(y)

    def evaluate(self, y: np.ndarray) -> CurveEvaluation:
        """Evaluate the line's equations and the distance."""
        here = self.line.evaluate(y)
        first, second, _ = self.line.full(y)
        units = self.line.problem.units(0.5 * (first + second))
        gap = (first - second) / units
        distance = float(np.linalg.norm(gap))
        row = gap / max(distance, 1e-300) / units
        a, b = self.line.first.size, self.line.second.size
        slope = np.concatenate([row @ self.line.first.basis, -row @ self.line.second.basis, np.zeros(len(y) - a - b)])
        return CurveEvaluation(
            np.append(here.residual, distance - self.apart),
            np.vstack([here.jacobian, slope]),
            np.append(here.scales, 1.0),
            here.detail,
        )


def _solved_apart(
    system: EqualPotentials, points: Sequence[CurvePoint], distances: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Solve at given distances, the largest first; return those solved (r,), parameters (r, k) and errors (r, k)."""
    known = [(system.distance(point.y), point.y) for point in points]
    solved, values, errors = [], [], []
    for apart in distances:
        # A parabola through the three known points nearest in distance.
        near = sorted(known, key=lambda item: abs(item[0] - apart))[:3]
        guess = sum(
            y * float(np.prod([(apart - other) / (own - other) for other, _ in near if other != own]))
            for own, y in near
        )
        solution = solve_square(_AtDistance(system, float(apart)), np.asarray(guess), tolerance)
        if solution.outcome is Outcome.CONVERGED:
            known.append((float(apart), solution.y))
            solved.append(apart)
            values.append(system.full(solution.y)[2][list(system.active)])
            errors.append(solution.error[-len(system.active) :])
    return np.array(solved), np.array(values), np.array(errors)


def end_of_line(system: EqualPotentials, curve: Curve, at_start: bool, tolerance: float = 1e-12) -> MergingPoint | None:
    """Extrapolate a first-order line to where its branches merge; None if it did not end there.

    Parameters are even, smooth functions of the distance between the branches. The line is solved at Chebyshev's
    distances and a polynomial in their squares taken at zero. Closer to the end noise grows, further away the
    polynomial is worse: of several ranges and degrees those with the smallest error are taken. The error is what one
    degree less changes, and the errors of the points carried through the polynomial.
    """
    if curve.stops[0 if at_start else 1] != MERGED or curve.endings[0 if at_start else 1] is not Outcome.STOPPED:
        return None
    nearest = (curve.points if at_start else curve.points[::-1])[:FITTED]
    if len(nearest) < 3:
        return None
    units = system.problem.parameter_units(system.full(nearest[0].y)[2])[list(system.active)]
    farthest, best = system.distance(nearest[-1].y), None
    for largest in (farthest, 0.6 * farthest, 0.36 * farthest, 0.2 * farthest):
        angles = np.pi * (np.arange(NODES) + 0.5) / NODES
        # Squares between a part of the largest and the largest.
        squares = largest**2 * (CLOSEST + (1.0 - CLOSEST) * 0.5 * (1.0 + np.cos(angles)))
        distances, values, errors = _solved_apart(system, nearest, np.sqrt(squares), tolerance)
        if len(distances) < 4:
            continue
        for degree in range(2, len(distances)):
            weights = _at_zero(distances**2, degree, np.max(errors / units, axis=1))
            lower = _at_zero(distances**2, degree - 1, np.max(errors / units, axis=1))
            end = weights @ values
            error = np.abs(end - lower @ values) + np.abs(weights) @ errors
            if best is None or np.max(error / units) < np.max(best.error / units):
                best = MergingPoint(end, error)
    return best


def _at_zero(squares: np.ndarray, degree: int, errors: np.ndarray) -> np.ndarray:
    """Return the weights with which values at some squares give, at zero, the polynomial that fits them best."""
    powers = (squares / squares[0])[:, None] ** np.arange(degree + 1)
    return np.linalg.pinv(powers / errors[:, None], rcond=1e-14)[0] / errors
