r"""Columns whose exchange changes nothing, as the units of a committee, and columns in which that is a reversal.

With :math:`Q' = QR` for an orthogonal R the penalty is the same, and fields have the same law: a model may be written
in any such columns. In sum and difference of two, each over :math:`\sqrt 2`, exchanging them reverses the second.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import sympy as sp

from replica.algebra.equality import identically_zero
from replica.model.loss_model import LossModel

__all__ = ["exchangeable_columns", "sum_and_difference", "teacher_is_exchangeable"]


def exchangeable_columns(model: LossModel, rank: int) -> tuple[tuple[int, int], ...]:
    """Return the pairs of the student's columns, from 0, whose exchange leaves the loss as it is."""
    pairs = itertools.combinations(range(rank), 2)
    return tuple(pair for pair in pairs if _unchanged(model.loss, _exchanged(model.proximal_point, rank, *pair)))


def teacher_is_exchangeable(model: LossModel) -> bool:
    """Return whether exchanging a teacher's two columns leaves the loss of a sample as it is, whatever the student."""
    outputs = dict(zip(model.target_symbols, model.target, strict=True))
    return _unchanged(model.loss.xreplace(outputs), _exchanged(model.teacher_fields, 2, 0, 1))


def sum_and_difference(fields: Sequence[sp.Symbol]) -> dict[sp.Symbol, sp.Expr]:
    """Return what two columns' fields, token by token, are in terms of those of sum and difference."""
    written: dict[sp.Symbol, sp.Expr] = {}
    for first, second in zip(fields[::2], fields[1::2], strict=True):
        written[first] = (first + second) / sp.sqrt(2)
        written[second] = (first - second) / sp.sqrt(2)
    return written


def _exchanged(fields: Sequence[sp.Symbol], columns: int, first: int, second: int) -> dict[sp.Symbol, sp.Symbol]:
    changed: dict[sp.Symbol, sp.Symbol] = {}
    for start in range(0, len(fields), columns):
        a, b = fields[start + first], fields[start + second]
        changed |= {a: b, b: a}
    return changed


def _unchanged(expression: sp.Expr, change: dict[sp.Symbol, sp.Symbol]) -> bool:
    moved = expression.xreplace(change)
    return moved == expression or identically_zero(moved - expression)
