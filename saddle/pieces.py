"""Cut curves of solutions into pieces with one solution per alpha, and name them by what they attend by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from replica.sectors import FAMILIES, Sector
from saddle.attention_problem import AttentionProblem, sector_of
from saddle.continuation.curves import CurvePoint
from saddle.continuation.events import Event, EventKind
from saddle.continuation.exploration import TracedBranch
from saddle.continuation.tracing import Curve
from saddle.families import Families
from saddle.outcomes import Outcome
from saddle.state_evolution import StateEvolution
from saddle.state_space import StateSpace

__all__ = ["Piece", "pieces_of"]

# Shares of a pre-activation, of position and of meaning, below which a solution knows neither.
SMALL_SHARE = 0.02
# A piece that is so much shorter than another one of its sector, beside it in alpha, is a fragment of that.
FRAGMENT = 0.1
ROUNDING = 1e-12


@dataclass(frozen=True)
class Piece:
    """A part of a curve on which alpha is monotone: one branch.

    Attributes
    ----------
    name
        The family's, with a number from the second piece of a family on.
    traced
        The curve.
    curve
        Its points on this piece.
    meets
        Events at the ends of lower and higher alpha: a fold, or a branch point on another branch; or None.
    """

    name: str
    traced: TracedBranch
    curve: Curve
    meets: tuple[Event | None, Event | None]

    @property
    def sector(self) -> Sector:
        """Which order parameters are non-zero."""
        return sector_of(self.traced.section.block, space_of(self.traced))

    @property
    def family(self) -> str:
        """One of ``FAMILIES``."""
        return self.name.split()[0]

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest alpha of its points."""
        values = self.curve.values[:, -1]
        # Landing on a bound leaves rounding.
        return float(values.min()) * (1.0 - ROUNDING), float(values.max()) * (1.0 + ROUNDING)

    @property
    def reach(self) -> tuple[float, float]:
        """Lowest and highest alpha at which it exists: those of the pitchforks or folds at its ends, if any."""
        (low, high), (first, last) = self.bounds, self.meets
        return (
            low if first is None else min(low, first.parameter),
            high if last is None else max(high, last.parameter),
        )


def _split(traced: TracedBranch) -> list[tuple[list[CurvePoint], list[Event | None]]]:
    """Cut a curve where it turns back in alpha; return points and the events at both ends of each part."""
    folds = [event for event in traced.events if event.kind is EventKind.FOLD]
    parts: list[tuple[list[CurvePoint], list[Event | None]]] = [([], [traced.meets[0], None])]
    for before, after in zip((None, *traced.curve.points), traced.curve.points, strict=False):
        if before is not None:
            bracket = (float(before.y[-1]), float(after.y[-1]))
            fold = next((event for event in folds if event.bracket == bracket), None)
            # A rough rule may turn a curve back without a fold that could be located.
            if fold is not None or _turns(parts[-1][0], after):
                parts[-1][1][1] = fold
                parts.append(([], [fold, None]))
        parts[-1][0].append(after)
    parts[-1][1][1] = traced.meets[1]
    return [part for part in parts if len(part[0]) > 1]


def _turns(points: Sequence[CurvePoint], after: CurvePoint) -> bool:
    """Whether alpha, increasing or decreasing along some points, turns back with the next one."""
    if len(points) < 2:
        return False
    first, last = points[-2].y[-1], points[-1].y[-1]
    return bool((last - first) * (after.y[-1] - last) < 0.0)


def pieces_of(families: Families) -> tuple[Piece, ...]:
    """Return the pieces of all curves, named: first those that attract state evolution in their sector, by alpha.

    Fragments of such a piece, which a rough rule leaves beside the pitchfork where it was lost, come after it.
    """
    own: dict[str, list] = {family: [] for family in FAMILIES}
    for place, sector in enumerate(families.sectors):
        for traced in families.of(sector):
            for points, ends in _split(traced):
                forwards = points[-1].y[-1] >= points[0].y[-1]
                meets = (ends[0], ends[1]) if forwards else (ends[1], ends[0])
                curve = Curve(tuple(points), (Outcome.STARTED, Outcome.STOPPED))
                reach = (float(curve.values[:, -1].min()), float(curve.values[:, -1].max()))
                order = (place, not _attracts(curve), reach)
                family = _family(traced, curve, sector, families.problem.space)
                own[family].append((order, traced, curve, meets))
    found = []
    for family, parts in own.items():
        orders = [part[0] for part in parts]
        parts = sorted(parts, key=lambda part: (*part[0][:2], _is_fragment(part[0], part[3], orders), part[0][2]))
        for number, (_, traced, curve, meets) in enumerate(parts, start=1):
            found.append(Piece(family if number == 1 else f"{family} {number}", traced, curve, meets))
    return tuple(found)


def _is_fragment(order: tuple, meets: tuple[Event | None, Event | None], orders: Sequence[tuple]) -> bool:
    """Whether a piece, by sector, attraction and reach, was lost in or beside the reach of a much longer one."""
    (low, high), lost = order[2], None in meets
    for other in orders:
        first, last = other[2]
        room = FRAGMENT * (last - first)
        if lost and other[:2] == order[:2] and high - low < room and first - room < high and low < last + room:
            return True
    return False


def _family(traced: TracedBranch, curve: Curve, sector: Sector, space: StateSpace) -> str:
    """Return what the solutions of a piece attend by: as its sector says, or else by the overlaps at its middle."""
    if space.tells_families_apart:
        return sector.family
    middle = curve.points[len(curve.points) // 2]
    state = traced.section.full(middle.y)[0]
    evolution = _evolution_of(traced)
    position, meaning = evolution.shares(state)
    if max(position, meaning) < SMALL_SHARE:
        return "agnostic"
    if not _attracts(curve):
        return "mixed"
    return "positional" if position > meaning else "semantic"


def _evolution_of(traced: TracedBranch) -> StateEvolution:
    problem = traced.section.problem
    assert isinstance(problem, AttentionProblem)
    return problem.evolution


def space_of(traced: TracedBranch) -> StateSpace:
    """Return what the unknowns of a curve are."""
    return _evolution_of(traced).space


def _attracts(curve: Curve) -> bool:
    """Whether state evolution within the sector is attracted to a piece, at its middle point."""
    middle = curve.points[len(curve.points) // 2]
    block = middle.evaluation.jacobian[:, :-1]
    return bool(np.all(np.linalg.eigvals(block).real > 0.0))
