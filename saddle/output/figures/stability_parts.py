"""Where along a branch state evolution is stable: known on the grid, and changing at bifurcations between."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from saddle.branches.branch import Branch
from saddle.transitions.transition import Transition

if TYPE_CHECKING:
    from saddle.diagram.contents import DiagramContents

__all__ = ["StabilityPart", "located_bifurcations", "stability_parts"]


class StabilityPart(NamedTuple):
    """A range of alpha in which a branch is stable, or not, or in which that is not known (None)."""

    low: float
    high: float
    stable: bool | None


def located_bifurcations(diagram: DiagramContents) -> list[Transition]:
    """Return all bifurcations that were located, also those beyond the grid."""
    every = {id(one): one for one in (*diagram.bifurcations, *diagram.everywhere)}.values()
    return [one for one in every if one.kind in ("pitchfork", "onset", "fold", "branch point") and one.resolved]


def stability_parts(diagram: DiagramContents, branch: Branch, low: float, high: float) -> tuple[StabilityPart, ...]:
    """Return the parts of a branch between two values of alpha at which its stability changes.

    The grid tells it. Between two of its points it changes at the bifurcation that lies there, or half-way if none
    does; of a part without a point, only what follows from the kinds of the bifurcations at its ends is said.
    """
    leaving = [one for one in located_bifurcations(diagram) if one.kind != "fold" and one.between[0] == branch.name]
    places = [low, *sorted({one.alpha for one in leaving if low < one.alpha < high}), high]
    parts: list[StabilityPart] = []
    for first, last in pairwise(places):
        parts += _on_the_grid(branch, first, last)
    parts = [_beside_stable(parts, k) for k in range(len(parts))]
    parts = [part if part.stable is not None else _lost(diagram, leaving, part) for part in parts]
    parts = [part if part.stable is not None else _as_born(diagram, branch, part) for part in parts]
    joined: list[StabilityPart] = []
    for part in parts:
        if joined and joined[-1].stable == part.stable:
            joined[-1] = joined[-1]._replace(high=part.high)
        else:
            joined.append(part)
    return tuple(joined)


def _on_the_grid(branch: Branch, low: float, high: float) -> list[StabilityPart]:
    inside = branch.distinct & (low <= branch.alpha) & (branch.alpha <= high)
    alpha, stable = branch.alpha[inside], branch.stable[inside]
    if not alpha.size:
        return [StabilityPart(low, high, None)]
    changes = np.flatnonzero(stable[1:] != stable[:-1])
    cuts = [low, *(0.5 * (alpha[k] + alpha[k + 1]) for k in changes), high]
    values = [stable[0], *(stable[k + 1] for k in changes)]
    return [StabilityPart(float(a), float(b), bool(s)) for (a, b), s in zip(pairwise(cuts), values, strict=True)]


def _beside_stable(parts: Sequence[StabilityPart], k: int) -> StabilityPart:
    """Say of a branch that is stable up to a bifurcation that it is not beyond."""
    beside = [parts[j].stable for j in (k - 1, k + 1) if 0 <= j < len(parts)]
    return parts[k]._replace(stable=False) if parts[k].stable is None and True in beside else parts[k]


def _side(diagram: DiagramContents, transition: Transition) -> int:
    """Return on which side of a bifurcation the branch that begins there lies: 1 above, -1 below, 0 if not known."""
    born = diagram.branches.get(transition.between[1])
    if born is None or born.curve is None:
        return 0
    low, high = born.curve.reach
    return 1 if transition.alpha < 0.5 * (low + high) else -1


def _lost(diagram: DiagramContents, leaving: Sequence[Transition], part: StabilityPart) -> StabilityPart:
    """Say of a branch that it has lost stability beyond a supercritical bifurcation, and before a subcritical one."""
    for one in leaving:
        turned = {"supercritical": 1, "subcritical": -1}.get(one.criticality, 0) * _side(diagram, one)
        if (turned > 0 and one.alpha == part.low) or (turned < 0 and one.alpha == part.high):
            return part._replace(stable=False)
    return part


def _as_born(diagram: DiagramContents, branch: Branch, part: StabilityPart) -> StabilityPart:
    """Say of a branch that begins subcritically that it is unstable; otherwise it is what the other one was before."""
    for one in located_bifurcations(diagram):
        parent = diagram.branches.get(one.between[0])
        if one.kind not in ("pitchfork", "onset") or one.between[1] != branch.name or one.alpha != part.low:
            continue
        if one.criticality == "subcritical":
            return part._replace(stable=False)
        before = None if parent is None else parent.distinct & (parent.alpha < one.alpha)
        if one.criticality == "supercritical" and parent is not None and before is not None and before.any():
            last = float(parent.alpha[before][-1])
            between = [other.alpha for other in located_bifurcations(diagram) if other.between[0] == parent.name]
            if not any(last < alpha < one.alpha for alpha in between):
                return part._replace(stable=bool(parent.stable[before][-1]))
    return part
