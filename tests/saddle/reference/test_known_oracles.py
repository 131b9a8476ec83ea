"""The oracles of ``known_results`` against one another, limits in the literature, and random training sets."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracles.known_logistic import (
    logistic_by_convex_gaussian_minimax,
    logistic_by_label_average,
    minimax_potential,
    simulate_logistic,
)
from tests.oracles.known_results import Atom, ridge, ridge_in_spectrum, ridge_of_tokens, simulate_ridge

TWO_ATOMS = (Atom(2.0, 0.3, 0.4), Atom(0.5, 0.7, 1.5))
RIDGE_CASES = [(0.5, 0.1, 0.0), (1.0, 1e-3, 0.2), (2.0, 0.1, 0.5), (3.0, 1.0, 0.1)]
LOGISTIC_CASES = [(0.5, 0.1, 0.0), (2.0, 0.1, 0.0), (2.0, 0.01, 0.5), (3.0, 1.0, 0.1)]


@pytest.mark.parametrize("case", RIDGE_CASES)
def test_a_spectrum_of_one_atom_is_marchenko_and_pastur(case):
    expected = ridge(*case).array()
    np.testing.assert_allclose(ridge_in_spectrum(*case, [Atom(1.0, 1.0)]).array(), expected, rtol=1e-12)
    split = [Atom(1.0, 0.25), Atom(1.0, 0.75)]
    np.testing.assert_allclose(ridge_in_spectrum(*case, split).array(), expected, rtol=1e-12)


@pytest.mark.parametrize("case", RIDGE_CASES)
def test_tokens_are_samples(case):
    alpha, penalty, noise = case
    expected = ridge(*case)
    for length in (1, 3):
        found = ridge_of_tokens(alpha / length, penalty, [noise], [1.0] * length, np.eye(1))
        overlaps = [found.self_overlap, found.semantic_overlap, found.susceptibility]
        assert [x[length - 1, 0, 0] for x in overlaps] == pytest.approx(expected.array()[:3], rel=1e-12)
        assert [found.training_loss, found.test_error] == pytest.approx(expected.array()[3:], rel=1e-12)


@pytest.mark.parametrize("alpha", [0.4, 3.0])
def test_ridge_tends_to_least_squares(alpha):
    """Hastie et al., arXiv:1903.08560, theorem 1: least squares of least norm; Delta = 0.3."""
    noise = 0.3
    expected = noise * alpha / (alpha - 1) if alpha > 1 else 1 - alpha + noise / (1 - alpha)
    assert ridge(alpha, 1e-9, noise).test_error == pytest.approx(expected, rel=1e-7)


def test_best_penalty_is_the_noise():
    """Dobriban and Wager, arXiv:1507.03003: for a teacher of variance one it is Delta, whatever alpha."""
    penalties = 0.3 * np.linspace(0.98, 1.02, 3)
    for alpha in (0.5, 2.0):
        low, middle, high = (ridge(alpha, penalty, 0.3).test_error for penalty in penalties)
        assert middle < min(low, high)


@pytest.mark.parametrize(("case", "atoms"), [((1.5, 0.2, 0.3), TWO_ATOMS), ((0.7, 0.05, 0.1), (Atom(1.0, 1.0),))])
def test_ridge_on_random_training_sets(case, atoms):
    runs = np.array([simulate_ridge(1000, *case, atoms, seed).array() for seed in range(8)])
    error = runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
    deviation = runs.mean(axis=0) - ridge_in_spectrum(*case, atoms).array()
    # Fluctuations and shifts are of order 1/d.
    assert np.all(np.abs(deviation) < 4 * error + 2e-3)


@pytest.mark.parametrize("case", LOGISTIC_CASES)
def test_two_published_systems_agree_on_logistic_regression(case):
    by_labels, by_minimax = logistic_by_label_average(*case), logistic_by_convex_gaussian_minimax(*case)
    np.testing.assert_allclose(by_labels.array(), by_minimax.array(), rtol=1e-12)


def test_solution_is_the_saddle_of_the_minimax_potential():
    case = (2.0, 0.1, 0.3)
    found = logistic_by_label_average(*case)
    a = found.semantic_overlap
    s = np.sqrt(found.self_overlap - a**2)
    saddle = np.array([a, s, s, s / found.susceptibility])
    value = minimax_potential(saddle, *case)
    assert value == pytest.approx(found.training_loss, rel=1e-12)
    for k, sign in enumerate([1, 1, 1, -1]):
        step = 1e-3 * saddle[k] * np.eye(4)[k]
        change = [minimax_potential(saddle + side * step, *case) - value for side in (1, -1)]
        # Along tau and b the potential curves in opposite ways, and nowhere is there a slope.
        assert sign * min(change, key=abs) > 0
        assert abs(change[0] - change[1]) < 1e-2 * abs(change[0] + change[1])


@pytest.mark.parametrize("alpha", [0.5, 4.0])
def test_a_large_penalty_gives_the_rule_of_hebb(alpha):
    """Vallet, Europhys. Lett. 8 (1989) 747: the angle to the teacher is arccos sqrt(2 alpha/(2 alpha + pi))."""
    found = logistic_by_label_average(alpha, 1e5, 0.0)
    cosine = found.semantic_overlap / np.sqrt(found.self_overlap)
    assert cosine == pytest.approx(np.sqrt(2 * alpha / (2 * alpha + np.pi)), rel=1e-4)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param((2.0, 0.1, 0.0), marks=pytest.mark.slow),
        pytest.param((3.0, 0.5, 0.3), marks=pytest.mark.measurement),
    ],
)
def test_logistic_regression_on_random_training_sets(case):
    runs = np.array([simulate_logistic(2000, *case, seed).array() for seed in range(16)])
    error = runs.std(axis=0, ddof=1) / 4
    deviation = runs.mean(axis=0) - logistic_by_label_average(*case).array()
    compared = [0, 1, 3, 4]
    assert np.all(np.abs(deviation[compared]) < 4 * error[compared])
