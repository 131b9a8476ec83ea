"""Cut curves of solutions into pieces with one solution per alpha, and name them by what they are.

A piece is named by what its solutions attend by. The short name, such as "positional", goes to the first piece of a
family, by increasing alpha, that attracts state evolution within its sector (or to the first one, if none does); the
others say where they are born: "positional from agnostic", "semantic from fold". So a name does not depend on the
range that was asked for, but on the solutions alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from replica.sectors import FAMILIES, Sector
from saddle.attention_problem import AttentionProblem, sector_of, state_evaluation
from saddle.branch_curve import BranchCurve, CurveEnd
from saddle.continuation.curves import CurvePoint
from saddle.continuation.events import Event, EventKind
from saddle.continuation.exploration import NO_FURTHER, TracedBranch
from saddle.continuation.newton import OutsideDomain
from saddle.families import Families
from saddle.outcomes import Outcome
from saddle.search_interval import HIGHEST, LOWEST
from saddle.sector_solver import canonical_signs
from saddle.solution_identity import distance
from saddle.state_evolution import StateEvaluation, StateEvolution
from saddle.state_space import StateSpace

__all__ = ["Piece", "piece_with", "pieces_of"]

# Shares of a pre-activation, of position and of meaning, below which a solution knows neither.
SMALL_SHARE = 0.02
# A piece that was lost, and is so much shorter than another one of its sector beside it, is a fragment of that.
FRAGMENT = 0.1
# The same, and the gap to that other one, for what is joined to it.
SHORT = 0.02
# How close to a pitchfork, relatively, a branch is lost that ends there, and what is left of its overlaps, at most.
BESIDE, FADED = 0.05, 0.5
# Places at which two parts are compared, and the distance in natural units of solutions that are one.
PLACES, IDENTICAL = 5, 5e-3
# Relative difference of states on both sides of a gap in one branch.
JOINED = 0.3
# Of errors of a free entropy by which one is told from another.
ERRORS = 3.0
# Whether a piece attracts is looked at so far above its birth: that does not depend on where it was cut.
LOOKED_AT = 1.3


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
    events
        Special points of the curve that it is a part of.
    meets
        Events at its lower and its higher end: a fold, or a pitchfork on another branch; or None.
    """

    name: str
    sector: Sector
    evolution: StateEvolution
    curve: BranchCurve
    attracting: bool
    events: tuple[Event, ...] = ()
    meets: tuple[Event | None, Event | None] = (None, None)

    @property
    def family(self) -> str:
        """What it attends by."""
        return self.name.split()[0]

    @property
    def fragment(self) -> bool:
        """Whether it is what a rough rule left of a piece beside it."""
        return "fragment" in self.name.split()


@dataclass(frozen=True)
class _Part:
    """A piece before it is named."""

    family: str
    sector: Sector
    traced: TracedBranch
    data: BranchCurve
    meets: tuple[Event | None, Event | None]
    attracting: bool
    events: tuple[Event, ...]


def pieces_of(families: Families) -> tuple[Piece, ...]:
    """Return the pieces of all curves, named, family by family and by increasing alpha in each."""
    problem = families.problem
    there: dict[int, StateEvaluation | None] = {}
    parts = [part for traced in families.branches for part in _parts(problem, traced, there)]
    parts = _told_apart(_attached(_absorbed(_joined(_distinct(parts, problem)))))
    found = []
    for family in FAMILIES:
        own = sorted((part for part in parts if part.family == family), key=lambda part: part.data.reach)
        for name, part in zip(_names(family, own, parts, problem.space), own, strict=True):
            found.append(
                Piece(name, part.sector, problem.evolution, part.data, part.attracting, part.events, part.meets)
            )
    pieces = tuple(found)
    return tuple(replace(piece, curve=_with_partners(piece, pieces)) for piece in pieces)


