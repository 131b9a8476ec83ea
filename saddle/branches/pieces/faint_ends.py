"""Ends of curves at which all weights fade away, and no branch that leaves Q = 0 is met.

Where Q = 0 ends because samples escape to another minimum, the few that do are so rare at first that weights grow as
exp(-1/q) has it: log(q), not q, follows alpha, and a rule's lines miss the samples that matter. Such a curve is cut
where its weights still follow alpha, at about the same place whatever the rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from saddle.branches.branch_curve import CurveEnd
from saddle.branches.curve_solving import solve_on_curve
from saddle.branches.pieces.pieces import Piece
from saddle.continuation.special_points.special_point import SpecialPoint
from saddle.state_evolution.evaluation import StateEvaluation

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
            if any(piece.meets[end] is special for special in gone):
                piece, _ = _cut(piece, end)
                piece = piece if piece.curve.ends[end].kind == "faint" else _begun_nowhere(piece, end)
        found[place] = replace(
            piece, special_points=tuple(e for e in piece.special_points if all(e is not special for special in gone))
        )
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


def _cut(piece: Piece, end: int) -> tuple[Piece, list[SpecialPoint]]:
    """Return a piece without its faint end, and the special points that lie on that."""
    curve, slopes = piece.curve, _followed(piece)
    order = np.arange(len(slopes)) if end == 0 else np.arange(len(slopes))[::-1]
    known = [k for k in order if not np.isnan(slopes[k])]
    # From this end as far as it is faint; where alpha is small, at the other end, weights are small as well.
    inner = next((k for k in known if slopes[k] >= FAINT), None)
    if inner == (known[0] if known else None):
        return piece, []
    kept, node = np.zeros(len(slopes), dtype=bool), {}
    if inner is not None:
        kept[:] = np.arange(len(slopes)) >= inner if end == 0 else np.arange(len(slopes)) <= inner
        outer = known[known.index(inner) - 1]
        part = (FAINT - slopes[outer]) / (slopes[inner] - slopes[outer])
        alpha = float(curve.alpha[outer] + part * (curve.alpha[inner] - curve.alpha[outer]))
        solved = solve_on_curve(piece.evolution, piece.sector, curve, alpha)
        if solved is not None and alpha != curve.alpha[inner]:
            node = _node(solved[0])
    cut_at = float(node.get("alpha", curve.alpha[inner] if inner is not None else curve.reach[1 - end]))
    shorter = curve.ending(end, CurveEnd("faint", cut_at), kept, node)
    lost = [special for special in piece.special_points if (special.parameter < cut_at) == (end == 0)]
    meets = (None, piece.meets[1]) if end == 0 else (piece.meets[0], None)
    return replace(piece, curve=shorter, meets=meets), lost


def _node(here: StateEvaluation) -> dict[str, Any]:
    return {
        "alpha": here.alpha,
        "states": here.state,
        "free_entropy": here.free_entropy,
        "average_envelope": here.averages.envelope,
        "test_error": here.test_error,
    }
