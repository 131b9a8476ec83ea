"""Pseudo-arclength continuation of a curve, with step control and declared ends.

The stages of a step: predict with the cubic through the last two points and their tangents; correct by Newton's
method at a fixed coordinate along the last tangent; reject what looks like another branch (too far from the
prediction, a chord or a tangent that turns too much, a chord that does not lie between its tangents, a change of
orientation where nothing crosses); adapt the step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from saddle.continuation.curve.bounds import Bounds, land_ahead, met_bound, starts_at_bound
from saddle.continuation.curve.curves import (
    CurveEvaluation,
    CurvePoint,
    CurveSystem,
    correct,
    land,
    land_all,
    passes,
    start_point,
)
from saddle.continuation.curve.stepping import StepControl, angle, attempt
from saddle.continuation.newton import OutsideDomain
from saddle.continuation.outcomes import Outcome, SolverError

__all__ = ["Curve", "Stop", "trace", "trace_both_ways"]

# Points that a curve should have before it is stopped.
FEW = 4


@dataclass(frozen=True)
class Stop:
    """Stop where a function of the last two points turns true; the last point is then dropped, or kept.

    Attributes
    ----------
    name
        Why, in a word or two, for the result.
    reached
        Function of (earlier point, later point).
    keep
        Whether the later point belongs to the curve.
    """

    name: str
    reached: Callable[[CurvePoint, CurvePoint], bool]
    keep: bool = False


@dataclass(frozen=True)
class Curve:
    """Points along a curve, in order.

    Attributes
    ----------
    points
        The points; tangents point forwards.
    endings
        How the curve ended at its first and its last point.
    stops
        Names of the :class:`Stop` that ended it there, or "".
    evaluations
        Number of evaluations of the equations.
    beyond
        The points at which stop conditions were met, if they do not belong to the curve.
    """

    points: tuple[CurvePoint, ...]
    endings: tuple[Outcome, Outcome]
    stops: tuple[str, str] = ("", "")
    evaluations: int = 0
    beyond: tuple[CurvePoint | None, CurvePoint | None] = (None, None)

    @property
    def values(self) -> np.ndarray:
        """All points, (m, N + 1)."""
        return np.array([point.y for point in self.points])

    @property
    def extended(self) -> tuple[CurvePoint, ...]:
        """The points, and those just beyond its ends where stop conditions were met."""
        before, after = ([] if point is None else [point] for point in self.beyond)
        return (*before, *self.points, *after)

    @property
    def complete(self) -> bool:
        """Whether the curve was not cut short by an interruption."""
        return Outcome.INTERRUPTED not in self.endings

    def landings(
        self, system: CurveSystem, index: int, values: Sequence[float], tolerance: float = 1e-10
    ) -> list[CurvePoint | None]:
        """Solve wherever an unknown takes given values, in the curve's order; None where that fails."""
        found: list[CurvePoint | None] = []
        for segment in pairwise(self.points):
            units = np.asarray(system.units(segment[0].y), dtype=float)
            for point in land_all(system, segment, index, values, tolerance=tolerance):
                last = found[-1] if found else None
                # What lies exactly at a point of the curve is found from both sides.
                if point is None or last is None or np.max(np.abs((point.y - last.y) / units)) > 1e-6:
                    found.append(point)
        return found


@dataclass
class _Way:
    """One direction of a curve while it is being traced."""

    points: list[CurvePoint]
    ending: Outcome = Outcome.MAX_POINTS
    stop: str = ""
    beyond: CurvePoint | None = None


@dataclass
class _Counted:
    """A system whose evaluations are counted, whatever they are for."""

    system: CurveSystem
    count: int = 0

    @property
    def noise(self) -> float:
        return self.system.noise

    def evaluate(self, y: np.ndarray) -> CurveEvaluation:
        self.count += 1
        return self.system.evaluate(y)

    def units(self, y: np.ndarray) -> np.ndarray:
        return self.system.units(y)


def _trace(
    system: CurveSystem,
    start: CurvePoint,
    bounds: Sequence[Bounds],
    stops: Sequence[Stop],
    control: StepControl,
    report: Callable[[CurvePoint], object],
) -> _Way:
    way = _Way([start])
    if starts_at_bound(system, start, bounds):
        way.ending = Outcome.AT_BOUND
        return way
    step, failure = control.initial, Outcome.STEP_TOO_SHORT
    try:
        while len(way.points) < control.max_points:
            if step < control.smallest:
                way.ending = failure
                break
            landed = land_ahead(system, way.points, step, bounds, control)
            if landed is not None and not any(s.reached(way.points[-1], landed) for s in stops):
                way.points.append(landed)
                report(landed)
                way.ending = Outcome.AT_BOUND
                break
            point, used, failure = attempt(system, way.points, step, control)
            if point is None:
                step *= 0.5 if not np.isfinite(used) else float(np.clip(0.8 / used, 0.1, 0.7))
                continue
            segment = (way.points[-1], point)
            if len(way.points) > 3 and _closes(system, way.points[0], segment, control):
                way.points.append(way.points[0])
                way.ending = Outcome.CLOSED
                break
            beyond = met_bound(*segment, bounds)
            if beyond is not None:
                bound, value = beyond
                landed = land(system, segment, bound.index, value, tolerance=control.tolerance)
                if landed is None and step > 4.0 * control.smallest:
                    step *= 0.5
                    continue
                way.ending = Outcome.AT_BOUND
                if landed is None:
                    break
                point = landed
            stop = next((s for s in stops if s.reached(way.points[-1], point)), None)
            if stop is not None and len(way.points) < FEW and step > 4.0 * control.smallest:
                # A branch of one point would be no branch: come closer to where it ends.
                step *= 0.4
                continue
            if stop is not None:
                if stop.keep:
                    way.points.append(point)
                    report(point)
                else:
                    way.beyond = point
                way.ending, way.stop = Outcome.STOPPED, stop.name
                break
            way.points.append(point)
            report(point)
            if beyond is not None:
                break
            step = min(control.largest, step * float(np.clip(0.7 / max(used, 1e-3), 0.5, 2.0)))
    except KeyboardInterrupt:
        way.ending = Outcome.INTERRUPTED
    return way


