"""Newton's method on the saddle-point equations, in the invariant subspace of a sector."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from replica.model.attention_model import AttentionModel
from replica.symmetry.sectors import Sector
from saddle.averages.state_space import StateSpace
from saddle.continuation.newton import NewtonResult, OutsideDomain, newton
from saddle.continuation.outcomes import Outcome
from saddle.state_evolution.state_evolution import SectorLinearization, StateEvaluation, StateEvolution

__all__ = [
    "Result",
    "canonical_signs",
    "evaluation_of",
    "informed_solution",
    "informed_states",
    "seeds_of_family",
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
WARM_UP_STEPS, WARM_UP_ROUND = 120, 20
# In natural units: overlaps below this that shrink over a round are given up; a round that changes less has settled.
SHRINKING, SETTLED = 0.02, 1e-4
# Signs of tokens' pre-activations that are tried.
MOST_PATTERNS = 4
# NOTE: dF/du has eigenvalues up to 7 on the positional branch, so larger damping factors oscillate.
WARM_UP_DAMPING = 0.2
# With weaker penalties V is of the order of 1/lambda only up to some alpha, beyond which state evolution would take
# very long to come down from there: further starts have a V as if the penalty were this.
WEAK = 0.01


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
    """Solve as :func:`solve_in_sector`, from a full state (n,)."""
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


def vanished(evaluation: StateEvaluation, sector: Sector) -> bool:
    """Return whether a solution has, to the accuracy of natural units, a symmetry that its sector breaks."""
    sizes = np.abs(evaluation.state) / evaluation.full_scales
    return any(np.all(sizes[list(part)] < VANISHED) for part in evaluation.space.broken_by(sector))


def _warmed_up(evolution: StateEvolution, state: np.ndarray, alpha: float, sector: Sector) -> np.ndarray | None:
    """Return where state evolution leads, or None if it leaves the domain or the sector's symmetry is not broken."""
    parts = [list(part) for part in evolution.space.broken_by(sector)]
    for _ in range(WARM_UP_STEPS // WARM_UP_ROUND):
        before = state
        try:
            state = evolution.iterate(state, alpha, sector, WARM_UP_ROUND, WARM_UP_DAMPING)
        except OutsideDomain:
            return None
        sizes = np.abs(state) / evolution.scales(state)
        # What is small and still shrinking will vanish.
        if any(
            np.all(sizes[part] < SHRINKING) and np.all(np.abs(state[part]) < np.abs(before[part])) for part in parts
        ):
            return None
        if np.max(np.abs(state - before) / evolution.scales(state)) < SETTLED:
            break
    state = canonical_signs(state, evolution.space)
    sizes = np.abs(state) / evolution.scales(state)
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


def informed_states(evolution: StateEvolution, sector: Sector) -> Iterator[np.ndarray]:
    """Yield states with large overlaps in the sector's directions, in units that the model sets."""
    return seeds_of_family(evolution, sector.family, sector.broken)


def seeds_of_family(evolution: StateEvolution, family: str, broken: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Yield states with large overlaps of a family's kind, among those that may differ from zero."""
    space, model = evolution.space, evolution.model
    variances = np.diagonal(evolution.channel.variances, axis1=1, axis2=2)
    informed_of_position = family in ("positional", "mixed") and any(
        i in broken for i in space.of_kind("positional_overlap")
    )
    patterns = _positional_patterns(model) if informed_of_position else [np.zeros(model.structure.directions)]
    # Pre-activations of order 0.3 are where softmax attention starts to discriminate, whatever sigma.
    sizes = (
        (0.2, 0.3, model.regularization),
        (0.1, 0.2, model.regularization),
        (0.4, 0.5, max(model.regularization, WEAK)),
    )
    for (size, field, penalty), pattern in itertools.product(sizes, patterns):
        state = np.zeros(space.size)
        informed = {space.quantities[i].indices[0] for i in space.of_kind("semantic_overlap") if i in broken}
        informed = informed if family in ("semantic", "mixed") else set()
        for index, x in enumerate(space.quantities):
            if x.kind == "self_overlap" and x.positive:
                # A column that knows nothing of the teacher is smaller than one that does; informed columns differ.
                column = x.indices[0]
                unlike = 1.0 if family == "agnostic" else 0.8**column
                state[index] = size * variances[x.group].mean() * (2.0 if column in informed else unlike)
            elif x.kind == "susceptibility" and x.positive:
                state[index] = 0.5 * variances[x.group].mean() / penalty
            elif x.kind == "positional_overlap" and index in broken:
                state[index] = field * pattern[x.indices[1]]
        for index, x in enumerate(space.quantities):
            if x.kind == "semantic_overlap" and index in broken and family in ("semantic", "mixed"):
                row, column = x.indices
                variance = space.matrices(state, "self_overlap")[x.group, row, row]
                state[index] = 0.8 * np.sqrt(variance * variances[x.group, column] / variances.shape[1])
        yield state


def _positional_patterns(model: AttentionModel) -> list[np.ndarray]:
    """Return overlaps with the encodings' directions, (k,), that tell tokens apart, at pre-activations of order one.

    Along one direction there is but one way; along several, tokens may have any signs but the same.
    """
    encoding = model.encoding_matrix
    if encoding.shape[1] == 1:
        return [np.ones(1) / np.sqrt(np.mean(encoding**2))]
    signs = [s for s in itertools.product((1.0, -1.0), repeat=len(encoding)) if s[0] > 0 and len(set(s)) > 1]
    return [np.linalg.pinv(encoding) @ np.array(s) for s in signs[:MOST_PATTERNS]]


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
        if result.outcome is not Outcome.CONVERGED or result.linearization is None:
            continue
        # Newton's method may end on a solution that separates basins; state evolution would have left it.
        attracting = np.all(np.linalg.eigvals(result.linearization.jacobian).real > 0.0)
        if attracting and not vanished(evaluation_of(result), sector):
            return result
    return None
