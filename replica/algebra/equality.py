"""Whether two expressions are equal: by expansion, or else at random points."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

import mpmath
import numpy as np
import sympy as sp

from replica.algebra.softmax_weight import SoftmaxWeight, with_exponentials

__all__ = ["equal_expressions", "identically_zero"]

DIGITS = 30
POINTS = 3


def identically_zero(expression: sp.Expr, variables: Sequence[sp.Symbol] | None = None) -> bool:
    """Return whether an expression vanishes, by expansion or else at random points to 30 digits."""
    if equal_expressions([expression], [sp.S.Zero]):
        return True
    names = sorted(expression.free_symbols, key=str) if variables is None else list(variables)
    generator = np.random.default_rng(len(names))
    function = sp.lambdify(names, with_exponentials(expression), "mpmath")
    with mpmath.workdps(DIGITS + 10):
        for _ in range(POINTS):
            value = function(*(mpmath.mpf(float(x)) for x in generator.uniform(0.3, 1.7, len(names))))
            if abs(value) > mpmath.mpf(10) ** (-DIGITS + 10):
                return False
    return True


def equal_expressions(first: Iterable[sp.Expr], second: Iterable[sp.Expr]) -> bool:
    """Return whether expressions agree once softmax weights are taken for independent symbols and all is expanded."""
    return all(
        sp.expand(_with_free_weights(x) - _with_free_weights(y)) == 0 for x, y in zip(first, second, strict=True)
    )


@functools.cache
def _free_weight(chosen: sp.Expr, centred: tuple[sp.Expr, ...]) -> sp.Expr:
    """Return the weight of one of a row's logits: a symbol of its own, or one minus the others for the row's last."""
    if chosen == centred[-1]:
        others = [_free_weight(x, centred) for x in centred if x != chosen]
        return (1 - sp.Add(*others)) / centred.count(chosen)
    return sp.Dummy("weight")


def _with_free_weights(expression: sp.Expr) -> sp.Expr:
    """Replace softmax weights by independent symbols that do not depend on the order or origin of the logits.

    Then equality needs no more than expansion; simplifying exponentials would take minutes for four tokens.
    """
    weights = {}
    for weight in expression.atoms(SoftmaxWeight):
        index, *logits = weight.args
        mean = sp.Add(*logits) / len(logits)
        centred = [sp.expand(x - mean) for x in logits]
        weights[weight] = _free_weight(centred[int(index)], tuple(sorted(centred, key=sp.default_sort_key)))
    return expression.xreplace(weights)
