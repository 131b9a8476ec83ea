"""LaTeX of every symbol of a derivation, from the tables of names and of letters."""

from __future__ import annotations

import re

import sympy as sp

from replica.equations.replica_trick import BETA, REPLICAS, SAME_REPLICA
from replica.model.loss_model import LossModel
from replica.quantities import symbols
from replica.quantities.letters import STEMS
from replica.reports.typesetting.parameter_letters import parameter_letters

__all__ = ["latex_of_symbol", "latex_table"]


def _indexed(name: str) -> str:
    """Return LaTeX of a stem with its indices: a group's number as a superscript where entries have indices too."""
    stem, *indices = name.split("_")
    shown = STEMS[stem]
    if len(indices) == 2:
        return f"{shown}^{{({indices[0]})}}_{{{indices[1]}}}"
    return shown + (f"_{{{indices[0]}}}" if indices else "")


def latex_table(model: LossModel) -> dict[sp.Symbol, str]:
    """Return the LaTeX of order parameters, conjugates, parameters and fields of a model.

    Symbols with other stems of the derivation (entries of inverses, forces, moments) are added by
    :func:`latex_of_symbol` when they are met.
    """
    layout = model.layout
    table = {
        x.symbol: x.latex
        for x in (
            *symbols.order_parameters(layout),
            *symbols.conjugates(layout),
            symbols.ALPHA,
            symbols.AVERAGE_ENVELOPE,
        )
    }
    letters = parameter_letters(model.parameters)
    table |= {x.symbol: letters[x.name] for x in model.parameters}
    for stem, mark, fields in (
        ("w", "", model.fields),
        ("h", r"^{\star}", model.teacher_fields),
        ("z", r"^{\star}", model.proximal_point),
        ("xi", "", model.noise_fields),
        ("y", "", [x for x in model.target_symbols if x.name.startswith("y_")]),
        ("T", "", [x for x in model.target_symbols if x.name.startswith("T_")]),
    ):
        shown = STEMS.get(stem, stem)
        table |= {x: f"{shown}{mark}_{{{x.name.removeprefix(f'{stem}_')}}}" for x in fields}
    # Before tokens share them, every token has its own; and some steps are written for one token.
    for other in (layout.per_token, layout.single_token):
        for x in (*symbols.order_parameters(other), *symbols.conjugates(other)):
            table.setdefault(x.symbol, x.latex)
    return table | {REPLICAS: "s", BETA: r"\beta", SAME_REPLICA: r"\delta_{ab}"}


def latex_of_symbol(symbol: sp.Symbol) -> str | None:
    """Return the LaTeX of a symbol that stands for an expression or a moment, or nothing if it is none."""
    return _indexed(symbol.name) if re.fullmatch(rf"({'|'.join(STEMS)})(_\d+)*", symbol.name) else None
