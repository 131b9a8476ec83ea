"""The equations that define each kind of transition, on any rule, at a point or along a line in two parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np

from replica.quantities.names import ALPHA
from replica.quantities.solvable_model import Model
from replica.symmetry.sectors import Sector
from saddle.branches.problem import AttentionProblem, LineDerivatives, state_evaluation
from saddle.branches.sector_blocks import overlap_block, sector_block
from saddle.continuation.curve.curves import CurveEvaluation
from saddle.continuation.problem import Evaluation
from saddle.continuation.special_points.defining_systems import (
    EqualPotentials,
    FoldPoints,
    FunctionZeros,
    SymmetryBreakingPoints,
    differences,
)  # fmt: skip
from saddle.state_evolution.evaluation import StateEvaluation
from saddle.state_evolution.state_evolution import StateEvolution

__all__ = [
    "BaselineCrossing", "EqualFreeEntropies", "Fold", "Pitchfork", "TransitionEquations", "TransitionSystem",
    "evaluations_of", "problem_in",
]  # fmt: skip

# A free entropy is of the order of a loss per dimension.
FREE_ENTROPY_UNIT = 1e-3
# Step in a model's parameter for the derivative of its baseline, which is smooth and exact to many digits.
BASELINE_STEP = 1e-4
# Over this distance in natural units, slopes of an odd block change by about as many per cent.
REUSE = 0.05


class TransitionSystem(Protocol):
    """The equations as a curve (two active parameters) or a square system (one)."""

    @property
    def noise(self) -> float:
        """Of the residuals."""
        ...

    def evaluate(self, y: np.ndarray) -> CurveEvaluation:
        """Evaluate residuals and derivatives."""
        ...

    def units(self, y: np.ndarray) -> np.ndarray:
        """Return natural sizes."""
        ...

    def values(self, y: np.ndarray) -> tuple[np.ndarray, object]:
        """Return residuals alone, and the evaluations of the solutions."""
        ...


class TransitionEquations(Protocol):
    """What all kinds of transitions have in common."""

    @property
    def kind(self) -> str:
        """In words."""
        ...

    @property
    def sectors(self) -> tuple[Sector, ...]:
        """Of the solutions at the transition."""
        ...

    @property
    def trusted(self) -> float:
        """Part of the change between the branches' rule and a ten times finer one that counts as error at least."""
        ...

    def system(self, evolution: StateEvolution, over: tuple[str, ...], held: float | None = None) -> TransitionSystem:
        """Return the equations on a rule, in alpha and perhaps others; at a held alpha, in these others alone."""
        ...

    def last_row_differences(self, here: tuple[StateEvaluation, ...]) -> np.ndarray:
        """Return what embedded rules give for the last residual minus what the rule gives, (k,)."""
        ...


def problem_in(
    evolution: StateEvolution, over: tuple[str, ...], held: float | None = None
) -> tuple[AttentionProblem, np.ndarray, tuple[int, ...]]:
    """Return the problem in alpha and other parameters, their values (k,), and which are unknown: alpha if not held."""
    problem = AttentionProblem(evolution, over)
    values = problem.values
    if held is None:
        return problem, values, tuple(range(len(over)))
    values[0] = held
    return problem, values, tuple(range(1, len(over)))


def evaluations_of(detail: object) -> tuple[StateEvaluation, ...]:
    """Return the state evaluations behind a system's evaluation: one, or two."""
    parts = detail if isinstance(detail, tuple) else (detail,)
    return tuple(state_evaluation(part) for part in parts)


@dataclass(frozen=True)
class Pitchfork:
    """A solution at which the odd block of an overlap that vanishes is singular.

    Attributes
    ----------
    sector
        Of the solution.
    index
        Of the overlap, in the vector of order parameters.
    unstable_to
        Its name.
    """

    sector: Sector
    index: int
    unstable_to: str
    kind: str = "pitchfork"
    # Measured: odd blocks do not always follow the law by which averages converge, so all of the change counts.
    trusted: float = 1.0

    @property
    def sectors(self) -> tuple[Sector, ...]:
        """Of the solution."""
        return (self.sector,)

    def system(
        self, evolution: StateEvolution, over: tuple[str, ...] = (ALPHA.name,), held: float | None = None
    ) -> SymmetryBreakingPoints:
        """Return F = 0 and odd block = 0."""
        problem, values, active = problem_in(evolution, over, held)
        return SymmetryBreakingPoints(
            problem,
            sector_block(self.sector, problem.space),
            values,
            active,
            overlap_block(self.sector, self.index, problem.space),
            reuse=REUSE,
        )

    def last_row_differences(self, here: tuple[StateEvaluation, ...]) -> np.ndarray:
        """Return differences of the odd block of dF/du: those of the channel's odd block, all else at its value."""
        averages, space = here[0].averages, here[0].space
        if self.index not in space.odd:
            return np.zeros(len(averages.differences))
        column = averages.columns.odd_blocks + space.odd.index(self.index)
        slope = here[0].alpha * here[0].overlap_derivatives[self.index, self.index]
        return -slope * averages.differences[:, column]


