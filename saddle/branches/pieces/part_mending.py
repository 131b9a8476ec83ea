"""Mend what a rough rule makes of a curve's parts: join what it broke, and drop what it only seems to show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from replica.symmetry.sectors import Sector
from saddle.branches.branch_curve import BranchCurve, CurveEnd
from saddle.branches.pieces.continued_parts import continued, extent, is_longer
from saddle.branches.pieces.curve_parts import Part, evaluated, image_beside
from saddle.branches.pieces.double_parts import distinct
from saddle.branches.problem import AttentionProblem, state_evaluation
from saddle.branches.search.solution_identity import ERRORS_APART, distance
from saddle.continuation.special_points.special_point import SpecialPoint, SpecialPointKind

__all__ = ["FRAGMENT", "mended"]

# A piece that was lost, and is so much shorter than another one of its sector beside it, is a fragment of that.
FRAGMENT = 0.1
# The same, and the gap to that other one, for what is joined to it.
SHORT = 0.02
# How close to a pitchfork, relatively, a branch is lost that ends there, and what is left of its overlaps, at most.
BESIDE, FADED = 0.05, 0.5
# Further from it one whose overlaps squared go to zero there, to such a part of the distance.
FURTHER, EXTRAPOLATED = 0.2, 0.3
# So close to it a branch that is nearly vertical is lost with whatever overlap.
AT_IT = 5e-3
# Relative difference of states on both sides of a gap in one branch.
JOINED = 0.3
# Where both parts are long, how far apart their ends are, relatively; the same of two folds that are one, from which
# two arms lead on; and how far apart the states there are, in natural units.
TOUCHING, ONE_FOLD, ONE_STATE = 0.02, 2e-3, 0.1


def mended(parts: list[Part], problem: AttentionProblem) -> list[Part]:
    """Return parts without doubles and noise, with short ones joined to or absorbed by what they belong to.

    Parameters
    ----------
    parts
        Of all curves.
    problem
        The equations that they solve.
    """
    # What was joined may lie on another part, for it is longer.
    joined = distinct(_joined(distinct(parts, problem), problem), problem)
    return _told_apart(_attached(_absorbed(_paired(joined, problem)), problem))


def _joined(parts: list[Part], problem: AttentionProblem) -> list[Part]:
    """Return parts, short ones that a rough rule lost beside the end of a longer one joined to it."""
    for short in sorted(parts, key=extent):
        for other in parts:
            if other is short or other.sector != short.sector or other.family != short.family:
                continue
            if other.attracting != short.attracting:
                continue
            for end in (0, 1):
                whole = _continued_by(other, short, end, problem)
                if whole is not None:
                    rest = [part for part in parts if part is not short and part is not other]
                    return _joined([*rest, whole], problem)
    return parts


def _paired(parts: list[Part], problem: AttentionProblem) -> list[Part]:
    """Return parts, two folds that are one made one: on a rough rule each arm may have it for itself."""
    for k, part in enumerate(parts):
        for other in parts[k + 1 :]:
            if (part.sector, part.family) != (other.sector, other.family):
                continue
            for end in (0, 1):
                if not (_is_fold_alone(part, end, parts) and _is_fold_alone(other, end, parts)):
                    continue
                edge, away = part.data.reach[end], abs(part.data.reach[end] - other.data.reach[end])
                apart = _apart(problem, part.data.states[-end], other.data.states[-end])
                if away > ONE_FOLD * edge or apart > ONE_STATE:
                    continue
                noise, meets = other.meets[end], list(other.meets)
                meets[end] = part.meets[end]
                rest = [one for one in parts if one is not other]
                joined = [*rest, replace(other, meets=(meets[0], meets[1]))]
                return _paired([_without_special(one, noise) for one in joined], problem)
    return parts


def _apart(problem: AttentionProblem, state: np.ndarray, other: np.ndarray) -> float:
    return distance(problem.space, problem.evolution.channel.variances, state, other)


def _without_special(part: Part, noise: SpecialPoint | None) -> Part:
    return replace(part, special_points=tuple(special for special in part.special_points if special is not noise))


def _attached(parts: Sequence[Part], problem: AttentionProblem) -> list[Part]:
    """Return parts, lost ends next to a pitchfork that nobody claims attached to it, if their overlaps vanish there.

    On a rough rule a branch is lost a little before the pitchfork at which what breaks the symmetry has vanished; at
    the pitchfork itself, where the branch is nearly vertical, it may be lost with any overlap. A fold there from which
    no other part leads on is the rule's noise.
    """
    claimed = [special for part in parts for special in part.meets if special is not None]
    noise: list[SpecialPoint] = []
    found = []
    for part in parts:
        data, meets = part.data, list(part.meets)
        for end in (0, 1):
            alone = _is_fold_alone(part, end, parts)
            special = _pitchfork_beside(part, end, parts, problem) if alone or data.ends[end].kind == "lost" else None
            reaching = None if special is None else _reaching(part, data, end, special, problem)
            if special is None or reaching is None or any(special is other for other in claimed):
                continue
            claimed.append(special)
            noise += [fold for fold in (meets[end],) if fold is not None]
            data, meets[end] = reaching, special
        found.append(replace(part, data=data, meets=(meets[0], meets[1])))
    for fold in noise:
        found = [_without_special(part, fold) for part in found]
    return found


def _reaching(
    part: Part, data: BranchCurve, end: int, special: SpecialPoint, problem: AttentionProblem
) -> BranchCurve | None:
    """Return a part's curve with a pitchfork as its end: led up to it if its overlap vanishes there, or else as it is.

    None if the equations mean nothing at the pitchfork.
    """
    if not _vanishes_at(special, part, end, problem):
        there = CurveEnd("pitchfork", data.reach[end])
        return data.ending(end, there, np.full(len(data.alpha), True), {}, data.vanishing[end])
    here = evaluated(problem.evolution, special)
    if here is None:
        return None
    state, vanishing = image_beside(problem.space, part.sector, here, data.states[-end])
    node = {
        "alpha": special.parameter,
        "states": state,
        "free_entropy": here.free_entropy,
        "average_envelope": here.averages.envelope,
        "test_error": here.test_error,
    }
    kept = data.alpha > special.parameter if end == 0 else data.alpha < special.parameter
    return data.ending(end, CurveEnd("pitchfork", special.parameter), kept, node, vanishing)


def _is_fold_alone(part: Part, end: int, parts: Sequence[Part]) -> bool:
    """Whether a part ends at a fold from which no other part leads on."""
    fold = part.meets[end]
    return _is_fold(fold) and all(fold is not met for other in parts if other is not part for met in other.meets)


def _pitchfork_beside(part: Part, end: int, parts: Sequence[Part], problem: AttentionProblem) -> SpecialPoint | None:
    """Return the pitchfork, on a branch of higher symmetry, that breaks it to a part's sector next to its lost end."""
    edge, free = part.data.reach[end], set(part.sector.free)
    broken = list(part.sector.broken)
    sizes = np.linalg.norm(part.data.states[:, broken], axis=1)
    if not broken:
        return None
    faded = bool(sizes[-end] <= FADED * np.max(sizes))
    room = BESIDE if faded else AT_IT
    near = []
    for parent in parts:
        for special in parent.special_points:
            if special.kind is not SpecialPointKind.PITCHFORK or not special.resolved or special.block is None:
                continue
            away = abs(special.parameter - edge)
            if set(parent.sector.free) | special.block.unknowns != free:
                continue
            if away < room * edge or (faded and away < FURTHER * edge and _vanishes_at(special, part, end, problem)):
                near.append((away, special))
    return min(near, key=lambda item: item[0])[1] if near else None


