r"""Solutions with a gap so small that averages along lines see steps of it: by a line through several gaps.

What a gap makes differs from line to line by more than the gap itself, and whenever a jump passes from one line's nodes
to another's its equation has a step as large as the residual: it may have no zero, and differences at neighbouring gaps
say nothing of its slope. So the gap is no unknown of Newton's method here. At several gaps, a factor apart, everything
else is solved for, with y where slopes of the envelope and steps of the fields are balanced; the gap that reproduces
itself is where a straight line through what is left of its equation vanishes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from saddle.branches.steps.first_gap import balanced, smallest_gap
from saddle.branches.steps.solving import SolvedSteps, StepProblem
from saddle.continuation.newton import OutsideDomain
from saddle.continuation.outcomes import Outcome, SolverError
from saddle.state_evolution.steps.step_equations import StepEquations, StepEvaluation
from saddle.state_evolution.steps.step_state import StepState
from saddle.state_evolution.steps.step_unknowns import StepUnknowns

__all__ = ["FAINT_GAP", "solve_faint_gap"]

# Gap, relative to the variance of the outermost fields, below which y need not be resolved: it changes nothing then.
FAINT_GAP = 5e-3
# Logarithms of the gaps that a line is laid through, about the middle one: on few lines, and on the rule's own.
ROUGH_PLACES, PLACES = (-0.8, -0.4, 0.0, 0.4, 0.8), (-0.5, 0.0, 0.5)
# How far beyond them a zero is believed, how often they are moved, and rounds of Newton's method for the rest, whose
# residuals are of size CLOSE then.
BEYOND, MOST_MOVES, ROUNDS, CLOSE = 0.3, 8, 3, 1e-4
# Least slope of what is left of a gap's equation in its logarithm, where it follows the root law 0.5.
LEAST_SLOPE = 0.05
# Largest error of a gap's logarithm at which it differs from none.
LARGEST_ERROR = 1.0


@dataclass(frozen=True)
class _Scan:
    """Solutions of all equations but the gaps' and y's, at several gaps.

    Attributes
    ----------
    places
        Logarithms of the gaps, relative to the middle one, (n,).
    evaluations
        The equations there.
    left
        What is left of the gaps' equations, relative to the gaps, (n, groups).
    """

    places: np.ndarray
    evaluations: tuple[StepEvaluation, ...]
    left: np.ndarray

    def zero(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return slopes of straight lines, where these vanish, and the errors of that by their scatter, (groups,)."""
        count = len(self.places)
        slopes, values = np.polyfit(self.places, self.left, 1)
        scatter = self.left - values - np.outer(self.places, slopes)
        spread = np.sqrt(np.sum(scatter**2, axis=0) / max(count - 2, 1))
        safe = np.maximum(slopes, LEAST_SLOPE)
        return slopes, -values / safe, spread / safe / np.sqrt(count)


def solve_faint_gap(
    equations: StepEquations,
    unknowns: StepUnknowns,
    alpha: float,
    start: StepState,
    report: Callable[[], object] = lambda: None,
) -> SolvedSteps:
    """Solve for one step with a small gap, on lines.

    Parameters
    ----------
    equations
        On lines.
    unknowns
        With y among them.
    start
        A state with a gap near by.
    report
        Called after every evaluation.

    Raises
    ------
    SolverError
        Of outcome ABSENT if the gap is none: it makes less than itself, however small, or is zero within its error.
    """
    rough = equations.on_few_lines
    state = balanced(start)
    jacobian: np.ndarray | None = None
    for own, places in ((rough, ROUGH_PLACES), (equations, PLACES)):
        problem = StepProblem(own, unknowns, alpha, state.parisi, None)
        for _ in range(MOST_MOVES):
            scan, jacobian = _scanned(problem, state, np.array(places), jacobian, report)
            slopes, moved, errors = scan.zero()
            middle = scan.evaluations[len(places) // 2].state
            edge = max(places) + BEYOND
            state = _with_gap(middle, np.clip(moved, -edge, edge))
            share = np.min(state.gaps / own.outer_variance(state))
            if share < smallest_gap(own):
                raise _none(alpha, f"a gap of {share:.1e} of the fields' variance makes less than itself")
            if np.all(np.abs(moved) <= edge):
                break
        else:
            raise _none(alpha, "what a gap makes of itself does not grow with it as it should")
    if np.any(slopes < LEAST_SLOPE) or np.any(errors > LARGEST_ERROR):
        raise _none(alpha, f"a gap of {share:.1e} of the fields' variance is zero within its error")
    assert jacobian is not None
    here = _solved(problem, state, jacobian, report)
    # Errors follow from derivatives, which few lines know as well.
    vector, problem = unknowns.vector(here.state, alpha), StepProblem(rough, unknowns, alpha, state.parisi, None)
    return SolvedSteps(here, problem.jacobian(vector, problem.residual(vector)), unknowns)


def _none(alpha: float, why: str) -> SolverError:
    return SolverError(f"no gap between overlaps is resolved at alpha = {alpha:.6g}: {why}", Outcome.ABSENT)


def _with_gap(state: StepState, logarithms: np.ndarray) -> StepState:
    """Return a state whose gaps are larger by factors, the innermost overlap staying, with a balanced y."""
    gaps = state.gaps * np.exp(logarithms)
    return balanced(replace(state, outer_overlap=state.levels[-1] - gaps[0], gaps=gaps))


def _scanned(
    problem: StepProblem,
    state: StepState,
    places: np.ndarray,
    jacobian: np.ndarray | None,
    report: Callable[[], object],
) -> tuple[_Scan, np.ndarray]:
    """Solve at several gaps, from the middle one on; a Jacobian of everything else is made if none is known."""
    unknowns = problem.unknowns
    if jacobian is None:
        vector = unknowns.vector(state, problem.alpha)
        jacobian = problem.jacobian(vector, problem.residual(vector))
    found: dict[int, StepEvaluation] = {}
    for index in np.argsort(np.abs(places), kind="stable"):
        near, shift = state, places[index]
        if found:
            nearest = min(found, key=lambda k: abs(places[k] - places[index]))
            near, shift = found[nearest].state, places[index] - places[nearest]
        found[int(index)] = _solved(problem, _with_gap(near, np.full(near.gaps.shape[1], shift)), jacobian, report)
    evaluations = tuple(found[k] for k in range(len(places)))
    left = np.array([x.residual_state.gaps[0] / x.state.gaps[0] for x in evaluations])
    return _Scan(places, evaluations, left), jacobian


def _solved(
    problem: StepProblem, state: StepState, jacobian: np.ndarray, report: Callable[[], object]
) -> StepEvaluation:
    """Solve for all unknowns but gaps and y by Newton's method with one Jacobian, as far as averages are smooth."""
    unknowns = problem.unknowns
    vector = unknowns.vector(state, problem.alpha)
    free = np.setdiff1d(np.arange(len(vector)), unknowns.loose_places)
    block = jacobian[np.ix_(free, free)]
    best: tuple[float, StepEvaluation] | None = None
    for _ in range(ROUNDS):
        report()
        try:
            here = problem.evaluate(vector)
        except OutsideDomain as error:
            raise SolverError(str(error), Outcome.LEFT_DOMAIN) from None
        residual = unknowns.residual(here)[free]
        size = float(np.max(np.abs(residual)))
        if best is None or size < best[0]:
            best = size, here
        if size < CLOSE:
            break
        vector = vector.copy()
        vector[free] -= np.linalg.lstsq(block, residual, rcond=None)[0]
    assert best is not None
    return best[1]
