"""How a computation ended: every outcome is named, and its message is for people."""

from __future__ import annotations

import enum

from replica.common.errors import AttentionPhaseError

__all__ = ["Outcome", "SolverError"]


class Outcome(enum.Enum):
    """Outcome of a Newton solve, of following a branch to one value of alpha, or of a curve at its end."""

    CONVERGED = "converged"
    MERGED = "the branch has merged into the one with more symmetry at this alpha"
    ABSENT = "no solution of this kind was found"
    MAX_STEPS = "Newton's method did not converge within its steps"
    LEFT_DOMAIN = "Newton's method left the domain where the equations are defined"
    SINGULAR = "the Jacobian is singular"
    NOT_FINITE = "the residual is not finite"
    FOLDED = "the branch has turned back at a fold before this alpha"
    LOST = "the branch could not be followed any further, however short the step"
    INTERRUPTED = "the computation was interrupted before this alpha"
    STARTED = "the curve was started here"
    AT_BOUND = "the curve reached the bound that was set"
    STOPPED = "the curve met a declared stop condition"
    CLOSED = "the curve came back to its first point"
    STEP_TOO_SHORT = "the curve could not be followed any further, however short the step"
    MAX_POINTS = "the curve has as many points as were allowed"


class SolverError(AttentionPhaseError):
    """A point that was asked for by name could not be solved; carries the outcome."""

    def __init__(self, message: str, outcome: Outcome) -> None:
        super().__init__(message)
        self.outcome = outcome
