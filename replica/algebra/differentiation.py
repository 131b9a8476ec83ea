"""Partial derivatives of expressions that share most of their parts.

SymPy differentiates an expression as a tree, and looks through all of it for the symbol at every node. Integrands of
models with many tokens or columns are trees of millions of nodes that are a few thousand different expressions: here
every part is differentiated once. Results are those of ``sympy.diff``.
"""

from __future__ import annotations

from functools import lru_cache

import sympy as sp
from sympy.core.function import AppliedUndef, Function

__all__ = ["partial_derivative", "symbols_of"]

# Parts kept: some hundred bytes each.
KEPT = 1 << 18


@lru_cache(maxsize=KEPT)
def symbols_of(expression: sp.Basic) -> frozenset[sp.Symbol]:
    """Return the free symbols of an expression."""
    if isinstance(expression, (sp.Add, sp.Mul, sp.Pow, Function)):
        return frozenset().union(*map(symbols_of, expression.args))
    return frozenset(expression.free_symbols)


@lru_cache(maxsize=KEPT)
def partial_derivative(expression: sp.Expr, x: sp.Symbol) -> sp.Expr:
    """Return the derivative of an expression in a symbol."""
    if expression == x:
        return sp.S.One
    if x not in symbols_of(expression):
        return sp.S.Zero
    args = expression.args
    if isinstance(expression, sp.Add):
        return sp.Add(*(partial_derivative(part, x) for part in args))
    if isinstance(expression, sp.Mul):
        slopes = ((k, partial_derivative(part, x)) for k, part in enumerate(args))
        return sp.Add(*(sp.Mul(*args[:k], slope, *args[k + 1 :]) for k, slope in slopes if slope != 0))
    if isinstance(expression, sp.Pow):
        base, power = args
        rise = partial_derivative(base, x) * power / base
        bend = partial_derivative(power, x)
        return expression * (rise if bend == 0 else bend * sp.log(base) + rise)
    if isinstance(expression, Function) and not isinstance(expression, (AppliedUndef, sp.Piecewise)):
        slopes = ((k, partial_derivative(part, x)) for k, part in enumerate(args))
        return sp.Add(*(expression.fdiff(k + 1) * slope for k, slope in slopes if slope != 0))
    return sp.diff(expression, x)
