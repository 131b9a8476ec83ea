"""Transitions of a phase diagram: what they are, and the pitchforks and folds of its branches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from replica.symmetry.sectors import Sector
from saddle.averages.state_space import StateSpace
from saddle.branches.pieces.pieces import Piece, piece_with
from saddle.continuation.outcomes import SolverError
from saddle.continuation.special_points.special_point import SpecialPoint, SpecialPointKind
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.transitions.equations import Fold, Pitchfork, TransitionEquations
from saddle.transitions.found import Found, by_alpha
from saddle.transitions.sharpening import locate
from saddle.transitions.transition import CRITICALITY, Transition, transition_points

__all__ = ["find_bifurcations"]

# Relative distance from a pitchfork at which a branch that was lost may be the one that is born there.
BESIDE = 0.1


def find_bifurcations(evolution: StateEvolution, pieces: Sequence[Piece]) -> Found:
    """Sharpen the pitchforks and folds that were found on the pieces of all branches."""
    found: list[Transition] = []
    seen: list[SpecialPoint] = []
    for special in (special for piece in pieces for special in piece.special_points):
        if any(special is other for other in seen):
            continue
        seen.append(special)
        piece = piece_with(special, pieces, evolution)
        transition = None if piece is None else _bifurcation(evolution, piece, special, pieces)
        if transition is not None and not any(_is_one(transition, other) for other in found):
            found.append(transition)
    return by_alpha(found)


def _is_one(first: Transition, second: Transition) -> bool:
    """Whether two bifurcations, found on neighbouring segments of a curve, are one."""
    names = [(one.kind, one.between, one.unstable_to, one.resolved) for one in (first, second)]
    return names[0] == names[1] and abs(first.alpha - second.alpha) < 0.1 * min(first.error, second.error)


def _bifurcation(
    evolution: StateEvolution, piece: Piece, special: SpecialPoint, pieces: Sequence[Piece]
) -> Transition | None:
    equations: TransitionEquations
    unstable_to, criticality = "", ""
    partners = [other.name for other in pieces if other is not piece and any(special is met for met in other.meets)]
    if special.kind is SpecialPointKind.PITCHFORK and special.block is not None:
        space = evolution.space
        index = _breaking(special, space)
        equations = Pitchfork(piece.sector, index, space.quantities[index].name)
        broken_sector = space.sector_of(set(piece.sector.free) | special.block.unknowns)
        if space.rotations and broken_sector not in space.sectors:
            return None  # an image of the same pitchfork in another column
        partner = partners[0] if partners else _lost_beside(special, broken_sector, pieces)
        unstable_to, criticality = equations.unstable_to, CRITICALITY[special.criticality]
    elif special.kind is SpecialPointKind.FOLD:
        equations = Fold(piece.sector)
        partner = partners[0] if partners else piece.name
        if not partners:
            # A fold joins two pieces: where a rough rule shows one alone, it may be noise.
            error = max(special.error, abs(special.bracket[1] - special.bracket[0]))
            bracket = (min(special.bracket), max(special.bracket))
            return Transition(special.parameter, error, "fold", (piece.name, partner), resolved=False, bracket=bracket)
    else:
        # A sign change of the determinant that no fold and no symmetry explains.
        return Transition(
            special.parameter, special.error, special.kind.value, (piece.name, piece.name),
            resolved=special.resolved, bracket=special.bracket,
        )  # fmt: skip
    between = (piece.name, partner)
    if special.kind is SpecialPointKind.FOLD and not piece.attracting:
        # First the piece that attracts, as what is born there.
        between = (partner, piece.name)
    bracket = (min(special.bracket), max(special.bracket))
    start = np.append(special.x[list(piece.sector.free)], special.parameter)
    try:
        located = locate(equations, evolution, start)
    except SolverError:
        error = max(special.error, bracket[1] - bracket[0])
        return Transition(special.parameter, error, equations.kind, between, unstable_to, criticality, False, bracket)
    return Transition(
        located.alpha,
        max(located.error, _gap_at(special, pieces)),
        equations.kind,
        between,
        unstable_to,
        criticality,
        True,
        bracket,
        transition_points(located),
    )


def _gap_at(special: SpecialPoint, pieces: Sequence[Piece]) -> float:
    """Return how far from a special point the branches attached to it end: within that their birth is not known."""
    ends = [
        end.alpha
        for piece in pieces
        for end, met in zip(piece.curve.ends, piece.meets, strict=True)
        if met is special and end.kind == "pitchfork"
    ]
    return max((abs(alpha - special.parameter) for alpha in ends), default=0.0)


def _lost_beside(special: SpecialPoint, sector: Sector, pieces: Sequence[Piece]) -> str:
    """Return the branch of a sector that was lost nearest to a pitchfork, or the family's name if none was."""
    lost = [
        (abs(end.alpha - special.parameter), piece.name)
        for piece in pieces
        if piece.sector == sector
        for end in piece.curve.ends
        if end.kind == "lost" and abs(end.alpha - special.parameter) < BESIDE * special.parameter
    ]
    return min(lost, default=(0.0, sector.family))[1]


def _breaking(special: SpecialPoint, space: StateSpace) -> int:
    """Return the unknown that breaks the symmetry at a pitchfork: an overlap m or theta, if one does."""
    assert special.block is not None
    among = sorted(special.block.unknowns)
    return next((i for i in among if i in space.odd), among[0])
