"""What is said about a special point on a branch."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from saddle.continuation.outcomes import Outcome
from saddle.continuation.problem import Evaluation
from saddle.continuation.subspaces import Block

__all__ = ["Criticality", "CurveFunction", "SpecialPoint", "SpecialPointKind"]


class SpecialPointKind(enum.Enum):
    """What happens at a special point."""

    FOLD = "fold"
    BRANCH_POINT = "branch point"
    PITCHFORK = "pitchfork"
    FUNCTION = "zero of a function"


class Criticality(enum.Enum):
    """To which side of a pitchfork the branch of lower symmetry bends."""

    SUPERCRITICAL = "supercritical: the new branch exists where the old one has lost stability"
    SUBCRITICAL = "subcritical: the new branch exists where the old one is still stable"
    UNKNOWN = "not determined"


@dataclass(frozen=True)
class SpecialPoint:
    """A special point on a branch.

    Attributes
    ----------
    kind, name
        What happens; for functions, which.
    x
        Unknowns there, (n,).
    parameter, error
        Value of the active parameter, and its error from the residual's noise.
    kernel
        Null vectors of dF/dx, (n, r).
    block
        The block that is singular.
    bracket
        Values of the parameter at the points of the branch on both sides.
    outcome
        CONVERGED, or why the point was not located; x and parameter are then interpolated guesses.
    evaluations
        Of the problem, to locate it.
    unstable_side
        1 or -1: to which side of it, in the parameter, the branch is unstable to the kernel; 0 if that is not known,
        or if the branch has only one side, at a fold.
    criticality
        Of a pitchfork with a kernel of one dimension, once its new branch has been looked at.
    tangent
        Direction of the branch there, in the unknowns and the active parameter, (n + 1,).
    """

    kind: SpecialPointKind
    name: str
    x: np.ndarray
    parameter: float
    error: float
    kernel: np.ndarray
    block: Block | None
    bracket: tuple[float, float]
    outcome: Outcome
    evaluations: int
    unstable_side: int = 0
    criticality: Criticality = Criticality.UNKNOWN
    tangent: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @property
    def resolved(self) -> bool:
        """Whether it was located."""
        return self.outcome is Outcome.CONVERGED


@dataclass(frozen=True)
class CurveFunction:
    """A function of the solution whose zeros are wanted.

    Attributes
    ----------
    name
        For the result.
    function, gradient, scale
        As in :class:`saddle.continuation.special_points.defining_systems.FunctionZeros`.
    """

    name: str
    function: Callable[[np.ndarray, np.ndarray, Evaluation], float]
    gradient: Callable[[np.ndarray, np.ndarray, Evaluation], tuple[np.ndarray, np.ndarray]] | None = None
    scale: float = 1.0
