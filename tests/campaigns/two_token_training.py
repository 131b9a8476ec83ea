r"""The training loss of two tokens at finite dimension, typed on its own, and its lowest minimum from many starts.

Nothing of the solver or the simulator is used here. The loss is that of section 2 of arXiv:2402.03902,

.. math::
    \mathcal L(Q) = \sum_\mu \tfrac1{2d} |T x - S(h)(x + p)|^2 + \tfrac\lambda2 |Q|^2, \qquad h = (x + p) Q/\sqrt d ,

exactly as it stands, cross products of tokens included. With :math:`s_i = S_{i1} = 1/(1 + e^{-h_i(h_1 - h_2)})` and
:math:`\Delta = T - S`, row i of the residual is :math:`\Delta_{i1} x_1 + \Delta_{i2} x_2 - \kappa_i u`, where
:math:`p_l = c_l u`, :math:`u = 1_d/\sqrt d` and :math:`\kappa_i = c_2 + s_i (c_1 - c_2)`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

__all__ = ["Problem", "TrainingSet", "draw_training_set", "lowest_loss", "mean_loss_at_zero", "starts"]


@dataclass(frozen=True)
class Problem:
    """The numbers of a model of two tokens."""

    omega: float
    sigma: float
    regularization: float
    positional_matrix: np.ndarray
    positional_encoding: np.ndarray


@dataclass(frozen=True)
class TrainingSet:
    """One data set.

    Attributes
    ----------
    problem
        The model.
    inputs
        Tokens with their encodings, x + p, all first tokens and then all second ones, (2 n, d).
    teacher
        (d,), of squared norm d.
    target
        T, (2, 2, n).
    products
        x_1.x_1, x_1.x_2, x_2.x_2, x_1.u and x_2.u, (5, n).
    """

    problem: Problem
    inputs: np.ndarray
    teacher: np.ndarray
    target: np.ndarray
    products: np.ndarray

    @property
    def dimension(self) -> int:
        """d."""
        return self.inputs.shape[1]

    def value_and_gradient(self, student: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the loss divided by d, and its gradient, for a student (d,)."""
        d, problem = self.dimension, self.problem
        fields = self.inputs @ student.astype(self.inputs.dtype)
        h1, h2 = fields.astype(float).reshape(2, -1) / math.sqrt(d)
        first, second = problem.positional_encoding
        own1, cross, own2, along1, along2 = self.products
        total, forces = 0.0, [np.zeros_like(h1), np.zeros_like(h2)]
        for row, h in enumerate((h1, h2)):
            weight = 0.5 * (1.0 + np.tanh(0.5 * h * (h1 - h2)))
            gap1, gap2 = self.target[row, 0] - weight, self.target[row, 1] - (1.0 - weight)
            shift = second + weight * (first - second)
            with1 = gap1 * own1 + gap2 * cross - shift * along1  # residual . x_1, and so on
            with2 = gap1 * cross + gap2 * own2 - shift * along2
            with_u = gap1 * along1 + gap2 * along2 - shift
            total += float(np.sum(gap1 * with1 + gap2 * with2 - shift * with_u))
            # d residual / d weight = -x_1 + x_2 - (c_1 - c_2) u; d weight / d logit = weight (1 - weight).
            slope = -(with1 - with2 + (first - second) * with_u) * weight * (1.0 - weight) / d
            forces[0] += slope * h
            forces[1] -= slope * h
            forces[row] += slope * (h1 - h2)
        force = np.concatenate(forces).astype(self.inputs.dtype)
        gradient = (force @ self.inputs).astype(float) / math.sqrt(d) + problem.regularization * student
        loss = total / (2.0 * d) + 0.5 * problem.regularization * float(student @ student)
        return loss / d, gradient / d


