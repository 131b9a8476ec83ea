"""Where training starts: at the teacher, along the encodings, at random, or anywhere."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation.teacher import TeacherData

__all__ = ["INFORMED_STARTS", "STARTS", "given_student", "initial_student", "student_with_overlaps"]

Array = NDArray[np.floating[Any]]

INFORMED_STARTS = ("semantic", "positional", "positional-informed")
"""Names of the starts that know a minimum's direction; see :func:`initial_student`."""

STARTS = (*INFORMED_STARTS, "random")
"""Names of all starts."""

# Standard deviation of the entries of a random start, as in the published experiments.
RANDOM_SCALE = 0.1


def initial_student(data: TeacherData, start: str, generator: np.random.Generator | None = None) -> Array:
    r"""Return a start Q by name, shape (d,).

    Parameters
    ----------
    data
        The data set, for its dimension and teacher.
    start
        ``"semantic"``: :math:`Q = Q_\star`. ``"positional"``: :math:`Q = 1_d/\sqrt d`, as published, which
        begins at m = 1/sqrt(d), of the size of the noise. ``"positional-informed"``: :math:`Q = 1_d`, which
        begins at m = 1 with the norm of a teacher, and so is to the encodings what ``"semantic"`` is to the
        teacher. ``"random"``: independent entries :math:`\mathcal N(0, 0.1^2)`, as published.
    generator
        Source of the random start; no other start uses it.

    Raises
    ------
    ValueError
        If the start has another name, or is random without a generator.
    """
    if start == "random":
        if generator is None:
            raise ValueError("the start 'random' needs a generator, got None")
        return RANDOM_SCALE * generator.standard_normal(data.dimension)
    ones = np.ones(data.dimension)
    starts = {
        "semantic": data.teacher.copy(),
        "positional": ones / math.sqrt(data.dimension),
        "positional-informed": ones,
    }
    if start not in starts:
        raise ValueError(f"start must be one of {', '.join(map(repr, STARTS))} or an array, got {start!r}")
    return starts[start]


def given_student(data: TeacherData, start: Array) -> Array:
    """Return a copy of an array start, shape (d,), in float64.

    Raises
    ------
    ValueError
        If its shape is another or an entry is not finite.
    """
    student = np.array(start, dtype=np.float64)
    if student.shape != (data.dimension,):
        raise ValueError(f"an array start must have shape ({data.dimension},), got shape {student.shape}")
    if not np.isfinite(student).all():
        raise ValueError("an array start must be finite, got NaN or infinity")
    return student


def student_with_overlaps(
    data: TeacherData,
    self_overlap: float,
    positional_overlap: float,
    semantic_overlap: float,
    generator: np.random.Generator,
) -> Array:
    r"""Return a student with exactly these overlaps and otherwise a random direction, shape (d,).

    Parameters
    ----------
    data
        The data set, for its teacher. The student does not depend on the samples.
    self_overlap, positional_overlap, semantic_overlap
        :math:`q = \sigma^2|Q|^2/d`, :math:`m = Q\cdot 1_d/d` and :math:`\theta = \sigma^2 Q\cdot Q_\star/d`.
    generator
        Source of the direction.

    Raises
    ------
    ValueError
        If no student has these overlaps with this teacher, or the dimension is below three.
    """
    dimension, variance = data.dimension, data.model.token_variance
    if dimension < 3:
        raise ValueError(f"three overlaps can be chosen from dimension 3 on, got {dimension}")
    fixed = np.stack([np.ones(dimension), data.teacher])
    products = fixed @ fixed.T
    student = np.linalg.solve(products, dimension * np.array([positional_overlap, semantic_overlap / variance])) @ fixed
    left = dimension * self_overlap / variance - student @ student
    if not left >= 0:
        least = variance * (student @ student) / dimension
        raise ValueError(f"self_overlap must be at least {least:.6g} for the other two overlaps, got {self_overlap!r}")
    free = generator.standard_normal(dimension)
    free -= np.linalg.solve(products, fixed @ free) @ fixed
    return student + free * math.sqrt(left / (free @ free))
