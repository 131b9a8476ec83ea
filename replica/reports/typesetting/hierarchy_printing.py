"""Expressions of k steps of replica-symmetry breaking as LaTeX, and what their letters mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp

from replica.hierarchy.quantities import HierarchyQuantities
from replica.model.loss_model import LossModel
from replica.reports.typesetting.line_breaking import LINE_WIDTH
from replica.reports.typesetting.printing import ReportPrinter
from replica.reports.typesetting.widths import typeset_width

__all__ = ["LEVEL_LETTERS", "HierarchyPrinter", "hierarchy_names"]

LEVEL_LETTERS = {
    "y": ("y_{j}", r"$\beta s_{j}$, the parameter of a step"),
    r"\Delta": (r"\Delta_{j}", "$q_{j} - q_{j-1}$, gap between two levels, covariance of an increment of the fields"),
    r"\varphi": (r"\varphi_{j}", r"free entropy of a block of level $j$; $-\mathcal{M}$ at the innermost level"),
    "u": ("u_{j}", "increment of the fields at a level, Gaussian"),
    r"\chi": (r"\chi_{j}", "susceptibility of blocks of a level"),
    r"\delta": (r"\delta_{j}", "infinitesimal gap that is split off a level"),
    r"\hat{\delta}": (r"\hat{\delta}_{j}", "gap of the conjugates that it makes"),
    "C": ("C_{j}", "what entries of a hierarchical matrix grow by from level to level"),
    "D": ("D_{j}", "eigenvalues of a hierarchical matrix"),
}
"""By their LaTeX: the letters of levels as they are shown, and their meanings."""

_STEMS = {"s": "s", "y": "y", "Delta": r"\Delta", "chi": r"\chi", "B": "B", "K": "K", "N": "N", "C": "C",
          "D": "D", "u": "u", "delta": r"\delta", "delta_hat": r"\hat{\delta}"}  # fmt: skip


def hierarchy_names(quantities: HierarchyQuantities) -> dict[sp.Symbol, str]:
    """Return the LaTeX of the order parameters and conjugates of every level."""
    listed = []
    for layout in (quantities.layout.single_token, quantities.layout):
        own = HierarchyQuantities(layout, quantities.steps)
        listed += [*own.order_parameters, *own.conjugates]
    return {x.symbol: x.latex for x in listed}


def _level_latex(name: str) -> str | None:
    """Return LaTeX of the symbols of one level: y1, B2, K1_12, u1_2, delta0_1_12."""
    found = re.fullmatch(rf"({'|'.join(_STEMS)})(\d+)((?:_\d+)*)", name)
    if not found:
        return None
    stem, level, indices = found.groups()
    return f"{_STEMS[stem]}_{{{level}{indices.replace('_', ',')}}}"


class HierarchyPrinter(ReportPrinter):
    """LaTeX with the table's symbols and those of the levels."""

    def __init__(
        self,
        model: LossModel,
        names: Mapping[sp.Symbol, str],
        measure: Callable[[str], float] = typeset_width,
        width: float = LINE_WIDTH,
    ) -> None:
        super().__init__(model, names, measure, width)

    def with_names(self, names: Mapping[sp.Symbol, str]) -> HierarchyPrinter:
        """Return the same printer with further names."""
        return HierarchyPrinter(self.model, self.names | dict(names), self.measure, self.width)

    def _print_Symbol(self, expr: Any, style: str = "plain") -> str:
        return self.names.get(expr) or _level_latex(expr.name) or super()._print_Symbol(expr, style)

    def _is_shifted(self, expr: Any) -> str:
        """Return the level's increment that the fields of a function have, or nothing."""
        levels = {x.name.partition("_")[0][1:] for x in expr.free_symbols if re.fullmatch(r"u\d+_\d+", x.name)}
        return rf"w + u_{{{levels.pop()}}}" if levels else "w"

    def _print_Function(self, expr: Any, exp: Any = None) -> str:
        name = expr.func.__name__
        if name == "M":
            printed = r"\mathcal{M}" + self._arguments(self._is_shifted(expr), "V")
        elif found := re.fullmatch(r"phi(\d+)", name):
            printed = rf"\varphi_{{{found[1]}}}" + self._arguments(self._is_shifted(expr))
        else:
            return super()._print_Function(expr, exp)
        return printed if exp is None else rf"{printed}^{{{exp}}}"

    def _print_Derivative(self, expr: Any) -> str:
        name = expr.expr.func.__name__
        if not name.startswith("phi"):
            return super()._print_Derivative(expr)
        powers = ((self._print(x), rf"^{{{n}}}" if n > 1 else "") for x, n in expr.variable_count)
        by = "".join(rf"\partial_{{{x}}}{power}" for x, power in powers)
        return rf"{by} \varphi_{{{name.removeprefix('phi')}}}"

    def _print_ExpBase(self, expr: Any, exp: Any = None) -> str:
        (argument,) = expr.args
        return rf"e^{{{self._print(argument)}}}" if exp is None else rf"e^{{{exp} {self._print(argument)}}}"

    def _print_Pow(self, expr: Any) -> str:
        base, exponent = expr.as_base_exp()
        if isinstance(base, sp.Derivative):
            return rf"({self._print(base)})^{{{self._print(exponent)}}}"
        if base.func.__name__ == "LevelAverage" or base.func.__name__ == "zeta":
            return rf"{self._print(base)}^{{{self._print(exponent)}}}"
        return super()._print_Pow(expr)
