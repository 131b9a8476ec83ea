"""First-order transitions: where two solutions have equal free entropy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from saddle.branch import Branch
from saddle.branch_assembly import piece_with, solve_on_piece
from saddle.continuation.events import EventKind
from saddle.outcomes import SolverError
from saddle.pieces import Piece
from saddle.sector_solver import canonical_signs
from saddle.sharpening import locate
from saddle.state_evolution import StateEvolution
from saddle.transition_equations import EqualFreeEntropies
from saddle.transitions import Transition, global_branch, transition_points

__all__ = ["find_alpha_c", "find_first_order"]

# Values of alpha at which two pieces are compared that exist together only between two points of the grid.
COMPARED = 6
# Distance in natural units below which two solutions count as one.
ALIKE = 1e-3


@dataclass(frozen=True)
class _Compared:
    """Solutions of two branches at one alpha, the latter's excess of Phi, and whether both are distinct."""

    alpha: float
    states: tuple[np.ndarray, np.ndarray]
    difference: float
    both: bool


def _compared_on_grid(positional: Branch, semantic: Branch) -> list[_Compared]:
    """Return both solutions at every grid point where both are stored, at least one of them not merged."""
    stored = positional.stored & semantic.stored
    return [
        _Compared(
            float(positional.alpha[k]),
            (positional.states[k], semantic.states[k]),
            float(semantic.free_entropy[k] - positional.free_entropy[k]),
            bool(positional.distinct[k] and semantic.distinct[k]),
        )
        for k in np.flatnonzero(stored)
    ]


def _compared_between(evolution: StateEvolution, first: Piece, second: Piece) -> list[_Compared]:
    """Solve two pieces at a few values of alpha that both reach."""
    low, high = max(first.reach[0], second.reach[0]), min(first.reach[1], second.reach[1])
    places = np.linspace(low, high, COMPARED + 2)[1:-1] if low < high else []
    return [item for alpha in places if (item := _compared_at(evolution, first, second, float(alpha))) is not None]


def _compared_at(evolution: StateEvolution, first: Piece, second: Piece, alpha: float) -> _Compared | None:
    """Solve two pieces at one alpha; None where one of them is not found."""
    pair = [solve_on_piece(evolution, piece, alpha) for piece in (first, second)]
    if pair[0] is None or pair[1] is None:
        return None
    a, b = pair[0][0], pair[1][0]
    return _Compared(alpha, (a.state, b.state), b.free_entropy - a.free_entropy, True)


def _change_of_sign(compared: Sequence[_Compared]) -> tuple[_Compared, _Compared] | None:
    """Return the first neighbours between which the difference changes sign, at least one of them with both.

    Where one has merged it has the free entropy of the branch it was born from: the last bracket.
    """
    for a, b in pairwise(compared):
        if a.difference * b.difference <= 0.0 and (a.both or b.both):
            return a, b
    return None


def find_alpha_c(branches: Mapping[str, Branch], pieces: Sequence[Piece]) -> tuple[Transition | None, str]:
    """Find the first alpha at which a positional and a semantic branch, both attracting, have equal free entropy.

    Parameters
    ----------
    branches
        On the grid, by name.
    pieces
        The same as curves: they may exist together only between two points of the grid.

    Returns
    -------
    (Transition or None, str)
        The transition, or the reason in words that the main branches of both families give.
    """
    attracting = {
        family: [b for b in branches.values() if b.family == family and not np.any(b.jacobian_signs[b.distinct, 0] < 0)]
        for family in ("positional", "semantic")
    }
    main = _equal_free_entropies(branches["positional"], branches["semantic"], pieces)
    found = [main[0]] if main[0] is not None else []
    for positional in attracting["positional"]:
        for semantic in attracting["semantic"]:
            if (positional.name, semantic.name) != ("positional", "semantic"):
                other, _ = _equal_free_entropies(positional, semantic, pieces)
                found += [other] if other is not None else []
    return (min(found, key=lambda transition: transition.alpha), "") if found else main


def _equal_free_entropies(
    positional: Branch, semantic: Branch, pieces: Sequence[Piece]
) -> tuple[Transition | None, str]:
    """Find the smallest alpha at which two branches have equal free entropy, or say why there is none."""
    compared = _compared_on_grid(positional, semantic)
    pair = _change_of_sign(compared)
    if pair is None:
        named = {piece.name: piece for piece in pieces}
        if positional.name in named and semantic.name in named:
            between = _compared_between(positional.evolution, named[positional.name], named[semantic.name])
            compared = sorted([*compared, *between], key=lambda item: item.alpha)
            pair = _change_of_sign(compared)
    if pair is None:
        return None, _why_no_alpha_c(positional, semantic, compared)
    located = _located(positional, semantic, *pair)
    return (None, located) if isinstance(located, str) else (located, "")


