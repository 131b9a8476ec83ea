r"""The best attention layers at infinite data: minima of the population risk, and how they are approached.

As alpha grows at a fixed ridge penalty, a branch of solutions tends to a minimum of the population risk in its own
subspace. Where that minimum is free of noise (u = 0), theory predicts the approach, too (docs/baselines.md).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from baselines.averages import hermite
from baselines.averages.moments import ROUNDING
from baselines.averages.target_moments import MOST_TOKENS
from baselines.baseline import ConstantBaseline, checked_alpha
from baselines.population_risk import PopulationRisk, attention_slope, attention_values
from replica import AttentionModel
from replica.common.errors import InvalidArgument
from replica.common.numeric_errors import numpy_defaults

__all__ = ["PopulationOptimum", "best_attention", "best_positional_attention", "best_semantic_attention"]

Array = NDArray[np.float64]

NOISE, POSITION, GAIN = range(3)
# Searched from every combination, in units of sigma^2, 1 and 1.
STARTS = ((0.02, 0.3), (0.05, 0.3, 0.9), (0.2, 0.9))
SEARCH_ORDER = 16
# In the same units: smaller is zero, by the order at which a risk even in m and a is flat around it.
VANISHING = 1e-6


@dataclass(frozen=True)
class PopulationOptimum(ConstantBaseline):
    r"""A minimum of the population risk over the overlaps that weights can have.

    Attributes
    ----------
    name
        What figures and tables call this baseline.
    test_error
        The risk there, per token: what a branch tends to as alpha grows.
    error
        Estimate of the quadrature error of ``test_error``: the difference between two orders, and rounding.
    self_overlap, positional_overlap, semantic_overlap
        q, m and theta there.
    noise
        The variance u that components orthogonal to teacher and encodings give the pre-activations,
        :math:`q - \sigma^2 m^2 - \theta^2/\sigma^2`; zero at a noise-free optimum.
    overlap_error
        Estimate of the numerical error of the four numbers.
    noise_slope
        Derivative of the risk in u there; zero where ``noise`` is not.
    excess
        Coefficient of 1/alpha in the test error of the branch; nan if the optimum is not free of noise, or mixed.
    train_excess
        What -Phi tends to once :math:`\alpha L/2` times ``test_error`` is taken off; nan likewise.
    excess_error
        Estimate of the numerical error of ``excess``.
    """

    name: str
    test_error: float
    error: float
    self_overlap: float
    positional_overlap: float
    semantic_overlap: float
    noise: float
    overlap_error: float
    noise_slope: float
    excess: float
    train_excess: float
    excess_error: float
    sequence_length: int

    @property
    def noise_free(self) -> bool:
        """Whether the optimum has no component orthogonal to teacher and encodings."""
        return self.noise == 0.0

    def asymptote(self, alpha: float) -> float:
        r"""Return the first two terms of the branch's test error at large alpha.

        Raises
        ------
        ValueError
            If alpha is not positive and finite, or no coefficient is known (``excess`` is nan).
        """
        checked_alpha(alpha)
        self._require_excess()
        return self.test_error + self.excess / alpha

    def train_loss_asymptote(self, alpha: float) -> float:
        r"""Return the first two terms of the branch's training loss per dimension, -Phi, at large alpha.

        Raises
        ------
        ValueError
            As :meth:`asymptote`.
        """
        checked_alpha(alpha)
        self._require_excess()
        return alpha * self.sequence_length / 2 * self.test_error + self.train_excess

    def _require_excess(self) -> None:
        if np.isnan(self.excess):
            raise InvalidArgument(
                f"the approach to an optimum is known if it is free of noise and positional or semantic, got "
                f"u = {self.noise!r}, m = {self.positional_overlap!r}, theta = {self.semantic_overlap!r}"
            )


def best_positional_attention(model: AttentionModel) -> PopulationOptimum:
    r"""Return the attention layer of least test error among those that know nothing of the teacher (theta = 0).

    Its risk is that of the linear positional layer plus :math:`\frac{\sigma^2}{L}\mathbb{E}|S(w) - W|^2`, hence never
    smaller: attention by position can only imitate a fixed matrix, blurred by the tokens' own noise.

    Raises
    ------
    ValueError
        If the sequence is longer than five tokens, or the model is of another kind than the paper's.
    """
    return _optimum(model, "best positional attention", (NOISE, POSITION))


def best_semantic_attention(model: AttentionModel) -> PopulationOptimum:
    """Return the attention layer of least test error among those that are blind to positions (m = 0).

    Raises
    ------
    ValueError
        As :func:`best_positional_attention`.
    """
    return _optimum(model, "best semantic attention", (NOISE, GAIN))


def best_attention(model: AttentionModel) -> PopulationOptimum:
    """Return the attention layer of least test error, whatever its overlaps.

    Raises
    ------
    ValueError
        As :func:`best_positional_attention`.
    """
    return _optimum(model, "best attention", (NOISE, POSITION, GAIN))


@numpy_defaults
def _optimum(model: AttentionModel, name: str, free: tuple[int, ...]) -> PopulationOptimum:
    """Search on a coarse rule, polish on the finest two."""
    AttentionModel.require(model, f"the {name}")
    if model.sequence_length > MOST_TOKENS:
        raise InvalidArgument(f"the {name} needs at most {MOST_TOKENS} tokens, got {model.sequence_length!r}")
    if model.omega == 1.0:
        # A target that knows nothing of the teacher: parallel and orthogonal to it are the same.
        free = tuple(k for k in free if k != GAIN)
    orders = hermite.orders(model.sequence_length)
    search = PopulationRisk(model, min(SEARCH_ORDER, orders[-1]))
    start = min((_descend(search, _start(search, values, free), free) for values in itertools.product(
        *(STARTS[k] for k in free))), key=lambda point: search(*point)[0])  # fmt: skip
    coarse, fine = (_solved(PopulationRisk(model, order), start, free, name) for order in orders)
    changes = [abs(getattr(fine, x) - getattr(coarse, x)) for x in ("test_error", "excess")]
    overlaps = ("self_overlap", "positional_overlap", "semantic_overlap", "noise")
    return replace(
        fine,
        error=changes[0] + ROUNDING * model.token_variance,
        overlap_error=max(abs(getattr(fine, x) - getattr(coarse, x)) for x in overlaps) + 1e-10,
        excess_error=changes[1] + 1e-9 * fine.excess,
    )


def _units(risk: PopulationRisk) -> Array:
    return np.array([risk.model.token_variance, 1.0, 1.0])


def _start(risk: PopulationRisk, values: Sequence[float], free: tuple[int, ...]) -> Array:
    point = np.zeros(3)
    point[list(free)] = values
    return point * _units(risk)


def _descend(risk: PopulationRisk, start: Array, free: Sequence[int]) -> Array:
    """Return a local minimum in the free coordinates, none of which may be negative; what is tiny is set to zero."""
    from scipy.optimize import minimize

    units, chosen = _units(risk), list(free)

    def objective(values: Array) -> tuple[float, Array]:
        point = np.zeros(3)
        point[chosen] = values
        value, gradient = risk(*(point * units))
        # In units that make tolerances meaningful.
        return value / risk.scale, (gradient * units)[chosen] / risk.scale

    found = minimize(
        objective, (start / units)[chosen], jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(chosen),
        options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 500},
    )  # fmt: skip
    point = np.zeros(3)
    point[chosen] = np.where(found.x < VANISHING, 0.0, found.x)
    return point * units


def _solved(risk: PopulationRisk, start: Array, free: tuple[int, ...], name: str) -> PopulationOptimum:
    """Return the minimum near a start, made sharp by the roots of the gradient."""
    from scipy.optimize import root

    point, units = _descend(risk, start, free), _units(risk)
    inside = [k for k in free if point[k] > 0.0]
    if inside:

        def gradient(values: Array) -> Array:
            trial = point.copy()
            trial[inside] = values * units[inside]
            return (risk(*trial)[1] * units / risk.scale)[inside]

        solution = root(gradient, point[inside] / units[inside], tol=1e-13)
        if np.max(np.abs(solution.x - point[inside] / units[inside])) < 1e-3:
            point[inside] = solution.x * units[inside]
    value, slopes = risk(*point)
    noise, position, gain = map(float, point)
    sigma2, length = risk.model.token_variance, risk.length
    curvature = length * slopes[NOISE]  # H of docs/baselines.md
    spread = _loss_slope_variance(risk, position, gain) if noise == 0.0 else np.nan
    self_overlap = noise + sigma2 * (position**2 + gain**2)
    penalty = risk.model.regularization * self_overlap / (2 * sigma2)
    return PopulationOptimum(
        name=name, test_error=value, error=0.0, self_overlap=self_overlap, positional_overlap=position,
        semantic_overlap=sigma2 * gain, noise=noise, overlap_error=0.0, noise_slope=float(slopes[NOISE]),
        excess=float(spread / (length * curvature)), train_excess=float(penalty - spread / (2 * curvature)),
        excess_error=0.0, sequence_length=length,
    )  # fmt: skip


def _loss_slope_variance(risk: PopulationRisk, position: float, gain: float) -> float:
    r"""Return :math:`G = \sum_l \mathbb{E}[(\partial_{w_l}\ell)^2]` at u = 0, or nan if m and a are both non-zero.

    :math:`\partial_{w_l}\ell = \sigma^2 \sum_{ij} (S - T)_{ij}\, \partial_l S_{ij}`; without gain S and T are
    independent, and T enters through its mean and covariance.
    """
    if position > 0.0 and gain > 0.0:
        return np.nan
    model, length, weights = risk.model, risk.length, risk.weights.ravel()
    fields = risk.fields(model.sigma * (position + gain), position).reshape(length, -1)
    attention = attention_values(fields)
    target = risk.target.reshape(length * length, -1)
    if gain > 0.0:
        difference, covariance = attention.reshape(length * length, -1) - target, None
    else:
        mean = target @ weights
        deviation = target - mean[:, None]
        covariance = (deviation * weights) @ deviation.T
        difference = attention.reshape(length * length, -1) - mean[:, None]
    total = 0.0
    for direction in np.eye(length):
        slope = attention_slope(fields, attention, np.broadcast_to(direction[:, None], fields.shape))
        slope = slope.reshape(length * length, -1)
        squares = np.sum(slope * difference, axis=0) ** 2
        if covariance is not None:
            squares = squares + np.sum(slope * (covariance @ slope), axis=0)
        total += float(squares @ weights)
    return model.token_variance**2 * total
