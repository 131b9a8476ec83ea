"""First-order transitions: where two branches have equal potential, at a point and along a line in two parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from saddle.continuation.curves import CurvePoint
from saddle.continuation.defining_systems import EqualPotentials
from saddle.continuation.tracing import Bounds, Curve, StepControl, Stop, trace_both_ways
from saddle.outcomes import Outcome

__all__ = ["LineEnd", "end_of_line", "first_order_line"]

MERGED = "the two branches merge"
# Points from which an end is extrapolated.
FITTED = 5


@dataclass(frozen=True)
class LineEnd:
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
        As for :func:`saddle.continuation.tracing.trace`.
    merged
        Distance between the two solutions, in natural units, at which the line has ended: where they merge all
        derivatives of the difference of potentials vanish together, and nothing can be solved closer by.
    """

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


def end_of_line(system: EqualPotentials, curve: Curve, at_start: bool) -> LineEnd | None:
    """Extrapolate a first-order line to where its branches merge; None if it did not end there.

    Parameters are even, smooth functions of the distance between the branches: a polynomial in its square through
    the last points gives the end, one of lower order its error.
    """
    if curve.stops[0 if at_start else 1] != MERGED or curve.endings[0 if at_start else 1] is not Outcome.STOPPED:
        return None
    ordered = curve.points if at_start else curve.points[::-1]
    nearest = ordered[: min(FITTED, len(ordered))]
    if len(nearest) < 3:
        return None
    squares = np.array([system.distance(point.y) ** 2 for point in nearest])
    values = np.array([system.full(point.y)[2][list(system.active)] for point in nearest])
    best, lower = (
        np.array([np.polynomial.Polynomial.fit(squares[:count], column[:count], count - 1)(0.0) for column in values.T])
        for count in (len(nearest), len(nearest) - 1)
    )
    return LineEnd(best, np.abs(best - lower))
