"""Find every family of solutions over a range of alpha: by continuation from the agnostic branch, and from seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from replica.sectors import Sector
from saddle.attention_problem import AttentionProblem, sector_block, sector_of
from saddle.continuation.exploration import Exploration, TracedBranch, explore
from saddle.continuation.sections import Section
from saddle.continuation.tracing import StepControl
from saddle.outcomes import Outcome
from saddle.sector_solver import evaluation_of, informed_solution, solve_state, vanished
from saddle.state_evolution import StateEvolution
from saddle.state_space import StateSpace

__all__ = ["Families", "find_families"]

# Where a family is looked for that the agnostic branch does not lead to.
ANCHORS = 7
# At so many of them from all informed states, at the others from one.
THOROUGH = 2
# Near a pitchfork the equations fix alpha only to their noise over the overlap that vanishes: new branches are
# entered at this distance from it, in natural units.
# Rough rules, whose noise is larger, need more.
AMPLITUDE, ROUGH_AMPLITUDE, ROUGH = 0.15, 0.3, 1e-6
# Of |Q|^2/d, and of d log(alpha)/d log(q).
SMALL_WEIGHTS, NEARLY_VERTICAL = 1e-2, 3e-3
# Points of a curve are starts for what is stored: they need not be solved to the last digit.
CONTROL = StepControl(initial=0.05, smallest=1e-4, largest=0.4, angle=0.4, drift=0.2, slack=0.1, tolerance=1e-7)


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
    """

    problem: AttentionProblem
    branches: tuple[TracedBranch, ...]
    complete: bool

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


def _anchors(bounds: tuple[float, float], upwards: bool) -> Iterator[float]:
    """Yield values of alpha at which to look for solutions, from one end of the range."""
    roots = np.linspace(np.sqrt(bounds[0]), np.sqrt(bounds[1]), ANCHORS)
    for root in roots if upwards else roots[::-1]:
        yield float(np.clip(root**2, *bounds))


def find_families(
    evolution: StateEvolution,
    bounds: tuple[float, float],
    *,
    upwards: bool = False,
    report: Callable[[str], object] = lambda what: None,
) -> Families:
    """Find agnostic, positional, semantic and mixed solutions and follow them over a range of alpha.

    Stages: the agnostic branch is followed, and from its pitchforks, and theirs, all that is connected to it; where
    positional or semantic solutions are missing at the end of the range, or altogether, they are looked for by
    state evolution from informed states; mixed ones between the two, and where the student has several columns from
    states informed of both. Where symmetries do not tell families apart, starts do.

    Parameters
    ----------
    evolution
        The equations.
    bounds
        Range of alpha.
    upwards
        Look for solutions from the lower end of the range instead of the upper.
    report
        Called with what is being done.

    Returns
    -------
    Families
        After Ctrl-C, what was computed so far, marked incomplete.
    """
    problem, space = AttentionProblem(evolution), evolution.space
    scale = float(np.max(evolution.channel.variances))
    found = Exploration((), True)

    def follow(state: np.ndarray, alpha: float) -> Exploration:
        return explore(
            problem,
            [(state, alpha)],
            bounds,
            control=CONTROL,
            amplitude=ROUGH_AMPLITUDE if problem.noise > ROUGH else AMPLITUDE,
            known=found,
            leaves=lambda before, after: _weights_vanish(space, before, after, scale),
            wanted=lambda block: space.is_aligned(sector_of(block, space)),
            report=lambda point: report(f"following branches, alpha = {point.y[-1]:.3f}"),
        )

    try:
        for family, sector in _looked_for(space):
            families = Families(problem, found.branches, True)
            for tried, anchor in enumerate(_anchors(bounds, upwards)):
                if family == sector.family and _reaches(families.of(sector), anchor):
                    break
                report(f"looking for {family} solutions, alpha = {anchor:.3f}")
                result = informed_solution(evolution, sector, anchor, family, None if tried < THOROUGH else 1)
                if result is not None:
                    known = len(found.branches)
                    found = follow(evaluation_of(result).state, anchor)
                    # The residual may have a step just where a curve is to begin: then it is begun elsewhere.
                    if len(found.branches) > known or not found.complete:
                        break
                    continue
                if families.of(sector):
                    break  # connected to another family, and gone at this end of the range
            if not found.complete:
                return Families(problem, found.branches, False)
        families = Families(problem, found.branches, True)
        mixed = next((sector for sector in space.sectors if sector.family == "mixed"), None)
        if mixed is not None and space.tells_families_apart and not families.of(mixed):
            for seed, alpha in _between(families, bounds, upwards):
                report(f"looking for mixed solutions, alpha = {alpha:.3f}")
                result = solve_state(evolution, mixed, seed, alpha)
                if result.outcome is Outcome.CONVERGED and not vanished(evaluation_of(result), mixed):
                    found = follow(evaluation_of(result).state, alpha)
                    break
    except KeyboardInterrupt:
        return Families(problem, found.branches, False)
    return Families(problem, found.branches, found.complete)


def _looked_for(space: StateSpace) -> list[tuple[str, Sector]]:
    """Return families of solutions to look for, and the sector in which each is looked for.

    That is the smallest sector of the family; where symmetries do not tell the family from others, the smallest one
    that holds all of them.
    """
    smallest: dict[str, Sector] = {}
    for sector in space.sectors:
        smallest.setdefault(sector.family, sector)
    wanted = [(family, smallest.get(family, smallest["mixed"])) for family in ("agnostic", "positional", "semantic")]
    if space.layout.rank > 1:
        wanted += [("mixed", s) for s in space.sectors if s.family == "mixed" and space.is_aligned(s)]
    return wanted


def _reaches(branches: list[TracedBranch], alpha: float) -> bool:
    """Whether one of some curves passes a value of alpha."""
    for branch in branches:
        values = branch.curve.values[:, -1]
        if values.min() <= alpha * (1.0 + 1e-9) and values.max() >= alpha * (1.0 - 1e-9):
            return True
    return False


def _between(families: Families, bounds: tuple[float, float], upwards: bool) -> Iterator[tuple[np.ndarray, float]]:
    """Yield states between a positional and a semantic solution: what separates their basins is mixed."""
    for alpha in _anchors(bounds, upwards):
        states, space = [], families.problem.space
        for sector in (space.sector_named("positional"), space.sector_named("semantic")):
            section = Section(families.problem, sector_block(sector, space), families.problem.values)
            for branch in families.of(sector):
                landed = [p for p in branch.curve.landings(section, len(sector.free), [alpha]) if p is not None]
                landed += [p for p in (branch.curve.points[0], branch.curve.points[-1]) if p.y[-1] == alpha]
                if landed:
                    states.append(section.full(landed[0].y)[0])
                    break
        if len(states) == 2:
            for weight in (0.5, 0.4, 0.6, 0.3, 0.7):
                yield weight * states[0] + (1.0 - weight) * states[1], alpha
