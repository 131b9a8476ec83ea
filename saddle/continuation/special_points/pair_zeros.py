"""Two branches, and a function of both solutions that vanishes: a point, or with two active parameters a curve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from saddle.continuation.problem import Evaluation
from saddle.continuation.special_points.defining_systems import EqualPotentials, differences

__all__ = ["PairZeros"]


def _equal_potentials(parameters: np.ndarray, first: Evaluation, second: Evaluation) -> float:
    del parameters
    return first.potential - second.potential


@dataclass(frozen=True)
class PairZeros(EqualPotentials):
    """F = 0 on two branches, and a function of both in the place of equal potentials.

    Attributes
    ----------
    function
        Of (parameters (k,), first evaluation, second evaluation); differentiated by central differences.
    step
        Of the differences, in natural units; None for the problem's own.
    """

    function: Callable[[np.ndarray, Evaluation, Evaluation], float] = _equal_potentials
    step: float | None = None

    def _last_value(self, parameters: np.ndarray, a: Evaluation, b: Evaluation) -> float:
        return self.function(parameters, a, b)

    def _last_row(self, y: np.ndarray, a: Evaluation, b: Evaluation) -> np.ndarray:
        def value(there: np.ndarray) -> np.ndarray:
            return self.values(there)[0][-1:]

        return differences(value, y, self.units(y) * (self.step or self.problem.difference_step))[:, 0]
