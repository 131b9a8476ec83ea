"""What an expression that users write may hold, and how large it may be.

SymPy evaluates as it builds: ``Pow(Integer(9), Pow(Integer(9), Integer(9)))`` is a number of 370 million digits. So
what is read from a text is looked at before it is built, piece by piece, and what was built is looked at before it
becomes part of something else. Time and memory are then bounded by what is allowed, not by a clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy.functions.elementary.piecewise import ExprCondPair
from sympy.logic.boolalg import BooleanFalse, BooleanTrue

from replica.algebra.softmax_weight import SoftmaxWeight
from replica.common.errors import InvalidModel

__all__ = ["CONSTANTS", "DEEPEST", "KINDS", "MOST_NODES", "ExpressionBounds"]

# The softmax of nine tokens and nine columns, written out, has 63 thousand.
MOST_NODES = 200_000
# Of those that differ: SymPy takes one to three milliseconds for each.
MOST_DISTINCT = 10_000
DEEPEST = 60
# Of exact numbers, which bounds what powers and sums of them may become; 0.1 as a fraction takes 55 bits.
LARGEST_NUMBER = 2**256
LARGEST_EXPONENT = 256
# Larger ones with an exponent that is no number could add up their exponents.
LARGEST_BASE = 2**16
# Of what is no exact number: such numbers are evaluated on the way, and so must be within floating point's reach.
LARGEST_VALUE = 1e300
MOST_FACTORS = 64
MOST_ALTERNATIVES = 16
MOST_CONSTANT_NODES = 64
# SymPy compares by differences and solves conditions, both as polynomials.
MOST_CONDITION_NODES = 64
LARGEST_CONDITION_DEGREE = 4
# Nodes of all second derivatives, as estimated: minutes. Softmax attention of six tokens has nine million and takes
# 7 s, of six tokens and three columns 205 million.
MOST_DERIVED_NODES = 250_000_000
# Measured against softmax weights: SymPy sorts the factors.
PRODUCT_COST = 8

_ALGEBRA = (sp.Add, sp.Mul, sp.Pow, SoftmaxWeight)
_FUNCTIONS = (
    sp.exp, sp.log, sp.sin, sp.cos, sp.tan, sp.cot, sp.sec, sp.csc, sp.asin, sp.acos, sp.atan, sp.atan2,
    sp.sinh, sp.cosh, sp.tanh, sp.coth, sp.sech, sp.csch, sp.asinh, sp.acosh, sp.atanh, sp.sinc, sp.erf, sp.erfc,
    sp.gamma, sp.loggamma, sp.Abs, sp.sign, sp.Heaviside, sp.floor, sp.ceiling, sp.Mod, sp.Max, sp.Min,
)  # fmt: skip
_RELATIONS = (
    sp.StrictGreaterThan, sp.StrictLessThan, sp.GreaterThan, sp.LessThan, sp.Equality, sp.Unequality,
)  # fmt: skip
_LOGIC = (sp.And, sp.Or)
_CONDITIONAL = (sp.Piecewise, ExprCondPair, *_RELATIONS, *_LOGIC)
_COMPARED = (sp.Max, sp.Min, sp.Mod, *_RELATIONS)

KINDS: dict[str, type] = {kind.__name__: kind for kind in (*_ALGEBRA, *_FUNCTIONS, *_CONDITIONAL)}
"""What may be called in the text of an expression, besides symbols and numbers, by name."""

CONSTANTS: dict[str, sp.Basic] = {
    "pi": sp.pi, "E": sp.E, "EulerGamma": sp.EulerGamma, "GoldenRatio": sp.GoldenRatio, "Catalan": sp.Catalan,
    "true": sp.true, "false": sp.false,
}  # fmt: skip
"""What may be named in it."""

_LEAVES = (sp.Symbol, sp.Rational, sp.Float, BooleanTrue, BooleanFalse, *(type(x) for x in CONSTANTS.values()))
_ALLOWED = frozenset(KINDS.values())


@dataclass(frozen=True, slots=True)
class _Size:
    """How large an expression is.

    Attributes
    ----------
    nodes, depth
        Of its tree, in which what is shared counts as often as it occurs.
    largest
        Largest numerator or denominator of an exact number in it.
    degree
        As a polynomial, of symbols and of functions' values.
    symbolic
        Whether it holds a symbol.
    functions
        Whether it holds a function.
    logarithm
        Whether it holds a logarithm.
    first, second
        Nodes of the first and the second derivative in a symbol, by sum, product and chain rule, at most.
    """

    nodes: int = 1
    depth: int = 1
    largest: int = 0
    degree: int = 0
    symbolic: bool = False
    functions: bool = False
    logarithm: bool = False
    first: int = 0
    second: int = 0


class ExpressionBounds:
    """Measures expressions, each piece once, and refuses what is too large.

    Raises
    ------
    ValueError
        By all methods; the message says what is wrong with the expression.
    """

    def __init__(self) -> None:
        self._sizes: dict[sp.Basic, _Size] = {}
        self._built: dict[tuple[Any, ...], sp.Basic] = {}

    def build(self, kind: type, arguments: Sequence[sp.Basic]) -> sp.Basic:
        """Return a kind of expression of measured arguments, if SymPy can evaluate that in little time."""
        key = (kind, *arguments)
        if key not in self._built:
            self._admit(kind, arguments)
            self._built[key] = kind(*arguments)
            self.check(self._built[key])
        return self._built[key]

    def check(self, expression: sp.Basic) -> None:
        """Refuse an expression that is too large or holds what is not allowed."""
        self._measure(expression)

    def check_derivatives(self, entries: Sequence[sp.Expr], variables: Sequence[sp.Symbol]) -> None:
        """Refuse expressions whose second derivatives would take too long."""
        total = 0
        for entry in entries:
            own = len(entry.free_symbols & set(variables))
            total += self._measure(entry).second * own * (own + 1) // 2
        if total > MOST_DERIVED_NODES:
            raise InvalidModel(
                f"second derivatives may have {MOST_DERIVED_NODES} pieces at most, got about {total:.1e}"
            )

    def check_total(self, entries: Sequence[sp.Expr]) -> None:
        """Refuse a matrix whose entries are too large together."""
        _at_most("pieces", sum(self._measure(entry).nodes for entry in entries), MOST_NODES)

    def _measure(self, expression: sp.Basic) -> _Size:
        waiting = [expression]
        while waiting:
            top = waiting[-1]
            new = [] if top in self._sizes else [x for x in top.args if x not in self._sizes]
            if new:
                _check_kind(top)
                _at_most("pieces", len(waiting) + len(new), MOST_NODES)
                waiting += new
            else:
                waiting.pop()
                if top not in self._sizes:
                    _at_most("different pieces", len(self._sizes) + 1, MOST_DISTINCT)
                    self._sizes[top] = self._size(top, [self._sizes[x] for x in top.args])
        return self._sizes[expression]

    def _size(self, top: sp.Basic, parts: list[_Size]) -> _Size:
        """Return the size of an expression whose parts are measured."""
        if not parts:
            return _leaf(top)
        _check_kind(top)
        nodes = 1 + sum(x.nodes for x in parts)
        depth = 1 + max(x.depth for x in parts)
        _at_most("pieces", nodes, MOST_NODES)
        _at_most("levels of nesting", depth, DEEPEST)
        first, second = _derivatives(top, nodes, parts)
        size = _Size(
            nodes,
            depth,
            max(x.largest for x in parts),
            _degree(top, parts),
            any(x.symbolic for x in parts),
            any(x.functions for x in parts) or not isinstance(top, sp.Add | sp.Mul | sp.Pow),
            isinstance(top, sp.log) or any(x.logarithm for x in parts),
            first,
            second,
        )
        if isinstance(top, sp.Pow):
            _check_power(top.base, *parts)
        if not size.symbolic and isinstance(top, sp.Expr):
            _check_constant(top, size)
        return size

    def _admit(self, kind: type, arguments: Sequence[sp.Basic]) -> None:
        """Refuse what would take SymPy long to evaluate."""
        sizes = [self._measure(x) for x in arguments]
        if kind is sp.Pow and len(arguments) == 2:
            _check_power(arguments[0], *sizes)
        elif kind is sp.Mul:
            _at_most("factors", sum(len(x.args) if isinstance(x, sp.Mul) else 1 for x in arguments), MOST_FACTORS)
        elif kind is sp.exp and any(x.logarithm for x in sizes):
            # Powers in another guise.
            _at_most("the numbers in an exponent", max(x.largest for x in sizes), LARGEST_EXPONENT)
        elif kind in (sp.gamma, sp.loggamma) and not any(x.symbolic for x in sizes):
            _at_most("the numbers in a factorial", max(x.largest for x in sizes), LARGEST_EXPONENT)
        elif kind is SoftmaxWeight:
            _check_softmax(arguments, sizes)
        if kind in (sp.Max, sp.Min, sp.Piecewise, *_LOGIC):
            _at_most("alternatives", len(arguments), MOST_ALTERNATIVES)
        if kind in _COMPARED:
            _at_most("pieces of what is compared", sum(x.nodes for x in sizes), MOST_CONDITION_NODES)
            _at_most("the degree of what is compared", max(x.degree for x in sizes), LARGEST_CONDITION_DEGREE)
        if kind in _LOGIC and any(x.functions for y in arguments for x in map(self._measure, y.args)):
            raise InvalidModel("combined conditions may hold no functions")


def _at_most(what: str, value: int, most: int) -> None:
    if value > most:
        raise InvalidModel(f"{what} may be {most} at most, got {value if value < 10**12 else 'far more'}")


def _name(value: sp.Basic) -> str:
    return str(getattr(value, "func", type(value)).__name__) if value.args else str(value)


def _check_kind(value: sp.Basic) -> None:
    if type(value) not in _ALLOWED:
        raise InvalidModel(f"{_name(value)} is none of what it may hold: {', '.join([*CONSTANTS, *KINDS])}")


def _leaf(value: sp.Basic) -> _Size:
    if not isinstance(value, _LEAVES):
        if value in (sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I):
            raise InvalidModel(f"it must be real and finite, got {value}")
        _check_kind(value)
    if isinstance(value, sp.Symbol):
        return _Size(degree=1, symbolic=True, first=1)
    if isinstance(value, sp.Float):
        _check_value(value)
    if isinstance(value, sp.Rational):
        largest = max(abs(value.p), value.q)
        if largest > LARGEST_NUMBER:
            raise InvalidModel(f"a number has {largest.bit_length()} bits, more than {LARGEST_NUMBER.bit_length() - 1}")
        return _Size(largest=largest)
    return _Size()


def _degree(top: sp.Basic, parts: Sequence[_Size]) -> int:
    if isinstance(top, sp.Add):
        return max(x.degree for x in parts)
    if isinstance(top, sp.Mul):
        return sum(x.degree for x in parts)
    if isinstance(top, sp.Pow):
        return parts[0].degree * max(1, parts[1].largest)
    return max(1, *(x.degree for x in parts))


def _derivatives(top: sp.Basic, nodes: int, parts: Sequence[_Size]) -> tuple[int, int]:
    """Return how many nodes the first and the second derivative have, if nothing cancels."""
    moving = [x for x in parts if x.symbolic]
    first, second, count = sum(x.first for x in moving), sum(x.second for x in moving), len(moving)
    if isinstance(top, sp.Add):
        return first, second
    cost = nodes * PRODUCT_COST if isinstance(top, sp.Mul) else nodes
    return count * nodes + first, count**2 * cost + 2 * count * first + second


def _check_power(base: sp.Basic, of_base: _Size, of_exponent: _Size) -> None:
    _at_most("the numbers in an exponent", of_exponent.largest, LARGEST_EXPONENT)
    if of_exponent.symbolic and not of_base.symbolic and base != sp.E:
        _at_most("a number with a symbol in its exponent", of_base.largest, LARGEST_BASE)


def _check_constant(value: sp.Expr, size: _Size) -> None:
    """Refuse a constant that is not real, or so large that functions of it could not be evaluated."""
    _at_most("pieces of a constant", size.nodes, MOST_CONSTANT_NODES)
    _check_value(value)


def _check_value(value: sp.Expr) -> None:
    try:
        number = complex(value.evalf(15))
    except (TypeError, ValueError, OverflowError):
        number = complex(math.inf)
    within = abs(number) <= LARGEST_VALUE and (abs(number) >= 1.0 / LARGEST_VALUE or value == 0)
    if number.imag or not within:
        raise InvalidModel(
            f"constants must be real numbers between {1 / LARGEST_VALUE} and {LARGEST_VALUE}, got {str(value)[:40]}"
        )


def _check_softmax(arguments: Sequence[Any], sizes: Sequence[_Size]) -> None:
    index, count = arguments[0] if arguments else None, len(arguments) - 1
    if not isinstance(index, sp.Integer) or not 0 <= int(index) < count:
        raise InvalidModel(f"a softmax weight must have an index and logits, got {arguments!r:.40}")
    _at_most("pieces", count * sum(x.nodes for x in sizes), MOST_NODES)
