"""Locate special points: as many equations as unknowns (or more), solved by Newton's method in natural units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from saddle.continuation.curve.curves import CurveEvaluation, CurveSystem, ScaledEvaluation
from saddle.continuation.newton import OutsideDomain, newton
from saddle.continuation.outcomes import Outcome
from saddle.continuation.special_points.defining_systems import SymmetryBreakingPoints
from saddle.continuation.subspaces import Section

__all__ = [
    "SquareSolution", "solve_branch_point", "solve_multiple_branch_point", "solve_multiple_kernel", "solve_square",
]  # fmt: skip

# Unfolding left over at a branch point, beyond which no second branch passes through it.
IMPERFECT = 1e-6


@dataclass(frozen=True)
class SquareSolution:
    """A solution of as many equations as unknowns: y (N,), its error from noise (N,), and how it was found."""

    y: np.ndarray
    error: np.ndarray
    outcome: Outcome
    evaluations: int
    evaluation: CurveEvaluation | None


def _error(jacobian: np.ndarray, units: np.ndarray, noise: float, residual: float) -> np.ndarray:
    """Propagate what the residual may be: what is left of it, and the noise it hides."""
    return units * np.abs(np.linalg.pinv(jacobian)).sum(axis=1)[: len(units)] * (noise + residual)


def solve_square(system: CurveSystem, start: np.ndarray, tolerance: float, max_evaluations: int = 12) -> SquareSolution:
    """Solve N equations in N unknowns by Newton's method in natural units; errors are the noise propagated."""
    units = np.asarray(system.units(start), dtype=float)

    def problem(offset: np.ndarray) -> ScaledEvaluation:
        here = system.evaluate(start + units * offset)
        return ScaledEvaluation(here.residual / here.scales, here.jacobian * units / here.scales[:, None], here)

    result = newton(
        problem, np.zeros(len(start)), tolerance=max(tolerance, 3.0 * system.noise), max_evaluations=max_evaluations
    )
    error = np.full(len(start), np.inf)
    evaluation = None
    if result.last is not None and result.outcome is not Outcome.NOT_FINITE:
        error = _error(result.last.jacobian, units, system.noise, result.residual_norm)
        evaluation = result.last.curve
    return SquareSolution(start + units * result.x, error, result.outcome, result.evaluations, evaluation)


def _failed(y: np.ndarray, outcome: Outcome, evaluations: int) -> SquareSolution:
    return SquareSolution(y, np.full(len(y), np.inf), outcome, evaluations, None)


def solve_multiple_kernel(
    system: SymmetryBreakingPoints, start: np.ndarray, tolerance: float, rank: int, max_iterations: int = 12
) -> SquareSolution:
    """Locate where an odd block loses several singular values at once.

    Gauss-Newton on all entries between its near-null spaces, which vanish together.
    """
    y = start.copy()
    units = np.asarray(system.units(y), dtype=float)
    matrix, count = np.zeros((0, 0)), 0
    try:
        for _ in range(max_iterations):
            x, parameters = system.full(y)
            here = system.problem.evaluate(x, parameters)
            count += 1
            odd = system.odd.jacobian(system.problem, here, x)
            left, _, right = np.linalg.svd(odd)
            left, right = left[:, -rank:], right[-rank:].T
            rows, derivatives, scales = system.branch_rows(here)
            residual = np.concatenate([rows / scales, (left.T @ odd @ right).ravel()])
            size = float(np.max(np.abs(residual)))
            converged = size <= max(tolerance, 3.0 * system.noise)
            if converged and matrix.size:
                error = _error(matrix, units, system.noise, size)
                evaluation = CurveEvaluation(rows, derivatives, scales, here)
                return SquareSolution(y, error, Outcome.CONVERGED, count, evaluation)
            slopes = np.einsum("ia,kij,jb->abk", left, system.odd_matrix_derivatives(y), right)
            count += 2 * len(y)
            matrix = np.vstack([derivatives / scales[:, None], slopes.reshape(rank * rank, -1)]) * units
            y = y - units * np.linalg.lstsq(matrix, residual, rcond=1e-10)[0]
    except OutsideDomain:
        return _failed(start, Outcome.LEFT_DOMAIN, count)
    except np.linalg.LinAlgError:
        return _failed(start, Outcome.NOT_FINITE, count)
    return _failed(y, Outcome.MAX_STEPS, count)


