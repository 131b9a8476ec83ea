r"""Gradient descent that finds its own learning rate, for losses of which none was published.

A step of length :math:`\eta|g|` down a slope of constant curvature c lowers the loss by
:math:`\eta|g|^2(1 - \eta c/2)`, which is at least half of what the slope promises, :math:`\eta|g|^2`, while
:math:`\eta \le 1/c`. A rate that promises more than it keeps is halved, so that no step leaps over the curvature along
it, and out of the basin in which it began.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation.simulation.descent.divergence import Diverged
from validation.simulation.descent.objective import Objective

__all__ = ["descend_by_halving"]

Array = NDArray[np.floating[Any]]

FIRST_RATE = 1.0
# Of a rate that no loss calls for: descent has come to where rounding hides it.
LEAST_RATE = 1e-12


def descend_by_halving(
    loss: Objective,
    student: Array,
    steps: int,
    tolerance: float,
    progress: Callable[[int], None] | None = None,
) -> tuple[Array, int, float]:
    """Return the student after gradient descent, the number of steps taken, and the learning rate of the last.

    Parameters
    ----------
    loss, student
        What is minimised, and from where.
    steps, tolerance, progress
        See :func:`validation.train_student`.

    Raises
    ------
    Diverged
        If the loss is not finite where descent begins.
    """
    rate, taken = FIRST_RATE, 0
    value, gradient = loss.value_and_gradient(student)
    if not math.isfinite(value):
        raise Diverged(f"the training loss is {value} where descent begins; begin elsewhere")
    student = student.copy()
    while taken < steps and rate > LEAST_RATE:
        square = float(np.vdot(gradient, gradient))
        if math.sqrt(square / gradient.size) <= tolerance:
            break
        there = student - rate * gradient
        found, slope = loss.value_and_gradient(there)
        # Written so that a loss that is not a number halves the rate, too.
        if not found <= value - 0.5 * rate * square:
            rate /= 2
            continue
        student, value, gradient = there, found, slope
        taken += 1
        if progress is not None:
            progress(taken)
    return student, taken, rate
