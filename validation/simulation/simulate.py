"""Draw data and train on them: one run."""

from __future__ import annotations

import numpy as np

from replica.common.checked_arguments import checked_choice, checked_integer
from replica.common.numeric_errors import numpy_defaults
from replica.quantities.solvable_model import Model
from validation.simulation.gradient_descent import TrainingRun, train_student
from validation.simulation.starts import STARTS
from validation.simulation.teacher import draw_teacher_data, require_model
from validation.simulation.training import AS_PUBLISHED, Training, checked_training

__all__ = ["simulate"]


@numpy_defaults
def simulate(
    model: Model,
    start: str,
    alpha: float,
    dimension: int,
    seed: int,
    *,
    training: Training = AS_PUBLISHED,
    spherical_teacher: bool = False,
) -> TrainingRun:
    """Draw data with one seed and train on it.

    Parameters
    ----------
    model, start, alpha, dimension
        See :func:`compare_at`.
    seed
        Non-negative integer; training data, fresh test samples and a random start come from independent
        streams of it, so that the same seed gives the same data whatever start, method and dtype.
    training
        How, and in which precision; by default as published.
    spherical_teacher
        See :func:`~validation.simulation.teacher.draw_teacher_data`.

    Raises
    ------
    ValueError
        As :func:`~validation.simulation.teacher.draw_teacher_data` and
        :func:`~validation.simulation.gradient_descent.train_student`.
    """
    require_model(model)
    seed = checked_integer("seed", seed, 0)
    if isinstance(start, str):
        checked_choice("start", start, STARTS)
    dtype = checked_training(training).dtype or np.float64
    drawing, testing = (np.random.default_rng(part) for part in np.random.SeedSequence(seed).spawn(2))
    data = draw_teacher_data(model, dimension, alpha, drawing, dtype, spherical_teacher=spherical_teacher)
    return train_student(data, start, generator=testing, training=training)
