"""Models with published results at zero temperature, by the library's nested averages: spin glasses, a perceptron."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from saddle.averages.nested_averages import curvature_forms, nested_average

__all__ = [
    "best_discontinuous_ising",
    "best_ising",
    "best_perceptron",
    "grid",
    "ising_ground_state",
    "ising_stability",
    "kinked_grid",
    "perceptron_capacity",
    "perceptron_stability",
]


def grid(width: float, count: int, dimensions: int = 1, nodes: int = 1) -> np.ndarray:
    """Axes (nodes, dimensions, count) from -width to width."""
    return np.broadcast_to(np.linspace(-width, width, count), (nodes, dimensions, count)).copy()


def kinked_grid(width: float, count: int) -> np.ndarray:
    """Axes on which a kink at zero lies where the trapezoidal rule's error of second order vanishes."""
    axes = grid(width, count)
    spacing = axes[0, 0, 1] - axes[0, 0, 0]
    return axes + spacing * (0.5 - np.sqrt(1 / 12))


# Variance of an outermost field in the place of none.
NARROW = 0.004


def _ising(p: int, overlaps: np.ndarray, parisi: np.ndarray, count: int) -> tuple[np.ndarray, ...]:
    axes = kinked_grid(6.0 + p, count)
    fields = 0.5 * p * overlaps ** (p - 1)
    outermost = fields[:1] if fields[0] > 0.0 else np.full(1, NARROW)
    return np.abs(axes[:, 0]), axes, np.zeros((1, 1)), np.ones(1), outermost, np.diff(fields)[:, None], parisi


def ising_ground_state(p: int, overlaps: np.ndarray, parisi: np.ndarray, count: int = 401) -> float:
    """Energy per spin of the Ising p-spin model with k steps at zero temperature, q_0 ... q_k = 1.

    Parisi's functional: F_{k+1} = |x|, Gaussian fields of variance p q^{p-1} / 2 (the Sherrington-Kirkpatrick model is
    p = 2, q), minus (p - 1)/4 sum_j y_j (q_j^p - q_{j-1}^p).
    """
    correction = 0.25 * (p - 1) * np.sum(parisi * np.diff(overlaps**p))
    found = nested_average(*_ising(p, overlaps, parisi, count))
    # Back to no outermost field, to first order.
    narrow = NARROW * float(found.by_variance[0]) if overlaps[0] == 0.0 else 0.0
    return -(found.value - narrow - correction)


def ising_stability(p: int, overlaps: np.ndarray, parisi: np.ndarray, count: int = 401) -> np.ndarray:
    """Replicon eigenvalues of levels 0 ... k - 1: a gap of overlaps makes one of fields, and that one of overlaps."""
    forms, _ = curvature_forms(*_ising(p, overlaps, parisi, count))
    return 1.0 - 0.5 * p * (p - 1) * overlaps[:-1] ** (p - 2) * forms[:, 0, 0]


def _overlaps(x: np.ndarray, steps: int) -> np.ndarray:
    increments = np.append(np.exp(x[:steps]), 1.0)
    return np.cumsum(increments) / np.sum(increments)


def _best(
    function: Callable[[np.ndarray, np.ndarray], float], steps: int, start: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Minimise over overlaps and y: of q_0 ... q_{k-1} as logarithms of increments, of y likewise."""

    def at(x: np.ndarray) -> float:
        return function(_overlaps(x, steps), np.cumsum(np.exp(x[steps:])))

    options = {"xatol": 1e-6, "fatol": 1e-11, "maxiter": 800}
    found = minimize(at, start, method="Nelder-Mead", options=options)
    return float(found.fun), _overlaps(found.x, steps), np.cumsum(np.exp(found.x[steps:]))


def best_ising(p: int, steps: int, start: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the largest energy over overlaps and y, and where it is attained."""
    value, overlaps, parisi = _best(lambda q, y: -ising_ground_state(p, q, y), steps, start)
    return -value, overlaps, parisi


def best_discontinuous_ising(p: int, steps: int, start: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the same for p > 2, where two states of different blocks do not overlap at all: q_0 = 0."""

    def at(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        inner = 1.0 / (1.0 + np.exp(-x[: steps - 1]))
        return np.concatenate([[0.0], np.sort(inner), [1.0]]), np.cumsum(np.exp(x[steps - 1 :]))

    options = {"xatol": 1e-5, "fatol": 1e-10, "maxiter": 600}
    found = minimize(lambda x: -ising_ground_state(p, *at(x)), start, method="Nelder-Mead", options=options)
    return -float(found.fun), *at(found.x)


def _perceptron(margin: float, overlaps: np.ndarray, parisi: np.ndarray) -> tuple[np.ndarray, ...]:
    axes = grid(9.0, 601)
    axes += margin - axes[0, 0, np.argmin(np.abs(axes[0, 0] - margin))]
    values = -0.5 * np.maximum(margin - axes[:, 0], 0.0) ** 2
    return values, axes, np.zeros((1, 1)), np.ones(1), overlaps[:1], np.diff(overlaps)[:, None], parisi


def _stretched(overlaps: np.ndarray, parisi: np.ndarray) -> np.ndarray:
    """Return S_1 ... S_{k+1} = 1 of spherical weights, S_j = S_{j+1} + y_j Delta_j."""
    return 1.0 + np.append(np.cumsum((parisi * np.diff(overlaps))[::-1])[::-1], 0.0)


def perceptron_capacity(margin: float, overlaps: np.ndarray, parisi: np.ndarray) -> float:
    """Capacity of the spherical perceptron with k steps, q_0 ... q_k = 1: where the lowest energy leaves zero.

    There V goes to infinity, and with it y; the Moreau envelope of any loss that vanishes at margins above kappa and
    not below becomes (kappa - w)_+^2 / (2 V). In units of V: ``parisi`` is y/V.
    """
    stretched = _stretched(overlaps, parisi)
    entropy = np.sum(np.log(stretched[:-1] / stretched[1:]) / parisi) + overlaps[0] / stretched[0]
    return float(0.5 * entropy / -nested_average(*_perceptron(margin, overlaps, parisi)).value)


def perceptron_stability(margin: float, overlaps: np.ndarray, parisi: np.ndarray) -> np.ndarray:
    """Replicon eigenvalues of levels 0 ... k at capacity."""
    arguments = _perceptron(margin, overlaps, parisi)
    forms, law = curvature_forms(*arguments)
    # The innermost second derivative is one below the margin; half of it at the kink, a point of the grid.
    below = np.heaviside(margin - arguments[1][0, 0], 0.5)
    squares = np.append(forms[:, 0, 0], np.sum(law[0] * below))
    return 1.0 - perceptron_capacity(margin, overlaps, parisi) * squares * _stretched(overlaps, parisi) ** 2


def best_perceptron(margin: float, steps: int, start: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the smallest capacity over overlaps and y, and where it is attained."""
    return _best(lambda q, y: perceptron_capacity(margin, q, y), steps, start)
