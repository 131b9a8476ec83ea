r"""The best purely positional layer: a fixed L x L matrix mixing the tokens, blind to what they say.

The layer :math:`f_W(x) = W x` has only :math:`L^2` parameters, so n = O(d) samples teach it its optimum,
:math:`W = \mathbb{E}[T(h^\star)]`, exactly: its test error is the variance of the target around W, whatever
alpha (theory notes, section 5; arXiv:2402.03902). Attention beats it only once it reads the tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baselines.averages.target_moments import target_moments
from baselines.baseline import ConstantBaseline
from replica import AttentionModel
from replica.common.by_value import ByValue
from replica.common.numeric_errors import numpy_defaults

__all__ = ["LinearPositional", "linear_positional"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class LinearPositional(ConstantBaseline, ByValue):
    """The linear positional baseline of one model.

    Attributes
    ----------
    matrix
        The optimal W, shape (L, L), read-only.
    test_error
        Its test error per token, ``(1/(dL)) E|y - W x|^2``.
    error
        Estimate of the numerical error of ``test_error``.
    name
        What figures and tables call this baseline.
    """

    matrix: Array
    test_error: float
    error: float
    name: str = "linear positional"


@numpy_defaults
def linear_positional(model: AttentionModel) -> LinearPositional:
    r"""Return the linear positional baseline of any attention model.

    .. math::
        W = \mathbb{E}[T(h^\star)], \qquad
        \epsilon_{\mathrm{lin}} = \frac1L\,\mathbb{E}\,\mathrm{Tr}[(T - W) R (T - W)^\top],
        \qquad R = \mathrm{diag}(\mathrm{Tr}\,\Sigma_l/d),\quad h^\star_l \sim \mathcal{N}(0, \rho_l)

    with :math:`\rho_l = Q_\star^\top \Sigma_l Q_\star/d` and :math:`h^\star_l` independent over tokens; for the
    paper's model :math:`R = \sigma^2 1` and :math:`\rho_l = \sigma^2`.

    Parameters
    ----------
    model
        The model; only its target with its parameters, and the tokens' traces :math:`R_l` and teacher variances
        :math:`\rho_l` matter. Results are smooth in all of these.

    Returns
    -------
    LinearPositional
        Matrix, test error per token (independent of alpha) and the numerical error of the test error: up to four
        Gaussian variables (tokens times the teacher's columns; five if the target is the default one) the difference
        between the last two densities of nodes, beyond twice the standard error over scrambles of Sobol points,
        about 1e-4 of the test error.

    Raises
    ------
    ValueError
        If it is no attention model, or the target holds a symbol without a value or is not finite.

    Notes
    -----
    Source: theory notes, section 5. W is the optimum for tokens of any covariances, although x is correlated with
    :math:`h^\star`: the error is :math:`\frac1L \mathbb{E}\,\mathrm{Tr}[(T - W) C (T - W)^\top]` with
    :math:`C = \mathbb{E}[x x^\top/d \mid h^\star]`, and of the d components of a token only t, of order one, are known
    from :math:`h^\star`, so that :math:`C = R + O(1/d)`. As R neither depends on :math:`h^\star` nor has zeros, the
    normal equations :math:`W R = \mathbb{E}[T] R` have the one solution :math:`\mathbb{E}[T]`.

    Since A is constant, :math:`T - W = (1-\omega)(S - \mathbb{E}S)` for the default target, so its test error is
    :math:`(1-\omega)^2` times a function of sigma alone.

    Examples
    --------
    >>> from replica import AttentionModel
    >>> print(f"{linear_positional(AttentionModel.paper(omega=0.3)).test_error:.6f}")
    0.001971
    """
    moments = target_moments(model, "the linear positional baseline")
    return LinearPositional(moments.mean, moments.scale * moments.variance, moments.scale * moments.variance_error)
