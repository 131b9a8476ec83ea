"""The invariant subspaces of the model's sign symmetries, in which branches of solutions live.

Reversing the student's weights and reversing the teacher's generate a group Z2 x Z2 that acts on (m, theta) by
independent signs. A solution fixed by part of the group lies in the subspace where what the part reverses
vanishes (theory notes, section 6).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import sympy as sp

from replica import symbols
from replica.attention import with_exponentials
from replica.free_energy import FreeEntropy

__all__ = ["Sector", "SignSymmetries", "find_sign_symmetries"]

POSITIONAL_INDEX = 1
SEMANTIC_INDEX = 3


class Sector(enum.Enum):
    """A family of solutions, by which of m and theta may differ from zero."""

    AGNOSTIC = "agnostic"
    POSITIONAL = "positional"
    SEMANTIC = "semantic"
    MIXED = "mixed"

    @property
    def broken(self) -> tuple[int, ...]:
        """Indices in u = (q, m, V, theta) of the symmetry-breaking order parameters that may be non-zero."""
        return {
            "agnostic": (),
            "positional": (POSITIONAL_INDEX,),
            "semantic": (SEMANTIC_INDEX,),
            "mixed": (POSITIONAL_INDEX, SEMANTIC_INDEX),
        }[self.value]

    @property
    def free(self) -> tuple[int, ...]:
        """Indices of the unknowns solved for in this sector."""
        return tuple(sorted((0, 2, *self.broken)))

    @property
    def transverse(self) -> tuple[int, ...]:
        """Indices of the symmetry-breaking order parameters that vanish in this sector."""
        return tuple(i for i in (POSITIONAL_INDEX, SEMANTIC_INDEX) if i not in self.broken)

    def broken_further(self, index: int) -> Sector:
        """Return the sector in which one more order parameter is non-zero."""
        target = {*self.broken, index}
        return next(sector for sector in Sector if set(sector.broken) == target)


@dataclass(frozen=True)
class SignSymmetries:
    """Which reversals leave the channel's average invariant, found from the expressions.

    Attributes
    ----------
    student
        The objective is even under (z, w) -> (-z, -w).
    teacher
        The target is even under h* -> -h*.
    exchange
        Objective and target are unchanged when the tokens are renamed everywhere: in fields, target entries,
        positional matrix and encodings. A symmetry of a model whose matrix and encodings are unchanged too.
    """

    student: bool
    teacher: bool
    exchange: bool


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
