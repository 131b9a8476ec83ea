"""The branch Q = 0 as a piece like any other, and the branches that begin on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from replica.symmetry.families import AGNOSTIC
from saddle.branches.branch_curve import BranchCurve, CurveEnd, OnCurve
from saddle.branches.null.channel import NEVER
from saddle.branches.null.departing import departing_state
from saddle.branches.null.departures import NullDeparture, NullInterval, null_departures, null_reach
from saddle.branches.null.on_rule import null_shift
from saddle.branches.null.solution import NULL_FAMILY, NullProblem, evaluation_at, null_evaluation, null_sector
from saddle.branches.pieces.faint_ends import without_faint_ends
from saddle.branches.pieces.pieces import Piece
from saddle.branches.search.sector_solver import evaluation_of, informed_solution
from saddle.state_evolution.evaluation import StateEvaluation
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.transitions.found import Found, by_alpha
from saddle.transitions.sharpening import FLOOR
from saddle.transitions.transition import Transition, TransitionPoint

__all__ = ["NullBranches", "find_null", "find_onsets", "starts_beside", "with_null"]

# Nodes of the curve: Phi is linear in alpha and the test error constant, so that only V needs any.
NODES = 12
# Relative distance from a departure at which a branch that leaves is begun.
BESIDE = (0.02, 0.06)
# Relative distance of a curve that ends with its weights vanishing, and the departure that it ends at.
NEAR = 0.05


@dataclass(frozen=True)
class NullBranches:
    """Where Q = 0 is a solution, and where others leave it.

    Attributes
    ----------
    intervals
        Of alpha.
    departures
        By increasing alpha.
    pieces
        Q = 0 itself, one for every interval.
    """

    intervals: tuple[NullInterval, ...] = ()
    departures: tuple[NullDeparture, ...] = ()
    pieces: tuple[Piece, ...] = ()


def find_null(evolution: StateEvolution, bounds: tuple[float, float], pieces: Sequence[Piece]) -> NullBranches:
    """Look for Q = 0 over an interval, unless agnostic solutions are known over all of it, or samples have classes.

    Where the least eigenvalue of dF/du at Q = 0 vanishes, agnostic solutions take over: both do not exist together.
    """
    if evolution.model.classes or _covered([piece for piece in pieces if piece.family == AGNOSTIC], bounds):
        return NullBranches()
    intervals = null_reach(evolution, *bounds)
    if not intervals:
        return NullBranches()
    own = [_null_piece(evolution, interval, number) for number, interval in enumerate(intervals, 1)]
    departures = null_departures(evolution, *bounds)
    return NullBranches(intervals, departures, tuple(piece for piece in own if piece is not None))


def _covered(pieces: Sequence[Piece], bounds: tuple[float, float]) -> bool:
    reached = bounds[0]
    for piece in sorted(pieces, key=lambda piece: piece.curve.reach):
        low, high = piece.curve.reach
        if low <= reached * (1.0 + 1e-9):
            reached = max(reached, high)
    return reached >= bounds[1] * (1.0 - 1e-9)


def starts_beside(
    evolution: StateEvolution, null: NullBranches, bounds: tuple[float, float]
) -> list[tuple[np.ndarray, float]]:
    """Return states (n,) close to the solutions that leave Q = 0, with their alpha."""
    found = []
    for departure in null.departures:
        sides = (1.0, -1.0) if departure.unstable_above else (-1.0, 1.0)
        for part in BESIDE:
            alphas = [departure.alpha * (1.0 + side * part) for side in sides]
            inside = [alpha for alpha in alphas if bounds[0] < alpha < bounds[1]]
            states = ((departing_state(evolution, departure, alpha), alpha) for alpha in inside)
            begun = next(((state, alpha) for state, alpha in states if state is not None), None)
            begun = begun or _informed(evolution, departure, inside)
            found += [] if begun is None else [begun]
    return found


def _informed(
    evolution: StateEvolution, departure: NullDeparture, alphas: Sequence[float]
) -> tuple[np.ndarray, float] | None:
    """Return a solution of a departure's family at one of some alphas, found from an informed state."""
    own = [sector for sector in evolution.space.sectors if sector.family == departure.leaves]
    for alpha in alphas if own else ():
        sector = min(own, key=lambda sector: len(sector.free))
        result = informed_solution(evolution, sector, alpha, most=1)
        if result is not None:
            return evaluation_of(result).state, alpha
    return None


