"""Curves as solutions of N equations in N + 1 unknowns: tangents, prediction, correction.

Everything that is continued has this form: a branch (unknowns and one parameter), a line of folds, pitchforks or
first-order transitions (with two parameters), or a line on which any function of a solution vanishes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from saddle.continuation.newton import NewtonResult, newton

__all__ = [
    "CurveEvaluation", "CurvePoint", "CurveSystem", "ScaledEvaluation",
    "between", "correct", "crossings", "extrapolate", "land", "land_all", "passes", "predict", "start_point",
    "tangent_at", "unknown_between",
]  # fmt: skip

# Near-null vectors of the equations' derivative have singular values below this part of the largest.
NULL = 1e-10
# Part of a segment by which a root may fall outside from rounding alone.
SLACK = 1e-9


@dataclass(frozen=True)
class CurveEvaluation:
    """The equations at one point of R^(N + 1).

    Attributes
    ----------
    residual, jacobian, scales
        G (N,), dG/dy (N, N + 1) and the unit of each residual (N,).
    detail
        What the equations were computed from.
    """

    residual: np.ndarray
    jacobian: np.ndarray
    scales: np.ndarray
    detail: object = None


class CurveSystem(Protocol):
    """N equations G(y) = 0 in N + 1 unknowns."""

    @property
    def noise(self) -> float:
        """Level below which residuals, in their scales, carry no information."""
        ...

    def evaluate(self, y: np.ndarray) -> CurveEvaluation:
        """Evaluate at y (N + 1,)."""
        ...

    def units(self, y: np.ndarray) -> np.ndarray:
        """Return the natural size of a change of each unknown at y, (N + 1,)."""
        ...


@dataclass(frozen=True)
class CurvePoint:
    """A point on a curve.

    Attributes
    ----------
    y
        The point, (N + 1,).
    tangent
        Direction in which the curve is traced, of length one in natural units, (N + 1,).
    orientation
        Sign of the determinant of dG/dy bordered by the tangent: it changes where curves cross.
    evaluation
        The equations here.
    residual_norm
        Largest residual in its scale.
    """

    y: np.ndarray
    tangent: np.ndarray
    orientation: int
    evaluation: CurveEvaluation
    residual_norm: float


@dataclass(frozen=True)
class ScaledEvaluation:
    """As many equations as unknowns in dimensionless form, as Newton's method wants them.

    Attributes
    ----------
    residual, jacobian
        In scales and units, (n,) and (n, n).
    curve
        The curve's equations that they were made of.
    """

    residual: np.ndarray
    jacobian: np.ndarray
    curve: CurveEvaluation

    @property
    def scales(self) -> np.ndarray:
        """Ones, (n,)."""
        return np.ones(len(self.residual))


def correct(
    system: CurveSystem, guess: np.ndarray, row: np.ndarray, *, tolerance: float, max_evaluations: int
) -> tuple[np.ndarray, NewtonResult[ScaledEvaluation]]:
    """Solve G(y) = 0 and row . (y - guess) = 0 in natural units, from the guess.

    Returns
    -------
    ((N + 1,), NewtonResult)
        The last point, and how Newton's method ended.
    """
    units = np.asarray(system.units(guess), dtype=float)

    def problem(offset: np.ndarray) -> ScaledEvaluation:
        here = system.evaluate(guess + units * offset)
        return ScaledEvaluation(
            residual=np.append(here.residual / here.scales, row @ offset),
            jacobian=np.vstack([here.jacobian * units / here.scales[:, None], row]),
            curve=here,
        )

    result = newton(
        problem,
        np.zeros(len(guess)),
        tolerance=max(tolerance, 3.0 * system.noise),
        max_evaluations=max_evaluations,
    )
    return guess + units * result.x, result


def tangent_at(
    system: CurveSystem, y: np.ndarray, evaluation: CurveEvaluation, along: np.ndarray | None
) -> tuple[np.ndarray, int]:
    """Return the unit tangent (N + 1,) that makes an acute angle with ``along``, and the orientation.

    Without ``along`` the sign is arbitrary.
    """
    units = np.asarray(system.units(y), dtype=float)
    matrix = evaluation.jacobian * units / evaluation.scales[:, None]
    if along is None:
        direction = np.linalg.svd(matrix)[2][-1]
    else:
        row = along / units
        bordered = np.vstack([matrix, row / np.linalg.norm(row)])
        try:
            direction = np.linalg.solve(bordered, np.eye(len(y))[-1])
        except np.linalg.LinAlgError:
            direction = np.full(len(y), np.inf)
        if not np.linalg.norm(direction) < 1.0 / NULL:
            # Exactly where curves cross there are several null vectors: what is closest to the direction asked for.
            _, values, right = np.linalg.svd(matrix)
            null = right[int(np.sum(values > NULL * max(1.0, values[0]))) :]
            direction = null.T @ (null @ row)
            if np.linalg.norm(direction) < NULL * np.linalg.norm(row):
                direction = null[-1]
    direction = direction / np.linalg.norm(direction)
    orientation = int(np.linalg.slogdet(np.vstack([matrix, direction]))[0])
    return direction * units, orientation


def start_point(
    system: CurveSystem, y: np.ndarray, evaluation: CurveEvaluation, along: np.ndarray | None
) -> CurvePoint:
    """Return a solved point with its tangent."""
    tangent, orientation = tangent_at(system, y, evaluation, along)
    norm = float(np.max(np.abs(evaluation.residual / evaluation.scales), initial=0.0))
    return CurvePoint(y, tangent, orientation, evaluation, norm)


def predict(points: tuple[CurvePoint, ...], units: np.ndarray, step: float) -> np.ndarray:
    """Extrapolate (or, between the last two points, interpolate) a curve.

    The last point's tangent gives the coordinate along the curve, ``step`` in natural units; with two points the
    cubic through both and their tangents is used, otherwise the tangent.
    """
    here = points[-1]
    direction = here.tangent / units
    direction = direction / np.linalg.norm(direction)
    slope = here.tangent / np.linalg.norm(here.tangent / units)
    if len(points) == 1:
        return here.y + step * slope
    before = points[-2]
    back = float(direction @ ((before.y - here.y) / units))
    rate = float(direction @ (before.tangent / units))
    if back >= 0.0 or rate <= 0.1:  # the coordinate is no good between these two
        return here.y + step * slope
    x = step / back
    secant = (before.y - here.y) / back
    past = before.tangent / rate
    # Hermite's cubic in divided differences at 0, 0, back, back.
    return here.y + step * (slope + x * (secant - slope) + x * (x - 1.0) * (past - 2.0 * secant + slope))


def extrapolate(points: tuple[CurvePoint, ...], units: np.ndarray, step: float) -> np.ndarray:
    """Extrapolate a curve by the polynomial through its last points, without their tangents.

    Less accurate than :func:`predict` where the Jacobian is exact, better where it is only nearly so.
    """
    here = points[-1]
    direction = here.tangent / units
    direction = direction / np.linalg.norm(direction)
    nodes = np.array([float(direction @ ((point.y - here.y) / units)) for point in points])
    if len(points) < 2 or np.any(np.diff(nodes) <= 0.0):
        return here.y + step * direction * units
    weights = [
        np.prod([(step - other) / (node - other) for j, other in enumerate(nodes) if j != k])
        for k, node in enumerate(nodes)
    ]
    return np.einsum("k,ki->i", np.array(weights), np.array([point.y for point in points]))


def _span(segment: tuple[CurvePoint, CurvePoint], units: np.ndarray) -> float:
    """Return the coordinate, along the last tangent and from the last point, of a segment's first point: negative."""
    before, after = segment
    direction = after.tangent / units
    return float(direction @ ((before.y - after.y) / units)) / float(np.linalg.norm(direction))


