r"""Averages over the increments of the fields from level to level, kept as they are written.

At level j the fields are :math:`w + u_j` with :math:`u_j` Gaussian of covariance :math:`\Delta_j` for every token. The
tilted average at level j has the further weight :math:`e^{y_j\varphi_{j+1}(w + u_j)}`, normalised.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from replica.algebra.unevaluated_average import UnevaluatedAverage

__all__ = ["LevelAverage", "TiltedAverage"]


class LevelAverage(UnevaluatedAverage):
    r"""The Gaussian average :math:`\mathbb{E}_{u_j}` over the increment of one level."""

    def __new__(cls, integrand: Any, level: int) -> LevelAverage:
        """Build the average from an integrand and its level."""
        return cls._from_arguments(sp.sympify(integrand), sp.Integer(level))

    @property
    def level(self) -> int:
        """The level j."""
        return int(self.args[1])

    def _latex(self, printer: Any) -> str:
        return rf"\mathbb{{E}}_{{u_{{{self.level}}}}}\left[{printer._print(self.integrand)}\right]"

    def _sympystr(self, printer: Any) -> str:
        return f"E_u{self.level}[{printer._print(self.integrand)}]"


class TiltedAverage(UnevaluatedAverage):
    r"""Tilted averages at levels 1 ... j, one inside the other: :math:`\langle\cdot\rangle_{j}`; at level 0 none."""

    def __new__(cls, integrand: Any, level: int) -> Any:
        """Build the average from an integrand and the innermost of its levels."""
        number, rest = sp.sympify(integrand).as_coeff_Mul()
        return number * cls._from_arguments(rest, sp.Integer(level)) if level else number * rest

    @property
    def level(self) -> int:
        """The innermost level."""
        return int(self.args[1])

    def _latex(self, printer: Any) -> str:
        return rf"\left\langle {printer._print(self.integrand)} \right\rangle_{{{self.level}}}"

    def _sympystr(self, printer: Any) -> str:
        return f"<{printer._print(self.integrand)}>_{self.level}"
