r"""Uniform attention, :math:`S = 1/L` in every entry: what a softmax layer computes before it is trained, at Q = 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from baselines.averages.target_moments import target_moments
from baselines.baseline import ConstantBaseline
from replica import AttentionModel
from replica.common.numeric_errors import numpy_defaults

__all__ = ["UniformAttention", "uniform_attention"]


@dataclass(frozen=True)
class UniformAttention(ConstantBaseline):
    """The uniform-attention baseline of one model.

    Attributes
    ----------
    test_error
        Test error per token of the layer that returns, for every token, the mean of all.
    error
        Estimate of the numerical error of ``test_error``.
    name
        What figures and tables call this baseline.
    """

    test_error: float
    error: float
    name: str = "uniform attention"


@numpy_defaults
def uniform_attention(model: AttentionModel) -> UniformAttention:
    r"""Return the uniform-attention baseline of any attention model.

    With :math:`U_{ij} = 1/L` and :math:`W = \mathbb{E}[T]`,

    .. math::
        \epsilon = \frac1L\,\mathbb{E}\,\mathrm{Tr}[(T - U) R (T - U)^\top]
        = \epsilon_{\mathrm{lin}} + \frac1L \sum_{ij} R_j (W_{ij} - U_{ij})^2 .

    The positional encodings, which the layer adds to the tokens, contribute O(1/d).

    Parameters
    ----------
    model
        The model; what matters of it is what matters to :func:`~baselines.linear_positional`. A student whose
        attention is no softmax need not be uniform at Q = 0.

    Raises
    ------
    ValueError
        As :func:`~baselines.linear_positional`.
    """
    moments = target_moments(model, "the uniform-attention baseline")
    distance = moments.mean - 1 / model.sequence_length
    squared = float(np.sum(distance**2 * moments.shares))
    error = moments.variance_error + 2 * moments.mean_error * float(np.sum(np.abs(distance) * moments.shares))
    return UniformAttention(moments.scale * (moments.variance + squared), moments.scale * error)
