"""The map behind the replicon eigenvalue: ridge regression in closed form and by random matrices, and its laws."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from scipy.linalg import block_diag
from scipy.optimize import brentq

from replica import AttentionModel, Spectrum, SpectrumAtom
from saddle import LineRule, Sector, StateEvolution, find_point
from saddle.averages.replicon_map import form_size, largest_eigenvalue, weights_map

SHARES = np.array([0.3, 0.7])
EIGENVALUES = np.array([2.0, 0.2])
PENALTY = 0.05


def of_all_tokens(matrices: np.ndarray, tokens: tuple[int, ...]) -> np.ndarray:
    """Matrices of every group (groups, r, r) as one block-diagonal matrix of all tokens, whose groups are given."""
    return np.asarray(block_diag(*matrices[list(tokens)]))


def form_of(curvatures: np.ndarray, tokens: tuple[int, ...], rank: int) -> np.ndarray:
    """Average of Tr[Y H X H] over samples of H (n, L r, L r), by its definition, above the diagonal."""
    basis = []
    for g in range(max(tokens) + 1):
        for i, j in itertools.combinations_with_replacement(range(rank), 2):
            matrices = np.zeros((max(tokens) + 1, rank, rank))
            matrices[g, i, j] = matrices[g, j, i] = 1.0
            basis.append(of_all_tokens(matrices, tokens))
    moved = [x @ curvatures for x in basis]
    pairs = itertools.combinations_with_replacement(moved, 2)
    return np.array([np.einsum("nij,nji->", one, other) for one, other in pairs]) / len(curvatures)


def degrees_of_freedom(ratio: float, penalty: float) -> tuple[float, float]:
    """Ridge regression on ``ratio`` samples per dimension: the effective penalty, and the second degrees of freedom.

    kappa solves penalty/kappa = ratio - E[gamma/(gamma + kappa)], with the loss |y - X w|^2/2 + d penalty |w|^2/2 of
    features of variance gamma/d; the variance's denominator is 1 - E[gamma^2/(gamma + kappa)^2]/ratio.
    """

    def mismatch(kappa: float) -> float:
        return float(penalty / kappa - ratio + SHARES @ (EIGENVALUES / (EIGENVALUES + kappa)))

    kappa: Any = brentq(mismatch, 1e-12, 1e6, xtol=1e-15)
    return float(kappa), float(SHARES @ (EIGENVALUES / (EIGENVALUES + kappa)) ** 2)


@pytest.mark.parametrize("ratio", [0.1, 0.6, 1.0, 3.0, 20.0])
def test_ridge_regression_of_two_eigenvalues(ratio):
    kappa, second = degrees_of_freedom(ratio, PENALTY)
    # V_hat = penalty/kappa, B = V_hat (gamma + kappa); every sample has M'' = 1/(1 + V) = V_hat/ratio.
    conjugate = PENALTY / kappa
    responses = (EIGENVALUES / (PENALTY + EIGENVALUES * conjugate)).reshape(2, 1, 1, 1)
    V = float(SHARES @ responses[:, 0, 0, 0])
    assert conjugate == pytest.approx(ratio / (1 + V), rel=1e-9)
    form = np.array([1 / (1 + V) ** 2])
    value, _ = largest_eigenvalue(weights_map(responses, SHARES), form)
    assert 1 - ratio * value == pytest.approx(1 - second / ratio, rel=1e-9)
    if ratio == 0.6:
        # The square of the mean response would not do.
        assert ratio * (value - V**2 * form[0]) > 0.05


def test_ridge_regression_of_two_outputs_that_are_mixed():
    # Outputs h M of a row h of two columns: in a suitable frame, two problems whose penalties differ.
    mixing, angle, ratio = np.array([1.0, 4.0]), 0.7, 0.8
    frame = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    kappas, seconds = np.transpose([degrees_of_freedom(ratio, PENALTY / x) for x in mixing])
    precisions = PENALTY * (1 + EIGENVALUES[:, None] / kappas)
    responses = np.einsum("n,ab,nb,cb->nac", EIGENVALUES, frame, 1 / precisions, frame)[:, None]
    curvature = frame @ np.diag(PENALTY / kappas / ratio) @ frame.T
    weights = weights_map(responses, SHARES)
    value, _ = largest_eigenvalue(weights, form_of(curvature[None], (0,), 2))
    assert ratio * value == pytest.approx(seconds.max() / ratio, rel=1e-9)
    # The Frobenius norm adds both columns up.
    V = np.einsum("n,ngab->ab", SHARES, responses)
    assert ratio * np.sum((V @ curvature @ V) * curvature) != pytest.approx(ratio * value, rel=0.01)


def test_ridge_regression_on_samples_of_two_covariances():
    # Inputs of two kinds, n_g of each. With G = (sum_g X_g^T X_g + penalty + sum_g eps_g Sigma_g)^-1, the response of
    # V_g = Tr[Sigma_g G]/d to eps_h is -Tr[Sigma_g G Sigma_h G]/d; by the equations for V it is -(1 - W C)^-1 W.
    d, ratios = 900, np.array([0.5, 0.25])
    gammas = np.array([[2.0, 0.1], [0.2, 1.0], [0.05, 0.6]])
    counts = np.array([150, 450, 300])
    shares = counts / d
    V = np.ones(2)
    for _ in range(2000):
        conjugates = ratios / (1 + V)
        responses = gammas / (PENALTY + gammas @ conjugates)[:, None]
        V = 0.5 * V + 0.5 * shares @ responses
    np.testing.assert_allclose(V, shares @ responses, rtol=1e-10)
    weights = weights_map(responses[:, :, None, None], shares)
    # Each kind of sample has its own field, hence no curvature between kinds.
    form = np.array([ratios[0] / (1 + V[0]) ** 2, 0.0, ratios[1] / (1 + V[1]) ** 2])
    value, _ = largest_eigenvalue(weights, form)

    generator = np.random.default_rng(1)
    spectrum = np.repeat(gammas, counts, axis=0)
    products = np.zeros((2, 2))
    for _ in range(3):
        hessian = PENALTY * np.eye(d)
        for g, ratio in enumerate(ratios):
            inputs = generator.normal(size=(round(ratio * d), d)) * np.sqrt(spectrum[:, g] / d)
            hessian += inputs.T @ inputs
        inverse = np.linalg.inv(hessian)
        scaled = spectrum.T[:, :, None] * inverse
        np.testing.assert_allclose(np.einsum("gii->g", scaled) / d, V, rtol=0.02)
        products += np.einsum("gij,hji->gh", scaled, scaled) / d / 3
    measured = np.eye(2) - weights @ np.linalg.inv(products)
    assert np.sort(np.linalg.eigvals(measured).real)[-1] == pytest.approx(value, rel=0.02)
    assert value > 0.1


def random_problem(generator, tokens=(0, 1, 0), rank=2, atoms=3):
    """Responses (atoms, groups, r, r) of a random spectrum, its shares, and curvatures (n, L r, L r) of any sign."""
    groups, size = max(tokens) + 1, len(tokens) * rank
    root = generator.normal(size=(atoms, rank, rank))
    inverse = root @ root.transpose(0, 2, 1) + 0.1 * np.eye(rank)
    responses = generator.uniform(0.1, 2.0, (atoms, groups))[:, :, None, None] * inverse[:, None]
    shares = generator.dirichlet(np.ones(atoms))
    curvatures = generator.normal(size=(4, size, size))
    return responses, shares, curvatures + curvatures.transpose(0, 2, 1)


@pytest.mark.parametrize(("tokens", "rank"), [((0, 0), 1), ((0, 1, 0), 1), ((0, 0), 2), ((0, 1, 0), 2), ((0, 1), 3)])
def test_no_fluctuation_grows_faster_symmetric_or_not(tokens, rank):
    # The two maps on all matrices of all groups, those that are not symmetric included, by their definitions.
    responses, shares, curvatures = random_problem(np.random.default_rng(2), tokens, rank)
    groups = max(tokens) + 1
    every = np.eye(groups * rank**2).reshape(-1, groups, rank, rank)
    blocks = curvatures.reshape(len(curvatures), len(tokens), rank, len(tokens), rank)
    columns = []
    for x in every:
        hat = np.zeros((groups, rank, rank))
        for one, other in itertools.product(range(len(tokens)), repeat=2):
            block = blocks[:, one, :, other, :]
            hat[tokens[one]] += np.einsum("nij,jk,nlk->il", block, x[tokens[other]], block) / len(blocks)
        columns.append(np.einsum("n,ngij,hjk,nhkl->gil", shares, responses, hat, responses).ravel())
    eigenvalues = np.linalg.eigvals(np.array(columns).T)
    value, slopes = largest_eigenvalue(weights_map(responses, shares), form_of(curvatures, tokens, rank))
    assert np.abs(eigenvalues).max() == pytest.approx(value, rel=1e-9)
    assert eigenvalues.real.max() == pytest.approx(value, rel=1e-9)
    assert len(slopes) == form_size(groups, rank)


def test_slopes_are_derivatives():
    responses, shares, curvatures = random_problem(np.random.default_rng(3))
    weights, form = weights_map(responses, shares), form_of(curvatures, (0, 1, 0), 2)
    value, slopes = largest_eigenvalue(weights, form)
    step = 1e-5 * value
    for k, slope in enumerate(slopes):
        up, down = (largest_eigenvalue(weights, form + sign * step * np.eye(len(form))[k])[0] for sign in (1, -1))
        assert (up - down) / (2 * step) == pytest.approx(slope, rel=1e-5, abs=1e-8 * np.abs(slopes).max())


def test_the_frame_of_the_columns_does_not_matter():
    responses, shares, curvatures = random_problem(np.random.default_rng(4))
    rotation = np.linalg.qr(np.random.default_rng(5).normal(size=(2, 2)))[0]
    turn = np.kron(np.eye(3), rotation)
    turned = rotation.T @ responses @ rotation
    here, there = (
        largest_eigenvalue(weights_map(a, shares), form_of(b, (0, 1, 0), 2))[0]
        for a, b in ((responses, curvatures), (turned, turn.T @ curvatures @ turn))
    )
    assert there == pytest.approx(here, rel=1e-10)


def test_groups_of_equal_covariance_are_one():
    responses, shares, curvatures = random_problem(np.random.default_rng(6), (0, 0, 0))
    twice = np.concatenate([responses, responses], axis=1)
    one, _ = largest_eigenvalue(weights_map(responses, shares), form_of(curvatures, (0, 0, 0), 2))
    two, _ = largest_eigenvalue(weights_map(twice, shares), form_of(curvatures, (0, 1, 0), 2))
    assert two == pytest.approx(one, rel=1e-10)


def test_different_variances_and_one_atom():
    # Then tr(V H V H), with each token's own V.
    _, _, curvatures = random_problem(np.random.default_rng(7), (0, 1, 0), 1)
    V = np.array([3.0, 0.7])
    own = np.diag(V[[0, 1, 0]])
    value, _ = largest_eigenvalue(weights_map(V.reshape(1, 2, 1, 1), np.ones(1)), form_of(curvatures, (0, 1, 0), 1))
    expected = np.mean([np.trace(own @ H @ own @ H) for H in curvatures])
    assert value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("tokens", [(0, 0), (0, 1)])
@pytest.mark.parametrize("alpha", [0.02, 0.3, 1.0, 5.0, 100.0])
def test_convex_losses_are_stable_at_all_alphas(tokens, alpha):
    # Quadratic losses of random curvatures, each flat in one direction, at their solution V.
    generator, rank, groups = np.random.default_rng(8), 2, max(tokens) + 1
    root = generator.normal(size=(200, 4, 4)) * generator.gamma(0.5, 4.0, (200, 1, 1))
    losses = root @ np.diag([1.0, 1.0, 0.3, 0.0]) @ root.transpose(0, 2, 1)
    gammas, shares, penalty = np.array([[2.0, 0.5], [0.1, 0.3]])[:, :groups], np.array([0.2, 0.8]), 0.01
    V = np.ones((groups, 1, 1)) * np.eye(rank)
    change = inverses = responses = curvatures = np.empty(0)
    for _ in range(3000):
        curvatures = losses @ np.linalg.inv(np.eye(4) + of_all_tokens(V, tokens) @ losses)
        mean = curvatures.mean(axis=0).reshape(2, rank, 2, rank)
        conjugates = np.zeros((groups, rank, rank))
        for token, group in enumerate(tokens):
            conjugates[group] += alpha * mean[token, :, token]
        inverses = np.linalg.inv(penalty * np.eye(rank) + np.einsum("ng,gij->nij", gammas, conjugates))
        responses = gammas[:, :, None, None] * inverses[:, None]
        change = np.einsum("n,ngij->gij", shares, responses) - V
        V = V + 0.5 * change
        if np.abs(change).max() < 1e-12 * V.max():
            break
    assert np.abs(change).max() < 1e-9 * V.max()
    value, _ = largest_eigenvalue(weights_map(responses, shares), form_of(curvatures, tokens, rank))
    assert 0.0 < alpha * value < 1.0
    # The map takes V below V - penalty E[gamma B^-2], so that nothing grows by more than the largest such ratio.
    lowered = V - penalty * np.einsum("n,ng,nij->gij", shares, gammas, inverses @ inverses)
    ratios = np.linalg.eigvals(np.linalg.solve(V, lowered)).real
    assert alpha * value <= ratios.max() < 1.0


def test_two_eigenvalues_on_the_agnostic_branch():
    # An independent value: -1.68, where the square of V, the mean response, gives +0.48.
    spectrum = Spectrum((SpectrumAtom(0.05, (3.0, 3.0)), SpectrumAtom(0.95, (0.05, 0.05))))
    evolution = StateEvolution(AttentionModel(omega=0.3, spectrum=spectrum), LineRule.for_tolerance(1e-2))
    point = find_point(evolution, Sector.AGNOSTIC, 4.0)
    found = point.replicon()
    assert found.regular == pytest.approx(-1.68, abs=0.02)
    # The weights' answer is the derivative of q in its conjugate.
    V = point.order_parameters["susceptibility"]
    ratio = point.evaluation.overlap_derivatives[0, 0] / V**2
    assert 1 - (1 - found.regular) / ratio == pytest.approx(0.48, abs=0.01)
    # Averages that are known need not be computed again, and change nothing.
    again = evolution.replicon(point.evaluation.state, 4.0)
    assert again.regular == pytest.approx(found.regular, rel=1e-12)


def test_one_eigenvalue_in_two_atoms_is_one_atom():
    halves = Spectrum((SpectrumAtom(0.5, (0.25, 0.25)), SpectrumAtom(0.5, (0.25, 0.25))))
    rule = LineRule.for_tolerance(1e-2)
    plain = find_point(StateEvolution(AttentionModel.paper(), rule), Sector.AGNOSTIC, 1.2)
    found = StateEvolution(AttentionModel(omega=0.3, spectrum=halves), rule).replicon(plain.evaluation.state, 1.2)
    expected = plain.replicon()
    assert found.regular == pytest.approx(expected.regular, rel=1e-6)
    assert found.jump_strength == pytest.approx(expected.jump_strength, rel=1e-6)
