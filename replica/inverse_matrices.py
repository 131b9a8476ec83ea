"""Inverses of symmetric matrices kept as symbols, and derivatives that know what they are.

The inverse of a matrix of order parameters, written out, would hide in long fractions what an equation says. Its
entries are symbols instead, with their definitions beside them, and the chain rule for an inverse,
dK = -K dB K, is applied wherever something is differentiated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import sympy as sp

__all__ = ["InverseMatrix", "differentiate", "symmetric_symbols", "upper_triangle"]


def upper_triangle(size: int) -> list[tuple[int, int]]:
    """Return the places on and above the diagonal, row by row."""
    return [(i, j) for i in range(size) for j in range(i, size)]


def symmetric_symbols(letter: str, size: int, positive_diagonal: bool = False) -> sp.ImmutableMatrix:
    """Return a symmetric matrix of symbols; a 1 x 1 matrix's symbol has no index."""

    def symbol(i: int, j: int) -> sp.Symbol:
        name = letter if size == 1 else f"{letter}_{min(i, j) + 1}{max(i, j) + 1}"
        return sp.Symbol(name, real=True, **({"positive": True} if positive_diagonal and i == j else {}))

    return sp.ImmutableMatrix(size, size, symbol)


@dataclass(frozen=True)
class InverseMatrix:
    """The inverse of a symmetric matrix.

    Attributes
    ----------
    symbols
        Symbols of its entries.
    of
        The matrix that is inverted, in terms of other symbols.
    """

    symbols: sp.ImmutableMatrix
    of: sp.ImmutableMatrix

    @cached_property
    def explicit(self) -> sp.ImmutableMatrix:
        """The entries written out: adjugate over determinant."""
        matrix = sp.Matrix(self.of)
        return sp.ImmutableMatrix(matrix.adjugate() / matrix.det())

    @property
    def definitions(self) -> dict[sp.Symbol, sp.Expr]:
        """Symbol of every entry on and above the diagonal, and its value."""
        return {self.symbols[i, j]: self.explicit[i, j] for i, j in upper_triangle(self.of.rows)}

    def change(self, x: sp.Symbol) -> sp.Matrix | None:
        """Return the derivative of the inverse in a symbol, in terms of its own entries; nothing if zero."""
        rate = sp.Matrix(self.of).diff(x)
        if rate.is_zero_matrix:
            return None
        inverse = sp.Matrix(self.symbols)
        return -inverse * rate * inverse


def differentiate(
    expression: sp.Expr,
    x: sp.Symbol,
    inverses: Iterable[InverseMatrix] = (),
    definitions: Mapping[sp.Symbol, sp.Expr] | None = None,
) -> sp.Expr:
    """Return the total derivative of an expression that contains entries of inverses and other defined symbols.

    Definitions may contain entries of inverses, but not each other.
    """
    known = tuple(inverses)
    total = sp.diff(expression, x)
    for inverse in known:
        change = inverse.change(x)
        if change is None:
            continue
        for i, j in upper_triangle(inverse.of.rows):
            slope = sp.diff(expression, inverse.symbols[i, j])
            if slope != 0:
                total += slope * change[i, j]
    for symbol, value in (definitions or {}).items():
        slope = sp.diff(expression, symbol)
        if slope != 0:
            total += slope * differentiate(value, x, known)
    return total
