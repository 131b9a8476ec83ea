"""From a replica-symmetric solution to one with steps: at given y, or at the ground state."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from replica.common.checked_arguments import checked_integer
from replica.common.errors import InvalidArgument
from replica.symmetry.sectors import Sector
from saddle.averages.lines.jump_line_rule import JumpLineRule
from saddle.branches.steps.faint_gap import FAINT_GAP, solve_faint_gap
from saddle.branches.steps.first_gap import first_gap, smallest_gap, with_one_step_more
from saddle.branches.steps.solved_point import point_of_solved
from saddle.branches.steps.solving import SolvedSteps, solve_steps_at
from saddle.branches.steps.step_solution import BrokenSymmetryPoint
from saddle.continuation.outcomes import Outcome, SolverError
from saddle.state_evolution.evaluation import StateEvaluation
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.state_evolution.steps.step_equations import StepEquations, StepRule
from saddle.state_evolution.steps.step_state import StepState
from saddle.state_evolution.steps.step_unknowns import StepUnknowns

__all__ = ["break_symmetry", "broken_or_none", "checked_parisi"]

# Change of log y from its start above which it has wandered at such a gap.
WANDERED = 1.2
# Up to this factor above a faint gap y may still be at noise, and then is found as that of a faint one.
NEARLY = 2.0


def checked_parisi(parisi: Sequence[float] | np.ndarray, steps: int) -> np.ndarray:
    """Return y as an array; raises unless they are as many as steps, positive, finite and increasing."""
    try:
        values = np.array(parisi, dtype=float)
    except (TypeError, ValueError):
        values = np.empty((0, 0))
    if values.shape != (steps,) or not np.isfinite(values).all() or not np.all(np.diff(values, prepend=0.0) > 0.0):
        raise InvalidArgument(
            f"parisi_parameters must be {steps} positive, finite, increasing number(s), one per step, got {parisi!r}"
        )
    return values


def break_symmetry(
    evolution: StateEvolution,
    sector: Sector,
    symmetric: StateEvaluation,
    steps: int,
    rule: StepRule | None,
    parisi: Sequence[float] | np.ndarray | None = None,
    report: Callable[[], object] = lambda: None,
    *,
    near: StepState | None = None,
) -> BrokenSymmetryPoint:
    """Solve for steps of replica-symmetry breaking from a replica-symmetric solution.

    Parameters
    ----------
    parisi
        y; None for those of the ground state.
    near
        A solution of as many steps at alpha and y near by, if one is known: the start then.
    report
        Called after every evaluation.

    Raises
    ------
    SolverError
        If there is no gap larger than what grids resolve, or the solution was not found.
    """
    steps = checked_integer("steps", steps, 1)
    given = None if parisi is None else checked_parisi(parisi, steps)
    alpha, space = symmetric.alpha, evolution.space
    start = _symmetric_state(symmetric)
    unit = float(np.sqrt(np.max(start.outer_overlap)))

    def unknowns(count: int, free: bool) -> StepUnknowns:
        return StepUnknowns(space, sector, count, unit, parisi=free)

    if near is not None:
        equations = StepEquations(evolution, steps, rule)
        start = near if given is None else replace(near, parisi=given)
        if given is None:
            solved = _ground_state(equations, unknowns, alpha, start, report)
        else:
            solved = solve_steps_at(equations, unknowns(steps, False), alpha, start, report=report)
        return point_of_solved(equations, sector, symmetric, solved, report)
    # Refused at once, if the rule does not serve so many.
    StepEquations(evolution, steps, rule)
    equations = StepEquations(evolution, 1, rule)
    first = first_gap(equations.on_few_lines, alpha, start)
    if first is None:
        message = (
            f"{sector.name} at alpha = {alpha:.6g}: no gap between overlaps above {smallest_gap(equations):g} of the "
            "fields' variance; replica symmetry holds, or its breaking is too weak to be resolved"
        )
        raise SolverError(message, Outcome.ABSENT)
    if given is not None and steps == 1:
        return point_of_solved(
            equations, sector, symmetric, _towards(equations, unknowns(1, False), alpha, first, given, report), report
        )
    solved = _ground_state(equations, unknowns, alpha, first, report)
    for count in range(2, steps + 1):
        equations = StepEquations(evolution, count, rule)
        start = with_one_step_more(solved.state)
        if count == steps and given is not None:
            start = replace(start, parisi=given)
            solved = solve_steps_at(equations, unknowns(count, False), alpha, start, report=report)
        else:
            solved = _ground_state(equations, unknowns, alpha, start, report)
    return point_of_solved(equations, sector, symmetric, solved, report)


def _ground_state(
    equations: StepEquations,
    unknowns: Callable[[int, bool], StepUnknowns],
    alpha: float,
    start: StepState,
    report: Callable[[], object],
) -> SolvedSteps:
    """Solve for everything at once; where that fails, at the start's y first."""
    steps, rule = equations.steps, equations.rule
    if not isinstance(rule, JumpLineRule):
        solved = solve_steps_at(equations, unknowns(steps, False), alpha, start, report=report)
        grid = solved.evaluation.grid
        return solve_steps_at(equations, unknowns(steps, True), alpha, solved.state, report=report, grid=grid)
    # On few lines first: what remains on the rule's own are some steps with a known Jacobian.
    rough = equations.on_few_lines

    def faint(state: StepState, factor: float = 1.0) -> bool:
        return float(np.min(state.gaps / equations.outer_variance(state))) < factor * FAINT_GAP

    def from_here(state: StepState) -> SolvedSteps:
        solved = solve_steps_at(rough, unknowns(1, True), alpha, state, report=report)
        solved = solve_steps_at(equations, unknowns(1, True), alpha, solved.state, solved.jacobian, report)
        if faint(solved.state) and abs(float(np.log(solved.state.parisi[0] / start.parisi[0]))) > WANDERED:
            raise SolverError(f"y at alpha = {alpha:.6g}: {Outcome.MAX_STEPS.value}", Outcome.MAX_STEPS)
        return solved

    if not faint(start):
        with contextlib.suppress(SolverError):
            return from_here(start)
        start = solve_steps_at(rough, unknowns(1, False), alpha, start, report=report).state
        if not faint(start):
            try:
                return from_here(start)
            except SolverError:
                if not faint(start, NEARLY):
                    raise
    # So small a gap that averages do not resolve where in y the functional is lowest: y stays where slopes and steps
    # are balanced, and what is left of the equation for it makes its error, and those of the rest.
    solved = solve_faint_gap(equations, unknowns(1, True), alpha, start, report)
    if faint(solved.state):
        return solved
    try:
        return from_here(solved.state)
    except SolverError:
        if not faint(solved.state, NEARLY):
            raise
        return solved


