"""Find the sign symmetries of a free entropy from its expressions."""

from __future__ import annotations

import sympy as sp

from replica import symbols
from replica.attention import with_exponentials
from replica.free_energy import FreeEntropy
from replica.sectors import SignSymmetries

__all__ = ["find_sign_symmetries"]


def find_sign_symmetries(free_entropy: FreeEntropy) -> SignSymmetries:
    """Test the two reversals on the free entropy's own expressions."""
    flip_student = {x: -x for x in (*symbols.proximal_points(), *symbols.local_fields())}
    flip_teacher = {x: -x for x in symbols.teacher_fields()}
    objective_change = free_entropy.objective.subs(flip_student, simultaneous=True) - free_entropy.objective
    target_change = free_entropy.target.subs(flip_teacher, simultaneous=True) - free_entropy.target
    return SignSymmetries(
        student=sp.simplify(objective_change) == 0,
        teacher=sp.simplify(target_change).is_zero_matrix is True,
        exchange=_exchange_is_renaming(free_entropy),
    )


def _exchange_is_renaming(free_entropy: FreeEntropy) -> bool:
    """Rename the tokens in reverse order everywhere and compare."""
    vectors = (symbols.proximal_points(), symbols.local_fields(), symbols.teacher_fields())
    renaming: dict[sp.Expr, sp.Expr] = {}
    for vector in (*vectors, symbols.positional_encoding()):
        renaming |= dict(zip(vector, reversed(vector), strict=True))
    for matrix in (symbols.target_entries(), symbols.positional_matrix()):
        renaming |= dict(zip(matrix, reversed(list(matrix)), strict=True))
    objective = free_entropy.objective.subs(renaming, simultaneous=True)
    target = free_entropy.target.subs(renaming, simultaneous=True)
    reversed_target = sp.Matrix(target.rows, target.cols, list(reversed(list(target))))
    same_objective = sp.simplify(with_exponentials(objective - free_entropy.objective)) == 0
    same_target = sp.simplify(with_exponentials(reversed_target - free_entropy.target)).is_zero_matrix is True
    return same_objective and same_target