def _joined(parts: list[_Part]) -> list[_Part]:
    """Return parts, short ones that a rough rule lost beside the end of a longer one joined to it."""
    for short in sorted(parts, key=lambda part: part.data.reach[1] - part.data.reach[0]):
        for other in parts:
            if other is short or other.sector != short.sector or other.family != short.family:
                continue
            if other.attracting != short.attracting:
                continue
            for end in (0, 1):
                whole = _with_short(other, short, end)
                if whole is not None:
                    rest = [part for part in parts if part is not short and part is not other]
                    return _joined([*rest, whole])
    return parts


def _attached(parts: Sequence[_Part]) -> list[_Part]:
    """Return parts, lost ends next to a pitchfork that nobody claims attached to it, if their overlaps vanish there.

    On a rough rule a branch is lost a little before the pitchfork at which what breaks the symmetry has vanished.
    """
    claimed = [event for part in parts for event in part.meets if event is not None]
    found = []
    for part in parts:
        ends, meets = list(part.data.ends), list(part.meets)
        for end in (0, 1):
            event = _pitchfork_beside(part, end, parts) if ends[end].kind == "lost" else None
            if event is not None and not any(event is other for other in claimed):
                claimed.append(event)
                ends[end], meets[end] = CurveEnd("pitchfork", part.data.reach[end]), event
        data = replace(part.data, ends=(ends[0], ends[1]))
        found.append(replace(part, data=data, meets=(meets[0], meets[1])))
    return found


def _pitchfork_beside(part: _Part, end: int, parts: Sequence[_Part]) -> Event | None:
    """Return the pitchfork, on a branch of higher symmetry, that breaks it to a part's sector next to its lost end."""
    edge, free = part.data.reach[end], set(part.sector.free)
    broken = list(part.sector.broken)
    sizes = np.linalg.norm(part.data.states[:, broken], axis=1)
    if not broken or sizes[-end] > FADED * np.max(sizes):
        return None
    near = []
    for parent in parts:
        for event in parent.events:
            if event.kind is not EventKind.PITCHFORK or not event.resolved or event.block is None:
                continue
            directions = set(map(int, np.flatnonzero(np.any(event.block.basis != 0.0, axis=1))))
            away = abs(event.parameter - edge)
            if set(parent.sector.free) | directions == free and away < BESIDE * edge:
                near.append((away, event))
    return min(near, key=lambda item: item[0])[1] if near else None


def _distinct(parts: Sequence[_Part], problem: AttentionProblem) -> list[_Part]:
    """Return parts without those that lie on another one: on a rough rule one branch may be followed twice.

    Of two, the one stays whose ends are better known, or that was found first.
    """
    found: list[_Part] = []
    for part in sorted(parts, key=lambda part: sum(end.kind in ("lost", "fold") for end in part.data.ends)):
        if not any(_lies_on(part, other, problem) for other in found):
            found.append(part)
    return [part for part in parts if any(part is one for one in found)]


def _told_apart(parts: list[_Part]) -> list[_Part]:
    """Return parts without those that no pitchfork or fold connects to anything, and no free entropy tells from others.

    Where a solution is nearly marginal, as at large V, the error of a rule alone breaks its symmetry: by less than it
    errs itself.
    """
    return [part for part in parts if not (_is_alone(part) and _is_within_error(part, parts))]


def _is_alone(part: _Part) -> bool:
    return all(event is None for event in part.meets) and all(end.kind == "lost" for end in part.data.ends)


def _is_within_error(part: _Part, parts: Sequence[_Part]) -> bool:
    """Whether a part's free entropy is, wherever it was solved, that of another part to within its error."""
    low, high = part.data.reach
    for other in parts:
        if other is part or _is_alone(other):
            continue
        here = [state_evaluation(p.evaluation.detail) for p in part.traced.curve.points if low <= p.y[-1] <= high]
        phi = other.data.free_entropies(np.array([one.alpha for one in here]))
        if all(
            abs(one.free_entropy - value) <= ERRORS * one.free_entropy_error
            for one, value in zip(here, phi, strict=True)
        ):
            return True
    return False


def _lies_on(part: _Part, other: _Part, problem: AttentionProblem) -> bool:
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


