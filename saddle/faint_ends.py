"""Ends of curves at which all weights fade away, and no branch that leaves Q = 0 is met.

Where Q = 0 ends because samples escape to another minimum, the few that do are so rare at first that weights grow as
exp(-1/q) has it: log(q), not q, follows alpha, and a rule's lines miss the samples that matter. Such a curve is cut
where its weights still follow alpha, at about the same place whatever the rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np

from saddle.branch_curve import BranchCurve, CurveEnd
from saddle.continuation.events import Event
from saddle.curve_solving import solve_on_curve
from saddle.pieces import Piece
from saddle.state_evolution import StateEvaluation

__all__ = ["without_faint_ends"]

# Of d log(alpha)/d log(q): where it is smaller, weights are so sensitive that rules of all accuracies differ.
FAINT = 0.05


def without_faint_ends(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Return pieces, those whose weights fade away cut, and those born on what is cut off.

    Parameters
    ----------
    pieces
        With curves that begin where a branch leaves Q = 0 reaching it already.
    """
    found, gone = list(pieces), []
    for place, piece in enumerate(found):
        for end in (0, 1):
            if piece.curve.ends[end].kind == "onset" and _weights(piece)[-end] > 0.0:
                piece, lost = _cut(piece, end)
                gone += lost
        found[place] = piece
    for place, piece in enumerate(found):
        for end in (0, 1):
            if any(piece.meets[end] is event for event in gone):
                piece, _ = _cut(piece, end)
                piece = piece if piece.curve.ends[end].kind == "faint" else _begun_nowhere(piece, end)
        found[place] = replace(piece, events=tuple(e for e in piece.events if all(e is not event for event in gone)))
    # What was faint all along is nothing that is known.
    return tuple(piece for piece in found if len(piece.curve.alpha) > 1)


def _begun_nowhere(piece: Piece, end: int) -> Piece:
    """Return a piece that is well known to its end, where it was born on what is not."""
    ends, meets = list(piece.curve.ends), list(piece.meets)
    ends[end], meets[end] = CurveEnd("lost", piece.curve.reach[end]), None
    return replace(piece, curve=replace(piece.curve, ends=(ends[0], ends[1])), meets=(meets[0], meets[1]))


def _weights(piece: Piece) -> np.ndarray:
    """Return the mean self-overlap of all columns at every node, (m,)."""
    overlaps = [piece.evolution.space.matrices(state, "self_overlap") for state in piece.curve.states]
    return np.array([np.mean(np.trace(one, axis1=1, axis2=2)) for one in overlaps])


def _followed(piece: Piece) -> np.ndarray:
    """Return |d log(alpha)/d log(q)| at every node, (m,); nan at a bifurcation."""
    curve, weights = piece.curve, _weights(piece)
    space = piece.evolution.space
    rates = np.array(
        [np.mean(np.trace(space.matrices(t[:-1], "self_overlap"), axis1=1, axis2=2)) for t in curve.tangents]
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.abs(weights / curve.alpha * curve.tangents[:, -1] / rates)


def _cut(piece: Piece, end: int) -> tuple[Piece, list[Event]]:
    """Return a piece without its faint end, and the events that lie on that."""
    curve, slopes = piece.curve, _followed(piece)
    order = np.arange(len(slopes)) if end == 0 else np.arange(len(slopes))[::-1]
    known = [k for k in order if not np.isnan(slopes[k])]
    # From this end as far as it is faint; where alpha is small, at the other end, weights are small as well.
    inner = next((k for k in known if slopes[k] >= FAINT), None)
    if inner == (known[0] if known else None):
        return piece, []
    kept = np.zeros(len(slopes), dtype=bool)
    edge = None
    if inner is not None:
        kept[:] = np.arange(len(slopes)) >= inner if end == 0 else np.arange(len(slopes)) <= inner
        outer = known[known.index(inner) - 1]
        part = (FAINT - slopes[outer]) / (slopes[inner] - slopes[outer])
        alpha = float(curve.alpha[outer] + part * (curve.alpha[inner] - curve.alpha[outer]))
        solved = solve_on_curve(piece.evolution, piece.sector, curve, alpha)
        edge = None if solved is None else solved[0]
    shorter = _with_edge(curve, kept, end, edge)
    cut_at = shorter.reach[end] if len(shorter.alpha) else (np.inf if end == 0 else -np.inf)
    lost = [e for e in piece.events if (e.parameter < cut_at if end == 0 else e.parameter > cut_at)]
    meets = (None, piece.meets[1]) if end == 0 else (piece.meets[0], None)
    return replace(piece, curve=shorter, meets=meets), lost


def _with_edge(curve: BranchCurve, kept: np.ndarray, end: int, edge: StateEvaluation | None) -> BranchCurve:
    columns = {f.name: getattr(curve, f.name)[kept] for f in fields(curve) if f.name not in ("ends", "vanishing")}
    inside = edge is not None and (not kept.any() or abs(edge.alpha - columns["alpha"][-end]) > 0.0)
    if edge is not None and inside:
        row = {
            "alpha": edge.alpha,
            "states": edge.state,
            "tangents": np.full(curve.tangents.shape[1], np.nan),
            "free_entropy": edge.free_entropy,
            "average_envelope": edge.averages.envelope,
            "test_error": edge.test_error,
            "test_error_slope": np.nan,
        }
        for name, value in row.items():
            one = np.asarray(value)[None]
            columns[name] = np.concatenate([columns[name], one] if end else [one, columns[name]])
    ends, vanishing = list(curve.ends), list(curve.vanishing)
    at = float(columns["alpha"][-end]) if len(columns["alpha"]) else curve.reach[end]
    ends[end], vanishing[end] = CurveEnd("faint", at), ()
    return BranchCurve(**columns, ends=(ends[0], ends[1]), vanishing=(vanishing[0], vanishing[1]))
