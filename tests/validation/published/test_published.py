"""Published numbers: what they say of themselves, our theory against them, and the rule behind the published curves."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from baselines import linear_positional
from replica import AttentionModel
from saddle.reference import PlanarRule
from saddle.reference.normal_rules import GaussHermite, tensor_rule
from validation import (
    compare_published_descent,
    compare_published_scaling,
    compare_published_theory,
    published_gradient_descent,
    published_linear_baseline,
    published_rank_two,
    published_rule_deviation,
    published_scaling,
    published_theory,
    published_transitions,
    solve_on_published_rule,
)
from validation.published.coarse_rule import rabinowitz_richter_rule, stroud_secrest_rule
from validation.published.comparison import encoding_correction
from validation.published.numbers import DESCENT_MODELS, SECOND_MATRIX, THEORY_MODELS

PAPER = AttentionModel.paper(omega=0.3)


@pytest.mark.parametrize(("rule", "degree", "nodes"), [(stroud_secrest_rule, 7, 12), (rabinowitz_richter_rule, 11, 28)])
def test_published_rules_are_exact_to_their_degree_and_no_further(rule, degree, nodes):
    x, weight = rule().table()
    assert len(weight) == nodes
    exact, w = tensor_rule([GaussHermite(12)] * 2)
    wrong = []
    for total in range(degree + 2):
        for i in range(total + 1):
            powers = np.array([i, total - i])
            moment, expected = weight @ np.prod(x**powers, axis=1), w @ np.prod(exact**powers, axis=1)
            if abs(moment - expected) > 1e-9 * max(1.0, abs(expected)):
                wrong.append(total)
    assert set(wrong) == {degree + 1}


def test_planar_rules_are_checked():
    with pytest.raises(ValueError, match="sum to one"):
        PlanarRule(((0.0, 0.0),), (0.9,))
    with pytest.raises(ValueError, match="a pair for every weight"):
        PlanarRule(((0.0, 0.0),), (0.5, 0.5))
    with pytest.raises(ValueError, match="branch must be one of"):
        solve_on_published_rule(PAPER, "mixed", 1.0)


def test_first_step_of_the_published_iteration():
    # Printed in the notebook theory.ipynb: q, V and theta after one damped step from its start at alpha = 2.
    found = solve_on_published_rule(PAPER, "semantic", 2.0, max_steps=1)
    assert found.steps == 1
    assert not found.converged
    parameters = found.order_parameters
    assert parameters["self_overlap"] == pytest.approx(0.75162, rel=2e-3)
    assert parameters["susceptibility"] == pytest.approx(14.3289, rel=5e-3)
    assert parameters["semantic_overlap"] == pytest.approx(0.301308, rel=3e-3)


@pytest.mark.parametrize(
    ("branch", "alpha", "factor"),
    [
        pytest.param("semantic", 1.25, 20.0, marks=pytest.mark.slow),
        pytest.param("positional", 0.5690909, 10.0, marks=pytest.mark.measurement),
        pytest.param("agnostic", 1.3083333, 5.0, marks=pytest.mark.measurement),
    ],
)
def test_our_equations_on_their_rule_move_to_their_curve(diagram, branch, alpha, factor):
    theirs = published_rule_deviation(PAPER, branch, [alpha]).deviation
    ours = compare_published_theory(diagram, branch).deviation.sel(alpha=alpha, method="nearest")
    before, after = float(np.abs(ours).max()), float(np.abs(theirs).max())
    # Without the rule the curves differ by several per cent; with it the difference drops by this factor or more.
    assert before > 0.006
    assert after < before / factor


@pytest.mark.slow
def test_the_semantic_overlap_where_there_is_no_semantic_branch_is_made_by_the_rule(diagram):
    published = float(published_theory(PAPER, "semantic").semantic_overlap.sel(alpha=0.569, method="nearest"))
    assert published > 0.04
    # It is a fixed point on the 12 nodes, no matter how far the iteration is taken, and none on a rule that resolves.
    found = solve_on_published_rule(PAPER, "semantic", 0.5690909, tolerance=1e-7, max_steps=1000)
    assert found.converged
    assert found.order_parameters["semantic_overlap"] == pytest.approx(published, rel=0.01)
    theory = compare_published_theory(diagram, "semantic").theory.sel(quantity="semantic_overlap")
    assert np.isnan(theory.sel(alpha=0.569, method="nearest"))


def test_the_positional_curve_for_the_second_matrix_is_made_by_the_rule():
    model = AttentionModel.paper(omega=0.14, positional_matrix=SECOND_MATRIX)
    found = published_rule_deviation(model, "positional", [2.0])
    assert float(np.abs(found.deviation).max()) < 0.006
    assert found.published.sel(quantity="positional_overlap").item() == pytest.approx(0.0183, abs=1e-4)


def test_tables_are_complete_and_in_our_units():
    for model in DESCENT_MODELS:
        for start in ("positional", "semantic"):
            data = published_gradient_descent(model, start)
            assert np.all(np.diff(data.alpha) > 0)
            assert float(data.alpha[-1]) == 2.0
            assert all(np.all(np.isfinite(x)) for x in data.values())
            # Below lambda |Q|^2/2 there is no training loss, and |m| and |theta| are bounded by |Q|.
            length = np.sqrt(2 * data.train_loss / model.regularization)
            assert np.all(data.positional_overlap < length)
            assert np.all(data.semantic_overlap < 1.1 * model.token_variance * length)
    for model in THEORY_MODELS:
        for branch in ("positional", "semantic"):
            assert published_theory(model, branch).sizes["alpha"] in (10, 15, 20)
    assert published_theory(PAPER, "agnostic").sizes["alpha"] == 10
    transitions = published_transitions()
    assert float(transitions.alpha_c.sel(omega=0.3)) == 1.2410177405
    assert int(transitions.alpha_l.count()) == 12
    assert published_rank_two().sizes == {"alpha": 12, "column": 2}
    assert published_rank_two(0.3).sizes == {"alpha": 13, "column": 2}
    with pytest.raises(ValueError, match=r"0\.02 or 0\.3"):
        published_rank_two(0.1)
    for call in (lambda: published_theory(PAPER, "mixed"), lambda: published_gradient_descent(PAPER, "mixed")):
        with pytest.raises(ValueError, match="published for"):
            call()
    with pytest.raises(ValueError, match="start must be"):
        published_scaling("mixed")


def test_spread_is_over_runs_and_there_are_24():
    # The linear baseline's mean error does not depend on alpha, so its scatter over alpha is its standard error.
    data = published_linear_baseline()
    values, errors = data.test_error.values.ravel(), data.test_error_standard_error.values.ravel()
    expected = linear_positional(PAPER).test_error
    chi_squared = np.sum(((values - expected) / errors) ** 2)
    # 38 degrees of freedom: mean 38, standard deviation 8.7. If the published spread were itself a standard error,
    # or of four times as many runs, the sum would be 24 times smaller or 4 times larger.
    assert 20 < chi_squared < 65
    assert np.mean(values) == pytest.approx(expected, abs=3 * np.sqrt(np.mean(errors**2) / len(values)))


def test_the_known_finite_size_term_for_small_fields():
    # For w -> 0 rows of S are (1 + t, 1 - t)/2 with t = w_l (w_l - w_k)/2, so |Sp|^2 -> 2 q^2 on average.
    q = 1e-3
    point: Any = SimpleNamespace(alpha=2.0, order_parameters={"self_overlap": q, "positional_overlap": 0.0})
    found = encoding_correction(PAPER, point, 500)
    assert found["train_loss"] == pytest.approx(2.0 * 2 * q**2 / 1000, rel=0.02)
    assert found["test_error"] == pytest.approx(2 * q**2 / 1000, rel=0.02)
    # With q = 0 and a large m each token attends to itself alone: S is the identity and |Sp|^2 = 2.
    point.order_parameters.update(self_overlap=1e-12, positional_overlap=8.0)
    assert encoding_correction(PAPER, point, 500)["test_error"] == pytest.approx(2 / 1000, rel=1e-9)


@pytest.mark.slow
def test_descent_agrees_where_replica_symmetry_is_nearly_unbroken(diagram):
    found = compare_published_descent(diagram, "semantic")
    weak = found.where(found.stable & (found.jump_share < 0.05), drop=True)
    assert weak.sizes["alpha"] >= 10
    deviation = weak.corrected_deviation.sel(quantity=["test_error", "train_loss", "semantic_overlap"])
    assert float(np.abs(deviation).max()) < 3
    # Where the jumps are strong the disagreement is clear: the comparison can fail.
    strong = found.where(found.jump_share > 0.3, drop=True)
    assert float(np.abs(strong.deviation.sel(quantity="test_error")).max()) > 10


@pytest.mark.slow
def test_training_loss_agrees_wherever_the_branch_is_stable(diagram):
    for start in ("semantic", "positional"):
        found = compare_published_descent(diagram, start)
        deviation = found.deviation.sel(quantity="train_loss")[found.stable.values]
        assert len(deviation) >= 14
        assert float(np.abs(deviation).max()) < 3.3


@pytest.mark.slow
def test_published_scaling_extrapolates_to_theory(diagram):
    for start in ("semantic", "positional"):
        point = diagram.branches[start].at(1.5)
        theory = {**point.order_parameters, "train_loss": point.train_loss, "test_error": point.test_error}
        found = compare_published_scaling(theory, start)
        assert np.all(found.chi_squared < 12)
        losses = found.sel(quantity=["test_error", "train_loss"])
        assert np.all(np.abs(losses.deviation) < 3)
        # The limit is sharp enough for the test to mean something: one to three per cent.
        assert np.all(losses.standard_error < 0.015 * losses.theory)
