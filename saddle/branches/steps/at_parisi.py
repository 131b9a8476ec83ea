"""Solve the equations of k steps at given y, by a quasi-Newton method on one set of grids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from saddle.continuation.newton import OutsideDomain
from saddle.continuation.outcomes import Outcome, SolverError
from saddle.state_evolution.steps.step_equations import FieldGrid, StepEquations, StepEvaluation
from saddle.state_evolution.steps.step_state import StepState
from saddle.state_evolution.steps.step_unknowns import StepUnknowns

__all__ = ["AtParisi", "SolvedAtParisi", "fits", "solve_at_parisi"]

# Relative size of residuals at which a solution is accepted: far below what grids and nodes are good for. And at which
# it is accepted after some rounds that have not halved it: kinks of the envelope on grid points make steps as large.
TOLERANCE, ROUGHNESS, PATIENCE = 1e-6, 1e-3, 5
# Steps of differences, in the unknowns' units: those of V, at which a table has to be made anew, are longer, since
# kinks that move across grid points make its slopes rough.
DIFFERENCE, ROUGH_DIFFERENCE = 1e-4, 1e-3
# Largest accepted step of an unknown; residuals that shrink by less than this are worth a new Jacobian.
LARGEST, SLOW = 0.5, 0.3
MOST_ROUNDS = 40
# Gap, relative to the variance of the outermost fields, below which it counts as none.
VANISHED = 2e-4
# How much finer and wider than asked for grids may be before they are made anew: neighbouring solutions on the same
# grids have the same errors, so that functions of y are smooth.
MUCH_FINER, TOO_WIDE = 0.65, 1.1


@dataclass(frozen=True)
class SolvedAtParisi:
    """A solution at given y.

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
class AtParisi:
    """Residuals at given y on grids that stay where they are, so that they are smooth; tables of a few V are kept."""

    equations: StepEquations
    unknowns: StepUnknowns
    alpha: float
    parisi: np.ndarray
    grid: FieldGrid
    _tables: dict[bytes, FieldGrid] = field(default_factory=dict)

    def evaluate(self, vector: np.ndarray) -> StepEvaluation:
        """Evaluate the equations at unknowns."""
        state = self.unknowns.state(vector, self.parisi)
        self.equations.check_domain(state)
        return self.equations.evaluate(state, self.alpha, self._table(state.susceptibility))

    def residual(self, vector: np.ndarray) -> np.ndarray:
        """Return the relative residual at unknowns."""
        return self.unknowns.residual(self.evaluate(vector))

    def _table(self, susceptibility: np.ndarray) -> FieldGrid:
        key = susceptibility.tobytes()
        if key not in self._tables:
            while len(self._tables) > 1:
                self._tables.pop(next(iter(self._tables)))
            self._tables[key] = self.equations.moved(self.grid, susceptibility)
        return self._tables[key]

    def jacobian(self, vector: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """Return the residual's derivatives by differences."""
        jacobian = np.empty((len(vector), len(vector)))
        rough = set(self.unknowns.susceptibility_places)
        # Those of V come last: only they need other tables.
        for place in sorted(range(len(vector)), key=lambda x: x in rough):
            step = ROUGH_DIFFERENCE if place in rough else DIFFERENCE
            moved = vector.copy()
            moved[place] += step
            jacobian[:, place] = (self.residual(moved) - residual) / step
        return jacobian


def solve_at_parisi(
    equations: StepEquations,
    unknowns: StepUnknowns,
    alpha: float,
    start: StepState,
    jacobian: np.ndarray | None = None,
    report: Callable[[], object] = lambda: None,
    grid: FieldGrid | None = None,
) -> SolvedAtParisi:
    """Solve at the y of a state near the solution.

    Parameters
    ----------
    jacobian
        That of a solution near by, if it is known.
    report
        Called after every evaluation.
    grid
        Grids of a solution near by, which are used as long as they fit.

    Raises
    ------
    SolverError
        If the method does not converge, or a gap vanishes.
    """
    if grid is None or not fits(grid, start, equations):
        grid = equations.grid(start)
    problem = AtParisi(equations, unknowns, alpha, start.parisi, grid)
    vector = unknowns.vector(start)
    here = problem.evaluate(vector)
    residual, fresh = unknowns.residual(here), False
    best, idle = None, 0
    for _ in range(MOST_ROUNDS):
        report()
        size = float(np.max(np.abs(residual)))
        if best is None or size < 0.5 * best[0]:
            best, idle = (size, vector, here), 0
        else:
            idle += 1
        if size <= TOLERANCE or (idle > PATIENCE and best[0] <= ROUGHNESS):
            # The best one: where a kink lies on a grid point the residual has a step, and no zero.
            _, vector, here = best if size > TOLERANCE else (size, vector, here)
            if jacobian is None:
                jacobian = problem.jacobian(vector, unknowns.residual(here))
            return SolvedAtParisi(here, jacobian, unknowns)
        if jacobian is None:
            jacobian, fresh = problem.jacobian(vector, residual), True
        moved = _inside(problem, vector, _limited(jacobian, residual))
        if moved is None:
            if not fresh:
                jacobian = None
                continue
            raise SolverError(_said(alpha, start, Outcome.LEFT_DOMAIN), Outcome.LEFT_DOMAIN)
        taken, there = moved
        after = unknowns.residual(there)
        shrunk = np.max(np.abs(after)) / size
        if shrunk > 2.0 and not fresh:
            jacobian = None
            continue
        # Broyden's update.
        jacobian = jacobian + np.outer(after - residual - jacobian @ taken, taken) / (taken @ taken)
        vector, here, residual = vector + taken, there, after
        if np.min(here.state.gaps / equations.outer_variance(here.state)) < VANISHED:
            raise SolverError(_said(alpha, start, Outcome.MERGED), Outcome.MERGED)
        if not fits(problem.grid, here.state, equations):
            # A gap that has shrunk would slip through grids that are too wide for it.
            problem = AtParisi(equations, unknowns, alpha, start.parisi, equations.grid(here.state))
            here = problem.evaluate(vector)
            residual, best, idle = unknowns.residual(here), None, 0
        elif shrunk > SLOW and not fresh:
            jacobian = None
        fresh = False
    raise SolverError(_said(alpha, start, Outcome.MAX_STEPS), Outcome.MAX_STEPS)


def _said(alpha: float, start: StepState, outcome: Outcome) -> str:
    if outcome is Outcome.MERGED:
        count = len(start.parisi)
        return f"{count} step(s) of replica-symmetry breaking at alpha = {alpha:.6g}: a gap between overlaps vanishes"
    return f"{len(start.parisi)} step(s) of replica-symmetry breaking at alpha = {alpha:.6g}: {outcome.value}"


def _limited(jacobian: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Return Newton's step, shortened if it is long."""
    step = -np.linalg.lstsq(jacobian, residual, rcond=None)[0]
    return step * min(1.0, LARGEST / max(float(np.max(np.abs(step))), 1e-300))


def _inside(problem: AtParisi, vector: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, StepEvaluation] | None:
    """Take a step, or as much of it as stays inside the domain."""
    for _ in range(6):
        try:
            return step, problem.evaluate(vector + step)
        except OutsideDomain:
            step = 0.4 * step
    return None


def fits(grid: FieldGrid, state: StepState, equations: StepEquations) -> bool:
    """Whether grids are about as fine as a state wants them: not much wider, nor much finer."""
    spacing = float(grid.axes[0, 0, 1] - grid.axes[0, 0, 0])
    wanted = equations.rule.spacing * float(np.sqrt(np.min(state.gaps)))
    return MUCH_FINER < spacing / wanted < TOO_WIDE
