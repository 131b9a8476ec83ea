r"""What the quadrature rule changes in a solution: the equations on finer rules, linearised at the solution.

A rule is a product of rules along the standard normals that the fields are made of. To first order the error of a
product is the sum of those along each, so each is refined alone. If :math:`F` is the map whose fixed point is the
solution :math:`u` on the rule and :math:`F_k` the same with a finer rule along normal k, the fixed point of
:math:`F_k` is :math:`u + (1 - \partial F)^{-1} (F_k(u) - u)` to first order: one step of the chord method. Where that
is large, a second one is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp

from saddle.reference.normal_rules import DegenerateLaw, NormalRule, finer
from saddle.reference.numeric_functions import SpectrumAtoms
from saddle.reference.system import ReferenceSystem

__all__ = ["RuleError", "rule_error"]

# If halving the spacing halves the error, as for the slowest rules, what is left is as large as what was changed.
SAFETY = 2.0
# Steps of differences, in units of the unknowns; another is taken if one leaves the domain. An error of some per
# mille of the derivatives is one of the stated errors only.
STEPS = (1e-3, -1e-3, 1e-5, -1e-5, 1e-7, -1e-7)
# Rounding of one evaluation, relative, is at least the first; it is measured at a state that differs by the
# second, and taken to be so many times what is found there.
LEAST_ROUNDING, JITTER, ROUNDING_FACTOR = 1e-14, 1e-15, 10.0
# If a finer rule changes the solution by less than this, in units, it acts linearly, and derivatives still serve.
SMALL_CHANGE = 1e-2


@dataclass(frozen=True)
class RuleError:
    """How a solution, and what is computed from it, would change if the rule were finer.

    Attributes
    ----------
    changes
        Change of order parameters, then conjugates, then observables, by refining the rule along each normal (a planar
        rule: along its two), (k, m); infinite where that leaves the domain.
    observables
        Phi, training loss and test error at the state, (3,).
    residual
        Change by solving the equations exactly on the same rule, (m,).
    rounding
        What rounding may change, (m,).
    derivatives
        Of the map, (n, n), and of conjugates and observables, (m - n, n); None where there are none.
    """

    changes: np.ndarray
    observables: np.ndarray
    residual: np.ndarray
    rounding: np.ndarray
    derivatives: tuple[np.ndarray, np.ndarray] | None

    @property
    def total(self) -> np.ndarray:
        """The error that is stated, (m,): the changes by every refinement, doubled, and the others."""
        return SAFETY * np.sum(np.abs(self.changes), axis=0) + np.abs(self.residual) + self.rounding

    @property
    def moved(self) -> np.ndarray:
        """Change by all refinements together, (m,)."""
        return np.sum(self.changes, axis=0) + self.residual

    @property
    def gain(self) -> np.ndarray:
        """Inverse of one minus the map's derivative, (n, n)."""
        assert self.derivatives is not None
        return _gain(self.derivatives[0])


