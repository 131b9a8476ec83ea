"""SymPy expressions as LaTeX in the table's letters, each part narrow enough to be broken into lines.

The order is a human's: parameters before order parameters before fields, positive terms before negative ones, tokens
by their number; brackets alternate between round, square and curly ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sympy as sp
from sympy.printing.latex import LatexPrinter

from replica import symbols
from replica.gaussian_average import GaussianAverage
from replica.model import ModelStructure
from replica.reports.blocks import Equation
from replica.reports.line_breaking import LINE_WIDTH, broken
from replica.reports.widths import typeset_width

__all__ = ["ReportPrinter"]

# Left side, relation and indentation, which have to stand beside the widest part that cannot be broken.
BESIDE = 6.0
# A wider product than this is not put on top of a numerical denominator.
WIDEST_NUMERATOR = 6.0

_INDEX = re.compile(r"_(\d+)$")
_BRACKETS = ((r"\left(", r"\right)"), (r"\left[", r"\right]"), (r"\left\{", r"\right\}"))


class ReportPrinter(LatexPrinter):
    """LaTeX with the table's symbols.

    Parameters
    ----------
    structure
        The models the expressions belong to.
    names
        LaTeX of symbols that are not in the table, or printed otherwise.
    measure
        Width of a piece of LaTeX as it will be printed, in ems.
    width
        What a line may take, in ems.
    """

    def __init__(
        self,
        structure: ModelStructure = symbols.PAPER,
        names: Mapping[sp.Symbol, str] | None = None,
        measure: Callable[[str], float] = typeset_width,
        width: float = LINE_WIDTH,
    ) -> None:
        self.names = symbols.latex_names(structure) | dict(names or {})
        super().__init__({"symbol_names": self.names, "order": "none"})
        self.measure, self.width, self.structure = measure, width, structure
        quantities = (*symbols.model_parameters(structure), symbols.ALPHA, *symbols.ORDER_PARAMETERS)
        quantities += symbols.CONJUGATES
        self._ranks = {quantity.symbol: rank for rank, quantity in enumerate(quantities)}
        # Entries and coefficients with a general index are parameters, too.
        self._ranks |= {sp.Symbol("A_ij"): 3, sp.Symbol("c_l"): 3}

    def with_names(self, names: Mapping[sp.Symbol, str]) -> ReportPrinter:
        """Return the same printer with further names."""
        return ReportPrinter(self.structure, self.names | dict(names), self.measure, self.width)

    def _rank(self, expression: Any) -> tuple[Any, ...]:
        """Return where an expression stands among others: averages last, tokens by number, symbols by the table."""
        free = expression.free_symbols
        unknown = len(self._ranks)
        ranks = sorted((self._ranks.get(x, unknown) for x in free), reverse=True)
        fields = {int(found[1]) for x in free if x not in self._ranks and (found := _INDEX.search(x.name))}
        return (expression.has(GaussianAverage), min(fields, default=0), ranks[:1], sp.default_sort_key(expression))

    def _bracketed(self, printed: str) -> str:
        """Put brackets around LaTeX, unlike those just inside."""
        inside = max((k for k, (opening, _) in enumerate(_BRACKETS) if opening in printed), default=-1)
        opening, closing = _BRACKETS[min(inside + 1, len(_BRACKETS) - 1)]
        return f"{opening}{printed}{closing}"

    def _ordered(self, expression: Any) -> list[Any]:
        def key(term: Any) -> tuple[Any, ...]:
            averaged, *rest = self._rank(term)
            return (averaged, term.as_coeff_Mul()[0].is_negative is True, *rest)

        return sorted(sp.Add.make_args(expression), key=key)

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        printed = ""
        for term in self._ordered(expr):
            text = self._print(term)
            printed += text if not printed or text.startswith("-") else f"+{text}"
        return printed

    def _print_factors(self, factors: Sequence[Any]) -> str:
        """Print a product of factors, none of which is a number or an inverse."""
        parts = []
        for factor in sorted(
            factors, key=lambda x: (bool(x.free_symbols - self._ranks.keys()), x.is_Add, *self._rank(x))
        ):
            text = self._print(factor)
            if factor.is_Add and len(factors) > 1:
                text = self._bracketed(text)
            parts.append(text if not parts or not text.startswith((r"\mathbb", r"\mathcal")) else rf"\,{text}")
        return " ".join(parts)

    def _print_Mul(self, expr: Any) -> str:
        coefficient, rest = expr.as_coeff_Mul()
        factors = list(sp.Mul.make_args(rest))
        if coefficient.is_negative:
            factors, coefficient = self._sign_inside(factors, coefficient)
        bottom = [1 / x for x in factors if x.is_Pow and x.exp.could_extract_minus_sign()]
        top = [x for x in factors if not (x.is_Pow and x.exp.could_extract_minus_sign())]
        sign = "-" if coefficient.is_negative else ""
        if not coefficient.is_Rational:
            return sign + " ".join([self._print(abs(coefficient)), self._print_factors(factors)])
        above, below = abs(coefficient.p), coefficient.q
        printed = self._print_factors(top) if top else ""
        number = str(above) if above != 1 else ""
        if not bottom and below == 1:
            alone = len(top) == 1 and top[0].is_Add
            return f"{sign}{number} {self._bracketed(printed) if alone else printed}".replace("- ", "-").strip()
        under = self._print_factors(bottom) if bottom else ""
        if below != 1:
            under = f"{below} {self._bracketed(under) if len(bottom) == 1 and bottom[0].is_Add else under}".strip()
        over = f"{number} {printed}".strip() or "1"
        if number and len(top) == 1 and top[0].is_Add:
            over = f"{number} {self._bracketed(printed)}"
        if self.measure(under) > self.width - BESIDE:
            # Nor can a denominator be broken: it becomes inverse factors.
            inverse = " ".join(f"{self._bracketed(self._print(x))}^{{-1}}" for x in bottom)
            return " ".join(filter(None, [sign + (rf"\frac{{{above}}}{{{below}}}" if below != 1 else number),
                                          self._bracketed(printed) if len(top) == 1 and top[0].is_Add else printed,
                                          inverse]))  # fmt: skip
        fraction = rf"{sign}\frac{{{over}}}{{{under}}}"
        limit = self.width - BESIDE if bottom else WIDEST_NUMERATOR
        if top and (self.measure(over) > limit or any(x.has(GaussianAverage) for x in top)):
            # A fraction cannot be broken: its numerator moves behind it.
            behind = self._bracketed(printed) if len(top) == 1 and top[0].is_Add else printed
            space = r"\," if behind.startswith((r"\mathbb", r"\mathcal")) else " "
            fraction = rf"{sign}\frac{{{number or 1}}}{{{under}}}{space}{behind}"
        return fraction

    def _print_Pow(self, expr: Any) -> str:
        base, exponent = expr.as_base_exp()
        if exponent == sp.Rational(1, 2):
            return rf"\sqrt{{{self._print(base)}}}"
        if exponent.could_extract_minus_sign() and not base.is_Number:
            return rf"\frac{{1}}{{{self._print(sp.Pow(base, -exponent))}}}"
        if base.is_Add or base.is_Mul:
            return rf"{self._bracketed(self._print(base))}^{{{self._print(exponent)}}}"
        if base.is_Symbol and "^" in self._print(base):
            return rf"({self._print(base)})^{{{self._print(exponent)}}}"
        return super()._print_Pow(expr)

    def _print_Function(self, expr: Any, exp: Any = None) -> str:
        if expr.func.__name__ == "M":
            printed = r"\mathcal{M}(w, V, h^{\star})"
            return printed if exp is None else rf"{printed}^{{{exp}}}"
        return super()._print_Function(expr, exp)

    def _print_GaussianAverage(self, expr: Any) -> str:
        return rf"\mathbb{{E}}{_square(self._print(expr.integrand))}"

    def _side(self, side: Any) -> str:
        if isinstance(side, tuple):
            printed = ""
            for part in side:
                text = self._side(part)
                printed += text if not printed or text.startswith("-") else f"+{text}"
            return printed
        return side if isinstance(side, str) else self.doprint(side)

    def _sign_inside(self, factors: list[Any], coefficient: Any) -> tuple[list[Any], Any]:
        """Turn a minus sign into the order of a difference that would otherwise end on its leading term."""

        def leading(term: Any) -> tuple[bool, bool]:
            fields = [x.name[0] for x in term.free_symbols if x not in self._ranks]
            return ("z" in fields, bool(fields))

        for k, factor in enumerate(factors):
            distinct = factor.is_Add and len({leading(term) for term in factor.args}) > 1
            if distinct and max(factor.args, key=leading).as_coeff_Mul()[0].is_negative:
                return [*factors[:k], sp.Add(*(-term for term in factor.args)), *factors[k + 1 :]], -coefficient
        return factors, coefficient

    def equation(self, label: str, left: Any, right: Any, relation: str = "=") -> Equation:
        """Return ``left = right`` broken into lines.

        Either side may be an expression, LaTeX, or a tuple of expressions that is printed as a sum in its own order.
        """
        sides = [self._side(side) for side in (left, right)]
        parts = [part for side in (left, right) for part in (side if isinstance(side, tuple) else (side,))]
        expressions = [sp.sympify(part) for part in parts if not isinstance(part, str)]
        shown, lines = broken(sides[0], sides[1], self.width, self.measure, relation)
        return Equation(label, shown, lines, frozenset().union(*map(shown_symbols, expressions)))


def _square(printed: str) -> str:
    return rf"\left[{printed}\right]"


def shown_symbols(expression: Any) -> set[sp.Symbol]:
    """Return every symbol that an expression shows, those included that its averages integrate over."""
    averaged = (shown_symbols(average.integrand) for average in expression.atoms(GaussianAverage))
    bare = expression.free_symbols if not isinstance(expression, GaussianAverage) else set()
    functions = (x.free_symbols for x in expression.atoms(sp.Function))
    return set().union(bare, *functions, *averaged)
