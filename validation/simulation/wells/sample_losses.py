r"""The proximal point of every sample of a data set, for two tokens.

A sample's part of the training loss depends on Q through :math:`z = (x+p)Q/\sqrt d` alone:

.. math::
    \ell_\mu(z) = \frac1{2d}|y - S(z)(x + p)|^2
                = \frac r2 \sum_i (a_i(z) - a^\star_i)^2 + \text{const}, \qquad
    a_i = S_{i1} = \frac1{1 + e^{-z_i(z_1 - z_2)}}

because row i of S is :math:`(a_i, 1 - a_i)`, and the squared error is quadratic in it. Here
:math:`v = x_1 + p_1 - x_2 - p_2`, :math:`r = |v|^2/d`, and
:math:`a^\star_i = (\sum_j T_{ij}x_j - x_2 - p_2)\cdot v/|v|^2`.

For d to infinity r tends to :math:`2\sigma^2` and the loss to that of the theory notes, section 1. The form with the
sample's own products is kept, so that stationary points are those of the training loss at finite d.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from replica.common.errors import InvalidArgument
from saddle.averages.minimiser_starts import minimiser_starts
from saddle.reference.minimiser import Objective, minimise_from
from validation.simulation.losses.training_loss import TrainingLoss

__all__ = ["SampleLosses"]

Array = NDArray[np.floating[Any]]

# Of s_1 = z_1 (z_1 - z_2) and s_2 = z_2 (z_1 - z_2), the logits of attention to the first token.
LOGIT_HESSIANS = np.array([[[2.0, -1.0], [-1.0, 0.0]], [[0.0, 1.0], [1.0, -2.0]]])


@dataclass(frozen=True, eq=False)
class SampleLosses:
    r"""The loss of every sample as a function of its fields z, up to a constant.

    Attributes
    ----------
    strength
        r, shape (n,).
    wanted
        :math:`a^\star`, shape (n, 2): the attention to the first token that would minimise the sample's loss.
    """

    strength: Array
    wanted: Array

    @classmethod
    def of(cls, loss: TrainingLoss) -> SampleLosses:
        """Collect the products of a data set of two tokens.

        Raises
        ------
        ValueError
            If the sequences are not of length two.
        """
        length = len(loss.encoding_products)
        if length != 2:
            raise InvalidArgument(f"proximal points are for two tokens, got sequences of length {length}")
        to_encoded = loss.token_products + loss.cross_products
        encoded = to_encoded + loss.cross_products.swapaxes(0, 1) + loss.encoding_products[:, :, None]
        tokens_along, encoded_along = (products[:, 0] - products[:, 1] for products in (to_encoded, encoded))
        squared = encoded_along[0] - encoded_along[1]
        overlap = np.einsum("ijn,jn->in", loss.data.targets, tokens_along) - encoded_along[1]
        return cls(squared / loss.data.dimension, np.ascontiguousarray((overlap / squared).T))

    def select(self, samples: Any) -> SampleLosses:
        """Return the losses of some samples."""
        return SampleLosses(self.strength[samples], self.wanted[samples])

    def value(self, z: Array) -> Array:
        """Return the losses up to a constant each, (n,), at fields z, (n, 2)."""
        gap = expit(_logits(z)) - self.wanted
        return 0.5 * self.strength * np.sum(gap**2, axis=1)

    def gradient(self, z: Array) -> Array:
        """Return their gradients, (n, 2)."""
        first, _ = self._in_logits(z)
        return np.einsum("ni,nij->nj", first, _logit_gradients(z))

    def hessian(self, z: Array) -> Array:
        """Return their Hessians, (n, 2, 2)."""
        first, second = self._in_logits(z)
        slopes = _logit_gradients(z)
        return np.einsum("ni,nij,nik->njk", second, slopes, slopes) + np.einsum("ni,ijk->njk", first, LOGIT_HESSIANS)

    def _in_logits(self, z: Array) -> tuple[Array, Array]:
        """Return first and second derivatives in the two logits, (n, 2) each; there are no mixed ones."""
        attention = expit(_logits(z))
        slope = attention * (1 - attention)
        gap = attention - self.wanted
        first = gap * slope
        second = slope**2 + first * (1 - 2 * attention)
        return self.strength[:, None] * first, self.strength[:, None] * second

    def proximal_points(self, fields: Array, variance: float) -> Array:
        r"""Return the global minimisers over z of :math:`|z - w|^2/2V + \ell_\mu(z)`, shape (n, 2).

        Newton's method from the solver's starts and from w, keeping the lowest (theory notes, section 8).

        Parameters
        ----------
        fields
            w, shape (n, 2).
        variance
            V > 0.
        """

        def objective(losses: SampleLosses, w: Array) -> Objective:
            return Objective(
                value=lambda z: losses.value(z) + np.sum((z - w) ** 2, axis=1) / (2 * variance),
                gradient=lambda z: losses.gradient(z) + (z - w) / variance,
                hessian=lambda z: losses.hessian(z) + np.eye(2) / variance,
                select=lambda samples: objective(losses.select(samples), w[samples]),
            )

        starts = [np.tile(start, (len(fields), 1)) for start in minimiser_starts(2)]
        return minimise_from(objective(self, fields), [*starts, fields])

    def regular_response(self, z: Array, variance: float) -> Array:
        """Return minus the divergence of g = (z* - w)/V in w at proximal points z away from jumps, (n,).

        dz*/dw = (1 + V H)^(-1) with H the Hessian of the loss, hence -dg/dw = H (1 + V H)^(-1).
        """
        hessian = self.hessian(z)
        return np.einsum("nii->n", np.linalg.solve(np.eye(2) + variance * hessian, hessian))


def _logits(z: Array) -> Array:
    return z * (z[:, :1] - z[:, 1:])


def _logit_gradients(z: Array) -> Array:
    """Return the derivatives of both logits in z, (n, 2, 2)."""
    first, second = z.T
    return np.array([[2 * first - second, -first], [second, first - 2 * second]]).transpose(2, 0, 1)