def between(segment: tuple[CurvePoint, CurvePoint], units: np.ndarray, fraction: float) -> np.ndarray:
    """Interpolate a curve at a fraction of a segment, from 0 at its first point to 1 at its last."""
    return predict(segment, units, (1.0 - fraction) * _span(segment, units))


def unknown_between(segment: tuple[CurvePoint, CurvePoint], units: np.ndarray, index: int) -> np.polynomial.Polynomial:
    """Return one unknown on an interpolated segment, as a cubic in the fraction of the segment."""
    start, end = segment[0].y[index], segment[1].y[index]
    third, two_thirds = (between(segment, units, k / 3.0)[index] for k in (1, 2))
    # Newton's divided differences at 0, 1/3, 2/3, 1, taken about the first value to keep its digits.
    a, b, c = third - start, two_thirds - start, end - start
    coefficients = [start, 9.0 * a - 4.5 * b + c, -22.5 * a + 18.0 * b - 4.5 * c, 13.5 * a - 13.5 * b + 4.5 * c]
    return np.polynomial.Polynomial(coefficients)


def crossings(segment: tuple[CurvePoint, CurvePoint], units: np.ndarray, index: int, value: float) -> list[float]:
    """Return the fractions of a segment at which an unknown has a value, in order."""
    cubic = unknown_between(segment, units, index) - value
    roots = np.asarray(cubic.roots(), dtype=complex)
    inside = (np.abs(np.imag(roots)) < 1e-6) & (np.real(roots) > -SLACK) & (np.real(roots) < 1.0 + SLACK)
    found = list(np.sort(np.real(roots[inside])))
    ends = np.array([point.y[index] for point in segment]) - value
    if not found and ends[0] * ends[1] <= 0.0:  # rounding only: there is a change of sign
        found = [float(abs(ends[0]) / max(float(np.sum(np.abs(ends))), 1e-300))]
    return [float(np.clip(fraction, 0.0, 1.0)) for fraction in found]


