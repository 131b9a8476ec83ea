"""Ground states and capacities that are published for steps at zero temperature, and their stability."""

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_ndtr, ndtr

from tests.oracles.step_models import (
    best_discontinuous_ising,
    best_ising,
    best_perceptron,
    ising_ground_state,
    ising_stability,
    perceptron_capacity,
    perceptron_stability,
)

NONE = np.zeros(0)


def symmetric_capacity(margin: float) -> float:
    """Gardner's capacity, J. Phys. A 21 (1988) 257: one over E(kappa - w)_+^2."""
    density = np.exp(-0.5 * margin**2) / np.sqrt(2.0 * np.pi)
    return float(1.0 / ((1.0 + margin**2) * ndtr(margin) + margin * density))


def one_step_capacity(margin: float) -> float:
    """The same as ``best_perceptron``, with the inner average in closed form and the outer one by Gauss-Hermite."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights = weights / weights.sum()

    def capacity(x: np.ndarray) -> float:
        q, y = 1.0 / (1.0 + np.exp(-x[0])), np.exp(x[1])
        gap = 1.0 - q
        a, stretched = margin - np.sqrt(q) * nodes, 1.0 + y * gap
        tail = np.exp(-0.5 * y * a**2 / stretched) * ndtr(a / np.sqrt(gap * stretched)) / np.sqrt(stretched)
        value = weights @ np.log(ndtr(-a / np.sqrt(gap)) + tail)
        return float(-0.5 * (np.log(stretched) + y * q / stretched) / value)

    options = {"xatol": 1e-8, "fatol": 1e-11}
    return float(minimize(capacity, [0.0, 2.0], method="Nelder-Mead", options=options).fun)


def two_steps(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Overlaps q_0, q_1, 1 and y of two steps from unbounded numbers."""
    shares = np.append(np.exp(x[:2]), 1.0)
    return np.cumsum(shares) / np.sum(shares), np.cumsum(np.exp(x[2:]))


def logarithms(overlaps: np.ndarray, parisi: np.ndarray) -> np.ndarray:
    """The numbers that :func:`two_steps` makes these of."""
    shares = np.diff(overlaps, prepend=0.0)
    return np.log(np.concatenate([shares[:2] / shares[2], np.diff(parisi, prepend=0.0)]))


