r"""Any saddle-point system, solved slowly and readably: a second route to every solution.

SymPy expressions become NumPy functions, Gaussian averages become sums over a product rule, and
:math:`u \to G(\alpha f(u))` is iterated to a fixed point. Nothing is compiled or shared with the fast solver. What it
asks of a system is what :class:`replica.SaddleSystem` holds, so it takes any loss, number of tokens, rank, teacher
and spectrum; but its rules know nothing of proximal points that jump, and are as good there as their nodes are many.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from replica import symbols
from replica.gaussian_average import GaussianAverage
from replica.saddle_equations import SaddleSystem
from replica.spectrum_average import SpectrumAverage
from saddle.reference.channel_averages import ChannelSums, ReferenceRule
from saddle.reference.fixed_point import accelerated_fixed_point
from saddle.reference.normal_rules import DegenerateLaw
from saddle.reference.numeric_functions import ONE_ATOM, SpectrumAtoms, WeightSide, inlined

__all__ = ["ReferenceOutcome", "ReferenceSystem", "SaddlePoint", "solve_reference"]


class ReferenceOutcome(enum.Enum):
    """How a reference solve ended; the message is for people."""

    CONVERGED = "converged"
    NOT_CONVERGED = "the iteration did not reach the tolerance within its steps"
    LEFT_DOMAIN = "the iteration left the domain where the equations are defined"


@dataclass(frozen=True)
class SaddlePoint:
    """A solution of the saddle-point equations, or the best point that was found.

    Attributes
    ----------
    order_parameters, conjugates
        By name.
    free_entropy
        Phi.
    training_loss
        Training loss per dimension, by the route that does not use the envelope: equals minus Phi at a solution.
    test_error
        Twice the average loss of a new sample, per token.
    residual
        Largest of the equations' residuals in natural units.
    outcome
        How the iteration ended.
    """

    order_parameters: dict[str, float]
    conjugates: dict[str, float]
    free_entropy: float
    training_loss: float
    test_error: float
    residual: float
    outcome: ReferenceOutcome

    @property
    def converged(self) -> bool:
        """Whether it is a solution."""
        return self.outcome is ReferenceOutcome.CONVERGED


@dataclass(frozen=True)
class ReferenceSystem:
    """A saddle-point system as numerical functions, for one rule and any numbers.

    Attributes
    ----------
    system
        The equations.
    rule
        How averages are computed.
    """

    system: SaddleSystem
    rule: ReferenceRule = ReferenceRule()

    @cached_property
    def _order(self) -> tuple[sp.Symbol, ...]:
        return tuple(x.symbol for x in self.system.order_parameters)

    @cached_property
    def _conjugate(self) -> tuple[sp.Symbol, ...]:
        return tuple(x.symbol for x in self.system.conjugates)

    @cached_property
    def _given(self) -> tuple[sp.Symbol, ...]:
        return (*(x.symbol for x in self.system.free_entropy.parameters), symbols.ALPHA.symbol)

    @cached_property
    def _expressions(self) -> tuple[list[Any], dict[Any, sp.Dummy]]:
        """Conjugates, overlaps, Phi, training loss and test error, a symbol in the place of every average."""
        system, phi = self.system, self.system.free_entropy
        at_minimum = phi.trace_term + phi.prior_term - symbols.ALPHA.symbol * GaussianAverage(phi.objective, phi.law)
        listed = [
            *(system.conjugate_equations[s] for s in self._conjugate),
            *(system.overlap_equations[s] for s in self._order),
            at_minimum,
            system.training_loss,
            system.test_error,
        ]
        explicit = [inlined(x, system.intermediates) for x in listed]
        averages: dict[Any, sp.Dummy] = {}
        for expression in explicit:
            for average in sorted(expression.atoms(GaussianAverage), key=sp.default_sort_key):
                averages.setdefault(average, sp.Dummy(f"average_{len(averages)}", real=True))
        return [x.xreplace(averages) for x in explicit], averages

    @cached_property
    def _channel(self) -> ChannelSums:
        _, averages = self._expressions
        integrands = tuple(average.integrand for average in averages)
        phi = self.system.free_entropy
        objective = inlined(phi.objective, self.system.intermediates)
        return ChannelSums(phi, objective, (*self._order, *self._given), integrands, self.rule)

    @cached_property
    def _sides(self) -> tuple[WeightSide, WeightSide, WeightSide]:
        """Conjugates from averages; overlaps from conjugates; observables from everything."""
        expressions, averages = self._expressions
        n, numbers = len(self._order), tuple(averages.values())
        return (
            WeightSide((*numbers, *self._given), tuple(expressions[:n]), (SpectrumAverage,)),
            WeightSide((*self._conjugate, *self._given), tuple(expressions[n : 2 * n]), (SpectrumAverage,)),
            WeightSide(
                (*self._order, *self._conjugate, *numbers, *self._given),
                tuple(expressions[2 * n :]),
                (SpectrumAverage,),
            ),
        )

    def given_values(self, parameters: Mapping[str, float], alpha: float) -> dict[sp.Symbol, float]:
        """Return the values of parameters and alpha by symbol."""
        values = {symbols.ALPHA.symbol: alpha}
        for quantity in self.system.free_entropy.parameters:
            if quantity.name not in parameters:
                raise ValueError(f"parameters must hold {quantity.name!r}, got {dict(parameters)!r}")
            values[quantity.symbol] = float(parameters[quantity.name])
        return values

    def evaluate(
        self, state: np.ndarray, given: Mapping[sp.Symbol, float], atoms: SpectrumAtoms
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return conjugates and overlaps from a state (n,), and the averages.

        Raises
        ------
        DegenerateLaw
            If the fields have no law there, or an order parameter that must be positive is not.
        """
        values = dict(given) | dict(zip(self._order, state.tolist(), strict=True))
        if any(s.is_positive and not values[s] > 0 for s in self._order):
            raise DegenerateLaw(f"order parameters outside their domain: {state.tolist()}")
        _, symbols_of_averages = self._expressions
        averages = self._channel.averages(values)
        first, second, _ = self._sides
        values |= dict(zip(symbols_of_averages.values(), averages.tolist(), strict=True))
        conjugates = first.values(values, atoms)
        values |= dict(zip(self._conjugate, conjugates.tolist(), strict=True))
        return conjugates, second.values(values, atoms), averages

    def observables(
        self, state: np.ndarray, conjugates: np.ndarray, averages: np.ndarray, given: Mapping[sp.Symbol, float],
        atoms: SpectrumAtoms,
    ) -> np.ndarray:  # fmt: skip
        """Return Phi, training loss and test error, (3,)."""
        names = (*self._order, *self._conjugate, *self._expressions[1].values())
        values = dict(given) | dict(zip(names, [*state, *conjugates, *averages], strict=True))
        return self._sides[2].values(values, atoms)


