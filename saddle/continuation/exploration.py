"""Follow every branch that can be reached from some seeds, through branch points, within bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from saddle.continuation.branching import runs_through, switch
from saddle.continuation.curves import CurvePoint
from saddle.continuation.events import Event, EventFunction, EventKind, find_events
from saddle.continuation.newton import newton
from saddle.continuation.problem import Problem
from saddle.continuation.sections import Section, group_elements, isotropy, symmetry_blocks
from saddle.continuation.tracing import Bounds, Curve, StepControl, Stop, trace_both_ways
from saddle.outcomes import Outcome, SolverError

__all__ = ["Exploration", "TracedBranch", "explore"]

# What breaks a symmetry vanishes within a step if it comes this close to zero, as a part of its change.
PASSING_BY = 0.2
MORE_SYMMETRIC = "meets a branch of higher symmetry"


@dataclass(frozen=True)
class TracedBranch:
    """A branch, its special points, and the event on another branch from which it was reached, if any."""

    section: Section
    curve: Curve
    events: tuple[Event, ...]
    origin: Event | None = None


@dataclass(frozen=True)
class Exploration:
    """Everything that was reached; never claimed to be everything there is.

    Attributes
    ----------
    branches
        No two of them images of each other.
    complete
        False after an interruption, or when there was more than was allowed: what is there is valid.
    failures
        In words, what was tried and did not work.
    """

    branches: tuple[TracedBranch, ...]
    complete: bool
    failures: tuple[str, ...] = ()


def _loses_a_part(problem: Problem, section: Section, x: np.ndarray) -> list[Stop]:
    """Stop where what breaks a symmetry changes sign: beyond, the branch is its own mirror image."""
    fixed = isotropy(problem, x)
    stops = []
    for element in group_elements(problem.symmetries):
        if any(np.array_equal(element.on_unknowns, other.on_unknowns) for other in fixed):
            continue

        def crossed(before: CurvePoint, after: CurvePoint, moved: np.ndarray = element.on_unknowns) -> bool:
            a, b = section.full(before.y)[0], section.full(after.y)[0]
            units = problem.units(a)
            first, last = (a - moved @ a) / units, (b - moved @ b) / units
            if first @ last > 0.0:
                return False
            # With several dimensions it may also pass by: then it turns without ever being small.
            chord = last - first
            nearest = first - chord * float(first @ chord) / float(chord @ chord)
            return bool(np.linalg.norm(nearest) < PASSING_BY * np.linalg.norm(chord))

        stops.append(Stop(MORE_SYMMETRIC, crossed))
    return stops


def explore(
    problem: Problem,
    seeds: Sequence[tuple[np.ndarray, float]],
    bounds: tuple[float, float],
    *,
    parameters: np.ndarray | None = None,
    active: int = 0,
    functions: Sequence[EventFunction] = (),
    control: StepControl = StepControl(),
    amplitude: float = 0.05,
    max_branches: int = 50,
    report: Callable[[CurvePoint], object] = lambda point: None,
) -> Exploration:
    """Trace branches from seeds, locate their special points, and go on through branch points.

    Parameters
    ----------
    problem
        F(x; p) = 0.
    seeds
        Pairs of x (n,) near a solution and the active parameter's value.
    bounds
        Interval of the active parameter.
    parameters, active
        Values of all parameters, (k,), and which one varies; by default there is only one.
    functions
        Whose zeros along branches are wanted.
    control, amplitude
        Step control; distance at which a new branch is looked for beside a branch point.
    max_branches
        At which to stop.
    report
        Called with every new point.

    Returns
    -------
    Exploration
        After Ctrl-C, what was computed so far, marked incomplete.
    """
    base = np.zeros(1) if parameters is None else np.array(parameters, dtype=float)
    traced: list[TracedBranch] = []
    failures: list[str] = []
    waiting: list[tuple[Section, np.ndarray, np.ndarray | None, Event | None]] = []
    for x, value in seeds:
        section = Section(problem, symmetry_blocks(problem, np.asarray(x, dtype=float))[0], base, active)
        waiting.append((section, section.coordinates(np.asarray(x, dtype=float), value), None, None))
    complete = True
    try:
        while waiting and len(traced) < max_branches:
            section, start, away, origin = waiting.pop(0)
            start = _solved(section, start) if origin is None else start
            if start is None:
                failures.append("no solution near a seed")
                continue
            x, _ = section.full(start)
            if any(runs_through(other.section, other.curve, x, float(start[-1])) for other in traced):
                continue
            try:
                curve = trace_both_ways(
                    section,
                    start,
                    toward=away,
                    bounds=[Bounds(len(start) - 1, *bounds)],
                    stops=_loses_a_part(problem, section, x),
                    control=control,
                    report=report,
                )
            except SolverError as error:
                failures.append(str(error))
                continue
            traced.append(TracedBranch(section, curve, (), origin))  # kept if the search for events is interrupted
            events = find_events(section, curve, functions, tolerance=control.tolerance)
            branch = traced[-1] = replace(traced[-1], events=tuple(events))
            if not curve.complete:
                complete = False
                break
            traced[-1] = replace(branch, events=_switched(branch, waiting, amplitude, control))
        if waiting and complete:
            complete = False
            failures.append(f"{len(waiting)} starts of branches are left: more than {max_branches} branches")
    except KeyboardInterrupt:
        complete = False
    return Exploration(tuple(traced), complete, tuple(failures))


def _switched(
    branch: TracedBranch,
    waiting: list[tuple[Section, np.ndarray, np.ndarray | None, Event | None]],
    amplitude: float,
    control: StepControl,
) -> tuple[Event, ...]:
    """Look for new branches at every branch point, and return the events with what was learnt about them."""
    events = []
    for event in branch.events:
        if event.resolved and event.kind in (EventKind.PITCHFORK, EventKind.BRANCH_POINT):
            event, found = switch(branch.section, event, amplitude=amplitude, tolerance=control.tolerance)
            waiting += [(new.section, new.start, new.away, event) for new in found]
        events.append(event)
    return tuple(events)


def _solved(section: Section, start: np.ndarray) -> np.ndarray | None:
    """Solve at the seed's parameter; None if that fails."""
    units = np.asarray(section.units(start), dtype=float)[:-1]

    def problem(offset: np.ndarray) -> _AtParameter:
        here = section.evaluate(np.append(start[:-1] + units * offset, start[-1]))
        return _AtParameter(here.residual, here.jacobian[:, :-1] * units, here.scales)

    if len(units) == 0:
        return start
    result = newton(problem, np.zeros(len(units)), tolerance=max(1e-10, 3.0 * section.noise))
    if result.outcome is not Outcome.CONVERGED:
        return None
    return np.append(start[:-1] + units * result.x, start[-1])


@dataclass(frozen=True)
class _AtParameter:
    residual: np.ndarray
    jacobian: np.ndarray
    scales: np.ndarray
