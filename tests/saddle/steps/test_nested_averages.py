"""Nested averages: closed forms, differences, and the ground states of spin glasses by the same code."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_ndtr

from saddle.averages.nested_averages import nested_average


def grid(width: float, count: int, dimensions: int = 1, nodes: int = 1) -> np.ndarray:
    """Axes (nodes, dimensions, count) from -width to width."""
    return np.broadcast_to(np.linspace(-width, width, count), (nodes, dimensions, count)).copy()


def kinked_grid(width: float, count: int) -> np.ndarray:
    """Axes on which a kink at zero lies where the trapezoidal rule's error of second order vanishes."""
    axes = grid(width, count)
    spacing = axes[0, 0, 1] - axes[0, 0, 0]
    return axes + spacing * (0.5 - np.sqrt(1 / 12))


def ising_ground_state(p: int, overlaps: np.ndarray, parisi: np.ndarray, count: int = 401) -> float:
    """Energy per spin of the Ising p-spin model with k steps at zero temperature, q_0 ... q_k = 1.

    Parisi's functional: F_{k+1} = |x|, Gaussian fields of variance p q^{p-1} / 2 (the Sherrington-Kirkpatrick model is
    p = 2, q), minus (p - 1)/4 sum_j y_j (q_j^p - q_{j-1}^p).
    """
    axes = kinked_grid(6.0 + p, count)
    fields = 0.5 * p * overlaps ** (p - 1)
    zero, one = np.zeros((1, 1)), np.ones(1)
    found = nested_average(np.abs(axes[:, 0]), axes, zero, one, fields[:1], np.diff(fields)[:, None], parisi)
    correction = 0.25 * (p - 1) * np.sum(parisi * np.diff(overlaps**p))
    return -(found.value - correction)


def best(p: int, steps: int, start: np.ndarray) -> float:
    """Largest energy over overlaps and y: of q_0 ... q_{k-1} as logarithms of increments, of y likewise."""

    def energy(x: np.ndarray) -> float:
        increments = np.append(np.exp(x[:steps]), 1.0)
        overlaps = np.cumsum(increments) / np.sum(increments)
        return -ising_ground_state(p, overlaps, np.cumsum(np.exp(x[steps:])))

    options = {"xatol": 1e-6, "fatol": 1e-11, "maxiter": 800}
    return -float(minimize(energy, start, method="Nelder-Mead", options=options).fun)


def test_without_steps_it_is_the_gaussian_average():
    # E|x| of the Sherrington-Kirkpatrick model: the replica-symmetric energy -sqrt(2/pi).
    assert ising_ground_state(2, np.ones(1), np.zeros(0)) == pytest.approx(-np.sqrt(2 / np.pi), abs=1e-5)


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


def test_one_step_of_the_sherrington_kirkpatrick_model():
    # One step at zero temperature: -0.7652 (Parisi, J. Phys. A 13 (1980) L115; here to six digits).
    assert best(2, 1, np.array([-0.1, 0.3])) == pytest.approx(-0.76526, abs=2e-5)


@pytest.mark.slow
def test_steps_of_the_sherrington_kirkpatrick_model_approach_parisis_energy():
    # The energy grows with the number of steps towards -0.76317 (Crisanti and Rizzo, Phys. Rev. E 65 (2002) 046137).
    one = best(2, 1, np.array([-0.1, 0.3]))
    two = best(2, 2, np.array([-1.0, 0.0, -0.2, 0.6]))
    assert -np.sqrt(2 / np.pi) < one < two < -0.76317
    assert two - one > 1.5e-3 > two + 0.76317 + 1e-3


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
