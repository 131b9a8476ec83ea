"""What a rough rule makes of curves is mended: ends lost at a pitchfork, and curves that are only its error."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from replica import AttentionModel
from saddle import LineRule
from saddle.branches.branch_curve import BranchCurve, CurveEnd
from saddle.branches.pieces.continued_parts import extent
from saddle.branches.pieces.curve_parts import Part
from saddle.branches.pieces.part_mending import mended
from saddle.branches.pieces.pieces import _order
from saddle.branches.problem import AttentionProblem
from saddle.branches.search.solution_identity import ERRORS_APART
from saddle.branches.sector_blocks import overlap_block
from saddle.continuation.outcomes import Outcome
from saddle.continuation.special_points.special_point import SpecialPoint, SpecialPointKind
from saddle.state_evolution.state_evolution import StateEvolution

EVOLUTION = StateEvolution(AttentionModel.paper(omega=0.3), LineRule.for_tolerance(1e-2), threads=1)
PROBLEM = AttentionProblem(EVOLUTION)
AGNOSTIC, SEMANTIC = (EVOLUTION.space.sector_named(name) for name in ("agnostic", "semantic"))
STATE = np.array([0.1, 0.0, 15.0, 0.1])
PITCHFORK = SpecialPoint(
    SpecialPointKind.PITCHFORK, "", np.array([0.1, 0.0, 15.0, 0.0]), 1.0, 1e-3, np.zeros((4, 1)),
    overlap_block(AGNOSTIC, 3, EVOLUTION.space), (0.9, 1.1), Outcome.CONVERGED, 1,
)  # fmt: skip


def part(sector, reach, ends, phi=lambda alpha: -alpha, theta=0.1, evaluations=(), special_points=()):
    """Return a part with a constant overlap theta and a given free entropy."""
    alpha = np.linspace(*reach, 12)
    flat = np.ones(12)
    states = np.tile(STATE, (12, 1))
    states[:, 3] = theta if sector is SEMANTIC else 0.0
    data = BranchCurve(
        alpha, states, np.full((12, 5), np.nan), phi(alpha), flat, flat, flat,
        (CurveEnd(ends[0], reach[0]), CurveEnd(ends[1], reach[1])),
    )  # fmt: skip
    points = [
        SimpleNamespace(y=np.array([0.0, here.alpha]), evaluation=SimpleNamespace(detail=here)) for here in evaluations
    ]
    traced = SimpleNamespace(curve=SimpleNamespace(points=points))
    return Part(sector.family, sector, traced, data, (None, None), True, tuple(special_points))


@pytest.mark.parametrize(
    ("edge", "theta", "attached"),
    [
        # Lost with all of its overlap: only at the pitchfork itself.
        (1.003, np.full(12, 0.1), True),
        (0.997, np.full(12, 0.1), True),
        (1.02, np.full(12, 0.1), False),
        # With little of it: beside the pitchfork, too.
        (1.02, np.linspace(0.02, 0.1, 12), True),
        (1.1, np.linspace(0.02, 0.1, 12), False),
    ],
)
def test_a_branch_lost_at_a_pitchfork_is_born_there(edge, theta, attached):
    parent = part(AGNOSTIC, (0.1, 4.0), ("bound", "bound"), special_points=[PITCHFORK])
    child = part(SEMANTIC, (edge, 4.0), ("lost", "bound"), lambda a: -0.9 * a, theta)
    found = {one.sector.family: one for one in mended([parent, child], PROBLEM)}
    assert found["semantic"].data.ends[0].kind == ("pitchfork" if attached else "lost")
    assert (found["semantic"].meets[0] is PITCHFORK) is attached


@pytest.mark.parametrize(("edge", "top", "zero", "attached"), [
    (1.02, 1.4, 1.0, True), (1.1, 4.0, 1.0, True), (1.15, 4.0, 1.03, True),
    (1.15, 4.0, 0.9, False), (1.15, 4.0, 1.1, False), (1.3, 4.0, 1.0, False),
])  # fmt: skip
def test_a_branch_lost_further_off_is_born_where_its_overlap_squared_vanishes(edge, top, zero, attached):
    parent = part(AGNOSTIC, (0.1, 4.0), ("bound", "bound"), special_points=[PITCHFORK])
    theta = 0.1 * np.sqrt(np.linspace(edge, top, 12) - zero)
    child = part(SEMANTIC, (edge, top), ("lost", "bound"), lambda a: -0.9 * a, theta)
    found = {one.sector.family: one for one in mended([parent, child], PROBLEM)}
    data = found["semantic"].data
    assert data.ends[0].kind == ("pitchfork" if attached else "lost")
    # It is led up to the pitchfork, where the overlap is zero, so that no alpha between them is beyond its end.
    assert data.reach[0] == data.ends[0].alpha == (1.0 if attached else edge)
    assert data.vanishing[0] == ((3,) if attached else ())
    if attached:
        np.testing.assert_array_equal(data.states[0], PITCHFORK.x)
        middle = 0.5 * (1.0 + edge)
        assert data.state(middle)[0][3] == pytest.approx(theta[0] / np.sqrt(2.0), rel=0.1)


FOLD = replace(PITCHFORK, kind=SpecialPointKind.FOLD, block=None)


@pytest.mark.parametrize("joins", [False, True])
def test_a_fold_at_a_pitchfork_from_which_nothing_leads_on_is_noise(joins):
    parent = part(AGNOSTIC, (0.1, 4.0), ("bound", "bound"), special_points=[PITCHFORK])
    child = part(SEMANTIC, (1.002, 4.0), ("fold", "bound"), lambda a: -0.9 * a, np.full(12, 0.1), special_points=[FOLD])
    parts = [parent, replace(child, meets=(FOLD, None))]
    if joins:
        # Another part of the curve turns back there: then it is a fold.
        other = part(
            SEMANTIC, (1.002, 3.0), ("fold", "lost"), lambda a: -0.8 * a, np.full(12, 0.05), special_points=[FOLD]
        )
        parts.append(replace(other, meets=(FOLD, None)))
    found = mended(parts, PROBLEM)
    semantic = next(one for one in found if one.sector.family == "semantic" and one.data.reach[1] == 4.0)
    assert semantic.data.ends[0].kind == ("fold" if joins else "pitchfork")
    assert semantic.meets[0] is (FOLD if joins else PITCHFORK)
    assert any(FOLD is special for one in found for special in one.special_points) is joins


@pytest.mark.parametrize(("at", "theta", "one"), [(1.0001, 0.11, True), (1.02, 0.11, False), (1.0001, 0.2, False)])
def test_two_folds_at_one_place_from_which_nothing_leads_on_are_one(at, theta, one):
    twin = replace(FOLD, parameter=at)
    upper = part(SEMANTIC, (1.0, 4.0), ("fold", "bound"), lambda a: -0.8 * a, special_points=[FOLD, twin])
    lower = part(SEMANTIC, (at, 4.0), ("fold", "bound"), lambda a: -0.9 * a, theta, special_points=[FOLD, twin])
    found = mended([replace(upper, meets=(FOLD, None)), replace(lower, meets=(twin, None))], PROBLEM)
    assert [each.meets[0] is FOLD for each in found] == [True, one]
    assert all(any(special is twin for special in each.special_points) is not one for each in found)


@pytest.mark.parametrize(("low", "theta", "joined"), [
    (1.99, 0.1, True), (2.01, 0.1, True), (2.2, 0.1, False), (1.99, 0.13, False)
])  # fmt: skip
def test_long_parts_whose_lost_ends_touch_are_one(low, theta, joined):
    first = part(SEMANTIC, (1.0, 2.0), ("bound", "lost"))
    second = part(SEMANTIC, (low, 4.0), ("lost", "bound"), theta=theta)
    for listed in ([first, second], [second, first]):
        found = mended(listed, PROBLEM)
        assert len(found) == (1 if joined else 2)
        if joined:
            assert found[0].data.reach == (1.0, 4.0)
            assert np.all(np.diff(found[0].data.alpha) > 0.0)
            assert [end.kind for end in found[0].data.ends] == ["bound", "bound"]


@pytest.mark.parametrize("at", [1.001, 1.02])
def test_of_a_branch_followed_twice_all_is_kept_that_is_known(at):
    other = replace(PITCHFORK, parameter=at)
    whole = part(AGNOSTIC, (0.11, 4.0), ("lost", "bound"), special_points=[other])
    double = part(AGNOSTIC, (0.1, 1.5), ("bound", "lost"), special_points=[PITCHFORK])
    child = replace(
        part(SEMANTIC, (1.0, 4.0), ("pitchfork", "bound"), lambda a: -0.9 * a), meets=(PITCHFORK, None)
    )  # fmt: skip
    for listed in ([whole, double, child], [double, whole, child]):
        found = {one.family: one for one in mended(listed, PROBLEM)}
        assert len(found) == 2
        assert found["agnostic"].data.reach == (0.1, 4.0)
        assert [end.kind for end in found["agnostic"].data.ends] == ["bound", "bound"]
        # One pitchfork where both have it at one place, two where not; the branch is born on what is kept.
        assert len(found["agnostic"].special_points) == (1 if at < 1.01 else 2)
        assert any(found["semantic"].meets[0] is special for special in found["agnostic"].special_points)


def test_what_lies_on_a_longer_part_is_dropped_in_whatever_order_they_come():
    longer = part(SEMANTIC, (1.0, 3.0), ("fold", "lost"))
    shorter = part(SEMANTIC, (1.0, 1.2), ("fold", "lost"))
    for listed in ([longer, shorter], [shorter, longer]):
        assert [one.data.reach for one in mended(listed, PROBLEM)] == [(1.0, 3.0)]


@pytest.mark.parametrize("highest", [4.0, 25.0])
def test_how_long_a_part_is_does_not_depend_on_the_range_asked_for(highest):
    assert extent(part(SEMANTIC, (1.0, highest), ("fold", "bound"))) == 3.0
    assert extent(part(SEMANTIC, (0.5, 2.0), ("fold", "lost"))) == 1.5


@pytest.mark.parametrize("attracting", [False, True])
def test_two_arms_of_a_fold_have_one_order_however_they_were_traced(attracting):
    upper = replace(part(SEMANTIC, (1.0, 4.0), ("fold", "bound"), lambda a: -0.8 * a), attracting=False)
    lower = replace(part(SEMANTIC, (1.0, 4.0), ("fold", "bound"), lambda a: -0.9 * a), attracting=attracting)
    expected = [lower, upper] if attracting else [upper, lower]
    for listed in ([upper, lower], [lower, upper]):
        assert all(a is b for a, b in zip(sorted(listed, key=_order), expected, strict=True))


def with_free_entropy(alpha, phi):
    here = EVOLUTION.evaluate(STATE, alpha)
    assert here.free_entropy_error > 0.0
    return replace(here, free_entropy=phi(alpha, here.free_entropy_error))


@pytest.mark.parametrize(("errors", "kept"), [(0.5 * ERRORS_APART, False), (2.0 * ERRORS_APART, True)])
def test_a_lone_curve_within_the_error_of_another_is_the_rules_error(errors, kept):
    other = part(AGNOSTIC, (0.1, 4.0), ("bound", "bound"))
    # At one of its points alone it differs by so many errors.
    solved = [
        with_free_entropy(a, lambda a, error, k=k: -a + (k == 2) * errors * error)
        for k, a in enumerate((1.0, 1.2, 1.4))
    ]
    lone = part(SEMANTIC, (1.0, 1.4), ("lost", "lost"), evaluations=solved)
    families = [one.sector.family for one in mended([other, lone], PROBLEM)]
    assert families == (["agnostic", "semantic"] if kept else ["agnostic"])


def test_what_is_connected_or_bounded_is_kept_however_close():
    other = part(AGNOSTIC, (0.1, 4.0), ("bound", "bound"))
    solved = [with_free_entropy(a, lambda a, error: -a) for a in (1.0, 1.4)]
    bounded = part(SEMANTIC, (1.0, 4.0), ("lost", "bound"), evaluations=solved)
    assert len(mended([other, bounded], PROBLEM)) == 2
    born = replace(part(SEMANTIC, (1.0, 1.4), ("pitchfork", "lost"), evaluations=solved), meets=(PITCHFORK, None))
    assert len(mended([other, born], PROBLEM)) == 2
