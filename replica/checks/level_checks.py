"""Derivatives of a level's function against complex steps, for an envelope that is no quadratic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import sympy as sp

from replica.checks.check import Check
from replica.hierarchy.averages import TiltedAverage
from replica.hierarchy.equations.level_slopes import level_slopes
from replica.hierarchy.functional import HierarchicalFreeEntropy
from replica.hierarchy.quantities import gap, parisi_parameter

__all__ = ["slopes_of_levels"]

NODES = 80
TINY = 1e-30


def slopes_of_levels(functional: HierarchicalFreeEntropy, seed: int) -> Iterator[Check]:
    r"""Compare derivatives of :math:`\varphi_j` in field, gap and y with complex steps, for a quartic envelope."""
    if not functional.steps:
        return
    generator = np.random.default_rng(seed + 6)
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()
    at, width, y = generator.uniform(0.2, 0.9), generator.uniform(0.05, 0.2), generator.uniform(0.5, 2.0)
    slopes = level_slopes(1, True)
    u = slopes.field
    (envelope,) = slopes.inner.atoms(sp.core.function.AppliedUndef)
    quartic = sp.Rational(1, 20) * u**4 - sp.Rational(1, 3) * u**3 + sp.Rational(1, 2) * u**2
    value = sp.lambdify(u, quartic)

    def potential(w: Any, gap: Any, parameter: Any) -> Any:
        exponents = -parameter * value(w + np.sqrt(gap) * nodes)
        return np.log((weights * np.exp(exponents)).sum()) / parameter

    fields = at + np.sqrt(width) * nodes
    tilted = weights * np.exp(-y * value(fields))
    tilted /= tilted.sum()
    worst = 0.0
    arguments = (at, width, y)
    for place, expression in enumerate((slopes.in_field, slopes.in_gap, slopes.in_parameter)):
        rules = {}
        for average in expression.atoms(TiltedAverage):
            integrand = sp.lambdify(u, average.integrand.xreplace({envelope: quartic}).doit())
            rules[average] = sp.Float((tilted * integrand(fields)).sum())
        found = float(expression.xreplace(rules).xreplace({parisi_parameter(1): y, gap(1): width}))
        found -= potential(*arguments) / y if place == 2 else 0.0
        shifted = [x + 1j * TINY * (k == place) for k, x in enumerate(arguments)]
        expected = potential(*shifted).imag / TINY
        worst = max(worst, abs(found - expected) / abs(expected))
    yield Check("nested averages", "derivatives of a level in field, gap and y, for a quartic envelope", worst, 1e-11)
