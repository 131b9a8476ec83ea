"""Reversals of columns of the student and the teacher: what they do to fields and to order parameters."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np
import sympy as sp

from replica.equations.free_entropy import FreeEntropy
from replica.symmetry.signs import Signs
from replica.symmetry.symmetries import Symmetry

__all__ = ["knows_no_sign", "of_columns", "opposite", "reversal", "reversed_fields"]


def of_columns(fields: Sequence[sp.Symbol], count: int, columns: Iterable[int]) -> list[sp.Symbol]:
    """Return the fields of some of ``count`` columns, of all tokens."""
    return [x for own in columns for x in fields[own::count]]


def opposite(fields: Iterable[sp.Symbol]) -> dict[sp.Symbol, sp.Expr]:
    """Return what becomes of fields that are reversed."""
    return {x: -x for x in fields}


def reversed_fields(
    phi: FreeEntropy, student: Collection[int], teacher: Collection[int], noise: Collection[int] = ()
) -> dict[sp.Symbol, sp.Expr]:
    """Return what becomes of every field, proximal point and noise variable that a reversal changes."""
    layout, model = phi.layout, phi.model
    changed = [x for fields in (phi.channel.proximal_point, phi.channel.fields)
               for x in of_columns(fields, layout.rank, student)]  # fmt: skip
    changed += of_columns(model.teacher_fields, layout.teacher_rank, teacher)
    return opposite([*changed, *(model.noise_fields[k] for k in noise)])


def reversal(
    phi: FreeEntropy, student: tuple[int, ...] = (), teacher: tuple[int, ...] = (), noise: tuple[int, ...] = ()
) -> Symmetry:
    """Return the reversal of some columns, and of the noise that goes with them."""
    layout = phi.layout
    parts = [("student", student, layout.rank), ("teacher", teacher, layout.teacher_rank)]
    named = [(whose, columns, count) for whose, columns, count in parts if columns]
    if len(named) == 2 and all(len(columns) == count for _, columns, count in named):
        name = "reversal of student and teacher"
    else:
        name = f"reversal of {' and '.join(_named(*x) for x in named)}"
    return Symmetry(name, _signs(phi, student, teacher), student, teacher, noise=noise)


def _named(whose: str, columns: Sequence[int], count: int) -> str:
    if count == 1:
        return f"the {whose}"
    listed = " and ".join(str(a + 1) for a in columns)
    return f"the {whose}'s column{'s' * (len(columns) > 1)} {listed}"


def knows_no_sign(phi: FreeEntropy, columns: Collection[int]) -> bool:
    """Return whether no moment couples these columns of the teacher to the encodings or to its other columns.

    A structure knows which moments vanish on every atom of a model's spectrum; without numbers, none does.
    """
    law, k = phi.model.token_law, phi.layout.directions
    if not law.atom_symbols:
        return True
    joint = sp.Matrix(sp.BlockMatrix([[law.positional, law.mixed], [law.mixed.T, law.teacher]]))
    coupled = np.array([[joint[i, j] != 0 for j in range(joint.cols)] for i in range(joint.rows)])
    places = [k + own for own in columns]
    return not np.any(np.delete(coupled[places], places, axis=1))


def _signs(phi: FreeEntropy, student: Collection[int], teacher: Collection[int]) -> Signs:
    """Return how reversals of columns act on the order parameters."""
    signs = []
    for x in phi.order_parameters:
        row, column = x.indices
        sign = -1 if row in student else 1
        if x.kind in ("self_overlap", "susceptibility") and column in student:
            sign = -sign
        if x.kind == "semantic_overlap" and column in teacher:
            sign = -sign
        signs.append(sign)
    return tuple(signs)
