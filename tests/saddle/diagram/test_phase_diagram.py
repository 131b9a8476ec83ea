"""The solved diagram against the theory notes' reference values and against laws."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest

from replica import AttentionModel
from saddle import LineRule, Outcome, Sector, SolverError, StateEvolution, find_point, solve_phase_diagram, solve_point
from saddle.averages.channel import Channel
from saddle.diagram import solving as diagram_solving
from saddle.output.tables import transition_table
from saddle.phase_diagram import PhaseDiagram

# Theory notes, section 7 (omega = 0.3): value and last stated digit of q, m, V, theta, Phi, L eps_g.
REFERENCE = [
    ("semantic", 2.0, (0.11483, 0, 12.665, 0.15817, -0.0035905, 0.002808), (1e-5, 0, 1e-3, 1e-5, 1e-7, 1e-6)),
    ("positional", 2.0, (0.0511, 0.2582, 11.37, 0, -0.004513, 0.006947), (1e-4, 1e-4, 1e-2, 0, 1e-6, 1e-6)),
    ("semantic", 1.25, (0.0817, 0, 18.3, 0.1180, -0.0027212, 0.004693), (1e-4, 0, 1e-1, 1e-4, 1e-7, 1e-6)),
    ("positional", 1.25, (0.0471, 0.2525, 14.9, 0, -0.0027198, 0.006789), (1e-4, 1e-4, 1e-1, 0, 1e-7, 1e-6)),
    ("agnostic", 1.2, (0.0765, 0, 28.03, 0, -0.0028525, 0.007583), (1e-4, 0, 1e-2, 0, 1e-7, 1e-6)),
    (
        "mixed",
        1.25,
        (0.0706, 0.1318, 22.24, 0.0582, -0.002871, 0.00676),
        (1e-4, 1e-4, 1e-2, 1e-4, 1e-6, 1e-5),
    ),
]


@pytest.mark.parametrize(("branch", "alpha", "values", "digits"), REFERENCE)
def test_reference_table(diagram, branch, alpha, values, digits):
    point = diagram.branches[branch].at(alpha)
    got = (*point.order_parameters.values(), point.free_entropy, 2 * point.test_error)
    for value, digit, number in zip(values, digits, got, strict=True):
        assert abs(number - value) <= digit + 3e-3 * abs(value)


def test_transitions_at_omega_03(diagram):
    assert diagram.alpha_c.kind == "first-order"
    assert diagram.alpha_c.between == ("positional", "semantic")
    assert abs(diagram.alpha_c.alpha - 1.2515) < 7e-4
    assert abs(diagram.alpha_l.alpha - 1.4925) < 2e-3
    named = diagram.transitions
    assert abs(named["agnostic -> positional"].alpha - 0.0575) < 5e-4
    assert abs(named["agnostic -> semantic"].alpha - 0.720) < 2e-3
    assert abs(named["semantic -> mixed"].alpha - 0.826) < 3e-3
    for transition in named.values():
        assert 0 < transition.error < 0.01
        assert transition.kind in str(transition).split(" (")[0]


@pytest.mark.slow
def test_alpha_c_at_omega_02(diagram_02):
    assert abs(diagram_02.alpha_c.alpha - 0.948) < 1e-3


FINE = LineRule.for_tolerance(3e-6)


def solved_on(branch, rule, alpha):
    """Solve a branch at one alpha on another rule."""
    start = branch.at(alpha).evaluation.state
    return solve_point(StateEvolution(branch.evolution.model, rule), branch.sector, start, alpha)


def test_errors_of_transitions_cover_a_much_finer_rule(diagram):
    positional, semantic = diagram.branches["positional"], diagram.branches["semantic"]
    # Solved in full on the finer rule, not only evaluated there: checks the second-order argument too.
    alpha = diagram.alpha_c.alpha
    a, b = (solved_on(branch, FINE, alpha) for branch in (positional, semantic))
    slope = b.evaluation.averages.envelope - a.evaluation.averages.envelope
    assert abs((a.free_entropy - b.free_entropy) / slope) < diagram.alpha_c.error
    alpha = diagram.alpha_l.alpha
    here = solved_on(semantic, FINE, alpha)
    slope = here.evaluation.test_error_derivative(Sector.SEMANTIC.free)
    assert slope == pytest.approx(
        (semantic.at(alpha + 1e-3).test_error - semantic.at(alpha - 1e-3).test_error) / 2e-3, rel=1e-3
    )
    assert abs((here.test_error - diagram.linear_baseline.test_error) / slope) < diagram.alpha_l.error
    for transition in diagram.bifurcations:
        branch = diagram.branches[transition.between[0]]
        index = 1 if transition.unstable_to == "positional_overlap" else 3
        low, high = (
            solved_on(branch, FINE, transition.alpha + sign * 2 * transition.error).evaluation.full_jacobian[
                index, index
            ]
            for sign in (-1, 1)
        )
        assert low * high < 0, transition


@pytest.mark.parametrize(
    ("name", "alpha"), [("semantic", 1.25), ("positional", 2.0), ("mixed", 1.25), ("agnostic", 1.2)]
)
def test_errors_of_solutions_cover_a_much_finer_rule(diagram, name, alpha):
    point = diagram.branches[name].at(alpha)
    fine = solved_on(diagram.branches[name], FINE, alpha)
    for quantity, error in point.error.items():
        here, there = (x.order_parameters.get(quantity, getattr(x, quantity, None)) for x in (point, fine))
        assert abs(here - there) <= error + 1e-12, quantity
        # An error estimate that is no use would pass as well.
        assert error < 2e-3 * abs(there) + 1e-12, quantity


def test_alpha_c_is_second_order_in_the_rule(diagram):
    # On a rule good to one per cent alpha_c is off by more than its sharpened value is.
    model, alpha_c = diagram.model, diagram.alpha_c.alpha
    coarse = solve_phase_diagram(model, (1.0, 1.6), points=6, rule=LineRule.for_tolerance(1e-2))
    a, b = (coarse.branches[name].at(alpha_c) for name in ("positional", "semantic"))
    plain = abs((a.free_entropy - b.free_entropy) / (b.evaluation.averages.envelope - a.evaluation.averages.envelope))
    assert abs(coarse.alpha_c.alpha - alpha_c) < coarse.alpha_c.error
    assert abs(coarse.alpha_c.alpha - alpha_c) < 0.5 * plain


def test_semantic_overlap_vanishes_below_its_pitchfork(diagram):
    semantic = diagram.branches["semantic"]
    pitchfork = diagram.transitions["agnostic -> semantic"].alpha
    below, above = semantic.alpha < pitchfork - 0.01, semantic.alpha > pitchfork + 0.01
    theta = semantic.order_parameters["semantic_overlap"]
    assert np.all(theta[below] == 0.0)
    assert np.all(theta[above] > 0.0)
    assert all(semantic.outcome[k] is Outcome.MERGED for k in np.flatnonzero(below))
    with pytest.raises(SolverError):
        semantic.at(0.5)


@pytest.mark.parametrize("which", ["diagram", pytest.param("diagram_02", marks=pytest.mark.slow)])
def test_laws_at_every_stored_point(which, request):
    solved: PhaseDiagram = request.getfixturevalue(which)
    for branch in solved.branches.values():
        stored = branch.stored
        assert stored.any()
        assert np.all(branch.residual_norm[stored] < 1e-8)
        # Two expressions of the training loss (theory notes, section 5).
        np.testing.assert_allclose(branch.train_loss[stored], -branch.free_entropy[stored], rtol=1e-4)
        assert np.all(branch.states[stored][:, 0] > 0)
        assert np.all(branch.states[stored][:, 2] > 0)
        assert np.all(np.isnan(branch.states[~stored]))
        assert np.all(np.isfinite(branch.free_entropy_error[stored]))
        # The error of Phi, by a finer rule, is far below the separation that decides alpha_c.
        assert np.max(branch.free_entropy_error[stored]) < 1e-6


@pytest.mark.parametrize("branch", ["agnostic", "positional", "semantic", "mixed"])
@pytest.mark.parametrize("alpha", [1.0, 1.25, 2.0])
def test_slope_of_phi_is_minus_the_average_envelope(diagram, branch, alpha):
    step = 1e-3
    chosen = diagram.branches[branch]
    slope = (chosen.at(alpha + step).free_entropy - chosen.at(alpha - step).free_entropy) / (2 * step)
    # Central differences leave step^2; the rule's own error is the rest.
    assert slope == pytest.approx(-chosen.at(alpha).evaluation.averages.envelope, rel=2e-4)


@pytest.mark.parametrize("which", ["diagram", pytest.param("diagram_02", marks=pytest.mark.measurement)])
def test_slope_of_phi_at_every_stored_point(which, request):
    """At every stored point of every branch; the stencil is one-sided where a branch begins or ends."""
    solved: PhaseDiagram = request.getfixturevalue(which)
    checked = 0
    for branch in solved.branches.values():
        for k in np.flatnonzero(branch.distinct):
            alpha = float(branch.alpha[k])
            step = 1e-3 * alpha
            stencils = [((1, 0.5), (-1, -0.5)), ((0, -1.5), (1, 2.0), (2, -0.5)), ((0, 1.5), (-1, -2.0), (-2, 0.5))]
            for stencil in stencils:
                try:
                    terms = [c * branch.at(alpha + i * step).free_entropy for i, c in stencil]
                except SolverError:  # beyond the end of the branch
                    continue
                slope = sum(terms) / step
                # Differences of Phi lose digits to its noise of 1e-11 or so, and stencils have errors of step^2.
                assert slope == pytest.approx(-branch.average_envelope[k], rel=3e-4), (branch.name, alpha)
                checked += 1
                break
    assert checked == sum(int(branch.distinct.sum()) for branch in solved.branches.values())


def test_criticality_of_pitchforks(diagram):
    expected = {
        "agnostic -> positional": "supercritical",
        "agnostic -> semantic": "supercritical",
        "semantic -> mixed": "subcritical",
        "agnostic -> positional from agnostic": "subcritical",
    }
    for name, criticality in expected.items():
        assert diagram.transitions[name].criticality == criticality
        assert criticality in str(diagram.transitions[name])


@pytest.mark.slow
def test_criticality_of_pitchforks_after_a_bifurcation(diagram_02):
    # At omega = 0.2 the positional branch ends where it is supercritical; it has become unstable to theta before.
    second = diagram_02.transitions["agnostic -> positional (2)"]
    assert second.alpha == pytest.approx(1.765203, abs=2e-4)
    assert second.criticality == "supercritical"
    assert diagram_02.transitions["positional -> mixed"].alpha == pytest.approx(1.647056, abs=2e-4)


@pytest.mark.parametrize("which", ["diagram", pytest.param("diagram_02", marks=pytest.mark.slow)])
def test_new_branches_bend_to_the_side_that_their_criticality_says(which, request):
    """Super- and subcritical by the stored points alone: where is the new branch, and is the old one stable there?"""
    solved: PhaseDiagram = request.getfixturevalue(which)
    for transition in solved.bifurcations:
        old, new = (solved.branches[name] for name in transition.between)
        own = np.flatnonzero(new.distinct)
        nearest = own[np.argmin(np.abs(new.alpha[own] - transition.alpha))]
        column = 1 if transition.unstable_to == "positional_overlap" else 2
        unstable = old.jacobian_signs[nearest, column] < 0
        assert unstable == (transition.criticality == "supercritical"), transition


@pytest.mark.parametrize("which", ["diagram", pytest.param("diagram_02", marks=pytest.mark.slow)])
def test_signs_of_the_jacobian_change_at_bifurcations_only(which, request):
    solved: PhaseDiagram = request.getfixturevalue(which)
    for branch in solved.branches.values():
        own = np.flatnonzero(branch.distinct)
        signs = branch.jacobian_signs[own]
        assert np.all((signs == 0) == (signs[:1] == 0))
        alpha = branch.alpha[own]
        for column, overlap in ((1, "positional_overlap"), (2, "semantic_overlap")):
            changes = [(alpha[k], alpha[k + 1]) for k in np.flatnonzero(np.diff(signs[:, column]))]
            located = [t.alpha for t in solved.bifurcations if t.between[0] == branch.name and t.unstable_to == overlap]
            inside = [a for a in located if alpha[0] < a < alpha[-1]]
            assert len(changes) == len(inside)
            for (low, high), at in zip(changes, sorted(inside), strict=True):
                assert low <= at <= high
        # Stable state evolution needs every block positive.
        assert not np.any(branch.stable[own] & np.any(signs < 0, axis=1))


@pytest.fixture(scope="module")
def folded():
    # At omega = 0.23 the positional family is lost in a fold near alpha = 2.07, and there is another from 3.26 on.
    rule = LineRule.for_tolerance(5e-4)
    return solve_phase_diagram(AttentionModel.paper(omega=0.23), (0.8, 4.0), points=16, rule=rule)


def test_branches_are_cut_at_folds(folded):
    folds = [t for t in folded.bifurcations if t.kind == "fold" and t.resolved]
    assert len(folds) >= 2
    for fold in folds:
        for name in fold.between:
            branch = folded.branches[name]
            own = branch.alpha[branch.distinct]
            assert np.all(own < fold.alpha + fold.error) or np.all(own > fold.alpha - fold.error)
            assert Outcome.FOLDED in branch.outcome
    # One piece attracts state evolution, the other separates basins.
    signs = [
        np.sign(np.median(folded.branches[name].jacobian_signs[folded.branches[name].distinct, 0]))
        for name in folds[-1].between
    ]
    assert sorted(signs) == [-1, 1]
    # The usual branch keeps the usual name, although the family has larger overlaps at larger alpha.
    positional = folded.branches["positional"]
    assert np.max(positional.alpha[positional.distinct]) < 2.1
    assert folded.alpha_c is not None
    assert folded.alpha_c.between == ("positional", "semantic")


def test_on_a_finer_rule_a_fold_has_solutions_on_one_side_only(folded):
    fold = max((t for t in folded.bifurcations if t.kind == "fold" and t.resolved), key=lambda t: t.alpha)
    evolution = StateEvolution(folded.model, folded.rule.refined().refined(3.0))
    away, side = 5.0 * fold.error, 1.0 if fold.alpha > 3.0 else -1.0
    state = np.array(fold.points[0].order_parameters)
    # Both solutions lie at a distance of the square root of that of alpha, along the kernel.
    inside = evolution.evaluate(state, fold.alpha + side * away)
    unknowns = list(Sector.POSITIONAL.free)
    _, _, right = np.linalg.svd(
        inside.full_jacobian[np.ix_(unknowns, unknowns)]
        / inside.full_units[unknowns][:, None]
        * inside.full_units[unknowns]
    )
    found = []
    for sign in (-1.0, 1.0):
        start = state.copy()
        start[unknowns] += sign * 0.1 * right[-1] * inside.full_units[unknowns]
        found.append(solve_point(evolution, Sector.POSITIONAL, start, fold.alpha + side * away))
        with pytest.raises(SolverError):
            solve_point(evolution, Sector.POSITIONAL, start, fold.alpha - side * away)
    a, b = (point.order_parameters["positional_overlap"] for point in found)
    assert abs(a - b) > 1e-3


def test_phases_are_ranges_that_meet_at_transitions(diagram):
    phases = diagram.phases
    assert [phase.branch for phase in phases] == ["agnostic", "positional", "semantic"]
    assert phases[0].low == diagram.alpha[0]
    assert phases[-1].high == diagram.alpha[-1]
    assert phases[0].high == phases[1].low == diagram.transitions["agnostic -> positional"].alpha
    assert phases[1].high == phases[2].low == diagram.alpha_c.alpha


def test_alpha_c_is_found_between_two_grid_points():
    # At sigma = 0.58 both branches exist together only for 0.69 < alpha < 0.76: no point of this grid.
    model = AttentionModel.paper(sigma=0.58)
    solved = solve_phase_diagram(model, (0.3, 1.2), points=4, rule=LineRule.for_tolerance(1e-3))
    both = solved.branches["positional"].distinct & solved.branches["semantic"].distinct
    assert not both.any()
    assert solved.alpha_c is not None
    assert solved.alpha_c.alpha == pytest.approx(0.70461, abs=3e-4)


def test_replica_symmetry_is_reported_along_branches(diagram):
    semantic, positional = diagram.branches["semantic"], diagram.branches["positional"]
    assert not np.any(positional.replica_stable)
    assert np.all(positional.jump_strength[positional.distinct] > 1e-6)
    assert np.all(semantic.replica_stable[semantic.alpha > 2.2])
    assert not np.any(semantic.replica_stable[semantic.alpha < 1.5])
    # The quick route's stated errors cover the accurate one.
    for branch, alpha in ((positional, 2.0), (semantic, 1.25)):
        k = int(np.argmin(np.abs(branch.alpha - alpha)))
        accurate = branch.at(float(branch.alpha[k])).replicon()
        assert abs(branch.jump_strength[k] - accurate.jump_strength) <= 3.0 * branch.jump_strength_error[k]
        assert abs(branch.replicon_regular[k] - accurate.regular) <= branch.replicon_regular_error[k]


def test_ranges_without_a_branch_say_so():
    solved = solve_phase_diagram(AttentionModel.paper(), (0.01, 0.05), points=3, rule=LineRule.for_tolerance(1e-2))
    assert solved.alpha_c is None
    # What lies outside of the range is found all the same, and the reason quotes where.
    full = solve_phase_diagram(AttentionModel.paper(), (0.01, 3.0), points=3, rule=LineRule.for_tolerance(1e-2))
    assert f"outside of the range asked for, at alpha = {full.alpha_c.alpha:.5f}" in solved.reasons["alpha_c"]
    assert f"below alpha = {full.alpha_l.alpha:.5f}, above the range" in solved.reasons["alpha_l"]
    assert [phase.branch for phase in solved.phases] == ["agnostic"]
    solved = solve_phase_diagram(AttentionModel.paper(), (1.5, 2.0), points=3, rule=LineRule.for_tolerance(1e-2))
    assert f"at alpha = {full.alpha_c.alpha:.5f}" in solved.reasons["alpha_c"]
    assert f"at alpha = {full.alpha_l.alpha:.5f}, below the range" in solved.reasons["alpha_l"]
    assert [phase.branch for phase in solved.phases] == ["semantic"]


def test_slope_of_phi_between_stored_points(diagram):
    for branch in diagram.branches.values():
        own = np.flatnonzero(branch.distinct)
        alpha, phi, envelope = branch.alpha[own], branch.free_entropy[own], branch.average_envelope[own]
        # Trapezoidal integral of -E[M] with its end correction omitted: good to the curvature of E[M].
        increments = -0.5 * (envelope[1:] + envelope[:-1]) * np.diff(alpha)
        np.testing.assert_allclose(np.diff(phi), increments, rtol=2e-3, atol=1e-7)


def test_bifurcations_are_where_branches_are_born(diagram):
    # m^2 of the positional branch, extrapolated from its first points, vanishes at the pitchfork.
    positional = diagram.branches["positional"]
    own = np.flatnonzero(positional.distinct)[:2]
    squares = positional.order_parameters["positional_overlap"][own] ** 2
    alpha = positional.alpha[own]
    zero = alpha[0] - squares[0] * (alpha[1] - alpha[0]) / (squares[1] - squares[0])
    assert abs(zero - diagram.transitions["agnostic -> positional"].alpha) < 0.005


def test_stability_changes_at_the_pitchforks(diagram):
    semantic = diagram.branches["semantic"]
    spinodal = diagram.transitions["semantic -> mixed"].alpha
    own = semantic.distinct
    assert np.array_equal(semantic.stable[own], semantic.alpha[own] > spinodal)
    positional = diagram.branches["positional"]
    assert np.all(positional.stable[positional.distinct])
    assert not np.any(diagram.branches["mixed"].stable[diagram.branches["mixed"].distinct])


def test_global_minimum_switches_once_from_positional_to_semantic(diagram):
    names = diagram.global_minimum
    for alpha, name in zip(diagram.alpha, names, strict=True):
        if alpha > diagram.alpha_c.alpha:
            assert name == "semantic"
        elif alpha > diagram.transitions["agnostic -> positional"].alpha + 0.01:
            assert name == "positional"


def test_find_point_agrees_with_the_branch(diagram):
    evolution = StateEvolution(diagram.model, diagram.rule)
    for sector in (Sector.POSITIONAL, Sector.SEMANTIC, Sector.AGNOSTIC):
        point = find_point(evolution, sector, 1.4)
        there = diagram.branches[sector.name].at(1.4)
        np.testing.assert_allclose(point.evaluation.state, there.evaluation.state, rtol=1e-6, atol=1e-12)


def test_absence_is_a_reason_and_not_an_exception():
    # omega = 1: the target does not depend on the teacher, so there is nothing semantic to learn.
    solved = solve_phase_diagram(
        AttentionModel.paper(omega=1.0), (0.5, 2.0), points=4, rule=LineRule.for_tolerance(5e-3)
    )
    assert solved.alpha_c is None
    assert "semantic" in solved.reasons["alpha_c"]
    assert solved.alpha_l is None
    assert "alpha_l" in solved.reasons


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        ({"alpha": (0.0, 1.0)}, "0.0"),
        ({"alpha": (-1.0, 1.0)}, "-1.0"),
        ({"alpha": (2.0, 1.0)}, "2.0 to 1.0"),
        ({"alpha": (1.0, 1.0)}, "1.0 to 1.0"),
        ({"alpha": ()}, "()"),
        ({"alpha": (1.0, float("nan"))}, "nan"),
        ({"alpha": 3.0}, "3.0"),
        ({"points": 1}, "1"),
        ({"sweep": "sideways"}, "sideways"),
    ],
)
def test_misuse_is_refused_with_the_value(arguments, quoted):
    with pytest.raises(ValueError, match=r"alpha|points|sweep") as caught:
        solve_phase_diagram(AttentionModel.paper(), **arguments)
    assert quoted in str(caught.value)


def test_at_refuses_an_impossible_alpha(diagram):
    with pytest.raises(ValueError, match="-1"):
        diagram.branches["semantic"].at(-1.0)


def assert_same_fields(first, second, but=()):
    for field in dataclasses.fields(first):
        before, after = getattr(first, field.name), getattr(second, field.name)
        if isinstance(before, np.ndarray):
            np.testing.assert_array_equal(before, after)
            assert not after.flags.writeable
        elif field.name not in but:
            assert before == after


def test_save_and_load_give_the_same_diagram(diagram, tmp_path):
    path = tmp_path / "deep" / "diagram.nc"
    diagram.save(path)
    loaded = PhaseDiagram.load(path)
    assert (loaded.model, loaded.rule, loaded.complete) == (diagram.model, diagram.rule, diagram.complete)
    assert loaded.transitions == diagram.transitions
    assert loaded.reasons == diagram.reasons
    assert (loaded.phases, loaded.audit, loaded.searched) == (diagram.phases, diagram.audit, diagram.searched)
    for name, branch in diagram.branches.items():
        assert_same_fields(branch, loaded.branches[name], but=("evolution", "curve"))
        if branch.curve is not None:
            assert_same_fields(branch.curve, loaded.branches[name].curve)
    assert loaded.branches["semantic"].at(1.5).test_error == diagram.branches["semantic"].at(1.5).test_error
    assert [item.name for item in path.parent.iterdir()] == ["diagram.nc"]


def test_loading_something_else_is_refused(tmp_path):
    other = tmp_path / "other.nc"
    other.write_text("not a diagram")
    for path in (other, tmp_path / "missing.nc"):
        with pytest.raises(ValueError, match=r"cannot read|not a saved"):
            PhaseDiagram.load(path)


def test_dataset_has_names_from_the_table(diagram):
    data = diagram.to_dataset()
    assert set(data.dims) == {
        "branch", "alpha", "order_parameter", "eigenvalue", "block", "curve_point", "direction",
        "transition", "side", "bound", "solution",
    }  # fmt: skip
    for name in ("self_overlap", "positional_overlap", "susceptibility", "semantic_overlap"):
        assert data[name].dims == ("branch", "alpha")
        assert f"{name}_conjugate" in data
        assert f"{name}_error" in data
    at = data.sel(branch="semantic").isel(alpha=-1)
    assert float(at["semantic_overlap"]) == diagram.branches["semantic"].states[-1, 3]


@pytest.mark.parametrize(
    ("stage", "after"),
    [
        ("search_interval", 1),
        ("find_families", 30),
        ("find_families", 150),
        ("look_again", 3),
        ("assemble_branches", 20),
        ("find_crossing", 1),
        *(
            pytest.param(stage, 1, marks=pytest.mark.slow)
            for stage in ("find_null", "find_first_order", "find_bifurcations")
        ),
    ],
)
def test_interruption_keeps_what_was_computed(monkeypatch, tmp_path, stage, after):
    """In every stage, after some averages of it; what is left can be drawn, printed, and says that it is not all."""
    calls: list[int] = []
    original, function = Channel.averages, getattr(diagram_solving, stage)

    def interrupted(self, state):
        calls.append(1)
        if len(calls) == after:
            raise KeyboardInterrupt
        return original(self, state)

    def begun(*arguments, **named):
        if stage == "find_null":
            raise KeyboardInterrupt
        monkeypatch.setattr(Channel, "averages", interrupted)
        return function(*arguments, **named)

    monkeypatch.setattr(diagram_solving, stage, begun)
    solved = solve_phase_diagram(AttentionModel.paper(), (0.8, 1.6), points=8, rule=LineRule.for_tolerance(5e-3))
    monkeypatch.setattr(Channel, "averages", original)
    assert not solved.complete
    assert solved.alpha_c is None
    assert "interrupted" in solved.reasons
    outcomes = {outcome for branch in solved.branches.values() for outcome in branch.outcome}
    # Where the search for more was interrupted, what had been found is there whole.
    missing = any(branch.curve is None for branch in solved.branches.values())
    assert (Outcome.INTERRUPTED in outcomes) == (missing or stage == "assemble_branches")
    if solved.branches["agnostic"].curve is not None:
        assert Outcome.CONVERGED in solved.branches["agnostic"].outcome
    if not solved.audit.complete:
        assert [phase.branch for phase in solved.phases] == [None]
        assert "interrupted" in solved.phases[0].reason
    assert "interrupted" in transition_table(solved)
    solved.plot().savefig(tmp_path / "partial.png", dpi=40)
    solved.save(tmp_path / "partial.nc")
    assert PhaseDiagram.load(tmp_path / "partial.nc").phases == solved.phases
    assert pickle.loads(pickle.dumps(solved)) == copy.deepcopy(solved) == solved
