r"""Coordinates of the Gaussian integral: teacher fields, a common mode a, and the line s along (1, -1).

Conditioned on h*, the local fields are Gaussian with independent noise of equal variance. Its two directions are
rotated to :math:`w = \mathbb{E}[w|h^\star] + \sqrt{v}\,\big(a\,(1,1) + s\,(1,-1)\big)/\sqrt2`, with a and s standard
normal. The proximal point jumps across a curve that every line along s crosses transversally (theory notes,
section 8), so s is the direction to integrate first and exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from replica import symbols
from replica.free_energy import FreeEntropy

__all__ = ["LineCoordinates", "line_coordinates"]


@dataclass(frozen=True)
class LineCoordinates:
    """Symbols of the common mode and the line, and the local fields in terms of them."""

    common: sp.Symbol
    line: sp.Symbol
    fields: dict[sp.Symbol, sp.Expr]


def line_coordinates(free_entropy: FreeEntropy) -> LineCoordinates:
    """Derive the conditional law of w given h* from the joint law, and write w in line coordinates.

    Raises
    ------
    ValueError
        If the conditional noise is not isotropic, or there are not two tokens.
    """
    w, h = symbols.local_fields(), symbols.teacher_fields()
    law = free_entropy.law
    length = len(w)
    if length != 2:
        raise ValueError(f"line coordinates are defined for two tokens, got {length}")
    covariance = sp.Matrix(law.covariance)
    cross, teacher = covariance[:length, length:], covariance[length:, length:]
    regression = cross * teacher.inv()
    noise = sp.simplify(covariance[:length, :length] - regression * cross.T)
    if noise != noise[0, 0] * sp.eye(length):
        raise ValueError(f"the noise of w given h* must be isotropic, got {noise}")
    mean = sp.Matrix(law.mean[:length]) + regression * (sp.Matrix(h) - sp.Matrix(law.mean[length:]))
    common, line = sp.symbols("common_mode line_coordinate", real=True)
    amplitude = sp.sqrt(noise[0, 0]) / sp.sqrt(2)
    directions = (common + line, common - line)
    return LineCoordinates(common, line, {w[i]: mean[i] + amplitude * directions[i] for i in range(length)})
