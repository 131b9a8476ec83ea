"""Find special points on a branch: folds, branch points, pitchforks, and zeros of functions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from saddle.continuation.locating import SquareSolution, solve_square
from saddle.continuation.searching import Search
from saddle.continuation.sections import Section, isotropy, symmetry_blocks
from saddle.continuation.special_points import Criticality, Event, EventFunction, EventKind
from saddle.continuation.tracing import Curve

__all__ = ["Criticality", "Event", "EventFunction", "EventKind", "SquareSolution", "find_events", "solve_square"]

# How often a segment is halved in which something could not be located.
HALVINGS = 4


def find_events(
    section: Section,
    curve: Curve,
    functions: Sequence[EventFunction] = (),
    *,
    tolerance: float = 1e-10,
) -> list[Event]:
    """Find and locate the special points of a branch.

    Parameters
    ----------
    section
        Where the branch was traced; its points' details are the problem's evaluations.
    curve
        The branch.
    functions
        Whose zeros are wanted.
    tolerance
        Of the defining equations.

    Returns
    -------
    list of Event
        In the curve's order, each once. Points that could not be located stay in it, marked unresolved.
    """
    if len(curve.points) < 2:
        return []
    # A point where the branch happens to meet one of higher symmetry does not tell what fixes the branch.
    fixed_least = min(
        (section.full(point.y)[0] for point in curve.points), key=lambda x: len(isotropy(section.problem, x))
    )
    search = Search(section, symmetry_blocks(section.problem, fixed_least), tuple(functions), tolerance)
    events: list[Event] = []
    for k, segment in enumerate(pairwise(curve.points)):
        # The point beside the segment: before it, or after the first one.
        beside = curve.points[k - 1] if k > 0 else (curve.points[2] if len(curve.points) > 2 else None)
        for event in search.within(segment, beside, HALVINGS):
            if not any(_same(section, event, other) for other in events):
                events.append(event)
    return events


def _same(section: Section, event: Event, other: Event) -> bool:
    """Whether two events that were found from neighbouring segments or candidates are one."""
    if (event.kind, event.name) != (other.kind, other.name) or not (event.resolved and other.resolved):
        return False
    parameters = np.array(section.parameters, dtype=float)
    parameters[section.active] = event.parameter
    unit = float(section.problem.parameter_units(parameters)[section.active])
    if abs(event.parameter - other.parameter) > 10.0 * (event.error + other.error) + 1e-8 * unit:
        return False
    if (
        np.max(np.abs(event.x - other.x) / section.problem.units(event.x)) > 1e-5
        or event.kernel.shape != other.kernel.shape
    ):
        return False
    if event.kernel.shape[1] == 0:
        return True
    first, second = (np.linalg.qr(one.kernel)[0] for one in (event, other))
    return bool(np.linalg.svd(first.T @ second, compute_uv=False)[-1] > 1.0 - 1e-4)
