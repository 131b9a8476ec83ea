"""Cut curves of solutions where they turn back in alpha: every part has one solution per alpha."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from replica.symmetry.families import family_of
from replica.symmetry.sectors import Sector
from saddle.averages.rules.rule_arguments import is_lattice
from saddle.averages.state_space import StateSpace
from saddle.branches.branch_curve import BranchCurve, CurveEnd
from saddle.branches.problem import AttentionProblem, state_evaluation
from saddle.branches.search.search_interval import HIGHEST, LOWEST
from saddle.branches.search.sector_solver import canonical_signs
from saddle.branches.sector_blocks import sector_of
from saddle.continuation.curve.curves import CurvePoint
from saddle.continuation.exploration import NO_FURTHER
from saddle.continuation.explored import TracedBranch
from saddle.continuation.newton import OutsideDomain
from saddle.continuation.outcomes import Outcome
from saddle.continuation.special_points.special_point import SpecialPoint, SpecialPointKind
from saddle.state_evolution.evaluation import StateEvaluation
from saddle.state_evolution.state_evolution import StateEvolution

__all__ = ["Part", "evaluated", "image_beside", "parts_of"]

# Shares of a pre-activation, of position and of meaning, below which a solution knows neither.
SMALL_SHARE = 0.02
# An overlap below this, in its natural unit, is zero where there are no encodings; and on rules of larger errors.
VANISHED, VANISHED_ROUGHLY = 2e-3, 2e-2
# Whether a piece attracts is looked at so far above its birth: that does not depend on where it was cut.
LOOKED_AT = 1.3


@dataclass(frozen=True)
class Part:
    """A part of a curve on which alpha is monotone, before it is named.

    Attributes
    ----------
    family, sector
        What it overlaps with, and which order parameters are non-zero.
    traced
        The curve that it is a part of.
    data
        Its nodes, by increasing alpha, and how it ends.
    meets
        Special points at its lower and its higher end, or None.
    attracting
        Whether state evolution within the sector is attracted to it.
    special_points
        Special points of the whole curve.
    """

    family: str
    sector: Sector
    traced: TracedBranch
    data: BranchCurve
    meets: tuple[SpecialPoint | None, SpecialPoint | None]
    attracting: bool
    special_points: tuple[SpecialPoint, ...]


def parts_of(problem: AttentionProblem, traced: TracedBranch, there: dict[int, StateEvaluation | None]) -> list[Part]:
    """Cut a curve where it turns back in alpha."""
    space, sector = problem.space, sector_of(traced.section.block, problem.space)
    found = []
    for points, special_points, endings in _split(traced):
        if points[-1].y[-1] < points[0].y[-1]:
            points, special_points, endings = (
                points[::-1],
                (special_points[1], special_points[0]),
                (endings[1], endings[0]),
            )
        data = _data(problem.evolution, sector, traced, points, special_points, endings, there)
        if data is None:
            continue
        attracting = _attracts(sector, points)
        if not space.layout.directions:
            family = _family_by_columns(problem.evolution, sector, data)
        elif space.tells_families_apart:
            family = sector.family
        else:
            family = _family(problem.evolution, data, attracting)
        found.append(Part(family, sector, traced, data, special_points, attracting, traced.special_points))
    return found


Split = tuple[list[CurvePoint], tuple[SpecialPoint | None, SpecialPoint | None], tuple[str, str]]


def _split(traced: TracedBranch) -> list[Split]:
    """Return points, special points and kinds of ends of each part on which alpha is monotone, in the curve's order."""
    folds = _folds_by_segment(traced)
    parts: list[list[CurvePoint]] = [[]]
    cuts: list[SpecialPoint | None] = []
    for place, (before, after) in enumerate(zip((None, *traced.curve.points), traced.curve.points, strict=False)):
        if before is not None:
            fold = folds.get(place - 1)
            # A rough rule may turn a curve back without a fold that could be located.
            if fold is not None or _turns(parts[-1], after):
                cuts.append(fold)
                parts.append([])
        parts[-1].append(after)
    special_points = [traced.meets[0], *cuts, traced.meets[1]]
    kinds = [_ending(traced, 0), *("fold" if cut is not None else "lost" for cut in cuts), _ending(traced, 1)]
    split: list[Split] = []
    for k, points in enumerate(parts):
        split.append((points, (special_points[k], special_points[k + 1]), (kinds[k], kinds[k + 1])))
    return [part for part in split if len(part[0]) > 1]


def _folds_by_segment(traced: TracedBranch) -> dict[int, SpecialPoint]:
    """Return the folds of a curve, by the number of the segment between two points on which each lies."""
    segments = list(pairwise(traced.curve.points))
    brackets = [(float(first.y[-1]), float(last.y[-1])) for first, last in segments]
    found: dict[int, SpecialPoint] = {}
    halved = []
    for special in traced.special_points:
        if special.kind is SpecialPointKind.FOLD and special.bracket in brackets:
            found[brackets.index(special.bracket)] = special
        elif special.kind is SpecialPointKind.FOLD:
            halved.append(special)
    for special in halved:
        # Located on a part of a segment: of those that turn back, the one next to it.
        turning = [
            k
            for k, (first, last) in enumerate(segments)
            if k not in found and first.tangent[-1] * last.tangent[-1] <= 0.0
        ]
        if turning:
            found[min(turning, key=lambda k: _away(traced, segments[k], special))] = special
    return found


