"""Models that were once answered otherwise when asked otherwise, each standing for a kind."""

import numpy as np
import pytest

from replica import AttentionModel
from saddle import solve_phase_diagram
from saddle.averages.rules.lattice import LineRule
from saddle.branches.null.on_rule import null_shift
from saddle.diagram.rule_choice import choose_rule, rule_for_range
from saddle.state_evolution.state_evolution import StateEvolution

STRONG = AttentionModel(
    omega=0.05677902486794939, sigma=0.5501940437271436, regularization=0.2241247872776222,
    positional_matrix=((0.6440743845029892, 0.622732566819786), (0.31631850531202854, 0.6256776562388421)),
    positional_encoding=(1.0875089500213637, -0.27498917988213534),
)  # fmt: skip

WIDE = AttentionModel(
    omega=0.9454328397470857, sigma=0.924881183724568, regularization=0.002322083622827578,
    positional_matrix=((0.040966379023082755, 0.28849684742778225), (0.7013648766235621, 6.921130256953845e-05)),
    positional_encoding=(-0.3769485400099313, -1.3818361449519774),
)  # fmt: skip


@pytest.mark.slow
def test_a_weak_penalty_hides_no_semantic_branch_from_a_rough_rule():
    # V = O(1/lambda) at the start of a search is far from that of a solution.
    model = AttentionModel.paper(omega=0.3, regularization=1e-6)
    diagram = solve_phase_diagram(model, alpha=(0.15, 3.0), points=2, tolerance=1e-2)
    jump = next(t for t in diagram.first_order if set(t.between) == {"agnostic", "semantic"})
    # Near the limit of no penalty, below.
    assert jump.alpha == pytest.approx(1.18343, rel=1e-3)
    assert [phase.branch for phase in diagram.phases] == ["positional", "agnostic", "semantic"]
    assert diagram.transitions["agnostic -> positional (2)"].criticality == "supercritical"


@pytest.mark.measurement
def test_a_weaker_penalty_hides_none_either():
    model = AttentionModel.paper(omega=0.3, regularization=1e-8)
    diagram = solve_phase_diagram(model, alpha=(0.15, 3.0), points=4, tolerance=1e-2)
    jump = next(t for t in diagram.first_order if set(t.between) == {"agnostic", "semantic"})
    # On a finer rule: 1.18343 +- 5e-5.
    assert abs(jump.alpha - 1.18343) < 3 * jump.error
    assert diagram.phases[-1].branch == "semantic"
    # Positional is the minimum where agnostic is unstable, below: the pitchfork is supercritical.
    assert diagram.transitions["agnostic -> positional (2)"].criticality == "supercritical"


def test_what_leaves_null_is_the_minimum_from_there_on():
    # On so rough a rule its error of Phi exceeds the gain on Q = 0 for long.
    rule = LineRule(teacher_spacing=0.76, common_spacing=0.8, reach=4.7)
    diagram = solve_phase_diagram(STRONG, alpha=(3.0, 4.0), points=2, rule=rule)
    onset = next(t for t in diagram.everywhere if t.kind == "onset" and t.between == ("null", "positional"))
    changes = {(a.branch, b.branch): a.high for a, b in zip(diagram.all_phases, diagram.all_phases[1:], strict=False)}
    assert changes["null", "positional"] == pytest.approx(onset.alpha, rel=1e-6)
    assert not any("null" in t.between for t in diagram.first_order)


@pytest.mark.slow
def test_the_direction_in_which_a_branch_leaves_null_matters_to_a_rough_rule():
    # Its lines are turned by the ratio of overlaps: so is its error.
    model = AttentionModel(
        omega=0.450351213687218, sigma=0.40844733498142693, regularization=0.025654867689057996,
        positional_matrix=((0.6, 0.4), (0.4, 0.6)), positional_encoding=(1.0, -1.0),
    )  # fmt: skip
    diagram = solve_phase_diagram(model, alpha=(0.3, 1.0), points=2, tolerance=5e-3)
    onset = next(t for t in diagram.everywhere if t.kind == "onset" and t.between == ("null", "positional"))
    assert [phase.branch for phase in diagram.phases] == ["null", "positional"]
    assert diagram.phases[0].high == pytest.approx(onset.alpha, rel=1e-6)
    # Q = 0 ends where samples escape to another minimum, and says so.
    assert "escape" in diagram.branches["null"].origin


