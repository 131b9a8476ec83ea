r"""Logistic regression with ridge: asymptotics from the literature, in two parametrisations, and a simulation.

Conventions are those of ``known_results``: the loss is :math:`\log(1 + e^{-yh})`, the test error twice its average.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize, root
from scipy.special import expit, ndtr

from tests.oracles.known_results import Asymptotics

__all__ = [
    "logistic_by_convex_gaussian_minimax",
    "logistic_by_label_average",
    "minimax_potential",
    "simulate_logistic",
]


def _normal_rule(low: float, high: float, panels: int = 60, order: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre panels against the standard normal density between two bounds: nodes and weights."""
    x, weight = np.polynomial.legendre.leggauss(order)
    half = (high - low) / panels / 2
    nodes = (low + half * (2 * np.arange(panels)[:, None] + 1 + x)).ravel()
    return nodes, np.tile(half * weight, panels) * np.exp(-(nodes**2) / 2) / np.sqrt(2 * np.pi)


def _logistic_proximal_point(field: np.ndarray, V: float) -> np.ndarray:
    """Minimise (z - w)^2/(2 V) + log(1 + exp(-z)): root of z - w - V expit(-z), which increases in z."""
    low, high = field.copy(), field + V
    z = field + V / 2
    for _ in range(60):
        excess = z - field - V * expit(-z)
        low, high = np.where(excess < 0, z, low), np.where(excess < 0, high, z)
        step = z - excess / (1 + V * expit(z) * expit(-z))
        moved = np.where((step > low) & (step < high), step, (low + high) / 2)
        converged = np.max(np.abs(moved - z)) < 1e-14 * (1 + V)
        z = moved
        if converged:
            break
    return z


def _solved(equations: Callable[[np.ndarray], np.ndarray], start: Sequence[float]) -> np.ndarray:
    """Return a root (n,) of equations in natural units, exact to rounding; raise if there is none near ``start``."""
    solution = root(equations, np.array(start, dtype=float), method="hybr", options={"xtol": 1e-14})
    worst = np.max(np.abs(equations(solution.x)))
    if not worst < 1e-12:
        raise ValueError(f"no solution from {start!r}: residual {worst!r}")
    return solution.x