def _land_at(
    system: CurveSystem,
    segment: tuple[CurvePoint, CurvePoint],
    index: int,
    value: float,
    fraction: float,
    tolerance: float,
    max_evaluations: int = 8,
    drift: float = 0.3,
) -> CurvePoint | None:
    after = segment[1]
    units = np.asarray(system.units(after.y), dtype=float)
    guess = between(segment, units, fraction)
    guess[index] = value
    row = np.zeros(len(guess))
    row[index] = 1.0
    y, result = correct(system, guess, row, tolerance=tolerance, max_evaluations=max_evaluations)
    if not result.converged or result.last is None:
        return None
    if np.linalg.norm((y - guess) / units) > drift * abs(_span(segment, units)):
        return None
    return start_point(system, y, result.last.curve, after.tangent)


def land(
    system: CurveSystem, segment: tuple[CurvePoint, CurvePoint], index: int, value: float, *, tolerance: float
) -> CurvePoint | None:
    """Solve where one unknown first has a given value on a segment; None if that fails or leaves the segment."""
    fractions = crossings(segment, np.asarray(system.units(segment[1].y), dtype=float), index, value)
    return _land_at(system, segment, index, value, fractions[0], tolerance) if fractions else None


def land_all(
    system: CurveSystem,
    segment: tuple[CurvePoint, CurvePoint],
    index: int,
    values: Sequence[float],
    *,
    tolerance: float,
) -> list[CurvePoint | None]:
    """Solve wherever one unknown has one of the given values on a segment, in order; None where that fails."""
    units = np.asarray(system.units(segment[1].y), dtype=float)
    wanted = sorted((fraction, value) for value in values for fraction in crossings(segment, units, index, value))
    return [_land_at(system, segment, index, value, fraction, tolerance) for fraction, value in wanted]


def passes(
    system: CurveSystem,
    segment: tuple[CurvePoint, CurvePoint],
    target: np.ndarray,
    *,
    tolerance: float,
    closeness: float = 1e-4,
) -> bool:
    """Whether a curve runs through a solution: solved on the segment beside it, and not by how it looks.

    Parameters
    ----------
    system, segment
        The curve, and two neighbouring points of it.
    target
        A solution, (N + 1,).
    tolerance
        Of residuals.
    closeness
        Distance, in natural units, at which two solutions are the same; more with noise.
    """
    closeness = max(closeness, 100.0 * system.noise)
    units = np.asarray(system.units(segment[1].y), dtype=float)
    length = abs(_span(segment, units))
    fractions = np.linspace(0.0, 1.0, 9)
    far = [float(np.linalg.norm((between(segment, units, f) - target) / units)) for f in fractions]
    nearest = int(np.argmin(far))
    if far[nearest] > 0.3 * length + closeness:
        return False
    # On to where the chord between two neighbouring samples has the target's coordinate.
    near = fractions[max(nearest - 1, 0)], fractions[min(nearest + 1, 8)]
    first, last = (between(segment, units, f) for f in near)
    chord = (last - first) / units
    along = float(chord @ ((target - first) / units)) / float(chord @ chord)
    if not -0.6 < along < 1.6:
        return False
    row = chord / np.linalg.norm(chord)
    guess = between(segment, units, near[0] + along * (near[1] - near[0]))
    guess = guess - units * row * float(row @ ((guess - target) / units))
    if np.linalg.norm((guess - target) / units) > 0.1 * length + closeness:
        return False
    y, result = correct(system, guess, row, tolerance=tolerance, max_evaluations=8)
    return bool(result.converged and np.linalg.norm((y - target) / units) < closeness)
