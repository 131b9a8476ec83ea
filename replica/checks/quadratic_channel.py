r"""A loss for which everything at k steps is a Gaussian integral: :math:`\frac12(z - Rh^\star)^\top A(z - Rh^\star)`.

Its Moreau envelope is quadratic with the matrix :math:`P_{k+1} = (A^{-1} + V)^{-1}`, and level by level

.. math::
    \varphi_j = -\tfrac12 (w - Rh^\star)^\top P_j (w - Rh^\star) - c_j, \quad P_j^{-1} = P_{j+1}^{-1} + y_j\Delta_j,
    \quad c_j = c_{j+1} + \tfrac{1}{2y_j}\log\det(1 + y_j\Delta_jP_{j+1}) .

The tilted law of an increment is Gaussian, so that tilted averages of polynomials are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from replica.algebra.gaussian_average import GaussianAverage
from replica.checks.check import random_matrix
from replica.hierarchy.averages import TiltedAverage
from replica.hierarchy.channel import increment
from replica.hierarchy.functional import HierarchicalFreeEntropy
from replica.quantities.matrices import OrderParameterMatrices

__all__ = ["QuadraticChannel"]


@dataclass(frozen=True)
class QuadraticChannel:
    """The channel of a quadratic loss at given numbers of all unknowns.

    Attributes
    ----------
    functional
        Phi_k.
    values
        Numbers of all symbols.
    curvature, regression
        A and R of the loss.
    """

    functional: HierarchicalFreeEntropy
    values: dict[Any, Any]
    curvature: Any
    regression: Any

    @staticmethod
    def random_loss(functional: HierarchicalFreeEntropy, generator: np.random.Generator) -> tuple[Any, Any]:
        """Return A and R."""
        channel = functional.symmetric.channel
        n, t = len(channel.fields), len(functional.symmetric.model.teacher_fields)
        regression = generator.normal(size=(n, t)) * 0.5
        return random_matrix(n, generator, 1.0) + mpmath.eye(n) / 4, mpmath.matrix(regression.tolist())

    def _number(self, expression: Any) -> Any:
        return mpmath.mpf(sp.N(sp.sympify(expression).xreplace(self.values), mpmath.mp.dps))

    def _per_token(self, of_group: Any) -> Any:
        """Return the matrix of all fields with a group's block for every token."""
        layout = self.functional.quantities.layout
        rank, n = layout.rank, layout.rank * layout.sequence_length
        total = mpmath.zeros(n, n)
        for token, group in enumerate(layout.groups):
            block = of_group(group)
            for i in range(rank):
                for j in range(rank):
                    total[token * rank + i, token * rank + j] = self._number(block[i, j])
        return total

    @cached_property
    def gaps(self) -> list[Any]:
        """The increments' covariances, from level 1 on."""
        own = self.functional.quantities
        return [self._per_token(lambda g, k=level: own.increments(g)[k]) for level in own.levels[1:]]

    @cached_property
    def parameters(self) -> list[Any]:
        """Numbers y_1 ... y_k."""
        return [self._number(y) for y in self.functional.quantities.parameters]

    @cached_property
    def levels(self) -> dict[int, tuple[Any, Any]]:
        """Matrix and constant of every level's function."""
        steps, matrices = self.functional.steps, OrderParameterMatrices(self.functional.quantities.layout)
        V = self._per_token(lambda g: matrices.of("susceptibility", g))
        current, constant = mpmath.inverse(mpmath.inverse(self.curvature) + V), mpmath.mpf(0)
        found = {steps + 1: (current, constant)}
        for level in range(steps, 0, -1):
            y, width = self.parameters[level - 1], self.gaps[level - 1]
            constant += mpmath.log(mpmath.det(mpmath.eye(width.rows) + y * width * current)) / (2 * y)
            current = mpmath.inverse(mpmath.inverse(current) + y * width)
            found[level] = (current, constant)
        return found

    @cached_property
    def laws(self) -> list[tuple[Any, Any]]:
        """Mean and covariance of (h*, w_j, u_j) under the tilted averages of levels 1 ... j, from level 0 on."""
        law, phi = self.functional.law, self.functional.symmetric
        fields, teacher = phi.channel.fields, phi.model.teacher_fields
        order = [law.variables.index(x) for x in (*teacher, *fields)]
        t, n = len(teacher), len(fields)
        mean = mpmath.matrix([self._number(law.mean[i]) for i in order])
        covariance = mpmath.matrix([[self._number(law.covariance[i, j]) for j in order] for i in order])
        found = [(mean, covariance)]
        for level in range(1, self.functional.steps + 1):
            y, width = self.parameters[level - 1], self.gaps[level - 1]
            spread = mpmath.inverse(mpmath.inverse(width) + y * self.levels[level + 1][0])
            gain = -y * spread * self.levels[level + 1][0]
            # (h, w, u) from (h, w): u = gain (w - R h) + noise.
            step = mpmath.zeros(t + 2 * n, t + n)
            noise = mpmath.zeros(t + 2 * n, t + 2 * n)
            shift = -gain * self.regression
            for i in range(t + n):
                step[i, i] = 1
            for i in range(n):
                for j in range(t):
                    step[t + i, j] += shift[i, j]
                    step[t + n + i, j] += shift[i, j]
                for j in range(n):
                    step[t + i, t + j] += gain[i, j]
                    step[t + n + i, t + j] += gain[i, j]
                    for a in (t, t + n):
                        for b in (t, t + n):
                            noise[a + i, b + j] = spread[i, j]
            before_mean, before = found[-1][0][: t + n], found[-1][1][: t + n, : t + n]
            found.append((step * before_mean, step * before * step.T + noise))
        return found

    def mean_potential(self) -> Any:
        r"""Return :math:`\mathbb{E}\,\varphi_1`."""
        phi = self.functional
        return self.average(phi.potential(1), 0)

    def average(self, integrand: Any, level: int) -> Any:
        """Return the tilted average, and that over (w_0, h*), of a polynomial of second degree in fields and slopes."""
        phi = self.functional.symmetric
        fields, teacher = phi.channel.fields, phi.model.teacher_fields
        variables = [*teacher, *fields, *((increment(level, x) for x in fields) if level else ())]
        polynomial = sp.Poly(self._polynomial(integrand).xreplace(self.values), *variables)
        mean, covariance = self.laws[level]
        total = mpmath.mpf(0)
        for powers, coefficient in polynomial.terms():
            places = [k for k, power in enumerate(powers) for _ in range(power)]
            match places:
                case []:
                    moment = mpmath.mpf(1)
                case [i]:
                    moment = mean[i]
                case [i, j]:
                    moment = covariance[i, j] + mean[i] * mean[j]
                case _:
                    raise ValueError(f"expected a polynomial of second degree, got {polynomial}")
            total += mpmath.mpf(sp.N(coefficient, mpmath.mp.dps)) * moment
        return total

    def _polynomial(self, integrand: Any) -> Any:
        """Write the functions of all levels, and their derivatives, as polynomials of the fields."""
        phi, steps = self.functional.symmetric, self.functional.steps
        fields, teacher = phi.channel.fields, phi.model.teacher_fields
        digits = mpmath.mp.dps
        R = sp.Matrix(len(fields), len(teacher), [sp.Float(x, digits) for x in self.regression])
        offset = sp.Matrix(fields) - R * sp.Matrix(teacher)
        rules: dict[Any, Any] = {}
        for level, (matrix, constant) in self.levels.items():
            P = sp.Matrix(len(fields), len(fields), [sp.Float(x, digits) for x in matrix])
            sign = -1 if level == steps + 1 else 1
            own = sign * self.functional.potential(level)
            value = -sign * ((offset.T * P * offset)[0, 0] / 2 + sp.Float(constant, digits))
            for k, x in enumerate(fields):
                rules[sp.Derivative(own, x)] = -sign * (P * offset)[k, 0]
            rules[own] = value
        slopes = {x: y for x, y in rules.items() if isinstance(x, sp.Derivative)}
        return sp.expand(integrand.xreplace(slopes).xreplace(rules))

    def number(self, expression: Any) -> Any:
        """Return the number of an equation's side."""
        rules = {}
        for average in expression.atoms(GaussianAverage):
            total, integrand = mpmath.mpf(0), average.integrand
            for term in sp.Add.make_args(integrand):
                factor, rest = term.as_coeff_Mul()
                inside, level = (rest.integrand, rest.level) if isinstance(rest, TiltedAverage) else (rest, 0)
                total += mpmath.mpf(sp.N(factor, mpmath.mp.dps)) * self.average(inside, level)
            rules[average] = sp.Float(total, mpmath.mp.dps)
        return self._number(expression.xreplace(rules))
