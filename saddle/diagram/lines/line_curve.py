"""A transition's own equations as a curve: where it begins, how it is stepped along, and where it must end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from replica.quantities.names import ALPHA
from replica.quantities.solvable_model import Model
from saddle.branches.line_parameters import line_parameters
from saddle.continuation.curve.bounds import Bounds
from saddle.continuation.curve.curves import CurvePoint, correct
from saddle.continuation.curve.stepping import StepControl
from saddle.continuation.curve.tracing import Curve, Stop, trace_both_ways
from saddle.continuation.outcomes import Outcome
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.transitions.equations import TransitionEquations, TransitionSystem

__all__ = ["CONTROL", "LOWEST_ALPHA", "VANISHES", "Beginning", "curve_over", "faded", "traced"]

CONTROL = StepControl(initial=0.05, smallest=1e-4, largest=0.35, angle=0.4, drift=0.2, slack=0.1, tolerance=1e-9)
LOWEST_ALPHA = 1e-4
# How far, in natural units, a start may be from a solution on the line's own rule.
NEAR = 0.2
# Along a line, an overlap below this in its natural unit is about to vanish, and the line to end.
SMALL = 0.08
VANISHES = "an overlap vanishes"
# The same, where the line could not be followed any further: near its end the equations say little.
FADED = 0.4


@dataclass(frozen=True, eq=False)
class Beginning:
    """A solution of a transition's equations from which a line is followed.

    Attributes
    ----------
    name, between
        Of the transition.
    equations, evolution
        That define it, and those of its solutions with the rule and the model there.
    unknowns
        The solutions' order parameters that do not vanish, then alpha, (N,).
    """

    name: str
    between: tuple[str, str]
    equations: TransitionEquations
    evolution: StateEvolution
    unknowns: np.ndarray

    def at(self, model: Model, unknowns: np.ndarray) -> Beginning:
        """Return another point of the line."""
        return replace(self, evolution=replace(self.evolution, model=model), unknowns=unknowns)


def curve_over(
    begun: Beginning,
    over: str,
    between: tuple[float, float],
    alphas: tuple[float, float],
    report: Callable[[CurvePoint], object],
) -> tuple[TransitionSystem, Curve]:
    """Follow a transition over one parameter, within ranges of it and of alpha; raises SolverError if it cannot."""
    system = begun.equations.system(begun.evolution, (ALPHA.name, over))
    start = np.append(begun.unknowns, line_parameters(begun.evolution.model)[over])
    place = len(start) - 2
    bounds = [Bounds(place + 1, *between), Bounds(place, *alphas)]
    return system, traced(begun.equations, system, start, place + 1, bounds, report)


def traced(
    equations: TransitionEquations,
    system: TransitionSystem,
    start: np.ndarray,
    toward: int,
    bounds: Sequence[Bounds],
    report: Callable[[CurvePoint], object],
) -> Curve:
    """Follow a transition's equations both ways from a solution, to where one unknown grows and back.

    The first point has the value of a parameter that the solution has: at the end of a range there may be no model
    beyond. Of two parameters that is one at the end of its range.
    """
    direction = np.zeros(len(start))
    direction[toward] = 1.0
    at_end = [bound.index for bound in bounds if start[bound.index] in (bound.low, bound.high)]
    start = _solved_at(system, start, next(iter(at_end), toward))
    stops = [_overlap_vanishes(equations)]
    return trace_both_ways(system, start, toward=direction, bounds=bounds, stops=stops, control=CONTROL, report=report)


def _solved_at(system: TransitionSystem, start: np.ndarray, kept: int) -> np.ndarray:
    """Return a solution near another rule's with one unknown as it is there; the start itself if none is found."""
    row = np.zeros(len(start))
    row[kept] = 1.0
    y, result = correct(system, start, row, tolerance=CONTROL.tolerance, max_evaluations=20)
    if result.outcome is not Outcome.CONVERGED or np.linalg.norm((y - start) / system.units(start)) > NEAR:
        return start
    y[kept] = start[kept]
    return y


def _overlap_vanishes(equations: TransitionEquations) -> Stop:
    """Stop where an overlap of a solution on the line shrinks to zero: its family ends there, and the line."""

    def reached(before: CurvePoint, after: CurvePoint) -> bool:
        place = 0
        for sector in equations.sectors:
            for i in sector.broken:
                k = place + sector.free.index(i)
                first, last, unit = before.y[k], after.y[k], np.sqrt(max(after.y[place], 1e-12))
                if first * last <= 0.0 or (abs(last) < SMALL * unit and abs(last) < abs(first)):
                    return True
            place += len(sector.free)
        return False

    return Stop(VANISHES, reached)


def faded(equations: TransitionEquations, y: np.ndarray) -> bool:
    """Whether an overlap of a solution on the line is so small that the line may be said to end because of it."""
    place = 0
    for sector in equations.sectors:
        unit = np.sqrt(max(y[place], 1e-12))
        if any(abs(y[place + sector.free.index(i)]) < FADED * unit for i in sector.broken):
            return True
        place += len(sector.free)
    return False
