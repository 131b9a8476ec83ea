"""Draw data and train on them: one run."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from replica import AttentionModel
from replica.common.checked_arguments import checked_choice, checked_integer
from replica.common.numeric_errors import numpy_defaults
from validation.simulation.gradient_descent import TrainingRun, check_setting_names, train_student
from validation.simulation.starts import STARTS
from validation.simulation.teacher import draw_teacher_data, require_model

__all__ = ["simulate"]


@numpy_defaults
def simulate(
    model: AttentionModel,
    start: str,
    alpha: float,
    dimension: int,
    seed: int,
    *,
    spherical_teacher: bool = False,
    dtype: DTypeLike = np.float64,
    **settings: Any,
) -> TrainingRun:
    """Draw data with one seed and train on it.

    Parameters
    ----------
    model, start, alpha, dimension
        See :func:`compare_at`.
    seed
        Non-negative integer; training data, fresh test samples and a random start come from independent
        streams of it, so that the same seed gives the same data whatever start, method and dtype.
    spherical_teacher, dtype
        See :func:`~validation.simulation.teacher.draw_teacher_data`.
    **settings
        Keyword arguments of :func:`~validation.simulation.gradient_descent.train_student`, except ``generator``.

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
    check_setting_names(settings)
    training, testing = (np.random.default_rng(part) for part in np.random.SeedSequence(seed).spawn(2))
    data = draw_teacher_data(model, dimension, alpha, training, dtype, spherical_teacher=spherical_teacher)
    return train_student(data, start, generator=testing, **settings)
