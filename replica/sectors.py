"""The invariant subspaces of the model's sign symmetries, in which branches of solutions live.

Reversing the student's weights and reversing the teacher's generate a group Z2 x Z2 that acts on (m, theta) by
independent signs. A solution fixed by part of the group lies in the subspace where what the part reverses
vanishes (theory notes, section 6).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["POSITIONAL_INDEX", "SEMANTIC_INDEX", "Sector", "SignSymmetries"]

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
    """Which reversals leave the channel's average invariant, as found by ``replica.symmetries``.

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
