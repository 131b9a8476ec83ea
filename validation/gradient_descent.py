r"""Full-batch training on one data set, from a chosen start, and the overlaps it ends with.

The training loss has several minima; which one descent finds is decided by its start. The published experiments
(arXiv:2402.03902) compare a start at the teacher with one along the encodings, both by gradient descent with
learning rate 0.15 and 5000 steps; others there are by Adam. They average overlaps over the last five iterates;
here they are those of the last.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replica import AttentionModel
from validation.optimisers import METHODS, PUBLISHED, descend, lowest_by_lbfgs, norm_per_entry
from validation.starts import given_student, initial_student
from validation.teacher import TeacherData, fresh_batches, positive_integer
from validation.training_loss import TrainingLoss

__all__ = [
    "TrainingRun",
    "positional_overlap",
    "semantic_overlap",
    "train_student",
]

Array = NDArray[np.floating[Any]]

POLISHING_ITERATIONS = 10_000


@dataclass(frozen=True, eq=False)
class TrainingRun:
    r"""Where training ended.

    The training loss has the symmetries of the overlaps' signs only (theory notes, section 6): compare
    ``abs(positional_overlap)`` and ``abs(semantic_overlap)`` between runs, or with theory.

    Attributes
    ----------
    model, dimension, samples
        What was trained on.
    start
        Name of the start, or ``"given"`` for an array.
    method
        One of ``validation.optimisers.METHODS``.
    dtype
        Precision of the passes over the data: ``"float64"`` or ``"float32"``.
    learning_rate, steps
        Step length (None for L-BFGS) and the number of steps taken.
    polished
        Whether L-BFGS finished what the steps left undone.
    gradient_norm
        :math:`|\partial\mathcal{L}/\partial Q|/\sqrt d` at the end; of order one far from a minimum.
    converged
        Whether ``gradient_norm`` is within the tolerance asked for.
    student
        The final Q, shape (d,), read-only.
    self_overlap
        :math:`q = \sigma^2 |Q|^2/d`.
    positional_overlap
        :math:`m = Q \cdot 1_d/d`, so that :math:`Q \cdot p_l/\sqrt d = c_l m`.
    semantic_overlap
        :math:`\theta = \sigma^2 Q \cdot Q_\star/d`.
    train_loss
        Training loss divided by d, which tends to -Phi.
    test_error, test_error_standard_error
        :math:`\frac1{dL}\mathbb{E}|y - f_Q(x)|^2` per token on fresh samples of the same teacher, and the
        standard error of that mean.
    """

    model: AttentionModel
    dimension: int
    samples: int
    start: str
    method: str
    dtype: str
    learning_rate: float | None
    steps: int
    polished: bool
    gradient_norm: float
    converged: bool
    student: Array
    self_overlap: float
    positional_overlap: float
    semantic_overlap: float
    train_loss: float
    test_error: float
    test_error_standard_error: float


def self_overlap(data: TeacherData, student: Array) -> float:
    r"""Return :math:`q = \sigma^2 |Q|^2/d`."""
    return float(data.model.token_variance * (student @ student) / data.dimension)


def positional_overlap(data: TeacherData, student: Array) -> float:
    r"""Return :math:`m = Q \cdot 1_d/d`."""
    return float(student.sum() / data.dimension)


def semantic_overlap(data: TeacherData, student: Array) -> float:
    r"""Return :math:`\theta = \sigma^2 Q \cdot Q_\star/d`."""
    return float(data.model.token_variance * (student @ data.teacher) / data.dimension)


def train_student(
    data: TeacherData,
    start: str | Array = "semantic",
    *,
    generator: np.random.Generator,
    method: str = "gradient-descent",
    learning_rate: float | None = None,
    steps: int | None = None,
    gradient_tolerance: float = 0.0,
    polish: bool = False,
    test_samples: int = 20_000,
    progress: Callable[[int], None] | None = None,
) -> TrainingRun:
    r"""Minimise the training loss on the full batch and measure the result.

    Parameters
    ----------
    data
        Training samples and teacher; its dtype is that of every pass over the data. Sums over samples and the
        student itself are kept in float64.
    start
        Name of a start (see :func:`initial_student`), or an array of shape (d,).
    generator
        Source of the fresh samples of the test error. A random start comes from a stream spawned from it, so
        that the fresh samples do not depend on the start.
    method
        ``"gradient-descent"``, ``"adam"`` (both with a constant learning rate) or ``"l-bfgs"``.
    learning_rate
        Factor of the gradient of the training loss, defined as in :mod:`validation.training_loss` (of order
        d), or Adam's step length per entry. By default as published: 0.15 and 0.01. L-BFGS has none.
    steps
        Most steps taken; zero measures the start itself. By default as published, 5000 and 2500, and 10,000
        iterations of L-BFGS, which ends long before.
    gradient_tolerance
        Stop once :math:`|\partial\mathcal{L}/\partial Q|/\sqrt d` is at most this; zero takes every step (of
        L-BFGS: all that the rounding of the loss allows).
    polish
        Continue with L-BFGS to the bottom of the basin that descent ended in. Theory describes minima, while
        the published number of steps leaves soft directions behind: on the positional branch q comes out some
        per cent too small.
    test_samples
        Number of fresh samples of the test error (50,000 in the published experiments).
    progress
        Called with the number of steps taken, after every step.

    Returns
    -------
    TrainingRun
        Final student, overlaps, losses and how far descent came.

    Raises
    ------
    ValueError
        If an argument is out of range or of the wrong shape; the message quotes it.
    FloatingPointError
        If the iterates overflow, as those of gradient descent do when ``learning_rate * lambda`` exceeds 2.

    Notes
    -----
    Results are the same bit for bit whenever the same calls are repeated on one machine with the same
    libraries and the same number of BLAS threads. Another number of threads adds up in another order, and
    moves results by rounding, which descent does not amplify as it converges.
    """
    learning_rate, steps = _settings(method, learning_rate, steps, gradient_tolerance)
    positive_integer("test_samples", test_samples)
    if isinstance(start, str):
        student = initial_student(data, start, generator.spawn(1)[0] if start == "random" else None)
    else:
        student = given_student(data, start)
    loss = TrainingLoss.of(data)
    if learning_rate is not None:
        student, taken = descend(loss, student, method, learning_rate, steps, gradient_tolerance, progress)
    elif steps > 0:
        student, taken = lowest_by_lbfgs(loss, student, steps, gradient_tolerance, progress)
    else:
        taken = 0
    if polish:
        student, _ = lowest_by_lbfgs(loss, student, POLISHING_ITERATIONS)
    norm = norm_per_entry(loss.gradient(student))
    test_error, spread = _test_error(data, student, test_samples, generator)
    student.setflags(write=False)
    return TrainingRun(
        model=data.model,
        dimension=data.dimension,
        samples=data.samples,
        start=start if isinstance(start, str) else "given",
        method=method,
        dtype=data.tokens.dtype.name,
        learning_rate=learning_rate,
        steps=taken,
        polished=polish,
        gradient_norm=norm,
        converged=norm <= gradient_tolerance,
        student=student,
        self_overlap=self_overlap(data, student),
        positional_overlap=positional_overlap(data, student),
        semantic_overlap=semantic_overlap(data, student),
        train_loss=loss.per_dimension(student),
        test_error=test_error,
        test_error_standard_error=spread,
    )


def _settings(
    method: str, learning_rate: float | None, steps: int | None, gradient_tolerance: float
) -> tuple[float | None, int]:
    """Return learning rate and steps, those of the method where none are given."""
    if method not in PUBLISHED:
        raise ValueError(f"method must be one of {', '.join(map(repr, METHODS))}, got {method!r}")
    default = PUBLISHED[method]
    if learning_rate is None:
        learning_rate = default.learning_rate
    elif default.learning_rate is None:
        raise ValueError(f"{method} has no learning_rate, got {learning_rate!r}; leave it out")
    elif not (math.isfinite(learning_rate) and learning_rate > 0):
        raise ValueError(f"learning_rate must be positive and finite, got {learning_rate!r}")
    if steps is None:
        steps = default.steps
    elif steps != 0:
        steps = positive_integer("steps, if not zero,", steps)
    if not (math.isfinite(gradient_tolerance) and gradient_tolerance >= 0):
        raise ValueError(f"gradient_tolerance must be non-negative and finite, got {gradient_tolerance!r}")
    return learning_rate, steps


def _test_error(data: TeacherData, student: Array, samples: int, generator: np.random.Generator) -> tuple[float, float]:
    """Return the mean and standard error, per token, of the squared error on fresh samples of the teacher."""
    batches = fresh_batches(data, samples, generator)
    errors = np.concatenate([TrainingLoss.of(batch).squared_errors(student) for batch in batches])
    errors /= data.dimension * len(data.encodings)
    spread = float(errors.std(ddof=1)) / math.sqrt(samples) if samples > 1 else math.inf
    return float(errors.mean()), spread