def _told_apart(parts: list[Part]) -> list[Part]:
    """Return parts without those that no pitchfork or fold connects to anything, and no free entropy tells from others.

    Where a solution is nearly marginal, as at large V, the error of a rule alone breaks its symmetry: by less than it
    errs itself.
    """
    return [part for part in parts if not (_is_alone(part) and _is_within_error(part, parts))]


def _is_alone(part: Part) -> bool:
    return all(special is None for special in part.meets) and all(end.kind == "lost" for end in part.data.ends)


def _is_within_error(part: Part, parts: Sequence[Part]) -> bool:
    """Whether a part's free entropy is, wherever it was solved, that of another part to within its error."""
    low, high = part.data.reach
    for other in parts:
        if other is part or _is_alone(other):
            continue
        here = [state_evaluation(p.evaluation.detail) for p in part.traced.curve.points if low <= p.y[-1] <= high]
        phi = other.data.free_entropies(np.array([one.alpha for one in here]))
        if all(
            abs(one.free_entropy - value) <= ERRORS_APART * one.free_entropy_error
            for one, value in zip(here, phi, strict=True)
        ):
            return True
    return False


def _absorbed(parts: list[Part]) -> list[Part]:
    """Return parts without fragments that lie between the end of a long part and the pitchfork it is born at.

    So close to a pitchfork a rough rule's own noise bends the branch to and fro, with folds that are not there: what it
    is there is the pitchfork, or, where no fragment reaches one, not known.
    """
    for other in parts:
        for end in (0, 1):
            near = _fragments_at(other, end, parts)
            if not near:
                continue
            edge = other.data.reach[end]
            births = [
                special
                for part in near
                for special in part.meets
                if special is not None and special.kind is SpecialPointKind.PITCHFORK
            ]
            # Its other end is none of theirs.
            noise = [other.meets[end], *(met for part in near for met in part.meets)]
            noise = [special for special in noise if _is_fold(special) and special is not other.meets[1 - end]]
            ends, meets = list(other.data.ends), list(other.meets)
            ends[end] = CurveEnd("pitchfork" if births else "lost", edge)
            meets[end] = min(births, key=lambda special: abs(special.parameter - edge), default=None)
            data = replace(other.data, ends=(ends[0], ends[1]))
            special_points = tuple(
                special for special in other.special_points if all(special is not fold for fold in noise)
            )
            whole = replace(other, data=data, meets=(meets[0], meets[1]), special_points=special_points)
            rest = [part for part in parts if part is not other and all(part is not one for one in near)]
            return _absorbed([*rest, whole])
    return parts


