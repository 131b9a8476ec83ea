r"""Coordinates of the Gaussian integral: teacher fields, common modes a, and the line s along (1, -1).

Conditioned on h*, the local fields of a token are Gaussian, :math:`w_l = E[w_l|h^\star_l] + C_l x_l` with
:math:`C_l C_l^\top` their covariance and x standard normal. The x of different tokens are rotated into each other:
for two tokens and rank one, :math:`x = \big(a\,(1,1) + s\,(1,-1)\big)/\sqrt2`, with a and s standard normal; for more
there are more common modes a. For two tokens the proximal point jumps across a curve that every line along s crosses
transversally (theory notes, section 8), so s is the direction to integrate first and exactly. With more tokens or
columns there are more ways to jump: from z to -z and between patterns of attention, across surfaces whose normals lie
near vectors of entries -1, 0 and 1. The line's direction, (1, 2, -3) for three tokens, is parallel to none of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from replica.equations.free_entropy import FreeEntropy
from replica.quantities.matrices import OrderParameterMatrices

__all__ = ["LineCoordinates", "cholesky", "line_coordinates"]


@dataclass(frozen=True)
class LineCoordinates:
    """Symbols of the common modes and the line, and the local fields in terms of them."""

    common: tuple[sp.Symbol, ...]
    line: sp.Symbol
    fields: dict[sp.Symbol, sp.Expr]


def _token_directions(length: int) -> sp.Matrix:
    """Return orthonormal directions in token space, as rows: the line's, the mean of all tokens, and the others.

    The line's is (1, 2, 4, ..., minus their sum): its product with no vector of entries -1, 0 and 1 vanishes, but for
    the uniform ones, where attention is flat.
    """
    if length == 1:
        return sp.eye(1)
    powers = [2**k for k in range(length - 1)]
    return _orthonormal([[*powers, -sum(powers)], [1] * length])


def _column_directions(rank: int) -> sp.Matrix:
    """Return orthonormal directions among the student's columns, as rows: the line's first, (1, 2, 4, ...)."""
    return _orthonormal([[2**k for k in range(rank)]])


def _orthonormal(first: list[list[int]]) -> sp.Matrix:
    """Complete orthogonal vectors by unit vectors to an orthonormal basis (Gram and Schmidt)."""
    size = len(first[0])
    rows: list[sp.Matrix] = []
    for candidate in (*map(sp.Matrix, first), *(sp.eye(size)[:, k] for k in range(size))):
        rest = candidate
        for row in rows:
            rest = rest - row * (row.dot(candidate) / row.dot(row))
        if any(rest) and len(rows) < size:
            rows.append(rest)
    return sp.Matrix.vstack(*((row / sp.sqrt(row.dot(row))).T for row in rows))


def cholesky(matrix: sp.Matrix) -> sp.Matrix:
    """Return the lower triangular factor of a symmetric matrix of expressions, which is taken to be positive."""
    size = matrix.rows
    factor = sp.zeros(size, size)
    for j in range(size):
        pivot = matrix[j, j] - sum((factor[j, k] ** 2 for k in range(j)), start=sp.S.Zero)
        factor[j, j] = sp.sqrt(pivot)
        for i in range(j + 1, size):
            rest = matrix[i, j] - sum((factor[i, k] * factor[j, k] for k in range(j)), start=sp.S.Zero)
            factor[i, j] = rest / factor[j, j]
    return factor


def line_coordinates(free_entropy: FreeEntropy) -> LineCoordinates:
    """Derive the conditional law of w given h* from the joint law, and write w in line coordinates."""
    model, layout = free_entropy.model, free_entropy.layout
    rank, t, length = layout.rank, layout.teacher_rank, layout.sequence_length
    matrices = OrderParameterMatrices(layout)
    law = free_entropy.law
    line = sp.Symbol("line_coordinate", real=True)
    common = tuple(sp.Symbol(f"common_mode_{k}", real=True) for k in range(1, length * rank))
    modes = sp.Matrix(length, rank, [line, *common])
    rotated = _token_directions(length).T * modes * _column_directions(rank)
    fields: dict[sp.Symbol, sp.Expr] = {}
    for token, group in enumerate(layout.groups):
        theta, rho = matrices.of("semantic_overlap", group), sp.Matrix(model.token_law.teacher_variances[group])
        regression = theta * rho.inv(method="ADJ")
        noise = (matrices.of("self_overlap", group) - regression * theta.T).applyfunc(sp.simplify)
        h = sp.Matrix(model.teacher_fields[token * t : (token + 1) * t])
        mean = sp.Matrix(law.mean[token * rank : (token + 1) * rank]) + regression * h
        values = mean + cholesky(noise) * rotated[token, :].T
        fields |= dict(zip(model.fields[token * rank : (token + 1) * rank], values, strict=True))
    return LineCoordinates(common, line, fields)
