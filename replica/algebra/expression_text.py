"""Read the text that SymPy's ``srepr`` writes, without running it: names, numbers and brackets, within bounds.

The text may come from a file or a command line. It is taken apart by a grammar of its own, looked at as a tree, and
built from the leaves up through :class:`replica.algebra.expression_bounds.ExpressionBounds`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from replica.algebra.expression_bounds import CONSTANTS, DEEPEST, KINDS, MOST_NODES, ExpressionBounds
from replica.common.errors import InvalidModel

__all__ = ["LONGEST_TEXT", "read_matrix"]

LONGEST_TEXT = 4_000_000
# Of a matrix's own brackets, around the entries.
MATRIX_LEVELS = 3
LONGEST_NUMBER = 400
LARGEST_POWER_OF_TEN = 400
LONGEST_NAME = 100
LARGEST_PRECISION = 1024
MOST_ROWS = 16
MATRICES = frozenset({"ImmutableDenseMatrix", "ImmutableMatrix", "Matrix", "MutableDenseMatrix"})
# All others would only matter to expressions that are not real.
ASSUMPTIONS = frozenset({"real", "positive", "negative", "nonnegative", "nonpositive", "nonzero", "finite"})

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<name>[^\W\d]\w*)
      | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<string>'[^'\\\n]*'|"[^"\\\n]*")
      | (?P<mark>[()\[\],=-])
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_DECIMAL = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d{1,4}))?\Z")


@dataclass(frozen=True, slots=True)
class _Name:
    text: str


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    arguments: list[Any] = field(default_factory=list)
    keywords: dict[str, Any] = field(default_factory=dict)


def read_matrix(text: str) -> sp.Matrix:
    """Return the matrix that a text says.

    Raises
    ------
    ValueError
        If the text is no matrix of expressions, holds what it may not, or is too large; the message says which.
    """
    if len(text) > LONGEST_TEXT:
        raise InvalidModel(f"it may have {LONGEST_TEXT} characters at most, got {len(text)}")
    rows = _rows(_Parser(text).parsed())
    bounds = ExpressionBounds()
    entries = [[_built(x, bounds) for x in row] for row in rows]
    for entry in (x for row in entries for x in row):
        if not isinstance(entry, sp.Expr):
            raise InvalidModel(f"entries must be scalar expressions, got {str(entry)!r:.40}")
    matrix = sp.Matrix(entries)
    bounds.check_total(list(matrix))
    return matrix


class _Parser:
    """A parser by recursive descent, no deeper than expressions may be."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._kind, self._token = next(self._tokens)
        self._count = 0

    def parsed(self) -> Any:
        tree = self._value(0)
        if self._kind != "end":
            raise InvalidModel(f"nothing may follow it, got {self._token!r:.40}")
        return tree

    def _advance(self) -> str:
        taken = self._token
        self._kind, self._token = next(self._tokens)
        return taken

    def _takes(self, mark: str) -> bool:
        if self._kind != "mark" or self._token != mark:
            return False
        self._advance()
        return True

    def _value(self, depth: int) -> Any:
        self._count += 1
        if self._count > MOST_NODES + 2 * MOST_ROWS**2 or depth > DEEPEST + MATRIX_LEVELS:
            raise InvalidModel(f"it may have {MOST_NODES} pieces and {DEEPEST} levels at most")
        if self._takes("["):
            return self._items("]", depth)
        if self._takes("("):
            return self._items(")", depth)
        if self._takes("-"):
            if self._kind != "number":
                raise InvalidModel(f"a sign must stand before a number, got {self._token!r:.40}")
            return -_number(self._advance())
        if self._kind == "number":
            return _number(self._advance())
        if self._kind == "string":
            return self._advance()[1:-1]
        if self._kind == "name":
            name = self._advance()
            if not self._takes("("):
                return _Name(name)
            keywords: dict[str, Any] = {}
            return _Call(name, self._items(")", depth, keywords), keywords)
        raise InvalidModel(f"a name, a number or a bracket must stand before {self._token!r:.40}")

    def _items(self, closing: str, depth: int, keywords: dict[str, Any] | None = None) -> list[Any]:
        items = []
        while not self._takes(closing):
            value = self._value(depth + 1)
            if keywords is not None and isinstance(value, _Name) and self._takes("="):
                keywords[value.text] = self._value(depth + 1)
            else:
                items.append(value)
            if not self._takes(",") and (self._kind, self._token) != ("mark", closing):
                raise InvalidModel(f"a comma or {closing!r} must stand before {self._token!r:.40}")
        return items


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    while True:
        found = _TOKEN.match(text, place)
        if found is None:
            raise InvalidModel(f"it may hold names, numbers and brackets only, got {text[place:].lstrip()!r:.40}")
        kind = str(found.lastgroup)
        yield kind, found[kind]
        place = found.end()
        if kind == "end":
            return


def _number(token: str) -> int | float:
    _check_number(token)
    return int(token) if token.isdigit() else float(token)


