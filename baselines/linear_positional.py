r"""The best purely positional layer: a fixed L x L matrix mixing the tokens, blind to what they say.

The layer :math:`f_W(x) = W x` has only :math:`L^2` parameters, so n = O(d) samples teach it its optimum,
:math:`W = \mathbb{E}[T(h^\star)]`, exactly: its test error is the variance of the target around W, whatever
alpha (theory notes, section 5; arXiv:2402.03902). Attention beats it only once it reads the tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baselines.baseline import ConstantBaseline
from baselines.target_moments import target_moments
from replica import AttentionModel

__all__ = ["LinearPositional", "linear_positional"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LinearPositional(ConstantBaseline):
    """The linear positional baseline of one model.

    Attributes
    ----------
    matrix
        The optimal W, shape (L, L), read-only.
    test_error
        Its test error per token, ``(1/(dL)) E|y - W x|^2``.
    error
        Estimate of the quadrature error of ``test_error``.
    name
        What figures and tables call this baseline.
    """

    matrix: Array
    test_error: float
    error: float
    name: str = "linear positional"


def linear_positional(model: AttentionModel) -> LinearPositional:
    r"""Return the linear positional baseline of a model.

    .. math::
        W = \mathbb{E}[T(h^\star)], \qquad
        \epsilon_{\mathrm{lin}} = \frac1L\,\mathbb{E}\,\mathrm{Tr}[(T - W) R (T - W)^\top],
        \qquad R = \sigma^2 1,\quad h^\star_l \sim \mathcal{N}(0, \sigma^2)

    Parameters
    ----------
    model
        The model; only its target (omega, A) and the token variance matter.

    Returns
    -------
    LinearPositional
        Matrix, test error per token (independent of alpha) and the quadrature error of the test error, which
        is the difference between the last two densities of nodes.

    Raises
    ------
    ValueError
        If the sequence is longer than five tokens (the grid of nodes would be too large), or the model is of
        another kind than the paper's.

    Notes
    -----
    Source: theory notes, section 5. Since A is constant, :math:`T - W = (1-\omega)(S - \mathbb{E}S)`, so the
    test error is :math:`(1-\omega)^2` times a function of sigma alone.
    """
    moments = target_moments(model, "the linear positional baseline")
    scale = model.token_variance / model.sequence_length
    return LinearPositional(moments.mean, scale * moments.variance, scale * moments.variance_error)