def logistic_by_label_average(alpha: float, penalty: float, noise: float) -> Asymptotics:
    r"""Logistic regression with ridge on isotropic inputs, :math:`y = \mathrm{sign}(h_\star + \sqrt\Delta\,\xi)`.

    The teacher's variance rho is one. Its field and the noise are averaged out at given student field w, which leaves
    one-dimensional integrals with :math:`Z_\star(y, w) = \Pr(y|w)` and with *derivatives* of the proximal point:

    .. math:: \hat\theta = \alpha E[Z_\star f_\star f], \quad \hat q = \alpha E[Z_\star f^2], \quad
              \hat V = -\alpha E[Z_\star \partial_w f] .

    Source: B. Aubin, F. Krzakala, Y. M. Lu, L. Zdeborová, NeurIPS 2020, arXiv:2006.06560; their Sigma
    is V, their m is theta.
    """
    x, weight = _normal_rule(-12, 12)

    def channel(q: float, V: float, theta: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        w = np.sqrt(q) * x
        z = _logistic_proximal_point(w, V)
        # Labels are symmetric, so y = 1 counts twice.
        return z, w, 2 * weight * ndtr(theta * w / q / np.sqrt(1 + noise - theta**2 / q))

    def overlaps(q: float, V: float, theta: float) -> tuple[float, float, float]:
        z, w, probability = channel(q, V, theta)
        width = np.sqrt(1 + noise - theta**2 / q)
        f, curvature = expit(-z), expit(z) * expit(-z)
        density = np.exp(-((theta * w / q / width) ** 2) / 2) / np.sqrt(2 * np.pi) / width
        theta_hat = alpha * np.sum(2 * weight * density * f)
        q_hat = alpha * np.sum(probability * f**2)
        V_hat = alpha * np.sum(probability * curvature / (1 + V * curvature))
        V_new = 1 / (penalty + V_hat)
        return V_new**2 * (q_hat + theta_hat**2), V_new, V_new * theta_hat

    def unpack(u: np.ndarray) -> tuple[float, float, float]:
        q, V, cosine = np.exp(u[0]), np.exp(u[1]), np.tanh(u[2])
        return q, V, float(cosine * np.sqrt(q))

    def equations(u: np.ndarray) -> np.ndarray:
        q, V, theta = unpack(u)
        q_new, V_new, theta_new = overlaps(q, V, theta)
        return np.array([q_new / q - 1, V_new / V - 1, (theta_new - theta) / np.sqrt(q)])

    u = np.zeros(3)
    for _ in range(60):  # damped iteration, then a root
        q, V, theta = np.add(0.5 * np.array(unpack(u)), 0.5 * np.array(overlaps(*unpack(u))))
        u = np.array([np.log(q), np.log(V), np.arctanh(theta / np.sqrt(q))])
    q, V, theta = unpack(_solved(equations, u))
    z, w, probability = channel(q, V, theta)
    loss = np.sum(probability * np.logaddexp(0, -z))
    return Asymptotics(
        self_overlap=float(q),
        semantic_overlap=theta,
        susceptibility=float(V),
        training_loss=float(alpha * loss + penalty * q / 2),
        test_error=float(2 * np.sum(probability * np.logaddexp(0, -w))),
    )


def _teacher_plane(noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Teacher field h, an independent normal G, and weights that hold 2 Pr(y = 1 | h): y = 1 counts twice."""
    low = 0.0 if noise == 0 else -10.0
    h, weight_h = _normal_rule(low, 10, panels=12)
    g, weight_g = _normal_rule(-10, 10, panels=12)
    label = np.ones_like(h) if noise == 0 else ndtr(h / np.sqrt(noise))
    weight = 2 * (weight_h * label)[:, None] * weight_g
    return np.repeat(h, len(g)), np.tile(g, len(h)), weight.ravel()


def minimax_potential(point: Sequence[float], alpha: float, penalty: float, noise: float) -> float:
    r"""Scalar objective of the convex Gaussian minimax theorem for logistic regression, at (a, s, tau, b).

    .. math:: \tfrac\lambda2(a^2 + s^2) - b s + \tfrac{b\tau}{2} + \alpha E\,\mathcal{M}(a h_\star + s G;\, \tau/b) ,

    to be minimised over the weights' part a along the teacher, the norm s of the rest, and tau, and maximised over b.
    At the saddle point it is the training loss. Derived as in F. Salehi, E. Abbasi, B. Hassibi, NeurIPS 2019,
    arXiv:1906.03761, whose labels are drawn from a logistic law instead.
    """
    a, s, tau, b = point
    h, g, weight = _teacher_plane(noise)
    field, V = a * h + s * g, tau / b
    z = _logistic_proximal_point(field, V)
    envelope = np.sum(weight * ((z - field) ** 2 / (2 * V) + np.logaddexp(0, -z)))
    return float(penalty / 2 * (a**2 + s**2) - b * s + b * tau / 2 + alpha * envelope)


def logistic_by_convex_gaussian_minimax(alpha: float, penalty: float, noise: float) -> Asymptotics:
    r"""Solve the model of :func:`logistic_by_label_average` from the convex Gaussian minimax theorem.

    Stationarity of :func:`minimax_potential` gives tau = s, and with f = expit(-z) = -dM/dw

    .. math:: b^2 = \alpha E f^2, \qquad \lambda s = b + \alpha E[f G], \qquad \lambda a = \alpha E[f h_\star] .
    """
    h, g, weight = _teacher_plane(noise)

    def equations(u: np.ndarray) -> np.ndarray:
        a, (s, b) = u[0], np.exp(u[1:])
        f = expit(-_logistic_proximal_point(a * h + s * g, s / b))
        return np.array(
            [
                alpha * np.sum(weight * f**2) / b**2 - 1,
                (b + alpha * np.sum(weight * f * g)) / (penalty * s) - 1,
                alpha * np.sum(weight * f * h) / (penalty * np.hypot(a, s)) - a / np.hypot(a, s),
            ]
        )

    # Start where all losses are at zero field: a = alpha/(lambda sqrt(2 pi)), b = sqrt(alpha)/2, s = b/lambda, damped.
    size = 1 / (1 + alpha / penalty)
    start = [alpha / penalty * size, np.log(np.sqrt(alpha) / penalty * size), np.log(np.sqrt(alpha) / 4)]
    a, log_s, log_b = _solved(equations, start)
    s, b = np.exp(log_s), np.exp(log_b)
    return Asymptotics(
        self_overlap=a**2 + s**2,
        semantic_overlap=float(a),
        susceptibility=s / b,
        training_loss=minimax_potential((a, s, s, b), alpha, penalty, noise),
        test_error=float(2 * np.sum(weight * np.logaddexp(0, -(a * h + s * g)))),
    )


def simulate_logistic(dimension: int, alpha: float, penalty: float, noise: float, seed: int) -> Asymptotics:
    """Logistic regression on one random training set, by L-BFGS; errors on a new sample by quadrature."""
    random = np.random.default_rng(seed)
    teacher = random.standard_normal(dimension)
    teacher *= np.sqrt(dimension) / np.linalg.norm(teacher)
    x = random.standard_normal((round(alpha * dimension), dimension)) / np.sqrt(dimension)
    x *= np.sign(x @ teacher + np.sqrt(noise) * random.standard_normal(len(x)))[:, None]

    def objective(w: np.ndarray) -> tuple[float, np.ndarray]:
        margin = x @ w
        value = np.sum(np.logaddexp(0, -margin)) + penalty / 2 * np.sum(w**2)
        return float(value), penalty * w - x.T @ expit(-margin)

    found = minimize(objective, np.zeros(dimension), jac=True, method="L-BFGS-B", options={"gtol": 1e-7, "ftol": 1e-14})
    w = found.x
    q, theta = w @ w / dimension, w @ teacher / dimension
    nodes, weight = _normal_rule(-12, 12)
    probability = 2 * weight * ndtr(theta / np.sqrt(q) * nodes / np.sqrt(1 + noise - theta**2 / q))
    return Asymptotics(
        self_overlap=q,
        semantic_overlap=theta,
        susceptibility=np.nan,
        training_loss=found.fun / dimension,
        test_error=float(np.sum(2 * probability * np.logaddexp(0, -np.sqrt(q) * nodes))),
    )
