r"""Where a branch with a step turns back: alpha as a function of an order parameter, through its extremum.

At a fold alpha is stationary along the branch, and solutions at given alpha are singular; those at a given value x of
an order parameter that changes there are not, and :math:`\alpha(x) = \alpha_0 + c(x - x_0)^2 + \dots` is smooth. That
order parameter is the overlap or response that changes most there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from replica.symmetry.sectors import Sector
from saddle.branches.steps.held_solutions import alpha_error, on_few_lines, solve_held
from saddle.branches.steps.solved_point import point_of_solved
from saddle.branches.steps.solving import SolvedSteps, solve_steps_at
from saddle.branches.steps.step_solution import BrokenSymmetryPoint
from saddle.continuation.outcomes import Outcome, SolverError
from saddle.state_evolution.steps.step_equations import StepEquations
from saddle.state_evolution.steps.step_unknowns import StepUnknowns

__all__ = ["BranchFold", "branch_fold"]

# First step of log alpha as a part of its distance from the fold without steps, by how much steps grow, how many are
# made, how often one is halved where it fails, and the longest: of what is given, in its unit.
FIRST, GROWTH, MOST, HALVINGS, LONGEST = 0.5, 1.4, 16, 3, 0.15
# Change of log alpha from the start at which a branch is said not to turn back.
FARTHEST = 0.5
# Change of alpha, relative to it, over which it is fitted: far above what is left of residuals, and still nearly a
# parabola. Places of the fit in units of that.
SPAN, PLACES = 3e-3, (-1.0, -0.5, 0.0, 0.5, 1.0)
# How far beyond these places the fitted extremum is believed, and how often they are moved to it.
BEYOND, MOST_MOVES = 0.5, 3
# Value of a held overlap, in its unit, below which it counts as zero: the branch ends at a pitchfork.
VANISHED = 0.02


@dataclass(frozen=True)
class BranchFold:
    """Where a branch turns back.

    Attributes
    ----------
    alpha, error
        The extremum of alpha, and its error: that of alpha at the nearest solution, the scatter about the fit, and what
        a third order changes.
    held, curvature
        The held unknown there, and c: half the second derivative of alpha in it.
    pivot
        Its place among the unknowns.
    nearest
        The nearest solution.
    """

    alpha: float
    error: float
    held: float
    curvature: float
    pivot: int
    nearest: BrokenSymmetryPoint


@dataclass(frozen=True)
class _Fit:
    """A parabola, and what a cubic makes of its extremum."""

    place: float
    value: float
    curvature: float
    error: float

    @classmethod
    def of(cls, values: np.ndarray, alphas: np.ndarray) -> _Fit:
        """Fit alpha at held values, (n,): with an error if there are more than three."""
        middle, width = float(np.mean(values)), float(np.ptp(values)) / 2.0
        x = (values - middle) / width
        c, b, a = np.polyfit(x, alphas, 2)
        place = -b / (2.0 * c)
        value, error = a + b * place + c * place**2, 0.0
        if len(x) > 3:
            cubic = np.polyfit(x, alphas, 3)
            scatter = alphas - np.polyval(cubic, x)
            # The cubic's value at its own extremum, one step of Newton's method from the parabola's.
            slope, curved = np.polyval(np.polyder(cubic), place), np.polyval(np.polyder(cubic, 2), place)
            third = float(np.polyval(cubic, place - slope / curved))
            error = abs(third - value) + float(np.sqrt(np.sum(scatter**2) / (len(x) - 3)))
            value = third
        return cls(middle + width * place, float(value), float(c) / width**2, float(error))


def branch_fold(
    start: BrokenSymmetryPoint, fold_alpha: float, highest: bool, report: Callable[[], object] = lambda: None
) -> BranchFold:
    """Follow a branch with one step from a solution beside a replica-symmetric fold to where it turns back.

    Parameters
    ----------
    start
        A ground state with one step, on whose rule the fold is located.
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
    equations = StepEquations(evolution, 1, start.rule)
    unit = float(np.sqrt(np.max(start.state.levels[-1])))
    plain = StepUnknowns(evolution.space, sector, 1, unit, parisi=True)
    march = _March(on_few_lines(equations), plain, sector, report)
    passed = march.through(start, fold_alpha, highest)
    vectors = np.array([march.vector(x) for x in passed])
    spread = np.abs(vectors[-1] - vectors[0])
    pivot = max((*plain.overlap_places, *plain.susceptibility_places), key=lambda place: spread[place])
    sign, values, nearest = 1.0 if highest else -1.0, vectors[:, pivot], passed[1]
    fit = _Fit.of(values, np.exp(vectors[:, -1]))
    # The fit of three rough solutions says where those on the rule itself are wanted.
    for _ in range(MOST_MOVES):
        width = float(np.sqrt(SPAN * fit.value / abs(fit.curvature)))
        width = min(width, float(np.ptp(values)))
        places = fit.place + width * np.array(PLACES)
        solved = _solved_at(equations, plain, pivot, places, nearest, report)
        nearest = solved[len(PLACES) // 2]
        values, alphas = places, [x.evaluation.alpha for x in solved]
        fit = _Fit.of(places, np.array(alphas))
        if sign * fit.curvature >= 0.0:
            raise SolverError(
                f"the fold of {sector.name} with one step was not resolved: alpha = "
                f"{', '.join(f'{x:.6g}' for x in alphas)} has no extremum",
                Outcome.LOST,
            )
        if abs(fit.place - places[len(PLACES) // 2]) <= BEYOND * width:
            break
    else:
        raise SolverError(
            f"the fold of {sector.name} with one step was not resolved: its place moved on from fit to fit, lastly to "
            f"alpha = {fit.value:.6g}",
            Outcome.MAX_STEPS,
        )
    nearest = min(solved, key=lambda x: abs(x.unknowns.held - fit.place))
    point = point_of_solved(equations, sector, start.symmetric, nearest, report)
    error = alpha_error(equations, nearest) + fit.error
    return BranchFold(fit.value, error, fit.place, fit.curvature, pivot, point)


@dataclass(frozen=True)
class _March:
    """A branch with one step, point by point, each at a given value of what changed most between the last two.

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
                    f"with one step the {self.sector.name} branch does not turn back: an overlap vanishes at alpha = "
                    f"{found[-1].evaluation.alpha:.6g}",
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
            f"with one step the {self.sector.name} branch does not turn back as far as it was followed, from alpha = "
            f"{start.alpha:.6g} to {found[-1].evaluation.alpha:.6g}",
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
            f"the {self.sector.name} branch with one step could not be followed beyond alpha = "
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


def _solved_at(
    equations: StepEquations,
    plain: StepUnknowns,
    pivot: int,
    places: np.ndarray,
    near: SolvedSteps,
    report: Callable[[], object],
) -> list[SolvedSteps]:
    """Solve on the rule itself at increasing held values, from the middle one outwards."""
    found: dict[int, SolvedSteps] = {}
    middle = len(places) // 2
    for index in _outwards(len(places)):
        nearest = near if not found else found[min(found, key=lambda k: (abs(k - index), abs(k - middle)))]
        own = plain.holding_at(pivot, float(places[index]))
        arguments = own, nearest.evaluation.alpha, nearest.state
        if found:
            # On grids that are shared errors are, too: alpha is a smooth function.
            grid = nearest.evaluation.grid
            found[index] = solve_steps_at(equations, *arguments, nearest.jacobian, report, grid)
        else:
            jacobian = near.jacobian if near.unknowns.pivot == pivot else None
            found[index] = solve_held(equations, *arguments, jacobian, report)
    return [found[k] for k in range(len(places))]


def _outwards(count: int) -> Iterator[int]:
    middle = count // 2
    yield from sorted(range(count), key=lambda k: (abs(k - middle), k))