def with_null(evolution: StateEvolution, null: NullBranches, pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Return pieces with those of Q = 0 before them, curves that begin on it reaching it, others' faint ends cut."""
    return without_faint_ends((*null.pieces, *(_reaching(evolution, null, piece) for piece in pieces)))


def _null_piece(evolution: StateEvolution, interval: NullInterval, number: int) -> Piece | None:
    alphas = np.geomspace(interval.low, interval.high, NODES)
    # At its ends V has folds: a little inside.
    width = interval.high - interval.low
    alphas[0] += 1e-6 * width * (interval.low_end != "range")
    alphas[-1] -= 1e-6 * width * (interval.high_end != "range")
    problem, guess, solved = NullProblem(evolution), None, []
    for alpha in alphas:
        here = problem.solve(float(alpha), guess)
        if here is not None and here.escape <= NEVER:
            guess = problem.unknowns(here)
            solved.append(evaluation_at(problem, here))
    if len(solved) < 2:
        return None
    kinds = [{"range": "bound"}.get(kind, kind) for kind in (interval.low_end, interval.high_end)]
    curve = BranchCurve(
        alpha=np.array([here.alpha for here in solved]),
        states=np.array([here.state for here in solved]),
        tangents=np.full((len(solved), evolution.space.size + 1), np.nan),
        free_entropy=np.array([here.free_entropy for here in solved]),
        average_envelope=np.array([here.averages.envelope for here in solved]),
        test_error=np.array([here.test_error for here in solved]),
        test_error_derivative=np.zeros(len(solved)),
        ends=(CurveEnd(kinds[0], interval.low), CurveEnd(kinds[1], interval.high)),
    )
    name = NULL_FAMILY if number == 1 else f"{NULL_FAMILY} ({number})"
    return Piece(name, null_sector(evolution.space), evolution, curve, attracting=True)


def _reaching(evolution: StateEvolution, null: NullBranches, piece: Piece) -> Piece:
    """Extend a curve whose weights vanish to the departure at which they do."""
    for end in (0, 1):
        if piece.curve.ends[end].kind != "onset":
            continue
        alpha = piece.curve.reach[end]
        near = [d for d in null.departures if abs(d.alpha - alpha) < NEAR * alpha and _belongs(d, piece, end)]
        departure = min(near, key=lambda d: abs(d.alpha - alpha), default=None)
        there = None if departure is None else _at_departure(evolution, null, departure)
        if departure is not None and there is not None:
            piece = replace(piece, curve=_extended(piece, end, departure.alpha, there))
    return piece


def _belongs(departure: NullDeparture, piece: Piece, end: int) -> bool:
    """Whether a curve is of a departure's family, and leads away from it to the right side."""
    far = piece.curve.reach[1 - end]
    beyond = far > departure.alpha if end == 0 else far < departure.alpha
    return departure.leaves == piece.family and beyond


def _at_departure(evolution: StateEvolution, null: NullBranches, departure: NullDeparture) -> StateEvaluation | None:
    """Evaluate Q = 0 at a departure, or as close to it as it is a solution."""
    for interval in null.intervals:
        width = interval.high - interval.low
        if interval.low - 1e-3 * width <= departure.alpha <= interval.high + 1e-3 * width:
            inside = np.clip(departure.alpha, interval.low + 1e-6 * width, interval.high - 1e-6 * width)
            return null_evaluation(evolution, float(inside))
    return None


def _extended(piece: Piece, end: int, alpha: float, here: StateEvaluation) -> BranchCurve:
    curve = piece.curve
    # The curve's own rule may have it begin a little elsewhere than the closed form.
    kept = curve.alpha > alpha if end == 0 else curve.alpha < alpha
    # As the curve's own rule has it.
    beside = tuple(map(float, curve.states[kept][-1 if end else 0])) if kept.any() else ()
    shift = null_shift(piece.evolution, here.state, here.averages.envelope, beside)
    node = {
        "alpha": alpha,
        "states": here.state,
        "free_entropy": here.free_entropy - here.alpha * shift,
        "average_envelope": here.averages.envelope + shift,
        "test_error": here.test_error,
    }
    return curve.ending(end, CurveEnd("onset", alpha, NULL_FAMILY), kept, node, piece.sector.broken)


def find_onsets(null: NullBranches, branches: Sequence[OnCurve]) -> Found:
    """Find where branches leave Q = 0."""
    found = []
    for departure in null.departures:
        leaving = [
            branch
            for branch in branches
            if branch.curve is not None
            and any(end.kind == "onset" and end.alpha == departure.alpha for end in branch.curve.ends)
        ]
        interval = next((i for i, part in enumerate(null.intervals) if part.low <= departure.alpha <= part.high), 0)
        own = NULL_FAMILY if interval == 0 else f"{NULL_FAMILY} ({interval + 1})"
        partner = leaving[0].name if leaving else departure.leaves
        points: tuple[TransitionPoint, ...] = ()
        if leaving and leaving[0].curve is not None:
            curve, end = leaving[0].curve, 0 if leaving[0].curve.ends[0].alpha == departure.alpha else -1
            state = tuple(map(float, curve.states[end]))
            exact = float(null.pieces[0].curve.average_envelope[0]) if null.pieces else np.nan
            points = (TransitionPoint(state, -departure.alpha * exact, float(curve.test_error[end])),)
        found.append(
            Transition(
                departure.alpha, max(departure.error, FLOOR), "onset", (own, partner), departure.unknown, points=points
            )
        )
    return by_alpha(found)