def _closes(
    system: CurveSystem, first: CurvePoint, segment: tuple[CurvePoint, CurvePoint], control: StepControl
) -> bool:
    """Whether the segment runs through the first point, the way the curve started: a loop has closed."""
    units = np.asarray(system.units(first.y), dtype=float)
    length = np.linalg.norm((segment[1].y - segment[0].y) / units)
    if min(np.linalg.norm((point.y - first.y) / units) for point in segment) > length:
        return False
    if angle(first.tangent / units, segment[1].tangent / units) > 2.0 * control.angle:
        return False
    return passes(system, segment, first.y, tolerance=control.tolerance)


def trace(
    system: CurveSystem,
    start: np.ndarray,
    *,
    toward: np.ndarray | None = None,
    bounds: Sequence[Bounds] = (),
    stops: Sequence[Stop] = (),
    control: StepControl = StepControl(),
    report: Callable[[CurvePoint], object] = lambda point: None,
) -> Curve:
    """Follow a curve in one direction from a point near it.

    Parameters
    ----------
    system
        N equations in N + 1 unknowns.
    start
        Near the curve, (N + 1,).
    toward
        Direction with which the first tangent makes an acute angle, (N + 1,).
    bounds, stops
        Where to end.
    control
        Step control.
    report
        Called with every new point.

    Returns
    -------
    Curve
        With a named ending; after Ctrl-C, the points so far. A failed step keeps the points before it.

    Raises
    ------
    SolverError
        If no point of the curve is found near the start: there is nothing to follow.
    """
    counted = _Counted(system)
    first = _first_point(counted, start, toward, control)
    way = _trace(counted, first, bounds, stops, control, report)
    return Curve(
        tuple(way.points),
        (Outcome.STARTED, way.ending),
        ("", way.stop),
        counted.count,
        (None, way.beyond),
    )


def trace_both_ways(
    system: CurveSystem,
    start: np.ndarray,
    *,
    toward: np.ndarray | None = None,
    bounds: Sequence[Bounds] = (),
    stops: Sequence[Stop] = (),
    control: StepControl = StepControl(),
    report: Callable[[CurvePoint], object] = lambda point: None,
) -> Curve:
    """Follow a curve in both directions; arguments as for :func:`trace`. Runs from backwards to forwards."""
    counted = _Counted(system)
    first = _first_point(counted, start, toward, control)
    forwards = _trace(counted, first, bounds, stops, control, report)
    if forwards.ending in (Outcome.CLOSED, Outcome.INTERRUPTED):
        backwards = _Way([first], forwards.ending)
    else:
        turned = _reversed(first)
        backwards = _trace(counted, turned, bounds, stops, control, report)
    points = [_reversed(point) for point in reversed(backwards.points[1:])] + forwards.points
    return Curve(
        tuple(points),
        (backwards.ending, forwards.ending),
        (backwards.stop, forwards.stop),
        counted.count,
        (None if backwards.beyond is None else _reversed(backwards.beyond), forwards.beyond),
    )


def _reversed(point: CurvePoint) -> CurvePoint:
    return CurvePoint(point.y, -point.tangent, -point.orientation, point.evaluation, point.residual_norm)


def _first_point(system: CurveSystem, start: np.ndarray, toward: np.ndarray | None, control: StepControl) -> CurvePoint:
    """Move a guess onto the curve, at right angles to the curve's direction there."""
    guess = np.asarray(start, dtype=float)
    units = np.asarray(system.units(guess), dtype=float)
    try:
        here = system.evaluate(guess)
    except OutsideDomain as error:
        raise SolverError(f"the equations are not defined at {guess}: {error}", Outcome.LEFT_DOMAIN) from error
    if not (np.all(np.isfinite(here.residual)) and np.all(np.isfinite(here.jacobian))):
        raise SolverError(f"the equations are not finite at {guess}", Outcome.NOT_FINITE)
    rough = start_point(system, guess, here, toward)
    row = rough.tangent / units
    y, result = correct(system, guess, row / np.linalg.norm(row), tolerance=control.tolerance, max_evaluations=20)
    if not result.converged or result.last is None:
        raise SolverError(f"no point of the curve found near {guess}: {result.outcome.value}", result.outcome)
    return start_point(system, y, result.last.curve, rough.tangent)
