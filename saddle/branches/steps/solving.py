"""Solve the equations of k steps, at given y or at the ground state's, by a quasi-Newton method on one set of grids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from saddle.continuation.newton import OutsideDomain
from saddle.continuation.outcomes import Outcome, SolverError
from saddle.state_evolution.steps.excess_on_grids import FieldGrid
from saddle.state_evolution.steps.grid_rule import GridRule
from saddle.state_evolution.steps.step_equations import StepEquations, StepEvaluation
from saddle.state_evolution.steps.step_state import StepState
from saddle.state_evolution.steps.step_unknowns import StepUnknowns

__all__ = ["SolvedSteps", "StepProblem", "fits", "solve_steps_at", "with_wide_differences"]

# Relative size of residuals at which a solution is accepted: far below what grids and nodes are good for. And at which
# it is accepted after some rounds that have not halved it: kinks of the envelope on grid points make steps as large.
TOLERANCE, ROUGHNESS, PATIENCE = 1e-6, 1e-3, 5
# On lines, which follow the state, and by how much larger those of gaps and y may be: lines are good for 1e-4 of order
# parameters at best, and what is left is part of the errors.
LINE_TOLERANCE, LINE_ROUGHNESS, LINE_PATIENCE, LOOSE, LINE_NOISE = 6e-5, 1.5e-4, 3, 20.0, 3e-4
# Steps of differences, in the unknowns' units: those of V, at which a table has to be made anew, are longer, since
# kinks that move across grid points make its slopes rough.
DIFFERENCE, ROUGH_DIFFERENCE = 1e-4, 1e-3
# On lines, where averages have steps as small as their errors; of gaps and y, in which little is curved, longer still.
LINE_DIFFERENCE, LOOSE_DIFFERENCE = 4e-3, 2e-2
# The same at gaps below this one, relative to the variance of the outermost fields: their equation has larger steps.
ROUGH_GAP, WIDE_DIFFERENCE = 5e-3, 0.4
# And of those that errors of a solution follow from.
ERROR_DIFFERENCE = 0.2
# Largest accepted step of an unknown; residuals that shrink by less than this are worth a new Jacobian.
LARGEST, SLOW, LINE_SLOW = 0.6, 0.3, 0.8
MOST_ROUNDS = 40
# Gap, relative to the variance of the outermost fields, below which it counts as none.
VANISHED, LINE_VANISHED = 2e-4, 1e-8
# How much finer and wider than asked for grids may be before they are made anew: neighbouring solutions on the same
# grids have the same errors, so that functions of y are smooth.
MUCH_FINER, TOO_WIDE = 0.65, 1.1


@dataclass(frozen=True)
class SolvedSteps:
    """A solution.

    Attributes
    ----------
    evaluation
        The equations there.
    jacobian
        Of the relative residual in the unknowns, as the quasi-Newton method left it.
    unknowns
        How states become vectors.
    """

    evaluation: StepEvaluation
    jacobian: np.ndarray
    unknowns: StepUnknowns

    @property
    def state(self) -> StepState:
        """The order parameters."""
        return self.evaluation.state


@dataclass
class StepProblem:
    """Residuals on grids that stay where they are, so that they are smooth; tables of a few V are kept."""

    equations: StepEquations
    unknowns: StepUnknowns
    alpha: float
    parisi: np.ndarray
    grid: FieldGrid | None
    _tables: dict[bytes, FieldGrid] = field(default_factory=dict)

    def evaluate(self, vector: np.ndarray) -> StepEvaluation:
        """Evaluate the equations at unknowns."""
        state = self.unknowns.state(vector, self.parisi)
        self.equations.check_domain(state)
        alpha = self.unknowns.alpha(vector, self.alpha)
        return self.equations.evaluate(state, alpha, self._table(state.susceptibility))

    def residual(self, vector: np.ndarray) -> np.ndarray:
        """Return the relative residual at unknowns."""
        return self.unknowns.residual(self.evaluate(vector))

    def size(self, residual: np.ndarray) -> float:
        """Return the size of a residual, in units of the tolerance's."""
        scaled = np.abs(residual)
        if self.grid is None:
            scaled[self.unknowns.loose_places] /= LOOSE
        return float(np.max(scaled))

    def _table(self, susceptibility: np.ndarray) -> FieldGrid | None:
        if self.grid is None:
            return None
        key = susceptibility.tobytes()
        if key not in self._tables:
            while len(self._tables) > 1:
                self._tables.pop(next(iter(self._tables)))
            self._tables[key] = self.equations.moved(self.grid, susceptibility)
        return self._tables[key]

    def jacobian(self, vector: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """Return the residual's derivatives by differences."""
        jacobian = np.empty((len(vector), len(vector)))
        rough, loose = set(self.unknowns.susceptibility_places), set(self.unknowns.loose_places)
        state = self.unknowns.state(vector, self.parisi)
        small = bool(np.min(state.gaps / self.equations.outer_variance(state)) < ROUGH_GAP)
        # Those of V come last: only they need other tables.
        for place in sorted(range(len(vector)), key=lambda x: x in rough):
            step = ROUGH_DIFFERENCE if place in rough else DIFFERENCE
            if self.grid is None:
                step = (WIDE_DIFFERENCE if small else LOOSE_DIFFERENCE) if place in loose else LINE_DIFFERENCE
            moved = vector.copy()
            moved[place] += step
            jacobian[:, place] = (self.residual(moved) - residual) / step
        return jacobian


def solve_steps_at(
    equations: StepEquations,
    unknowns: StepUnknowns,
    alpha: float,
    start: StepState,
    jacobian: np.ndarray | None = None,
    report: Callable[[], object] = lambda: None,
    grid: FieldGrid | None = None,
    patience: int | None = None,
) -> SolvedSteps:
    """Solve from a state near the solution, at its y unless y is an unknown.

    Parameters
    ----------
    jacobian
        That of a solution near by, if it is known.
    report
        Called after every evaluation.
    grid
        Grids of a solution near by, which are used as long as they fit.
    patience
        Rounds without progress after which a rough solution is accepted; None for the default.

    Raises
    ------
    SolverError
        If the method does not converge, or a gap vanishes.
    """
    if grid is None or equations.on_lines or not fits(grid, start, equations):
        grid = equations.grid(start)
    tolerance, roughness, usual = TOLERANCE, ROUGHNESS, PATIENCE
    if equations.on_lines:
        tolerance, roughness, usual = LINE_TOLERANCE, LINE_ROUGHNESS, LINE_PATIENCE
    patience = usual if patience is None else patience
    vanished, slow = (LINE_VANISHED, LINE_SLOW) if equations.on_lines else (VANISHED, SLOW)
    problem = StepProblem(equations, unknowns, alpha, start.parisi, grid)
    vector = unknowns.vector(start, alpha)
    here = problem.evaluate(vector)
    residual, fresh = unknowns.residual(here), False
    best, idle = None, 0
    for _ in range(MOST_ROUNDS):
        report()
        size = problem.size(residual)
        if best is None or size < 0.5 * best[0]:
            best, idle = (size, vector, here), 0
        else:
            idle += 1
        if size <= tolerance or (idle > patience and best[0] <= roughness):
            # The best one: where a kink lies on a grid point the residual has a step, and no zero.
            _, vector, here = best if size > tolerance else (size, vector, here)
            if jacobian is None:
                jacobian = problem.jacobian(vector, unknowns.residual(here))
            return SolvedSteps(here, jacobian, unknowns)
        if jacobian is None:
            jacobian, fresh = problem.jacobian(vector, residual), True
        moved = _inside(problem, vector, _limited(jacobian, residual, unknowns))
        if moved is None:
            if not fresh:
                jacobian = None
                continue
            raise SolverError(_said(alpha, start, Outcome.LEFT_DOMAIN), Outcome.LEFT_DOMAIN)
        taken, there = moved
        after = unknowns.residual(there)
        shrunk = problem.size(after) / size
        # On lines, differences of residuals as small as these are those of steps of the averages.
        rough_now = problem.grid is None and size < LINE_NOISE
        if shrunk > 2.0 and not fresh and not rough_now:
            jacobian = None
            continue
        # Broyden's update.
        jacobian = jacobian + np.outer(after - residual - jacobian @ taken, taken) / (taken @ taken)
        vector, here, residual = vector + taken, there, after
        if np.min(here.state.gaps / equations.outer_variance(here.state)) < vanished:
            raise SolverError(_said(alpha, start, Outcome.MERGED), Outcome.MERGED)
        if problem.grid is not None and not fits(problem.grid, here.state, equations):
            # A gap that has shrunk would slip through grids that are too wide for it.
            problem = StepProblem(equations, unknowns, alpha, start.parisi, equations.grid(here.state))
            here = problem.evaluate(vector)
            residual, best, idle = unknowns.residual(here), None, 0
        elif shrunk > slow and not fresh and not rough_now:
            jacobian = None
        fresh = False
    raise SolverError(_said(alpha, start, Outcome.MAX_STEPS), Outcome.MAX_STEPS)


def with_wide_differences(equations: StepEquations, solved: SolvedSteps) -> SolvedSteps:
    """Return a solution on lines with derivatives in gaps and y by steps that are far above those of the averages.

    The functional is hardly curved in them, and errors are divided by what it is curved; Newton's method does not care.
    """
    unknowns, here = solved.unknowns, solved.evaluation
    problem = StepProblem(equations, unknowns, here.alpha, here.state.parisi, None)
    vector, jacobian = unknowns.vector(here.state, here.alpha), solved.jacobian.copy()
    own = unknowns.residual(here)
    for place in unknowns.loose_places:
        moved = vector + ERROR_DIFFERENCE * (np.arange(len(vector)) == place)
        try:
            jacobian[:, place] = (problem.residual(moved) - own) / ERROR_DIFFERENCE
        except OutsideDomain:
            continue
    return SolvedSteps(here, jacobian, unknowns)


def _said(alpha: float, start: StepState, outcome: Outcome) -> str:
    if outcome is Outcome.MERGED:
        count = len(start.parisi)
        return f"{count} step(s) of replica-symmetry breaking at alpha = {alpha:.6g}: a gap between overlaps vanishes"
    return f"{len(start.parisi)} step(s) of replica-symmetry breaking at alpha = {alpha:.6g}: {outcome.value}"


def _limited(jacobian: np.ndarray, residual: np.ndarray, unknowns: StepUnknowns) -> np.ndarray:
    """Return Newton's step, shortened if it is long.

    Most of what is long is so along y, in which the functional is hardly curved: of y no more than so much is taken,
    and the rest follows it, so that it stays near the solution at given y.
    """
    count = unknowns.steps * unknowns.parisi
    if not count:
        step = -np.linalg.lstsq(jacobian, residual, rcond=None)[0]
    else:
        n = len(residual) - count
        # At given y, and how that and the functional's slope in y change with y along solutions.
        given, by_y = np.split(
            -np.linalg.lstsq(jacobian[:n, :n], np.column_stack([residual[:n], jacobian[:n, n:]]), rcond=None)[0],
            [1],
            axis=1,
        )
        slope = residual[n:] + jacobian[n:, :n] @ given[:, 0]
        curvature = jacobian[n:, n:] + jacobian[n:, :n] @ by_y
        if count == 1:
            # The ground state is a minimum over y: away from one it is downhill.
            curvature = np.maximum(np.abs(curvature), 1e-12)
        y = -np.linalg.lstsq(curvature, slope, rcond=None)[0]
        y = y * min(1.0, LARGEST / max(float(np.max(np.abs(y))), 1e-300))
        step = np.concatenate([given[:, 0] + by_y @ y, y])
    return step * min(1.0, LARGEST / max(float(np.max(np.abs(step))), 1e-300))


def _inside(problem: StepProblem, vector: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, StepEvaluation] | None:
    """Take a step, or as much of it as stays inside the domain."""
    for _ in range(6):
        try:
            return step, problem.evaluate(vector + step)
        except OutsideDomain:
            step = 0.4 * step
    return None


def fits(grid: FieldGrid, state: StepState, equations: StepEquations) -> bool:
    """Whether grids are about as fine as a state wants them: not much wider, nor much finer."""
    if not isinstance(equations.rule, GridRule):
        return False
    spacing = float(grid.axes[0, 0, 1] - grid.axes[0, 0, 0])
    wanted = equations.rule.spacing * float(np.sqrt(np.min(state.gaps)))
    return MUCH_FINER < spacing / wanted < TOO_WIDE
