"""Which branch is the global minimum of the training loss, over all alpha: read off the branches' curves.

"Global" means among the branches that were found. Where one branch takes over from another, the place is that of the
transition that explains it: a first-order one, the birth of one on the other, or the end of a curve.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from saddle.branches.branch_curve import OnCurve
from saddle.branches.null.on_rule import null_shift
from saddle.branches.null.solution import NULL_FAMILY
from saddle.transitions.transition import Transition

__all__ = ["Phase", "find_phases", "first_to_leave", "highest", "sample_places"]

# Relative difference of interpolated free entropies that tells two branches apart.
APART = 3e-5
# Places within each segment of a curve at which branches are compared.
WITHIN = 3
# Relative distance from the end of a curve at which it is not there any more.
JUST = 1e-9
# The same, of a gap between two branches that is none.
GAP = 1e-5


@dataclass(frozen=True)
class Phase:
    """A range of alpha, and the branch that is the global minimum in it.

    Attributes
    ----------
    branch
        Its name; None where it is not known.
    low, high
        The range.
    reason
        Why it is not known; "" where it is.
    """

    branch: str | None
    low: float
    high: float
    reason: str = ""

    def __str__(self) -> str:
        known = self.branch if self.branch is not None else f"not known ({self.reason})"
        return f"{known} for {self.low:.5g} <= alpha <= {self.high:.5g}"


def sample_places(branches: Sequence[OnCurve], low: float, high: float) -> np.ndarray:
    """Return increasing values of alpha that resolve all curves between two values, both included."""
    places = [np.array([low, high])]
    for branch in branches:
        if branch.curve is None:
            continue
        nodes = branch.curve.alpha
        if len(nodes) > 1:
            fractions = np.arange(WITHIN) / WITHIN
            places.append((nodes[:-1, None] + fractions * np.diff(nodes)[:, None]).ravel())
        places.append(nodes[-1:])
        # Just outside, where another takes over.
        places.append(np.array([nodes[0] * (1.0 - JUST), nodes[-1] * (1.0 + JUST)]))
    joined = np.unique(np.concatenate(places))
    joined = joined[(joined >= low) & (joined <= high)]
    # Where no branch is, at one place at least.
    curves = [branch.curve for branch in branches if branch.curve is not None]
    middles = np.sqrt(joined[:-1] * joined[1:])
    gaps = [middle for middle in map(float, middles) if not any(curve.reaches(middle) for curve in curves)]
    return np.unique(np.concatenate([joined, np.array(gaps)]))


def highest(branches: Sequence[OnCurve], places: np.ndarray) -> np.ndarray:
    """Return interpolated free entropies of all branches at values of alpha (k,), -inf where one is not, (b, k).

    All are as the branches' rule has them, Q = 0 too.
    """
    direction = first_to_leave(branches)
    rows = [_on_the_rule(branch, places, direction) for branch in branches]
    return np.where(np.isnan(rows), -np.inf, rows) if rows else np.empty((0, len(places)))


def first_to_leave(branches: Sequence[OnCurve]) -> tuple[float, ...]:
    """Return a state (n,) next to where the first branch leaves Q = 0, to compare that with; () if none does."""
    leaving: list[tuple[float, tuple[float, ...]]] = []
    for branch in branches:
        for end in (0, 1) if branch.curve is not None and len(branch.curve.alpha) > 1 else ():
            assert branch.curve is not None
            if branch.curve.ends[end].kind == "onset":
                beside = branch.curve.states[1 if end == 0 else -2]
                leaving.append((branch.curve.ends[end].alpha, tuple(map(float, beside))))
    return min(leaving, default=(0.0, ()))[1]


def _on_the_rule(branch: OnCurve, places: np.ndarray, direction: tuple[float, ...]) -> np.ndarray:
    curve = branch.curve
    if curve is None:
        return np.full(len(places), np.nan)
    found = curve.free_entropies(places)
    if branch.family == NULL_FAMILY:
        middle = len(curve.alpha) // 2
        exact = float(curve.average_envelope[middle])
        found = found - places * null_shift(branch.evolution, curve.states[middle], exact, direction)
    return found


def find_phases(
    branches: Sequence[OnCurve], transitions: Sequence[Transition], low: float, high: float
) -> tuple[Phase, ...]:
    """Return ranges of alpha in which one branch is the global minimum, by increasing alpha.

    Parameters
    ----------
    branches
        All that were found.
    transitions
        Located transitions, which say where one branch takes over from another.
    low, high
        Range of alpha.
    """
    if not low < high:
        return ()
    places = sample_places(branches, low, high)
    places, phi = _without_gaps(places, highest(branches, places))
    found: list[Phase] = []
    current: int | None = None
    start = low
    for k, place in enumerate(places):
        best = _best(phi[:, k], current)
        if k and best != current:
            end = _change(branches, transitions, current, best, start, float(places[k - 1]), float(place))
            end = float(np.clip(end, start, high))
            if end > start:
                found.append(_phase(branches, current, start, end))
            start = end
        current = best
    found.append(_phase(branches, current, start, high))
    return tuple(_joined(found))


def _without_gaps(places: np.ndarray, phi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return places without those where no branch is, but one is as near as the ends of curves are known."""
    there = np.any(np.isfinite(phi), axis=0)
    if there.all() or not there.any():
        return places, phi
    known = places[there]
    away = np.array([np.min(np.abs(known - place)) for place in places])
    kept = there | (away > GAP * places)
    return places[kept], phi[:, kept]