def _located(first: Branch, second: Branch, a: _Compared, b: _Compared) -> Transition | str:
    """Locate equal free entropies between two values of alpha, or say in words why that failed."""
    fraction = a.difference / (a.difference - b.difference) if a.both and b.both else float(b.both)
    bracket = (a.alpha, b.alpha)
    free = [
        (a.states[i] + fraction * (b.states[i] - a.states[i]))[list(branch.sector.free)]
        for i, branch in enumerate((first, second))
    ]
    start = np.concatenate([*free, [a.alpha + fraction * (b.alpha - a.alpha)]])
    try:
        located = locate(EqualFreeEntropies(first.sector, second.sector), first.evolution, start)
    except SolverError as failure:
        return f"equal free entropies bracketed by {bracket} but not located: {failure}"
    # On the branches' own rule, that is; sharpening may move it out of so small a bracket.
    if not bracket[0] - located.error <= located.y[-1] <= bracket[1] + located.error:
        return f"equal free entropies bracketed by {bracket} but located at {located.y[-1]:.6g}"
    if _alike(first.evolution, *(here.state for here in located.evaluations)):
        return f"equal free entropies bracketed by {bracket}, but both solutions became one"
    between = (first.name, second.name)
    return Transition(
        located.alpha, located.error, "first-order", between, bracket=bracket, points=transition_points(located)
    )


def _alike(evolution: StateEvolution, first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two solutions are one, to within what a rule may tell apart."""
    space = evolution.space
    units = space.units(first, evolution.channel.variances)
    distance = np.abs(canonical_signs(first, space) - canonical_signs(second, space)) / units
    return bool(np.max(distance) < ALIKE)


def find_first_order(
    branches: Mapping[str, Branch], pieces: Sequence[Piece], known: Sequence[Transition] = ()
) -> tuple[Transition, ...]:
    """Find where the global minimum jumps from one branch to another, by increasing alpha.

    Parameters
    ----------
    branches
        On the grid, by name.
    pieces
        The same as curves.
    known
        First-order transitions located before, which are not located again.

    Returns
    -------
    tuple of Transition
        Between the branch below and the branch above. Where the minimum passes continuously from one branch to
        another, at a pitchfork, there is none; a jump that could not be located is not among them.

    Notes
    -----
    Theory notes in docs/, section 10.
    """
    listed = list(branches.values())
    best = global_branch(listed)
    named = {piece.name: piece for piece in pieces}
    found: list[Transition] = []
    for k, (first, second) in enumerate(pairwise(best)):
        if first is None or second is None or first.name == second.name:
            continue
        cell = (float(first.alpha[k]), float(first.alpha[k + 1]))
        pair = {first.name, second.name}
        here = [t for t in known if set(t.between) == pair and t.within(*cell)]
        if here:
            found.append(here[0])
            continue
        if first.name not in named or second.name not in named:
            continue
        if not _pass_continuously(first.evolution, named[first.name], named[second.name], cell, pieces):
            jump = _jump(first, second, named, cell)
            found += [jump] if jump is not None else []
    return tuple(found)


def _pass_continuously(
    evolution: StateEvolution, first: Piece, second: Piece, cell: tuple[float, float], pieces: Sequence[Piece]
) -> bool:
    """Whether, between two values of alpha, one piece is born from the other or ends in it at a pitchfork."""
    for event, other in ((second.meets[0], first), (first.meets[1], second)):
        if event is None or event.kind is not EventKind.PITCHFORK or not cell[0] <= event.parameter <= cell[1]:
            continue
        if piece_with(evolution, event, pieces) is other:
            return True
    return False


def _jump(first: Branch, second: Branch, named: Mapping[str, Piece], cell: tuple[float, float]) -> Transition | None:
    """Locate equal free entropies of two branches between two points of the grid; None where there are none."""
    evolution, ends = first.evolution, (named[first.name], named[second.name])
    low, high = (max(cell[0], *(p.reach[0] for p in ends)), min(cell[1], *(p.reach[1] for p in ends)))
    if not low < high:
        return None
    places = np.linspace(low, high, COMPARED + 2)
    # Next to a fold a solution may not be found: the outer two may be missing.
    compared = [item for alpha in places if (item := _compared_at(evolution, *ends, float(alpha))) is not None]
    pair = _change_of_sign(compared)
    located = None if pair is None else _located(first, second, *pair)
    return located if isinstance(located, Transition) else None


def _why_no_alpha_c(positional: Branch, semantic: Branch, compared: Sequence[_Compared]) -> str:
    where = f"in {positional.alpha[0]:g} <= alpha <= {positional.alpha[-1]:g}"
    missing = [branch.name for branch in (positional, semantic) if not branch.distinct.any()]
    both = [item for item in compared if item.both]
    if both:
        ahead = "semantic" if both[-1].difference > 0 else "positional"
        return f"the {ahead} branch has the larger free entropy wherever both exist in this range"
    if missing:
        return f"no {' and no '.join(missing)} branch {where}"
    return f"no alpha at which both branches exist {where}"
