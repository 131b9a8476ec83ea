"""The compiled solver beyond the paper's kind of model: limits in which it must give what is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import sympy as sp

from replica import AttentionModel, softmax_attention
from replica.symmetry.sectors import PAPER_SECTORS
from saddle import LineRule, PhaseDiagram, SobolRule, StateEvolution, solve_phase_diagram
from saddle.averages.symmetries import state_space
from saddle.branches.search.sector_solver import evaluation_of, solve_state

ROUGH = LineRule.for_tolerance(2e-2)
ONE_ATOM = AttentionModel(omega=0.3, spectrum=[{"weight": 1.0, "eigenvalues": (0.25, 0.25)}])
TWO_VARIANCES = AttentionModel(omega=0.3, spectrum=[{"weight": 1.0, "eigenvalues": (0.25, 0.16)}])
THREE_TOKENS = AttentionModel(
    omega=0.3,
    positional_encoding=(1, 1, -1),
    positional_matrix=[[0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [0.15, 0.15, 0.7]],
)
RANK_TWO = AttentionModel.paper(rank=2)


def shifted_target(matrix):
    """Return a model whose teacher knows the sign of its pre-activations."""
    omega = sp.Symbol("omega")
    entries = sp.Matrix(2, 2, lambda i, j: sp.Symbol(f"A_{i + 1}{j + 1}"))

    def target(h):
        return (1 - omega) * softmax_attention()(h + sp.Symbol("shift") * sp.ones(2, 1)) + omega * entries

    return AttentionModel(omega=0.3, target=target, parameters={"shift": 0.3}, positional_matrix=matrix)


def check_consistency(diagram: PhaseDiagram, names):
    """Hold Phi against the training loss, and its slope against -E[M]: two routes to each."""
    for name in names:
        branch = diagram.branches[name]
        own = branch.distinct
        assert own.sum() >= 3
        np.testing.assert_allclose(-branch.free_entropy[own], branch.train_loss[own], rtol=2e-4)
        alpha = float(branch.alpha[own][-2])
        step = 1e-3 * alpha
        up, down = (branch.at(alpha + sign * step).free_entropy for sign in (1, -1))
        envelope = branch.at(alpha).evaluation.averages.envelope
        assert (up - down) / (2 * step) == pytest.approx(-envelope, rel=5e-3)


@pytest.mark.slow
def test_a_spectrum_of_one_atom_is_the_isotropic_model():
    plain, atom = (StateEvolution(model, ROUGH) for model in (AttentionModel.paper(), ONE_ATOM))
    assert atom.sectors == plain.sectors == PAPER_SECTORS
    state = np.array([0.07, 0.1, 20.0, 0.05])
    here, there = (evolution.evaluate(state, 1.2) for evolution in (plain, atom))
    for name in ("conjugates", "full_residual", "full_jacobian", "alpha_derivative", "full_units"):
        np.testing.assert_allclose(getattr(there, name), getattr(here, name), rtol=1e-10, atol=1e-12)
    for name in ("free_entropy", "train_loss", "test_error"):
        assert getattr(there, name) == pytest.approx(getattr(here, name), rel=1e-10)


def test_parameter_derivatives_with_a_spectrum():
    evolution = StateEvolution(ONE_ATOM)
    state, step = np.array([0.07, 0.1, 20.0, 0.05]), 1e-5
    slopes = evolution.parameter_derivatives(state, 1.2)
    names, model = list(ONE_ATOM.parameter_values()), AttentionModel.paper()
    isotropic = StateEvolution(model).parameter_derivatives(state, 1.2)
    for name in ("omega", "regularization", "positional_matrix_11", "positional_encoding_1"):
        k, own = names.index(name), list(model.parameter_values()).index(name)
        np.testing.assert_allclose(slopes.residual[:, k], isotropic.residual[:, own], rtol=1e-8, atol=1e-12)
        assert slopes.free_entropy[k] == pytest.approx(isotropic.free_entropy[own], rel=1e-8, abs=1e-14)
        assert slopes.test_error[k] == pytest.approx(isotropic.test_error[own], rel=1e-8, abs=1e-14)
    for name in ("omega", "regularization"):
        value = getattr(ONE_ATOM, name)
        up, down = (
            StateEvolution(dataclasses.replace(ONE_ATOM, **{name: value + sign * step})).evaluate(state, 1.2)
            for sign in (1, -1)
        )
        k = names.index(name)
        numeric = (up.full_residual - down.full_residual) / (2 * step)
        np.testing.assert_allclose(slopes.residual[:, k], numeric, rtol=2e-3, atol=1e-3 * np.abs(numeric).max())


@pytest.mark.slow
def test_tokens_of_equal_variance_in_two_groups():
    # Two groups whose variances differ by little: close to the isotropic solution, and each group's own laws hold.
    nearly = AttentionModel(omega=0.3, spectrum=[{"weight": 1.0, "eigenvalues": (0.25, 0.25 * (1 + 1e-9))}])
    groups = StateEvolution(nearly, ROUGH)
    plain = StateEvolution(AttentionModel.paper(), ROUGH)
    semantic = solve_state(plain, plain.space.sector_named("semantic"), np.array([0.11, 0, 12.7, 0.16]), 2.0)
    solved = evaluation_of(semantic)
    q, _, V, theta = solved.state
    start = np.array([q, q, 0.0, V, V, theta, theta])
    found = evaluation_of(solve_state(groups, groups.space.sector_named("semantic"), start, 2.0))
    np.testing.assert_allclose(found.state, start, rtol=2e-3)
    assert found.free_entropy == pytest.approx(solved.free_entropy, rel=1e-3)


@pytest.mark.slow
def test_two_variances():
    diagram = solve_phase_diagram(TWO_VARIANCES, (0.2, 2.6), points=8, tolerance=5e-3)
    check_consistency(diagram, ("positional", "semantic"))
    assert diagram.alpha_c is not None
    assert diagram.alpha_c.alpha == pytest.approx(2.2353, abs=max(2e-3, 3 * diagram.alpha_c.error))
    branch = diagram.branches["semantic"]
    # Isotropic within each token, so that all overlaps of a token are in proportion to its variance.
    own = {name: values[branch.distinct] for name, values in branch.order_parameters.items()}
    for name in ("self_overlap", "susceptibility", "semantic_overlap"):
        np.testing.assert_allclose(own[f"{name}_2"] / own[f"{name}_1"], 0.16 / 0.25, rtol=1e-6)


@pytest.mark.slow
def test_three_tokens(tmp_path):
    rule = SobolRule(points=128, scrambles=4)
    diagram = solve_phase_diagram(THREE_TOKENS, (0.7, 1.6), points=6, rule=rule)
    check_consistency(diagram, ("positional", "semantic"))
    assert diagram.alpha_c is not None
    assert diagram.alpha_c.alpha == pytest.approx(1.117, abs=3 * diagram.alpha_c.error + 2e-3)
    diagram.save(tmp_path / "three.nc")
    loaded = PhaseDiagram.load(tmp_path / "three.nc")
    np.testing.assert_array_equal(loaded.branches["semantic"].states, diagram.branches["semantic"].states)
    assert loaded.transitions == diagram.transitions
    # Tokens 1 and 3 renamed: another model, the same solution.
    renamed = dataclasses.replace(
        THREE_TOKENS,
        positional_encoding=(-1, 1, 1),
        positional_matrix=[[0.7, 0.15, 0.15], [0.2, 0.4, 0.4], [0.2, 0.4, 0.4]],
    )
    evolution = StateEvolution(renamed, SobolRule(points=1024, scrambles=4))
    point = dataclasses.replace(diagram.branches["positional"], evolution=StateEvolution(THREE_TOKENS, evolution.rule))
    here = point.at(1.2)
    there = evaluation_of(solve_state(evolution, here.sector, here.evaluation.state, 1.2))
    errors = np.hypot(*(x.order_parameter_errors(here.sector.free) for x in (here.evaluation, there)))
    shown = list(here.sector.free)
    assert np.all(np.abs(there.state - here.evaluation.state)[shown] < 4 * errors[shown])


@pytest.mark.slow
def test_a_column_that_cannot_move_leaves_the_student_of_rank_one():
    rule = SobolRule(points=512, scrambles=4)
    two, one = StateEvolution(RANK_TWO, rule), StateEvolution(AttentionModel.paper(), LineRule.for_tolerance(1e-4))
    # Without weights and without response the second column is nothing.
    here = two.channel.averages(np.array([0.05, 0, 1e-9, 0.2, 0, 12.0, 0, 1e-9, 0.03, 0]))
    there = one.channel.averages(np.array([0.05, 0.2, 12.0, 0.03]))
    first = [0, 3, 5, 8]
    errors = 4 * here.conjugate_errors[first] + 2e-4 * np.abs(there.conjugates)
    assert np.all(np.abs(here.conjugates[first] - there.conjugates) < errors)
    assert here.envelope == pytest.approx(there.envelope, abs=4 * here.envelope_error)
    assert here.test_error == pytest.approx(there.test_error, abs=4 * here.test_error_error)


@pytest.mark.slow
def test_averages_do_not_know_the_columns_frame():
    rule, angle = SobolRule(points=2048, scrambles=4), 0.4
    evolution = StateEvolution(RANK_TWO, rule)
    space = evolution.space
    state = np.array([0.03, 0, 0.06, 0.22, 0, 15.0, 0, 20.0, 0, 0.05])
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = np.zeros_like(state)
    for index, x in enumerate(space.quantities):
        matrix = space.matrices(state, x.kind)[0]
        both = x.kind in ("self_overlap", "susceptibility")
        turned[index] = (rotation.T @ matrix @ (rotation if both else np.eye(matrix.shape[1])))[x.indices]
    here, there = evolution.channel.averages(state), evolution.channel.averages(turned)
    assert there.envelope == pytest.approx(here.envelope, abs=4 * (here.envelope_error + there.envelope_error))
    hats = {x.name.replace("_conjugate", ""): value for x, value in zip(space.conjugates, here.conjugates, strict=True)}
    expected = np.zeros_like(state)
    named = np.array([hats[x.name] for x in space.quantities])
    for index, x in enumerate(space.quantities):
        matrix = space.matrices(named, x.kind)[0]
        both = x.kind in ("self_overlap", "susceptibility")
        expected[index] = (rotation.T @ matrix @ (rotation if both else np.eye(matrix.shape[1])))[x.indices]
    errors = here.conjugate_errors.max() + there.conjugate_errors
    assert np.all(np.abs(there.conjugates - expected) < 4 * errors)


@pytest.mark.slow
def test_rank_two():
    diagram = solve_phase_diagram(RANK_TWO, (0.9, 2.5), points=6, rule=SobolRule(points=256, scrambles=4))
    check_consistency(diagram, ("positional", "semantic", "mixed"))
    assert diagram.phases[-1].branch == "mixed"
    assert diagram.alpha_l is not None
    assert diagram.alpha_l.alpha == pytest.approx(1.421, abs=3 * diagram.alpha_l.error + 3e-3)
    mixed = diagram.branches["mixed"]
    # One column knows the positions, the other the teacher, and they do not overlap.
    last = mixed.order_parameters
    for name in ("self_overlap_12", "susceptibility_12", "positional_overlap_2", "semantic_overlap_1"):
        assert np.all(last[name][mixed.distinct] == 0.0)
    assert np.all(mixed.stable[mixed.distinct])
    # No rotation makes a solution look critical.
    eigenvalues = np.abs(mixed.eigenvalues[mixed.distinct])
    assert eigenvalues.min() > 0.05


@pytest.mark.slow
def test_symmetries_that_tokens_have_replace_the_teachers():
    model = shifted_target([[0.6, 0.4], [0.4, 0.6]])
    evolution = StateEvolution(model, ROUGH)
    assert not evolution.channel.kernel.symmetries.teacher
    # Exchanging the tokens reverses m.
    assert set(evolution.space.generators) == {(1, -1, 1, -1), (1, -1, 1, 1)}
    assert evolution.sectors == PAPER_SECTORS
    asymmetric = shifted_target([[0.7, 0.3], [0.35, 0.65]])
    space = state_space(evolution.channel.kernel, asymmetric)
    assert not space.tells_families_apart


@pytest.mark.slow
def test_families_that_no_symmetry_tells_apart():
    model = shifted_target([[0.7, 0.3], [0.35, 0.65]])
    diagram = solve_phase_diagram(model, (0.3, 2.5), points=10, tolerance=5e-3)
    positional, semantic = (diagram.branches[name] for name in ("positional", "semantic"))
    assert positional.sector == semantic.sector
    assert positional.sector.family == "mixed"
    check_consistency(diagram, ("positional", "semantic"))
    assert diagram.alpha_c is not None
    assert diagram.alpha_c.alpha == pytest.approx(1.7344, abs=3 * diagram.alpha_c.error + 2e-3)
    # Neither overlap vanishes on either branch.
    for branch in (positional, semantic):
        for name in ("positional_overlap", "semantic_overlap"):
            assert np.all(branch.order_parameters[name][branch.distinct] != 0.0)
