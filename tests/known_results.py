r"""Asymptotics from the literature, for models that are not attention: oracles for the general machinery.

Nothing here uses the replica equations of the library. Ridge regression comes from random-matrix theory (traces of
resolvents), logistic regression from two published systems in other parametrisations, and each is simulated at finite
dimension. Conventions common to all: inputs :math:`x \in \mathbb{R}^d`, teacher :math:`w_\star` with
:math:`|w_\star|^2/d \to \rho`, fields :math:`h = x \cdot w/\sqrt d`, n = alpha d samples, and weights that minimise
:math:`\sum_\mu \ell(h^\mu, y^\mu) + \frac{\lambda}{2}|w|^2`. The training loss is this minimum over d. The test
error is *twice* the average loss of a new sample, as everywhere in the library: for
:math:`\ell = \frac12 (y - h)^2` it is the mean squared error on noisy labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize, root
from scipy.special import expit, ndtr

__all__ = [
    "Asymptotics",
    "Atom",
    "logistic_by_convex_gaussian_minimax",
    "logistic_by_label_average",
    "minimax_potential",
    "ridge",
    "ridge_in_spectrum",
    "simulate_logistic",
    "simulate_ridge",
]


@dataclass(frozen=True)
class Asymptotics:
    r"""What is compared: overlaps :math:`q = w^\top\Sigma w/d` and :math:`\theta = w^\top\Sigma w_\star/d`, and errors.

    The susceptibility V is :math:`\mathrm{Tr}[\Sigma\,(\nabla^2)^{-1}]/d`, with the Hessian of the training loss; a
    simulation reports none.
    """

    self_overlap: float
    semantic_overlap: float
    susceptibility: float
    training_loss: float
    test_error: float

    def array(self) -> np.ndarray:
        """Return the five numbers, (5,)."""
        return np.array(
            [self.self_overlap, self.semantic_overlap, self.susceptibility, self.training_loss, self.test_error]
        )


@dataclass(frozen=True)
class Atom:
    """A share ``weight`` of the directions, of one eigenvalue and one mean square of the teacher's entries."""

    eigenvalue: float
    weight: float
    teacher: float = 1.0


def ridge(alpha: float, penalty: float, noise: float, teacher: float = 1.0) -> Asymptotics:
    r"""Ridge regression on isotropic Gaussian inputs, :math:`y = h_\star + \sqrt\Delta\,\xi`, in closed form.

    With :math:`S = X^\top X/d` the weights are
    :math:`(S+\lambda)^{-1}(S w_\star + \sqrt{\Delta/d}\,X^\top\xi)`. Everything is a trace of :math:`(S+\lambda)^{-1}`
    or of its square, that is, the Stieltjes transform g of the Marchenko-Pastur law at :math:`-\lambda` and its
    derivative:

    .. math:: \lambda g^2 + (\lambda + \alpha - 1)\,g - 1 = 0 .

    Sources: Marchenko and Pastur, Math. USSR-Sbornik 1 (1967) 457; E. Dobriban and S. Wager, Ann. Statist. 46 (2018)
    247, arXiv:1507.03003; T. Hastie et al., Ann. Statist. 50 (2022) 949, arXiv:1903.08560.
    """
    slope = penalty + alpha - 1
    discriminant = np.sqrt(slope**2 + 4 * penalty)
    # Two forms of one root, each without cancellation.
    g = 2 / (slope + discriminant) if slope > 0 else (discriminant - slope) / (2 * penalty)
    # -dg/dlambda, from the derivative of the quadratic equation.
    square = (g**2 + g) / (2 * penalty * g + slope)
    bias, variance = teacher * penalty**2 * square, noise * (g - penalty * square)
    aligned = teacher * (1 - penalty * g)
    return Asymptotics(
        self_overlap=bias + variance + 2 * aligned - teacher,
        semantic_overlap=aligned,
        susceptibility=g,
        training_loss=(penalty * aligned + noise * (penalty * g + alpha - 1)) / 2,
        test_error=bias + variance + noise,
    )