def broken_or_none(
    evolution: StateEvolution,
    sector: Sector,
    symmetric: StateEvaluation,
    steps: int,
    rule: StepRule | None,
    near: BrokenSymmetryPoint | None = None,
    report: Callable[[], object] = lambda: None,
) -> BrokenSymmetryPoint | None:
    """Solve from a solution near by, or from replica symmetry where that fails; None if no gap is resolved.

    Raises
    ------
    SolverError
        If there is a gap, but no solution was found.
    """
    if near is not None:
        with contextlib.suppress(SolverError):
            return break_symmetry(evolution, sector, symmetric, steps, rule, report=report, near=near.state)
    try:
        return break_symmetry(evolution, sector, symmetric, steps, rule, report=report)
    except SolverError as error:
        if error.outcome is not Outcome.ABSENT:
            raise
        return None


def _towards(
    equations: StepEquations,
    unknowns: StepUnknowns,
    alpha: float,
    first: StepState,
    parisi: np.ndarray,
    report: Callable[[], object],
) -> SolvedSteps:
    """Solve at the y of a first gap, and go to the given one in steps that a quasi-Newton method can follow."""
    y, wanted = float(first.parisi[0]), float(parisi[0])
    solved = solve_steps_at(equations, unknowns, alpha, first, report=report)
    while y != wanted:
        y = min(2.0 * y, wanted) if y < wanted else max(0.5 * y, wanted)
        start = replace(solved.state, parisi=np.array([y]))
        solved = solve_steps_at(equations, unknowns, alpha, start, solved.jacobian, report, solved.evaluation.grid)
    return solved


def _symmetric_state(symmetric: StateEvaluation) -> StepState:
    """Return a replica-symmetric solution as a state of one step without a gap."""
    space, state = symmetric.space, symmetric.state
    q, V, theta = (space.matrices(state, x) for x in ("self_overlap", "susceptibility", "semantic_overlap"))
    m = space.matrices(state, "positional_overlap")
    return StepState(q[:, 0, 0], np.zeros((1, len(q))), m[0, 0], V[:, 0, 0], theta[:, 0], np.ones(1))
