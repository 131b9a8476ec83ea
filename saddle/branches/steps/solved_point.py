"""From solved equations to a solution with errors: what other rules change, and whether one more step is needed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from replica.symmetry.sectors import Sector
from saddle.branches.steps.solving import DIFFERENCE, LOOSE_DIFFERENCE, SolvedSteps, with_wide_differences
from saddle.branches.steps.step_solution import BrokenSymmetryPoint
from saddle.continuation.newton import OutsideDomain
from saddle.state_evolution.evaluation import StateEvaluation
from saddle.state_evolution.steps.step_equations import StepEquations, StepEvaluation
from saddle.state_evolution.steps.step_stability import solution_stability
from saddle.state_evolution.steps.step_state import StepState

__all__ = ["point_of_solved"]

# Step of the unknowns by which changes are followed.
SHORT = 1e-3
# Error of y, relative to it, above which it is known to a factor only.
VAGUE = 0.7


def point_of_solved(
    equations: StepEquations,
    sector: Sector,
    symmetric: StateEvaluation,
    solved: SolvedSteps,
    report: Callable[[], object],
) -> BrokenSymmetryPoint:
    r"""Estimate the errors of a solution by other rules, and gather what is known.

    Notes
    -----
    A rule changes C by dC and so, since Phi is stationary, Phi along solutions of any y by :math:`\alpha\,dC`; the
    slope of that in :math:`\log y` changes energy and complexity, :math:`-\partial(y\Phi)/\partial y` and
    :math:`-y^2\partial\Phi/\partial y`, at given y.
    """
    if equations.on_lines:
        solved = with_wide_differences(equations, solved)
        report()
    here, unknowns = solved.evaluation, solved.unknowns
    vector, state = unknowns.vector(here.state, here.alpha), here.state
    own = unknowns.residual(here)

    def along(moved: np.ndarray) -> np.ndarray:
        """Return the change of order parameters, y, and what fresh data see with the unknowns, to first order."""
        # Unknowns are logarithms: a short step, so that it stays a first order.
        short = min(1.0, SHORT / max(float(np.max(np.abs(moved))), 1e-300))
        there = unknowns.state(vector + short * moved, state.parisi)
        parts = [
            here.space.vector(there) - here.space.vector(state),
            there.parisi - state.parisi,
            _as_symmetric(symmetric, there) - _as_symmetric(symmetric, state),
        ]
        return np.concatenate(parts) / short

    def change(residual: np.ndarray) -> np.ndarray:
        return along(-np.linalg.lstsq(solved.jacobian, residual, rcond=None)[0])

    by_parisi = _along_parisi(equations, solved)
    report()
    size = here.space.size
    order_by_parisi = along(np.append(by_parisi[:, 0], np.zeros(len(vector) - len(by_parisi))))[:size]

    def energies(evaluation: StepEvaluation) -> np.ndarray:
        """Return by how much energy and complexity at this y are other ones than here, to first order."""
        changed, y = here.alpha * (evaluation.average - here.average), float(state.parisi[0])
        slope = float(changed[1 : 1 + size] @ order_by_parisi + changed[1 + size] * y)
        return np.array([-changed[0] - slope, -y * slope])

    # What is left of the residual, where a kink on a grid point leaves it no zero, and then other rules.
    changes, free_entropy_error, energy_errors = np.abs(change(own)), 0.0, np.zeros(2)
    fresh = equations.evolution.channel.averages(_as_symmetric(symmetric, state))
    slopes, n = fresh.test_error_derivatives, size + equations.steps
    test_error_error = fresh.test_error_error + abs(float(change(own)[n:] @ slopes))
    for variation in equations.variations(here):
        report()
        found = [equations.changed(here, x) for x in variation.differences]
        rows = np.array([change(unknowns.residual(x) - own) for x in found])
        changes = changes + variation.combined(rows)
        test_error_error += float(variation.combined(rows[:, n:] @ slopes))
        free_entropy_error += float(variation.combined(np.array([x.free_entropy - here.free_entropy for x in found])))
        energy_errors = energy_errors + variation.combined(np.array([energies(x) for x in found]))
    parisi_errors = changes[size:n]
    moved = _moved(equations, solved, by_parisi, parisi_errors / state.parisi)
    report()
    stability = solution_stability(equations, here, moved)
    report()
    return BrokenSymmetryPoint(
        alpha=here.alpha,
        sector=sector,
        evolution=equations.evolution,
        rule=equations.rule,
        state=state,
        state_errors=changes[:size],
        parisi_errors=parisi_errors,
        conjugates=here.conjugates,
        free_entropy=here.free_entropy,
        free_entropy_error=free_entropy_error,
        by_parisi=here.by_parisi,
        average_envelope=here.average_envelope,
        energy_error=float(energy_errors[0]),
        complexity_error=float(energy_errors[1]),
        test_error=fresh.test_error,
        test_error_error=test_error_error,
        stability=stability,
        symmetric=symmetric,
    )


def _along_parisi(equations: StepEquations, solved: SolvedSteps) -> np.ndarray:
    """Return the derivatives of the unknowns but y in every log y along solutions of given y, (n, k)."""
    here, unknowns, k = solved.evaluation, solved.unknowns, equations.steps
    if unknowns.parisi:
        n = len(solved.jacobian) - k
        at_given, by_y = solved.jacobian[:n, :n], solved.jacobian[:n, n:]
    else:
        at_given, step = solved.jacobian, LOOSE_DIFFERENCE if equations.on_lines else DIFFERENCE
        vector, own = unknowns.vector(here.state, here.alpha), unknowns.residual(here)
        columns = []
        for j in range(k):
            parisi = here.state.parisi * np.exp(step * (np.arange(k) == j))
            there = equations.evaluate(unknowns.state(vector, parisi), here.alpha, here.grid)
            columns.append((unknowns.residual(there) - own) / step)
        by_y = np.stack(columns, axis=1)
    return -np.linalg.lstsq(at_given, by_y, rcond=None)[0]


def _moved(
    equations: StepEquations, solved: SolvedSteps, by_parisi: np.ndarray, errors: np.ndarray
) -> list[StepEvaluation] | None:
    """Return solutions of other y, each y moved by its relative error; None if these are vague."""
    here, unknowns = solved.evaluation, solved.unknowns
    if not unknowns.parisi:
        return []
    if not np.all(errors < VAGUE):
        return None
    vector, found = unknowns.vector(here.state, here.alpha), []
    for j, error in enumerate(errors):
        moved = vector + error * np.append(by_parisi[:, j], np.arange(len(errors)) == j)
        try:
            found.append(
                equations.evaluate(unknowns.state(moved, here.state.parisi), unknowns.alpha(moved, here.alpha))
            )
        except OutsideDomain:
            return None
    return found


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
