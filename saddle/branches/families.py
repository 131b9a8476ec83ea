"""Find families of solutions over an interval of alpha: by continuation, and from starts that know no branch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from replica.symmetry.sectors import Sector
from saddle.averages.rules.rule_arguments import is_lattice
from saddle.averages.state_space import StateSpace
from saddle.branches.problem import AttentionProblem, state_evaluation
from saddle.branches.search.search_interval import HIGHEST
from saddle.branches.search.sector_solver import evaluation_of, solve_state, vanished
from saddle.branches.search.seeking import NewSolution, Sought, seek
from saddle.branches.sector_blocks import sector_of
from saddle.continuation.curve.curves import between, crossings
from saddle.continuation.curve.stepping import StepControl
from saddle.continuation.exploration import explore
from saddle.continuation.explored import Exploration, TracedBranch
from saddle.continuation.outcomes import Outcome
from saddle.continuation.scope import Scope
from saddle.continuation.special_points.special_point import SpecialPoint
from saddle.state_evolution.state_evolution import StateEvolution

__all__ = ["Families", "find_families", "follow", "look_again", "states_at"]

# Values of alpha at which solutions are looked for that no branch leads to.
# Beyond the least upper end, if the interval is longer by this factor in the square root, there are further ones.
ANCHORS, FURTHER, LONGER = 5, 2, 1.15
# Near a pitchfork the equations fix alpha only to their noise over the overlap that vanishes: new branches are
# entered at this distance from it, in natural units.
# Rough rules, whose noise is larger, need more.
AMPLITUDE, ROUGH_AMPLITUDE, ROUGH = 0.15, 0.3, 1e-6
# Of |Q|^2/d, and of d log(alpha)/d log(q).
SMALL_WEIGHTS, NEARLY_VERTICAL = 1e-2, 3e-3
# Points of a curve are starts for what is stored: they need not be solved to the last digit.
CONTROL = StepControl(initial=0.05, smallest=1e-4, largest=0.4, angle=0.4, drift=0.2, slack=0.1, tolerance=3e-6)


@dataclass(frozen=True)
class Families:
    """Curves of solutions found; no completeness is claimed.

    Attributes
    ----------
    problem
        The equations as continued.
    branches
        The curves with their special points.
    complete
        False after an interruption.
    searches
        What was looked for where, from starts that know nothing of the branches.
    bounds
        Lowest and highest alpha between which curves were followed.
    tried
        Pitchforks at which no branch was known, and one was looked for further on.
    """

    problem: AttentionProblem
    branches: tuple[TracedBranch, ...]
    complete: bool
    searches: tuple[Sought, ...] = ()
    bounds: tuple[float, float] = (0.0, np.inf)
    tried: tuple[SpecialPoint, ...] = ()

    def of(self, sector: Sector) -> list[TracedBranch]:
        """Return the curves of one sector."""
        space = self.problem.space
        return [branch for branch in self.branches if sector_of(branch.section.block, space) == sector]

    @property
    def sectors(self) -> tuple[Sector, ...]:
        """The model's sectors, and further ones that curves were found in."""
        space = self.problem.space
        found = [sector_of(branch.section.block, space) for branch in self.branches]
        return tuple(dict.fromkeys((*space.sectors, *found)))


def _weights_vanish(space: StateSpace, before: np.ndarray, after: np.ndarray, token_variance: float) -> bool:
    """Whether a branch (u, alpha) is about to end at q = 0, at an alpha that hardly changes any more.

    With a strong penalty, Q = 0 is the minimum up to some alpha. Branches that begin there do so with
    |Q|^2 proportional to the distance from it: that near, noise of the rule makes folds that are not there. Where
    alpha itself tends to zero, q does so in proportion.
    """
    first, last = (
        np.min(np.diagonal(space.matrices(point, "self_overlap"), axis1=1, axis2=2)) for point in (before, after)
    )
    if not last < min(first, SMALL_WEIGHTS * token_variance):
        return False
    return abs(np.log(after[-1] / before[-1])) < NEARLY_VERTICAL * np.log(first / last)


def _anchors(bounds: tuple[float, float], upwards: bool) -> list[float]:
    """Return values of alpha at which to look for solutions: the lower end of the interval first.

    Up to the least upper end they are the same for every interval, so that a longer one sees no less.
    """
    low, high = np.sqrt(bounds[0]), np.sqrt(bounds[1])
    least = min(high, np.sqrt(HIGHEST))
    roots = np.linspace(low, least, ANCHORS)
    if high > LONGER * least:
        roots = np.append(roots, np.linspace(least, high, FURTHER + 1)[1:])
    else:
        roots[-1] = high
    alphas = [float(np.clip(root**2, *bounds)) for root in roots]
    return alphas if upwards else [alphas[0], *alphas[:0:-1]]


def states_at(branches: Sequence[TracedBranch], alpha: float) -> list[np.ndarray]:
    """Return interpolated states (n,) of all curves wherever they pass a value of alpha."""
    found = []
    for branch in branches:
        section, points = branch.section, branch.curve.points
        for segment in pairwise(points):
            first, last = segment[0].y[-1], segment[1].y[-1]
            turns = segment[0].tangent[-1] * segment[1].tangent[-1] < 0.0
            if not turns and not min(first, last) <= alpha <= max(first, last):
                continue
            units = np.asarray(section.units(segment[1].y), dtype=float)
            for fraction in crossings(segment, units, len(segment[0].y) - 1, alpha):
                found.append(section.full(between(segment, units, fraction))[0])
    return found


