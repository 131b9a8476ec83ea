"""The replicon eigenvalue of models beyond the paper's, on compiled kernels: ridge regression, convexity, rank two."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from replica import AttentionModel, Spectrum, SpectrumAtom
from saddle import LineRule, SobolRule, StateEvolution, find_point
from saddle.averages.replicon_map import weights_map
from tests.oracles.rank_two_oracle import RankTwoState, form_samples, jump_samples

pytestmark = pytest.mark.slow

COARSE = LineRule.for_tolerance(1e-2)
TWO_ATOMS = Spectrum((SpectrumAtom(0.3, (2.0, 2.0)), SpectrumAtom(0.7, (0.2, 0.2))))
RANK_TWO = AttentionModel.paper(rank=2)
# Solutions at omega = 0.3 and alpha = 2: one column knows the positions and the other the teacher; one knows the
# teacher and the other nothing, with jumps.
MIXED = RankTwoState(np.diag([0.0176, 0.0793]), np.array([0.215, 0.0]), np.diag([14.35, 14.78]), np.array([0.0, 0.129]))
SEMANTIC = RankTwoState(np.diag([0.0857, 0.0321]), np.zeros(2), np.diag([17.7, 37.4]), np.array([0.130, 0.0]))


def test_attention_that_is_ridge_regression():
    # S(h) = diag(h): two linear regressions that share their weights, so 2 alpha samples per dimension.
    model = AttentionModel(
        omega=0.3,
        attention=lambda h: sp.diag(h[0], h[1]),
        target=lambda h: sp.diag(h[0], h[1]),
        spectrum=TWO_ATOMS,
        regularization=0.05,
    )
    evolution = StateEvolution(model)
    gammas, shares = TWO_ATOMS.eigenvalues[:, 0], TWO_ATOMS.weights
    for alpha in (0.2, 0.6, 2.0):
        point = find_point(evolution, evolution.sectors[0], alpha)
        # The loss is the mean eigenvalue times |z - h*|^2/2. V_hat = 2 alpha R/(1 + R V) and V = E[gamma/B].
        mean = shares @ gammas
        conjugate = 2 * alpha * mean / (1 + mean * point.order_parameters["susceptibility"])
        kappa = 0.05 / conjugate
        assert point.order_parameters["susceptibility"] == pytest.approx(
            shares @ (gammas / (gammas + kappa)) / conjugate, rel=1e-5
        )
        denominator = 1 - shares @ (gammas / (gammas + kappa)) ** 2 / (2 * alpha)
        found = point.replicon()
        assert found.regular == pytest.approx(denominator, abs=1e-5)
        assert found.jump_strength == 0.0
        assert point.evolution.replicon(point.evaluation.state, alpha, quick=True).regular == pytest.approx(
            denominator, abs=1e-5
        )


def test_a_convex_loss_is_stable_at_all_alphas():
    # Squares of z whose targets are negative, besides z itself: convex, and not quadratic.
    model = AttentionModel(
        omega=0.3,
        attention=lambda h: sp.Matrix([[h[0], h[0] ** 2], [h[1] ** 2, h[1]]]),
        target=lambda h: sp.Matrix([[h[0], -1], [-1, h[1]]]),
        spectrum=TWO_ATOMS,
    )
    evolution = StateEvolution(model, LineRule.for_tolerance(1e-3))
    found = []
    for alpha in (0.05, 0.3, 0.6, 1.0, 3.0, 20.0):
        point = find_point(evolution, evolution.sectors[0], alpha)
        here = point.replicon()
        assert here.jumps == 0
        assert here.stable
        # The map takes V below V - penalty E[gamma/B^2], so that lambda_R is more than the ratio of the two terms.
        responses, shares = evolution.prior.responses(
            evolution.space.matrices(point.evaluation.conjugates, "susceptibility")
        )
        gammas = TWO_ATOMS.eigenvalues[:, 0]
        rest = model.regularization * shares @ (responses[:, 0, 0, 0] ** 2 / gammas)
        assert here.regular > rest / point.order_parameters["susceptibility"]
        found.append(here.regular)
    # Worst where samples are as many as directions, nearly.
    assert min(found) == pytest.approx(found[2], abs=0.1)
    assert found[2] < 0.3 < 0.7 < found[0]


@pytest.fixture(scope="module")
def rank_two() -> StateEvolution:
    return StateEvolution(RANK_TWO, SobolRule(points=2048, scrambles=8))


def test_rank_two_by_monte_carlo(rank_two):
    found = rank_two.replicon(MIXED.vector(), 2.0)
    samples = 2.0 * form_samples(RANK_TWO, MIXED, 40_000, 1)
    # With V = R R^T: X -> R^T X R makes the weights' map the identity; columns are orthogonal here.
    size = np.array([MIXED.V[0, 0], np.sqrt(MIXED.V[0, 0] * MIXED.V[1, 1]), MIXED.V[1, 1]])
    form = size[:, None] * samples.mean(axis=0) * size
    values, vectors = np.linalg.eigh(form)
    spread = np.einsum("nij,i,j->n", samples, *2 * [size * vectors[:, -1]]).std() / np.sqrt(len(samples))
    assert spread < 0.005 * values[-1]
    assert found.regular_error < 0.005 * values[-1]
    assert abs((1 - found.regular) - values[-1]) < 3 * np.hypot(spread, found.regular_error)
    # The Frobenius norm is a bound, and far away.
    frobenius = form[0, 0] + 2 * form[0, 2] + form[2, 2]
    assert frobenius > 1.5 * values[-1]


def test_jump_strength_of_rank_two_by_crossings(rank_two):
    found = rank_two.replicon(SEMANTIC.vector(), 2.0)
    # Half a standard deviation of the fields: the density's curvature over the step matters by one per cent.
    samples = 2.0 * jump_samples(RANK_TWO, SEMANTIC, 50_000, 2, step=0.1)
    size = np.array([SEMANTIC.V[0, 0], np.sqrt(SEMANTIC.V[0, 0] * SEMANTIC.V[1, 1]), SEMANTIC.V[1, 1]])
    values, vectors = np.linalg.eigh(size[:, None] * samples.mean(axis=0) * size)
    spread = np.einsum("nij,i,j->n", samples, *2 * [size * vectors[:, -1]]).std() / np.sqrt(len(samples))
    assert spread < 0.07 * values[-1]
    assert abs(found.jump_strength - values[-1]) < 3 * np.hypot(spread, found.jump_strength_error)
    assert not found.stable


def test_values_of_rank_two_at_its_solutions(rank_two):
    # Independent values: 0.737 and, by plain sampling of an average without variance, 1 - 1.98(16).
    solver = rank_two.with_rule(SobolRule(points=1024, scrambles=4))
    mixed = find_point(solver, solver.space.sector_named("mixed"), 2.0)
    found = rank_two.replicon(mixed.evaluation.state, 2.0)
    assert found.regular == pytest.approx(0.737, abs=0.004)
    assert found.jump_strength < 1e-4 * mixed.evaluation.averages.envelope


@pytest.mark.parametrize("state", [MIXED, SEMANTIC])
def test_rotating_the_columns_changes_nothing(rank_two, state):
    here, there = (rank_two.replicon(x.vector(), 2.0) for x in (state, state.rotated(0.4)))
    assert here.regular_error < 0.05 * (1 - here.regular)
    assert there.regular == pytest.approx(here.regular, abs=3 * (here.regular_error + there.regular_error))
    assert there.jump_strength == pytest.approx(
        here.jump_strength, abs=3 * (here.jump_strength_error + there.jump_strength_error)
    )


def test_a_column_that_cannot_move_leaves_the_replicon_of_rank_one(rank_two):
    q, m, V, theta = 0.05, 0.2, 12.0, 0.03
    one = StateEvolution(AttentionModel.paper(), LineRule.for_tolerance(1e-3)).replicon(np.array([q, m, V, theta]), 1.0)
    # The second column's fields are small, and so is what moves them, relative to the stiffness 1/V.
    two = rank_two.replicon(np.array([q, 0, 1e-14, m, 0, V, 0, 1e-4, theta, 0]), 1.0)
    assert two.regular_error < 0.1 * (1 - two.regular)
    assert two.regular == pytest.approx(one.regular, abs=3 * (one.regular_error + two.regular_error))
    assert one.jump_strength > 0
    assert two.jump_strength == pytest.approx(
        one.jump_strength, abs=3 * (one.jump_strength_error + two.jump_strength_error)
    )


@pytest.mark.parametrize("quick", [True, False])
def test_two_groups_of_equal_variance_are_one(quick):
    # Groups are told apart by their eigenvalues: so nearly equal ones.
    nearly = AttentionModel(omega=0.3, spectrum=Spectrum.isotropic(0.25, 0.25 * (1 + 1e-9)))
    q, m, V, theta = 0.0706, 0.1318, 22.24, 0.0582
    one = StateEvolution(AttentionModel.paper(), COARSE).replicon(np.array([q, m, V, theta]), 1.25, quick=quick)
    two = StateEvolution(nearly, COARSE).replicon(np.array([q, q, m, V, V, theta, theta]), 1.25, quick=quick)
    # Lines that exchange of the tokens makes equal are not left out for two groups; births are located once more.
    assert two.regular == pytest.approx(one.regular, abs=0.05 * one.regular_error)
    assert two.jump_strength == pytest.approx(one.jump_strength, rel=1e-6)
    assert two.jump_strength > 0


def test_groups_of_several_eigenvalues_between_births_and_on_sobol_points():
    spectrum = Spectrum((SpectrumAtom(0.2, (1.0, 0.3)), SpectrumAtom(0.8, (0.1, 0.2))))
    evolution = StateEvolution(AttentionModel(omega=0.3, spectrum=spectrum), LineRule.for_tolerance(3e-3))
    point = find_point(evolution, evolution.space.sector_named("agnostic"), 1.5)
    between = point.replicon()
    plain = evolution.with_rule(SobolRule(points=2048, scrambles=8)).replicon(
        point.evaluation.state, 1.5, averages=point.evaluation.averages
    )
    assert plain.regular_error < 0.2 * (1 - plain.regular)
    assert abs(between.regular - plain.regular) < 3.5 * np.hypot(plain.regular_error, between.regular_error)
    assert abs(between.jump_strength - plain.jump_strength) < 3.5 * plain.jump_strength_error + 1e-12
    # The weights' map is the derivative of q in its conjugate, between groups, too.
    conjugates = evolution.space.matrices(point.evaluation.conjugates, "susceptibility")
    weights = weights_map(*evolution.prior.responses(conjugates))
    np.testing.assert_allclose(weights, point.evaluation.overlap_derivatives[:2, :2], rtol=1e-8)
