"""Look for solutions at one alpha from starts that know nothing of the branches found so far.

State evolution on a rough rule leads from each start towards something that attracts, Newton's method on that rule
finishes; what is not a known solution is solved again on better rules. That nothing is found proves no absence.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from baselines import best_positional_attention, best_semantic_attention
from replica.model.attention_model import AttentionModel
from replica.symmetry.sectors import Sector
from saddle.averages.in_threads import in_threads
from saddle.averages.rules.lattice import LineRule
from saddle.averages.rules.outer import OuterRule
from saddle.averages.rules.sobol import SobolRule
from saddle.averages.state_space import StateSpace
from saddle.branches.search.informed_starts import (
    WEAK,
    informed_states,
    knows_several_columns,
    seeds_of_family,
)
from saddle.branches.search.sector_solver import evaluation_of, free_of_noise, informed_solution, solve_state
from saddle.branches.search.solution_identity import aligned, distance
from saddle.continuation.newton import OutsideDomain, newton
from saddle.continuation.outcomes import Outcome
from saddle.state_evolution.evaluation import SectorEvaluation, StateEvaluation
from saddle.state_evolution.state_evolution import StateEvolution

__all__ = ["NewSolution", "Sought", "seek", "starts"]

# Damped state evolution between two attempts of Newton's method, and how often both are repeated.
STEPS, DAMPING, ROUNDS = 8, 0.2, 3
# Rough rules have steps in their residuals: what is nearly solved there is solved on a better one.
ROUGH_EVALUATIONS, ROUGH_TOLERANCE, NEARLY = 7, 1e-3, 2e-2
# Distances in natural units: of states that go to one solution on a rough rule, of a rough solution and a known one
# that it stands for, and of two solutions that are one.
CLUSTERED, ROUGHLY, SAME = 0.05, 0.05, 0.01
# An overlap below this, in its natural unit, is zero.
VANISHED = 2e-3
# The same, for what a rule's error leaves of a rotated solution of several columns.
ROTATED = 0.12
# The same, of what it leaves of correlations between columns.
CORRELATED = 0.02
# By what overlaps are shortened, to begin again inside the domain.
INWARDS = 0.99
RANDOM_STARTS, INFORMED_STARTS = 3, 2
MOST_MIXED, MOST_SECTORS = 3, 16


@dataclass(frozen=True)
class NewSolution:
    """A solution that was not known.

    Attributes
    ----------
    sector
        The smallest invariant subspace that holds it.
    evaluation
        The solution on the branches' rule.
    attracting
        Whether state evolution within the sector returns to it.
    """

    sector: Sector
    evaluation: StateEvaluation
    attracting: bool


@dataclass(frozen=True)
class Sought:
    """What a search at one alpha found.

    Attributes
    ----------
    alpha
        Where.
    starts, converged
        Number of starts, and of those from which a solution was reached.
    new
        Solutions that were not known.
    """

    alpha: float
    starts: int
    converged: int
    new: tuple[NewSolution, ...]


def rough_rules(rule: OuterRule, several_columns: bool = False) -> tuple[OuterRule, OuterRule]:
    """Return a rough rule for following state evolution, and a better one for telling solutions apart.

    Where several columns' proximal points jump, each in a direction of its own, a lattice is rougher.
    """
    if isinstance(rule, LineRule):
        if several_columns:
            return LineRule.for_tolerance(2e-2), LineRule.for_tolerance(5e-3)
        return LineRule.for_tolerance(1e-1), LineRule.for_tolerance(2e-2)
    return SobolRule(points=32, scrambles=2), SobolRule(points=128, scrambles=2)


def _moderate(evolution: StateEvolution, state: np.ndarray) -> np.ndarray:
    """Return a start with a smaller V, if the penalty is so weak that 1/lambda is far above what data allow."""
    changed = state.copy()
    for index, x in enumerate(evolution.space.quantities):
        if x.kind == "susceptibility" and x.positive:
            changed[index] *= min(1.0, evolution.model.regularization / WEAK)
    return changed


def _template(evolution: StateEvolution) -> np.ndarray:
    """Return a mixed state."""
    return _moderate(evolution, next(informed_states(evolution, evolution.sectors[-1])))


def _random_states(evolution: StateEvolution) -> Iterator[np.ndarray]:
    """Yield states with overlaps of any size and sign, the same for every model of one structure."""
    generator = np.random.default_rng(evolution.space.size)
    template = _template(evolution)
    variances = np.diagonal(evolution.channel.variances, axis1=1, axis2=2)
    space = evolution.space
    for _ in range(RANDOM_STARTS):
        state = template.copy()
        for index, x in enumerate(space.quantities):
            if x.kind in ("self_overlap", "susceptibility") and x.positive:
                state[index] *= 10.0 ** generator.uniform(-1.0, 0.7)
        units = space.units(state, evolution.channel.variances)
        for index in space.odd:
            # Within Cauchy and Schwarz for theta; m is free.
            bound = 0.9 / np.sqrt(variances.shape[1]) if space.quantities[index].kind == "semantic_overlap" else 2.0
            state[index] = generator.uniform(-bound, bound) * units[index]
        yield state


def _population_states(evolution: StateEvolution) -> Iterator[np.ndarray]:
    """Yield the minima of the population risk, where branches of the paper's kind of model end at large alpha."""
    if not evolution.model.structure.is_paper_kind:
        return
    template = _template(evolution)
    for overlaps in _population_overlaps(evolution.model):
        state = template.copy()
        state[[0, 1, 3]] = overlaps
        yield state


