"""Names of shared subexpressions in generated code: what they are where that is short to say, a number elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from replica.algebra.softmax_weight import SoftmaxWeight

__all__ = ["named"]

Assignments = list[tuple[sp.Symbol, sp.Expr]]


def named(
    shared: Sequence[tuple[sp.Symbol, sp.Expr]], values: Sequence[sp.Expr], taken: set[str]
) -> tuple[Assignments, list[sp.Expr]]:
    """Return subexpressions and the values that use them, with names that say what they are.

    Parameters
    ----------
    shared
        Placeholder and value of every subexpression, in order of computation.
    values
        What is computed from them.
    taken
        Names that are in use; those given here are added.
    """
    renaming: dict[sp.Symbol, sp.Symbol] = {}
    assignments: Assignments = []
    for placeholder, raw in shared:
        value = raw.xreplace(renaming)
        name = _name(value)
        if name is None or name in taken:
            stem = "softmax" if isinstance(value, SoftmaxWeight) else "shared"
            count = 1
            while f"{stem}_{count}" in taken:
                count += 1
            name = f"{stem}_{count}"
        taken.add(name)
        symbol = sp.Symbol(name, **placeholder.assumptions0)
        renaming[placeholder] = symbol
        assignments.append((symbol, value))
    return assignments, [value.xreplace(renaming) for value in values]


def _name(value: sp.Expr) -> str | None:
    """Return a name for a power of a symbol or a product of two, or nothing."""
    if value.is_Pow and value.base.is_Symbol:
        words = {2: "{}_squared", 3: "{}_cubed", 4: "{}_to_the_4", -1: "inverse_{}", -2: "inverse_square_of_{}"}
        if value.exp == sp.Rational(1, 2):
            return f"root_of_{value.base}"
        return words[int(value.exp)].format(value.base) if value.exp.is_Integer and int(value.exp) in words else None
    factors = sorted(map(str, value.args)) if value.is_Mul and all(x.is_Symbol for x in value.args) else []
    short = len(factors) == 2 and not any("shared" in x or "times" in x for x in factors)
    return "_times_".join(factors) if short else None
