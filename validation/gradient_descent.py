r"""Full-batch gradient descent on one data set, from a chosen start, and the overlaps it ends with.

The training loss has several minima; which one gradient descent finds is decided by its start. The published
experiments (arXiv:2402.03902) compare a start at the teacher with one along the encodings, both with learning
rate 0.15 and 5000 steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from replica import AttentionModel
from validation.teacher import TeacherData, fresh_batches, positive_integer
from validation.training_loss import TrainingLoss

__all__ = [
    "STARTS",
    "TrainingRun",
    "initial_student",
    "positional_overlap",
    "semantic_overlap",
    "train_student",
]

Array = NDArray[np.floating[Any]]

STARTS = ("semantic", "positional", "positional-informed")
"""Names of the informed starts; see :func:`initial_student`."""

PUBLISHED_LEARNING_RATE = 0.15
PUBLISHED_STEPS = 5000


@dataclass(frozen=True, eq=False)
class TrainingRun:
    r"""Where gradient descent ended.

    The training loss has the symmetries of the overlaps' signs only (theory notes, section 6): compare
    ``abs(positional_overlap)`` and ``abs(semantic_overlap)`` between runs, or with theory.

    Attributes
    ----------
    model, dimension, samples
        What was trained on.
    start
        Name of the start, or ``"given"`` for an array.
    learning_rate, steps
        Step length and the number of steps taken.
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
    learning_rate: float
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


def initial_student(data: TeacherData, start: str) -> Array:
    r"""Return an informed start Q, shape (d,).

    Parameters
    ----------
    data
        The data set, for its dimension and teacher.
    start
        ``"semantic"``: :math:`Q = Q_\star`. ``"positional"``: :math:`Q = 1_d/\sqrt d`, as published, which
        begins at m = 1/sqrt(d), of the size of the noise. ``"positional-informed"``: :math:`Q = 1_d`, which
        begins at m = 1 with the norm of a teacher, and so is to the encodings what ``"semantic"`` is to the
        teacher.

    Raises
    ------
    ValueError
        If the start has another name.
    """
    ones = np.ones(data.dimension)
    starts = {
        "semantic": data.teacher.copy(),
        "positional": ones / math.sqrt(data.dimension),
        "positional-informed": ones,
    }
    if start not in starts:
        raise ValueError(f"start must be one of {', '.join(map(repr, STARTS))} or an array, got {start!r}")
    return starts[start]


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
    learning_rate: float = PUBLISHED_LEARNING_RATE,
    steps: int = PUBLISHED_STEPS,
    gradient_tolerance: float = 0.0,
    polish: bool = False,
    test_samples: int = 20_000,
    progress: Callable[[int], None] | None = None,
) -> TrainingRun:
    r"""Minimise the training loss by full-batch gradient descent and measure the result.

    Parameters
    ----------
    data
        Training samples and teacher.
    start
        Name of an informed start (see :func:`initial_student`), or an array of shape (d,).
    generator
        Source of the fresh samples of the test error.
    learning_rate
        Factor of the gradient of the training loss, defined as in :mod:`validation.training_loss` (of order
        d).
    steps
        Most steps taken; zero measures the start itself.
    gradient_tolerance
        Stop once :math:`|\partial\mathcal{L}/\partial Q|/\sqrt d` is at most this; zero takes every step.
    polish
        Continue with L-BFGS to the bottom of the basin that descent ended in. Theory describes minima, while
        the published number of steps leaves soft directions behind: on the positional branch q comes out some
        per cent too small.
    test_samples
        Number of fresh samples of the test error.
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
        If the iterates overflow, as they do when ``learning_rate * lambda`` exceeds 2.
    """
    _check_settings(learning_rate, steps, gradient_tolerance)
    positive_integer("test_samples", test_samples)
    student = initial_student(data, start) if isinstance(start, str) else _given_student(data, start)
    loss = TrainingLoss.of(data)
    taken = 0
    gradient = loss.gradient(student)
    norm = _norm_per_entry(gradient)
    while taken < steps and not norm <= gradient_tolerance:
        student -= learning_rate * gradient
        gradient = loss.gradient(student)
        norm = _norm_per_entry(gradient)
        taken += 1
        if not math.isfinite(norm):
            raise FloatingPointError(f"descent diverged at step {taken} with learning_rate {learning_rate!r}")
        if progress is not None:
            progress(taken)
    if polish:
        student = _polished(loss, student)
        norm = _norm_per_entry(loss.gradient(student))
    test_error, spread = _test_error(data, student, test_samples, generator)
    student.setflags(write=False)
    return TrainingRun(
        model=data.model,
        dimension=data.dimension,
        samples=data.samples,
        start=start if isinstance(start, str) else "given",
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


def _norm_per_entry(gradient: Array) -> float:
    return float(np.linalg.norm(gradient)) / math.sqrt(gradient.size)


def _polished(loss: TrainingLoss, student: Array) -> Array:
    """Return the minimum below ``student``, to rounding in the loss."""
    options = {"maxiter": 10_000, "maxfun": 20_000, "ftol": 0.0, "gtol": 1e-8}
    return minimize(loss.value, student, jac=loss.gradient, method="L-BFGS-B", options=options).x


def _check_settings(learning_rate: float, steps: int, gradient_tolerance: float) -> None:
    if not (math.isfinite(learning_rate) and learning_rate > 0):
        raise ValueError(f"learning_rate must be positive and finite, got {learning_rate!r}")
    if steps != 0:
        positive_integer("steps, if not zero,", steps)
    if not (math.isfinite(gradient_tolerance) and gradient_tolerance >= 0):
        raise ValueError(f"gradient_tolerance must be non-negative and finite, got {gradient_tolerance!r}")


def _given_student(data: TeacherData, start: Array) -> Array:
    student = np.array(start, dtype=np.float64)
    if student.shape != (data.dimension,):
        raise ValueError(f"an array start must have shape ({data.dimension},), got shape {student.shape}")
    if not np.isfinite(student).all():
        raise ValueError("an array start must be finite, got NaN or infinity")
    return student


def _test_error(data: TeacherData, student: Array, samples: int, generator: np.random.Generator) -> tuple[float, float]:
    """Return the mean and standard error, per token, of the squared error on fresh samples of the teacher."""
    batches = fresh_batches(data, samples, generator)
    errors = np.concatenate([TrainingLoss.of(batch).squared_errors(student) for batch in batches])
    errors /= data.dimension * len(data.encodings)
    spread = float(errors.std(ddof=1)) / math.sqrt(samples) if samples > 1 else math.inf
    return float(errors.mean()), spread
