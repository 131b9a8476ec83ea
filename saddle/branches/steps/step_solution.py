"""A solution of k steps of replica-symmetry breaking, with its errors and what it says about metastable minima."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np

from replica.common.by_value import ByValue
from replica.common.html_table import html_table
from replica.symmetry.sectors import Sector
from saddle.state_evolution.evaluation import StateEvaluation
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.state_evolution.steps.step_equations import StepRule
from saddle.state_evolution.steps.step_stability import StepStability
from saddle.state_evolution.steps.step_state import StepState, step_space

__all__ = ["BrokenSymmetryPoint"]


@dataclass(frozen=True, eq=False, repr=False)
class BrokenSymmetryPoint(ByValue):
    r"""A solution of k steps at one alpha: the ground state, or minima of the energy that given y select.

    Attributes
    ----------
    alpha
        Sample complexity.
    sector
        The family it belongs to.
    evolution
        The model's replica-symmetric equations.
    rule
        How what steps add was averaged.
    state
        Order parameters and y; see :class:`saddle.StepState`.
    state_errors
        Errors of (q_0, ..., q_k, m, V, theta), (n,).
    parisi_errors
        Errors of y, (k,); zero where y was given.
    conjugates
        Conjugates of (q_0, ..., q_k, m, V, theta), (n,).
    free_entropy, free_entropy_error
        :math:`\Phi_k` and its error.
    by_parisi
        :math:`\partial\Phi_k/\partial y_j`, (k,): zero, to the error of y, at the ground state.
    average_envelope
        :math:`-\partial\Phi_k/\partial\alpha` at fixed y, which is that along the branch of ground states, too.
    energy_error, complexity_error
        Errors of :attr:`energy` and :attr:`complexity` at this y.
    test_error, test_error_error
        Per token.
    stability
        Whether these steps are stable against one more, between blocks and within.
    symmetric
        The replica-symmetric solution it started from.

    Notes
    -----
    Errors are what embedded rules change in replica-symmetric averages and in what a step adds along lines, and what
    half again as many nodes and points change there (on grids: as many more teacher nodes, and finer, wider grids),
    added up, and what was left of the residual. Those of energy and complexity are what these rules change at the same
    y: the change of Phi, and its slope along solutions of other y. They are errors of k steps, and say nothing of what
    more steps would change; whether these are needed is what ``stability`` says.
    """

    alpha: float
    sector: Sector
    evolution: StateEvolution
    rule: StepRule
    state: StepState
    state_errors: np.ndarray
    parisi_errors: np.ndarray
    conjugates: np.ndarray
    free_entropy: float
    free_entropy_error: float
    by_parisi: np.ndarray
    average_envelope: float
    energy_error: float
    complexity_error: float
    test_error: float
    test_error_error: float
    stability: StepStability
    symmetric: StateEvaluation

    @property
    def steps(self) -> int:
        """Number k of steps."""
        return len(self.state.parisi)

    @property
    def train_loss(self) -> float:
        r"""Energy of the ground state per dimension, :math:`-\Phi_k`."""
        return -self.free_entropy

    @property
    def energy(self) -> float:
        r"""Energy :math:`-\partial(y\Phi)/\partial y` of what the outermost y counts: minima, if there is one step.

        With more steps, whole blocks of minima, of the free entropy that the inner steps give them.
        """
        return -self.free_entropy - float(self.state.parisi[0] * self.by_parisi[0])

    @property
    def complexity(self) -> float:
        r"""Logarithm of the number of these per dimension, :math:`-y^2 \partial\Phi/\partial y`.

        Zero at the ground state. At small y, where it grows with y, it is the count of no minima.
        """
        return -float(self.state.parisi[0] ** 2 * self.by_parisi[0])

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return step_space(self.evolution.space.layout, self.steps).names

    def _named(self, values: np.ndarray, parisi: np.ndarray) -> dict[str, float]:
        named = dict(zip(self._names, map(float, values), strict=True))
        return named | {f"parisi_parameter_{j}": float(y) for j, y in enumerate(parisi, start=1)}

    @property
    def order_parameters(self) -> Mapping[str, float]:
        """Order parameters of every level, and Parisi's parameters y, by name."""
        values = step_space(self.evolution.space.layout, self.steps).vector(self.state)
        return MappingProxyType(self._named(values, self.state.parisi))

    @property
    def error(self) -> Mapping[str, float]:
        """Errors of order parameters, y, free entropy, energy, complexity and test error by name."""
        named = self._named(self.state_errors, self.parisi_errors)
        named |= {
            name: getattr(self, f"{name}_error") for name in ("free_entropy", "energy", "complexity", "test_error")
        }
        return MappingProxyType(named)

    @property
    def _where(self) -> str:
        steps = f"{self.steps} step{'s' * (self.steps > 1)}"
        return f"{self.sector.name} at alpha = {self.alpha:.6g}, {steps} of replica-symmetry breaking"

    @property
    def _rows(self) -> list[tuple[str, str, str]]:
        numbers = {**self.order_parameters, "free_entropy": self.free_entropy, "test_error": self.test_error}
        return [(name, f"{value:.6g}", f"{self.error.get(name, np.nan):.1e}") for name, value in numbers.items()]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name} = {value} +- {error}" for name, value, error in self._rows)
        return f"BrokenSymmetryPoint({self._where}: {shown}; {'; '.join(self.stability.reasons)})"

    def _repr_html_(self) -> str:
        title = f"BrokenSymmetryPoint: {self._where}; {'; '.join(self.stability.reasons)}"
        return html_table(title, self._rows, ("quantity", "value", "error"))
