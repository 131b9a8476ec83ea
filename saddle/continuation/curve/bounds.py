"""Bounds of a curve: where it is followed, and how its ends are landed on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from saddle.continuation.curve.curves import CurvePoint, CurveSystem, correct, predict, start_point
from saddle.continuation.curve.stepping import FIRST, StepControl

__all__ = ["Bounds", "land_ahead", "met_bound", "starts_at_bound"]

# Distance, in natural units, at which a point lies at a bound.
AT_BOUND = 1e-9
BISECTIONS = 50


@dataclass(frozen=True)
class Bounds:
    """Follow a curve only where one unknown lies in an interval; the ends are landed on."""

    index: int
    low: float
    high: float


def met_bound(before: CurvePoint, after: CurvePoint, bounds: Sequence[Bounds]) -> tuple[Bounds, float] | None:
    """Return the bound that a step leaves through; a curve may start outside and come in."""
    met: list[tuple[float, Bounds, float]] = []
    for bound in bounds:
        last, value = before.y[bound.index], after.y[bound.index]
        if value < bound.low and value < last:
            met.append(((bound.low - last) / (value - last), bound, bound.low))
        if value > bound.high and value > last:
            met.append(((bound.high - last) / (value - last), bound, bound.high))
    if not met:
        return None
    # Of several, the one that is met first.
    _, bound, edge = min(met, key=lambda item: item[0])
    return bound, edge


def land_ahead(
    system: CurveSystem, points: Sequence[CurvePoint], step: float, bounds: Sequence[Bounds], control: StepControl
) -> CurvePoint | None:
    """Solve where the prediction of a step meets a bound, without looking beyond: the domain may end there."""
    here = points[-1]
    units = np.asarray(system.units(here.y), dtype=float)
    last_two = tuple(points[-2:])
    ahead = predict(last_two, units, step)
    met: list[tuple[float, int, float]] = []
    for bound in bounds:
        last, value = here.y[bound.index], ahead[bound.index]
        edge = bound.low if value < bound.low <= last else bound.high if value > bound.high >= last else None
        if edge is None:
            continue
        low, high = 0.0, step
        for _ in range(BISECTIONS):
            middle = 0.5 * (low + high)
            passed = (predict(last_two, units, middle)[bound.index] - edge) * (value - edge) > 0.0
            low, high = (low, middle) if passed else (middle, high)
        met.append((high, bound.index, edge))
    if not met:
        return None
    # Of several, the one that is met first.
    distance, index, edge = min(met)
    guess = predict(last_two, units, distance)
    guess[index] = edge
    row = np.zeros(len(guess))
    row[index] = 1.0
    y, result = correct(system, guess, row, tolerance=control.tolerance, max_evaluations=control.max_evaluations)
    if not result.converged or result.last is None:
        return None
    y[index] = edge
    point = start_point(system, y, result.last.curve, here.tangent)
    near = np.linalg.norm((y - guess) / units) <= FIRST * control.drift * distance
    return point if near and point.orientation == here.orientation else None


def starts_at_bound(system: CurveSystem, start: CurvePoint, bounds: Sequence[Bounds]) -> bool:
    """Whether a curve has nowhere to go: it starts at a bound, or beyond, and leads outwards."""
    units = np.asarray(system.units(start.y), dtype=float)
    for bound in bounds:
        value, slope, unit = start.y[bound.index], start.tangent[bound.index], units[bound.index]
        if abs(slope) < AT_BOUND * unit:  # along the bound, as far as one can tell
            continue
        if value <= bound.low + AT_BOUND * unit and slope < 0.0:
            return True
        if value >= bound.high - AT_BOUND * unit and slope > 0.0:
            return True
    return False
