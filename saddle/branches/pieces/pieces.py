"""Name the parts of curves by what they are: pieces, with one solution per alpha.

A piece is named by what its solutions overlap with. The short name, such as "positional", goes to the first piece of a
family, by increasing alpha, that attracts state evolution within its sector (or to the first one, if none does); the
others say where they are born: "positional from agnostic", "semantic from fold". So a name does not depend on the
range that was asked for, but on the solutions alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from replica.symmetry.families import families_of
from replica.symmetry.sectors import Sector
from saddle.averages.state_space import StateSpace
from saddle.branches.branch_curve import BranchCurve
from saddle.branches.families import Families
from saddle.branches.pieces.continued_parts import extent
from saddle.branches.pieces.curve_parts import Part, parts_of
from saddle.branches.pieces.part_mending import FRAGMENT, mended
from saddle.branches.search.sector_solver import canonical_signs
from saddle.continuation.special_points.special_point import SpecialPoint, SpecialPointKind
from saddle.state_evolution.evaluation import StateEvaluation
from saddle.state_evolution.state_evolution import StateEvolution

__all__ = ["Piece", "piece_with", "pieces_of"]

# The free entropies of two pieces that a fold joins are compared at this multiple of its alpha.
BEYOND = 1.1


@dataclass(frozen=True)
class Piece:
    """A part of a curve on which alpha is monotone: one branch.

    Attributes
    ----------
    name
        As the module says.
    sector
        Which order parameters are non-zero.
    evolution
        The equations it solves.
    curve
        Its nodes, by increasing alpha, and how it ends.
    attracting
        Whether state evolution within the sector is attracted to it.
    special_points
        Special points of the curve that it is a part of.
    meets
        Special points at its lower and its higher end: a fold, or a pitchfork on another branch; or None.
    """

    name: str
    sector: Sector
    evolution: StateEvolution
    curve: BranchCurve
    attracting: bool
    special_points: tuple[SpecialPoint, ...] = ()
    meets: tuple[SpecialPoint | None, SpecialPoint | None] = (None, None)

    @property
    def family(self) -> str:
        """What it overlaps with."""
        return self.name.split()[0]

    @property
    def fragment(self) -> bool:
        """Whether it is what a rough rule left of a piece beside it."""
        return "fragment" in self.name.split()


def pieces_of(families: Families) -> tuple[Piece, ...]:
    """Return the pieces of all curves, named, family by family and by increasing alpha in each."""
    problem = families.problem
    there: dict[int, StateEvaluation | None] = {}
    cut = [part for traced in families.branches for part in parts_of(problem, traced, there)]
    parts = mended(cut, problem)
    found = []
    for family in families_of(problem.space.layout):
        own = sorted((part for part in parts if part.family == family), key=_order)
        for name, part in zip(_names(family, own, parts, problem.space), own, strict=True):
            found.append(
                Piece(name, part.sector, problem.evolution, part.data, part.attracting, part.special_points, part.meets)
            )
    pieces = tuple(found)
    return tuple(replace(piece, curve=_with_partners(piece, pieces)) for piece in pieces)


def _order(part: Part) -> tuple[float, bool, float]:
    """Return what a family's pieces are ordered by: where they begin; of two that a fold joins, which one attracts.

    Where neither does, or both, the one with the larger free entropy is the first, beyond the fold.
    """
    low, high = part.data.reach
    beyond = min(low * BEYOND, high)
    return low, not part.attracting, -float(part.data.free_entropies(np.array([beyond]))[0])


def _names(family: str, own: Sequence[Part], parts: Sequence[Part], space: StateSpace) -> list[str]:
    """Return the names of a family's pieces, given by increasing alpha."""
    whole = [part for part in own if not _is_fragment(part, own)]
    main = next((part for part in whole if part.attracting), whole[0] if whole else None)
    names, counts = [], {}
    for part in own:
        if part is main:
            stem = family
        elif all(part is not other for other in whole):
            stem = f"{family} fragment"
        else:
            stem = f"{family} from {_origin(part, parts, space)}"
        counts[stem] = counts.get(stem, 0) + 1
        names.append(stem if counts[stem] == 1 else f"{stem} ({counts[stem]})")
    return names


def _origin(part: Part, parts: Sequence[Part], space: StateSpace) -> str:
    """Say in a word where a piece is born: at its end of lower alpha."""
    special, end = part.meets[0], part.data.ends[0]
    if special is None:
        return {"onset": "null", "bound": "below"}.get(end.kind, "nowhere known")
    if special.kind is SpecialPointKind.FOLD:
        return "fold"
    parents = [other.family for other in parts if any(special is one for one in other.special_points)]
    return parents[0] if parents else "pitchfork"


def _is_fragment(part: Part, own: Sequence[Part]) -> bool:
    """Whether a piece was lost in or beside the reach of a much longer one of its sector."""
    low, high = part.data.reach
    if all(end.kind != "lost" for end in part.data.ends):
        return False
    for other in own:
        first, last = other.data.reach
        room = FRAGMENT * extent(other)
        beside = first - room < high and low < last + room
        if other is not part and other.sector == part.sector and extent(part) < room and beside:
            return True
    return False


def piece_with(special: SpecialPoint, pieces: Sequence[Piece], evolution: StateEvolution) -> Piece | None:
    """Return the piece that a special point lies on; None where no piece reaches it.

    A curve with a fold passes the same alpha on several pieces: the special point is on the one whose solution there is
    its own. A fold itself belongs to the first of the two pieces that it ends.
    """
    own = [piece for piece in pieces if any(special is one for one in piece.special_points)]
    ended = [piece for piece in own if any(special is met for met in piece.meets)]
    if special.kind is SpecialPointKind.FOLD:
        return ended[0] if ended else None
    reaching = [piece for piece in own if piece.curve.reaches(special.parameter)] or ended
    if len(reaching) < 2:
        return reaching[0] if reaching else None
    units = evolution.units(evolution.space.floored(special.x))
    there = canonical_signs(special.x, evolution.space)
    return min(
        reaching, key=lambda piece: float(np.max(np.abs(piece.curve.state(special.parameter)[0] - there) / units))
    )


def _with_partners(piece: Piece, pieces: Sequence[Piece]) -> BranchCurve:
    """Return a piece's curve with the names of the branches on which it ends."""
    ends = []
    for special, end in zip(piece.meets, piece.curve.ends, strict=True):
        partner = ""
        if special is not None and special.kind is SpecialPointKind.FOLD:
            partner = next((p.name for p in pieces if p is not piece and any(special is met for met in p.meets)), "")
        elif special is not None:
            parents = [
                p
                for p in pieces
                if any(special is one for one in p.special_points) and p.curve.reaches(special.parameter)
            ]
            partner = parents[0].name if parents else ""
        elif end.kind == "onset":
            partner = "null"
        ends.append(replace(end, partner=partner))
    return replace(piece.curve, ends=(ends[0], ends[1]))
