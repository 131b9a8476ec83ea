"""Curves as solutions of N equations in N + 1 unknowns: tangents, prediction, correction.

Everything that is continued has this form: a branch (unknowns and one parameter), a line of folds, pitchforks or
first-order transitions (with two parameters), or a line on which any function of a solution vanishes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from saddle.continuation.newton import NewtonResult, newton

__all__ = [
    "CurveEvaluation", "CurvePoint", "CurveSystem", "correct", "extrapolate", "land", "predict", "start_point",
    "tangent_at",
]  # fmt: skip


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
class _Scaled:
    """The equations and one linear condition in dimensionless form, as Newton's method wants them."""

    residual: np.ndarray
    jacobian: np.ndarray
    scales: np.ndarray
    curve: CurveEvaluation


def correct(
    system: CurveSystem, guess: np.ndarray, row: np.ndarray, *, tolerance: float, max_evaluations: int
) -> tuple[np.ndarray, NewtonResult[_Scaled]]:
    """Solve G(y) = 0 and row . (y - guess) = 0 in natural units, from the guess.

    Returns
    -------
    ((N + 1,), NewtonResult)
        The last point, and how Newton's method ended.
    """
    units = np.asarray(system.units(guess), dtype=float)

    def problem(offset: np.ndarray) -> _Scaled:
        here = system.evaluate(guess + units * offset)
        return _Scaled(
            residual=np.append(here.residual / here.scales, row @ offset),
            jacobian=np.vstack([here.jacobian * units / here.scales[:, None], row]),
            scales=np.ones(len(here.residual) + 1),
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
            direction = np.linalg.svd(matrix)[2][-1]
            direction *= np.sign(direction @ row) or 1.0
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


def land(
    system: CurveSystem,
    segment: tuple[CurvePoint, CurvePoint],
    index: int,
    value: float,
    *,
    tolerance: float,
    max_evaluations: int = 8,
    drift: float = 0.3,
) -> CurvePoint | None:
    """Solve on a segment where one unknown has a given value; None if that fails or leaves the segment."""
    before, after = segment
    units = np.asarray(system.units(after.y), dtype=float)
    direction = after.tangent / units
    length = float(direction @ ((before.y - after.y) / units)) / float(np.linalg.norm(direction))
    low, high = min(length, 0.0), max(length, 0.0)
    ends = [predict(segment, units, s)[index] - value for s in (low, high)]
    if ends[0] * ends[1] > 0.0:
        return None
    for _ in range(60):
        middle = 0.5 * (low + high)
        if (predict(segment, units, middle)[index] - value) * ends[0] > 0.0:
            low = middle
        else:
            high = middle
    guess = predict(segment, units, 0.5 * (low + high))
    guess[index] = value
    row = np.zeros(len(guess))
    row[index] = 1.0
    y, result = correct(system, guess, row, tolerance=tolerance, max_evaluations=max_evaluations)
    if not result.converged or result.linearization is None:
        return None
    if np.linalg.norm((y - guess) / units) > drift * abs(length):
        return None
    return start_point(system, y, result.linearization.curve, after.tangent)