def find_families(
    evolution: StateEvolution,
    bounds: tuple[float, float],
    *,
    upwards: bool = False,
    report: Callable[[str], object] = lambda what: None,
) -> Families:
    """Find families of solutions and follow each over an interval of alpha.

    At the lower end of the interval, and at a few values above, solutions are looked for in every sector and in the
    full space (:func:`saddle.branches.search.seeking.seek`); what is new is followed over all of the interval, and from
    its pitchforks, and theirs, all that is connected to it.

    Parameters
    ----------
    evolution
        The equations.
    bounds
        Interval of alpha; see :func:`saddle.branches.search.search_interval.search_interval`.
    upwards
        Look for solutions from the lower end of the interval up, instead of from the upper end down.
    report
        Called with what is being done.

    Returns
    -------
    Families
        After Ctrl-C, what was computed so far, marked incomplete.
    """
    families = Families(AttentionProblem(evolution), (), True, (), bounds)
    families = look_again(families, _anchors(bounds, upwards), report=report)
    return _with_mixed(families, upwards, report)


def look_again(
    families: Families,
    alphas: Sequence[float],
    *,
    known: Callable[[float], list[np.ndarray]] = lambda alpha: [],
    thorough: bool = True,
    report: Callable[[str], object] = lambda what: None,
) -> Families:
    """Look for solutions at some values of alpha, and follow what is new.

    Parameters
    ----------
    families
        What is known.
    alphas
        Where to look.
    known
        Function of alpha: further states (n,) that are known there, beside those on the curves.
    thorough
        Whether all starts are used, or a few.
    report
        Called with what is being done.

    Returns
    -------
    Families
        With the new curves and the searches; after Ctrl-C marked incomplete.
    """
    evolution = families.problem.evolution
    try:
        for alpha in alphas:
            report(f"looking for solutions, alpha = {alpha:.3f}")
            sought = seek(evolution, alpha, [*states_at(families.branches, alpha), *known(alpha)], thorough=thorough)
            families = replace(families, searches=(*families.searches, sought))
            for found in sought.new:
                if _is_followed(evolution, found, families, alpha):
                    families = follow(families, found.evaluation.state, alpha, report)
            if not families.complete:
                break
    except KeyboardInterrupt:
        return replace(families, complete=False)
    return families


def _is_followed(evolution: StateEvolution, found: NewSolution, families: Families, alpha: float) -> bool:
    """Whether a new solution starts a family: where it attracts, is a new global minimum, or its rule has no noise."""
    if not evolution.space.is_aligned(found.sector):
        return False
    if found.attracting or is_lattice(evolution.rule):
        return True
    highest = max((_free_entropies_at(families.branches, alpha)), default=-np.inf)
    return found.evaluation.free_entropy > highest + found.evaluation.free_entropy_error


def _free_entropies_at(branches: Sequence[TracedBranch], alpha: float) -> Iterator[float]:
    for branch in branches:
        for first, last in pairwise(branch.curve.points):
            low, high = sorted((first, last), key=lambda point: float(point.y[-1]))
            if low.y[-1] <= alpha <= high.y[-1] and low.y[-1] < high.y[-1]:
                t = (alpha - low.y[-1]) / (high.y[-1] - low.y[-1])
                a, b = (state_evaluation(point.evaluation.detail).free_entropy for point in (low, high))
                yield float(a + t * (b - a))


def follow(families: Families, state: np.ndarray, alpha: float, report: Callable[[str], object]) -> Families:
    """Follow a solution, and all that is connected to it, over the interval."""
    problem = families.problem
    space, scale = problem.space, float(np.max(problem.evolution.channel.variances))
    scope = Scope(
        amplitude=ROUGH_AMPLITUDE if problem.noise > ROUGH else AMPLITUDE,
        known=Exploration(families.branches, True),
        leaves=lambda before, after: _weights_vanish(space, before, after, scale),
        wanted=lambda block: space.is_aligned(sector_of(block, space)),
    )
    found = explore(
        problem,
        [(state, alpha)],
        families.bounds,
        control=CONTROL,
        scope=scope,
        report=lambda point: report(f"following branches, alpha = {point.y[-1]:.3f}"),
    )
    return replace(families, branches=found.branches, complete=families.complete and found.complete)


def _with_mixed(families: Families, upwards: bool, report: Callable[[str], object]) -> Families:
    """Look for mixed solutions between positional and semantic ones, whose basins they separate, if none is known."""
    problem = families.problem
    evolution, space = problem.evolution, problem.space
    mixed = next((sector for sector in space.sectors if sector.family == "mixed"), None)
    if not families.complete or mixed is None or not space.tells_families_apart or families.of(mixed):
        return families
    try:
        for seed, alpha in _between(families, upwards):
            report(f"looking for mixed solutions, alpha = {alpha:.3f}")
            result = solve_state(evolution, mixed, seed, alpha)
            if result.outcome is Outcome.CONVERGED and not vanished(evaluation_of(result), mixed):
                return follow(families, evaluation_of(result).state, alpha, report)
    except KeyboardInterrupt:
        return replace(families, complete=False)
    return families


def _between(families: Families, upwards: bool) -> Iterator[tuple[np.ndarray, float]]:
    """Yield states between a positional and a semantic solution."""
    space = families.problem.space
    for alpha in _anchors(families.bounds, upwards):
        pair = [states_at(families.of(space.sector_named(family)), alpha)[:1] for family in ("positional", "semantic")]
        if all(pair):
            for weight in (0.5, 0.4, 0.6, 0.3, 0.7):
                yield weight * pair[0][0] + (1.0 - weight) * pair[1][0], alpha
