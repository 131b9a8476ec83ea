r"""The symmetries of a model: reversals of columns, renamings of tokens, rotations.

A symmetry is a transformation of fields that leaves the loss, the outputs and the law of the tokens unchanged, and so
maps solutions of the saddle-point equations to solutions. What a structure has is found on expressions
(``replica.symmetry.finding``) and kept with its kernel; which tokens of a model may be renamed depends on its numbers,
too (``replica.symmetry.renamings``). Nothing here knows SymPy.
"""

from __future__ import annotations

from dataclasses import dataclass

from replica.symmetry.signs import Signs, independent

__all__ = ["Symmetries", "Symmetry"]


@dataclass(frozen=True)
class Symmetry:
    """A transformation that leaves the model unchanged.

    Attributes
    ----------
    name
        What it does, in words.
    signs
        Factor of every order parameter; empty where it acts otherwise than by signs.
    student, teacher, noise
        Columns of Q and Q*, and variables of the outputs' noise, that are reversed; a kernel keeps the signs alone.
    order
        For each token, the one whose place it takes; empty if none is renamed.
    """

    name: str
    signs: Signs
    student: tuple[int, ...] = ()
    teacher: tuple[int, ...] = ()
    order: tuple[int, ...] = ()
    noise: tuple[int, ...] = ()


@dataclass(frozen=True)
class Symmetries:
    r"""What leaves a structure's equations, or a model's, as they are.

    Attributes
    ----------
    student
        The loss is even in all of the student's fields.
    teacher
        The outputs are even in all of the teacher's fields: a symmetry of the channel's average, but of the prior only
        if no moment ties the teacher to the encodings.
    exchange
        Loss and outputs are unchanged when the tokens are renamed in reverse order everywhere, in the positional matrix
        too.
    neighbours
        Pairs of tokens of equal covariances, next to each other among these, whose exchange changes nothing in the same
        sense.
    reversals
        Generators of the reversals of columns.
    rotations
        Whether :math:`Q \to QR` with any rotation R leaves the loss unchanged; never for rank one.
    renamings
        Generators of the renamings of tokens that leave a model's encodings, matrix and moments unchanged, too; empty
        for a structure, which has no numbers.
    """

    student: bool
    teacher: bool
    exchange: bool
    neighbours: tuple[tuple[int, int], ...]
    reversals: tuple[Symmetry, ...]
    rotations: bool
    renamings: tuple[Symmetry, ...] = ()

    @property
    def generators(self) -> tuple[Symmetry, ...]:
        """Reversals and renamings."""
        return (*self.reversals, *self.renamings)

    @property
    def signs(self) -> tuple[Signs, ...]:
        """How generators of what acts by signs do so."""
        return independent([x.signs for x in self.reversals], [x.signs for x in self.renamings if x.signs])

    def renames(self, order: tuple[int, ...]) -> bool:
        """Return whether giving token i the name order[i] changes nothing, if the positional matrix follows."""
        least = self._connected(len(order))
        orders = (order, order[::-1]) if self.exchange else (order,)
        return any(all(least[i] == least[j] for i, j in enumerate(x)) for x in orders)

    def _connected(self, length: int) -> list[int]:
        """Return, for every token, the least token that exchanges of neighbours can bring it to."""
        least = list(range(length))
        for _ in range(length):
            for i, j in self.neighbours:
                least[i] = least[j] = min(least[i], least[j])
        return least
