"""Solve the equations on a rule, state the error, and refine the rule along the normals that make most of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp

from saddle.reference.fixed_point import FixedPoint, accelerated_fixed_point
from saddle.reference.normal_rules import DegenerateLaw, NormalRule, finer, node_count
from saddle.reference.numeric_functions import SpectrumAtoms
from saddle.reference.rule_error import RuleError, rule_error
from saddle.reference.system import ReferenceSystem

__all__ = ["Iteration", "Solved", "solve_on_rule", "solve_to_accuracy"]

# A residual above this is too far from a solution for an error to be computed.
NEAR = 0.05
# Most steps of the chord method on a finer rule.
CHORDS = 6
# Normals that make at least this share of the largest change are refined together.
LARGE_SHARE = 0.1
# Observables count relative to themselves, or to this share of the largest of them.
SMALL_OBSERVABLE = 1e-3


@dataclass(frozen=True)
class Iteration:
    """The iteration of one system at given numbers, on any rules.

    Attributes
    ----------
    system, given, atoms
        What :meth:`ReferenceSystem.evaluate` takes.
    tolerance, max_steps, damping
        What :func:`~saddle.reference.fixed_point.accelerated_fixed_point` takes.
    """

    system: ReferenceSystem
    given: Mapping[sp.Symbol, float]
    atoms: SpectrumAtoms
    tolerance: float
    max_steps: int
    damping: float

    def units(self, state: np.ndarray) -> np.ndarray:
        """Return the natural units of the order parameters at a state, (n,)."""
        positive = [bool(x.symbol.is_positive) for x in self.system.system.order_parameters]
        return np.maximum(np.abs(state), np.min(state[positive]))

    def solve(self, start: np.ndarray, normals: Sequence[NormalRule]) -> FixedPoint:
        """Iterate from a start (n,)."""
        return accelerated_fixed_point(
            lambda state: self.system.evaluate(state, self.given, self.atoms, normals).overlaps,
            start,
            self.units,
            self.tolerance,
            self.max_steps,
            self.damping,
        )

    def follow(self, found: FixedPoint, error: RuleError, normals: Sequence[NormalRule]) -> FixedPoint:
        """Solve on finer rules: a few steps of the chord method, or else the iteration."""
        point = found.point
        if np.all(np.isfinite(error.moved)):
            point = point + error.moved[: len(point)]
            try:
                for _ in range(CHORDS):
                    residual = self.system.evaluate(point, self.given, self.atoms, normals).overlaps - point
                    size = float(np.max(np.abs(residual) / self.units(point)))
                    if size <= self.tolerance:
                        return FixedPoint(point, size)
                    point = point + error.gain @ residual
            except DegenerateLaw:
                pass
        return self.solve(found.point, normals)

    def error(
        self, found: FixedPoint, normals: Sequence[NormalRule], before: RuleError | None = None
    ) -> RuleError | None:
        """Return the error of what was found, or None if that is no solution by far."""
        if not found.residual < NEAR:
            return None
        units = self.units(found.point)
        return rule_error(self.system, found.point, units, self.given, self.atoms, normals, before)


@dataclass(frozen=True)
class Solved:
    """What an iteration found.

    Attributes
    ----------
    found
        The solution, or the best point.
    normals
        The rules along the normals.
    error
        What finer rules would change; None far from a solution.
    accurate
        Whether the error is as small as asked for, if anything was asked.
    """

    found: FixedPoint
    normals: Sequence[NormalRule]
    error: RuleError | None
    accurate: bool = True


def solve_on_rule(iteration: Iteration, start: np.ndarray, normals: Sequence[NormalRule]) -> Solved:
    """Solve from a start (n,) on rules that are kept."""
    found = iteration.solve(start, normals)
    return Solved(found, normals, iteration.error(found, normals))


def solve_to_accuracy(
    iteration: Iteration, start: np.ndarray, normals: Sequence[NormalRule], accuracy: float, max_nodes: int
) -> Solved:
    """Solve from a start (n,), and refine the rules until the stated error is small enough.

    If the iteration fails on a refined rule, the last solution stands, as one that is not accurate enough.
    """
    solved = solve_on_rule(iteration, start, normals)
    everywhere = _refined(normals, range(len(normals)))
    if solved.found.residual > iteration.tolerance and node_count(everywhere) <= max_nodes:
        # The equations may have no solution on so coarse a rule.
        solved = solve_on_rule(iteration, start, everywhere)
    while solved.found.residual <= iteration.tolerance and solved.error is not None:
        units = _scales(iteration, solved)
        if np.max(solved.error.total[units > 0] / units[units > 0]) <= accuracy:
            return solved
        chosen = _refinable(solved, units, max_nodes)
        rules = _refined(solved.normals, chosen)
        following = iteration.follow(solved.found, solved.error, rules) if chosen else None
        if following is None or following.residual > iteration.tolerance:
            return Solved(solved.found, solved.normals, solved.error, accurate=False)
        solved = Solved(following, rules, iteration.error(following, rules, solved.error))
    return solved


def _scales(iteration: Iteration, solved: Solved) -> np.ndarray:
    """Return units of order parameters, zeros for conjugates, which are not asked about, and scales of observables."""
    assert solved.error is not None
    point = solved.found.point
    observables = np.abs(solved.error.observables)
    return np.concatenate(
        [
            iteration.units(point),
            np.zeros(len(point)),
            np.maximum(observables, SMALL_OBSERVABLE * np.max(observables)),
        ]
    )


def _refinable(solved: Solved, units: np.ndarray, max_nodes: int) -> list[int]:
    """Return which rules to refine: those that make most of the error, as many as are affordable, or none."""
    assert solved.error is not None
    shares = np.max(np.abs(solved.error.changes[:, units > 0]) / units[units > 0], axis=1)
    chosen: list[int] = []
    for k in np.argsort(-shares).tolist():
        large = shares[k] >= LARGE_SHARE * np.max(shares)
        if large and node_count(_refined(solved.normals, [*chosen, k])) <= max_nodes:
            chosen.append(k)
    return chosen


def _refined(normals: Sequence[NormalRule], chosen: Sequence[int]) -> list[NormalRule]:
    parts = [finer(rule) if k in chosen else [rule] for k, rule in enumerate(normals)]
    return [rule for part in parts for rule in part]
