"""The invariant subspaces of a model's sign symmetries, in which branches of solutions live.

Reversing columns of the student's weights, reversing the teacher's, or renaming tokens acts on the order parameters by
signs. A solution fixed by part of the group lies in the subspace where what the part reverses vanishes (theory notes,
section 6). For the paper's model the group is Z2 x Z2, which acts on (m, theta) by independent signs, and the sectors
are the four constants of :class:`Sector`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from replica.quantities.layout import Layout
from replica.quantities.names import Quantity, order_parameters
from replica.symmetry.families import families_of, family_of
from replica.symmetry.signs import Signs, sign_group

__all__ = ["PAPER_SECTORS", "POSITIONAL_INDEX", "SEMANTIC_INDEX", "Sector", "closed_under_unions", "find_sectors"]

POSITIONAL_INDEX = 1
SEMANTIC_INDEX = 3
Item = TypeVar("Item")


@dataclass(frozen=True)
class Sector:
    """An invariant subspace: a family of solutions, by which order parameters may differ from zero.

    Attributes
    ----------
    name
        Its family, with a number from the second subspace of a family on.
    free
        Indices in the vector u of order parameters of the unknowns solved for.
    broken
        Indices of the overlaps m and theta among them: what breaks a symmetry.
    transverse
        Indices of the overlaps m and theta that vanish.
    """

    name: str
    free: tuple[int, ...]
    broken: tuple[int, ...]
    transverse: tuple[int, ...]

    AGNOSTIC: ClassVar[Sector]
    POSITIONAL: ClassVar[Sector]
    SEMANTIC: ClassVar[Sector]
    MIXED: ClassVar[Sector]

    @classmethod
    def paper(cls, family: str) -> Sector:
        """Return the sector of a family of the paper's model; raises KeyError if there is no such family."""
        return {sector.name: sector for sector in PAPER_SECTORS}[family]

    @property
    def family(self) -> str:
        """What may differ from zero, in a word of :mod:`replica.symmetry.families`."""
        return self.name.split()[0]


def _paper_sector(family: str, broken: tuple[int, ...]) -> Sector:
    odd = (POSITIONAL_INDEX, SEMANTIC_INDEX)
    return Sector(family, tuple(sorted((0, 2, *broken))), broken, tuple(i for i in odd if i not in broken))


Sector.AGNOSTIC = _paper_sector("agnostic", ())
Sector.POSITIONAL = _paper_sector("positional", (POSITIONAL_INDEX,))
Sector.SEMANTIC = _paper_sector("semantic", (SEMANTIC_INDEX,))
Sector.MIXED = _paper_sector("mixed", (POSITIONAL_INDEX, SEMANTIC_INDEX))

PAPER_SECTORS = (Sector.AGNOSTIC, Sector.POSITIONAL, Sector.SEMANTIC, Sector.MIXED)
"""Sectors of the paper's model, u = (q, m, V, theta)."""


def closed_under_unions(sets: Iterable[frozenset[Item]]) -> set[frozenset[Item]]:
    """Return some sets, all their unions and the empty set."""
    given = set(sets)
    closed: set[frozenset[Item]] = {frozenset(), *given}
    while True:
        larger = closed | {a | b for a in closed for b in given}
        if larger == closed:
            return closed
        closed = larger


def find_sectors(layout: Layout, generators: Sequence[Signs], *, columns_alike: bool = False) -> tuple[Sector, ...]:
    """Return the invariant subspaces of a group of signs, the smallest of every family first, family by family.

    Parameters
    ----------
    layout
        Which order parameters there are.
    generators
        How the generators of the group act on them.
    columns_alike
        Whether the student's columns may be exchanged: of subspaces that differ by an exchange, one is returned.
    """
    quantities = order_parameters(layout)
    # A subspace fixed by several elements is the intersection of theirs.
    spaces = closed_under_unions(
        frozenset(i for i, sign in enumerate(signs) if sign < 0) for signs in sign_group(generators)
    )
    if columns_alike:
        spaces = {max(_renamed(quantities, layout.rank, space), key=sorted) for space in spaces}
    found: dict[str, list[Sector]] = {family: [] for family in families_of(layout)}
    every = range(len(quantities))
    odd = [i for i in every if quantities[i].kind in ("positional_overlap", "semantic_overlap")]
    for space in sorted(spaces, key=lambda space: (-len(space), sorted(space))):
        free = tuple(i for i in every if i not in space)
        family = family_of((quantities[i] for i in free), layout)
        name = f"{family} {len(found[family]) + 1}" if found[family] else family
        broken, transverse = (tuple(i for i in odd if (i in space) == vanishes) for vanishes in (False, True))
        found[family].append(Sector(name, free, broken, transverse))
    return tuple(sector for own in found.values() for sector in own)


def _renamed(quantities: Sequence[Quantity], rank: int, space: frozenset[int]) -> list[frozenset[int]]:
    """Return what becomes of a set of order parameters under permutations of the student's columns."""
    images = []
    for order in itertools.permutations(range(rank)):
        places = {}
        for i, x in enumerate(quantities):
            row, column = x.indices
            symmetric = x.kind in ("self_overlap", "susceptibility")
            moved = (order[row], order[column]) if symmetric else (order[row], column)
            places[x.kind, x.group, tuple(sorted(moved)) if symmetric else moved] = i
        images.append(frozenset(places[quantities[i].kind, quantities[i].group, quantities[i].indices] for i in space))
    return images
