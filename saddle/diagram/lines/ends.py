"""Classify the point at which a line of transitions ends because overlaps vanish."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np

from replica.quantities.names import ALPHA
from replica.symmetry.sectors import PAPER_SECTORS
from saddle.branches.sector_blocks import overlap_block
from saddle.continuation.newton import OutsideDomain
from saddle.continuation.outcomes import Outcome
from saddle.continuation.special_points.double_points import DoubleSymmetryBreaking
from saddle.continuation.special_points.locating import solve_square
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.transitions.equations import EqualFreeEntropies, Pitchfork, TransitionEquations
from saddle.transitions.sharpening import FLOOR, TOLERANCE, chord_steps

__all__ = ["LineEnd", "classify_end"]

MOVES = 3
# How far, in natural units, the end may lie from the line's last point.
NEAR = 0.2


@dataclass(frozen=True)
class LineEnd:
    """A point at which a line of transitions ends.

    Attributes
    ----------
    kind
        "bicritical point": both overlaps vanish, and the first-order line splits into the two lines of pitchforks
        that cross there; or in words what vanishes, if the point was not located.
    parameter, parameter_error, alpha, alpha_error
        Where; the errors are the changes to a ten times finer rule, on which the values are. nan if not located.
    order_parameters
        (q, m, V, theta) there.
    second, second_error
        Of a line in a plane, at whose alpha it ends, the other parameter; otherwise nan.
    """

    kind: str
    parameter: float
    parameter_error: float
    alpha: float
    alpha_error: float
    order_parameters: tuple[float, ...]
    second: float = np.nan
    second_error: float = np.nan


NOT_LOCATED = LineEnd("an overlap vanishes", np.nan, np.nan, np.nan, np.nan, ())


def _double(evolution: StateEvolution, over: tuple[str, ...], held: float | None) -> DoubleSymmetryBreaking:
    position, meaning = evolution.space.odd
    agnostic = evolution.space.sector_named("agnostic")
    names = evolution.space.quantities
    pitchfork = Pitchfork(agnostic, meaning, names[meaning].name).system(evolution, (ALPHA.name, *over), held)
    return DoubleSymmetryBreaking(pitchfork, overlap_block(agnostic, position, evolution.space))


def classify_end(
    equations: TransitionEquations,
    evolution: StateEvolution,
    y: np.ndarray,
    over: tuple[str, ...],
    held: float | None = None,
) -> LineEnd | None:
    """Say what happens next to the last point y of a line of first-order transitions; None for any other line.

    The unknowns y end with alpha and a parameter or, at an alpha that is held, with two parameters. None also for a
    model with more overlaps than one m and one theta. Only ends of lines between position and meaning are located.
    """
    if not isinstance(equations, EqualFreeEntropies) or evolution.sectors != PAPER_SECTORS:
        return None
    if [sector.family for sector in equations.sectors] != ["positional", "semantic"]:
        return NOT_LOCATED
    free = equations.first.free, equations.second.free
    first, second = y[: len(free[0])], y[len(free[0]) : -2]
    # q and V of both solutions tend to those of the agnostic one.
    common = [0.5 * (first[free[0].index(i)] + second[free[1].index(i)]) for i in (0, 2)]
    start = np.array([*common, *y[-2:]])
    system = _double(evolution, over, held)
    solution = solve_square(system, start, TOLERANCE)
    near = np.all(np.abs(solution.y[-2:] - y[-2:]) < NEAR * system.units(start)[-2:])
    if solution.outcome is not Outcome.CONVERGED or solution.evaluation is None or not near:
        return NOT_LOCATED
    fine = _double(evolution.with_rule(evolution.rule.refined()), over, held)
    inverse = np.linalg.inv(solution.evaluation.jacobian)
    try:
        here, _, evaluations = list(islice(chord_steps(fine, solution.y, inverse), MOVES))[-1]
    except OutsideDomain:
        return NOT_LOCATED
    change = np.maximum(np.abs(here - solution.y), FLOOR)
    (first, second), (error, other) = here[-2:].tolist(), change[-2:].tolist()
    state = tuple(map(float, evaluations[0].state))
    if held is None:
        return LineEnd("bicritical point", second, other, first, error, state)
    return LineEnd("bicritical point", first, error, held, 0.0, state, second, other)