def _absorbed(parts: list[_Part]) -> list[_Part]:
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
                event
                for part in near
                for event in part.meets
                if event is not None and event.kind is EventKind.PITCHFORK
            ]
            # Its other end is none of theirs.
            noise = [other.meets[end], *(met for part in near for met in part.meets)]
            noise = [event for event in noise if _is_fold(event) and event is not other.meets[1 - end]]
            ends, meets = list(other.data.ends), list(other.meets)
            ends[end] = CurveEnd("pitchfork" if births else "lost", edge)
            meets[end] = min(births, key=lambda event: abs(event.parameter - edge), default=None)
            data = replace(other.data, ends=(ends[0], ends[1]))
            events = tuple(event for event in other.events if all(event is not fold for fold in noise))
            whole = replace(other, data=data, meets=(meets[0], meets[1]), events=events)
            rest = [part for part in parts if part is not other and all(part is not one for one in near)]
            return _absorbed([*rest, whole])
    return parts


def _fragments_at(other: _Part, end: int, parts: Sequence[_Part]) -> list[_Part]:
    """Return the fragments of a part's branch beside one of its ends: short, and lost, or joined to such by folds."""
    kind, edge = other.data.ends[end].kind, other.data.reach[end]
    room = FRAGMENT * (other.data.reach[1] - other.data.reach[0])
    near = [
        part
        for part in parts
        if part is not other
        and (part.sector, part.family) == (other.sector, other.family)
        and part.data.reach[1] - part.data.reach[0] < room
        and min(abs(alpha - edge) for alpha in part.data.reach) < room
        # What lies well within the longer part's own reach is another arm.
        and (part.data.reach[1] < edge * (1.0 + BESIDE) if end == 0 else part.data.reach[0] > edge * (1.0 - BESIDE))
    ]
    lost = [part for part in near if any(own.kind == "lost" for own in part.data.ends)]
    folds = [event for part in lost for event in part.meets if _is_fold(event)]
    joined = [part for part in near if any(event is met for event in folds for met in part.meets)]
    found = [part for part in near if any(part is one for one in (*lost, *joined))]
    if kind == "lost":
        return found
    if kind == "fold" and any(other.meets[end] is met for part in found for met in part.meets):
        return found
    # A fold joins two parts: one alone is the rule's noise, too.
    alone = all(other.meets[end] is not met for part in parts if part is not other for met in part.meets)
    return found if kind == "fold" and alone else []


def _is_fold(event: Event | None) -> bool:
    return event is not None and event.kind is EventKind.FOLD


