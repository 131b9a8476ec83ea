"""Nested averages: closed forms and differences."""

import numpy as np
import pytest
from scipy.special import log_ndtr

from saddle.averages.nested_averages import nested_average
from tests.oracles.step_models import grid, kinked_grid


@pytest.mark.parametrize("y", [0.2, 1.0, 3.0])
def test_one_step_from_zero_field_in_closed_form(y):
    # E exp(y|x|) = 2 exp(y^2/2) Phi(y).
    axes, weak = kinked_grid(12.0, 1601), np.full(1, 1e-2)
    found = nested_average(np.abs(axes[:, 0]), axes, np.zeros((1, 1)), np.ones(1), weak, np.array([[0.99]]), [y])
    inner = np.linspace(-0.8, 0.8, 4001)
    step = np.sqrt(0.99)
    logs = 0.5 * (y * step) ** 2 + np.logaddexp(
        y * inner + log_ndtr(inner / step + y * step), -y * inner + log_ndtr(-inner / step + y * step)
    )
    weights = np.exp(-0.5 * inner**2 / weak)
    assert found.value == pytest.approx(np.sum(weights * logs) / np.sum(weights) / y, rel=2e-5)


def test_splitting_a_step_changes_nothing():
    generator = np.random.default_rng(3)
    axes = grid(7.0, 281, dimensions=1)
    values = np.tanh(axes[:, 0]) + 0.3 * np.abs(axes[:, 0] - 0.2)
    gap, y = generator.uniform(0.2, 0.5), generator.uniform(0.5, 2.0)
    arguments = values, axes, np.array([[0.3]]), np.ones(1), np.array([0.4])
    one = nested_average(*arguments, np.array([[gap]]), [y])
    two = nested_average(*arguments, np.array([[0.3 * gap], [0.7 * gap]]), [y, y * (1 + 1e-12)])
    assert two.value == pytest.approx(one.value, rel=1e-9)
    np.testing.assert_allclose(two.tilted, one.tilted, atol=1e-9)


def test_a_quadratic_function_in_closed_form():
    # F = -a x^2 / 2 under one step: a -> a / (1 + y a D), and a constant -log(1 + y a D) / (2 y).
    a, y, gap, outer, centre = 1.3, 0.7, 0.4, 0.25, 0.6
    axes = grid(8.0, 401)
    found = nested_average(
        -0.5 * a * axes[:, 0] ** 2, axes, np.array([[centre]]), np.ones(1), np.array([outer]), np.array([[gap]]), [y]
    )
    stretched = 1.0 + y * a * gap
    expected = -0.5 * a / stretched * (centre**2 + outer) - np.log(stretched) / (2 * y)
    assert found.value == pytest.approx(expected, rel=1e-10)
    assert found.by_centre[0, 0] == pytest.approx(-a / stretched * centre, rel=1e-9)
    assert found.by_variance[0] == pytest.approx(-0.5 * a / stretched, rel=1e-9)


def test_derivatives_are_those_of_the_sums():
    generator = np.random.default_rng(5)
    axes = grid(3.0, 61, dimensions=2, nodes=3)
    values = generator.normal(size=(3, 61, 61)) * 0.2 - np.abs(axes[:, 0, :, None] - axes[:, 1, None, :])
    centres, weights = generator.normal(size=(3, 2)) * 0.2, np.array([0.5, 0.3, 0.2])
    variance, steps = np.array([0.1, 0.15]), np.array([[0.05, 0.08], [0.04, 0.03]])
    parisi = np.array([1.5, 4.0])

    def value(x: np.ndarray) -> float:
        parts = np.split(x, [2, 6, 12])
        return nested_average(
            values, axes, parts[2].reshape(3, 2), weights, parts[0], parts[1].reshape(2, 2), parts[3]
        ).value

    here = np.concatenate([variance, steps.ravel(), centres.ravel(), parisi])
    found = nested_average(values, axes, centres, weights, variance, steps, parisi)
    slopes = np.concatenate(
        [found.by_variance, found.by_step_variance.ravel(), found.by_centre.ravel(), found.by_parisi]
    )
    for place, slope in enumerate(slopes):
        moved = 1e-5 * np.eye(len(here))[place]
        difference = (value(here + moved) - value(here - moved)) / 2e-5
        assert slope == pytest.approx(difference, rel=1e-6, abs=1e-9)
    assert np.sum(found.tilted) == pytest.approx(1.0, abs=1e-3)