def draw_training_set(
    problem: Problem, alpha: float, dimension: int, generator: np.random.Generator, dtype: type = np.float32
) -> TrainingSet:
    """Draw round(alpha d) samples of a teacher of squared norm d exactly."""
    samples = max(1, round(alpha * dimension))
    tokens = problem.sigma * generator.standard_normal((2, samples, dimension))
    teacher = generator.standard_normal(dimension)
    teacher *= math.sqrt(dimension) / np.linalg.norm(teacher)
    g1, g2 = tokens @ teacher / math.sqrt(dimension)
    target = np.empty((2, 2, samples))
    for row, g in enumerate((g1, g2)):
        weight = 1.0 / (1.0 + np.exp(-g * (g1 - g2)))
        for column, value in enumerate((weight, 1.0 - weight)):
            target[row, column] = (1.0 - problem.omega) * value + problem.omega * problem.positional_matrix[row, column]
    u = np.full(dimension, 1.0 / math.sqrt(dimension))
    products = np.stack(
        [*(np.einsum("nd,nd->n", tokens[i], tokens[k]) for i, k in ((0, 0), (0, 1), (1, 1))), *(tokens @ u)]
    )
    encoded = tokens + problem.positional_encoding[:, None, None] * u
    inputs = np.ascontiguousarray(encoded.reshape(2 * samples, dimension), dtype=dtype)
    return TrainingSet(problem, inputs, teacher, target, products)


def starts(data: TrainingSet, generator: np.random.Generator) -> Mapping[str, np.ndarray]:
    """Return twelve students to descend from: informed of positions, of meaning, of both, and random.

    A student along u has fields of mean m c_l, one along the teacher fields of variance sigma^2 |Q|^2/d: sizes are such
    that fields are of order one, half that and twice that.
    """
    d, c = data.dimension, data.problem.positional_encoding
    positional = np.ones(d) / np.max(np.abs(c))
    semantic = data.teacher / data.problem.sigma
    noise = generator.standard_normal((4, d)) / data.problem.sigma
    return {
        "positional, half": 0.5 * positional,
        "positional": positional,
        "positional, twice": 2.0 * positional,
        "semantic, a quarter": 0.25 * semantic,
        "semantic, half": 0.5 * semantic,
        "semantic": semantic,
        "mixed": 0.5 * (positional + semantic),
        "mixed, other sign": 0.5 * (positional - semantic),
        "random, large": noise[0],
        "random, half": 0.5 * noise[1],
        "random, a quarter": 0.25 * noise[2],
        "random, small": 0.03 * noise[3],
    }


def lowest_loss(data: TrainingSet, generator: np.random.Generator) -> tuple[float, str, Mapping[str, float]]:
    """Return the lowest loss per dimension that L-BFGS finds, the start it was found from, and all of them.

    Q = 0, a stationary point that no descent may leave, is among them. A descent that ends early, where a step gains
    less than 1e-7 of the loss, is above its minimum and so on the safe side.
    """
    found = {"zero": data.value_and_gradient(np.zeros(data.dimension))[0]}
    scale = found["zero"]
    for name, start in starts(data, generator).items():

        def scaled(student: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = data.value_and_gradient(student)
            return value / scale, gradient / scale

        options = {"maxiter": 400, "maxcor": 20, "ftol": 1e-7, "gtol": 1e-9}
        result = minimize(scaled, start, jac=True, method="L-BFGS-B", options=options)
        found[name] = float(result.fun) * scale
    best = min(found, key=lambda name: found[name])
    return found[best], best, found


def mean_loss_at_zero(problem: Problem, alpha: float, dimension: int, nodes: int = 60) -> float:
    r"""Return the exact expectation of the loss per dimension at Q = 0, which controls fluctuations between data sets.

    There :math:`S = 1/2` everywhere. Given :math:`h^\star` a token is :math:`h^\star_l Q_\star/\sqrt d` and an
    independent rest in d - 1 dimensions, so that :math:`E[x_l \cdot x_k] = h^\star_l h^\star_k + \delta_{lk}
    \sigma^2 (d - 1)`; products with u have mean zero over teachers.
    """
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    g1, g2 = (problem.sigma * g for g in np.meshgrid(points, points, indexing="ij"))
    weight = np.outer(weights, weights) / (2.0 * math.pi)
    shift = float(np.mean(problem.positional_encoding))
    total = 0.0
    for row, g in enumerate((g1, g2)):
        own = 1.0 / (1.0 + np.exp(-g * (g1 - g2)))
        gaps = [
            (1.0 - problem.omega) * value + problem.omega * problem.positional_matrix[row, column] - 0.5
            for column, value in enumerate((own, 1.0 - own))
        ]
        along = (gaps[0] * g1 + gaps[1] * g2) ** 2
        across = problem.sigma**2 * (dimension - 1) * (gaps[0] ** 2 + gaps[1] ** 2)
        total += float(np.sum(weight * (along + across))) + shift**2
    samples = max(1, round(alpha * dimension))
    return samples * total / (2.0 * dimension**2)
