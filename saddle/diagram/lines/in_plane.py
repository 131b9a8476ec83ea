"""Follow a transition at one alpha through the plane of two parameters, by the length of its line there."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, islice, pairwise

import numpy as np

from replica.common.progress import ProgressBar
from replica.quantities.names import ALPHA
from saddle.branches.line_parameters import line_parameters, with_parameters
from saddle.continuation.curve.bounds import Bounds
from saddle.continuation.curve.curves import CurvePoint, CurveSystem, between, correct, start_point
from saddle.continuation.curve.tracing import Curve
from saddle.continuation.outcomes import Outcome, SolverError
from saddle.diagram.lines.line import TransitionLine, empty_line
from saddle.diagram.lines.line_curve import CONTROL, LOWEST_ALPHA, Beginning, curve_over, traced
from saddle.diagram.lines.request import LineRequest
from saddle.diagram.lines.solved_points import LinePoint, line_of
from saddle.diagram.lines.start import INTERRUPTED
from saddle.transitions.sharpening import sharpen_in_plane

__all__ = ["follow_in_plane"]

# Lines over one parameter, in turns, on which the alpha that is asked for is looked for.
TURNS = 4
# Relative distance from it at which a transition is a start.
AT_ALPHA = 1e-3
# What a turn must come nearer by, in log alpha, for the next to be worth while.
NEARER = 1e-3
# Distance of a parameter from the end of its range, as a part of that, at which it lies there.
AT_END = 1e-8


def follow_in_plane(request: LineRequest, begun: Beginning, bar: ProgressBar) -> TransitionLine:
    """Find a point at which the transition is at the plane's alpha, follow it, and sharpen points along it."""
    plane = request.plane
    assert plane is not None
    names, ranges = (request.over, plane.second), (request.between, plane.between)

    def report(point: CurvePoint) -> None:
        bar.set_postfix_str(f"following, {names[0]} = {point.y[-2]:.4f}, {names[1]} = {point.y[-1]:.4f}")

    start = _start(request, begun, lambda point: bar.set_postfix_str(f"looking for alpha = {plane.alpha:g}"))
    if isinstance(start, str):
        return empty_line(begun.name, request.model, request.over, start, start != INTERRUPTED, plane)
    system = begun.equations.system(begun.evolution, (ALPHA.name, *names), plane.alpha)
    bounds = [Bounds(len(start) - 2 + k, *ranges[k]) for k in (0, 1)]
    try:
        curve = traced(begun.equations, system, start, len(start) - 2, bounds, report)
    except SolverError as failure:
        found = f"{begun.name} found at {_shown(names, start[-2:])} but not continued: {failure}"
        return empty_line(begun.name, request.model, request.over, found, plane=plane)
    complete, solved = curve.complete, list[LinePoint]()
    try:
        points = _spaced(system, curve, np.ptp(ranges, axis=1), request.points) if complete else curve.points
        for point in points:
            bar.set_postfix_str(f"sharpening, {names[0]} = {point.y[-2]:.4f}, {names[1]} = {point.y[-1]:.4f}")
            try:
                solved.append(_sharpened(request, begun, point, names, ranges))
            except SolverError:
                continue
            bar.update()
    except KeyboardInterrupt:
        complete = False
    return line_of(request, begun, curve, solved, complete)


def _sharpened(
    request: LineRequest,
    begun: Beginning,
    point: CurvePoint,
    names: tuple[str, str],
    ranges: tuple[tuple[float, float], tuple[float, float]],
) -> LinePoint:
    """Return a point of the line on the finer rule; at the end of a range it stays there."""
    plane = request.plane
    assert plane is not None
    at_end = [
        any(abs(point.y[k - 2] - end) < AT_END * (high - low) for end in (low, high))
        for k, (low, high) in enumerate(ranges)
    ]
    fixed = at_end.index(True) if any(at_end) else None
    located = sharpen_in_plane(begun.equations, begun.evolution, point, (plane.alpha, names), fixed)
    first, second = located.parameters.tolist()
    error, second_error = located.errors.tolist()
    along, across = point.tangent[-2:].tolist()
    slope = across / along if along else np.inf
    return LinePoint(first, plane.alpha, error, slope, located.evaluations, second, second_error)


def _start(request: LineRequest, begun: Beginning, report: Callable[[CurvePoint], object]) -> np.ndarray | str:
    """Return solutions and both parameters where the transition is at the plane's alpha, or why none was found.

    The transition is followed over one parameter, then over the other from where it came nearest, and so on.
    """
    plane = request.plane
    assert plane is not None
    ranges, wanted = {request.over: request.between, plane.second: plane.between}, plane.alpha
    there, y, idle = begun, begun.unknowns, 0
    lowest = highest = float(y[-1])
    far = abs(np.log(lowest / wanted))
    for name in islice(cycle(ranges), TURNS):
        if far < AT_ALPHA or idle > 1:
            break
        alphas = (LOWEST_ALPHA, wanted) if y[-1] < wanted else (wanted, request.highest_alpha)
        try:
            curve = curve_over(there, name, ranges[name], alphas, report)[1]
        except SolverError as failure:
            return f"{begun.name} found at alpha = {y[-1]:.6g} but not continued over {name}: {failure}"
        if not curve.complete:
            return INTERRUPTED
        passed = curve.values[:, -2]
        lowest, highest = min(lowest, float(np.min(passed))), max(highest, float(np.max(passed)))
        away = np.abs(np.log(passed / wanted))
        nearest = curve.values[int(np.argmin(away))]
        idle = 0 if np.min(away) < far - NEARER else idle + 1
        far, y = float(np.min(away)), nearest[:-1]
        there = there.at(with_parameters(there.evolution.model, {name: float(nearest[-1])}), y)
    if far < AT_ALPHA:
        values = line_parameters(there.evolution.model)
        return np.array([*y[:-1], values[request.over], values[plane.second]])
    passed_ranges = " and ".join(f"{name} = {low:g} to {high:g}" for name, (low, high) in ranges.items())
    return (
        f"{begun.name} does not come to alpha = {wanted:g}: followed over {passed_ranges} "
        f"it was seen from alpha = {lowest:.6g} to {highest:.6g}"
    )


def _spaced(system: CurveSystem, curve: Curve, widths: np.ndarray, count: int) -> list[CurvePoint]:
    """Solve at points of equal distance along the curve, in parts of the ranges, from its first point to its last."""
    parts = np.linalg.norm(np.diff(curve.values[:, -2:] / widths, axis=0), axis=1)
    length = np.concatenate([[0.0], np.cumsum(parts)])
    segments = list(pairwise(curve.points))
    found = [curve.points[0]]
    for place in np.linspace(0.0, length[-1], count)[1:-1] if length[-1] > 0.0 else ():
        k = min(int(np.searchsorted(length, place, side="right")) - 1, len(segments) - 1)
        last = segments[k][1]
        units = np.asarray(system.units(last.y), dtype=float)
        guess, row = between(segments[k], units, (place - length[k]) / parts[k]), last.tangent / units
        y, result = correct(system, guess, row / np.linalg.norm(row), tolerance=CONTROL.tolerance, max_evaluations=8)
        if result.outcome is Outcome.CONVERGED and result.last is not None:
            found.append(start_point(system, y, result.last.curve, last.tangent))
    return [*found, curve.points[-1]] if segments else found


def _shown(names: tuple[str, str], values: np.ndarray) -> str:
    return ", ".join(f"{name} = {value:g}" for name, value in zip(names, values, strict=True))