@lru_cache(maxsize=8)
def _population_overlaps(model: AttentionModel) -> tuple[tuple[float, float, float], ...]:
    """Return q, a little widened, m and theta of the optima at infinite data; kept, for every search asks for them."""
    optima = [optimum(model) for optimum in (best_positional_attention, best_semantic_attention)]
    return tuple(
        (1.05 * max(best.self_overlap, 1e-3), best.positional_overlap, best.semantic_overlap) for best in optima
    )


def _families(space: StateSpace) -> list[tuple[str, Sector]]:
    """Return families of solutions to start from, and the sector in which each is looked for.

    That is the smallest sector of the family; where symmetries do not tell the family from others, the smallest one
    that holds all of them. With several columns, every aligned mixed sector. Without encodings, every aligned sector,
    and the widest one, where columns may overlap in any way.
    """
    if not space.layout.directions:
        listed = [(sector.family, sector) for sector in space.sectors if space.is_aligned(sector)][:MOST_SECTORS]
        widest = space.sectors[-1]
        alone = any(widest == sector for _, sector in listed) or not space.is_aligned(widest)
        return listed if alone else [*listed, (widest.family, widest)]
    smallest: dict[str, Sector] = {}
    for sector in space.sectors:
        smallest.setdefault(sector.family, sector)
    # Without encodings, or with outputs that know the teacher's sign, there are fewer.
    widest = smallest.get("mixed", space.sectors[-1])
    kinds = {"positional": "positional_overlap", "semantic": "semantic_overlap"}
    wanted = [
        (family, smallest.get(family, widest))
        for family in ("agnostic", "positional", "semantic")
        if family == "agnostic" or space.of_kind(kinds[family])
    ]
    others = [sector for sector in space.sectors if sector.family == "mixed" and space.is_aligned(sector)]
    return wanted + [("mixed", sector) for sector in others[:MOST_MIXED]]


def starts(evolution: StateEvolution, known: Sequence[np.ndarray], *, thorough: bool = True) -> list[np.ndarray]:
    """Return the starts of a search, states (n,).

    From every sector's informed states, of several sizes; from random states and, where they are known, the optima at
    infinite data in the full space; and, if ``thorough``, from half-way between any two known solutions.
    """
    most = INFORMED_STARTS if thorough else 1
    if knows_several_columns(evolution.space):
        # Every overlap at once, and one for each column.
        most *= 2
    found = [
        state
        for family, sector in _families(evolution.space)
        for state in itertools.islice(seeds_of_family(evolution, family, sector.broken), most)
    ]
    if evolution.model.regularization < WEAK:
        found += [_moderate(evolution, state) for state in found]
    found += _random_states(evolution) if thorough else itertools.islice(_random_states(evolution), 1)
    if thorough:
        found += _population_states(evolution)
        found += [0.5 * (a + b) for a, b in itertools.combinations(known[:4], 2)]
    return found


