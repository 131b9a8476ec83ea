r"""Data sets of the model at finite dimension: Gaussian tokens, a teacher, and the target's L x L matrices or outputs.

Nothing here knows the theory: the simulator is a second route to its predictions, so it restates the model in
NumPy (theory notes, section 1; section 2 of arXiv:2402.03902) and takes from ``AttentionModel`` only numbers, and
attention and target where they are not the default; from ``MultiIndexModel`` numbers, loss and outputs.

Weights of one column, a student's or a teacher's, are arrays of shape (d,); of more, (d, r) or (d, t).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from replica import AttentionModel
from replica.common.checked_arguments import (
    checked_flag,
    checked_instance,
    checked_integer,
    checked_number,
    positive_number,
    quoted,
)
from replica.common.errors import InvalidArgument
from replica.common.numeric_errors import numpy_defaults
from replica.quantities.solvable_model import Model, require_model as require_any_model
from validation.simulation.coordinates import Coordinates, draw_teacher, model_coordinates
from validation.simulation.functions.layers import target_values
from validation.simulation.functions.written_loss import written_loss

__all__ = [
    "TeacherData", "checked_damping", "checked_data", "checked_precision", "columns_of", "draw_teacher_data",
    "fresh_batches", "positive_integer", "require_model",
]  # fmt: skip

Array = NDArray[np.floating[Any]]

# Numbers drawn at once while averaging over fresh samples: 64 MiB of them in float64.
BATCH_SIZE = 8 * 2**20
# Of tokens in one data set: 128 GiB in float64.
MOST_NUMBERS = 2**34


@dataclass(frozen=True, eq=False)
class TeacherData:
    r"""Samples of one teacher; every array is read-only.

    Tokens come first and samples second, so that all tokens of all samples are the rows of one contiguous
    matrix and the small L x L matrices of all samples are contiguous along the sample axis.

    Attributes
    ----------
    model
        The model that the samples were drawn from.
    coordinates
        Covariances and directions of the encodings, coordinate by coordinate.
    tokens
        The inputs x, shape (L, n, d), component i of token l of variance :math:`\gamma_l` of i's atom.
    teacher
        :math:`Q_\star`, shape (d,), or (d, t) for several columns.
    encodings
        The rows :math:`p_l = \sum_k C_{lk} u_k/\sqrt d`, shape (L, d); by default :math:`c_l 1_d/\sqrt d`.
    targets
        Of attention :math:`T[x Q_\star/\sqrt d]`, shape (L, L, n); the labels are ``targets[:, :, mu] @ x_mu``. Of a
        multi-index model the outputs :math:`y(x Q_\star/\sqrt d, \xi)`, shape (k, n).
    classes
        Of a model whose samples are of several classes, the class of each, counted from 0, shape (n,). Its tokens
        contain their means, and there are no encodings besides.
    """

    model: Model
    coordinates: Coordinates
    tokens: Array
    teacher: Array
    encodings: Array
    targets: Array
    classes: NDArray[np.intp] | None = None

    @property
    def attention_model(self) -> AttentionModel:
        """The model, if it is one of attention; raises ValueError if it is not."""
        AttentionModel.require_any(self.model, "what is asked of these samples")
        assert isinstance(self.model, AttentionModel)
        return self.model

    @property
    def samples(self) -> int:
        """Number of samples n."""
        return self.tokens.shape[1]

    @property
    def dimension(self) -> int:
        """Token dimension d."""
        return self.tokens.shape[2]

    @property
    def sample_complexity(self) -> float:
        """Samples per dimension, alpha = n/d as drawn."""
        return self.samples / self.dimension

    @property
    def student_shape(self) -> tuple[int, ...]:
        """Shape of a student Q: (d,) for one column, (d, r) for more."""
        return (self.dimension,) if self.model.rank == 1 else (self.dimension, self.model.rank)


def columns_of(weights: Array) -> Array:
    """Return weights as a matrix, shape (d, r), also where they are one column of shape (d,)."""
    return weights.reshape(len(weights), -1)


@numpy_defaults
def draw_teacher_data(
    model: Model,
    dimension: int,
    sample_complexity: float,
    generator: np.random.Generator,
    dtype: DTypeLike = np.float64,
    *,
    spherical_teacher: bool = False,
) -> TeacherData:
    r"""Draw a teacher and ``round(alpha d)`` samples.

    Parameters
    ----------
    model
        Any model.
    dimension
        Token dimension d, at least 1.
    sample_complexity
        alpha = n/d, positive and large enough for one sample.
    generator
        Source of randomness; the same state gives the same data.
    dtype
        ``float64`` or ``float32``, of the tokens. The same state of the generator gives the same tokens in
        both, up to rounding.
    spherical_teacher
        Rescale the teacher to :math:`|Q_\star|^2 = d` exactly. The limit d to infinity is the same, but much
        of the spread between data sets goes: the squared norm of a Gaussian teacher fluctuates by sqrt(2/d),
        relatively, and moves overlaps and losses by as much. In general, what of the teacher's columns the
        encodings do not tell gets its Gram matrix on every atom of the spectrum exactly, if that has coordinates
        enough.

    Returns
    -------
    TeacherData
        With a new teacher :math:`Q_\star \sim \mathcal{N}(0, 1_d)`, rescaled if so asked. With a spectrum, its rows
        have the moments of their atom (see :mod:`validation.simulation.coordinates`).

    Raises
    ------
    ValueError
        If the model is neither an :class:`~replica.AttentionModel` nor a :class:`~replica.MultiIndexModel`, or the
        dimension, the sample complexity or the dtype is out of range; the message quotes it.
    """
    require_model(model)
    dimension = positive_integer("dimension", dimension)
    sample_complexity = positive_number("sample_complexity (alpha)", sample_complexity)
    checked_instance("generator", generator, np.random.Generator, "a numpy.random.Generator")
    checked_flag("spherical_teacher", spherical_teacher)
    if model.sequence_length * sample_complexity * dimension**2 > MOST_NUMBERS:
        raise InvalidArgument(
            f"dimension must be so small that its samples fit into memory, got {dimension} with sample_complexity "
            f"{sample_complexity!r}"
        )
    samples = round(sample_complexity * dimension)
    if samples < 1:
        raise InvalidArgument(
            f"sample_complexity (alpha) {sample_complexity!r} gives no sample in dimension {dimension}"
        )
    kind = checked_precision(dtype)
    coordinates = model_coordinates(model, dimension)
    teacher = draw_teacher(model, coordinates, generator, spherical=spherical_teacher)
    if model.teacher_rank == 1:
        teacher = teacher[:, 0]
    encoding = np.zeros_like(model.encoding_matrix) if model.classes else model.encoding_matrix
    encodings = encoding / math.sqrt(dimension) @ coordinates.directions.T
    return _draw_samples(model, coordinates, teacher, encodings, samples, generator, kind)


def fresh_batches(data: TeacherData, samples: int, generator: np.random.Generator) -> Iterator[TeacherData]:
    """Yield new samples of the same teacher, ``samples`` in all, in batches of bounded memory.

    Raises
    ------
    ValueError
        If ``samples`` is not a positive integer.
    """
    left = positive_integer("samples", samples)
    most = max(1, BATCH_SIZE // (data.tokens.shape[0] * data.dimension))
    while left:
        count = min(left, most)
        left -= count
        yield _draw_samples(
            data.model, data.coordinates, data.teacher, data.encodings, count, generator, data.tokens.dtype
        )


def positive_integer(name: str, value: Any) -> int:
    """Return ``value`` as an int of at least one, or raise a ValueError that quotes it."""
    try:
        return checked_integer(name, value, 1)
    except InvalidArgument:
        raise InvalidArgument(f"{name} must be a positive integer, got {quoted(value)}") from None


def checked_damping(damping: Any) -> float:
    """Return the share of an update that is taken, or raise a ValueError."""
    share = checked_number("damping", damping)
    if not 0 < share <= 1:
        raise InvalidArgument(f"damping must be in (0, 1], one for none, got {damping!r}")
    return share


def require_model(model: Any) -> None:
    """Refuse what is no model, or raise a ValueError."""
    require_any_model(model, "the simulator")


def checked_data(data: Any) -> TeacherData:
    """Return samples of a teacher if they are any, or raise a ValueError."""
    return checked_instance("data", data, TeacherData, "a TeacherData, as draw_teacher_data returns")


def checked_precision(dtype: DTypeLike) -> np.dtype[Any]:
    """Return float64 or float32, or raise a ValueError."""
    try:
        kind = np.dtype(dtype)
    except (TypeError, ValueError):
        kind = None
    if kind is None or kind not in (np.dtype(np.float64), np.dtype(np.float32)):
        shown = quoted(dtype) if kind is None else repr(kind.name)
        raise InvalidArgument(f"dtype must be float64 or float32, got {shown}")
    return kind


def _draw_samples(
    model: Model,
    coordinates: Coordinates,
    teacher: Array,
    encodings: Array,
    samples: int,
    generator: np.random.Generator,
    dtype: np.dtype[Any],
) -> TeacherData:
    """Draw tokens and label them with an existing teacher."""
    length, dimension = encodings.shape
    # NOTE: drawn in float64 whatever the dtype, so that runs in both precisions are on the same data.
    tokens = generator.standard_normal((length, samples, dimension))
    tokens *= coordinates.deviations[:, None, :]
    tokens = tokens.astype(dtype, copy=False)
    preactivations = (tokens @ teacher.astype(dtype) / math.sqrt(dimension)).astype(np.float64)
    classes = _drawn_classes(model, samples, generator)
    targets = _labels(model, preactivations, generator, classes)
    for array in (tokens, teacher, encodings, targets):
        array.setflags(write=False)
    if classes is None:
        return TeacherData(model, coordinates, tokens, teacher, encodings, targets)
    # The teacher does not see the means, which in high dimension are orthogonal to its columns.
    matrices = np.array([one.mean_matrix.reshape(length, -1) for one in model.classes])
    means = (matrices / math.sqrt(dimension) @ coordinates.directions.T).astype(dtype)
    moved = tokens + means[classes].swapaxes(0, 1)
    for array in (moved, classes):
        array.setflags(write=False)
    return TeacherData(model, coordinates, moved, teacher, encodings, targets, classes)


def _drawn_classes(model: Model, samples: int, generator: np.random.Generator) -> NDArray[np.intp] | None:
    """Return a class for every sample, (n,), if the model has any."""
    if not model.classes:
        return None
    return generator.choice(len(model.classes), samples, p=[one.probability for one in model.classes])


def _labels(
    model: Model, preactivations: Array, generator: np.random.Generator, classes: NDArray[np.intp] | None
) -> Array:
    """Return the target's matrices, or outputs, whose noise is drawn after the tokens."""
    if isinstance(model, AttentionModel):
        return target_values(model, preactivations)
    noise = generator.standard_normal((model.noise, preactivations.shape[1]))
    return written_loss(model, classes).outputs(preactivations, noise)
