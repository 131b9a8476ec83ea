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

__all__ = ["Families", "find_families"]

# Where a family is looked for that the agnostic branch does not lead to.
ANCHORS = 7
# Near a pitchfork the equations fix alpha only to their noise over the overlap that vanishes: new branches are
# entered at this distance from it, in natural units.
AMPLITUDE = 0.15
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
        return [branch for branch in self.branches if sector_of(branch.section.block) is sector]


def _weights_vanish(before: np.ndarray, after: np.ndarray, token_variance: float) -> bool:
    """Whether a branch (q, m, V, theta, alpha) is about to end at q = 0, at an alpha that hardly changes any more.

    With a strong penalty, Q = 0 is the minimum up to some alpha. Branches that begin there do so with
    |Q|^2 proportional to the distance from it: that near, noise of the rule makes folds that are not there. Where
    alpha itself tends to zero, q does so in proportion.
    """
    if not after[0] < min(before[0], SMALL_WEIGHTS * token_variance):
        return False
    return abs(np.log(after[-1] / before[-1])) < NEARLY_VERTICAL * np.log(before[0] / after[0])


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
    state evolution from informed states; mixed ones between the two.

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
    problem = AttentionProblem(evolution)
    found = Exploration((), True)

    def follow(state: np.ndarray, alpha: float) -> Exploration:
        return explore(
            problem,
            [(state, alpha)],
            bounds,
            control=CONTROL,
            amplitude=AMPLITUDE,
            known=found,
            leaves=lambda before, after: _weights_vanish(before, after, evolution.model.token_variance),
            report=lambda point: report(f"following branches, alpha = {point.y[-1]:.3f}"),
        )

    try:
        for sector in (Sector.AGNOSTIC, Sector.POSITIONAL, Sector.SEMANTIC):
            families = Families(problem, found.branches, True)
            for anchor in _anchors(bounds, upwards):
                if _reaches(families.of(sector), anchor):
                    break
                report(f"looking for {sector.value} solutions, alpha = {anchor:.3f}")
                result = informed_solution(evolution, sector, anchor)
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
        if not families.of(Sector.MIXED):
            for seed, alpha in _between(families, bounds, upwards):
                report(f"looking for mixed solutions, alpha = {alpha:.3f}")
                result = solve_state(evolution, Sector.MIXED, seed, alpha)
                if result.outcome is Outcome.CONVERGED and not vanished(evaluation_of(result), Sector.MIXED):
                    found = follow(evaluation_of(result).state, alpha)
                    break
    except KeyboardInterrupt:
        return Families(problem, found.branches, False)
    return Families(problem, found.branches, found.complete)


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
        states = []
        for sector in (Sector.POSITIONAL, Sector.SEMANTIC):
            section = Section(families.problem, sector_block(sector), families.problem.values)
            for branch in families.of(sector):
                landed = [p for p in branch.curve.landings(section, len(sector.free), [alpha]) if p is not None]
                landed += [p for p in (branch.curve.points[0], branch.curve.points[-1]) if p.y[-1] == alpha]
                if landed:
                    states.append(section.full(landed[0].y)[0])
                    break
        if len(states) == 2:
            for weight in (0.5, 0.4, 0.6, 0.3, 0.7):
                yield weight * states[0] + (1.0 - weight) * states[1], alpha
