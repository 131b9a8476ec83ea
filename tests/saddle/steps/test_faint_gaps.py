"""Gaps so small that averages along lines see steps of them: found by a line through several, or said to be none."""

from dataclasses import replace

import numpy as np
import pytest

from replica import AttentionModel
from saddle import (
    BrokenSymmetryPoint,
    JumpLineRule,
    Outcome,
    SolverError,
    StateEvolution,
    find_point,
    solve_broken_symmetry,
    solve_phase_diagram,
    transition_with_steps,
)
from saddle.branches.steps.faint_gap import FAINT_GAP, _Scan, solve_faint_gap
from saddle.branches.steps.first_gap import BALANCE, balanced
from saddle.state_evolution.steps.step_equations import StepEquations
from saddle.state_evolution.steps.step_state import StepState
from saddle.state_evolution.steps.step_unknowns import StepUnknowns

ROUGH = JumpLineRule(roughness=30.0)
MODEL = AttentionModel.paper(omega=0.4)
# alpha_c of replica symmetry: Newton's method, with the gap among its unknowns, finds no solution there.
ALPHA = 1.771518


def faint(point, gap: float):
    """The solution near a gap, in units of the variance of the fields."""
    equations = StepEquations(point.evolution, 1, ROUGH)
    q, m, V, theta = point.evaluation.state
    width = gap * (q - theta**2 / MODEL.sigma**2)
    start = StepState(
        np.array([q - width]), np.array([[width]]), np.array([m]), np.array([V]), np.array([[theta]]), np.ones(1)
    )
    unknowns = StepUnknowns(point.evolution.space, point.sector, 1, float(np.sqrt(q)), parisi=True)
    return equations, solve_faint_gap(equations, unknowns, point.alpha, start)


def share(equations: StepEquations, state: StepState) -> float:
    return float(state.gaps[0, 0] / equations.outer_variance(state)[0])


@pytest.mark.slow
def test_a_gap_that_newtons_method_does_not_find():
    point = find_point(StateEvolution(MODEL), "positional", ALPHA)
    found = []
    for start in (4e-4, 4e-3):
        equations, solved = faint(point, start)
        state = solved.state
        found.append(share(equations, state))
        # Wherever it began y is balanced there, and everything but gap and y is solved.
        assert state.parisi[0] == pytest.approx(BALANCE * state.susceptibility[0] / np.sqrt(state.gaps[0, 0]), rel=1e-2)
        rest = np.delete(solved.unknowns.residual(solved.evaluation), solved.unknowns.loose_places)
        assert np.max(np.abs(rest)) < 1e-3
        assert state.levels[-1, 0] == pytest.approx(point.order_parameters["self_overlap"], rel=1e-3)
    # On few lines by a factor below two.
    assert all(0.7e-3 < x < 2.8e-3 for x in found)


@pytest.mark.parametrize("rule", [ROUGH, JumpLineRule()])
@pytest.mark.parametrize("gap", [1e-5, 1e-4, 1e-3])
def test_what_is_left_of_a_small_gap_is_the_replicon_eigenvalue(gap, rule):
    # There proximal points do not jump: a gap makes one minus the eigenvalue of itself, also on few lines.
    point = find_point(StateEvolution(AttentionModel.paper(omega=0.3)), "semantic", 2.5)
    q, m, V, theta = point.evaluation.state
    width = gap * (q - theta**2 / MODEL.sigma**2)
    state = StepState(
        np.array([q - width]), np.array([[width]]), np.array([m]), np.array([V]), np.array([[theta]]), np.ones(1)
    )
    here = StepEquations(point.evolution, 1, rule).evaluate(balanced(state), 2.5)
    left = float(here.residual_state.gaps[0, 0] / here.state.gaps[0, 0])
    assert left == pytest.approx(point.replicon().regular, abs=0.07)


def test_a_gap_that_makes_less_than_itself_is_none():
    # There proximal points do not jump.
    point = find_point(StateEvolution(AttentionModel.paper(omega=0.3)), "semantic", 2.5)
    with pytest.raises(SolverError, match="makes less than itself") as caught:
        faint(point, 3e-6)
    assert caught.value.outcome is Outcome.ABSENT


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_a_line_through_several_gaps_finds_the_one_of_a_root_law(noise):
    # A gap x makes 0.01 sqrt(x) of itself, and steps of either sign.
    places = np.linspace(-0.8, 0.8, 5)
    gaps = 1.3e-4 * np.exp(places)
    steps = noise * np.array([1.0, -1.0, 1.0, -1.0, 1.0])
    left = (1.0 - 0.01 / np.sqrt(gaps) + steps)[:, None]
    slopes, moved, errors = _Scan(places, (), left).zero()
    assert slopes[0] == pytest.approx(0.45, abs=0.1)
    # To the curvature of the law, and to what its own error says of steps.
    assert moved[0] == pytest.approx(np.log(1e-4 / 1.3e-4), abs=0.1 + 2.0 * errors[0])
    assert errors[0] > 0.7 * noise


@pytest.mark.slow
def test_two_broken_branches_cross_where_the_page_says():
    # alpha_c with one step at omega = 0.1: 0.744208(43), where replica symmetry has 0.750776(4).
    evolution, rule = StateEvolution(AttentionModel.paper(omega=0.1)), JumpLineRule(roughness=10.0)
    positional, semantic = (
        solve_broken_symmetry(find_point(evolution, family, 0.744208), rule=rule)
        for family in ("positional", "semantic")
    )
    slope = semantic.average_envelope - positional.average_envelope
    off = (positional.free_entropy - semantic.free_entropy) / slope
    error = (positional.free_entropy_error + semantic.free_entropy_error) / abs(slope)
    assert abs(off) < error + 4.3e-5
    assert error < 3e-4
    # Replica symmetry's transition is further away than that: there the positional branch is the lower one.
    assert positional.symmetric.free_entropy > semantic.symmetric.free_entropy


@pytest.mark.slow
def test_a_transition_between_faint_gaps_is_located():
    diagram = solve_phase_diagram(MODEL, alpha=(1.5, 2.2), points=3, progress=False)
    moved = transition_with_steps(diagram, "alpha_c")
    broken, symmetric = moved.points
    assert isinstance(broken, BrokenSymmetryPoint)
    assert not isinstance(symmetric, BrokenSymmetryPoint)
    assert moved.alpha == pytest.approx(1.771516, abs=3e-5)
    assert moved.error < 3e-5
    assert abs(moved.shift) < moved.shift_error
    assert share(StepEquations(broken.evolution, 1), broken.state) < FAINT_GAP
    # From a solution near by it is the same.
    again = replace(diagram.branches["positional"].at(moved.alpha, 1), stability=broken.stability)
    assert isinstance(again, BrokenSymmetryPoint)
    assert again.free_entropy == pytest.approx(broken.free_entropy, abs=again.error["free_entropy"])
