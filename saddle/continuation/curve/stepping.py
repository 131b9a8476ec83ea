"""One step along a curve: predicted, corrected, and refused if it may have come to another branch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from saddle.continuation.curve.curves import (
    CurvePoint,
    CurveSystem,
    between,
    correct,
    extrapolate,
    predict,
    start_point,
)
from saddle.continuation.outcomes import Outcome

__all__ = ["StepControl", "angle", "attempt"]

# Largest accepted angle between a chord and the mean of its tangents, as a part of what a tangent may turn by.
ASLANT = 0.06
# The first step's drift may be this much larger.
FIRST = 5.0
# Part of a short segment by which a curve may miss its interpolation.
GAP = 0.05


@dataclass(frozen=True)
class StepControl:
    """How a curve is stepped along; lengths are in the natural units of the unknowns.

    Attributes
    ----------
    initial, smallest, largest
        Steps.
    angle
        Largest accepted angle, in radians, between successive tangents; half of it between a tangent and the chord.
    drift
        Largest accepted distance between a point and its prediction, as a part of the step; five times as much
        for the first step, which is predicted by the tangent alone. Neighbouring branches much closer to each other
        than this part of a step are not told apart.
    slack
        Error of a tangent's direction, in radians, that an inexact Jacobian makes. If it is not zero, predictions
        without tangents are tried, too: tangents that are wrong are no better for short steps.
    tolerance
        Of residuals in their scales; never below three times the system's noise.
    max_evaluations
        Of the residual, per correction.
    max_points
        In one direction.
    """

    initial: float = 0.05
    smallest: float = 1e-5
    largest: float = 0.5
    angle: float = 0.5
    drift: float = 0.02
    slack: float = 0.0
    tolerance: float = 1e-10
    max_evaluations: int = 7
    max_points: int = 500


def angle(a: np.ndarray, b: np.ndarray) -> float:
    """Return the angle between two directions, in radians."""
    cosine = float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
    return float(np.arccos(np.clip(cosine, -1.0, 1.0)))


def attempt(
    system: CurveSystem, points: Sequence[CurvePoint], step: float, control: StepControl
) -> tuple[CurvePoint | None, float, Outcome]:
    """Try one step from the last point.

    Returns
    -------
    (CurvePoint or None, float, Outcome)
        The accepted point; how much of what is allowed the step used, inf if nothing was solved; CONVERGED, or why
        there is no point.
    """
    here = points[-1]
    units = np.asarray(system.units(here.y), dtype=float)
    guesses = _predictions(points, units, step, control)
    row = here.tangent / units
    row = row / np.linalg.norm(row)
    y, result = correct(system, guesses[0], row, tolerance=control.tolerance, max_evaluations=control.max_evaluations)
    if not result.converged or result.last is None:
        # What stops a curve at the end of the domain is worth telling from any other failure.
        left = result.outcome is Outcome.LEFT_DOMAIN
        return None, np.inf, Outcome.LEFT_DOMAIN if left else Outcome.STEP_TOO_SHORT
    point = start_point(system, y, result.last.curve, here.tangent)
    turned = angle(point.tangent / units, row)
    chord = angle((y - here.y) / units, row)
    away = min(float(np.linalg.norm((y - guess) / units)) for guess in guesses) / step
    away /= control.drift * (1.0 if len(points) > 1 else FIRST)
    # On a smooth curve the chord lies between the tangents; onto a neighbouring branch it does not.
    aslant = angle((y - here.y) / units, row + point.tangent / units / np.linalg.norm(point.tangent / units))
    bent = max(turned / control.angle, 2.0 * chord / control.angle, aslant / (ASLANT * control.angle + control.slack))
    used = max(bent, away)
    if used <= 1.0 and point.orientation * here.orientation < 0 and not _crosses(system, here, point, control):
        used = np.inf
    if used > 1.0:
        return None, used, Outcome.STEP_TOO_SHORT
    # The angle grows with the step, the error of the prediction, relative to it, with its cube.
    return point, max(bent, 0.7 * (away / 0.5) ** (1.0 / 3.0)), Outcome.CONVERGED


def _predictions(
    points: Sequence[CurvePoint], units: np.ndarray, step: float, control: StepControl
) -> list[np.ndarray]:
    """Return the predicted point; with an inexact Jacobian two, first the kind that did better one step ago."""
    with_tangents = predict(tuple(points[-2:]), units, step)
    if control.slack == 0.0 or len(points) < 2:
        return [with_tangents]
    guesses = [with_tangents, extrapolate(tuple(points[-3:]), units, step)]
    if len(points) > 2:
        last, row = points[-1], points[-2].tangent / units
        back = float(row @ ((last.y - points[-2].y) / units)) / float(np.linalg.norm(row))
        before = [predict(tuple(points[-3:-1]), units, back), extrapolate(tuple(points[-4:-1]), units, back)]
        misses = [np.linalg.norm((last.y - guess) / units) for guess in before]
        if misses[1] < misses[0]:
            guesses.reverse()
    return guesses


def _crosses(system: CurveSystem, before: CurvePoint, after: CurvePoint, control: StepControl) -> bool:
    """Whether the orientation changes because another branch crosses, and not because this is another branch.

    Two neighbouring branches have opposite orientations. Halving the segment where it changes tells: a curve comes
    close to its interpolation, a gap between two branches stays.
    """
    for _ in range(4):
        units = np.asarray(system.units(after.y), dtype=float)
        row = (after.y - before.y) / units
        length = float(np.linalg.norm(row))
        guess = between((before, after), units, 0.5)
        y, result = correct(
            system, guess, row / length, tolerance=control.tolerance, max_evaluations=control.max_evaluations
        )
        if not result.converged or result.last is None:
            return False
        if np.linalg.norm((y - guess) / units) > GAP * length:
            return False
        middle = start_point(system, y, result.last.curve, after.tangent)
        if middle.orientation * before.orientation < 0:
            after = middle
        else:
            before = middle
    return True
