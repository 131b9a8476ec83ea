r"""The unevaluated average :math:`E_\nu` over the atoms of a covariance spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp

from replica.algebra.unevaluated_average import UnevaluatedAverage

__all__ = ["SpectrumAverage", "spectrum_average"]


class SpectrumAverage(UnevaluatedAverage):
    r"""The average of an expression in the symbols of an atom (eigenvalues, moments of projections).

    Linear, and the law does not depend on what is differentiated with respect to, so that derivatives act inside.
    """

    def __new__(cls, integrand: Any, atom_symbols: Sequence[sp.Symbol]) -> SpectrumAverage:
        """Build the average from an integrand and the symbols averaged over."""
        return cls._from_arguments(sp.sympify(integrand), sp.Tuple(*atom_symbols))

    @property
    def atom_symbols(self) -> tuple[sp.Symbol, ...]:
        """The symbols averaged over."""
        return tuple(self.args[1])

    @property
    def free_symbols(self) -> set[Any]:
        """Symbols that are not averaged over."""
        return self.integrand.free_symbols - set(self.atom_symbols)

    def _eval_derivative(self, parameter: Any) -> Any:
        return spectrum_average(sp.diff(self.integrand, parameter), self.atom_symbols)

    def _latex(self, printer: Any) -> str:
        return rf"\mathbb{{E}}_{{\nu}}\left[{printer._print(self.integrand)}\right]"

    def _sympystr(self, printer: Any) -> str:
        return f"E_nu[{printer._print(self.integrand)}]"


def spectrum_average(expression: sp.Expr, atom_symbols: Sequence[sp.Symbol]) -> sp.Expr:
    """Return the average of an expression, or the expression itself where it is the same on every atom."""
    if not atom_symbols or not expression.free_symbols & set(atom_symbols):
        return expression
    return SpectrumAverage(expression, atom_symbols)
