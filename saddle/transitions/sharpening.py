"""Solve a transition's equations on the branches' rule, then move it to a finer rule and estimate its error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from replica.quantities.names import ALPHA
from saddle.continuation.newton import OutsideDomain
from saddle.continuation.outcomes import Outcome, SolverError
from saddle.continuation.special_points.locating import solve_square
from saddle.state_evolution.evaluation import StateEvaluation
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.transitions.equations import TransitionEquations, TransitionSystem, evaluations_of

__all__ = ["LocatedTransition", "chord_steps", "locate", "sharpen"]

TOLERANCE = 1e-9
STEPPED = 1e-6
FLOOR = 1e-6
# Moving to the finer rule ends when alpha moves less than this part of its error.
SETTLED = 0.05
MAX_MOVES = 4


@dataclass(frozen=True)
class LocatedTransition:
    """A solution of a transition's equations.

    Attributes
    ----------
    alpha, error
        Sample complexity on the finer rule, and its error.
    y
        Solution on the branches' rule, (N,).
    evaluations
        The solutions at the transition on the finer rule: one, or two.
    """

    alpha: float
    error: float
    y: np.ndarray
    evaluations: tuple[StateEvaluation, ...]


def locate(equations: TransitionEquations, evolution: StateEvolution, start: np.ndarray) -> LocatedTransition:
    """Solve a transition's equations by Newton's method from near a solution, and sharpen it.

    Parameters
    ----------
    equations
        The kind of transition.
    evolution
        The equations of state on the branches' rule.
    start
        Unknowns of the sector (or of both sectors), then alpha.

    Returns
    -------
    LocatedTransition
        On the finer rule, with its error.

    Raises
    ------
    SolverError
        If Newton's method does not converge.
    """
    system = equations.system(evolution, (ALPHA.name,))
    # Where a small step of the residual is in the way, what it leaves is still far below the rule's error.
    solution = solve_square(system, start, TOLERANCE)
    if solution.outcome is not Outcome.CONVERGED:
        solution = solve_square(system, start, STEPPED)
    if solution.outcome is not Outcome.CONVERGED or solution.evaluation is None:
        raise SolverError(f"{equations.kind} near alpha = {start[-1]:.6g}: {solution.outcome.value}", solution.outcome)
    return sharpen(equations, evolution, solution.y, solution.evaluation.jacobian, (ALPHA.name,))


def sharpen(
    equations: TransitionEquations,
    evolution: StateEvolution,
    y: np.ndarray,
    jacobian: np.ndarray,
    over: tuple[str, ...],
) -> LocatedTransition:
    """Move a solution to a ten times finer rule, at fixed values of every parameter but alpha.

    The coarser rule's Jacobian is used for all steps (it differs by the coarser rule's error, so every step gains
    as many digits as that has). The error is what embedded rules say, propagated to alpha; or, if it is larger, a
    part of the change between both rules, since an estimate may be small by chance.

    Parameters
    ----------
    equations, evolution
        The kind of transition, and the equations of state on the branches' rule.
    y, jacobian
        Solution on that rule, and derivatives there: (N,) and (N, N), or (N + 1,) and (N, N + 1) on a line.
    over
        Names of the active parameters.

    Raises
    ------
    SolverError
        If the Jacobian is singular, or the steps leave the domain or end where nothing is known of alpha: beyond zero,
        or with an error as large as alpha itself. So they do where a line turns back in its other parameter, next to
        which the finer rule has no transition.
    """
    fine = equations.system(evolution.with_rule(evolution.rule.refined()), over)
    place = len(y) - len(over)
    square = jacobian[:, : place + 1]
    here, moved, error = y, np.inf, 0.0
    evaluations: tuple[StateEvaluation, ...] = ()
    try:
        inverse = np.linalg.inv(square)
        for here, step, evaluations in islice(chord_steps(fine, y, inverse), MAX_MOVES):
            moved = abs(float(step[place]))
            change = abs(float(here[place] - y[place]))
            error = max(_embedded_error(equations, evaluations, inverse[place]), equations.trusted * change, FLOOR)
            if moved < SETTLED * error:
                break
    except OutsideDomain as failure:
        raise SolverError(f"{equations.kind} near alpha = {y[place]:.6g}: {failure}", Outcome.LEFT_DOMAIN) from None
    except np.linalg.LinAlgError as failure:
        raise SolverError(f"{equations.kind} near alpha = {y[place]:.6g}: {failure}", Outcome.SINGULAR) from None
    alpha, error = float(here[place]), max(error, moved)
    if not error < alpha:
        known = f"the finer rule moves it to {alpha:.6g} +- {error:.1e}"
        raise SolverError(f"{equations.kind} near alpha = {y[place]:.6g}: {known}", Outcome.MAX_STEPS)
    return LocatedTransition(alpha, error, np.array(y), evaluations)


def chord_steps(
    system: TransitionSystem, y: np.ndarray, inverse: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, tuple[StateEvaluation, ...]]]:
    """Yield points (N,), steps (k,) and evaluations of a chord iteration in the first k unknowns.

    The inverse (k, k) of one Jacobian serves all steps. An evaluation belongs to the point before its step.
    """
    here = np.array(y, dtype=float)
    while True:
        residual, detail = system.values(here)
        step = -inverse @ residual
        here = here.copy()
        here[: len(step)] += step
        yield here, step, evaluations_of(detail)


def _embedded_error(equations: TransitionEquations, evaluations: tuple[StateEvaluation, ...], row: np.ndarray) -> float:
    """Propagate embedded rules' differences of every residual to alpha, whose row of the inverse is given."""
    parts = [
        here.residual_differences[:, list(sector.free)]
        for here, sector in zip(evaluations, equations.sectors, strict=True)
    ]
    differences = np.column_stack([*parts, equations.last_row_differences(evaluations)])
    return float(evaluations[0].averages.outer.error(-differences @ row))
