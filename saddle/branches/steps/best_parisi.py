r"""Find the y of the ground state, where :math:`\Phi_k` is stationary in y, from solutions at given y."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from saddle.branches.steps.at_parisi import SolvedAtParisi, solve_at_parisi
from saddle.continuation.outcomes import Outcome, SolverError
from saddle.state_evolution.steps.step_equations import StepEquations
from saddle.state_evolution.steps.step_state import StepState

__all__ = ["BestParisi", "best_parisi"]

# By how much y is moved while the ground state's is not passed, from far away and near it; accuracy of its logarithm.
GROWTH, NEAR_GROWTH, ACCURACY = 2.5, 1.1, 2e-3
MOST_SOLVES = 14
# Step of log y for derivatives, and the largest one taken.
STEP, LARGEST = 0.05, 0.7


@dataclass(frozen=True)
class BestParisi:
    r"""The ground state of k steps.

    Attributes
    ----------
    solved
        The solution.
    by_log_parameter
        Derivatives of the unknowns in :math:`\log y`, (n, k).
    curvature
        Derivatives of :math:`\partial\Phi_k/\partial\log y_i` in :math:`\log y_j` along solutions, (k, k).
    """

    solved: SolvedAtParisi
    by_log_parameter: np.ndarray
    curvature: np.ndarray


def _slope(solved: SolvedAtParisi) -> np.ndarray:
    """Return the derivatives of the functional in log y, (k,)."""
    return solved.evaluation.by_parisi * solved.state.parisi


def _vector(solved: SolvedAtParisi) -> np.ndarray:
    return solved.unknowns.vector(solved.state)


def best_parisi(
    equations: StepEquations,
    alpha: float,
    first: SolvedAtParisi,
    report: Callable[[], object] = lambda: None,
    *,
    near: bool = False,
) -> BestParisi:
    """Go from a solution at given y to the ground state.

    Parameters
    ----------
    first
        A solution.
    near
        Whether its y is known to be near the ground state's.
    report
        Called after every evaluation.

    Raises
    ------
    SolverError
        If there is no such y, or a solution is lost on the way.
    """
    if equations.steps == 1:
        return _of_one_step(equations, alpha, first, NEAR_GROWTH if near else GROWTH, report)
    return _of_more_steps(equations, alpha, first, report)


def _moved(
    equations: StepEquations,
    alpha: float,
    known: Sequence[SolvedAtParisi],
    parisi: np.ndarray,
    report: Callable[[], object],
) -> SolvedAtParisi:
    """Solve at other y, from the last solution or along the line through the last two in log y."""
    last = known[-1]
    vector = _vector(last)
    if len(known) > 1 and len(parisi) == 1:
        before = known[-2]
        change = float(np.log(last.state.parisi[0] / before.state.parisi[0]))
        if abs(change) > 1e-6:
            share = float(np.log(parisi[0] / last.state.parisi[0])) / change
            vector = vector + np.clip(share, -2.0, 2.0) * (vector - _vector(before))
    start = last.unknowns.state(vector, parisi)
    return solve_at_parisi(equations, last.unknowns, alpha, start, last.jacobian, report, last.evaluation.grid)


def _of_one_step(
    equations: StepEquations, alpha: float, first: SolvedAtParisi, growth: float, report: Callable[[], object]
) -> BestParisi:
    known = [first]
    falls = bool(_slope(first)[0] < 0.0)
    factor = growth if falls else 1.0 / growth
    while bool(_slope(known[-1])[0] < 0.0) is falls:
        if len(known) > MOST_SOLVES:
            raise SolverError(
                f"one step of replica-symmetry breaking at alpha = {alpha:.6g}: the functional still "
                f"{'falls' if falls else 'grows'} at y = {known[-1].state.parisi[0]:.4g}",
                Outcome.MAX_STEPS,
            )
        known.append(_moved(equations, alpha, known, known[-1].state.parisi * factor, report))
    low, high = (known[-2], known[-1]) if falls else (known[-1], known[-2])
    for _ in range(MOST_SOLVES):
        s = float(_slope(low)[0]), float(_slope(high)[0])
        logs = float(np.log(low.state.parisi[0])), float(np.log(high.state.parisi[0]))
        if logs[1] - logs[0] < ACCURACY:
            break
        at = logs[0] + (logs[1] - logs[0]) * s[0] / (s[0] - s[1])
        near = min((low, high), key=lambda x: abs(np.log(x.state.parisi[0]) - at))
        solved = _moved(equations, alpha, (high if near is low else low, near), np.array([np.exp(at)]), report)
        known.append(solved)
        moved = abs(at - np.log(near.state.parisi[0]))
        if float(_slope(solved)[0]) < 0.0:
            low = solved
        else:
            high = solved
        if moved < ACCURACY or abs(float(_slope(solved)[0])) < 1e-3 * abs(s[0] - s[1]) * ACCURACY:
            break
    last, other = (
        known[-1],
        min(known[:-1], key=lambda x: abs(np.log(x.state.parisi[0] / known[-1].state.parisi[0]))),
    )
    change = float(np.log(last.state.parisi[0] / other.state.parisi[0]))
    by_log_parameter = (_vector(last) - _vector(other)) / change
    curvature = (_slope(last) - _slope(other)) / change
    return BestParisi(last, by_log_parameter[:, None], curvature[:, None])


def _of_more_steps(
    equations: StepEquations, alpha: float, first: SolvedAtParisi, report: Callable[[], object]
) -> BestParisi:
    """Newton's method in log y, with derivatives by differences, updated by Broyden's rule."""
    steps = equations.steps
    solved, slope = first, _slope(first)
    curvature, by_log_parameter = np.empty((steps, steps)), np.empty((len(_vector(first)), steps))
    for j in range(steps):
        parisi = first.state.parisi * np.exp(STEP * (np.arange(steps) == j))
        near = _moved(equations, alpha, [first], parisi, report)
        curvature[:, j] = (_slope(near) - slope) / STEP
        by_log_parameter[:, j] = (_vector(near) - _vector(first)) / STEP
    for _ in range(MOST_SOLVES):
        step = -np.linalg.solve(curvature, slope)
        step *= min(1.0, LARGEST / max(float(np.max(np.abs(step))), 1e-300))
        parisi = solved.state.parisi * np.exp(step)
        if np.any(np.diff(parisi) <= 0.0):
            raise SolverError(
                f"{steps} steps of replica-symmetry breaking at alpha = {alpha:.6g}: two steps merge into one",
                Outcome.MERGED,
            )
        vector = _vector(solved) + by_log_parameter @ step
        start = solved.unknowns.state(vector, parisi)
        grid = solved.evaluation.grid
        solved = solve_at_parisi(equations, solved.unknowns, alpha, start, solved.jacobian, report, grid)
        after = _slope(solved)
        curvature = curvature + np.outer(after - slope - curvature @ step, step) / (step @ step)
        slope = after
        if np.max(np.abs(step)) < ACCURACY:
            return BestParisi(solved, by_log_parameter, curvature)
    raise SolverError(
        f"{steps} steps of replica-symmetry breaking at alpha = {alpha:.6g}: {Outcome.MAX_STEPS.value}",
        Outcome.MAX_STEPS,
    )


def with_one_step_more(solved: SolvedAtParisi) -> StepState:
    """Return a start for one step more: the innermost gap in two halves, at y below and above."""
    state = solved.state
    gaps = np.concatenate([state.gaps[:-1], 0.6 * state.gaps[-1:], 0.4 * state.gaps[-1:]])
    parisi = np.concatenate([state.parisi[:-1], state.parisi[-1:] * 0.6, state.parisi[-1:] * 2.0])
    return replace(state, gaps=gaps, parisi=parisi)
