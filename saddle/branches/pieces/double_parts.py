"""Parts of curves that are one branch, followed twice: one stays, with all that is known of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from saddle.branches.pieces.continued_parts import continued, extent, is_longer
from saddle.branches.pieces.curve_parts import Part
from saddle.branches.problem import AttentionProblem
from saddle.branches.search.solution_identity import distance
from saddle.continuation.special_points.special_point import SpecialPoint

__all__ = ["distinct"]

# Places at which two parts are compared, and the distance in natural units of solutions that are one.
PLACES, IDENTICAL = 5, 5e-3
# Relative distance of special points of one kind, on one branch, that are one.
SAME_PLACE = 5e-3


def distinct(parts: Sequence[Part], problem: AttentionProblem) -> list[Part]:
    """Return parts without those that lie on another one: on a rough rule one branch may be followed twice.

    Of two, the one stays whose ends are better known, or that is longer. Where it was lost and the other one was not,
    it is continued by that; branches that are born on the other one are born on it.
    """
    known = [sum(end.kind in ("lost", "fold") for end in part.data.ends) for part in parts]
    found: dict[int, Part] = {}
    renamed: dict[int, SpecialPoint] = {}
    for k in sorted(range(len(parts)), key=lambda k: (known[k], -extent(parts[k]))):
        double = next((own for own, other in found.items() if _lies_on(parts[k], other, problem)), None)
        if double is None:
            found[k] = parts[k]
            continue
        whole, names = _with_births(_with_ends(found[double], parts[k]), parts[k], parts)
        found[double] = whole
        renamed |= names
    return [_renamed(found[k], renamed) for k in sorted(found)]


def _with_ends(kept: Part, dropped: Part) -> Part:
    """Return a part continued where it was lost, and the one that is dropped leads on."""
    for end in (0, 1):
        if is_longer(dropped, kept, end):
            kept = continued(kept, dropped, end)
    return kept


def _with_births(kept: Part, dropped: Part, parts: Sequence[Part]) -> tuple[Part, dict[int, SpecialPoint]]:
    """Return a part with the special points of a dropped one at which others begin or end, and which are its own."""
    met = [special for part in parts if part is not dropped for special in part.meets if special is not None]
    met += [special for special in kept.meets if special is not None]
    own: dict[int, SpecialPoint] = {}
    special_points = list(kept.special_points)
    for special in dropped.special_points:
        if any(special is one for one in special_points) or not any(special is one for one in met):
            continue
        twins = [one for one in special_points if _is_one(one, special)]
        if twins:
            own[id(special)] = min(twins, key=lambda one: abs(one.parameter - special.parameter))
        else:
            special_points.append(special)
    return replace(kept, special_points=tuple(special_points)), own


def _is_one(first: SpecialPoint, second: SpecialPoint) -> bool:
    """Whether two special points, of one branch followed twice, are one."""
    if first.kind is not second.kind or first.resolved is not second.resolved:
        return False
    if abs(first.parameter - second.parameter) > SAME_PLACE * second.parameter:
        return False
    broken = [frozenset() if one.block is None else one.block.unknowns for one in (first, second)]
    return broken[0] == broken[1]


def _renamed(part: Part, names: dict[int, SpecialPoint]) -> Part:
    """Return a part with other special points in the place of some."""
    low, high = (None if special is None else names.get(id(special), special) for special in part.meets)
    return replace(part, meets=(low, high))


def _lies_on(part: Part, other: Part, problem: AttentionProblem) -> bool:
    """Whether a part has the same solutions as another one, over most of its reach."""
    if (part.sector, part.family) != (other.sector, other.family):
        return False
    places = np.geomspace(*part.data.reach, PLACES + 2)[1:-1]
    space, variances = problem.space, problem.evolution.channel.variances
    same = [
        other.data.reaches(float(alpha))
        and distance(space, variances, part.data.state(float(alpha))[0], other.data.state(float(alpha))[0]) < IDENTICAL
        for alpha in places
    ]
    return sum(same) > PLACES // 2
