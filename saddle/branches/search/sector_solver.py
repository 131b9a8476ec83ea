"""Newton's method on the saddle-point equations, in the invariant subspace of a sector."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from replica.symmetry.sectors import Sector
from saddle.averages.rules.few_replicas import ONE_DEVIATION, standard_errors_for
from saddle.averages.state_space import StateSpace
from saddle.branches.search.informed_starts import seeds_of_family
from saddle.continuation.newton import NewtonResult, OutsideDomain, newton
from saddle.continuation.outcomes import Outcome
from saddle.state_evolution.evaluation import SectorEvaluation, StateEvaluation
from saddle.state_evolution.state_evolution import StateEvolution

__all__ = [
    "Result",
    "canonical_signs",
    "evaluation_of",
    "free_of_noise",
    "informed_solution",
    "solve_in_sector",
    "solve_state",
    "vanished",
]

Result = NewtonResult[SectorEvaluation]

TOLERANCE = 1e-9
STALLED = 1e-5
# A symmetry-breaking order parameter below this, in its natural unit, counts as zero: near a pitchfork state
# evolution and Newton's method both lose it slowly, and it is this small only within 1e-6 of the pitchfork.
VANISHED = 1e-3
# On scattered points, which respect no symmetry, it also does where chance makes it as large as it is, in units of its
# error from so few scrambles, more often than this; but never above this in its natural unit, however large its error.
CHANCE, NOISE = 1e-3, 0.15
# Damped state evolution only has to reach Newton's basin, on a rule that need not be accurate.
WARM_UP_STEPS, WARM_UP_ROUND = 120, 20
# In natural units: overlaps below this that shrink over a round are given up; a round that changes less has settled.
SHRINKING, SETTLED = 0.02, 1e-4
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

    def problem_on(equations: StateEvolution) -> Callable[[np.ndarray], SectorEvaluation]:
        def problem(values: np.ndarray) -> SectorEvaluation:
            state = equations.embed(values, sector)
            return SectorEvaluation(equations.evaluate(state, alpha), sector.free)

        return problem

    result = newton(problem_on(evolution), start, tolerance=TOLERANCE, max_evaluations=max_evaluations)
    if result.outcome is Outcome.MAX_STEPS and result.residual_norm < STALLED:
        other = evolution.with_rule(evolution.rule.sibling())
        result = newton(problem_on(other), result.x, tolerance=TOLERANCE, max_evaluations=max_evaluations)
    return result


def solve_state(evolution: StateEvolution, sector: Sector, state: np.ndarray, alpha: float) -> Result:
    """Solve as :func:`solve_in_sector`, from a full state (n,)."""
    return solve_in_sector(evolution, sector, np.asarray(state, dtype=float)[list(sector.free)], alpha)


def evaluation_of(result: Result) -> StateEvaluation:
    """Return the evaluation at a converged result.

    Raises
    ------
    ValueError
        If the result did not converge: there is no solution to look at.
    """
    if result.outcome is not Outcome.CONVERGED or result.last is None:
        raise ValueError(f"no converged solution: {result.outcome.value}")
    return result.last.evaluation


def vanished(evaluation: StateEvaluation, sector: Sector) -> bool:
    """Return whether a solution has, to the accuracy of natural units, a symmetry that its sector breaks."""
    sizes = np.abs(evaluation.state) / evaluation.full_units
    return any(np.all(sizes[list(part)] < VANISHED) for part in evaluation.space.broken_by(sector))


def free_of_noise(evaluation: StateEvaluation, sector: Sector) -> np.ndarray:
    """Return a solution's state (n,) without what breaks a symmetry by no more than the rule's own errors.

    Scattered points respect no symmetry: a solution of the symmetric subspace, sought in a wider one, has order
    parameters that break it by what the points err, which in units of their errors follow Student's law. On a lattice,
    whose errors are no scatter, the state is returned.
    """
    state, outer = evaluation.state, evaluation.averages.outer
    if outer.factors is not None:
        return state
    rare, common = (standard_errors_for(chance, len(outer.embedded)) for chance in (CHANCE, ONE_DEVIATION))
    # Errors are as many standard errors as chance often exceeds; these are as many as it seldom does.
    times = rare / common
    bounds = np.minimum(times * evaluation.order_parameter_errors(sector.free), NOISE * evaluation.full_units)
    cleaned = state.copy()
    for part in map(list, evaluation.space.broken_by(sector)):
        if np.all(np.abs(state[part]) < bounds[part]):
            cleaned[part] = 0.0
    return cleaned


def _warmed_up(evolution: StateEvolution, state: np.ndarray, alpha: float, sector: Sector) -> np.ndarray | None:
    """Return where state evolution leads, or None if it leaves the domain or the sector's symmetry is not broken."""
    parts = [list(part) for part in evolution.space.broken_by(sector)]
    for _ in range(WARM_UP_STEPS // WARM_UP_ROUND):
        before = state
        try:
            state = evolution.iterate(state, alpha, sector, WARM_UP_ROUND, WARM_UP_DAMPING)
        except OutsideDomain:
            return None
        sizes = np.abs(state) / evolution.units(state)
        # What is small and still shrinking will vanish.
        if any(
            np.all(sizes[part] < SHRINKING) and np.all(np.abs(state[part]) < np.abs(before[part])) for part in parts
        ):
            return None
        if np.max(np.abs(state - before) / evolution.units(state)) < SETTLED:
            break
    state = canonical_signs(state, evolution.space)
    sizes = np.abs(state) / evolution.units(state)
    return None if any(np.all(sizes[part] < VANISHED) for part in parts) else state


def canonical_signs(state: np.ndarray, space: StateSpace) -> np.ndarray:
    """Return the equivalent state whose first overlaps m and theta are not negative, as far as symmetries allow."""
    state = np.array(state, dtype=float)
    if not space.group:
        return state
    odd = list(space.odd)
    images = [state, *(np.array(signs) * state for signs in space.group)]
    # Of equivalent states, the one with the greatest overlaps, compared one after the other.
    return max(images, key=lambda image: tuple(image[odd]))


def informed_solution(
    evolution: StateEvolution, sector: Sector, alpha: float, family: str | None = None, most: int | None = None
) -> Result | None:
    """Look for a solution with all of a sector's overlaps: state evolution from informed states, then Newton.

    Parameters
    ----------
    evolution, sector, alpha
        Where to look.
    family
        Which overlaps the starts have; by default those of the sector.
    most
        Number of starts; by default all there are.

    Returns
    -------
    NewtonResult or None
        Stable within its sector. None if every start flows to a solution of higher symmetry or fails; this
        proves no absence.
    """
    coarse = evolution.with_rule(evolution.rule.coarsened())
    seeds = seeds_of_family(evolution, family or sector.family, sector.broken)
    for state in itertools.islice(seeds, most):
        state = _warmed_up(coarse, state, alpha, sector)
        if state is None:
            continue
        result = solve_state(evolution, sector, state, alpha)
        if result.outcome is not Outcome.CONVERGED or result.last is None:
            continue
        # Newton's method may end on a solution that separates basins; state evolution would have left it.
        attracting = np.all(np.linalg.eigvals(result.last.jacobian).real > 0.0)
        here = evaluation_of(result)
        noisy = not np.array_equal(free_of_noise(here, sector), here.state)
        if attracting and not noisy and not vanished(here, sector):
            return result
    return None