def _joined(phases: Sequence[Phase]) -> Iterator[Phase]:
    """Yield phases, neighbours of one branch as one."""
    pending: Phase | None = None
    for phase in phases:
        if pending is not None and pending.branch == phase.branch:
            pending = replace(pending, high=phase.high)
            continue
        if pending is not None:
            yield pending
        pending = phase
    if pending is not None:
        yield pending


def _phase(branches: Sequence[OnCurve], place: int | None, low: float, high: float) -> Phase:
    if place is None:
        return Phase(None, low, high, _why_none(branches, low, high))
    return Phase(branches[place].name, low, high)


def _why_none(branches: Sequence[OnCurve], low: float, high: float) -> str:
    """Say why nothing is known between two values of alpha: weights may be too small for any rule beside Q = 0."""
    for branch in branches:
        if branch.curve is None:
            continue
        # Samples escape within an error of where the curve, solved on its rule, ends.
        for edge, end in zip(branch.curve.ends, branch.curve.reach, strict=True):
            if edge.kind == "escape" and min(abs(end - low), abs(end - high)) <= GAP * end:
                return (
                    f"no solution was found here; samples escape from Q = 0 at alpha = {edge.alpha:.5g}, at first so "
                    "few that the weights they make may be too small to be followed"
                )
    return "no solution was found here"


def _best(phi: np.ndarray, current: int | None) -> int | None:
    """Return the branch of largest Phi: the one before, unless another is clearly above it."""
    if phi.size == 0 or not np.any(np.isfinite(phi)):
        return None
    best = int(np.argmax(phi))
    if current is None or not np.isfinite(phi[current]):
        return best
    return best if phi[best] > phi[current] + APART * abs(phi[current]) else current


def _change(
    branches: Sequence[OnCurve],
    transitions: Sequence[Transition],
    before: int | None,
    after: int | None,
    start: float,
    low: float,
    high: float,
) -> float:
    """Return where one branch takes over from another, noticed between two values of alpha.

    It may have been noticed late, as a difference of free entropies within interpolation's error is none: at any value
    since ``start``, from where on the first one is the minimum.
    """
    first, second = (None if place is None else branches[place] for place in (before, after))
    if first is None or second is None:
        # Something begins or ends: there is nothing on the other side.
        known = second if first is None else first
        assert known is not None
        assert known.curve is not None
        edge = known.curve.reach[0 if first is None else 1]
        return min(max(edge, low), high)
    names = {first.name, second.name}
    pair = (first.name, second.name)
    jumps = [t for t in transitions if t.kind == "first-order" and t.between == pair and t.within(start, high)]
    if jumps:
        return jumps[-1].alpha
    for branch, other, end in ((second, first, 0), (first, second, 1)):
        if branch.curve is None:
            continue
        edge = branch.curve.ends[end]
        if edge.connected and edge.partner == other.name:
            near = [t.alpha for t in transitions if t.kind in ("pitchfork", "onset") and set(t.between) == names]
            return min(near, key=lambda alpha: abs(alpha - edge.alpha), default=edge.alpha)
    # One ends without the other having reached it: at a fold, or where it was lost.
    if first.curve is not None and first.curve.reach[1] < high:
        return first.curve.reach[1]
    if second.curve is not None and second.curve.reach[0] > low:
        return second.curve.reach[0]
    return 0.5 * (low + high)
