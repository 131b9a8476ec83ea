"""The equations of a SaddleSystem at a state: conjugates from averages, overlaps from conjugates, observables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from replica.algebra.gaussian_average import GaussianAverage
from replica.common.errors import InvalidArgument
from replica.equations.saddle_system import SaddleSystem
from replica.quantities import symbols
from saddle.reference.channel_averages import ChannelSums, ReferenceRule
from saddle.reference.normal_rules import DegenerateLaw, NormalRule
from saddle.reference.numeric_functions import SpectrumAtoms, WeightSide

__all__ = ["ReferenceSystem", "StateValues"]


@dataclass(frozen=True)
class StateValues:
    """The equations' right-hand sides at a state, and the averages in them.

    Attributes
    ----------
    conjugates
        From the averages at the state, (n,).
    overlaps
        Order parameters from these conjugates, (n,): equal to the state at a solution.
    averages
        Gaussian averages, in the order of the system's functions.
    """

    conjugates: np.ndarray
    overlaps: np.ndarray
    averages: np.ndarray


def _require_positive_definite(entries: np.ndarray, what: str) -> None:
    """Raise DegenerateLaw unless every matrix of shape (..., r, r) is positive definite."""
    if not (np.all(np.isfinite(entries)) and np.all(np.linalg.eigvalsh(entries) > 0)):
        raise DegenerateLaw(f"{what} is not positive definite: {entries.tolist()}")


@dataclass(frozen=True)
class ReferenceSystem:
    """A saddle-point system as numerical functions, for one rule and any numbers.

    Attributes
    ----------
    system
        The equations.
    rule
        How averages are computed.
    classes
        Probability of every class of samples and the values that parameters have in it, by name: averages are over
        classes, too. By default there is one class.
    """

    system: SaddleSystem
    rule: ReferenceRule = ReferenceRule()
    classes: tuple[tuple[float, Mapping[str, float]], ...] = ((1.0, {}),)

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
        average = GaussianAverage(phi.channel.objective, phi.law)
        at_minimum = phi.trace_term + phi.prior_term - symbols.ALPHA.symbol * average
        listed = [
            *(system.conjugate_equations[s] for s in self._conjugate),
            *(system.overlap_equations[s] for s in self._order),
            at_minimum,
            system.training_loss,
            system.test_error,
        ]
        explicit = [system.written_out(x) for x in listed]
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
        objective = self.system.written_out(phi.channel.objective)
        return ChannelSums(phi, objective, (*self._order, *self._given), integrands, self.rule)

    @cached_property
    def _sides(self) -> tuple[WeightSide, WeightSide, WeightSide]:
        """Conjugates from averages; overlaps from conjugates; observables from everything."""
        expressions, averages = self._expressions
        n, numbers = len(self._order), tuple(averages.values())
        everything = (*self._order, *self._conjugate, *numbers, *self._given)
        return (
            WeightSide((*numbers, *self._given), tuple(expressions[:n])),
            WeightSide((*self._conjugate, *self._given), tuple(expressions[n : 2 * n])),
            WeightSide(everything, tuple(expressions[2 * n :])),
        )

    @cached_property
    def _precisions(self) -> tuple[WeightSide, WeightSide]:
        """Susceptibilities V of every group, and the weights' precision B; B depends on the atom."""
        phi = self.system.free_entropy
        susceptibilities: list[Any] = [x for matrix in phi.channel.susceptibilities for x in matrix.flat()]
        precision, law = phi.prior.inverse.of, phi.prior.token_law
        return (
            WeightSide(self._order, tuple(susceptibilities)),
            WeightSide((*self._conjugate, *self._given), tuple(precision.flat()), law.atom_symbols),
        )

    def given_values(self, parameters: Mapping[str, float], alpha: float) -> dict[sp.Symbol, float]:
        """Return the values of parameters and alpha by symbol.

        Raises
        ------
        ValueError
            If a parameter has no value.
        """
        values = {symbols.ALPHA.symbol: alpha}
        for quantity in self.system.free_entropy.parameters:
            if quantity.name not in parameters:
                raise InvalidArgument(f"parameters must hold {quantity.name!r}, got {dict(parameters)!r}")
            values[quantity.symbol] = float(parameters[quantity.name])
        return values

    @cached_property
    def _own_values(self) -> tuple[tuple[float, dict[sp.Symbol, float]], ...]:
        """Probability of every class, and its values by symbol."""
        known = {x.name: x.symbol for x in self.system.free_entropy.parameters}
        return tuple((p, {known[name]: float(value) for name, value in own.items()}) for p, own in self.classes)

    @property
    def normals(self) -> tuple[NormalRule, ...]:
        """The rule, along each of the standard normals that the fields are made of."""
        return self._channel.normals

    def evaluate(
        self,
        state: np.ndarray,
        given: Mapping[sp.Symbol, float],
        atoms: SpectrumAtoms,
        normals: Sequence[NormalRule] | None = None,
    ) -> StateValues:
        """Return the right-hand sides at a state (n,), with other rules than :attr:`normals` if some are given.

        Raises
        ------
        DegenerateLaw
            If a susceptibility, the fields' covariance or the weights' precision is not positive definite.
        """
        values = dict(given) | dict(zip(self._order, state.tolist(), strict=True))
        rank = self.system.free_entropy.layout.rank
        susceptibility, precision = self._precisions
        _require_positive_definite(susceptibility.values(values, atoms).reshape(-1, rank, rank), "susceptibility")
        averages = np.sum([p * self._channel.averages(values | own, normals) for p, own in self._own_values], axis=0)
        values |= dict(zip(self._expressions[1].values(), averages.tolist(), strict=True))
        conjugates = self._sides[0].values(values, atoms)
        values |= dict(zip(self._conjugate, conjugates.tolist(), strict=True))
        of_atoms = precision.atom_values(values, atoms)
        _require_positive_definite(of_atoms.T.reshape(-1, rank, rank), "precision of the weights")
        return StateValues(conjugates, self._sides[1].values(values, atoms), averages)

    def observables(
        self, state: np.ndarray, here: StateValues, given: Mapping[sp.Symbol, float], atoms: SpectrumAtoms
    ) -> tuple[float, float, float]:
        """Return Phi, training loss and test error at a state (n,) and what was evaluated there."""
        names = (*self._order, *self._conjugate, *self._expressions[1].values())
        numbers = [*state, *here.conjugates, *here.averages]
        values = dict(given) | dict(zip(names, numbers, strict=True))
        phi, training_loss, test_error = self._sides[2].values(values, atoms).tolist()
        return phi, training_loss, test_error
