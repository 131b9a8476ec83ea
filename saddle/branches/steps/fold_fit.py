r"""An extremum of alpha over an order parameter, fitted through solutions with steps at given values of it.

:math:`\alpha(x) = \alpha_0 + c(x - x_0)^2 + \dots` is smooth where solutions at given alpha are singular.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from replica.symmetry.sectors import Sector
from saddle.branches.steps.held_solutions import alpha_error, solve_held
from saddle.branches.steps.solved_point import point_of_solved
from saddle.branches.steps.solving import SolvedSteps, solve_steps_at
from saddle.branches.steps.step_solution import BrokenSymmetryPoint
from saddle.continuation.outcomes import Outcome, SolverError
from saddle.state_evolution.evaluation import StateEvaluation
from saddle.state_evolution.steps.excess_on_grids import FieldGrid
from saddle.state_evolution.steps.step_equations import StepEquations
from saddle.state_evolution.steps.step_state import StepState
from saddle.state_evolution.steps.step_unknowns import StepUnknowns

__all__ = ["BranchFold", "FoldFit", "FoldPlace", "resolved_fold", "solved_by_stages", "steps_in_words"]

# Change of alpha, relative to it, over which it is fitted: far above what is left of residuals, and still nearly a
# parabola. Places of the fit in units of that.
SPAN, PLACES = 3e-3, (-1.0, -0.5, 0.0, 0.5, 1.0)
# How far beyond these places the fitted extremum is believed, and how often they are moved to it.
BEYOND, MOST_MOVES = 0.5, 3
# Rounds without progress after which several steps count as solved: the functional is so flat in their y that they are
# far from their place where residuals are already small.
PATIENT = 20


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
    pivot, unit
        Its place among the unknowns, and the unit of m and theta.
    nearest
        The nearest solution.
    """

    alpha: float
    error: float
    held: float
    curvature: float
    pivot: int
    unit: float
    nearest: BrokenSymmetryPoint


@dataclass(frozen=True)
class FoldFit:
    """A parabola, and what a cubic makes of its extremum."""

    place: float
    value: float
    curvature: float
    error: float

    @classmethod
    def of(cls, values: np.ndarray, alphas: np.ndarray) -> FoldFit:
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


@dataclass(frozen=True)
class FoldPlace:
    """Where a fold is looked for.

    Attributes
    ----------
    equations, plain, sector, symmetric
        Equations, unknowns at given alpha, family, and the replica-symmetric solution that all began from.
    pivot
        Place of the unknown that is held.
    highest
        Whether alpha is highest at the fold.
    """

    equations: StepEquations
    plain: StepUnknowns
    sector: Sector
    symmetric: StateEvaluation
    pivot: int
    highest: bool


def resolved_fold(
    where: FoldPlace, fit: FoldFit, widest: float, nearest: SolvedSteps, report: Callable[[], object]
) -> BranchFold:
    """Fit alpha at values that are moved to its extremum.

    Parameters
    ----------
    where
        What turns back, and in which unknown.
    fit
        A first guess of the extremum.
    widest
        Largest half width of the values.
    nearest
        A solution near by.
    report
        Called after every evaluation.

    Raises
    ------
    SolverError
        If a solution was not found, or there is no extremum.
    """
    equations, plain, name = where.equations, where.plain, where.sector.name
    steps = steps_in_words(equations.steps)
    sign = 1.0 if where.highest else -1.0
    for _ in range(MOST_MOVES):
        width = min(float(np.sqrt(SPAN * fit.value / abs(fit.curvature))), widest)
        places = fit.place + width * np.array(PLACES)
        widest = 2.0 * width
        solved = _solved_at(equations, plain, where.pivot, places, nearest, report)
        nearest = solved[len(PLACES) // 2]
        alphas = [x.evaluation.alpha for x in solved]
        fit = FoldFit.of(places, np.array(alphas))
        if sign * fit.curvature >= 0.0:
            raise SolverError(
                f"the fold of {name} with {steps} was not resolved: alpha = "
                f"{', '.join(f'{x:.6g}' for x in alphas)} has no extremum",
                Outcome.LOST,
            )
        if abs(fit.place - places[len(PLACES) // 2]) <= BEYOND * width:
            break
    else:
        raise SolverError(
            f"the fold of {name} with {steps} was not resolved: its place moved on from fit to fit, lastly to "
            f"alpha = {fit.value:.6g}",
            Outcome.MAX_STEPS,
        )
    nearest = min(solved, key=lambda x: abs(x.unknowns.held - fit.place))
    point = point_of_solved(equations, where.sector, where.symmetric, nearest, report)
    error = alpha_error(equations, nearest) + fit.error
    return BranchFold(fit.value, error, fit.place, fit.curvature, where.pivot, plain.unit, point)


def steps_in_words(steps: int) -> str:
    """Return how many steps, in words."""
    return "one step" if steps == 1 else f"{steps} steps"


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
        # On grids that are shared errors are, too: alpha is a smooth function.
        grid = nearest.evaluation.grid
        if plain.steps > 1:
            found[index] = solved_by_stages(equations, *arguments, report, grid)
        elif found:
            found[index] = solve_steps_at(equations, *arguments, nearest.jacobian, report, grid)
        else:
            jacobian = near.jacobian if near.unknowns.pivot == pivot else None
            found[index] = solve_held(equations, *arguments, jacobian, report)
    return [found[k] for k in range(len(places))]


def solved_by_stages(
    equations: StepEquations,
    unknowns: StepUnknowns,
    alpha: float,
    start: StepState,
    report: Callable[[], object],
    grid: FieldGrid | None = None,
) -> SolvedSteps:
    """Solve with several steps at the start's y first: far from a solution all of them at once lead astray."""
    given = solve_steps_at(equations, replace(unknowns, parisi=False), alpha, start, None, report, grid)
    arguments = unknowns, given.evaluation.alpha, given.state, None, report, given.evaluation.grid
    return solve_steps_at(equations, *arguments, patience=PATIENT)


def _outwards(count: int) -> Iterator[int]:
    middle = count // 2
    yield from sorted(range(count), key=lambda k: (abs(k - middle), k))
