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

from replica.algebra.gaussian_average import GaussianAverage
from replica.algebra.spectrum_average import SpectrumAverage
from replica.equations.replica_trick import BETA, REPLICAS, SAME_REPLICA
from replica.model.any_model import loss_model
from replica.model.loss_model import LossModel
from replica.quantities import symbols
from replica.quantities.structure import ModelStructure
from replica.reports.passages import Equation
from replica.reports.typesetting.latex_names import latex_of_symbol, latex_table
from replica.reports.typesetting.line_breaking import LINE_WIDTH, broken
from replica.reports.typesetting.widths import typeset_width

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
    model
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
        model: ModelStructure | LossModel = symbols.PAPER,
        names: Mapping[sp.Symbol, str] | None = None,
        measure: Callable[[str], float] = typeset_width,
        width: float = LINE_WIDTH,
    ) -> None:
        self.model = loss_model(model)
        self.names = latex_table(self.model) | dict(names or {})
        super().__init__({"symbol_names": self.names, "order": "none"})
        self.measure, self.width = measure, width
        layout = self.model.layout
        quantities = (*self.model.parameters, symbols.ALPHA, *symbols.order_parameters(layout))
        quantities += symbols.conjugates(layout)
        first = (REPLICAS, BETA, SAME_REPLICA)
        self._ranks = {x: rank for rank, x in enumerate((*first, *(quantity.symbol for quantity in quantities)))}
        # Entries and coefficients with a general index are parameters, too.
        self._ranks |= {sp.Symbol("A_ij"): len(first) + 3, sp.Symbol("c_l"): len(first) + 3}

    def with_names(self, names: Mapping[sp.Symbol, str]) -> ReportPrinter:
        """Return the same printer with further names."""
        return ReportPrinter(self.model, self.names | dict(names), self.measure, self.width)

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
        if base.is_Add or base.is_Mul or isinstance(base, sp.Determinant):
            return rf"{self._bracketed(self._print(base))}^{{{self._print(exponent)}}}"
        if base.is_Symbol and "^" in self._print(base):
            return rf"({self._print(base)})^{{{self._print(exponent)}}}"
        return super()._print_Pow(expr)

    def _print_Symbol(self, expr: Any, style: str = "plain") -> str:
        known = self.names.get(expr) or latex_of_symbol(expr)
        return known or super()._print_Symbol(expr, style)

    def _arguments(self, *first: str) -> str:
        noise = [r"\xi"] if self.model.noise_fields else []
        listed = ", ".join([*first, r"h^{\star}", *noise])
        return f"({listed})"

    def _print_Function(self, expr: Any, exp: Any = None) -> str:
        match expr.func.__name__:
            case "M":
                printed = r"\mathcal{M}" + self._arguments("w", "V")
            case "zeta":
                printed = r"\zeta" + self._arguments("w")
            case "loss":
                printed = r"\ell" + self._arguments("z")
            case "minimum":
                # What is minimised over is no proximal point yet.
                plain = {z: f"z_{{{z.name.removeprefix('z_')}}}" for z in self.model.proximal_point}
                printed = rf"\min_{{z}} \left\{{ {self.with_names(plain).doprint(expr.args[0])} \right\}}"
            case _:
                return super()._print_Function(expr, exp)
        return printed if exp is None else rf"{printed}^{{{exp}}}"

    def _print_log(self, expr: Any, exp: Any = None) -> str:
        (argument,) = expr.args
        printed = self._print(argument)
        compound = argument.is_Add or argument.is_Mul or isinstance(argument, sp.Determinant)
        return rf"\log {self._bracketed(printed) if compound else printed}"

    def _print_Derivative(self, expr: Any) -> str:
        if expr.expr.func.__name__ != "M":
            return super()._print_Derivative(expr)
        return (
            "".join(
                rf"\partial_{{{self._print(x)}}}" + (f"^{{{count}}}" if count != 1 else "")
                for x, count in expr.variable_count
            )
            + r" \mathcal{M}"
        )

    def _print_Sum(self, expr: Any) -> str:
        indices = ", ".join(str(limit[0]) for limit in expr.limits)
        body = self._print(expr.function)
        summed = self._bracketed(body) if expr.function.is_Add else body
        return rf"\sum_{{{indices}=1}}^{{{self._print(expr.limits[0][2])}}} {summed}"

    def _print_Indexed(self, expr: Any, exp: Any = None) -> str:
        printed = f"{expr.base.label}^{{{''.join(map(str, expr.indices))}}}"
        return printed if exp is None else rf"\left({printed}\right)^{{{exp}}}"

    def _print_MatrixSymbol(self, expr: Any) -> str:
        return expr.name

    def _print_MatAdd(self, expr: Any) -> str:
        printed = ""
        for term in sorted(expr.args, key=lambda x: x.as_coeff_mmul()[0].could_extract_minus_sign()):
            text = self._print(term)
            printed += text if not printed or text.startswith("-") else f"+{text}"
        return printed

    def _print_MatMul(self, expr: Any) -> str:
        coefficient, matrices = expr.as_coeff_matrices()
        sign = "-" if coefficient.could_extract_minus_sign() else ""
        number = abs(coefficient) if coefficient.is_number else sp.Mul(-1, coefficient) if sign else coefficient
        parts = [] if number == 1 else [self._print(number)]
        parts += [self._bracketed(self._print(x)) if x.is_MatAdd else self._print(x) for x in matrices]
        return sign + r"\, ".join(parts)

    def _print_Inverse(self, expr: Any) -> str:
        printed = self._print(expr.arg)
        return (self._bracketed(printed) if expr.arg.is_MatAdd else printed) + "^{-1}"

    def _print_Trace(self, expr: Any, exp: Any = None) -> str:
        return rf"\mathrm{{Tr}}{_square(self._print(expr.arg))}"

    def _print_Determinant(self, expr: Any, exp: Any = None) -> str:
        printed = self._print(expr.arg)
        shown = rf"\det {self._bracketed(printed) if expr.arg.is_MatAdd else printed}"
        return shown if exp is None else rf"\left({shown}\right)^{{{exp}}}"

    def _print_SpectrumAverage(self, expr: Any) -> str:
        return rf"\mathbb{{E}}_{{\nu}}{_square(self._print(expr.integrand))}"

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
    """Return every symbol that an expression shows, those included that its averages are over.

    Indices of sums, and matrices whose letters are no SymPy symbols, are left to what reads the printed letters.
    """
    averages = expression.atoms(GaussianAverage, SpectrumAverage)
    inside = (shown_symbols(average.integrand) for average in averages)
    alone = isinstance(expression, GaussianAverage | SpectrumAverage)
    bare = set() if alone else {x for x in expression.free_symbols if isinstance(x, sp.Symbol) and "\\" not in x.name}
    functions = (x.free_symbols for x in expression.atoms(sp.Function))
    indexed = {x for y in expression.atoms(sp.Indexed) for x in y.free_symbols}
    return set().union(bare, *functions, *inside) - indexed
