"""Newton's method on the saddle-point equations, in the invariant subspace of a sector."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from replica.sectors import POSITIONAL_INDEX, SEMANTIC_INDEX, Sector
from saddle.continuation.newton import NewtonResult, OutsideDomain, newton
from saddle.outcomes import Outcome
from saddle.state_evolution import SectorLinearization, StateEvaluation, StateEvolution

__all__ = [
    "canonical_signs",
    "evaluation_of",
    "informed_solution",
    "informed_states",
    "solve_in_sector",
    "solve_state",
    "vanished",
]

Result = NewtonResult[SectorLinearization]

TOLERANCE = 1e-9
STALLED = 1e-5
# A symmetry-breaking order parameter below this, in its natural unit, counts as zero: near a pitchfork state
# evolution and Newton's method both lose it slowly, and it is this small only within 1e-6 of the pitchfork.
VANISHED = 1e-3
# Damped state evolution only has to reach Newton's basin, on a rule that need not be accurate.
WARM_UP_STEPS = 120
# NOTE: dF/du has eigenvalues up to 7 on the positional branch, so larger damping factors oscillate.
WARM_UP_DAMPING = 0.2


def solve_in_sector(
    evolution: StateEvolution, sector: Sector, start: np.ndarray, alpha: float, max_evaluations: int = 20
) -> Result:
    """Solve the equations of a sector at fixed alpha; ``start`` holds the sector's unknowns.

    Where a line's jump is just being born, or is missed between two scan points, the residual may have a small step,
    across which Newton's method stalls. The step lies elsewhere for a rule whose lines are scanned at other points,
    so a stalled solve is finished on one, whose accuracy is the same.
    """

    def problem_on(equations: StateEvolution) -> Callable[[np.ndarray], SectorLinearization]:
        def problem(values: np.ndarray) -> SectorLinearization:
            state = equations.embed(values, sector)
            return SectorLinearization(equations.evaluate(state, alpha), sector.free)

        return problem

    result = newton(problem_on(evolution), start, tolerance=TOLERANCE, max_evaluations=max_evaluations)
    if result.outcome is Outcome.MAX_STEPS and result.residual_norm < STALLED:
        other = evolution.with_rule(evolution.rule.sibling())
        result = newton(problem_on(other), result.x, tolerance=TOLERANCE, max_evaluations=max_evaluations)
    return result


def solve_state(evolution: StateEvolution, sector: Sector, state: np.ndarray, alpha: float) -> Result:
    """Solve as :func:`solve_in_sector`, from a full state (4,)."""
    return solve_in_sector(evolution, sector, np.asarray(state, dtype=float)[list(sector.free)], alpha)


def evaluation_of(result: Result) -> StateEvaluation:
    """Return the evaluation at a converged result.

    Raises
    ------
    ValueError
        If the result did not converge: there is no solution to look at.
    """
    if result.outcome is not Outcome.CONVERGED or result.linearization is None:
        raise ValueError(f"no converged solution: {result.outcome.value}")
    return result.linearization.evaluation


def vanished(evaluation: StateEvaluation, sector: Sector) -> tuple[int, ...]:
    """Return which of the sector's symmetry-breaking order parameters are zero, in natural units."""
    sizes = np.abs(evaluation.state) / evaluation.full_scales
    return tuple(i for i in sector.broken if sizes[i] < VANISHED)


def canonical_signs(state: np.ndarray) -> np.ndarray:
    """Return the equivalent state with m >= 0 and theta >= 0."""
    state = np.array(state, dtype=float)
    for index in (POSITIONAL_INDEX, SEMANTIC_INDEX):
        state[index] = abs(state[index])
    return state


def informed_states(evolution: StateEvolution, sector: Sector) -> Iterator[np.ndarray]:
    """Yield states with large overlaps in the sector's directions, in units that the model sets."""
    rho, ridge = evolution.model.token_variance, evolution.model.regularization
    largest_susceptibility = rho / ridge
    encoding = np.sqrt(np.mean(np.square(evolution.model.positional_encoding)))
    # Pre-activations of order 0.3 are where softmax attention starts to discriminate, whatever sigma.
    for size, field in ((0.2, 0.3), (0.1, 0.2), (0.4, 0.5)):
        state = np.zeros(4)
        state[0], state[2] = size * rho, 0.5 * largest_susceptibility
        if POSITIONAL_INDEX in sector.broken:
            state[POSITIONAL_INDEX] = field / encoding
        if SEMANTIC_INDEX in sector.broken:
            state[0] = 2.0 * size * rho
            state[SEMANTIC_INDEX] = 0.8 * np.sqrt(state[0] * rho)
        yield state


def informed_solution(evolution: StateEvolution, sector: Sector, alpha: float) -> Result | None:
    """Look for a solution with all of a sector's overlaps: state evolution from informed states, then Newton.

    Returns
    -------
    NewtonResult or None
        Stable within its sector. None if every start flows to a solution of higher symmetry or fails; this
        proves no absence.
    """
    coarse = evolution.with_rule(evolution.rule.coarsened())
    for state in informed_states(evolution, sector):
        try:
            state = canonical_signs(coarse.iterate(state, alpha, sector, WARM_UP_STEPS, WARM_UP_DAMPING))
        except OutsideDomain:
            continue
        sizes = np.abs(state) / evolution.scales(state)
        if any(sizes[i] < VANISHED for i in sector.broken):
            continue
        result = solve_state(evolution, sector, state, alpha)
        if result.outcome is not Outcome.CONVERGED or result.linearization is None:
            continue
        # Newton's method may end on a solution that separates basins; state evolution would have left it.
        attracting = np.all(np.linalg.eigvals(result.linearization.jacobian).real > 0.0)
        if attracting and not vanished(evaluation_of(result), sector):
            return result
    return None
