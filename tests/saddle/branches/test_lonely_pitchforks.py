"""A pitchfork at which no branch is known makes one look for it."""

from dataclasses import replace

import pytest

from replica import AttentionModel
from saddle.averages.rules.lattice import LineRule
from saddle.branches.families import find_families
from saddle.branches.lonely_pitchforks import follow_from_lonely_pitchforks, lonely_pitchforks
from saddle.continuation.outcomes import Outcome
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.transitions.first_order import FirstOrder, told_from_births
from saddle.transitions.found import Found, by_alpha
from saddle.transitions.transition import Transition


@pytest.fixture(scope="module")
def families():
    evolution = StateEvolution(AttentionModel.paper(omega=0.3), LineRule.for_tolerance(1e-3))
    return find_families(evolution, (0.1, 3.0))


def _without(families, family):
    kept = tuple(b for b in families.branches if all(b is not one for one in families.of(_sector(families, family))))
    return replace(families, branches=kept)


def _sector(families, family):
    return families.problem.space.sector_named(family)


def test_where_all_is_known_no_pitchfork_is_lonely(families):
    assert lonely_pitchforks(families) == []
    assert follow_from_lonely_pitchforks(families).branches == families.branches


@pytest.mark.parametrize("family", ["positional", "semantic"])
def test_a_branch_that_is_taken_away_is_found_again(families, family):
    poorer = _without(families, family)
    born = [
        special.parameter for branch in families.of(_sector(families, family)) for special in branch.meets if special
    ]
    lonely = lonely_pitchforks(poorer)
    assert {sector.family for _, sector in lonely} == {family}
    assert {special.parameter for special, _ in lonely} <= set(born)
    again = follow_from_lonely_pitchforks(poorer)
    assert len(again.tried) == 1
    for before in families.of(_sector(families, family)):
        alphas = [point.y[-1] for point in before.curve.points]
        reaches = [[point.y[-1] for point in after.curve.points] for after in again.of(_sector(families, family))]
        assert any(min(own) < 1.05 * min(alphas) and max(own) > 0.999 * max(alphas) for own in reaches)


def test_a_branch_that_was_lost_at_once_is_none(families):
    own = families.of(_sector(families, "semantic"))
    lost = [
        replace(
            branch,
            special_points=(),
            meets=(branch.meets[0], None),
            curve=replace(
                branch.curve, points=branch.curve.points[:1], endings=(Outcome.STARTED, Outcome.STEP_TOO_SHORT)
            ),
        )
        for branch in own
    ]
    stubs = [*_without(families, "semantic").branches, *lost]
    assert {s.family for _, s in lonely_pitchforks(replace(families, branches=tuple(stubs)))} == {"semantic"}


@pytest.mark.parametrize(("alpha", "names", "told"), [
    (1.0005, ("agnostic", "semantic"), False),
    (1.0005, ("semantic", "agnostic"), False),
    (1.0005, ("positional", "semantic"), True),
    (1.02, ("agnostic", "semantic"), True),
])  # fmt: skip
def test_a_jump_within_the_error_of_a_pitchfork_of_its_branches_is_that(alpha, names, told):
    jump = Transition(alpha, 1e-5, "first-order", names)
    births = [
        Transition(1.0, 1e-3, "pitchfork", ("agnostic", "semantic"), "theta"),
        Transition(1.02, 1.0, "fold", ("agnostic", "semantic")),
    ]
    found, kept = Found((jump,)), Found((jump,) if told else ())
    assert told_from_births(FirstOrder(found, found), by_alpha(births)) == FirstOrder(kept, kept)


def test_after_an_interruption_nothing_is_looked_for(families):
    poorer = replace(_without(families, "semantic"), complete=False)
    assert follow_from_lonely_pitchforks(poorer) == poorer
