"""The lowest training loss is a continuous function of alpha: where the reported one is not, a solution is missing.

Where the branch with the largest Phi is lost, another one takes its place in a list of branches, with a smaller Phi.
That other one is not the global minimum there, since the largest Phi does not jump; which one is, is not known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from saddle.branches.branch_curve import OnCurve
from saddle.transitions.global_minimum import Phase, highest
from saddle.transitions.transition import Transition

__all__ = ["without_jumps"]

# Relative difference of free entropies, where one branch takes over from another, that no rule's error makes.
JUMP = 3e-3
# Relative distance within which a branch ends where another takes over.
HERE = 1e-6


def without_jumps(
    phases: Sequence[Phase],
    branches: Sequence[OnCurve],
    transitions: Sequence[Transition],
    searched: Sequence[float],
) -> tuple[Phase, ...]:
    """Return phases, "not known" where the largest Phi would jump and no transition says how it passes on.

    Parameters
    ----------
    phases
        By increasing alpha.
    branches
        All that were found.
    transitions
        All that were located.
    searched
        Values of alpha at which solutions were looked for from starts that know no branch: what is not known is not
        known as far as the next of these.
    """
    named = {branch.name: branch for branch in branches}
    unknown: list[Phase] = []
    for below, above in pairwise(phases):
        if below.branch is None or above.branch is None or _explained(below, above, transitions):
            continue
        first, second = named[below.branch], named[above.branch]
        gap = _gap(first, second, below.high)
        if gap > JUMP or _lost(first, 1, below.high):
            end = min((a for a in searched if below.high < a < above.high), default=above.high)
            said = (
                f"the {below.branch} branch, the minimum so far, could not be followed beyond alpha = {below.high:.5g}"
            )
            unknown.append(Phase(None, below.high, end, said))
        elif gap < -JUMP or _lost(second, 0, above.low):
            begin = max((a for a in searched if below.low < a < above.low), default=below.low)
            said = f"the {above.branch} branch, the minimum from there on, could not be followed below {above.low:.5g}"
            unknown.append(Phase(None, begin, above.low, said))
    return tuple(_overlaid(phases, unknown)) if unknown else tuple(phases)


def _explained(below: Phase, above: Phase, transitions: Sequence[Transition]) -> bool:
    """Whether one phase passes into the next at a transition between their branches."""
    names = {below.branch, above.branch}
    return any(set(t.between) == names and abs(t.alpha - below.high) <= HERE * below.high for t in transitions)


def _lost(branch: OnCurve, end: int, alpha: float) -> bool:
    """Whether a branch ends at a value of alpha, and it is not known how."""
    assert branch.curve is not None
    edge = branch.curve.ends[end]
    return edge.kind in ("lost", "faint") and abs(branch.curve.reach[end] - alpha) <= HERE * alpha


def _gap(below: OnCurve, above: OnCurve, alpha: float) -> float:
    """Return the relative difference of free entropies where one branch takes over, on the side of either."""
    assert below.curve is not None
    assert above.curve is not None
    places = [float(np.clip(alpha, *branch.curve.reach)) for branch in (below, above) if branch.curve is not None]
    first, second = (float(highest([b], np.array([x]))[0, 0]) for b, x in zip((below, above), places, strict=True))
    slope = float(np.interp(places[1], above.curve.alpha, above.curve.average_envelope))
    second -= slope * (places[0] - places[1])
    return (first - second) / max(abs(first), abs(second))


def _overlaid(phases: Sequence[Phase], unknown: Sequence[Phase]) -> Iterator[Phase]:
    """Yield phases, with others laid over them."""
    edges = sorted({edge for phase in (*phases, *unknown) for edge in (phase.low, phase.high)})
    pending: Phase | None = None
    for low, high in pairwise(edges):
        middle = 0.5 * (low + high)
        top = next((p for p in (*unknown, *phases) if p.low <= middle <= p.high), None)
        if top is None:
            continue
        here = Phase(top.branch, low, high, top.reason)
        if pending is not None and (pending.branch, pending.reason) == (here.branch, here.reason):
            pending = Phase(here.branch, pending.low, high, here.reason)
            continue
        if pending is not None:
            yield pending
        pending = here
    if pending is not None:
        yield pending
