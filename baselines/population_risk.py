r"""Test error of the attention layer as a function of its weights' overlaps: the population risk.

Weights :math:`Q = a\,Q_\star + m\,1_d + \text{noise}` have, on a new sequence, the pre-activations

.. math::
    w_l = c_l m + a h^\star_l + \sqrt{u + \sigma^2 m^2}\, \xi_l, \qquad \xi_l \sim \mathcal{N}(0, 1),

with u >= 0 the variance that the noise, orthogonal to teacher and encodings, gives to them. So the overlaps of the
theory notes are :math:`q = u + \sigma^2 m^2 + \sigma^2 a^2`, m and :math:`\theta = \sigma^2 a`, and those that weights
can have are the ones with :math:`q \ge \sigma^2 m^2 + \theta^2/\sigma^2`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baselines.averages import hermite
from baselines.averages.target_function import softmax, target_values
from replica import AttentionModel
from replica.model.layer import attention_entries

__all__ = ["PopulationRisk", "attention_slope", "attention_values"]

Array = NDArray[np.float64]

# Width of the pre-activations below which derivatives in their variance would be quotients of roundings.
NARROWEST = 1e-7


def attention_values(fields: Array) -> Array:
    """Return S(w) for fields (L, ...), shape (L, L, ...)."""
    return np.array(attention_entries([[field] for field in fields], softmax))


def attention_slope(fields: Array, attention: Array, direction: Array) -> Array:
    r"""Return the derivative of S(w) along a direction, all (L, ...) or (L, L, ...).

    With logits :math:`w_i w_j`, :math:`dS_{ij} = S_{ij} (d_{ij} - \sum_k S_{ik} d_{ik})` and
    :math:`d_{ij} = w_i\,dw_j + w_j\,dw_i`.
    """
    logits = fields[:, None] * direction[None] + fields[None] * direction[:, None]
    return attention * (logits - np.sum(attention * logits, axis=1, keepdims=True))


class PopulationRisk:
    r"""The population risk of a model, on Gauss-Hermite nodes of one order.

    .. math::
        \epsilon(u, m, a) = \frac1L\,\mathbb{E}\,\mathrm{Tr}[(S(w) - T(h^\star)) R (S(w) - T(h^\star))^\top]
        = \frac{\sigma^2}{L} \sum_k \big(|S_k|^2 + |T_k|^2 - 2 c^{|k|} S_k \cdot T_k\big)

    with the Hermite coefficients of both matrices in standardised fields and their correlation
    :math:`c = a\sigma/\sqrt q` (Mehler's formula). On these nodes the sum is exact at c = 1, too.

    Parameters
    ----------
    model
        The model; its sigma, omega, A and encodings matter.
    order
        Nodes per token.
    """

    def __init__(self, model: AttentionModel, order: int) -> None:
        self.model = model
        self.length = model.sequence_length
        self.nodes, self.weights = hermite.grid(self.length, order)
        self.target = target_values(model, list(model.sigma * self.nodes))
        self.scale = model.token_variance / self.length
        self._encoding = np.array(model.positional_encoding).reshape(-1, *[1] * self.length)
        self._coefficients = hermite.coefficients(self.target, self.length)
        self._target_squares = self._degree_sums(self._coefficients**2)

    def __call__(self, noise: float, position: float, gain: float) -> tuple[float, Array]:
        """Return the risk at (u, m, a) and its gradient, (3,)."""
        sigma2 = self.model.token_variance
        width = max(np.sqrt(noise + sigma2 * (position**2 + gain**2)), NARROWEST)
        correlation = min(gain * self.model.sigma / width, 1.0)
        fields = self.fields(width, position)
        attention = attention_values(fields)
        ours = hermite.coefficients(attention, self.length)
        products = self._degree_sums(ours * self._coefficients)
        # The mean apart: for it alone the differences are small compared with the terms.
        mean = (slice(None), slice(None), *[0] * self.length)
        squares = self._degree_sums(ours**2) + self._target_squares
        degrees = np.arange(products.size)
        powers = correlation ** degrees.astype(float)
        risk = np.sum((ours[mean] - self._coefficients[mean]) ** 2) + np.sum(squares[1:] - 2 * (powers * products)[1:])

        def along(direction: Array) -> float:
            """Return the derivative when the fields move at fixed correlation."""
            slope = hermite.coefficients(attention_slope(fields, attention, direction), self.length)
            return 2 * float(np.sum(self._degree_sums(slope * ours) - powers * self._degree_sums(
                slope * self._coefficients)))  # fmt: skip

        by_variance = along(self.nodes) / (2 * width)
        by_position = along(np.broadcast_to(self._encoding, self.nodes.shape))
        by_correlation = -2 * float(np.sum((degrees * products)[1:] * powers[:-1]))
        by_noise = by_variance - by_correlation * correlation / (2 * width**2)
        gradient = [
            by_noise,
            by_position + 2 * sigma2 * position * by_noise,
            2 * sigma2 * gain * by_noise + by_correlation * self.model.sigma / width,
        ]
        return self.scale * float(risk), self.scale * np.array(gradient)

    def fields(self, width: float, position: float) -> Array:
        """Return the nodes as pre-activations w, (L, n, ..., n)."""
        return self._encoding * position + width * self.nodes

    def _degree_sums(self, terms: Array) -> Array:
        return hermite.degree_sums(terms, self.length)