def _away(traced: TracedBranch, segment: tuple[CurvePoint, CurvePoint], special: SpecialPoint) -> float:
    """Return the distance of a special point from the middle of a segment, in natural units."""
    units = np.asarray(traced.section.units(segment[0].y), dtype=float)
    there = np.append(special.x, special.parameter)
    middle = traced.section.full(0.5 * (segment[0].y + segment[1].y))
    here = np.append(middle[0], 0.5 * (segment[0].y[-1] + segment[1].y[-1]))
    scale = np.append(traced.section.problem.units(here[:-1]), units[-1])
    return float(np.linalg.norm((there - here) / scale))


def _ending(traced: TracedBranch, end: int) -> str:
    """Return how a curve ended at its first or its last point, in a word of :class:`CurveEnd`."""
    special, outcome, stop = traced.meets[end], traced.curve.endings[end], traced.curve.stops[end]
    if special is not None:
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
    special_points: tuple[SpecialPoint | None, SpecialPoint | None],
    endings: tuple[str, str],
    there: dict[int, StateEvaluation | None],
) -> BranchCurve | None:
    """Return the nodes of a part, with the bifurcations at its ends."""
    space = evolution.space
    low, high = (None if special is None else special.parameter for special in special_points)
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
    for end, special in enumerate(special_points):
        if special is None:
            continue
        if id(special) not in there:
            there[id(special)] = evaluated(evolution, special)
        here = there[id(special)]
        if here is None:
            continue
        row = (here, np.full(space.size + 1, np.nan))
        nearest, vanishing[end] = image_beside(space, sector, here, states[-end])
        rows, states = ([*rows, row], [*states, nearest]) if end else ([row, *rows], [nearest, *states])
    return BranchCurve(
        alpha=np.array([here.alpha for here, _ in rows]),
        states=np.array(states),
        tangents=np.array([tangent for _, tangent in rows]),
        free_entropy=np.array([here.free_entropy for here, _ in rows]),
        average_envelope=np.array([here.averages.envelope for here, _ in rows]),
        test_error=np.array([here.test_error for here, _ in rows]),
        test_error_derivative=np.array([_slope(here, sector, tangent) for here, tangent in rows]),
        ends=(CurveEnd(endings[0], rows[0][0].alpha), CurveEnd(endings[1], rows[-1][0].alpha)),
        vanishing=(vanishing[0], vanishing[1]),
    )


def _signs(state: np.ndarray, space: StateSpace) -> np.ndarray:
    """Return by which signs a state becomes canonical, (n,)."""
    moved = canonical_signs(state, space)
    return np.where(moved * state < 0.0, -1.0, 1.0)


def image_beside(
    space: StateSpace, sector: Sector, here: StateEvaluation, beside: np.ndarray
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Return the image (n,) of a pitchfork's solution that a branch goes to, and which of the branch's overlaps vanish.

    Parameters
    ----------
    space, sector
        Of the branch.
    here
        The solution at the pitchfork.
    beside
        The branch's state next to it, (n,).
    """
    images = [here.state, *(np.array(signs) * here.state for signs in space.group)]
    nearest = min(images, key=lambda image: float(np.max(np.abs(image - beside) / here.full_units)))
    return nearest, tuple(i for i in sector.broken if nearest[i] == 0.0)


def evaluated(evolution: StateEvolution, special: SpecialPoint) -> StateEvaluation | None:
    """Return the solution at a special point; None outside the domain."""
    try:
        return evolution.evaluate(special.x, special.parameter)
    except OutsideDomain:
        return None


def _slope(here: StateEvaluation, sector: Sector, tangent: np.ndarray) -> float:
    """Return the derivative of the test error along a branch; nan at its bifurcations."""
    if np.any(np.isnan(tangent)):
        return float("nan")
    try:
        return here.test_error_derivative(sector.free)
    except np.linalg.LinAlgError:
        return float("nan")


def _attracts(sector: Sector, points: Sequence[CurvePoint]) -> bool:
    """Whether state evolution within the sector is attracted to a part, at a point somewhat above its birth."""
    alphas = np.array([float(point.y[-1]) for point in points])
    wanted = min(LOOKED_AT * alphas[0], float(np.sqrt(alphas[0] * alphas[-1])))
    here = state_evaluation(points[int(np.argmin(np.abs(alphas - wanted)))].evaluation.detail)
    free = list(sector.free)
    return bool(np.all(np.linalg.eigvals(here.full_jacobian[np.ix_(free, free)]).real > 0.0))


def _middle_state(data: BranchCurve) -> np.ndarray:
    """Return the state (n,) in the middle of what of a piece lies in the smallest interval searched."""
    low, high = data.reach
    middle = float(np.clip(np.sqrt(max(low, LOWEST) * min(high, HIGHEST)), low, high))
    return data.state(middle)[0]


def _family_by_columns(evolution: StateEvolution, sector: Sector, data: BranchCurve) -> str:
    """Return which of the teacher's columns the solutions of a piece overlap with, where there are no encodings.

    An overlap that symmetries allow may vanish nevertheless, as of a linear student with a teacher of no linear part.
    """
    space, state = evolution.space, _middle_state(data)
    sizes = np.abs(state) / evolution.units(space.floored(state))
    least = VANISHED if is_lattice(evolution.rule) else VANISHED_ROUGHLY
    there = [i for i in sector.broken if sizes[i] > least]
    return family_of((space.quantities[i] for i in there), space.layout)


def _family(evolution: StateEvolution, data: BranchCurve, attracting: bool) -> str:
    """Return what the solutions of a piece overlap with, where symmetries do not tell: by the overlaps at one alpha."""
    position, meaning = evolution.shares(_middle_state(data))
    if max(position, meaning) < SMALL_SHARE:
        return "agnostic"
    if not attracting:
        return "mixed"
    return "positional" if position > meaning else "semantic"