def _gain(derivative: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.inv(np.eye(len(derivative)) - derivative)
    except np.linalg.LinAlgError:
        raise DegenerateLaw("the equations are singular at the solution") from None


@dataclass(frozen=True)
class _Linearised:
    """The map and everything that is computed from a state, with derivatives at one state."""

    at: Callable[[np.ndarray, Sequence[NormalRule]], tuple[np.ndarray, np.ndarray]]
    state: np.ndarray
    units: np.ndarray
    normals: Sequence[NormalRule]
    known: tuple[np.ndarray, np.ndarray] | None

    @cached_property
    def here(self) -> tuple[np.ndarray, np.ndarray]:
        return self.at(self.state, self.normals)

    @cached_property
    def derivatives(self) -> tuple[np.ndarray, np.ndarray]:
        """Derivatives of the map, (n, n), and of what is computed, (m - n, n), by differences."""
        if self.known is not None:
            return self.known
        columns = [self._difference(k) for k in range(len(self.state))]
        return np.stack([x for x, _ in columns], axis=1), np.stack([y for _, y in columns], axis=1)

    def _difference(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        for size in STEPS:
            step = np.zeros_like(self.state)
            step[k] = size * self.units[k]
            try:
                there = self.at(self.state + step, self.normals)
            except DegenerateLaw:
                continue
            return (there[0] - self.here[0]) / step[k], (there[1] - self.here[1]) / step[k]
        raise DegenerateLaw(f"no neighbourhood of {self.state.tolist()} lies in the domain")

    @cached_property
    def gain(self) -> np.ndarray:
        """Inverse of one minus the map's derivative, (n, n)."""
        return _gain(self.derivatives[0])

    def change(self, target: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Change of the fixed point and of what is computed there, if the map and that were ``target`` here."""
        shift = self.gain @ (target[0] - self.state)
        return np.concatenate([shift, target[1] - self.here[1] + self.derivatives[1] @ shift])

    def refined(self, rules: Sequence[NormalRule]) -> np.ndarray:
        """Change by other rules, (m,), each number's larger one of two: where it is large, a second step is taken."""
        change = self.change(self.at(self.state, rules))
        shift = change[: len(self.state)]
        if np.max(np.abs(shift) / self.units) < SMALL_CHANGE:
            return change
        try:
            there = self.at(self.state + shift, rules)
        except DegenerateLaw:
            return change
        rest = self.gain @ (there[0] - self.state - shift)
        again = np.concatenate([shift + rest, there[1] - self.here[1] + self.derivatives[1] @ rest])
        return np.where(np.abs(again) > np.abs(change), again, change)

    def rounding(self) -> np.ndarray:
        """Change by rounding, measured by how far an evaluation next to the state is from what derivatives say."""
        step = JITTER * (-1.0) ** np.arange(len(self.state)) * self.units
        there = self.at(self.state + step, self.normals)
        noise, extra = (
            np.maximum(ROUNDING_FACTOR * np.abs(ahead - here - slope @ step), LEAST_ROUNDING * least)
            for ahead, here, slope, least in zip(
                there, self.here, self.derivatives, (self.units, np.abs(self.here[1])), strict=True
            )
        )
        shift = np.abs(self.gain) @ noise
        return np.concatenate([shift, extra + np.abs(self.derivatives[1]) @ shift])

    def error(self) -> RuleError:
        residual = self.change(self.here)
        rows = [self.refined(rules) - residual for rules in _refinements(self.normals)]
        return RuleError(np.array(rows), self.here[1][-3:], residual, self.rounding(), self.derivatives)


def _refinements(normals: Sequence[NormalRule]) -> list[list[NormalRule]]:
    """Return the rules with one of them refined, for each of them."""
    return [[*normals[:k], *finer(rule), *normals[k + 1 :]] for k, rule in enumerate(normals)]


def rule_error(
    system: ReferenceSystem,
    state: np.ndarray,
    units: np.ndarray,
    given: Mapping[sp.Symbol, float],
    atoms: SpectrumAtoms,
    normals: Sequence[NormalRule],
    before: RuleError | None = None,
) -> RuleError:
    """Return how a solution (n,) would change on finer rules.

    Parameters
    ----------
    units
        Natural units of the order parameters, (n,).
    normals
        The rules along the normals on which ``state`` is a solution.
    before
        The error on coarser rules, whose derivatives are used again if the solution has changed little.

    Notes
    -----
    All errors are infinite if the equations cannot be linearised at the state, or not be evaluated on a finer rule.
    """

    def at(point: np.ndarray, rules: Sequence[NormalRule]) -> tuple[np.ndarray, np.ndarray]:
        values = system.evaluate(point, given, atoms, rules)
        observed = system.observables(point, values, given, atoms)
        return values.overlaps, np.array([*values.conjugates, *observed])

    known = None
    if before is not None and np.max(np.abs(before.moved[: len(state)]) / units) < SMALL_CHANGE:
        known = before.derivatives
    try:
        return _Linearised(at, state, units, normals, known).error()
    except DegenerateLaw:
        size = 2 * len(state) + 3
        return RuleError(
            np.full((len(normals), size), np.inf), np.full(3, np.nan), np.zeros(size), np.zeros(size), None
        )
