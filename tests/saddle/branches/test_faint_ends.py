"""Curves whose weights fade away are cut where they still follow alpha; others are left as they are."""

from dataclasses import replace

import numpy as np
import pytest

from replica import AttentionModel
from saddle import LineRule
from saddle.branches.branch_curve import BranchCurve, CurveEnd
from saddle.branches.pieces.faint_ends import FAINT, without_faint_ends
from saddle.branches.pieces.pieces import Piece
from saddle.continuation.outcomes import Outcome
from saddle.continuation.special_points.special_point import SpecialPoint, SpecialPointKind
from saddle.state_evolution.state_evolution import StateEvolution

EVOLUTION = StateEvolution(AttentionModel.paper(omega=0.3), LineRule.for_tolerance(1e-2), threads=1)
AGNOSTIC = EVOLUTION.sectors[0]


def piece(q, slope, alpha, ends=("onset", "bound"), name="agnostic", special_points=()):
    """Return a piece with q(alpha) and dq/dalpha given at its nodes."""
    states, tangents = np.zeros((len(alpha), 4)), np.zeros((len(alpha), 5))
    states[:, 0], states[:, 2] = q, 5.0
    tangents[:, 0], tangents[:, -1] = slope, 1.0
    flat = np.ones(len(alpha))
    curve = BranchCurve(
        alpha, states, tangents, -flat, flat, flat, flat, (CurveEnd(ends[0], alpha[0]), CurveEnd(ends[1], alpha[-1]))
    )
    return Piece(name, AGNOSTIC, EVOLUTION, curve, True, special_points=tuple(special_points))


def pitchfork(alpha):
    return SpecialPoint(
        SpecialPointKind.PITCHFORK,
        "",
        np.zeros(4),
        alpha,
        1e-6,
        np.zeros((4, 1)),
        None,
        (alpha, alpha),
        Outcome.CONVERGED,
        1,
    )


ALPHA = np.linspace(1.55, 4.0, 60)
# As where samples escape from Q = 0 at 1.5: log(q) = -1/(alpha - 1.5).
FADING = np.exp(-1.0 / (ALPHA - 1.5))
FADING_SLOPE = FADING / (ALPHA - 1.5) ** 2
# |d log(alpha)/d log(q)| = (alpha - 1.5)^2/alpha is FAINT there.
CUT = 1.5 + 0.5 * (FAINT + np.sqrt(FAINT**2 + 6.0 * FAINT))


def test_a_fading_end_is_cut_where_weights_still_follow_alpha():
    born = pitchfork(1.6), pitchfork(3.0)
    (found,) = without_faint_ends([piece(FADING, FADING_SLOPE, ALPHA, special_points=born)])
    low, high = found.curve.ends
    assert low.kind == "faint"
    assert not low.connected
    assert "too small" in str(low)
    assert found.curve.reach[0] == pytest.approx(CUT, abs=2.0 * (ALPHA[1] - ALPHA[0]))
    assert high == CurveEnd("bound", 4.0)
    # What was born on what is cut off is not known either.
    assert found.special_points == (born[1],)


def test_what_is_born_on_a_faint_end_is_cut_as_well():
    born = pitchfork(1.6)
    parent = piece(FADING, FADING_SLOPE, ALPHA, special_points=[born])
    child = replace(
        piece(FADING, FADING_SLOPE, ALPHA, ends=("pitchfork", "bound"), name="semantic"), meets=(born, None)
    )
    strong = piece(ALPHA, np.ones_like(ALPHA), ALPHA, ("pitchfork", "bound"), "positional")
    elsewhere, here = replace(strong, meets=(pitchfork(1.55), None)), replace(strong, meets=(born, None))
    found = without_faint_ends([parent, child, elsewhere, here])
    assert [one.curve.ends[0].kind for one in found] == ["faint", "faint", "pitchfork", "lost"]
    assert found[1].meets == found[3].meets == (None, None)


def test_a_continuous_onset_and_small_alpha_are_left_alone():
    # q proportional to the distance from a departure that the curve reaches, and q proportional to alpha.
    reached = ALPHA - ALPHA[0]
    onset = piece(reached, np.ones_like(ALPHA), ALPHA)
    small = piece(ALPHA, np.ones_like(ALPHA), ALPHA, ends=("bound", "bound"))
    assert without_faint_ends([onset, small]) == (onset, small)


def test_what_is_faint_all_along_is_not_known():
    faint = piece(np.exp(40.0 * (ALPHA - 4.0)), 40.0 * np.exp(40.0 * (ALPHA - 4.0)), ALPHA)
    assert without_faint_ends([faint]) == ()
