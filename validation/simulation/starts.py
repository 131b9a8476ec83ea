"""Where training starts: at the teacher, along the encodings, at random, or anywhere."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replica import AttentionModel
from replica.common.checked_arguments import checked_instance, checked_number, quoted
from replica.common.errors import InvalidArgument
from replica.common.numeric_errors import numpy_defaults
from replica.quantities.solvable_model import Model
from validation.simulation.teacher import TeacherData, checked_data, columns_of

__all__ = [
    "INFORMED_STARTS",
    "STARTS",
    "given_student",
    "has_random_entries",
    "initial_student",
    "require_start",
    "student_with_overlaps",
    "usual_starts",
]

Array = NDArray[np.floating[Any]]

INFORMED_STARTS = ("semantic", "positional", "positional-informed")
"""Names of the starts that know a minimum's direction; see :func:`initial_student`."""

STARTS = (*INFORMED_STARTS, "random", "uninformed", "mixed")
"""Names of all starts; ``"mixed"`` is for students of several columns."""

# These begin along the encodings.
OF_ENCODINGS = ("positional", "positional-informed", "mixed")

# Standard deviation of the entries of a random start, as in the published experiments, and of columns that an
# informed start says nothing of: a column that is exactly zero stays zero where Q -> -Q is a symmetry.
RANDOM_SCALE = 0.1


def initial_student(data: TeacherData, start: str, generator: np.random.Generator | None = None) -> Array:
    r"""Return a start Q by name, shape (d,), or (d, r) for several columns.

    Parameters
    ----------
    data
        The data set, for its dimension, teacher and encodings.
    start
        ``"semantic"``: :math:`Q = Q_\star`. ``"positional"``: :math:`Q = u_1/\sqrt d`, as published (where
        :math:`u_1 = 1_d`), which begins at m = 1/sqrt(d), of the size of the noise. ``"positional-informed"``:
        :math:`Q = u_1`, which begins at m = 1 with the norm of a teacher, and so is to the encodings what
        ``"semantic"`` is to the teacher. ``"random"``: independent entries :math:`\mathcal N(0, 0.1^2)`, as
        published. ``"uninformed"``: independent entries :math:`\mathcal N(0, 1)`, of the norm of a teacher.
        ``"mixed"``: the first column is :math:`u_1`, the others those of the teacher. With several columns,
        the first ones are those of the teacher, as many as there are, or the first is :math:`u_1`, the encodings'
        first direction; the others are random.
    generator
        Source of random entries; starts without any do not use it.

    Raises
    ------
    ValueError
        If the start has another name, has random entries without a generator, is ``"mixed"`` for one column, or
        begins along encodings that the model does not have.
    """
    known = _known_columns(checked_data(data), start)
    if generator is not None:
        checked_instance("generator", generator, np.random.Generator, "a numpy.random.Generator")
    unknown = data.model.rank - known.shape[1]
    if unknown == 0:
        return known.reshape(data.student_shape).copy()
    if generator is None:
        raise InvalidArgument(f"the start {start!r} needs a generator for its random columns, got None")
    scale = 1.0 if start == "uninformed" else RANDOM_SCALE
    random = scale * generator.standard_normal((data.dimension, unknown))
    return np.concatenate([known, random], axis=1).reshape(data.student_shape)


def has_random_entries(data: TeacherData, start: str) -> bool:
    """Return whether a start needs a generator."""
    return _known_columns(data, start).shape[1] < data.model.rank


def _known_columns(data: TeacherData, start: str) -> Array:
    """Return the first columns of a start, (d, any number)."""
    direction, teacher = data.coordinates.directions[:, :1], columns_of(data.teacher)
    if start == "mixed" and data.model.rank == 1:
        raise InvalidArgument("the start 'mixed' needs a student of rank two or more, got rank 1; use an array instead")
    if not isinstance(start, str):
        raise InvalidArgument(f"start must be the name of a start, got {quoted(start)}")
    require_start(data.model, start)
    known = {
        "semantic": teacher[:, : data.model.rank],
        "positional": direction / math.sqrt(data.dimension),
        "positional-informed": direction,
        "random": direction[:, :0],
        "uninformed": direction[:, :0],
        "mixed": np.concatenate([direction, teacher], axis=1)[:, : data.model.rank],
    }
    if start not in known:
        raise InvalidArgument(f"start must be one of {', '.join(map(repr, STARTS))} or an array, got {start!r}")
    return known[start]


def usual_starts(model: Model) -> tuple[str, ...]:
    """Return the starts that know a minimum's direction, of as many kinds as a model has."""
    return ("semantic", "positional-informed") if model.encoding_matrix.shape[1] else ("semantic",)


def require_start(model: Model, start: str) -> None:
    """Refuse a start along encodings of a model without any, or raise a ValueError."""
    if start in OF_ENCODINGS and model.encoding_matrix.shape[1] == 0:
        others = ", ".join(repr(name) for name in STARTS if name not in OF_ENCODINGS)
        raise InvalidArgument(f"start must be one of {others} for a model without encodings, got {start!r}")


def given_student(data: TeacherData, start: Array) -> Array:
    """Return a copy of an array start, shape (d,), or (d, r) for several columns, in float64.

    Raises
    ------
    ValueError
        If its shape is another, an entry is not finite, or it holds no numbers.
    """
    try:
        found = np.array(start)
        if found.dtype.kind not in "iuf":
            raise ValueError
    except ValueError:
        raise InvalidArgument(
            f"start must be the name of a start or an array of numbers, got {quoted(start)}"
        ) from None
    student = found.astype(np.float64)
    if student.shape != data.student_shape:
        raise InvalidArgument(f"an array start must have shape {data.student_shape}, got shape {student.shape}")
    if not np.isfinite(student).all():
        raise InvalidArgument("an array start must be finite, got NaN or infinity")
    return student


@numpy_defaults
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
        If no student has these overlaps with this teacher, the dimension is below three, or the model is not of the
        paper's kind.
    """
    AttentionModel.require(checked_data(data).model, "a student with given overlaps")
    self_overlap = checked_number("self_overlap", self_overlap)
    positional_overlap = checked_number("positional_overlap", positional_overlap)
    semantic_overlap = checked_number("semantic_overlap", semantic_overlap)
    checked_instance("generator", generator, np.random.Generator, "a numpy.random.Generator")
    dimension, variance = data.dimension, data.attention_model.token_variance
    if dimension < 3:
        raise InvalidArgument(f"three overlaps can be chosen from dimension 3 on, got {dimension}")
    fixed = np.stack([np.ones(dimension), data.teacher])
    products = fixed @ fixed.T
    student = np.linalg.solve(products, dimension * np.array([positional_overlap, semantic_overlap / variance])) @ fixed
    left = dimension * self_overlap / variance - student @ student
    if not left >= 0:
        least = variance * (student @ student) / dimension
        raise InvalidArgument(
            f"self_overlap must be at least {least:.6g} for the other two overlaps, got {self_overlap!r}"
        )
    free = generator.standard_normal(dimension)
    free -= np.linalg.solve(products, fixed @ free) @ fixed
    return student + free * math.sqrt(left / (free @ free))