def _check_number(token: str) -> None:
    found = _DECIMAL.match(token) if len(token) <= LONGEST_NUMBER else None
    if found is None or abs(int(found[1] or 0)) > LARGEST_POWER_OF_TEN:
        raise InvalidModel(f"numbers must have at most {LONGEST_NUMBER} digits, got {token!r:.40}")


def _rows(tree: Any) -> list[list[Any]]:
    """Return the rows of a matrix's tree."""
    if isinstance(tree, _Call):
        if tree.name not in MATRICES or tree.keywords:
            raise InvalidModel(f"it must be a matrix, got {_shown(tree)}")
        match tree.arguments:
            case [list(inner)]:
                tree = inner
            case [int(rows), int(columns), list(inner)] if 0 < rows <= MOST_ROWS and len(inner) == rows * columns:
                tree = [inner[k : k + columns] for k in range(0, len(inner), columns)]
            case _:
                raise InvalidModel(f"a matrix must be made from its rows, got {_shown(tree)}")
    if not isinstance(tree, list) or not all(isinstance(row, list) for row in tree):
        raise InvalidModel(f"it must be a matrix, got {_shown(tree)}")
    if not 0 < len(tree) <= MOST_ROWS or len({len(row) for row in tree}) != 1 or not 0 < len(tree[0]) <= MOST_ROWS:
        raise InvalidModel(f"a matrix must have 1 to {MOST_ROWS} equally long rows")
    return tree


def _built(tree: Any, bounds: ExpressionBounds) -> sp.Basic:
    """Return the expression that a tree says."""
    match tree:
        case bool():
            pass
        case int() | float():
            made = sp.sympify(tree)
            bounds.check(made)
            return made
        case _Name(name) if name in CONSTANTS:
            return CONSTANTS[name]
        case _Call(name, arguments, keywords) if name in LEAVES:
            made = LEAVES[name](*arguments, **keywords)
            bounds.check(made)
            return made
        case _Call(name, arguments, keywords) if name in KINDS and not keywords:
            return bounds.build(KINDS[name], [_built(x, bounds) for x in arguments])
        case _:
            pass
    raise InvalidModel(f"it must hold SymPy's classes and constants only, got {_shown(tree)}")


def _symbol(*arguments: Any, **assumptions: Any) -> sp.Symbol:
    match arguments:
        case [str(name)] if 0 < len(name) <= LONGEST_NAME and name.isidentifier():
            pass
        case _:
            raise InvalidModel(f"a symbol must have a name, got {_listed(arguments)}")
    for key, value in assumptions.items():
        if key not in ASSUMPTIONS or value != _Name("True"):
            raise InvalidModel(f"symbols may be assumed {', '.join(sorted(ASSUMPTIONS))}, got {key}={_shown(value)}")
    # SymPy takes long to find the sizes of what may be complex; pre-activations and parameters are real.
    return sp.Symbol(name, **{"real": True, **dict.fromkeys(assumptions, True)})


def _integer(*arguments: Any) -> sp.Integer:
    match arguments:
        case [int(value)]:
            return sp.Integer(value)
        case _:
            raise InvalidModel(f"an Integer must be made from a whole number, got {_listed(arguments)}")


def _rational(*arguments: Any) -> sp.Rational:
    match arguments:
        case [int(value)]:
            return sp.Rational(value)
        case [int(above), int(below)] if below:
            return sp.Rational(above, below)
        case _:
            raise InvalidModel(f"a Rational must be made from two whole numbers, got {_listed(arguments)}")


def _float(*arguments: Any, precision: Any = None, dps: Any = None) -> sp.Float:
    match arguments:
        case [str() | int() | float() as value]:
            pass
        case [str() | int() | float() as value, int(dps)]:
            pass
        case _:
            raise InvalidModel(f"a Float must be made from a number, got {_listed(arguments)}")
    if isinstance(value, str):
        _check_number(value)
    options: dict[str, int] = {}
    for key, given in (("precision", precision), ("dps", dps)):
        if given is not None:
            if not isinstance(given, int) or not 1 <= given <= LARGEST_PRECISION:
                raise InvalidModel(f"a Float may have {LARGEST_PRECISION} bits at most, got {key}={_shown(given)}")
            options[key] = given
    return sp.Float(value, **options)


LEAVES: dict[str, Any] = {"Symbol": _symbol, "Integer": _integer, "Rational": _rational, "Float": _float}


def _listed(trees: tuple[Any, ...]) -> str:
    return f"({', '.join(_shown(tree) for tree in trees[:3])}{', ...' * (len(trees) > 3)})"


def _shown(tree: Any) -> str:
    """Return what a tree is, in few words, for messages."""
    if isinstance(tree, _Call):
        return f"{tree.name:.40}(...)"
    if isinstance(tree, list):
        return f"a list of {len(tree)}"
    return f"{tree.text:.40}" if isinstance(tree, _Name) else f"{tree!r:.40}"