def ridge_in_spectrum(alpha: float, penalty: float, noise: float, atoms: Sequence[Atom]) -> Asymptotics:
    r"""Ridge regression on Gaussian inputs of covariance :math:`\Sigma`, by deterministic equivalents.

    :math:`(S+\lambda)^{-1} \simeq (\lambda + \kappa\Sigma)^{-1}` with

    .. math:: \kappa = \frac{\alpha}{1 + \delta}, \qquad
              \delta = \tfrac1d \mathrm{Tr}\,\Sigma(\lambda+\kappa\Sigma)^{-1} ,

    and, by adding :math:`J\Sigma` to S and differentiating at J = 0,

    .. math:: (S+\lambda)^{-1}\Sigma(S+\lambda)^{-1} \simeq \frac{\Sigma(\lambda+\kappa\Sigma)^{-2}}{1-\phi}, \qquad
              \phi = \tfrac{\kappa^2}{\alpha}\tfrac1d\mathrm{Tr}\,\Sigma^2(\lambda+\kappa\Sigma)^{-2} .

    Sources: J. W. Silverstein, J. Multivariate Anal. 55 (1995) 331; O. Ledoit and S. Péché, Probab. Theory Relat.
    Fields 151 (2011) 233; Hastie et al., arXiv:1903.08560; D. Wu and J. Xu, NeurIPS 2020, arXiv:2006.05800, for a
    teacher that is aligned with some of the directions.
    """
    gamma, share, rho = np.array([(atom.eigenvalue, atom.weight, atom.teacher) for atom in atoms]).T

    def excess(kappa: float) -> float:
        return kappa * (1 + np.sum(share * gamma / (penalty + kappa * gamma))) - alpha

    kappa = brentq(excess, 0.0, alpha, xtol=1e-15)  # excess(alpha) > 0 > excess(0)
    resolvent = 1 / (penalty + kappa * gamma)
    delta = np.sum(share * gamma * resolvent)
    phi = kappa**2 / alpha * np.sum(share * (gamma * resolvent) ** 2)
    bias = penalty**2 * np.sum(share * rho * gamma * resolvent**2) / (1 - phi)
    # Tr Sigma (R - penalty R^2)/d = delta + penalty ddelta/dpenalty, kappa moving as alpha/(1 + delta).
    explicit = np.sum(share * gamma * resolvent**2)
    variance = noise * (delta - penalty * explicit / (1 - phi))
    total = np.sum(share * rho * gamma)
    aligned = np.sum(share * rho * gamma * (1 - penalty * resolvent))
    fitted = np.sum(share * rho * (1 - penalty * resolvent))
    return Asymptotics(
        self_overlap=float(bias + variance + 2 * aligned - total),
        semantic_overlap=float(aligned),
        susceptibility=float(delta),
        training_loss=float(penalty * fitted + noise * (penalty * np.sum(share * resolvent) + alpha - 1)) / 2,
        test_error=float(bias + variance + noise),
    )


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


def simulate_ridge(
    dimension: int, alpha: float, penalty: float, noise: float, atoms: Sequence[Atom], seed: int
) -> Asymptotics:
    """Ridge regression on one random training set, by linear algebra; the test error is exact given the weights."""
    random = np.random.default_rng(seed)
    counts = np.round(np.cumsum([0.0, *(atom.weight for atom in atoms)]) * dimension).astype(int)
    gamma = np.repeat([atom.eigenvalue for atom in atoms], np.diff(counts))
    teacher = random.standard_normal(dimension) * np.repeat([atom.teacher**0.5 for atom in atoms], np.diff(counts))
    x = random.standard_normal((round(alpha * dimension), dimension)) * np.sqrt(gamma / dimension)
    y = x @ teacher + np.sqrt(noise) * random.standard_normal(len(x))
    hessian = x.T @ x + penalty * np.eye(dimension)
    inverse = np.linalg.inv(hessian)
    w = inverse @ (x.T @ y)
    q, theta = np.sum(gamma * w**2) / dimension, np.sum(gamma * w * teacher) / dimension
    total = np.sum(gamma * teacher**2) / dimension
    return Asymptotics(
        self_overlap=q,
        semantic_overlap=theta,
        susceptibility=float(np.sum(gamma * np.diag(inverse)) / dimension),
        training_loss=(np.sum((y - x @ w) ** 2) + penalty * np.sum(w**2)) / (2 * dimension),
        test_error=q - 2 * theta + total + noise,
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
