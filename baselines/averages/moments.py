r"""Mean and variance of the target matrix, as a value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from replica.common.errors import InvalidArgument

__all__ = ["ROUNDING", "TargetMoments", "rounding_of_variance"]

Array = NDArray[np.float64]

ROUNDING = 16 * float(np.finfo(np.float64).eps)


def rounding_of_variance(variance: float, shares: Array) -> float:
    r"""Return by how much rounding of entries of order one may move :math:`\sum_{ij} r_j \mathrm{Var}(T_{ij})`.

    Deviations smaller than the last digit of an entry, as those of the softmax of tiny fields are, are lost.
    """
    last_digit = float(np.finfo(np.float64).eps) * float(np.sqrt(len(shares) * np.sum(shares)))
    return ROUNDING * variance + last_digit * (2 * float(np.sqrt(variance)) + last_digit)


@dataclass(frozen=True, eq=False)
class TargetMoments:
    r"""Mean and variance of :math:`T(h^\star)`.

    Attributes
    ----------
    mean
        :math:`\mathbb{E}[T]`, shape (L, L), read-only.
    variance
        :math:`\sum_{ij} r_j \mathrm{Var}(T_{ij})` with ``shares`` r.
    mean_error, variance_error
        Estimates of the numerical error, of the worst entry of the mean and of the variance.
    shares
        :math:`r_l = R_l/R_1`, shape (L,), read-only: the tokens' traces in units of the first one's.
    scale
        :math:`R_1/L`: times ``variance`` it is a test error per token.
    """

    mean: Array
    variance: float
    mean_error: float
    variance_error: float
    shares: Array
    scale: float

    def __post_init__(self) -> None:
        """Refuse what is not finite, and make arrays read-only."""
        if not (np.all(np.isfinite(self.mean)) and np.isfinite(self.variance)):
            raise InvalidArgument(
                f"the target must be finite and have a variance, got a mean of {self.mean.tolist()!r} and a variance "
                f"of {self.variance!r}"
            )
        self.mean.setflags(write=False)
        self.shares.setflags(write=False)
