"""Names of families of solutions, by what these overlap with.

Where there are encodings a solution may know position, meaning, both or neither. Where there are none, what it may
overlap with is the teacher's columns: "teacher", or of several columns "teacher-1", "teacher-2", "teacher-12" and so
on.
A family's name is one word, the first one of the names of its sectors and branches.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

from replica.quantities.layout import Layout
from replica.quantities.names import Quantity

__all__ = [
    "AGNOSTIC",
    "FAMILIES",
    "TEACHER",
    "families_of",
    "family_of",
    "is_family",
    "knows_position",
    "knows_teacher",
]

AGNOSTIC, TEACHER = "agnostic", "teacher"
FAMILIES = (AGNOSTIC, "positional", "semantic", "mixed")
"""Families of solutions where there are encodings, by which of the overlaps with these and the teacher there are."""

_OF_COLUMNS = re.compile(rf"{TEACHER}(-[1-9]+)?")


def _of_columns(columns: Iterable[int], layout: Layout) -> str:
    """Return the family of solutions that overlap with some of the teacher's columns, counted from 0."""
    written = "".join(str(column + 1) for column in sorted(set(columns)))
    if not written:
        return AGNOSTIC
    return TEACHER if layout.teacher_rank == 1 else f"{TEACHER}-{written}"


def families_of(layout: Layout) -> tuple[str, ...]:
    """Return all families that models of a layout may have, those of fewest overlaps first."""
    if layout.directions:
        return FAMILIES
    columns = range(layout.teacher_rank)
    chosen = itertools.chain.from_iterable(itertools.combinations(columns, k) for k in range(layout.teacher_rank + 1))
    return tuple(_of_columns(subset, layout) for subset in chosen)


def family_of(free: Iterable[Quantity], layout: Layout) -> str:
    """Return the family in which some order parameters, and no other overlaps, differ from zero."""
    own = list(free)
    kinds = {x.kind for x in own}
    if not layout.directions:
        return _of_columns((x.indices[1] for x in own if x.kind == "semantic_overlap"), layout)
    return FAMILIES[2 * ("semantic_overlap" in kinds) + ("positional_overlap" in kinds)]


def is_family(word: str) -> bool:
    """Return whether a word names a family of some models."""
    return word in FAMILIES or _OF_COLUMNS.fullmatch(word) is not None


def knows_position(family: str) -> bool:
    """Return whether solutions of a family overlap with encodings."""
    return family in ("positional", "mixed")


def knows_teacher(family: str) -> bool:
    """Return whether solutions of a family overlap with the teacher."""
    return family in ("semantic", "mixed") or family.startswith(TEACHER)
