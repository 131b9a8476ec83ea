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

from replica.algebra.differentiation import partial_derivative, symbols_of

__all__ = ["InverseMatrix", "Stage", "differentiate", "sweep_stages", "symmetric_symbols", "upper_triangle"]


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
    known, present = tuple(inverses), symbols_of(expression)
    total = partial_derivative(expression, x)
    for inverse in known:
        entries = [(i, j) for i, j in upper_triangle(inverse.of.rows) if inverse.symbols[i, j] in present]
        change = inverse.change(x) if entries else None
        if change is not None:
            total += sp.Add(*(partial_derivative(expression, inverse.symbols[i, j]) * change[i, j] for i, j in entries))
    for symbol, value in (definitions or {}).items():
        if symbol in present:
            total += partial_derivative(expression, symbol) * differentiate(value, x, known)
    return total


def sweep_stages(matrix: sp.Matrix, inverse: sp.Matrix) -> tuple[Stage, ...]:
    """Return definitions of the entries of a positive definite matrix's inverse, by sweeping out one pivot at a time.

    Parameters
    ----------
    matrix, inverse
        Symmetric, (n, n): the matrix, and symbols of its inverse.

    Notes
    -----
    A sweep of the k-th pivot p takes b_kk to -1/p, b_ik to b_ik/p and b_ij to b_ij - b_ik b_jk/p; after all of them
    b is minus the inverse. Unlike an adjugate, it takes as many operations as Gauss's elimination.
    """
    size = matrix.rows
    current, stages = sp.Matrix(matrix), []
    for k in range(size):
        last = k == size - 1
        reciprocal = sp.Symbol(f"reciprocal_pivot_{k + 1}", real=True)
        stages.append(((reciprocal, 1 / current[k, k]),))
        swept: dict[tuple[int, int], sp.Expr] = {}
        for i, j in upper_triangle(size):
            if i == j == k:
                value = -reciprocal
            elif k in (i, j):
                value = current[i, j] * reciprocal
            else:
                value = current[i, j] - current[i, k] * current[j, k] * reciprocal
            swept[i, j] = -value if last else value
        names = {
            (i, j): inverse[i, j] if last else sp.Symbol(f"swept_{k + 1}_{i + 1}{j + 1}", real=True) for i, j in swept
        }
        stages.append(tuple((names[place], value) for place, value in swept.items()))
        current = sp.Matrix(size, size, lambda i, j, names=names: names[min(i, j), max(i, j)])
    return tuple(stages)


Stage = tuple[tuple[sp.Symbol, sp.Expr], ...]
"""Intermediate quantities that later stages and the outputs may use: (symbol, value) pairs."""
