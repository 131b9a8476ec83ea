"""The one table of names, SymPy symbols and LaTeX: order parameters, conjugates, model parameters, fields.

Everything that names a quantity (equations, generated code, result variables, figures, reports) reads it
here. Field symbols carry their token's number, counted from one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

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
    """A named quantity: its word in public names, its symbol in equations, its LaTeX and its meaning."""

    name: str
    symbol: sp.Symbol
    latex: str
    meaning: str


def _quantity(name: str, symbol: str, latex: str, meaning: str, **assumptions: bool) -> Quantity:
    return Quantity(name, sp.Symbol(symbol, **{"real": True, **assumptions}), latex, meaning)


ORDER_PARAMETERS: tuple[Quantity, ...] = (
    _quantity("self_overlap", "q", "q", r"$Q^\top \Sigma Q/d$, variance of a pre-activation", positive=True),
    _quantity("positional_overlap", "m", "m", r"$Q^\top p_l/\sqrt d = c_l\, m$, overlap with the encodings"),
    _quantity(
        "susceptibility",
        "V",
        "V",
        r"$\lim \beta\,(q_{aa} - q_{ab})$, response of a pre-activation",
        positive=True,
    ),
    _quantity("semantic_overlap", "theta", r"\theta", r"$Q^\top \Sigma Q_*/d$, overlap with the teacher"),
)
"""Order parameters in the order of every state vector u = (q, m, V, theta)."""

CONJUGATES: tuple[Quantity, ...] = (
    _quantity("self_overlap_conjugate", "q_hat", r"\hat{q}", r"pairs with $V$ in $\Phi$"),
    _quantity("positional_overlap_conjugate", "m_hat", r"\hat{m}", r"pairs with $m$ in $\Phi$"),
    _quantity("susceptibility_conjugate", "V_hat", r"\hat{V}", r"pairs with $q$ in $\Phi$"),
    _quantity("semantic_overlap_conjugate", "theta_hat", r"\hat{\theta}", r"pairs with $\theta$ in $\Phi$"),
)
"""Conjugates, summed over tokens (for m: the sum weighted with c_l), in the same order."""

CONJUGATE_OF = {order.symbol: conjugate.symbol for order, conjugate in zip(ORDER_PARAMETERS, CONJUGATES, strict=True)}

ALPHA = _quantity("alpha", "alpha", r"\alpha", "samples per dimension $n/d$", positive=True)
AVERAGE_ENVELOPE = _quantity("average_envelope", "average_envelope", r"\mathbb{E}[\mathcal{M}]", "its average")


def _tokens() -> range:
    return range(1, SEQUENCE_LENGTH + 1)


MODEL_PARAMETERS: tuple[Quantity, ...] = (
    _quantity("omega", "omega", r"\omega", "weight of the positional matrix in the target"),
    _quantity("sigma", "sigma", r"\sigma", "standard deviation of a token component", positive=True),
    _quantity("regularization", "regularization", r"\lambda", "ridge penalty", positive=True),
    *(
        _quantity(
            f"positional_matrix_{i}{j}",
            f"A_{i}{j}",
            f"A_{{{i}{j}}}",
            "entry of the target's positional matrix",
        )
        for i in _tokens()
        for j in _tokens()
    ),
    *(
        _quantity(f"positional_encoding_{i}", f"c_{i}", f"c_{{{i}}}", f"coefficient of token {i}'s encoding")
        for i in _tokens()
    ),
)
"""Numeric parameters of the model, in the order of the kernel's parameter vector."""


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
    names = {
        quantity.symbol: quantity.latex
        for quantity in (*ORDER_PARAMETERS, *CONJUGATES, ALPHA, AVERAGE_ENVELOPE, *MODEL_PARAMETERS, *extra)
    }
    for i, (w, h, z) in enumerate(zip(local_fields(), teacher_fields(), proximal_points(), strict=True), 1):
        names |= {w: f"w_{{{i}}}", h: rf"h^{{\star}}_{{{i}}}", z: rf"z^{{\star}}_{{{i}}}"}
    for i, entry in enumerate(target_entries(), start=0):
        row, column = divmod(i, SEQUENCE_LENGTH)
        names[entry] = rf"T_{{{row + 1}{column + 1}}}"
    return names