def _smallest_sector(evolution: StateEvolution, state: np.ndarray) -> Sector:
    """Return the smallest sector that holds what does not vanish of a state."""
    space = evolution.space
    sizes = np.abs(state) / evolution.units(space.floored(state))
    alive = {i for i in range(space.size) if sizes[i] > VANISHED}
    fitting = [sector for sector in space.sectors if alive <= set(sector.free)]
    return min(fitting, key=lambda sector: len(sector.free))


def _sector_of_start(evolution: StateEvolution, state: np.ndarray) -> Sector:
    """Return the smallest sector that holds a start exactly: state evolution never leaves it."""
    alive = set(map(int, np.flatnonzero(state)))
    fitting = [sector for sector in evolution.space.sectors if alive <= set(sector.free)]
    return min(fitting, key=lambda sector: len(sector.free))


def _flow(
    rough: StateEvolution, alpha: float, start: np.ndarray, known: Sequence[np.ndarray]
) -> np.ndarray | int | None:
    """Return where a start leads on a rough rule: a state, the place of a known solution, or nothing."""
    sector, state = _sector_of_start(rough, start), start
    variances = rough.channel.variances
    for _ in range(ROUNDS):
        try:
            state = rough.iterate(state, alpha, sector, STEPS, DAMPING)
        except OutsideDomain:
            return None
        for place, other in enumerate(known):
            if distance(rough.space, variances, state, other) < ROUGHLY:
                return place
        led = _nearly_solved(rough, sector, state, alpha)
        if led is not None:
            return led
    return None


def _nearly_solved(
    rough: StateEvolution, sector: Sector, state: np.ndarray, alpha: float, most: int = ROUGH_EVALUATIONS
) -> np.ndarray | None:
    """Solve in a sector as well as a rough rule allows; None where it does not come near."""

    def problem(values: np.ndarray) -> SectorEvaluation:
        return SectorEvaluation(rough.evaluate(rough.embed(values, sector), alpha), sector.free)

    result = newton(problem, state[list(sector.free)], tolerance=ROUGH_TOLERANCE, max_evaluations=most)
    return rough.embed(result.x, sector) if result.residual_norm < NEARLY else None


def _solve(evolution: StateEvolution, state: np.ndarray, alpha: float) -> tuple[Sector, StateEvaluation] | None:
    """Solve from a state in the smallest sector that holds it; None if that fails."""
    turned = aligned(evolution.space, state)
    sector = _smallest_sector(evolution, turned)
    rotated = evolution.space.rotations and not evolution.space.is_aligned(sector)
    if rotated or (evolution.space.layout.rank > 1 and not evolution.space.layout.directions):
        # A rule is not invariant under rotations of columns: what it leaves of a rotated solution is its own error. So
        # is what it leaves of correlations between columns that have none.
        snapped = _solved_aligned(evolution, turned, alpha, ROTATED if rotated else CORRELATED)
        if snapped is not None:
            return snapped
    result = solve_state(evolution, sector, turned, alpha)
    if result.outcome is not Outcome.CONVERGED:
        return None
    evaluation = evaluation_of(result)
    cleaned = free_of_noise(evaluation, sector)
    within_errors = _smallest_sector(evolution, cleaned)
    if within_errors != sector:
        # Where there is no such solution, what the points seem to break is broken.
        result = solve_state(evolution, within_errors, cleaned, alpha)
        if result.outcome is Outcome.CONVERGED:
            return within_errors, evaluation_of(result)
    smaller = _smallest_sector(evolution, evaluation.state)
    if smaller != sector:
        result = solve_state(evolution, smaller, evaluation.state, alpha)
        if result.outcome is not Outcome.CONVERGED:
            return None
        sector, evaluation = smaller, evaluation_of(result)
    return sector, evaluation


