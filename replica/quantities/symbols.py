"""The SymPy symbols of the named quantities (``replica.quantities.names``), and those of the fields.

Field symbols carry their token's number, counted from one, and their column's in a student of higher rank. What
depends on a model's structure is given for the paper's by default: two tokens, rank one.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from replica.common.checked_values import count
from replica.quantities import names
from replica.quantities.layout import Layout
from replica.quantities.loss_structure import LossStructure
from replica.quantities.structure import LARGEST, PAPER_LENGTH, ModelStructure

__all__ = [
    "ALPHA",
    "AVERAGE_ENVELOPE",
    "CONJUGATES",
    "CONJUGATE_OF",
    "MODEL_PARAMETERS",
    "ORDER_PARAMETERS",
    "SymbolicQuantity",
    "conjugates",
    "local_fields",
    "model_parameters",
    "order_parameters",
    "parameter",
    "parameter_symbol",
    "positional_encoding",
    "positional_matrix",
    "proximal_points",
    "target_entries",
    "teacher_fields",
    "with_symbol",
]


@dataclass(frozen=True)
class SymbolicQuantity:
    """An entry of the table of names, with its symbol."""

    name: str
    symbol: sp.Symbol
    latex: str
    meaning: str
    kind: str = ""
    group: int | None = None
    indices: tuple[int, ...] = ()


def parameter_symbol(entry: names.Quantity) -> sp.Symbol:
    """Return the SymPy symbol of an entry of the table of names."""
    # SymPy tells "positive: unknown" from "positive: false".
    assumptions = {"positive": True} if entry.positive else {}
    return sp.Symbol(entry.letter, real=True, **assumptions)


def with_symbol(entry: names.Quantity) -> SymbolicQuantity:
    """Return an entry of the table of names with its symbol."""
    symbol = parameter_symbol(entry)
    return SymbolicQuantity(entry.name, symbol, entry.latex, entry.meaning, entry.kind, entry.group, entry.indices)


def order_parameters(layout: Layout) -> tuple[SymbolicQuantity, ...]:
    """Return the order parameters of a layout, in the order of every state vector."""
    return tuple(map(with_symbol, names.order_parameters(layout)))


def conjugates(layout: Layout) -> tuple[SymbolicQuantity, ...]:
    """Return their conjugates, in the same order."""
    return tuple(map(with_symbol, names.conjugates(layout)))


ORDER_PARAMETERS = tuple(map(with_symbol, names.ORDER_PARAMETERS))
CONJUGATES = tuple(map(with_symbol, names.CONJUGATES))
ALPHA = with_symbol(names.ALPHA)
AVERAGE_ENVELOPE = with_symbol(names.AVERAGE_ENVELOPE)

PAPER = ModelStructure()

CONJUGATE_OF = {order.symbol: conjugate.symbol for order, conjugate in zip(ORDER_PARAMETERS, CONJUGATES, strict=True)}


def model_parameters(structure: ModelStructure | LossStructure = PAPER) -> tuple[SymbolicQuantity, ...]:
    """Return the numeric parameters of all models of one structure, in the order of the kernel's parameter vector."""
    return tuple(map(with_symbol, names.model_parameters(structure)))


MODEL_PARAMETERS = model_parameters()


def parameter(name: str, length: int = PAPER_LENGTH) -> sp.Symbol:
    """Return the symbol of a parameter of models of ``length`` tokens.

    Raises
    ------
    KeyError
        If the name is not in the table.
    """
    for quantity in model_parameters(ModelStructure(length)):
        if quantity.name == name:
            return quantity.symbol
    raise KeyError(f"no model parameter is called {name!r}")


def positional_matrix(length: int = PAPER_LENGTH) -> sp.Matrix:
    """Return the matrix A of the target, L x L."""
    return sp.Matrix(length, length, lambda i, j: parameter(f"positional_matrix_{i + 1}{j + 1}", length))


def positional_encoding(length: int = PAPER_LENGTH) -> tuple[sp.Symbol, ...]:
    """Return the coefficients c_l of the encodings."""
    return tuple(parameter(f"positional_encoding_{i}", length) for i in range(1, length + 1))


def _fields(stem: str, length: int, rank: int = 1) -> tuple[sp.Symbol, ...]:
    # Names carry one digit per index.
    tokens = range(1, count("length", length, 1, LARGEST) + 1)
    columns = range(1, count("rank", rank, 1, LARGEST) + 1)
    indices = map(str, tokens) if rank == 1 else (f"{i}{a}" for i in tokens for a in columns)
    return tuple(sp.Symbol(f"{stem}_{index}", real=True) for index in indices)


def local_fields(length: int = PAPER_LENGTH, rank: int = 1) -> tuple[sp.Symbol, ...]:
    """Return w_l, the Gaussian local fields of the student; for a higher rank, w_la token by token."""
    return _fields("w", length, rank)


def teacher_fields(length: int = PAPER_LENGTH, rank: int = 1) -> tuple[sp.Symbol, ...]:
    """Return h*_l (h*_ls), the Gaussian pre-activations of the teacher."""
    return _fields("h", length, rank)


def proximal_points(length: int = PAPER_LENGTH, rank: int = 1) -> tuple[sp.Symbol, ...]:
    """Return z_l (z_la), the argument minimised over in the Moreau envelope; at the minimum, the proximal point."""
    return _fields("z", length, rank)


def noise_fields(count: int) -> tuple[sp.Symbol, ...]:
    """Return xi_k, independent standard normal noise of the outputs."""
    return tuple(sp.Symbol(f"xi_{k + 1}", real=True) for k in range(count))


def outputs(count: int) -> tuple[sp.Symbol, ...]:
    """Return y_k, symbols that stand for the outputs of a multi-index model."""
    return tuple(sp.Symbol(f"y_{k + 1}", real=True) for k in range(count))


def target_entries(length: int = PAPER_LENGTH) -> sp.Matrix:
    """Return symbols for the entries of T(h*), which do not depend on the order parameters."""
    return sp.Matrix(length, length, lambda i, j: sp.Symbol(f"T_{i + 1}{j + 1}", real=True))
