"""The SymPy symbols of the named quantities (``replica.names``), and those of the fields.

Field symbols carry their token's number, counted from one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

from replica import names
from replica.model import SEQUENCE_LENGTH

__all__ = [
    "ALPHA",
    "AVERAGE_ENVELOPE",
    "CONJUGATES",
    "CONJUGATE_OF",
    "MODEL_PARAMETERS",
    "ORDER_PARAMETERS",
    "Quantity",
    "latex_names",
    "local_fields",
    "parameter",
    "positional_encoding",
    "positional_matrix",
    "proximal_points",
    "target_entries",
    "teacher_fields",
]


@dataclass(frozen=True)
class Quantity:
    """An entry of the table of names, with its symbol."""

    name: str
    symbol: sp.Symbol
    latex: str
    meaning: str


def _with_symbol(entry: names.Quantity) -> Quantity:
    # SymPy tells "positive: unknown" from "positive: false".
    assumptions = {"positive": True} if entry.positive else {}
    return Quantity(entry.name, sp.Symbol(entry.letter, real=True, **assumptions), entry.latex, entry.meaning)


ORDER_PARAMETERS = tuple(map(_with_symbol, names.ORDER_PARAMETERS))
CONJUGATES = tuple(map(_with_symbol, names.CONJUGATES))
MODEL_PARAMETERS = tuple(map(_with_symbol, names.MODEL_PARAMETERS))
ALPHA = _with_symbol(names.ALPHA)
AVERAGE_ENVELOPE = _with_symbol(names.AVERAGE_ENVELOPE)

CONJUGATE_OF = {order.symbol: conjugate.symbol for order, conjugate in zip(ORDER_PARAMETERS, CONJUGATES, strict=True)}


def _tokens() -> range:
    return range(1, SEQUENCE_LENGTH + 1)


def parameter(name: str) -> sp.Symbol:
    """Return the symbol of a model parameter.

    Raises
    ------
    KeyError
        If the name is not in the table.
    """
    for quantity in MODEL_PARAMETERS:
        if quantity.name == name:
            return quantity.symbol
    raise KeyError(f"no model parameter is called {name!r}")


def positional_matrix() -> sp.Matrix:
    """Return the matrix A of the target, L x L."""
    return sp.Matrix(SEQUENCE_LENGTH, SEQUENCE_LENGTH, lambda i, j: parameter(f"positional_matrix_{i + 1}{j + 1}"))


def positional_encoding() -> tuple[sp.Symbol, ...]:
    """Return the coefficients c_l of the encodings."""
    return tuple(parameter(f"positional_encoding_{i}") for i in _tokens())


def _fields(stem: str) -> tuple[sp.Symbol, ...]:
    return tuple(sp.Symbol(f"{stem}_{i}", real=True) for i in _tokens())


def local_fields() -> tuple[sp.Symbol, ...]:
    """Return w_l, the Gaussian local fields of the student."""
    return _fields("w")


def teacher_fields() -> tuple[sp.Symbol, ...]:
    """Return h*_l, the Gaussian pre-activations of the teacher."""
    return _fields("h")


def proximal_points() -> tuple[sp.Symbol, ...]:
    """Return z_l, the argument minimised over in the Moreau envelope; at the minimum, the proximal point."""
    return _fields("z")


def target_entries() -> sp.Matrix:
    """Return symbols for the entries of T(h*), which do not depend on the order parameters."""
    return sp.Matrix(SEQUENCE_LENGTH, SEQUENCE_LENGTH, lambda i, j: sp.Symbol(f"T_{i + 1}{j + 1}", real=True))


def latex_names(extra: Sequence[Quantity] = ()) -> dict[sp.Symbol, str]:
    """Return the LaTeX of every symbol, for SymPy's printer."""
    latex = {
        quantity.symbol: quantity.latex
        for quantity in (*ORDER_PARAMETERS, *CONJUGATES, ALPHA, AVERAGE_ENVELOPE, *MODEL_PARAMETERS, *extra)
    }
    for i, (w, h, z) in enumerate(zip(local_fields(), teacher_fields(), proximal_points(), strict=True), 1):
        latex |= {w: f"w_{{{i}}}", h: rf"h^{{\star}}_{{{i}}}", z: rf"z^{{\star}}_{{{i}}}"}
    for i, entry in enumerate(target_entries(), start=0):
        row, column = divmod(i, SEQUENCE_LENGTH)
        latex[entry] = rf"T_{{{row + 1}{column + 1}}}"
    return latex
