"""Derivatives of shared expressions, and inverses without determinants, against SymPy and NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, strategies as st

from replica.algebra.differentiation import partial_derivative, symbols_of
from replica.algebra.inverse_matrices import sweep_stages, symmetric_symbols

X, Y, Z = sp.symbols("x y z", real=True)
LEAVES = st.one_of(st.sampled_from([X, Y, Z]), st.integers(-3, 3).map(sp.Integer))


def combined(parts: st.SearchStrategy[sp.Expr]) -> st.SearchStrategy[sp.Expr]:
    pairs = st.tuples(parts, parts)
    return st.one_of(
        pairs.map(lambda ab: ab[0] + ab[1]),
        pairs.map(lambda ab: ab[0] * ab[1]),
        parts.map(lambda a: a**2),
        parts.map(lambda a: 1 / (a**2 + 1)),
        pairs.map(lambda ab: (ab[0] ** 2 + 1) ** ab[1]),
        parts.map(sp.exp),
        parts.map(sp.tanh),
        pairs.map(lambda ab: sp.Piecewise((ab[0], X > 0), (ab[1], True))),
    )


@given(expression=st.recursive(LEAVES, combined, max_leaves=8), x=st.sampled_from([X, Y, Z]))
def test_derivatives_are_those_of_sympy(expression, x):
    assert symbols_of(expression) == expression.free_symbols
    assert partial_derivative(expression, x) == sp.diff(expression, x)


def test_a_function_of_unknown_form_is_differentiated_by_sympy():
    f = sp.Function("f")
    expression = X * f(X * Y) + Y
    assert partial_derivative(expression, X) == sp.diff(expression, X)


@pytest.mark.parametrize("size", [1, 2, 4, 6])
def test_swept_inverses_are_inverses(size):
    generator = np.random.default_rng(size)
    root = generator.normal(size=(size, size + 1))
    matrix = root @ root.T
    symbols, inverse = symmetric_symbols("H", size), symmetric_symbols("K", size)
    values = {symbols[i, j]: matrix[i, j] for i in range(size) for j in range(i, size)}
    for stage in sweep_stages(sp.Matrix(symbols), sp.Matrix(inverse)):
        # A stage uses earlier ones only.
        values |= {x: value.xreplace(values) for x, value in stage}
    found = np.array(sp.Matrix(inverse).xreplace(values), dtype=float)
    np.testing.assert_allclose(found, np.linalg.inv(matrix), rtol=1e-9, atol=1e-12)