def _fragments_at(other: Part, end: int, parts: Sequence[Part]) -> list[Part]:
    """Return the fragments of a part's branch beside one of its ends: short, and lost, or joined to such by folds."""
    kind, edge = other.data.ends[end].kind, other.data.reach[end]
    room = FRAGMENT * extent(other)
    near = [
        part
        for part in parts
        if part is not other
        and (part.sector, part.family) == (other.sector, other.family)
        and extent(part) < room
        and min(abs(alpha - edge) for alpha in part.data.reach) < room
        # What lies well within the longer part's own reach is another arm.
        and (part.data.reach[1] < edge * (1.0 + BESIDE) if end == 0 else part.data.reach[0] > edge * (1.0 - BESIDE))
    ]
    lost = [part for part in near if any(own.kind == "lost" for own in part.data.ends)]
    folds = [special for part in lost for special in part.meets if _is_fold(special)]
    joined = [part for part in near if any(special is met for special in folds for met in part.meets)]
    found = [part for part in near if any(part is one for one in (*lost, *joined))]
    if kind == "lost":
        return found
    if kind == "fold" and any(other.meets[end] is met for part in found for met in part.meets):
        return found
    # A fold joins two parts: one alone is the rule's noise, too.
    return found if _is_fold_alone(other, end, parts) else []


def _vanishes_at(special: SpecialPoint, part: Part, end: int, problem: AttentionProblem) -> bool:
    """Whether what breaks the symmetry goes to zero at a pitchfork, as its square root, beyond a part's end.

    Beside the weights, that is, which may be about to vanish themselves.
    """
    edge = part.data.reach[end]
    gap = special.parameter - edge
    # As far into the part as the pitchfork is out of it.
    if gap == 0.0 or not part.data.reaches(edge - gap):
        return False
    here, further = (_broken_share(part.data.state(at)[0], part.sector, problem) for at in (edge, edge - gap))
    return further > here and abs(here / (further - here) - 1.0) <= EXTRAPOLATED


def _broken_share(state: np.ndarray, sector: Sector, problem: AttentionProblem) -> float:
    """Return the square of what breaks the symmetry, beside q."""
    q = problem.space.matrices(state, "self_overlap")
    return float(np.sum(state[list(sector.broken)] ** 2) / np.trace(q, axis1=1, axis2=2).sum())


def _is_fold(special: SpecialPoint | None) -> bool:
    return special is not None and special.kind is SpecialPointKind.FOLD


def _continued_by(other: Part, short: Part, end: int, problem: AttentionProblem) -> Part | None:
    """Return a part continued beyond one of its ends by a short one; None where they are not one branch."""
    a, b = other.data, short.data
    if b.ends[1 - end].kind != "lost" or not is_longer(short, other, end):
        return None
    gap = (a.alpha[0] - b.alpha[-1]) if end == 0 else (b.alpha[0] - a.alpha[-1])
    room, edge = SHORT * extent(other), a.reach[end]
    here, there = a.states[-end], b.states[b.alpha < edge if end == 0 else b.alpha > edge][end - 1]
    if gap <= room and extent(short) <= room:
        one = bool(np.max(np.abs(here - there)) <= JOINED * np.max(np.abs(here)))
    else:
        # Both long: where they overlap they are compared at the same alpha.
        there = b.state(edge)[0] if b.reaches(edge) else there
        one = abs(gap) <= TOUCHING * edge and _apart(problem, here, there) <= ONE_STATE
    both = (*other.special_points, *short.special_points)
    return replace(continued(other, short, end), special_points=both) if one else None
