r"""The student's squared error and its analytic gradient, through each sample's L x L Gram matrices.

.. math::
    \mathcal{L}(Q) = \sum_\mu \frac1{2d} |y^\mu - f_Q(x^\mu)|^2 + \frac\lambda2 |Q|^2,
    \qquad f_Q(x) = S(h)(x + p), \quad h = (x + p)Q/\sqrt d

(theory notes, section 1; section 2 of arXiv:2402.03902). With :math:`\Delta = T - S` the residual is
:math:`r = \Delta x - S p`, so its square needs only the products :math:`x_i \cdot x_k`,
:math:`x_i \cdot p_k` and :math:`p_i \cdot p_k`, computed once. What remains for one gradient is h (tokens
times Q) and its transpose. Starting from :math:`\Delta` avoids the cancellation between :math:`|y|^2`,
:math:`y \cdot f` and :math:`|f|^2`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation.simulation.functions.layers import AttentionLayer, attention_layer
from validation.simulation.losses.passes import preactivations, ridge_penalty, transposed
from validation.simulation.teacher import TeacherData

__all__ = ["TrainingLoss"]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class TrainingLoss:
    r"""The training loss of one data set as a function of the student Q, shape (d,), or (d, r) for several columns.

    Attributes
    ----------
    data
        The samples.
    token_products
        :math:`x_i \cdot x_k`, shape (L, L, n).
    cross_products
        :math:`x_i \cdot p_k`, shape (L, L, n).
    encoding_products
        :math:`p_i \cdot p_k`, shape (L, L).
    """

    data: TeacherData
    token_products: Array
    cross_products: Array
    encoding_products: Array

    @classmethod
    def of(cls, data: TeacherData) -> TrainingLoss:
        """Compute the Gram matrices of a data set; raises ValueError if its model is not one of attention."""
        _ = data.attention_model
        tokens, encodings = data.tokens, data.encodings
        length = len(encodings)
        token_products = np.empty((length, length, data.samples))
        for i in range(length):
            for k in range(i, length):
                token_products[i, k] = token_products[k, i] = np.einsum("nd,nd->n", tokens[i], tokens[k])
        cross_products = np.moveaxis(tokens @ encodings.T.astype(tokens.dtype), 2, 1).astype(np.float64)
        products = (token_products, np.ascontiguousarray(cross_products), encodings @ encodings.T)
        for array in products:
            array.setflags(write=False)
        return cls(data, *products)

    @cached_property
    def attention(self) -> AttentionLayer:
        """The student's attention function."""
        return attention_layer(self.data.attention_model)

    def preactivations(self, student: Array) -> Array:
        r"""Return :math:`h = (x + p) Q/\sqrt d`, shape (L, n), or (L, n, r) for several columns, in float64."""
        return preactivations(self.data, student)

    def transposed(self, fields: Array) -> Array:
        r"""Return :math:`\sum_{\mu l}(x_l^\mu + p_l) f_l^\mu`, of a student's shape, for fields of that of h."""
        return transposed(self.data, fields)

    def squared_errors(self, student: Array) -> Array:
        """Return each sample's ``|y - f_Q(x)|^2``, shape (n,), not divided by anything."""
        return self._squared_errors(self.attention.weights(self.preactivations(student)))

    def test_errors(self, student: Array) -> Array:
        """Return each sample's error per token, shape (n,), whose mean over fresh samples is the test error."""
        return self.squared_errors(student) / (self.data.dimension * len(self.data.encodings))

    def value(self, student: Array) -> float:
        """Return the training loss, of order d."""
        return self._with_ridge(self.squared_errors(student), student)

    def per_dimension(self, student: Array) -> float:
        """Return the training loss divided by d, whose minimum tends to -Phi (theory notes, section 3)."""
        return self.value(student) / self.data.dimension

    def gradient(self, student: Array) -> Array:
        r"""Return :math:`\partial\mathcal{L}/\partial Q`, of the student's shape, entries of order one.

        With :math:`E = \partial\ell/\partial S = -r (x+p)^\top/d` a sample contributes
        :math:`(x+p)^\top f/\sqrt d`, :math:`f = \sum_{ij}E_{ij}\,\partial S_{ij}/\partial h`. For the default
        attention that is :math:`f = (D + D^\top)h` with the softmax's derivative
        :math:`D_{ij} = S_{ij}(E_{ij} - \sum_k S_{ik}E_{ik})` with respect to the logit :math:`h_i\cdot h_j`.
        """
        h = self.preactivations(student)
        return self._gradient(student, h, self.attention.weights(h))

    def value_and_gradient(self, student: Array) -> tuple[float, Array]:
        """Return :meth:`value` and :meth:`gradient` together, for the two passes over the data of the latter."""
        h = self.preactivations(student)
        attention = self.attention.weights(h)
        value = self._with_ridge(self._squared_errors(attention), student)
        return value, self._gradient(student, h, attention)

    def _squared_errors(self, attention: Array) -> Array:
        gap = self.data.targets - attention
        inputs = _apply(gap, self.token_products) - 2 * _apply(attention, self.cross_products.swapaxes(0, 1))
        encodings = np.einsum("ikn,kj->ijn", attention, self.encoding_products)
        return np.einsum("ijn,ijn->n", inputs, gap) + np.einsum("ijn,ijn->n", encodings, attention)

    def _with_ridge(self, squared_errors: Array, student: Array) -> float:
        fit = squared_errors.sum() / (2 * self.data.dimension)
        return float(fit + ridge_penalty(self.data, student))

    def _gradient(self, student: Array, h: Array, attention: Array) -> Array:
        data = self.data
        gap = data.targets - attention
        to_encoded = self.token_products + self.cross_products
        from_encodings = self.cross_products.swapaxes(0, 1) + self.encoding_products[:, :, None]
        sensitivity = _apply(attention, from_encodings) - _apply(gap, to_encoded)
        fields = self.attention.pullback(h, attention, sensitivity) / data.dimension**1.5
        return self.transposed(fields) + data.model.regularization * student


def _apply(left: Array, right: Array) -> Array:
    """Multiply L x L matrices sample by sample: shapes (L, L, n), (L, L, n) -> (L, L, n)."""
    return np.einsum("ikn,kjn->ijn", left, right)