def _solved_aligned(
    evolution: StateEvolution, turned: np.ndarray, alpha: float, vanished: float
) -> tuple[Sector, StateEvaluation] | None:
    """Solve next to a state whose columns nearly stand in the axes of an aligned sector, in that sector."""
    space = evolution.space
    sizes = np.abs(turned) / evolution.units(space.floored(turned))
    alive = {i for i in range(space.size) if sizes[i] > vanished}
    fitting = [sector for sector in space.sectors if alive <= set(sector.free) and space.is_aligned(sector)]
    if not fitting:
        return None
    sector = min(fitting, key=lambda sector: len(sector.free))
    result = solve_state(evolution, sector, turned, alpha)
    if result.outcome is not Outcome.CONVERGED:
        return None
    found = evaluation_of(result)
    away = distance(space, evolution.channel.variances, found.state, turned)
    return (sector, found) if away < 2.0 * vanished else None


def seek(evolution: StateEvolution, alpha: float, known: Sequence[np.ndarray], *, thorough: bool = True) -> Sought:
    """Look for solutions at one alpha that are not among the known ones.

    Parameters
    ----------
    evolution
        The equations on the branches' rule.
    alpha
        Where.
    known
        States (n,) of the solutions known there.
    thorough
        Whether all starts are used, or a few.

    Returns
    -------
    Sought
        Rough rules have so few lines that more threads than one would only wait for each other.
    """
    layout = evolution.space.layout
    several = not layout.directions and layout.rank > 1
    first, second = (StateEvolution(evolution.model, rule, 1) for rule in rough_rules(evolution.rule, several))
    begun = starts(evolution, known, thorough=thorough)
    led = list(in_threads(lambda start: _flow(first, alpha, start, known), begun, evolution.threads))
    converged = sum(end is not None for end in led)
    space, variances = evolution.space, evolution.channel.variances
    clusters: list[np.ndarray] = []
    for end in led:
        if isinstance(end, np.ndarray) and all(
            distance(space, variances, end, other) > CLUSTERED for other in clusters
        ):
            clusters.append(end)
    new: list[NewSolution] = []
    for state in clusters:
        found = _unknown(evolution, second, state, alpha, [*known, *(one.evaluation.state for one in new)])
        new += [] if found is None else [found]
    tried = len(begun)
    if not known and not new:
        # Weights may be so small that no line of a rough rule shows them.
        results = [informed_solution(evolution, sector, alpha, family, most=1) for family, sector in _families(space)]
        tried += len(results)
        converged += sum(result is not None for result in results)
        for result, (_, sector) in zip(results, _families(space), strict=True):
            if result is None:
                continue
            here = evaluation_of(result)
            if all(distance(space, variances, here.state, one.evaluation.state) >= SAME for one in new):
                new.append(NewSolution(sector, here, True))
    return Sought(alpha, tried, converged, tuple(new))


def _inwards(space: StateSpace, state: np.ndarray) -> np.ndarray:
    """Return a state with overlaps a little smaller, away from the edge of the domain."""
    moved = state.copy()
    moved[list(space.odd)] *= INWARDS
    return moved


def _unknown(
    evolution: StateEvolution, better: StateEvolution, state: np.ndarray, alpha: float, known: Sequence[np.ndarray]
) -> NewSolution | None:
    """Solve again on better rules, as long as it may be a new solution; None if it is none."""
    space, variances = evolution.space, evolution.channel.variances
    turned = aligned(space, state)
    led = _nearly_solved(better, _smallest_sector(better, turned), turned, alpha)
    if led is None and not space.layout.directions:
        # Who knows a teacher almost perfectly stands so near to the edge of the domain that another rule steps over it.
        back = _inwards(space, turned)
        led = _nearly_solved(better, _smallest_sector(better, back), back, alpha, 2 * ROUGH_EVALUATIONS)
    if led is None or any(distance(space, variances, led, other) < ROUGHLY for other in known):
        return None
    solved = _solve(evolution, led, alpha)
    if solved is None and not space.layout.directions:
        solved = _solve(evolution, _inwards(space, led), alpha)
    if solved is None:
        return None
    sector, evaluation = solved
    if any(distance(space, variances, evaluation.state, other) < SAME for other in known):
        return None
    free = list(sector.free)
    block = evaluation.full_jacobian[np.ix_(free, free)]
    return NewSolution(sector, evaluation, bool(np.all(np.linalg.eigvals(block).real > 0.0)))
