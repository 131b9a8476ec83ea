r"""State evolution of Bayes-optimal recovery of the teacher from its fields, known up to a common sign of L tokens.

With tokens and teacher of unit variance, the estimate's overlap ``r = E[Q Q*] = |Q|^2/d`` obeys (docs/baselines.md)

.. math::
    r = \alpha L\, D(r), \qquad D(r) = 1 - (1-r)^{L/2}\, \mathbb{E}\,\mathrm{sech}(\sqrt r\, Y), \qquad
    p(y) \propto |y|^\nu K_\nu(|y|),\quad \nu = \tfrac{L+1}2 .

L = 1 is phase retrieval of a real signal. Nothing here depends on the width of the tokens or on the target's omega.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from replica.common.errors import InvalidArgument

__all__ = ["free_entropy", "iterate", "overlap", "perfect_recovery", "sample_complexity", "signal", "weak_recovery"]

Array = NDArray[np.float64]

# The substitution y = exp(t - exp(-t)) makes the trapezoidal rule converge geometrically, whatever the power or
# logarithm at y = 0; beyond these ends the integrand is below rounding.
FIRST, LAST, NODES = -3.8, 5.0, 160


@functools.lru_cache(maxsize=32)
def _bessel_law(length: int, nodes: int) -> tuple[Array, Array]:
    r"""Return nodes and weights of the law of |Y|; half as many nodes serve for the error."""
    # SciPy is imported where it is used: importing `baselines` must stay quick.
    from scipy.special import kve

    t = np.linspace(FIRST, LAST, nodes)
    y = np.exp(t - np.exp(-t))
    order = (length + 1) / 2
    weights = y**order * kve(order, y) * np.exp(-y) * y * (1 + np.exp(-t))
    return y, weights / weights.sum()


def signal(overlap: float, length: int, *, nodes: int = NODES) -> float:
    r"""Return D(r) for r in [0, 1], without cancellation at small r: D is (L + 1) r there."""
    if overlap >= 1.0:
        return 1.0
    y, weights = _bessel_law(length, nodes)
    x = math.sqrt(overlap) * y
    rest = float(weights @ (np.tanh(x) * np.tanh(x / 2)))  # E[1 - sech]
    power = 0.5 * length * math.log1p(-overlap)
    return -math.expm1(power) + math.exp(power) * rest


def sample_complexity(overlap: float, length: int, *, nodes: int = NODES) -> float:
    """Return the alpha at which r is a fixed point, for r in [0, 1]; the two ends by continuity.

    Increasing in r for L of at least 2 (docs/baselines.md), not for L = 1.
    """
    if overlap <= 0.0:
        return weak_recovery(length)
    return float(overlap / (length * signal(overlap, length, nodes=nodes)))


def weak_recovery(length: int) -> float:
    r"""Return the alpha above which r = 0 is unstable, :math:`1/(L(L+1))`."""
    return 1 / (length * (length + 1))


def perfect_recovery(length: int) -> float:
    """Return the alpha above which nL linear equations in d unknowns give the teacher exactly, 1/L.

    For L of at least 2 message passing gets there, too: there is no first-order transition.
    """
    return 1 / length


def overlap(alpha: float, length: int, *, nodes: int = NODES) -> float:
    """Return the one stable fixed point r of the state evolution, for L of at least 2.

    Raises
    ------
    ValueError
        If L is 1: then there may be two.
    """
    if length < 2:
        raise InvalidArgument(f"fixed points are unique for two tokens or more only, got {length!r}")
    from scipy.optimize import root_scalar

    if alpha <= weak_recovery(length):
        return 0.0
    if alpha >= perfect_recovery(length):
        return 1.0
    root = root_scalar(
        lambda r: sample_complexity(r, length, nodes=nodes) - alpha, bracket=(0.0, 1.0), xtol=1e-15, rtol=1e-14
    )
    return float(root.root)


def iterate(overlap: float, alpha: float, length: int) -> float:
    """Return the overlap after one more iteration of message passing, for r in [0, 1)."""
    precision = alpha * length * signal(overlap, length) / (1 - overlap)
    return precision / (1 + precision)


def free_entropy(overlap: float, alpha: float, length: int) -> float:
    r"""Return the replica-symmetric free entropy per dimension at r in [0, 1), less that at r = 0.

    .. math::
        \varphi(r) - \varphi(0) = \int_0^r \frac{\alpha L\, D(u) - u}{2 (1 - u)}\, du

    Its maximum over r is minus the information that the data give about them; fixed points are where it is stationary.
    """
    from scipy.integrate import quad

    def slope(t: float) -> float:
        """Return the derivative in t = -log(1 - u), which is smooth up to perfect recovery."""
        u = -math.expm1(-t)
        return (alpha * length * signal(u, length) - u) / 2

    return float(quad(slope, 0.0, -math.log1p(-overlap), epsabs=1e-12, epsrel=1e-11, limit=200)[0])
