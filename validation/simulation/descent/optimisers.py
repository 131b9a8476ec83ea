"""Three ways down the training loss: gradient descent and Adam as published, and L-BFGS to the minimum itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from validation.simulation.descent.divergence import Diverged
from validation.simulation.descent.objective import Objective

__all__ = ["METHODS", "PUBLISHED", "Schedule", "descend", "lowest_by_lbfgs", "norm_per_entry"]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Schedule:
    """Default settings of a method.

    Attributes
    ----------
    learning_rate
        Factor of the gradient, or Adam's step length; None where there is none.
    steps
        Number of steps; for L-BFGS the most iterations.
    """

    learning_rate: float | None
    steps: int


PUBLISHED = {
    "gradient-descent": Schedule(0.15, 5000),
    "adam": Schedule(0.01, 2500),
    "l-bfgs": Schedule(None, 10_000),
}
"""Methods by name, with the settings of the experiments of arXiv:2402.03902 (L-BFGS is not among them)."""

METHODS = tuple(PUBLISHED)

# What L-BFGS asks of the largest entry of the gradient: rounding in the loss stops it at about this value.
SMALLEST_GRADIENT = 1e-8
# Relative, in float32.
ROUNDING_OF_LOSS = 1e-5


@dataclass
class _Adam:
    """Moments of Adam (arXiv:1412.6980), with the constants and the order of operations of ``torch.optim.Adam``.

    Weight decay is a term of the gradient, as there; the loss has it already.
    """

    shape: tuple[int, ...]
    first_decay: float = 0.9
    second_decay: float = 0.999
    floor: float = 1e-8
    taken: int = 0
    first: Array = field(init=False)
    second: Array = field(init=False)

    def __post_init__(self) -> None:
        self.first, self.second = np.zeros(self.shape), np.zeros(self.shape)

    def direction(self, gradient: Array) -> Array:
        """Return by what the learning rate is multiplied, after taking in the next gradient."""
        self.taken += 1
        self.first += (1 - self.first_decay) * (gradient - self.first)
        self.second += (1 - self.second_decay) * (gradient * gradient - self.second)
        first = self.first / (1 - self.first_decay**self.taken)
        root = np.sqrt(self.second) / math.sqrt(1 - self.second_decay**self.taken)
        return first / (root + self.floor)


def norm_per_entry(gradient: Array) -> float:
    """Return the root mean square of the entries."""
    return float(np.linalg.norm(gradient)) / math.sqrt(gradient.size)


def descend(
    loss: Objective,
    student: Array,
    method: str,
    learning_rate: float,
    steps: int,
    tolerance: float,
    progress: Callable[[int], None] | None = None,
) -> tuple[Array, int]:
    """Return the student after gradient descent or Adam, and the number of steps taken.

    Parameters
    ----------
    loss, student
        What is minimised, and from where, shape (d,), or (d, r) for several columns.
    method
        ``"gradient-descent"`` or ``"adam"``.
    learning_rate, steps, tolerance, progress
        See :func:`validation.train_student`.

    Raises
    ------
    Diverged
        If the iterates overflow, or gradient descent ends above where it began.
    """
    adam = _Adam(student.shape) if method == "adam" else None
    student, taken = student.copy(), 0
    before = loss.value(student) if steps and adam is None else math.inf
    gradient = loss.gradient(student)
    while taken < steps and not norm_per_entry(gradient) <= tolerance:
        student -= learning_rate * (gradient if adam is None else adam.direction(gradient))
        gradient = loss.gradient(student)
        taken += 1
        # Adam's steps are bounded whatever the gradient, so a student may overflow only in its gradient.
        if not math.isfinite(norm_per_entry(gradient)):
            raise Diverged(f"descent diverged at step {taken} with learning_rate {learning_rate!r}; take a smaller one")
        if progress is not None:
            progress(taken)
    # Adam may climb over its first steps; what gradient descent climbs, its steps are too long for.
    if adam is None and taken and not loss.value(student) <= before + ROUNDING_OF_LOSS * abs(before):
        raise Diverged(
            f"descent ended above where it began after {taken} steps with learning_rate {learning_rate!r}; "
            "take a smaller one"
        )
    return student, taken


def lowest_by_lbfgs(
    loss: Objective,
    student: Array,
    iterations: int,
    tolerance: float = 0.0,
    progress: Callable[[int], None] | None = None,
) -> tuple[Array, int]:
    """Return the minimum below a student by SciPy's L-BFGS-B, and the number of iterations.

    It ends where no entry of the gradient is larger than the tolerance, or where rounding hides any further
    descent of the loss: in float32 at gradients of about 1e-6 per entry.

    Raises
    ------
    Diverged
        If the iterates overflow.
    """
    taken = 0

    def advance(intermediate_result: Any) -> None:
        nonlocal taken
        taken += 1
        if progress is not None:
            progress(taken)

    def flattened(entries: Array) -> tuple[float, Array]:
        value, gradient = loss.value_and_gradient(entries.reshape(student.shape))
        return value, gradient.ravel()

    options = {
        "maxiter": iterations,
        "maxfun": 2 * iterations,
        "ftol": 0.0,
        "gtol": max(tolerance, SMALLEST_GRADIENT),
    }
    result = minimize(flattened, student.ravel(), jac=True, method="L-BFGS-B", callback=advance, options=options)
    if not np.isfinite(result.x).all():
        raise Diverged(f"L-BFGS diverged at iteration {taken}")
    return result.x.reshape(student.shape), taken
