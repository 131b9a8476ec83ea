r"""A start for one step: the gap that reproduces itself while everything else is replica-symmetric.

Where proximal points jump, two minima of a block differ in those samples whose fields lie within :math:`\sqrt\Delta` of
a jump: the gap that a gap :math:`\Delta` makes grows as its root, so that there is one, however small, and its square
root follows from one trial. Where nothing jumps a small gap makes one that is proportional to it, by less or more
than one as replica symmetry is stable or not.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from saddle.continuation.newton import OutsideDomain
from saddle.continuation.outcomes import Outcome, SolverError
from saddle.state_evolution.steps.step_equations import StepEquations
from saddle.state_evolution.steps.step_state import StepState

__all__ = ["balanced", "first_gap", "smallest_gap", "with_one_step_more"]

# Gaps relative to the variance of the fields given the teacher's: the largest, the smallest on lines and on grids, and
# the first one that is tried.
LARGEST_GAP, SMALLEST_GAP, SMALLEST_ON_GRIDS, FIRST_GAP = 0.97, 1e-6, 2e-3, 0.03
# y sqrt(Delta) in units of V, of ground states: the slopes of the envelope are fields over V, and weights
# exp(y F) and steps of the fields are balanced.
BALANCE = 1.8
# Accepted relative excess of a gap over the one it makes, and how often one is tried.
ACCEPTED, MOST = 0.15, 12


def smallest_gap(equations: StepEquations) -> float:
    """Return the smallest gap that is looked for, relative to the variance of the fields given the teacher's."""
    return SMALLEST_GAP if equations.on_lines else SMALLEST_ON_GRIDS


def balanced(state: StepState) -> StepState:
    """Return a state of one step with the y at which slopes of the envelope and steps of the fields are balanced."""
    # The smallest response and the smallest gap set the scale for all groups.
    parisi = BALANCE * float(np.min(state.susceptibility)) / np.sqrt(float(np.min(state.gaps)))
    return replace(state, parisi=np.array([parisi]))


def first_gap(equations: StepEquations, alpha: float, symmetric: StepState) -> StepState | None:
    """Return a state with a gap and a y near a replica-symmetric one, or None if no gap reproduces itself.

    Parameters
    ----------
    symmetric
        The replica-symmetric solution, whose gap and y do not matter: its ``outer_overlap`` is q.

    Raises
    ------
    SolverError
        If even the largest gap that is tried makes a larger one.
    """
    q, variance = symmetric.outer_overlap, equations.outer_variance(symmetric)
    smallest = smallest_gap(equations)

    def state(gap: float) -> StepState:
        return balanced(replace(symmetric, outer_overlap=q - gap * variance, gaps=gap * variance[None]))

    def excess(gap: float) -> float:
        """Return by how much a gap exceeds the one it makes, relative to it."""
        tried = state(gap)
        try:
            found = equations.evaluate(tried, alpha)
        except OutsideDomain:
            return 0.9
        return float(np.mean(found.residual_state.gaps / tried.gaps))

    # Gaps that are known to be too small and too large.
    low, high = 0.0, np.inf
    gap = FIRST_GAP
    for _ in range(MOST):
        value = excess(gap)
        if abs(value) < ACCEPTED:
            return state(gap)
        if value < 0.0:
            low = max(low, gap)
            if gap >= LARGEST_GAP:
                raise SolverError(
                    f"at alpha = {alpha:.6g} a gap of {LARGEST_GAP:g} of the fields' variance makes a larger one: "
                    "minima of different blocks hardly overlap, and the outermost level is none of its own",
                    Outcome.LOST,
                )
        else:
            high = min(high, gap)
            if gap <= smallest:
                return None
        # What it makes grows as its root.
        gap = float(np.clip(gap * (1.0 - min(value, 0.95)) ** 2, 0.03 * gap, 30.0 * gap))
        if not low < gap < high:
            gap = float(np.sqrt(low * high))
        gap = float(np.clip(gap, smallest, LARGEST_GAP))
        if high < 1.05 * low:
            break
    return state(gap)


def with_one_step_more(state: StepState) -> StepState:
    """Return a start for one step more: the innermost gap in two parts, at y below and above."""
    gaps = np.concatenate([state.gaps[:-1], 0.6 * state.gaps[-1:], 0.4 * state.gaps[-1:]])
    parisi = np.concatenate([state.parisi[:-1], state.parisi[-1:] * 0.6, state.parisi[-1:] * 2.0])
    return replace(state, gaps=gaps, parisi=parisi)
