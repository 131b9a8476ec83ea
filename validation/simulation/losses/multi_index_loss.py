r"""The training loss of a multi-index model's samples, and its gradient.

.. math::
    \mathcal{L}(Q) = \sum_\mu \ell(h^\mu, y^\mu) + \frac\lambda2 |Q|^2, \qquad h = (x + p)Q/\sqrt d ,

with loss and outputs as the model has them: samples count with weight one, as in the derivation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation.simulation.functions.written_loss import WrittenLoss, written_loss
from validation.simulation.losses.passes import preactivations, ridge_penalty, transposed
from validation.simulation.teacher import TeacherData

__all__ = ["MultiIndexLoss"]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class MultiIndexLoss:
    """The training loss of one data set as a function of the student Q, shape (d,), or (d, r) for several columns.

    Attributes
    ----------
    data
        The samples.
    """

    data: TeacherData

    @cached_property
    def written(self) -> WrittenLoss:
        """The model's loss as a function of pre-activations and outputs."""
        return written_loss(self.data.model, self.data.classes)

    def sample_losses(self, student: Array) -> Array:
        """Return each sample's loss, shape (n,)."""
        return self.written.values(preactivations(self.data, student), self.data.targets)

    def test_errors(self, student: Array) -> Array:
        r"""Return :math:`\frac2L\ell` of each sample, shape (n,), whose mean over fresh samples is the test error."""
        return 2.0 / len(self.data.encodings) * self.sample_losses(student)

    def value(self, student: Array) -> float:
        """Return the training loss, of order d."""
        return self._with_ridge(self.sample_losses(student), student)

    def per_dimension(self, student: Array) -> float:
        """Return the training loss divided by d, whose minimum tends to -Phi (theory notes, section 3)."""
        return self.value(student) / self.data.dimension

    def gradient(self, student: Array) -> Array:
        r"""Return :math:`\partial\mathcal{L}/\partial Q`, of the student's shape, entries of order one."""
        return self.value_and_gradient(student)[1]

    def value_and_gradient(self, student: Array) -> tuple[float, Array]:
        """Return :meth:`value` and :meth:`gradient` together, for the two passes over the data of the latter."""
        losses, slopes = self.written.values_and_slopes(preactivations(self.data, student), self.data.targets)
        through = transposed(self.data, slopes / math.sqrt(self.data.dimension))
        return self._with_ridge(losses, student), through + self.data.model.regularization * student

    def _with_ridge(self, losses: Array, student: Array) -> float:
        return float(losses.sum() + ridge_penalty(self.data, student))
