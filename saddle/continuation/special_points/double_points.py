"""Where two symmetries break at once: the crossing of two lines of pitchforks, in two parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from saddle.continuation.curve.curves import CurveEvaluation
from saddle.continuation.problem import Evaluation
from saddle.continuation.special_points.defining_systems import SymmetryBreakingPoints, signed_singular_value
from saddle.continuation.subspaces import Block

__all__ = ["DoubleSymmetryBreaking"]


@dataclass(frozen=True)
class DoubleSymmetryBreaking:
    """F = 0 on a symmetric branch and two odd blocks of dF/dx singular: as many equations as unknowns.

    Attributes
    ----------
    first
        The equations of pitchforks of one kind, with two active parameters.
    other
        The other odd block.
    """

    first: SymmetryBreakingPoints
    other: Block

    @property
    def second(self) -> SymmetryBreakingPoints:
        """The equations of pitchforks of the other kind."""
        one = self.first
        return SymmetryBreakingPoints(one.problem, one.block, one.parameters, one.active, self.other)

    @property
    def noise(self) -> float:
        """Of the problem."""
        return self.first.noise

    def units(self, y: np.ndarray) -> np.ndarray:
        """Return natural sizes of coordinates and active parameters."""
        return self.first.units(y)

    def evaluate(self, y: np.ndarray) -> CurveEvaluation:
        """Evaluate (m + 2) equations and their derivatives in (m + 2) unknowns."""
        first, second = self.first.evaluate(y), self.second.evaluate(y)
        return CurveEvaluation(
            np.append(first.residual, second.residual[-1]),
            np.vstack([first.jacobian, second.jacobian[-1]]),
            np.append(first.scales, second.scales[-1]),
            first.detail,
        )

    def values(self, y: np.ndarray) -> tuple[np.ndarray, Evaluation]:
        """Return the residuals alone, (m + 2,), and the problem's evaluation."""
        residual, here = self.first.values(y)
        x, _ = self.first.full(y)
        return np.append(residual, signed_singular_value(self.other.jacobian(self.first.problem, here, x))[0]), here
