r"""Asymptotics from the literature, for models that are not attention: oracles for the general machinery.

Nothing here uses the replica equations of the library. Ridge regression comes from random-matrix theory (traces of
resolvents), logistic regression (``known_logistic``) from two published systems in other parametrisations, and each
is simulated at finite dimension. Conventions common to all: inputs :math:`x \in \mathbb{R}^d`, teacher
:math:`w_\star` with :math:`|w_\star|^2/d \to \rho`, fields :math:`h = x \cdot w/\sqrt d`, n = alpha d samples, and
weights that minimise :math:`\sum_\mu \ell(h^\mu, y^\mu) + \frac{\lambda}{2}|w|^2`. The training loss is this minimum
over d. The test error is *twice* the average loss of a new sample, as everywhere in the library: for
:math:`\ell = \frac12 (y - h)^2` it is the mean squared error on noisy labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

__all__ = [
    "Asymptotics",
    "Atom",
    "TokenAsymptotics",
    "ridge",
    "ridge_in_spectrum",
    "ridge_of_tokens",
    "simulate_intercept",
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


@dataclass(frozen=True)
class TokenAsymptotics:
    """Ridge regression with several tokens and outputs: q (r x r), theta (r x t) and V per token, and errors."""

    self_overlap: np.ndarray
    semantic_overlap: np.ndarray
    susceptibility: np.ndarray
    training_loss: float
    test_error: float


def ridge_of_tokens(
    alpha: float, penalty: float, noises: Sequence[float], variances: Sequence[float], readout: np.ndarray
) -> TokenAsymptotics:
    r"""Ridge regression in which a sample has L rows of variances :math:`s_l`, and r outputs per row.

    Outputs are :math:`y_l = R\,h_{\star l} + \sqrt\Delta\,\xi_l` with a readout R (r x t) and t teachers of variance
    one. The resolvent of :math:`S = \sum_l X_l^\top X_l/d` has the trace g with

    .. math:: \frac1g = \lambda + \alpha\sum_l \frac{s_l}{1 + s_l g} ,

    and :func:`ridge` is the case L = r = t = 1. The test error is the mean over tokens of the squared errors of all
    outputs, on noisy labels. Source: Marchenko and Pastur (1967), who give the equation for any law of the s.
    """
    s, delta = np.array(variances, dtype=float), np.diag(np.array(noises, dtype=float))

    def excess(g: float) -> float:
        return penalty * g + alpha * np.sum(s * g / (1 + s * g)) - 1

    g = brentq(excess, 0.0, 1 / penalty, xtol=1e-15)
    square = 1 / (1 / g**2 - alpha * np.sum((s / (1 + s * g)) ** 2))
    readout = np.array(readout, dtype=float)
    target = readout @ readout.T
    weights = target * (1 - 2 * penalty * g + penalty**2 * square) + delta * (g - penalty * square)
    excess_error = np.trace(target) * penalty**2 * square + np.trace(delta) * (g - penalty * square)
    fitted = np.trace(target) * (1 - penalty * g)
    return TokenAsymptotics(
        self_overlap=s[:, None, None] * weights,
        semantic_overlap=s[:, None, None] * readout * (1 - penalty * g),
        susceptibility=s[:, None, None] * g * np.eye(len(delta)),
        training_loss=float(penalty * fitted + np.trace(delta) * (penalty * g + len(s) * alpha - 1)) / 2,
        test_error=float(np.mean(s) * excess_error + np.trace(delta)),
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


def simulate_intercept(
    dimension: int, alpha: float, penalty: float, noise: float, encoding: float, offset: float, seed: int
) -> np.ndarray:
    r"""Ridge regression on inputs x + p with :math:`|p| = c`, of labels with a mean: the weights learn an intercept.

    Returns :math:`c\,m = w \cdot p/\sqrt d`, the overlaps q and theta, the training loss and the test error, (5,).
    """
    random = np.random.default_rng(seed)
    direction = random.standard_normal(dimension)
    direction *= encoding / np.linalg.norm(direction)
    teacher = random.standard_normal(dimension)
    x = random.standard_normal((round(alpha * dimension), dimension))
    y = x @ teacher / np.sqrt(dimension) + offset + np.sqrt(noise) * random.standard_normal(len(x))
    design = (x + direction) / np.sqrt(dimension)
    w = np.linalg.solve(design.T @ design + penalty * np.eye(dimension), design.T @ y)
    intercept = w @ direction / np.sqrt(dimension)
    q, theta = w @ w / dimension, w @ teacher / dimension
    loss = (np.sum((y - design @ w) ** 2) + penalty * np.sum(w**2)) / (2 * dimension)
    error = q - 2 * theta + teacher @ teacher / dimension + noise + (offset - intercept) ** 2
    return np.array([intercept, q, theta, loss, error])
