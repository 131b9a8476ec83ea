r"""Derivatives of :math:`\varphi_j` in fields, covariance and y, by Price's theorem, as tilted averages.

.. math::
    \partial_w\varphi_j = \langle\partial\varphi_{j+1}\rangle_j, \qquad
    \partial_{\Delta_j}\varphi_j = \tfrac12\langle\partial^2\varphi_{j+1} + y_j(\partial\varphi_{j+1})^2\rangle_j
    = \tfrac12\big(\partial^2\varphi_j + y_j(\partial\varphi_j)^2\big), \qquad
    \partial_{y_j}\varphi_j = \tfrac1{y_j}\big(\langle\varphi_{j+1}\rangle_j - \varphi_j\big).

One field stands for all: increments of different tokens are independent.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import sympy as sp

from replica.algebra.gaussian_average import GaussianAverage, GaussianLaw
from replica.common.errors import DerivationError
from replica.hierarchy.averages import TiltedAverage
from replica.hierarchy.quantities import gap, parisi_parameter

__all__ = ["LevelSlopes", "level_slopes"]


@dataclass(frozen=True)
class LevelSlopes:
    r"""Derivatives of one level's function.

    Attributes
    ----------
    level
        The level j.
    inner
        :math:`\varphi_{j+1}`, a function of the symbol ``field``.
    field
        The field one level deeper, w + u.
    in_field, in_gap, in_parameter
        Derivatives of :math:`\varphi_j` in w, :math:`\Delta_j` and :math:`y_j`; the last without
        :math:`-\varphi_j/y_j`.
    """

    level: int
    inner: sp.Expr
    field: sp.Symbol
    in_field: sp.Expr
    in_gap: sp.Expr
    in_parameter: sp.Expr


@functools.cache
def level_slopes(level: int, innermost: bool) -> LevelSlopes:
    r"""Derive the slopes of a level's function.

    Parameters
    ----------
    level
        The level j >= 1.
    innermost
        Whether :math:`\varphi_{j+1}` is minus the Moreau envelope.

    Raises
    ------
    DerivationError
        If the two forms of the derivative in the gap differ.
    """
    w, u = sp.symbols("w u", real=True)
    y, width = parisi_parameter(level), gap(level)
    inner = -sp.Function("M", real=True)(u) if innermost else sp.Function(f"phi{level + 1}", real=True)(u)
    law = GaussianLaw((u,), (w,), sp.ImmutableMatrix([[width]]))
    partition = GaussianAverage(sp.exp(y * inner), law)
    own = sp.log(partition) / y

    def tilted(slope: sp.Expr) -> sp.Expr:
        """Write E[f exp(y phi)] / E[exp(y phi)] as a tilted average."""
        averages = {}
        for average in slope.atoms(GaussianAverage) - {partition}:
            terms = sp.Add.make_args(sp.expand(average.integrand * sp.exp(-y * inner)))
            split = (term.as_independent(u) for term in terms)
            averages[average] = partition * sp.Add(*(factor * TiltedAverage(x, level) for factor, x in split))
        return sp.expand(slope.xreplace(averages))

    in_gap = tilted(sp.diff(own, width))
    # The same from the curvature and slope of the level's own function.
    second = (sp.diff(own, w, 2) + y * sp.diff(own, w) ** 2) / 2
    if sp.expand(tilted(second) - in_gap) != 0:
        raise DerivationError(f"derivatives of level {level} in gap and field do not belong together: {in_gap}")
    in_parameter = tilted(sp.diff(own, y)) + own / y
    return LevelSlopes(level, inner, u, tilted(sp.diff(own, w)), in_gap, sp.expand(in_parameter))