@dataclass(frozen=True)
class Fold:
    """A solution at which dF/du is singular within its sector."""

    sector: Sector
    kind: str = "fold"
    trusted: float = 1.0

    @property
    def sectors(self) -> tuple[Sector, ...]:
        """Of the solution."""
        return (self.sector,)

    def system(
        self, evolution: StateEvolution, over: tuple[str, ...] = (ALPHA.name,), held: float | None = None
    ) -> FoldPoints:
        """Return F = 0 and dF/du singular."""
        problem, values, active = problem_in(evolution, over, held)
        return FoldPoints(problem, sector_block(self.sector, problem.space), values, active)

    def last_row_differences(self, here: tuple[StateEvaluation, ...]) -> np.ndarray:
        """Return zeros: alpha at a fold is stationary along the branch, so what moves the kernel does not move it."""
        return np.zeros(len(here[0].averages.differences))


@dataclass(frozen=True)
class EqualFreeEntropies:
    """Two solutions with equal free entropy: a first-order transition."""

    first: Sector
    second: Sector
    kind: str = "first-order"
    # The finer rule is expected to be ten times as accurate.
    trusted: float = 0.1

    @property
    def sectors(self) -> tuple[Sector, ...]:
        """Of both solutions."""
        return (self.first, self.second)

    def system(
        self, evolution: StateEvolution, over: tuple[str, ...] = (ALPHA.name,), held: float | None = None
    ) -> EqualPotentials:
        """Return both saddle-point equations and Phi_first = Phi_second."""
        problem, values, active = problem_in(evolution, over, held)
        blocks = sector_block(self.first, problem.space), sector_block(self.second, problem.space)
        return EqualPotentials(problem, *blocks, values, active, FREE_ENTROPY_UNIT)

    def last_row_differences(self, here: tuple[StateEvaluation, ...]) -> np.ndarray:
        """Return differences of Phi_first - Phi_second; both are integrated on one lattice, so they go together."""
        first, second = here
        envelope = first.averages.columns.envelope
        return -first.alpha * (first.averages.differences - second.averages.differences)[:, envelope]


@dataclass(frozen=True)
class BaselineCrossing:
    """A solution whose test error equals a baseline's.

    Attributes
    ----------
    sector
        Of the solution.
    baseline
        The baseline's test error per token, for any model and alpha.
    """

    sector: Sector
    baseline: Callable[[Model, float], float]
    kind: str = "baseline-crossing"
    trusted: float = 0.1

    @property
    def sectors(self) -> tuple[Sector, ...]:
        """Of the solution."""
        return (self.sector,)

    def system(
        self, evolution: StateEvolution, over: tuple[str, ...] = (ALPHA.name,), held: float | None = None
    ) -> FunctionZeros:
        """Return F = 0 and test error = baseline."""
        problem, values, active = problem_in(evolution, over, held)
        level = lru_cache(maxsize=64)(self.baseline)
        scale = level(evolution.model, 1.0)

        def excess(_: np.ndarray, parameters: np.ndarray, here: Evaluation) -> float:
            return state_evaluation(here).test_error - level(problem.at(parameters).model, float(parameters[0]))

        def gradient(_: np.ndarray, parameters: np.ndarray, here: Evaluation) -> tuple[np.ndarray, np.ndarray]:
            assert isinstance(here.derivatives, LineDerivatives)
            slopes = here.derivatives.test_error.copy()
            for k in range(len(over)):
                slopes[k] -= _baseline_slope(level, problem, parameters, k)
            return state_evaluation(here).averages.test_error_derivatives, slopes

        block = sector_block(self.sector, problem.space)
        return FunctionZeros(problem, block, values, active, excess, gradient, scale)

    def last_row_differences(self, here: tuple[StateEvaluation, ...]) -> np.ndarray:
        """Return differences of the test error."""
        return here[0].averages.differences[:, here[0].averages.columns.test_error]


def _baseline_slope(
    level: Callable[[Model, float], float], problem: AttentionProblem, parameters: np.ndarray, k: int
) -> float:
    """Differentiate a baseline in one parameter: it is a closed form or a small integral, exact to many digits."""

    def value(at: np.ndarray) -> np.ndarray:
        moved = parameters.copy()
        moved[k] = at[0]
        return np.array(level(problem.at(moved).model, float(moved[0])))

    return float(differences(value, parameters[[k]], np.array([BASELINE_STEP]))[0])