def _start_state(system: SaddleSystem, start: Mapping[str, float]) -> np.ndarray:
    names = [x.name for x in system.order_parameters]
    unknown = sorted(set(start) - set(names))
    if unknown:
        raise ValueError(f"start holds {unknown[0]!r}, which is none of the order parameters {names}")
    default = [1.0 if x.symbol.is_positive else 0.0 for x in system.order_parameters]
    return np.array([float(start.get(name, value)) for name, value in zip(names, default, strict=True)])


def solve_reference(
    system: SaddleSystem | ReferenceSystem,
    parameters: Mapping[str, float],
    alpha: float,
    *,
    start: Mapping[str, float] | None = None,
    atoms: SpectrumAtoms = ONE_ATOM,
    rule: ReferenceRule | None = None,
    tolerance: float = 1e-12,
    max_steps: int = 500,
    damping: float = 0.5,
) -> SaddlePoint:
    """Solve a saddle-point system by iteration from a start.

    Parameters
    ----------
    system
        The equations; as a :class:`ReferenceSystem` if many solves shall share its functions.
    parameters
        Value of every numeric parameter, by name.
    alpha
        Samples per dimension, > 0.
    start
        Order parameters to start from, by name: by default one where they must be positive, and zero
        elsewhere. An order parameter that vanishes by a symmetry stays zero.
    atoms
        Weights and values of a covariance spectrum's atoms, by the names of their symbols.
    rule
        How averages are computed, by default 24 Gauss-Hermite nodes along every direction.
    tolerance
        Greatest residual of a solution, in units of the order parameters.
    max_steps, damping
        Of the iteration.

    Raises
    ------
    ValueError
        If alpha is not positive, or a value is missing or unknown. A solve that does not converge says so in its
        ``outcome``.
    """
    if not alpha > 0:
        raise ValueError(f"alpha must be positive, got {alpha!r}")
    if isinstance(system, ReferenceSystem):
        reference = system if rule is None else ReferenceSystem(system.system, rule)
    else:
        reference = ReferenceSystem(system, rule or ReferenceRule())
    given = reference.given_values(parameters, alpha)
    positive = np.array([bool(x.symbol.is_positive) for x in reference.system.order_parameters])

    def units(state: np.ndarray) -> np.ndarray:
        return np.maximum(np.abs(state), np.min(state[positive]))

    found = accelerated_fixed_point(
        lambda state: reference.evaluate(state, given, atoms)[1],
        _start_state(reference.system, start or {}),
        units,
        tolerance,
        max_steps,
        damping,
    )
    conjugates, observables = np.full(len(found.point), np.nan), np.full(3, np.nan)
    if np.isfinite(found.residual):
        conjugates, _, averages = reference.evaluate(found.point, given, atoms)
        observables = reference.observables(found.point, conjugates, averages, given, atoms)
    if found.residual <= tolerance:
        outcome = ReferenceOutcome.CONVERGED
    else:
        outcome = ReferenceOutcome.LEFT_DOMAIN if found.left_domain else ReferenceOutcome.NOT_CONVERGED
    equations = reference.system
    return SaddlePoint(
        order_parameters=dict(zip((x.name for x in equations.order_parameters), found.point.tolist(), strict=True)),
        conjugates=dict(zip((x.name for x in equations.conjugates), conjugates.tolist(), strict=True)),
        free_entropy=float(observables[0]),
        training_loss=float(observables[1]),
        test_error=float(observables[2]),
        residual=found.residual,
        outcome=outcome,
    )
