"""The linear positional baseline: reference value, other routes, symmetries and limits."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import dblquad
from scipy.special import expit

from baselines import linear_positional
from baselines.averages.target_function import target_values
from replica import AttentionModel
from replica.algebra.softmax_weight import with_exponentials
from replica.model.attention import target_matrix
from replica.quantities import symbols

STANDARD = ((0.6, 0.4), (0.4, 0.6))
SKEWED = ((0.3, 0.7), (0.8, 0.2))


def softmax_target(model, h):
    """Return T(h) by logistic functions of h_1(h_1 - h_2) and h_2(h_2 - h_1)."""
    first, second = h
    to_itself = np.array([expit(first * (first - second)), expit(second * (second - first))])
    attention = np.array([[to_itself[0], 1 - to_itself[0]], [1 - to_itself[1], to_itself[1]]])
    matrix = np.array(model.positional_matrix)[:, :, None]
    return (1 - model.omega) * attention + model.omega * matrix


def polar_variance(sigma):
    """Return (mean, variance) of softmax_1(h h^T)_11: Gauss-Legendre in |h|, uniform in the angle."""
    nodes, weights = np.polynomial.legendre.leggauss(300)
    radius = 5 * (nodes + 1) * sigma
    weights = weights * radius * np.exp(-((radius / sigma) ** 2) / 2)
    angle = 2 * np.pi * np.arange(20_000) / 20_000
    tilt = np.cos(angle) * (np.cos(angle) - np.sin(angle))
    first, second = np.array([[s.mean(), (s**2).mean()] for s in (expit(r**2 * tilt) for r in radius)]).T
    mean = weights @ first / weights.sum()
    return mean, weights @ second / weights.sum() - mean**2


@pytest.mark.parametrize("matrix", [STANDARD, SKEWED, ((1.0, -2.0), (0.0, 0.5))])
def test_published_constant_whatever_the_positional_matrix(matrix):
    baseline = linear_positional(AttentionModel.paper(omega=0.3, positional_matrix=matrix))
    assert 2 * baseline.test_error == pytest.approx(0.7**2 * 0.0080464667, rel=1e-8)
    assert baseline.test_error == pytest.approx(0.00197138, abs=5e-9)
    assert baseline.error < 1e-12


@pytest.mark.parametrize("omega", [0.0, 0.2, 0.5, 0.9])
def test_scales_with_the_square_of_the_semantic_weight(omega):
    purely_semantic = linear_positional(AttentionModel.paper(omega=0.0)).test_error
    baseline = linear_positional(AttentionModel.paper(omega=omega))
    assert baseline.test_error == pytest.approx((1 - omega) ** 2 * purely_semantic, rel=1e-12)


def test_a_purely_positional_target_is_learned_exactly():
    baseline = linear_positional(AttentionModel.paper(omega=1.0, positional_matrix=SKEWED))
    np.testing.assert_allclose(baseline.matrix, SKEWED, rtol=0, atol=1e-14)
    assert baseline.test_error < 1e-28


@pytest.mark.parametrize("sigma", [0.2, 0.5])
def test_agrees_with_adaptive_quadrature(sigma):
    model = AttentionModel(omega=0.3, sigma=sigma, positional_matrix=SKEWED)
    baseline = linear_positional(model)

    def average(function):
        def integrand(second, first):
            density = np.exp(-(first**2 + second**2) / (2 * sigma**2)) / (2 * np.pi * sigma**2)
            return density * function(softmax_target(model, np.array([[first], [second]]))[:, :, 0])

        reach = 8 * sigma
        return dblquad(integrand, -reach, reach, -reach, reach, epsabs=1e-12, epsrel=1e-9)[0]

    assert baseline.matrix[1, 0] == pytest.approx(average(lambda target: target[1, 0]), rel=1e-8)
    error = sigma**2 / 2 * average(lambda target: np.sum((target - baseline.matrix) ** 2))
    assert baseline.test_error == pytest.approx(error, rel=1e-8)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0, 4.0, 10.0])
def test_error_estimate_covers_a_sharper_rule(sigma):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        baseline = linear_positional(AttentionModel(omega=0.3, sigma=sigma))
    mean, variance = polar_variance(sigma)
    exact = 2 * sigma**2 * 0.7**2 * variance
    assert abs(baseline.test_error - exact) <= baseline.error + 1e-12 * exact
    assert baseline.error < 3e-3 * exact
    assert baseline.matrix[0, 0] == pytest.approx(0.7 * mean + 0.3 * 0.6, rel=3e-3)


def test_monte_carlo_agrees_within_its_error():
    model = AttentionModel(omega=0.2, sigma=0.8, positional_matrix=SKEWED)
    baseline = linear_positional(model)
    target = softmax_target(model, 0.8 * np.random.default_rng(1).standard_normal((2, 400_000)))
    spread = target.std(axis=2) / np.sqrt(target.shape[2])
    assert np.all(np.abs(target.mean(axis=2) - baseline.matrix) < 5 * spread)
    squares = 0.8**2 / 2 * np.sum((target - baseline.matrix[:, :, None]) ** 2, axis=(0, 1))
    assert abs(squares.mean() - baseline.test_error) < 5 * squares.std() / np.sqrt(squares.size)


def test_small_tokens_follow_the_expanded_softmax():
    # S_11 = 1/2 + h_1 (h_1 - h_2)/4 + O(h^4) has variance 3 sigma^4/16, and so have the three other entries.
    baseline = linear_positional(AttentionModel(omega=0.3, sigma=0.01))
    assert baseline.test_error == pytest.approx(3 / 8 * 0.01**6 * 0.7**2, rel=1e-3)


def test_renaming_the_tokens_permutes_the_matrix():
    model = AttentionModel.paper(omega=0.4, positional_matrix=SKEWED)
    here, there = linear_positional(model), linear_positional(model.token_exchanged())
    np.testing.assert_allclose(there.matrix, here.matrix[::-1, ::-1], rtol=0, atol=1e-14)
    assert not np.allclose(there.matrix, here.matrix)


def test_depends_on_the_target_alone_and_is_read_only():
    baseline = linear_positional(AttentionModel.paper(omega=0.3))
    other = linear_positional(AttentionModel(omega=0.3, regularization=7.0, positional_encoding=(0.2, 1.5)))
    assert other.test_error == baseline.test_error
    np.testing.assert_allclose(baseline.matrix.sum(axis=1), 1.0, rtol=1e-13)
    with pytest.raises(ValueError, match="read-only"):
        baseline.matrix[0, 0] = 0.0


def three_tokens(omega, sigma):
    rows = [[0.1, 0.2, 0.7], [0.5, 0.25, 0.25], [1.0, 0.0, -1.0]]
    return AttentionModel(omega, sigma, positional_matrix=rows, positional_encoding=(1, 0, -1))


def test_three_tokens_agree_with_monte_carlo():
    model = three_tokens(0.3, 0.8)
    baseline = linear_positional(model)
    h = 0.8 * np.random.default_rng(2).standard_normal((3, 300_000))
    powers = np.exp(h[:, None] * h[None])
    target = 0.7 * powers / powers.sum(axis=1, keepdims=True) + 0.3 * np.array(model.positional_matrix)[:, :, None]
    spread = target.std(axis=2) / np.sqrt(target.shape[2])
    assert np.all(np.abs(target.mean(axis=2) - baseline.matrix) < 5 * spread)
    squares = 0.8**2 / 3 * np.sum((target - baseline.matrix[:, :, None]) ** 2, axis=(0, 1))
    assert abs(squares.mean() - baseline.test_error) < 5 * squares.std() / np.sqrt(squares.size)
    assert baseline.error < 1e-12 * baseline.test_error


@pytest.mark.parametrize("model", [AttentionModel.paper(positional_matrix=SKEWED), three_tokens(0.4, 1.1)])
def test_target_is_that_of_the_equations(model):
    length = model.sequence_length
    fields = 1.5 * np.random.default_rng(3).standard_normal((length, 4))
    numbers = {x.symbol: model.parameter_values()[x.name] for x in symbols.model_parameters(model.structure)}
    target = with_exponentials(target_matrix(symbols.teacher_fields(length))).xreplace(numbers)
    expected = np.array(sp.lambdify(symbols.teacher_fields(length), target.tolist())(*fields))
    np.testing.assert_allclose(target_values(model, list(fields)), expected, rtol=1e-13)


def test_needs_no_symbolic_algebra():
    code = (
        "import sys, replica, baselines; baselines.linear_positional(replica.AttentionModel(0.3)); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "numpy" in loaded
    assert "sympy" not in loaded