def _with_short(other: _Part, short: _Part, end: int) -> _Part | None:
    """Return a part continued beyond one of its ends by a short one; None where they are not one branch."""
    a, b = other.data, short.data
    if a.ends[end].kind != "lost" or b.ends[1 - end].kind != "lost":
        return None
    beyond = b.alpha < a.alpha[0] if end == 0 else b.alpha > a.alpha[-1]
    gap = (a.alpha[0] - b.alpha[-1]) if end == 0 else (b.alpha[0] - a.alpha[-1])
    room = SHORT * (a.alpha[-1] - a.alpha[0])
    if not beyond.any() or gap > room or b.alpha[-1] - b.alpha[0] > room:
        return None
    here, there = a.states[-end], b.states[beyond][end - 1]
    if np.max(np.abs(here - there)) > JOINED * np.max(np.abs(here)):
        return None

    def both(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.concatenate([first, second[beyond]] if end else [second[beyond], first])

    arrays = ("alpha", "states", "tangents", "free_entropy", "average_envelope", "test_error", "test_error_slope")
    ends, vanishing, meets = list(a.ends), list(a.vanishing), list(other.meets)
    ends[end], vanishing[end], meets[end] = b.ends[end], b.vanishing[end], short.meets[end]
    curve = BranchCurve(
        **{name: both(getattr(a, name), getattr(b, name)) for name in arrays},
        ends=(ends[0], ends[1]),
        vanishing=(vanishing[0], vanishing[1]),
    )
    events = (*other.events, *short.events)
    return replace(other, data=curve, meets=(meets[0], meets[1]), events=events)


def _names(family: str, own: Sequence[_Part], parts: Sequence[_Part], space: StateSpace) -> list[str]:
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


def _origin(part: _Part, parts: Sequence[_Part], space: StateSpace) -> str:
    """Say in a word where a piece is born: at its end of lower alpha."""
    event, end = part.meets[0], part.data.ends[0]
    if event is None:
        return {"onset": "null", "bound": "below"}.get(end.kind, "nowhere known")
    if event.kind is EventKind.FOLD:
        return "fold"
    parents = [other.family for other in parts if any(event is one for one in other.events)]
    return parents[0] if parents else "pitchfork"


def _is_fragment(part: _Part, own: Sequence[_Part]) -> bool:
    """Whether a piece was lost in or beside the reach of a much longer one of its sector."""
    low, high = part.data.reach
    if all(end.kind != "lost" for end in part.data.ends):
        return False
    for other in own:
        first, last = other.data.reach
        room = FRAGMENT * (last - first)
        beside = first - room < high and low < last + room
        if other is not part and other.sector == part.sector and high - low < room and beside:
            return True
    return False


def _parts(problem: AttentionProblem, traced: TracedBranch, there: dict[int, StateEvaluation | None]) -> list[_Part]:
    """Cut a curve where it turns back in alpha."""
    space, sector = problem.space, sector_of(traced.section.block, problem.space)
    found = []
    for points, events, endings in _split(traced):
        if points[-1].y[-1] < points[0].y[-1]:
            points, events, endings = points[::-1], (events[1], events[0]), (endings[1], endings[0])
        data = _data(problem.evolution, sector, traced, points, events, endings, there)
        if data is None:
            continue
        attracting = _attracts(sector, points)
        told = space.tells_families_apart
        family = sector.family if told else _family(problem.evolution, data, attracting)
        found.append(_Part(family, sector, traced, data, events, attracting, traced.events))
    return found


Split = tuple[list[CurvePoint], tuple[Event | None, Event | None], tuple[str, str]]


def _split(traced: TracedBranch) -> list[Split]:
    """Return the points, events and kinds of ends of each part on which alpha is monotone, in the curve's order."""
    folds = _folds_by_segment(traced)
    parts: list[list[CurvePoint]] = [[]]
    cuts: list[Event | None] = []
    for place, (before, after) in enumerate(zip((None, *traced.curve.points), traced.curve.points, strict=False)):
        if before is not None:
            fold = folds.get(place - 1)
            # A rough rule may turn a curve back without a fold that could be located.
            if fold is not None or _turns(parts[-1], after):
                cuts.append(fold)
                parts.append([])
        parts[-1].append(after)
    events = [traced.meets[0], *cuts, traced.meets[1]]
    kinds = [_ending(traced, 0), *("fold" if cut is not None else "lost" for cut in cuts), _ending(traced, 1)]
    split: list[Split] = []
    for k, points in enumerate(parts):
        split.append((points, (events[k], events[k + 1]), (kinds[k], kinds[k + 1])))
    return [part for part in split if len(part[0]) > 1]


def _folds_by_segment(traced: TracedBranch) -> dict[int, Event]:
    """Return the folds of a curve, by the number of the segment between two points on which each lies."""
    segments = list(pairwise(traced.curve.points))
    brackets = [(float(first.y[-1]), float(last.y[-1])) for first, last in segments]
    found: dict[int, Event] = {}
    halved = []
    for event in traced.events:
        if event.kind is EventKind.FOLD and event.bracket in brackets:
            found[brackets.index(event.bracket)] = event
        elif event.kind is EventKind.FOLD:
            halved.append(event)
    for event in halved:
        # Located on a part of a segment: of those that turn back, the one next to it.
        turning = [
            k
            for k, (first, last) in enumerate(segments)
            if k not in found and first.tangent[-1] * last.tangent[-1] <= 0.0
        ]
        if turning:
            found[min(turning, key=lambda k: _away(traced, segments[k], event))] = event
    return found


def _away(traced: TracedBranch, segment: tuple[CurvePoint, CurvePoint], event: Event) -> float:
    """Return the distance of an event from the middle of a segment, in natural units."""
    units = np.asarray(traced.section.units(segment[0].y), dtype=float)
    there = np.append(event.x, event.parameter)
    middle = traced.section.full(0.5 * (segment[0].y + segment[1].y))
    here = np.append(middle[0], 0.5 * (segment[0].y[-1] + segment[1].y[-1]))
    scale = np.append(traced.section.problem.units(here[:-1]), units[-1])
    return float(np.linalg.norm((there - here) / scale))


def _ending(traced: TracedBranch, end: int) -> str:
    """Return how a curve ended at its first or its last point, in a word of :class:`CurveEnd`."""
    event, outcome, stop = traced.meets[end], traced.curve.endings[end], traced.curve.stops[end]
    if event is not None:
        return "pitchfork"
    if outcome is Outcome.AT_BOUND:
        return "bound"
    if outcome is Outcome.STOPPED and stop == NO_FURTHER:
        return "onset"
    return "interrupted" if outcome is Outcome.INTERRUPTED else "lost"


def _turns(points: Sequence[CurvePoint], after: CurvePoint) -> bool:
    """Whether alpha, increasing or decreasing along some points, turns back with the next one."""
    if len(points) < 2:
        return False
    first, last = points[-2].y[-1], points[-1].y[-1]
    return bool((last - first) * (after.y[-1] - last) < 0.0)


def _data(
    evolution: StateEvolution,
    sector: Sector,
    traced: TracedBranch,
    points: Sequence[CurvePoint],
    events: tuple[Event | None, Event | None],
    endings: tuple[str, str],
    there: dict[int, StateEvaluation | None],
) -> BranchCurve | None:
    """Return the nodes of a part, with the bifurcations at its ends."""
    space = evolution.space
    low, high = (None if event is None else event.parameter for event in events)
    rows: list[tuple[StateEvaluation, np.ndarray]] = []
    for point in points:
        alpha = float(point.y[-1])
        # On a rough rule a point may lie beyond the bifurcation that ends its part.
        if (low is not None and alpha <= low) or (high is not None and alpha >= high):
            continue
        here = state_evaluation(point.evaluation.detail)
        direction = traced.section.block.basis @ point.tangent[:-1]
        tangent = np.append(direction, point.tangent[-1]) * (1.0 if point.tangent[-1] >= 0.0 else -1.0)
        signs = _signs(here.state, space)
        tangent[:-1] *= signs
        if not rows or alpha > rows[-1][0].alpha:
            rows.append((here, tangent))
    if not rows:
        return None
    states = [canonical_signs(here.state, space) for here, _ in rows]
    vanishing: list[tuple[int, ...]] = [(), ()]
    for end, event in enumerate(events):
        if event is None:
            continue
        if id(event) not in there:
            there[id(event)] = _evaluated(evolution, event)
        here = there[id(event)]
        if here is None:
            continue
        row = (here, np.full(space.size + 1, np.nan))
        # Of the images of where it is born, the one that the branch goes to.
        images = [here.state, *(np.array(signs) * here.state for signs in space.group)]
        scales = here.full_scales
        nearest = min(images, key=lambda image: float(np.max(np.abs(image - states[-end]) / scales)))
        vanishing[end] = tuple(i for i in sector.broken if nearest[i] == 0.0)
        rows, states = ([*rows, row], [*states, nearest]) if end else ([row, *rows], [nearest, *states])
    return BranchCurve(
        alpha=np.array([here.alpha for here, _ in rows]),
        states=np.array(states),
        tangents=np.array([tangent for _, tangent in rows]),
        free_entropy=np.array([here.free_entropy for here, _ in rows]),
        average_envelope=np.array([here.averages.envelope for here, _ in rows]),
        test_error=np.array([here.test_error for here, _ in rows]),
        test_error_slope=np.array([_slope(here, sector, tangent) for here, tangent in rows]),
        ends=(CurveEnd(endings[0], rows[0][0].alpha), CurveEnd(endings[1], rows[-1][0].alpha)),
        vanishing=(vanishing[0], vanishing[1]),
    )


def _signs(state: np.ndarray, space: StateSpace) -> np.ndarray:
    """Return by which signs a state becomes canonical, (n,)."""
    moved = canonical_signs(state, space)
    return np.where(moved * state < 0.0, -1.0, 1.0)


def _evaluated(evolution: StateEvolution, event: Event) -> StateEvaluation | None:
    try:
        return evolution.evaluate(event.x, event.parameter)
    except OutsideDomain:
        return None


def _slope(here: StateEvaluation, sector: Sector, tangent: np.ndarray) -> float:
    """Return the derivative of the test error along a branch; nan at its bifurcations."""
    if np.any(np.isnan(tangent)):
        return float("nan")
    try:
        return here.test_error_slope(sector.free)
    except np.linalg.LinAlgError:
        return float("nan")


def _attracts(sector: Sector, points: Sequence[CurvePoint]) -> bool:
    """Whether state evolution within the sector is attracted to a part, at a point somewhat above its birth."""
    alphas = np.array([float(point.y[-1]) for point in points])
    wanted = min(LOOKED_AT * alphas[0], float(np.sqrt(alphas[0] * alphas[-1])))
    here = state_evaluation(points[int(np.argmin(np.abs(alphas - wanted)))].evaluation.detail)
    free = list(sector.free)
    return bool(np.all(np.linalg.eigvals(here.full_jacobian[np.ix_(free, free)]).real > 0.0))


def _family(evolution: StateEvolution, data: BranchCurve, attracting: bool) -> str:
    """Return what the solutions of a piece attend by, where symmetries do not tell: by the overlaps at one alpha.

    That is in the middle of what of it lies in the smallest interval searched, whatever was asked.
    """
    low, high = data.reach
    middle = float(np.clip(np.sqrt(max(low, LOWEST) * min(high, HIGHEST)), low, high))
    state = data.state(middle)[0]
    position, meaning = evolution.shares(state)
    if max(position, meaning) < SMALL_SHARE:
        return "agnostic"
    if not attracting:
        return "mixed"
    return "positional" if position > meaning else "semantic"


def piece_with(event: Event, pieces: Sequence[Piece], evolution: StateEvolution) -> Piece | None:
    """Return the piece that an event lies on; None where no piece reaches it.

    A curve with a fold passes the same alpha on several pieces: the event is on the one whose solution there is its
    own. A fold itself belongs to the first of the two pieces that it ends.
    """
    own = [piece for piece in pieces if any(event is one for one in piece.events)]
    ended = [piece for piece in own if any(event is met for met in piece.meets)]
    if event.kind is EventKind.FOLD:
        return ended[0] if ended else None
    reaching = [piece for piece in own if piece.curve.reaches(event.parameter)] or ended
    if len(reaching) < 2:
        return reaching[0] if reaching else None
    units = evolution.scales(evolution.space.floored(event.x))
    there = canonical_signs(event.x, evolution.space)
    return min(reaching, key=lambda piece: float(np.max(np.abs(piece.curve.state(event.parameter)[0] - there) / units)))


def _with_partners(piece: Piece, pieces: Sequence[Piece]) -> BranchCurve:
    """Return a piece's curve with the names of the branches on which it ends."""
    ends = []
    for event, end in zip(piece.meets, piece.curve.ends, strict=True):
        partner = ""
        if event is not None and event.kind is EventKind.FOLD:
            partner = next((p.name for p in pieces if p is not piece and any(event is met for met in p.meets)), "")
        elif event is not None:
            parents = [p for p in pieces if any(event is one for one in p.events) and p.curve.reaches(event.parameter)]
            partner = parents[0].name if parents else ""
        elif end.kind == "onset":
            partner = "null"
        ends.append(replace(end, partner=partner))
    return replace(piece.curve, ends=(ends[0], ends[1]))
