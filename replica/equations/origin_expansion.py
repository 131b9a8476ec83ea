r"""The sample loss expanded about z = 0, to fourth order.

If z = 0 is stationary whatever the outputs, as where the loss is even in z, the state without weights, Q = 0, is a
candidate for a solution, and everything about it and the solutions that begin there follows from

.. math::
    \ell(z, h^\star) = \ell(0, h^\star) + \tfrac12 H_{ab} z_a z_b + \tfrac16 C_{abc} z_a z_b z_c
    + \tfrac1{24} D_{abcd} z_a z_b z_c z_d + O(z^5).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from replica.algebra.softmax_weight import SoftmaxWeight, with_exponentials
from replica.model.loss_model import LossModel

__all__ = ["NoExpansion", "OriginExpansion", "expand_at_origin"]

ORDER = 4
# What SymPy writes where a derivative has no value.
NOT_FINITE = (sp.nan, sp.zoo, sp.oo, -sp.oo, sp.AccumBounds, sp.DiracDelta, sp.Subs, sp.Derivative)


class NoExpansion(ValueError):
    """A loss that is infinite at z = 0, or has no four derivatives there."""


@dataclass(frozen=True)
class OriginExpansion:
    """Derivatives of a loss in z at z = 0, in terms of output symbols and parameters.

    Attributes
    ----------
    value
        The loss at z = 0.
    gradient
        First derivatives, by index; what is missing is zero.
    hessian
        Second derivatives, by indices in ascending order.
    cubic, quartic
        Third and fourth derivatives, by indices in ascending order; what is missing is zero.
    """

    value: sp.Expr
    gradient: Mapping[tuple[int], sp.Expr]
    hessian: Mapping[tuple[int, int], sp.Expr]
    cubic: Mapping[tuple[int, int, int], sp.Expr]
    quartic: Mapping[tuple[int, int, int, int], sp.Expr]

    @property
    def is_even(self) -> bool:
        """Whether no term of degree one or three is there."""
        return not (self.gradient or self.cubic)


def _derivatives(expression: sp.Expr, step: sp.Symbol) -> list[sp.Expr]:
    """Return an expression's derivatives in ``step`` at zero, up to fourth order."""
    found = []
    for order in range(ORDER + 1):
        found.append(sp.expand(with_exponentials(expression.xreplace({step: sp.S.Zero}))))
        if order < ORDER:
            expression = sp.diff(expression, step)
    return found


def _weight_coefficients(weight: sp.Expr, step: sp.Symbol) -> list[sp.Expr]:
    r"""Return a softmax weight's Taylor coefficients, by the recurrences for :math:`e^x` and :math:`1/x` of series.

    Differentiating it would take minutes for five tokens.
    """
    index, *logits = weight.args
    total = [sp.S.Zero] * (ORDER + 1)
    for logit in logits:
        derivatives = _derivatives(logit - logits[int(index)], step)
        x = [value / math.factorial(k) for k, value in enumerate(derivatives)]
        power = [sp.exp(x[0])]
        for n in range(1, ORDER + 1):
            power.append(sp.expand(sp.Add(*(k * x[k] * power[n - k] for k in range(1, n + 1))) / n))
        total = [a + b for a, b in zip(total, power, strict=True)]
    inverse = [1 / total[0]]
    for n in range(1, ORDER + 1):
        inverse.append(sp.expand(-inverse[0] * sp.Add(*(total[k] * inverse[n - k] for k in range(1, n + 1)))))
    return inverse


def _indices(powers: tuple[int, ...]) -> Any:
    return tuple(itertools.chain.from_iterable(itertools.repeat(i, power) for i, power in enumerate(powers)))


def _tensor(form: sp.Expr, proximal_point: tuple[sp.Symbol, ...], degree: int) -> dict[Any, sp.Expr]:
    """Return derivatives of a form of some degree: entries of D, for a form D_{a...} z_a ..., by their indices."""
    if form == 0:
        return {}
    entries = {}
    for powers, coefficient in sp.Poly(form, *proximal_point).terms():
        multiplicity = math.prod(math.factorial(power) for power in powers)
        entries[_indices(powers)] = coefficient * sp.Rational(multiplicity, math.factorial(degree))
    return entries


@functools.lru_cache(maxsize=16)
def expand_at_origin(model: LossModel) -> OriginExpansion:
    r"""Expand a loss along every direction, :math:`\ell(s z)` in s.

    Parameters
    ----------
    model
        Fields, loss and outputs.

    Raises
    ------
    NoExpansion
        If the loss is infinite at z = 0, or has no four derivatives there.
    """
    step = sp.Dummy("step", real=True)
    scaled: Any = model.loss.xreplace({x: step * x for x in model.proximal_point})
    # A weight's own Taylor polynomial is short; derivatives of the whole loss, a square of sums of weights, are not.
    polynomials = {}
    for weight in sorted(scaled.atoms(SoftmaxWeight), key=sp.default_sort_key):
        terms = enumerate(_weight_coefficients(weight, step))
        polynomials[weight] = sp.Add(*(value * step**k for k, value in terms))
    forms = _derivatives(scaled.xreplace(polynomials), step)
    if any(form.has(*NOT_FINITE) for form in forms):
        raise NoExpansion(f"the loss has no expansion about z = 0: {model.loss}")
    try:
        tensors = [_tensor(form, model.proximal_point, degree) for degree, form in enumerate(forms) if degree]
    except sp.PolynomialError:
        # What is left of a kink, such as |z|^3, is no polynomial in z.
        raise NoExpansion(f"the loss is not smooth enough at z = 0: {model.loss}") from None
    return OriginExpansion(forms[0], *tensors)
