"""Equations that define special points: with one active parameter a point, with two a curve of such points.

Each appends one equation to those of a branch: the signed smallest singular value of a block of dF/dx vanishes
(folds and pitchforks), a function of the solution vanishes, or two branches have equal potential.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from saddle.continuation.curve.curves import CurveEvaluation
from saddle.continuation.newton import OutsideDomain
from saddle.continuation.problem import Evaluation, Problem
from saddle.continuation.subspaces import Block

__all__ = [
    "EqualPotentials", "FoldPoints", "FunctionZeros", "SymmetryBreakingPoints", "differences",
    "signed_singular_value",
]  # fmt: skip


# Step of central differences, in natural units, for a Jacobian that is exact.
EXACT_STEP = 1e-4


def signed_singular_value(matrix: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return sign(det) times the smallest singular value s, and vectors with w . matrix v = s.

    Unlike the singular value itself it is smooth through zero, and ds = w . d(matrix) v.
    """
    left, values, right = np.linalg.svd(matrix)
    sign = np.linalg.slogdet(left)[0] * np.linalg.slogdet(right)[0]
    # sign(det matrix) = sign times a positive number, unless it is singular; counted on all but the smallest value
    # it stays defined there.
    return float(sign * values[-1]), left[:, -1] * sign, right[-1]


