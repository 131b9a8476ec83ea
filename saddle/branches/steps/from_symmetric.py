"""From a replica-symmetric solution to one with steps: at given y, or at the ground state."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from replica.common.checked_arguments import checked_integer
from replica.common.errors import InvalidArgument
from replica.symmetry.sectors import Sector
from saddle.branches.steps.at_parisi import SolvedAtParisi, solve_at_parisi
from saddle.branches.steps.best_parisi import (
    BestParisi,
    best_parisi,
    with_one_step_more,
)
from saddle.branches.steps.first_gap import SMALLEST_GAP, first_gap
from saddle.branches.steps.step_solution import BrokenSymmetryPoint
from saddle.continuation.newton import OutsideDomain
from saddle.continuation.outcomes import Outcome, SolverError
from saddle.state_evolution.evaluation import StateEvaluation
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.state_evolution.steps.grid_rule import GridRule
from saddle.state_evolution.steps.step_equations import StepEquations, StepEvaluation
from saddle.state_evolution.steps.step_stability import step_stability
from saddle.state_evolution.steps.step_state import StepState
from saddle.state_evolution.steps.step_unknowns import StepUnknowns

__all__ = ["break_symmetry", "broken_or_none", "checked_parisi"]


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
    rule: GridRule,
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
    if near is not None:
        equations, unknowns = StepEquations(evolution, steps, rule), StepUnknowns(space, sector, steps, unit)
        start = near if given is None else replace(near, parisi=given)
        solved = solve_at_parisi(equations, unknowns, alpha, start, report=report)
        if given is not None:
            return _point(equations, sector, symmetric, solved, None, report)
        best = best_parisi(equations, alpha, solved, report, near=True)
        return _point(equations, sector, symmetric, best.solved, best, report)
    equations = StepEquations(evolution, 1, rule)
    first = first_gap(equations, alpha, start)
    if first is None:
        message = (
            f"{sector.name} at alpha = {alpha:.6g}: no gap between overlaps above {SMALLEST_GAP:g} of the fields' "
            "variance; replica symmetry holds, or its breaking is too weak to be resolved"
        )
        raise SolverError(message, Outcome.ABSENT)
    unknowns = StepUnknowns(space, sector, 1, unit)
    if given is not None and steps == 1:
        solved = _towards(equations, unknowns, alpha, first, given, report)
        return _point(equations, sector, symmetric, solved, None, report)
    solved = solve_at_parisi(equations, unknowns, alpha, first, report=report)
    best = best_parisi(equations, alpha, solved, report)
    for count in range(2, steps + 1):
        equations = StepEquations(evolution, count, rule)
        unknowns = StepUnknowns(space, sector, count, unit)
        start = with_one_step_more(best.solved)
        if count == steps and given is not None:
            solved = solve_at_parisi(equations, unknowns, alpha, replace(start, parisi=given), report=report)
            return _point(equations, sector, symmetric, solved, None, report)
        solved = solve_at_parisi(equations, unknowns, alpha, start, report=report)
        best = best_parisi(equations, alpha, solved, report)
    return _point(equations, sector, symmetric, best.solved, best, report)


def broken_or_none(
    evolution: StateEvolution,
    sector: Sector,
    symmetric: StateEvaluation,
    steps: int,
    rule: GridRule,
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
) -> SolvedAtParisi:
    """Solve at the small y of a first gap, and go to the given one in steps that a quasi-Newton method can follow."""
    y = float(min(first.parisi[0], parisi[0]))
    solved = solve_at_parisi(equations, unknowns, alpha, replace(first, parisi=np.array([y])), report=report)
    while y < parisi[0]:
        y = min(2.5 * y, float(parisi[0]))
        start = replace(solved.state, parisi=np.array([y]))
        solved = solve_at_parisi(equations, unknowns, alpha, start, solved.jacobian, report)
    return solved


def _symmetric_state(symmetric: StateEvaluation) -> StepState:
    """Return a replica-symmetric solution as a state of one step without a gap."""
    space, state = symmetric.space, symmetric.state
    q, V, theta = (space.matrices(state, x) for x in ("self_overlap", "susceptibility", "semantic_overlap"))
    m = space.matrices(state, "positional_overlap")
    return StepState(q[:, 0, 0], np.zeros((1, len(q))), m[0, 0], V[:, 0, 0], theta[:, 0], np.ones(1))


def _point(
    equations: StepEquations,
    sector: Sector,
    symmetric: StateEvaluation,
    solved: SolvedAtParisi,
    best: BestParisi | None,
    report: Callable[[], object],
) -> BrokenSymmetryPoint:
    """Estimate the errors of a solution by finer rules, one after the other, and gather what is known."""
    here, unknowns = solved.evaluation, solved.unknowns
    vector, state = unknowns.vector(here.state), here.state
    phi_error, parisi_errors, energies = 0.0, np.zeros(equations.steps), np.zeros(2)
    # What is left of the residual, where a kink on a grid point leaves it no zero.
    left = -np.linalg.lstsq(solved.jacobian, unknowns.residual(here), rcond=None)[0]
    shifted: list[StepState] = [unknowns.state(vector + left, state.parisi)]
    pairs = [(equations, here)]
    for finer in (equations.rule.with_finer_nodes(), equations.rule.with_finer_grid()):
        own = replace(equations, rule=finer)
        there = own.evaluate(state, here.alpha)
        report()
        shift = -np.linalg.lstsq(solved.jacobian, unknowns.residual(there) - unknowns.residual(here), rcond=None)[0]
        phi_error += abs(there.free_entropy - here.free_entropy)
        # The slope in y is not stationary in the other unknowns: where these go to counts.
        relaxed = own.evaluate(unknowns.state(vector + shift, state.parisi), here.alpha, there.grid)
        energies += np.abs(_energies(relaxed) - _energies(here))
        report()
        if best is not None:
            slope = (there.by_parisi - here.by_parisi) * state.parisi
            moved = -np.linalg.lstsq(best.curvature, slope, rcond=None)[0]
            shift = shift + best.by_log_parameter @ moved
            parisi_errors += np.abs(moved) * state.parisi
            # Replicons depend on y, whose error is the largest of all.
            relaxed = _moved(own, unknowns.state(vector + shift, state.parisi * np.exp(moved)), there)
            report()
        shifted.append(unknowns.state(vector + shift, state.parisi))
        pairs.append((own, relaxed))
    order = here.space.vector(state)
    fresh = equations.evolution.channel.averages(_as_symmetric(symmetric, state))
    change = np.array([_as_symmetric(symmetric, x) - _as_symmetric(symmetric, state) for x in shifted])
    return BrokenSymmetryPoint(
        alpha=here.alpha,
        sector=sector,
        evolution=equations.evolution,
        rule=equations.rule,
        state=state,
        state_errors=np.sum([np.abs(here.space.vector(x) - order) for x in shifted], axis=0),
        parisi_errors=parisi_errors,
        conjugates=here.conjugates,
        free_entropy=here.free_entropy,
        free_entropy_error=phi_error,
        by_parisi=here.by_parisi,
        average_envelope=-here.channel.value,
        energy_error=float(energies[0]),
        complexity_error=float(energies[1]),
        test_error=fresh.test_error,
        test_error_error=fresh.test_error_error + float(np.sum(np.abs(change @ fresh.test_error_derivatives))),
        stability=step_stability(pairs),
        symmetric=symmetric,
    )


def _moved(equations: StepEquations, state: StepState, near: StepEvaluation) -> StepEvaluation:
    """Evaluate where a finer rule has its solution, on the grids of a state near by; that state if it is none."""
    try:
        return equations.evaluate(state, near.alpha, near.grid)
    except OutsideDomain:
        return near


def _energies(evaluation: StepEvaluation) -> np.ndarray:
    """Return energy and complexity of what the outermost y counts."""
    y, slope = float(evaluation.state.parisi[0]), float(evaluation.by_parisi[0])
    return np.array([-evaluation.free_entropy - y * slope, -(y**2) * slope])


def _as_symmetric(symmetric: StateEvaluation, state: StepState) -> np.ndarray:
    """Return the order parameters of one minimum, as far as fresh data see them: its variance is q_k."""
    space = symmetric.space
    moved = symmetric.state.copy()
    for kind, values in (
        ("self_overlap", state.levels[-1]),
        ("positional_overlap", state.positional_overlap),
        ("semantic_overlap", state.semantic_overlap.ravel()),
    ):
        moved[list(space.of_kind(kind))] = values
    return moved
