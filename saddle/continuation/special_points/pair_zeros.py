"""Two branches, and a function of both solutions that vanishes: a point, or with two active parameters a curve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from saddle.continuation.curve.curves import CurveEvaluation
from saddle.continuation.problem import Evaluation, Problem
from saddle.continuation.special_points.defining_systems import differences
from saddle.continuation.subspaces import Block

__all__ = ["PairZeros"]


@dataclass(frozen=True)
class PairZeros:
    """F = 0 on two branches, and a function of both, with y = (first (m_1,), second (m_2,), active parameters).

    Attributes
    ----------
    function
        Of (parameters (k,), first evaluation, second evaluation); differentiated by central differences.
    scale
        Natural size of its values.
    step
        Of the differences, in natural units; None for the problem's own.
    """

    problem: Problem
    first: Block
    second: Block
    parameters: np.ndarray
    active: tuple[int, ...]
    function: Callable[[np.ndarray, Evaluation, Evaluation], float]
    scale: float = 1.0
    step: float | None = None

    @property
    def noise(self) -> float:
        """Of the problem."""
        return self.problem.noise

    def full(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return both solutions (n,) and the parameters (k,)."""
        a, b = self.first.size, self.second.size
        parameters = np.array(self.parameters, dtype=float)
        parameters[list(self.active)] = y[a + b :]
        return self.first.basis @ y[:a], self.second.basis @ y[a : a + b], parameters

    def units(self, y: np.ndarray) -> np.ndarray:
        """Return natural sizes."""
        first, second, parameters = self.full(y)
        active = self.problem.parameter_units(parameters)[list(self.active)]
        return np.concatenate([self.first.units(self.problem, first), self.second.units(self.problem, second), active])

    def evaluate(self, y: np.ndarray) -> CurveEvaluation:
        """Evaluate both branches' equations and the function; its slopes take two more evaluations per unknown."""
        residual, (a, b) = self.values(y)
        m, n, active = self.first.size, self.second.size, list(self.active)
        jacobian = np.zeros((m + n + 1, m + n + len(active)))
        jacobian[:m, :m] = self.first.equations @ a.jacobian @ self.first.basis
        jacobian[m : m + n, m : m + n] = self.second.equations @ b.jacobian @ self.second.basis
        jacobian[:m, m + n :] = self.first.equations @ a.parameter_derivatives[:, active]
        jacobian[m : m + n, m + n :] = self.second.equations @ b.parameter_derivatives[:, active]
        jacobian[-1] = differences(self._value, y, self.units(y) * (self.step or self.problem.difference_step))
        scales = np.concatenate([self.first.scales(a), self.second.scales(b), [self.scale]])
        return CurveEvaluation(residual=residual, jacobian=jacobian, scales=scales, detail=(a, b))

    def values(self, y: np.ndarray) -> tuple[np.ndarray, tuple[Evaluation, Evaluation]]:
        """Return the residuals alone, (m_1 + m_2 + 1,), and the evaluations of both solutions."""
        first, second, parameters = self.full(y)
        a, b = self.problem.evaluate(first, parameters), self.problem.evaluate(second, parameters)
        value = self.function(parameters, a, b)
        return np.concatenate([self.first.equations @ a.residual, self.second.equations @ b.residual, [value]]), (a, b)

    def _value(self, y: np.ndarray) -> np.ndarray:
        first, second, parameters = self.full(y)
        a, b = self.problem.evaluate(first, parameters), self.problem.evaluate(second, parameters)
        return np.array(self.function(parameters, a, b))