def two_step_capacity(margin: float, overlaps: np.ndarray, parisi: np.ndarray) -> float:
    """Capacity with two steps: the innermost average in closed form, the two outer ones by Gauss-Hermite."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(160)
    weights = weights / weights.sum()
    (outer, inner), (y, z) = np.diff(overlaps), parisi
    middle = 1.0 + z * inner
    stretched = middle + y * outer
    a = margin - np.sqrt(overlaps[0]) * nodes[:, None] - np.sqrt(outer) * nodes
    tail = np.exp(-0.5 * z * a**2 / middle) * ndtr(a / np.sqrt(inner * middle)) / np.sqrt(middle)
    level = np.log(ndtr(-a / np.sqrt(inner)) + tail) * (y / z)
    value = weights @ np.log(np.exp(level) @ weights) / y
    entropy = np.log(middle) / z + np.log(stretched / middle) / y + overlaps[0] / stretched
    return float(-0.5 * entropy / value)


def outer_curvature(gap: float, y: float, variance: float) -> float:
    """E (F_1'')^2 of F_1 = log E exp(y |x|) / y in closed form, differentiated by differences."""
    width = np.sqrt(gap)

    def level(x: np.ndarray) -> np.ndarray:
        sides = [sign * y * x + log_ndtr(sign * x / width + y * width) for sign in (1, -1)]
        return np.logaddexp(*sides) / y

    x, step = np.linspace(-7.0, 7.0, 4001) * np.sqrt(variance), 1e-3
    second = (level(x + step) - 2.0 * level(x) + level(x - step)) / step**2
    weights = np.exp(-0.5 * x**2 / variance)
    return float(np.sum(weights * second**2) / np.sum(weights))


def test_replica_symmetry_of_the_sherrington_kirkpatrick_model():
    # E|x|: -sqrt(2/pi).
    assert ising_ground_state(2, np.ones(1), NONE) == pytest.approx(-np.sqrt(2 / np.pi), abs=1e-5)


def test_one_step_of_the_sherrington_kirkpatrick_model():
    # -0.7652 (Parisi, J. Phys. A 13 (1980) L115; here to six digits).
    energy, overlaps, parisi = best_ising(2, 1, np.array([-0.1, 0.3]))
    assert energy == pytest.approx(-0.76526, abs=2e-5)
    # Known to be unstable: minima of different blocks are not all alike.
    (between,) = ising_stability(2, overlaps, parisi)
    expected = 1.0 - outer_curvature(1.0 - overlaps[0], float(parisi[0]), float(overlaps[0]))
    assert between == pytest.approx(expected, abs=2e-4)
    assert between == pytest.approx(-0.2614, abs=1e-3)


@pytest.mark.slow
def test_steps_of_the_sherrington_kirkpatrick_model_approach_parisis_energy():
    # The energy grows with the number of steps towards -0.76317 (Crisanti and Rizzo, Phys. Rev. E 65 (2002) 046137).
    one = best_ising(2, 1, np.array([-0.1, 0.3]))[0]
    two = best_ising(2, 2, np.array([-1.0, 0.0, -0.2, 0.6]))[0]
    assert -np.sqrt(2 / np.pi) < one < two < -0.76317
    assert two - one > 1.5e-3 > two + 0.76317 + 1e-3


def test_replica_symmetry_of_the_three_spin_model():
    # The same with fields of variance p / 2.
    assert ising_ground_state(3, np.ones(1), NONE) == pytest.approx(-np.sqrt(3.0 / np.pi), abs=1e-4)


@pytest.mark.parametrize("p", [3, 4])
def test_one_step_of_the_p_spin_model_in_closed_form(p):
    # At q_0 = 0 there is nothing to average outside: y / 4 + log(2 Phi(y sqrt(p / 2))) / y at its minimum.
    def value(y: float) -> float:
        return float(y / 4.0 + (np.log(2.0) + log_ndtr(y * np.sqrt(p / 2.0))) / y)

    energy, overlaps, parisi = best_discontinuous_ising(p, 1, np.array([0.3]))
    expected = minimize_scalar(value, bounds=(0.3, 4.0), method="bounded")
    assert energy == pytest.approx(-expected.fun, abs=3e-5)
    assert parisi[0] == pytest.approx(expected.x, rel=1e-3)
    # Blocks that do not overlap at all stay so, for p > 2.
    assert ising_stability(p, overlaps, parisi)[0] == 1.0


def test_two_steps_of_the_three_spin_model():
    # -0.8132 (El Alaoui and Montanari, arXiv:2009.11481, a numerical solution of Parisi's variational problem).
    one = best_discontinuous_ising(3, 1, np.array([0.3]))[0]
    two, overlaps, parisi = best_discontinuous_ising(3, 2, np.array([3.5, 0.3, 1.0]))
    assert two == pytest.approx(-0.8132, abs=5e-5)
    assert two - one == pytest.approx(3.44e-4, abs=2e-5)
    # It is the inner blocks that split on.
    between, inner = ising_stability(3, overlaps, parisi)
    assert between == 1.0
    assert inner < -0.1


@pytest.mark.parametrize("margin", [1.0, 0.0, -0.5, -1.5])
def test_replica_symmetry_of_the_perceptron(margin):
    expected = symmetric_capacity(margin)
    assert perceptron_capacity(margin, np.ones(1), NONE) == pytest.approx(expected, rel=1e-6)
    # At capacity the eigenvalue is one minus the number of samples at their margin over that of weights: it vanishes
    # at margin zero (Gardner and Derrida, J. Phys. A 21 (1988) 271).
    (replicon,) = perceptron_stability(margin, np.ones(1), NONE)
    assert replicon == pytest.approx(1.0 - expected * ndtr(margin), abs=1e-3)
    assert np.sign(round(replicon, 6)) == np.sign(margin)


def test_one_step_of_the_perceptron_of_negative_margin():
    # No published digits could be confirmed: Gardner's closed form, and the same by another quadrature.
    margin = -1.5
    capacity, overlaps, parisi = best_perceptron(margin, 1, np.array([-1.0, 0.5]))
    assert symmetric_capacity(margin) == pytest.approx(43.769, abs=5e-4)
    assert capacity == pytest.approx(one_step_capacity(margin), rel=1e-5)
    assert capacity == pytest.approx(36.567, abs=5e-4)
    # Neither kind is stable: full breaking is needed; both are finite, since nothing jumps.
    between, within = perceptron_stability(margin, overlaps, parisi)
    assert within < between < -0.1


@pytest.mark.slow
def test_two_steps_of_the_perceptron_of_negative_margin():
    # The same functional with the innermost average in closed form and the other one by a matrix of Gauss-Hermite
    # nodes, at the overlaps and y where ours is smallest, and its own smallest value beside it.
    capacity, overlaps, parisi = best_perceptron(-1.5, 2, np.array([-1.0, -0.5, 0.0, 1.0]))
    assert two_step_capacity(-1.5, overlaps, parisi) == pytest.approx(capacity, rel=2e-5)
    found = minimize(
        lambda x: two_step_capacity(-1.5, *two_steps(x)), logarithms(overlaps, parisi), method="Nelder-Mead",
        options={"xatol": 1e-6, "fatol": 1e-9},
    )  # fmt: skip
    assert found.fun == pytest.approx(capacity, rel=2e-5)
    assert capacity == pytest.approx(36.398, abs=1e-3)
    assert capacity < one_step_capacity(-1.5)
