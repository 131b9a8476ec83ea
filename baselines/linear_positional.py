r"""The best purely positional layer: a fixed L x L matrix mixing the tokens, blind to what they say.

The layer :math:`f_W(x) = W x` has only :math:`L^2` parameters, so n = O(d) samples teach it its optimum,
:math:`W = \mathbb{E}[T(h^\star)]`, exactly: its test error is the variance of the target around W, whatever
alpha (theory notes, section 5; arXiv:2402.03902). Attention beats it only once it reads the tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from replica import AttentionModel
from replica import symbols as names
from replica.attention import target_matrix

__all__ = ["LinearPositional", "linear_positional"]

Array = NDArray[np.float64]

# For an analytic integrand that decays like a Gaussian the plain trapezoidal sum converges geometrically in
# the node density. Gauss-Hermite nodes draw together as the square root of the order only: 256 a token leave
# 2 per cent at sigma = 10, where the softmax is nearly a step, and their differences understate it.
NODES = (360, 720)
REACH = 9.0


@dataclass(frozen=True, eq=False)
class LinearPositional:
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
        is the difference between two densities of nodes.

    Notes
    -----
    Source: theory notes, section 5. Since A is constant, :math:`T - W = (1-\omega)(S - \mathbb{E}S)`, so the
    test error is :math:`(1-\omega)^2` times a function of sigma alone.
    """
    target = _numeric_target(model)
    coarse, fine = (_average(target, model, count) for count in NODES)
    matrix, test_error = fine
    matrix.setflags(write=False)
    rounding = 16 * np.finfo(np.float64).eps * test_error
    return LinearPositional(matrix=matrix, test_error=test_error, error=abs(test_error - coarse[1]) + rounding)


def _numeric_target(model: AttentionModel) -> Callable[..., list[list[Array]]]:
    """Return T(h*) of the model as a function of L arrays h*_l, giving L rows of L entries."""
    values = model.parameter_values()
    substitution = {quantity.symbol: values[quantity.name] for quantity in names.MODEL_PARAMETERS}
    fields = names.teacher_fields()
    target = target_matrix(fields).subs(substitution)
    return sp.lambdify(fields, target.tolist(), modules=[{"SoftmaxWeight": _softmax_weight}, "numpy"])


def _softmax_weight(index: int, *logits: Array | float) -> Array:
    """Return one softmax weight, exponentiating only non-positive numbers so that nothing overflows."""
    stacked = np.stack(np.broadcast_arrays(*logits))
    powers = np.exp(stacked - stacked.max(axis=0))
    return powers[index] / powers.sum(axis=0)


def _average(target: Callable[..., list[list[Array]]], model: AttentionModel, count: int) -> tuple[Array, float]:
    """Return (W, test error per token) by the trapezoidal rule, ``count`` nodes per token out to 9 sigma."""
    length = model.sequence_length
    nodes = np.linspace(-REACH, REACH, count)
    fields = np.meshgrid(*[nodes] * length, indexing="ij")
    weights = np.exp(-sum(field**2 for field in fields) / 2)
    weights /= weights.sum()
    rows = target(*(model.sigma * field for field in fields))
    # An entry is a plain number where omega = 1 removes the dependence on h*.
    entries = np.array([[np.broadcast_to(entry, weights.shape) for entry in row] for row in rows])
    token_axes = tuple(range(2, 2 + length))
    matrix = np.sum(weights * entries, axis=token_axes)
    deviation = entries - np.expand_dims(matrix, token_axes)
    return matrix, model.token_variance / length * float(np.sum(weights * deviation**2))
