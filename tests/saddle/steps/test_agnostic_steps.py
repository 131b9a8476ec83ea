"""Steps of families whose minima differ by a sign, where the outermost level is what two halves have in common."""

import pickle

import pytest

from replica import AttentionModel
from saddle import (
    BrokenSymmetryPoint,
    GridRule,
    JumpLineRule,
    StateEvolution,
    find_point,
    solve_phase_diagram,
    transition_with_steps,
)
from saddle.branches.steps.branch_birth import branch_birth
from saddle.branches.steps.from_symmetric import break_symmetry

MODEL = AttentionModel.paper(omega=0.3)
ROUGH = JumpLineRule(roughness=30.0)


@pytest.fixture(scope="module")
def agnostic() -> BrokenSymmetryPoint:
    point = find_point(StateEvolution(MODEL), "agnostic", 0.3)
    return break_symmetry(point.evolution, point.sector, point.evaluation, 1, ROUGH)


@pytest.mark.slow
def test_blocks_overlap_by_little_and_the_ground_state_lies_higher(agnostic):
    named = agnostic.order_parameters
    assert 0.0 < named["self_overlap_0"] < 0.6 * named["self_overlap_1"]
    assert named["positional_overlap"] == named["semantic_overlap"] == 0.0
    # By a per cent: a hundred times what a step does to the positional family.
    assert agnostic.free_entropy / agnostic.symmetric.free_entropy - 1 == pytest.approx(0.0118, abs=2e-3)
    assert abs(agnostic.by_parisi[0] * agnostic.state.parisi[0]) < 1e-7


@pytest.mark.slow
def test_grids_find_the_same(agnostic):
    rule = GridRule(nodes=12)
    evolution = agnostic.evolution
    grid = break_symmetry(evolution, agnostic.sector, agnostic.symmetric, 1, rule, near=agnostic.state)
    for name in ("self_overlap_1", "susceptibility", "free_entropy"):
        ours = getattr(agnostic, name, None) or agnostic.order_parameters[name]
        other = getattr(grid, name, None) or grid.order_parameters[name]
        assert ours == pytest.approx(other, abs=agnostic.error[name] + grid.error[name])


@pytest.mark.slow
def test_a_semantic_branch_leaves_it_where_its_overlap_vanishes(agnostic):
    point = find_point(agnostic.evolution, "semantic", 0.78)
    birth = branch_birth(point.evolution, point.sector, point.evaluation, ROUGH)
    assert birth.overlap == 0.0
    # Far below where replica symmetry has it, and above where anyone can learn.
    assert 1 / 6 < birth.alpha < 0.6
    found = find_point(agnostic.evolution, "agnostic", birth.alpha)
    there = break_symmetry(agnostic.evolution, found.sector, found.evaluation, 1, ROUGH, near=agnostic.state)
    for name in ("self_overlap_0", "self_overlap_1"):
        assert birth.nearest.order_parameters[name] == pytest.approx(there.order_parameters[name], rel=0.2)


@pytest.mark.slow
def test_a_birth_is_a_transition_that_is_shown_and_kept():
    diagram = solve_phase_diagram(MODEL, alpha=(0.6, 1.0), points=3, tolerance=1e-2, progress=False)
    name = "agnostic -> semantic"
    with pytest.raises(ValueError, match="located with one step and a JumpLineRule, got 2 step"):
        transition_with_steps(diagram, name, 2)
    born = transition_with_steps(diagram, name, rule=ROUGH)
    assert born.symmetric.alpha == pytest.approx(0.719, abs=2e-3)
    assert born.alpha == pytest.approx(0.416, abs=3e-2)
    assert "pitchfork with 1 step" in repr(born)
    assert "alpha of replica symmetry" in born._repr_html_()
    assert pickle.loads(pickle.dumps(born)).alpha == born.alpha