def test_a_rule_gives_null_its_own_error():
    exact = None
    for tolerance, bound in ((2e-2, 0.1), (1e-3, 1e-3)):
        evolution = StateEvolution(STRONG, LineRule.for_tolerance(tolerance))
        state = np.array([0.0, 0.0, 2.0, 0.0])
        if exact is None:
            finest = StateEvolution(STRONG, LineRule.for_tolerance(1e-5))
            exact = null_shift(finest, state, 0.0)
        shift = null_shift(evolution, state, exact)
        assert abs(shift) < bound * exact
        # Whatever V is: the proximal point is z = 0.
        other = null_shift(evolution, np.array([0.0, 0.0, 1.0, 0.0]), exact)
        assert other == pytest.approx(shift, abs=1e-4 * exact)


def test_a_longer_range_gets_no_coarser_rule():
    short, long = (rule_for_range(WIDE, highest, 5e-3, 1) for highest in (2.0, 20.0))
    assert isinstance(short, LineRule)
    assert isinstance(long, LineRule)
    assert long.teacher_spacing <= short.teacher_spacing <= LineRule.for_tolerance(5e-3).teacher_spacing


@pytest.mark.slow
def test_a_fold_located_on_a_part_of_a_segment_cuts_its_curve():
    # Where folds are hard to locate the segment is halved: the fold then has another bracket than any segment.
    model = AttentionModel(
        omega=0.5501350841587431, sigma=0.7618640190024089, regularization=0.0019733770130145253,
        positional_matrix=((0.7211331819044206, 0.531138177124097), (0.3134486366225615, 0.24533761239256735)),
        positional_encoding=(-0.5035538348799298, -1.3598923365185214),
    )  # fmt: skip
    rule = rule_for_range(model, 2.6, 5e-3, 1)
    diagram = solve_phase_diagram(model, alpha=(1.0, 2.6), points=3, rule=rule)
    assert [end.kind for end in diagram.branches["semantic"].curve.ends] == ["fold", "bound"]
    assert diagram.branches["semantic from fold"].curve.ends[1].kind == "pitchfork"
    assert not any("fragment" in name for name in diagram.branches)
    fold = next(t for t in diagram.bifurcations if t.kind == "fold")
    assert fold.between == ("semantic", "semantic from fold")
    # The same on a rule of a tolerance of 2e-4.
    assert abs(fold.alpha - 1.2425) < 3.0 * fold.error + 1e-3


@pytest.mark.parametrize(
    "tolerance",
    [pytest.param(5e-3, marks=pytest.mark.slow), pytest.param(2e-3, marks=pytest.mark.measurement)],
)
def test_branches_whose_weights_fade_away_end_at_the_same_place_on_all_rules(tolerance):
    # Samples escape from Q = 0 at 1.498: agnostic and semantic solutions have log(q) follow alpha from there on.
    model = AttentionModel(
        omega=0.450351213687218, sigma=0.40844733498142693, regularization=0.025654867689057996,
        positional_matrix=((0.6, 0.4), (0.4, 0.6)), positional_encoding=(1.0, -1.0),
    )  # fmt: skip
    diagram = solve_phase_diagram(model, alpha=(0.3, 3.0), points=4, tolerance=tolerance)
    for name, place in (("agnostic", 1.93), ("semantic", 1.838)):
        end = diagram.branches[name].curve.ends[0]
        assert end.kind == "faint"
        assert end.alpha == pytest.approx(place, rel=0.015)
        assert "too small" in diagram.branches[name].origin
    # A pitchfork of what is not known is none.
    assert [t.kind for t in diagram.bifurcations] == ["onset"]


