"""The outcome of one check, and random numbers of 30 digits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from replica.algebra.softmax_weight import with_exponentials
from replica.quantities.layout import Layout
from replica.quantities.matrices import OrderParameterMatrices

__all__ = ["DIGITS", "Check", "function_of", "random_matrix", "random_state", "random_values", "relative"]

DIGITS = 30
"""Digits of every evaluation."""


@dataclass(frozen=True)
class Check:
    """What was compared, and how far apart the two routes are.

    Attributes
    ----------
    step
        Name of the step it checks.
    statement
        What should be equal, in words.
    deviation
        Largest relative deviation.
    tolerance
        What it may be.
    """

    step: str
    statement: str
    deviation: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the deviation is within the tolerance; one that is not a number is not."""
        return self.deviation <= self.tolerance


def random_values(
    names: Iterable[sp.Symbol], generator: np.random.Generator, low: float, high: float
) -> dict[Any, Any]:
    """Return random rational values of symbols."""
    return {x: sp.Rational(int(generator.integers(int(1e6 * low), int(1e6 * high))), 10**6) for x in names}


def random_matrix(size: int, generator: np.random.Generator, scale: float = 1.0) -> Any:
    """Return a random symmetric positive definite matrix."""
    root = generator.normal(size=(size, size + 2)) * np.sqrt(scale / (size + 2))
    return mpmath.matrix((root @ root.T).tolist())


def random_state(layout: Layout, generator: np.random.Generator, variance: float) -> dict[Any, Any]:
    """Return order parameters and teacher variances for which every covariance is positive definite.

    Entries of q, theta and V (and a symbol-free teacher variance of ``variance`` times the identity) are those of a
    random positive definite matrix.
    """
    matrices = OrderParameterMatrices(layout)
    values: dict[Any, Any] = {}

    def rational(x: float) -> sp.Rational:
        return sp.Rational(round(float(x) * 10**6), 10**6)

    for group in range(layout.group_count):
        q, theta = matrices.of("self_overlap", group), matrices.of("semantic_overlap", group)
        size, t = layout.rank, layout.teacher_rank
        # w = R h* + noise with h* of covariance ``variance``: any regression R and any noise will do.
        regression = generator.normal(size=(size, t)) * 0.4
        noise = np.array(random_matrix(size, generator, 0.3).tolist(), dtype=float)
        own = variance * regression @ regression.T + noise
        V = np.array(random_matrix(size, generator, 2.0).tolist(), dtype=float)
        for matrix, numbers in (
            (q, own),
            (theta, variance * regression),
            (matrices.of("susceptibility", group), V),
        ):
            values |= {matrix[i, j]: rational(numbers[i, j]) for i in range(matrix.rows) for j in range(matrix.cols)}
    m = matrices.of("positional_overlap")
    values |= {x: rational(generator.normal() * 0.4) for x in m}
    return values


def function_of(names: Iterable[sp.Symbol], expression: Any) -> Any:
    """Return a function of mpmath numbers."""
    if isinstance(expression, list | tuple):
        expression = [with_exponentials(x) for x in expression]
    else:
        expression = with_exponentials(expression)
    return sp.lambdify(list(names), expression, "mpmath", cse=True)


def relative(first: Any, second: Any) -> float:
    """Return the relative deviation of two numbers, absolute below one thousandth."""
    return float(abs(first - second) / max(abs(second), mpmath.mpf("1e-3")))
