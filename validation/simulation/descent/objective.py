"""What is minimised: a function of the student with its gradient."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Objective"]

Array = NDArray[np.floating[Any]]


class Objective(Protocol):
    """A training loss as a function of the student, shape (d,), or (d, r) for several columns."""

    def value(self, student: Array) -> float:
        """Return the loss, of order d."""
        ...

    def gradient(self, student: Array) -> Array:
        """Return its gradient, of the student's shape, entries of order one."""
        ...

    def value_and_gradient(self, student: Array) -> tuple[float, Array]:
        """Return both, for the price of the gradient."""
        ...