@pytest.mark.slow
def test_what_only_the_rules_error_makes_is_no_branch():
    # At V = 400 agnostic solutions are nearly marginal: "positional" ones gain less than their error of Phi on them.
    diagram = solve_phase_diagram(WIDE, alpha=(0.1, 3.0), points=4, tolerance=5e-3)
    assert [phase.branch for phase in diagram.phases] == ["agnostic", "null"]
    assert diagram.branches["positional"].curve is None


@pytest.mark.slow
def test_what_is_left_of_vanishing_overlaps_chooses_no_rule():
    # A semantic overlap that had shrunk to 0.002, of which no rule knows a relative error, had the finest rule chosen.
    model = AttentionModel(
        omega=0.7120874179848242, sigma=0.6468942420155571, regularization=0.009845922395299746,
        positional_matrix=((0.0855831358661796, 0.6988154493950961), (0.22992291179770497, 0.7472216976874726)),
        positional_encoding=(1.0936249208336284, 1.115052553957205),
    )  # fmt: skip
    rule = choose_rule(model, 3.0, 5e-3, 1)
    assert isinstance(rule, LineRule)
    assert rule.teacher_spacing > 0.5


@pytest.mark.slow
def test_weights_that_no_rough_rule_shows_hide_no_branch():
    # Searches on rough rules led every start to Q = 0, which is no solution there: semantic, the minimum, was missed.
    model = AttentionModel(
        omega=0.3747589299511557, sigma=0.5226041053253062, regularization=0.023852413498678785,
        positional_matrix=((0.3, 0.7), (0.8, 0.2)), positional_encoding=(1.0, -1.0),
    )  # fmt: skip
    diagram = solve_phase_diagram(model, alpha=(0.1, 2.5), points=2, tolerance=1e-2)
    assert [phase.branch for phase in diagram.all_phases] == ["agnostic", "semantic"]


@pytest.mark.slow
def test_a_branch_too_steep_to_be_entered_at_its_pitchfork_is_found_further_on():
    # Along it theta grows to 0.2 while alpha changes by less than its averages step by.
    model = AttentionModel(
        omega=0.44545412560201714, sigma=0.6920627840588005, regularization=0.003273041106034225,
        positional_matrix=((0.914618716245472, 0.08538128375452803), (0.8068099554345801, 0.19319004456541988)),
        positional_encoding=(1.0, -1.0),
    )  # fmt: skip
    # Rougher than any that a tolerance gets.
    rule = LineRule(teacher_spacing=0.618, common_spacing=0.7307, reach=4.983)
    diagram = solve_phase_diagram(model, alpha=(0.05, 3.5), points=2, rule=rule)
    assert [phase.branch for phase in diagram.phases] == ["agnostic", "semantic"]
    # By how little the minimum jumps, if at all, no rough rule tells: finer ones do at 3.3725.
    assert [t.kind for t in diagram.everywhere] == ["pitchfork"]
    assert abs(diagram.everywhere[0].alpha - 3.3725) < 3.0 * diagram.everywhere[0].error


@pytest.mark.slow
def test_what_an_onset_promises_is_there():
    # Agnostic solutions with q = 4e-5 beside their onset, above semantic ones: half of the askings missed them.
    model = AttentionModel(
        omega=0.4735467364390138, sigma=0.853763035894625, regularization=0.26738437771218504,
        positional_matrix=((0.011752580108048805, 0.5403998338532877), (0.43853527012452664, 0.18188667798801827)),
        positional_encoding=(-0.9740696728311702, 0.1140708716019998),
    )  # fmt: skip
    diagram = solve_phase_diagram(model, alpha=(0.01, 3.235), points=2, tolerance=5e-3)
    onsets = {t.between[1]: t.alpha for t in diagram.everywhere if t.kind == "onset"}
    assert set(onsets) == {"agnostic", "semantic"}
    for name, alpha in onsets.items():
        curve = diagram.branches[name].curve
        assert curve is not None
        assert (curve.ends[0].kind, curve.ends[0].alpha) == ("onset", alpha)
