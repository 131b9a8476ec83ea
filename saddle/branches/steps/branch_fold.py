r"""Where a branch with steps turns back: alpha as a function of an order parameter, through its extremum.

At a fold alpha is stationary along the branch, and solutions at given alpha are singular; those at a given value x of
an order parameter that changes there are not, and :math:`\alpha(x) = \alpha_0 + c(x - x_0)^2 + \dots` is smooth. That
order parameter is the overlap or response that changes most there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from replica.symmetry.sectors import Sector
from saddle.branches.steps.first_gap import with_one_step_more
from saddle.branches.steps.fold_fit import (
    BranchFold,
    FoldFit,
    FoldPlace,
    resolved_fold,
    solved_by_stages,
    steps_in_words,
)
from saddle.branches.steps.solving import SolvedSteps, solve_steps_at
from saddle.branches.steps.step_solution import BrokenSymmetryPoint
from saddle.continuation.outcomes import Outcome, SolverError
from saddle.state_evolution.steps.step_equations import StepEquations
from saddle.state_evolution.steps.step_unknowns import StepUnknowns

__all__ = ["branch_fold", "further_fold"]

# First step of log alpha as a part of its distance from the fold without steps, by how much steps grow, how many are
# made, how often one is halved where it fails, and the longest: of what is given, in its unit.
FIRST, GROWTH, MOST, HALVINGS, LONGEST = 0.5, 1.4, 16, 3, 0.15
# Change of log alpha from the start at which a branch is said not to turn back.
FARTHEST = 0.5
# Value of a held overlap, in its unit, below which it counts as zero: the branch ends at a pitchfork.
VANISHED = 0.02


def branch_fold(
    start: BrokenSymmetryPoint, fold_alpha: float, highest: bool, report: Callable[[], object] = lambda: None
) -> BranchFold:
    """Follow a branch with steps from a solution beside a replica-symmetric fold to where it turns back.

    Parameters
    ----------
    start
        A ground state, with one step as a rule, on whose rule the fold is located.
    fold_alpha
        Where the replica-symmetric fold is: the first step is towards it.
    highest
        Whether alpha is highest at the fold, rather than lowest.
    report
        Called after every evaluation.

    Raises
    ------
    SolverError
        If a solution was not found, or alpha does not turn back.
    """
    evolution, sector = start.evolution, start.sector
    equations = StepEquations(evolution, start.steps, start.rule)
    unit = float(np.sqrt(np.max(start.state.levels[-1])))
    plain = StepUnknowns(evolution.space, sector, start.steps, unit, parisi=True)
    march = _March(equations.on_few_lines, plain, sector, report)
    passed = march.through(start, fold_alpha, highest)
    vectors = np.array([march.vector(x) for x in passed])
    spread = np.abs(vectors[-1] - vectors[0])
    pivot = max((*plain.overlap_places, *plain.susceptibility_places), key=lambda place: spread[place])
    fit, values = FoldFit.of(vectors[:, pivot], np.exp(vectors[:, -1])), vectors[:, pivot]
    # The fit of three rough solutions says where those on the rule itself are wanted.
    place = FoldPlace(equations, plain, sector, start.symmetric, pivot, highest)
    return resolved_fold(place, fit, float(np.ptp(values)), passed[1], report)


def further_fold(fold: BranchFold, steps: int, report: Callable[[], object] = lambda: None) -> BranchFold:
    """Move a fold on from where one step has it to where more have it.

    At the value of the order parameter that is given there everything else is isolated with more steps, too.

    Parameters
    ----------
    fold
        With one step, on grids.
    steps
        Number k of steps, at least two.
    report
        Called after every evaluation.

    Raises
    ------
    SolverError
        If a solution was not found, or a gap vanishes: so many steps are then no more than fewer.
    """
    nearest, groups = fold.nearest, fold.nearest.evolution.space.layout.group_count
    state, alpha, solved = nearest.state, nearest.alpha, None
    equations, plain, pivot = StepEquations(nearest.evolution, 1, nearest.rule), None, fold.pivot
    for count in range(2, steps + 1):
        equations = StepEquations(nearest.evolution, count, nearest.rule)
        plain = StepUnknowns(nearest.evolution.space, nearest.sector, count, fold.unit, parisi=True)
        # Unknowns of one more level stand before it.
        pivot += groups
        solved = solved_by_stages(
            equations, plain.holding_at(pivot, fold.held), alpha, with_one_step_more(state), report
        )
        state, alpha = solved.state, solved.evaluation.alpha
    if plain is None or solved is None:
        return fold
    place = FoldPlace(equations, plain, nearest.sector, nearest.symmetric, pivot, fold.curvature < 0.0)
    return resolved_fold(place, FoldFit(fold.held, alpha, fold.curvature, 0.0), np.inf, solved, report)


@dataclass(frozen=True)
class _March:
    """A branch with steps, point by point, each at a given value of what changed most between the last two.

    That may be alpha itself, which is given then; beside a fold it is an order parameter.

    Attributes
    ----------
    equations
        On few lines.
    plain
        The unknowns at given alpha.
    sector
        Its family.
    report
        Called after every evaluation.
    """

    equations: StepEquations
    plain: StepUnknowns
    sector: Sector
    report: Callable[[], object]

    @property
    def words(self) -> str:
        """How many steps, in words."""
        return steps_in_words(self.equations.steps)

    def through(self, start: BrokenSymmetryPoint, fold_alpha: float, highest: bool) -> list[SolvedSteps]:
        """Return the last three points of a march until alpha has turned back, the turn between them."""
        sign = 1.0 if highest else -1.0
        found = [solve_steps_at(self.equations, self.plain, start.alpha, start.state, None, self.report)]
        step = FIRST * float(np.log(fold_alpha / start.alpha))
        found.append(self._next(found, np.append(np.zeros(len(self.vector(found[0])) - 1), step)))
        for _ in range(MOST):
            here = self.vector(found[-1])
            overlaps = np.abs(here[self.plain.overlap_places])
            if overlaps.size and np.min(overlaps) < VANISHED:
                raise SolverError(
                    f"with {self.words} the {self.sector.name} branch does not turn back: an overlap vanishes at "
                    f"alpha = {found[-1].evaluation.alpha:.6g}",
                    Outcome.MERGED,
                )
            if abs(here[-1] - np.log(start.alpha)) > FARTHEST:
                break
            secant = GROWTH * (here - self.vector(found[-2]))
            secant *= min(1.0, LONGEST / float(np.max(np.abs(secant[self._candidates]))))
            for place in self.plain.overlap_places:
                # Not through zero, where the branch of the other sign begins.
                if here[place] * (here[place] + secant[place]) <= 0.0:
                    secant *= 0.6 * abs(here[place] / secant[place])
            found.append(self._next(found, secant))
            if sign * (self.vector(found[-1])[-1] - here[-1]) < 0.0:
                return found[-3:]
        raise SolverError(
            f"with {self.words} the {self.sector.name} branch does not turn back as far as it was followed, from "
            f"alpha = {start.alpha:.6g} to {found[-1].evaluation.alpha:.6g}",
            Outcome.MAX_STEPS,
        )

    def vector(self, point: SolvedSteps) -> np.ndarray:
        """Return the unknowns and the logarithm of alpha at a point."""
        alpha = point.evaluation.alpha
        return np.append(self.plain.vector(point.state, alpha), np.log(alpha))

    @property
    def _candidates(self) -> list[int]:
        """Places of what may be given."""
        return [*self.plain.overlap_places, *self.plain.susceptibility_places, -1]

    def _next(self, known: list[SolvedSteps], change: np.ndarray) -> SolvedSteps:
        """Solve near the last point plus a change, or plus parts of it where that fails."""
        last = known[-1]
        order = sorted(self._candidates, key=lambda place: -abs(change[place]))[:2]
        reason: SolverError | None = None
        for halving in range(HALVINGS + 1):
            vector = self.vector(last) + change / 2.0**halving
            for place in order:
                if change[place] == 0.0:
                    continue
                try:
                    return self._at(last, vector, place)
                except SolverError as error:
                    reason = reason or error
        assert reason is not None
        raise SolverError(
            f"the {self.sector.name} branch with {self.words} could not be followed beyond alpha = "
            f"{last.evaluation.alpha:.6g} towards its fold: {reason}",
            reason.outcome,
        )

    def _at(self, last: SolvedSteps, vector: np.ndarray, place: int) -> SolvedSteps:
        """Solve near unknowns with the value of one of them given."""
        own = self.plain if place == -1 else self.plain.holding_at(place, float(vector[place]))
        alpha = float(np.exp(vector[-1]))
        state = self.plain.state(vector[:-1], last.state.parisi)
        jacobian = last.jacobian if own.pivot == last.unknowns.pivot else None
        return solve_steps_at(self.equations, own, alpha, state, jacobian, self.report)