def differences(function: Callable[[np.ndarray], np.ndarray], y: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Differentiate a function along every axis, (len(y), ...), to second order in the steps.

    Central differences, or one-sided ones at the edge of the function's domain.
    """
    slopes = []
    for index, step in enumerate(steps):
        move = np.zeros(len(y))
        move[index] = step
        sides: list[np.ndarray | None] = []
        for sign in (1.0, -1.0):
            try:
                sides.append(function(y + sign * move))
            except OutsideDomain:
                sides.append(None)
        ahead, behind = sides
        if ahead is not None and behind is not None:
            slopes.append((ahead - behind) / (2.0 * step))
            continue
        sign, near = (1.0, ahead) if behind is None else (-1.0, behind)
        if near is None:
            raise OutsideDomain(f"undefined on both sides of {y} along unknown {index}")
        slopes.append(sign * (4.0 * near - 3.0 * function(y) - function(y + 2.0 * sign * move)) / (2.0 * step))
    return np.array(slopes)


@dataclass(frozen=True)
class _OnBlock(ABC):
    """What defining systems on one branch share: y = (coordinates (m,), active parameters)."""

    problem: Problem
    block: Block
    parameters: np.ndarray
    active: tuple[int, ...]

    @property
    def noise(self) -> float:
        """Of the problem."""
        return self.problem.noise

    def full(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return unknowns (n,) and parameters (k,)."""
        m = self.block.size
        parameters = np.array(self.parameters, dtype=float)
        parameters[list(self.active)] = y[m:]
        return self.block.basis @ y[:m], parameters

    def join(self, x: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        """Return y at unknowns (n,) and parameters (k,)."""
        return np.concatenate([self.block.coordinates @ x, np.asarray(parameters, dtype=float)[list(self.active)]])

    def units(self, y: np.ndarray) -> np.ndarray:
        """Return natural sizes of coordinates and active parameters."""
        x, parameters = self.full(y)
        return np.append(self.block.units(self.problem, x), self.problem.parameter_units(parameters)[list(self.active)])

    def branch_rows(self, here: Evaluation) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return residual (m,), derivatives (m, m + k) and scales (m,) of the branch's equations."""
        equations = self.block.equations
        derivatives = np.hstack(
            [
                equations @ here.jacobian @ self.block.basis,
                equations @ here.parameter_derivatives[:, list(self.active)],
            ]
        )
        return equations @ here.residual, derivatives, self.block.scales(here)

    @abstractmethod
    def _last_value(self, y: np.ndarray, here: Evaluation) -> float:
        """Return the residual of the equation that is appended."""

    def values(self, y: np.ndarray) -> tuple[np.ndarray, Evaluation]:
        """Return the residuals alone, (m + 1,), and the problem's evaluation: one evaluation of the problem."""
        here = self.problem.evaluate(*self.full(y))
        return np.append(self.block.equations @ here.residual, self._last_value(y, here)), here

    def _with_row(self, here: Evaluation, value: float, gradient: np.ndarray, scale: float) -> CurveEvaluation:
        residual, derivatives, scales = self.branch_rows(here)
        return CurveEvaluation(
            np.append(residual, value), np.vstack([derivatives, gradient]), np.append(scales, scale), here
        )


@dataclass(frozen=True)
class FoldPoints(_OnBlock):
    """F = 0 and dF/dx singular: limit points, at which a branch turns back in the parameter."""

    def evaluate(self, y: np.ndarray) -> CurveEvaluation:
        """Evaluate; two more evaluations of the problem give the second derivatives along the kernel."""
        x, parameters = self.full(y)
        here = self.problem.evaluate(x, parameters)
        value, left, right = signed_singular_value(self.block.jacobian(self.problem, here, x))
        step = self.problem.difference_step
        move = self.block.basis @ (self.block.units(self.problem, x) * right * step)
        ahead, behind = (self.branch_rows(self.problem.evaluate(x + s * move, parameters))[1] for s in (1.0, -1.0))
        gradient = (left / self.block.scales(here)) @ (ahead - behind) / (2.0 * step)
        # A Jacobian whose differences want a longer step is less exact: as much is taken from the last equation. The
        # parameter is stationary at a fold, so this moves it only in second order.
        return self._with_row(here, value, gradient, (step / EXACT_STEP) ** 2)

    def _last_value(self, y: np.ndarray, here: Evaluation) -> float:
        return signed_singular_value(self.block.jacobian(self.problem, here, self.full(y)[0]))[0]


@dataclass(frozen=True)
class SymmetryBreakingPoints(_OnBlock):
    """F = 0 on a symmetric branch and an odd block of dF/dx singular: pitchforks.

    Attributes
    ----------
    odd
        The block of what breaks the symmetry.
    reuse
        Distance, in natural units, over which derivatives of the odd block are taken over from an earlier point:
        they are most of the cost, and Newton's method forgives what changes in between.
    """

    odd: Block
    reuse: float = 0.0
    _earlier: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list, repr=False, compare=False)

    def odd_matrix_derivatives(self, y: np.ndarray) -> np.ndarray:
        """Return derivatives of the odd block along y, (m + k, r, r), by central differences."""

        def odd(there: np.ndarray) -> np.ndarray:
            x, parameters = self.full(there)
            return self.odd.jacobian(self.problem, self.problem.evaluate(x, parameters), x)

        return differences(odd, y, self.units(y) * self.problem.difference_step)

    def evaluate(self, y: np.ndarray) -> CurveEvaluation:
        """Evaluate; the derivatives of the odd block take two more evaluations per coordinate and parameter."""
        x, parameters = self.full(y)
        here = self.problem.evaluate(x, parameters)
        value, left, right = signed_singular_value(self.odd.jacobian(self.problem, here, x))
        gradient = np.einsum("i,aij,j->a", left, self._odd_derivatives(y), right)
        return self._with_row(here, value, gradient, 1.0)

    def _odd_derivatives(self, y: np.ndarray) -> np.ndarray:
        """Return derivatives of the odd block at y, or at an earlier point close to it."""
        if self._earlier:
            before, slopes = self._earlier[-1]
            if np.linalg.norm((y - before) / self.units(y)) <= self.reuse:
                return slopes
        slopes = self.odd_matrix_derivatives(y)
        self._earlier[:] = [(y.copy(), slopes)]
        return slopes

    def _last_value(self, y: np.ndarray, here: Evaluation) -> float:
        return signed_singular_value(self.odd.jacobian(self.problem, here, self.full(y)[0]))[0]


@dataclass(frozen=True)
class FunctionZeros(_OnBlock):
    """F = 0 and a function of the solution vanishes.

    Attributes
    ----------
    function
        Of (x (n,), parameters (k,), evaluation).
    gradient
        Its derivatives in x and all parameters, (n,) and (k,), of the same arguments; None for central differences.
    scale
        Natural size of its values.
    step
        Of the differences, in natural units; None for the problem's own.
    """

    function: Callable[[np.ndarray, np.ndarray, Evaluation], float]
    gradient: Callable[[np.ndarray, np.ndarray, Evaluation], tuple[np.ndarray, np.ndarray]] | None = None
    scale: float = 1.0
    step: float | None = None

    def evaluate(self, y: np.ndarray) -> CurveEvaluation:
        """Evaluate the branch's equations and the function."""
        x, parameters = self.full(y)
        here = self.problem.evaluate(x, parameters)
        if self.gradient is not None:
            by_x, by_parameters = self.gradient(x, parameters, here)
            row = np.concatenate([by_x @ self.block.basis, by_parameters[list(self.active)]])
        else:
            row = self._differences(y)
        return self._with_row(here, self.function(x, parameters, here), row, self.scale)

    def _last_value(self, y: np.ndarray, here: Evaluation) -> float:
        return self.function(*self.full(y), here)

    def _differences(self, y: np.ndarray) -> np.ndarray:

        def value(there: np.ndarray) -> np.ndarray:
            x, parameters = self.full(there)
            return np.array(self.function(x, parameters, self.problem.evaluate(x, parameters)))

        return differences(value, y, self.units(y) * (self.step or self.problem.difference_step))


@dataclass(frozen=True)
class EqualPotentials:
    """Two branches with equal potential: Maxwell points, with y = (first (m_1,), second (m_2,), active parameters).

    The potential is stationary at solutions, so only its explicit derivatives enter the last row: what they leave
    out is of second order in the distance from the solutions.
    """

    problem: Problem
    first: Block
    second: Block
    parameters: np.ndarray
    active: tuple[int, ...]
    scale: float = 1.0

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

    def join(self, first: np.ndarray, second: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        """Return y at two solutions (n,) and parameters (k,)."""
        active = np.asarray(parameters, dtype=float)[list(self.active)]
        return np.concatenate([self.first.coordinates @ first, self.second.coordinates @ second, active])

    def units(self, y: np.ndarray) -> np.ndarray:
        """Return natural sizes."""
        first, second, parameters = self.full(y)
        return np.concatenate(
            [
                self.first.units(self.problem, first),
                self.second.units(self.problem, second),
                self.problem.parameter_units(parameters)[list(self.active)],
            ]
        )

    def evaluate(self, y: np.ndarray) -> CurveEvaluation:
        """Evaluate both branches' equations and the difference of their potentials."""
        residual, (a, b) = self.values(y)
        m, n, active = self.first.size, self.second.size, list(self.active)
        jacobian = np.zeros((m + n + 1, m + n + len(active)))
        jacobian[:m, :m] = self.first.equations @ a.jacobian @ self.first.basis
        jacobian[m : m + n, m : m + n] = self.second.equations @ b.jacobian @ self.second.basis
        jacobian[:m, m + n :] = self.first.equations @ a.parameter_derivatives[:, active]
        jacobian[m : m + n, m + n :] = self.second.equations @ b.parameter_derivatives[:, active]
        jacobian[-1] = self._last_row(y, a, b)
        return CurveEvaluation(
            residual=residual,
            jacobian=jacobian,
            scales=np.concatenate([self.first.scales(a), self.second.scales(b), [self.scale]]),
            detail=(a, b),
        )

    def values(self, y: np.ndarray) -> tuple[np.ndarray, tuple[Evaluation, Evaluation]]:
        """Return the residuals alone, (m_1 + m_2 + 1,), and the evaluations of both solutions."""
        first, second, parameters = self.full(y)
        a, b = self.problem.evaluate(first, parameters), self.problem.evaluate(second, parameters)
        last = self._last_value(parameters, a, b)
        return np.concatenate([self.first.equations @ a.residual, self.second.equations @ b.residual, [last]]), (a, b)

    def _last_value(self, parameters: np.ndarray, a: Evaluation, b: Evaluation) -> float:
        """Return the residual of the last equation, here the difference of the potentials."""
        del parameters
        return a.potential - b.potential

    def _last_row(self, y: np.ndarray, a: Evaluation, b: Evaluation) -> np.ndarray:
        """Return the derivatives of the last equation along y, (len(y),)."""
        row, active = np.zeros(len(y)), list(self.active)
        row[len(y) - len(active) :] = (a.potential_derivatives - b.potential_derivatives)[active]
        return row

    def distance(self, y: np.ndarray) -> float:
        """Return how far apart the two solutions are, in natural units: zero where the line ends."""
        first, second, _ = self.full(y)
        return float(np.linalg.norm((first - second) / self.problem.units(0.5 * (first + second))))