class _SectionInUnits:
    """A section in natural units at a fixed point, and derivatives of its Jacobian; counts evaluations."""

    def __init__(self, section: Section, near: np.ndarray) -> None:
        self.section, self.count = section, 0
        self.units = np.asarray(section.units(near), dtype=float)
        self.step = section.problem.difference_step

    def at(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, CurveEvaluation]:
        """Return residual, Jacobian and the evaluation, at y in natural units."""
        self.count += 1
        there = self.section.evaluate(self.units * y)
        return there.residual / there.scales, there.jacobian * self.units / there.scales[:, None], there

    def second(self, y: np.ndarray) -> np.ndarray:
        """Return derivatives of the Jacobian along each unknown, (m + 1, m, m + 1)."""
        slopes = []
        for move in self.step * np.eye(len(y)):
            slopes.append((self.at(y + move)[1] - self.at(y - move)[1]) / (2.0 * self.step))
        return np.array(slopes)


def solve_branch_point(section: Section, start: np.ndarray, tolerance: float) -> SquareSolution:
    """Locate a crossing of branches by Moore's equations: F + beta psi = 0, psi . (dF/dx, dF/dp) = 0, |psi| = 1.

    They are regular at a simple branch point, unlike F = 0 and det = 0.
    """
    m = section.block.size
    scaled = _SectionInUnits(section, start)

    def problem(unknowns: np.ndarray) -> ScaledEvaluation:
        y, beta, psi = unknowns[: m + 1], unknowns[m + 1], unknowns[m + 2 :]
        residual, jacobian, there = scaled.at(y)
        matrix = np.zeros((2 * m + 2, 2 * m + 2))
        matrix[:m, : m + 1], matrix[:m, m + 1], matrix[:m, m + 2 :] = jacobian, psi, beta * np.eye(m)
        matrix[m : 2 * m + 1, : m + 1] = np.einsum("i,kij->jk", psi, scaled.second(y))
        matrix[m : 2 * m + 1, m + 2 :] = jacobian.T
        matrix[-1, m + 2 :] = 2.0 * psi
        values = np.concatenate([residual + beta * psi, jacobian.T @ psi, [psi @ psi - 1.0]])
        return ScaledEvaluation(values, matrix, there)

    try:
        psi = np.linalg.svd(scaled.at(start / scaled.units)[1])[0][:, -1]
    except OutsideDomain:
        return _failed(start, Outcome.LEFT_DOMAIN, scaled.count)
    except np.linalg.LinAlgError:
        return _failed(start, Outcome.NOT_FINITE, scaled.count)
    result = newton(
        problem,
        np.concatenate([start / scaled.units, [0.0], psi]),
        tolerance=max(tolerance, 10.0 * section.noise),
        max_evaluations=12,
    )
    outcome = result.outcome
    if outcome is not Outcome.CONVERGED or result.last is None:
        return _failed(start, outcome, scaled.count)
    if abs(result.x[m + 1]) > max(IMPERFECT, 30.0 * section.noise):
        outcome = Outcome.LOST  # an imperfect crossing: no branch passes through it
    error = _error(result.last.jacobian, scaled.units, section.noise, result.residual_norm)
    return SquareSolution(scaled.units * result.x[: m + 1], error, outcome, scaled.count, result.last.curve)


def solve_multiple_branch_point(
    section: Section, start: np.ndarray, tolerance: float, rank: int, max_iterations: int = 12
) -> SquareSolution:
    """Locate where (dF/dx, dF/dp) loses several ranks at once, by Gauss-Newton on F = 0 and what vanishes with them.

    Moore's equations do not tell which null vector is meant; here all are taken together.
    """
    scaled = _SectionInUnits(section, start)
    y, matrix = start / scaled.units, np.zeros((0, 0))
    try:
        for _ in range(max_iterations):
            residual, jacobian, there = scaled.at(y)
            left, _, right = np.linalg.svd(jacobian)
            left, right = left[:, -rank:], right[-rank - 1 :].T
            values = np.concatenate([residual, (left.T @ jacobian @ right).ravel()])
            size = float(np.max(np.abs(values)))
            if matrix.size and size <= max(tolerance, 10.0 * section.noise):
                error = _error(matrix, scaled.units, section.noise, size)
                return SquareSolution(scaled.units * y, error, Outcome.CONVERGED, scaled.count, there)
            slopes = np.einsum("ia,kij,jb->abk", left, scaled.second(y), right)
            matrix = np.vstack([jacobian, slopes.reshape(rank * (rank + 1), -1)])
            y = y - np.linalg.lstsq(matrix, values, rcond=1e-10)[0]
    except OutsideDomain:
        return _failed(start, Outcome.LEFT_DOMAIN, scaled.count)
    except np.linalg.LinAlgError:
        return _failed(start, Outcome.NOT_FINITE, scaled.count)
    return _failed(scaled.units * y, Outcome.MAX_STEPS, scaled.count)
