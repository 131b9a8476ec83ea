r"""Regressions that are not quadratic, or whose outputs are not linear: oracles from SciPy's adaptive quadrature.

Nothing here uses the replica equations of the library, nor their form. With a convex loss :math:`\ell(y - z)` of the
residual and outputs :math:`y = h_\star + \epsilon` only the residual :math:`r = y - w` of the field w matters, a sum of
a Gaussian of variance :math:`1 - 2\theta + q` and of the noise (N. El Karoui et al., PNAS 110 (2013) 14557; D. Donoho
and A. Montanari, arXiv:1310.7320). With a quadratic loss and outputs :math:`y = f(h_\star) + \sqrt\Delta\,\xi` what is
not linear in :math:`h_\star` is noise, and ridge regression follows (arXiv:1908.05355, Lemma 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.integrate import cubature
from scipy.optimize import root

from tests.oracles.known_results import Asymptotics, ridge

__all__ = ["pseudo_huber", "ridge_on_error_function"]

# Standard deviations at which the normal law is cut off, where its density is 1e-19.
REACH = 9.2


def _normal_average(function: Callable[[np.ndarray, np.ndarray], list[np.ndarray]]) -> np.ndarray:
    """Average functions of two standard normals that are even under their common reversal."""

    def weighted(points: np.ndarray) -> np.ndarray:
        density = np.exp(-np.sum(points**2, axis=1) / 2) / np.pi
        return np.stack(function(*points.T), axis=1) * density[:, None]

    found = cubature(weighted, [-REACH, 0.0], [REACH, REACH], rtol=1e-11, atol=1e-13, max_subdivisions=20_000)
    assert found.status == "converged"
    return found.estimate


def _residual_at_minimum(r: np.ndarray, susceptibility: float) -> np.ndarray:
    """Solve u + V u/sqrt(1 + u^2) = r by bisection between 0 and r."""
    low, high = np.zeros_like(r), np.abs(r)
    for _ in range(60):
        middle = (low + high) / 2
        above = middle * (1 + susceptibility / np.sqrt(1 + middle**2)) > np.abs(r)
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.sign(r) * (low + high) / 2


def pseudo_huber(alpha: float, penalty: float, noise: float) -> Asymptotics:
    r"""Regression with the loss :math:`\sqrt{1 + (y - z)^2} - 1` and outputs :math:`y = h_\star + c\,\xi^3`.

    :math:`\xi^3` has heavy tails: the loss's unit scale is crossed by :math:`c\,\xi^3` within a part of
    :math:`\xi`'s own, which rules in :math:`\xi` have to see.
    """

    def averages(state: np.ndarray) -> np.ndarray:
        q, theta, susceptibility = state
        spread = math.sqrt(1 - 2 * theta + q)

        def of(a: np.ndarray, xi: np.ndarray) -> list[np.ndarray]:
            r = spread * a + noise * xi**3
            u = _residual_at_minimum(r, susceptibility)
            force, curvature = u / np.sqrt(1 + u**2), (1 + u**2) ** -1.5
            loss, loss_of_new = np.sqrt(1 + u**2) - 1, np.sqrt(1 + r**2) - 1
            return [force**2, curvature / (1 + susceptibility * curvature), loss, loss_of_new]

        return _normal_average(of)

    def residual(state: np.ndarray) -> np.ndarray:
        square, slope, *_ = averages(state)
        precision = penalty + alpha * slope
        theta = alpha * slope / precision
        return np.array([alpha * square / precision**2 + theta**2, theta, 1 / precision]) - state

    found = root(residual, [1.5, 0.9, 1.0], tol=1e-11)
    assert np.max(np.abs(residual(found.x))) < 1e-9
    q, theta, susceptibility = found.x.tolist()
    loss, loss_of_new = averages(found.x)[2:].tolist()
    return Asymptotics(q, theta, susceptibility, alpha * loss + penalty * q / 2, 2 * loss_of_new)


def ridge_on_error_function(alpha: float, penalty: float, noise: float) -> Asymptotics:
    r"""Ridge regression on :math:`y = \mathrm{erf}(h_\star) + \sqrt\Delta\,\xi`, in closed form.

    :math:`\mathbb{E}\,h\,\mathrm{erf}(h) = \mathbb{E}\,\mathrm{erf}'(h) = 2/\sqrt{3\pi}` is the slope, and
    :math:`\mathbb{E}\,\mathrm{erf}(h)^2 = \frac2\pi\arcsin\frac23` (C. Williams, Neural Comput. 10 (1998) 1203).
    """
    slope = 2 / math.sqrt(3 * math.pi)
    rest = 2 / math.pi * math.asin(2 / 3) - slope**2
    found = ridge(alpha, penalty, noise + rest, teacher=slope**2)
    return Asymptotics(
        found.self_overlap, found.semantic_overlap / slope, found.susceptibility, found.training_loss, found.test_error
    )
