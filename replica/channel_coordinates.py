r"""Coordinates of the Gaussian integral: teacher fields, a common mode a, and the line s along (1, -1).

Conditioned on h*, the local fields are Gaussian with independent noise of equal variance. For two tokens its
directions are rotated to :math:`w = \mathbb{E}[w|h^\star] + \sqrt{v}\,\big(a\,(1,1) + s\,(1,-1)\big)/\sqrt2`, with a
and s standard normal; for more there are more common modes a. For two tokens the proximal point jumps across a curve
that every line along s crosses transversally (theory notes, section 8), so s is the direction to integrate first and
exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from replica.free_energy import FreeEntropy

__all__ = ["LineCoordinates", "line_coordinates"]


@dataclass(frozen=True)
class LineCoordinates:
    """Symbols of the common modes and the line, and the local fields in terms of them."""

    common: tuple[sp.Symbol, ...]
    line: sp.Symbol
    fields: dict[sp.Symbol, sp.Expr]


def _directions(length: int) -> list[list[sp.Expr]]:
    """Return orthonormal directions in token space: the line's, (1, -1, 0, ...), then the common modes'.

    Rows of Helmert's matrix: after (1, -1) the mean of all tokens, then the first k tokens against the next.
    """
    rows = [[1, -1, *[0] * (length - 2)], [1] * length]
    rows += [[1] * k + [-k] + [0] * (length - k - 1) for k in range(2, length)]
    return [[x / sp.sqrt(sum(y * y for y in row)) for x in row] for row in rows]


def line_coordinates(free_entropy: FreeEntropy) -> LineCoordinates:
    """Derive the conditional law of w given h* from the joint law, and write w in line coordinates.

    Raises
    ------
    ValueError
        If the conditional noise is not isotropic.
    """
    w, h = free_entropy.fields, free_entropy.teacher_fields
    law = free_entropy.law
    length = len(w)
    covariance = sp.Matrix(law.covariance)
    cross, teacher = covariance[:length, length:], covariance[length:, length:]
    regression = cross * teacher.inv()
    noise = sp.simplify(covariance[:length, :length] - regression * cross.T)
    if noise != noise[0, 0] * sp.eye(length):
        raise ValueError(f"the noise of w given h* must be isotropic, got {noise}")
    mean = sp.Matrix(law.mean[:length]) + regression * (sp.Matrix(h) - sp.Matrix(law.mean[length:]))
    line = sp.Symbol("line_coordinate", real=True)
    common = tuple(sp.Symbol(f"common_mode_{k}", real=True) for k in range(1, length))
    amplitude = sp.sqrt(noise[0, 0])
    along = sp.Matrix(_directions(length)).T * sp.Matrix([line, *common])
    return LineCoordinates(common, line, {w[i]: mean[i] + amplitude * along[i] for i in range(length)})
