r"""The gap of one step where y vanishes: the start of everything else.

As y goes to zero all order parameters but the gap take their replica-symmetric values, and the gap is that of two
minima drawn independently: :math:`\Delta = q - q_0` with the overlap :math:`q_0` that reproduces itself. Replica
symmetry itself is :math:`\Delta = 0`; where it is unstable, or where jumps make the response singular, there is
another one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from saddle.continuation.newton import OutsideDomain
from saddle.continuation.outcomes import Outcome, SolverError
from saddle.state_evolution.steps.step_equations import StepEquations
from saddle.state_evolution.steps.step_state import StepState

__all__ = ["first_gap"]

# Gaps that are tried, relative to the variance of the fields given the teacher's, from the largest on.
LARGEST_GAP, SMALLEST_GAP, RATIO = 0.5, 2e-3, 3.5
# y times the gap, relative to V: small, but not so small that logarithms of averages lose digits.
FEW = 0.02


def first_gap(equations: StepEquations, alpha: float, symmetric: StepState) -> StepState | None:
    """Return a state with a gap for a small y near a replica-symmetric one, or None if no gap reproduces itself.

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

    def state(gap: float) -> StepState:
        # The smallest response sets the scale for all groups.
        parisi = np.array([FEW * float(np.min(symmetric.susceptibility / variance)) / gap])
        return replace(symmetric, outer_overlap=q - gap * variance, gaps=gap * variance[None], parisi=parisi)

    def excess(gap: float) -> float:
        """Return by how much a gap exceeds the one it makes, relative to it."""
        tried = state(gap)
        evaluation = equations.evaluate(tried, alpha)
        return float(np.mean(evaluation.residual_state.gaps / tried.gaps))

    above: tuple[float, float] | None = None
    gap = LARGEST_GAP
    while gap >= SMALLEST_GAP:
        try:
            value = excess(gap)
        except OutsideDomain:
            value = np.inf
        if value <= 0.0:
            if above is None:
                raise SolverError(
                    f"at alpha = {alpha:.6g} two minima drawn independently overlap by less than half of the fields' "
                    "variance allows: they differ by a symmetry, or breaking is strong, and neither is solved for",
                    Outcome.LOST,
                )
            if not np.isfinite(above[1]):
                return state(gap)
            # The logarithm of the gap, linearly between the two.
            share = above[1] / (above[1] - value)
            return state(float(above[0] ** (1.0 - share) * gap**share))
        above = gap, value
        gap /= RATIO
    return None
