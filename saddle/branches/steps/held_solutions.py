"""Solutions with a step of which one unknown is held, and alpha is solved for in its place; the errors of alpha."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from saddle.branches.steps.solving import SolvedSteps, solve_steps_at
from saddle.state_evolution.steps.step_equations import StepEquations
from saddle.state_evolution.steps.step_state import StepState
from saddle.state_evolution.steps.step_unknowns import StepUnknowns

__all__ = ["alpha_error", "solve_held"]


def solve_held(
    equations: StepEquations,
    unknowns: StepUnknowns,
    alpha: float,
    state: StepState,
    jacobian: np.ndarray | None,
    report: Callable[[], object] = lambda: None,
) -> SolvedSteps:
    """Solve at a held unknown from a solution near by: on few lines first, as for a given alpha.

    Parameters
    ----------
    unknowns
        With a pivot.
    alpha, state, jacobian
        Of the solution near by.

    Raises
    ------
    SolverError
        If the solution was not found.
    """
    rough = equations.on_few_lines
    if rough is equations:
        return solve_steps_at(equations, unknowns, alpha, state, jacobian, report)
    first = solve_steps_at(rough, unknowns, alpha, state, jacobian, report)
    return solve_steps_at(equations, unknowns, first.evaluation.alpha, first.state, first.jacobian, report)


def alpha_error(equations: StepEquations, solved: SolvedSteps) -> float:
    """Return the error of alpha at a held unknown, by what other rules change."""
    here, unknowns = solved.evaluation, solved.unknowns
    own = unknowns.residual(here)
    row = np.linalg.pinv(solved.jacobian)[unknowns.pivot]
    error = abs(float(row @ own))
    for variation in equations.variations(here):
        changes = [row @ (unknowns.residual(equations.changed(here, x)) - own) for x in variation.differences]
        error += float(variation.combined(np.array(changes)))
    return error * here.alpha
