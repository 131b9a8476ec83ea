r"""Full-batch training on one data set, from a chosen start, and the overlaps it ends with.

The training loss has several minima; which one descent finds is decided by its start. The published experiments
(arXiv:2402.03902) compare a start at the teacher with one along the encodings, both by gradient descent with
learning rate 0.15 and 5000 steps; others there are by Adam. They average overlaps over the last five iterates;
here they are those of the last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replica.common.by_value import ByValue
from replica.common.checked_arguments import checked_function, checked_instance
from replica.common.errors import InvalidArgument
from replica.common.numeric_errors import numpy_defaults
from replica.quantities.loss_structure import LossStructure
from replica.quantities.names import order_parameters
from replica.quantities.overlap_invariants import OVERLAP_KINDS, overlap_invariants
from replica.quantities.solvable_model import Model
from validation.simulation.descent.halving import descend_by_halving
from validation.simulation.descent.objective import Objective
from validation.simulation.descent.optimisers import Schedule, descend, lowest_by_lbfgs, norm_per_entry
from validation.simulation.losses.any_loss import training_loss
from validation.simulation.losses.training_loss import TrainingLoss
from validation.simulation.starts import given_student, has_random_entries, initial_student
from validation.simulation.teacher import TeacherData, checked_data, columns_of, fresh_batches
from validation.simulation.training import AS_PUBLISHED, Training, checked_training
from validation.simulation.wells.moves import MOST_MOVES, SAME_BASIN, lowered_by_moves, require_wells

__all__ = ["TrainingRun", "measured_overlaps", "train_student"]

Array = NDArray[np.floating[Any]]

POLISHING_ITERATIONS = 10_000


@dataclass(frozen=True, eq=False, repr=False)
class TrainingRun(ByValue):
    r"""Where training ended.

    The training loss has the symmetries of the overlaps' signs (theory notes, section 6), and of rotations of the
    student's columns if it has several: compare ``invariants`` between runs, or with theory.

    Attributes
    ----------
    model, dimension, samples
        What was trained on.
    start
        Name of the start, or ``"given"`` for an array.
    method
        One of ``validation.simulation.descent.optimisers.METHODS``.
    dtype
        Precision of the passes over the data: ``"float64"`` or ``"float32"``.
    learning_rate, steps
        Step length (None for L-BFGS; of gradient descent that found its own, the last) and the number of steps taken.
    polished
        Whether L-BFGS finished what the steps left undone.
    gradient_norm
        Root mean square of the entries of :math:`\partial\mathcal{L}/\partial Q` at the end; of order one far from
        a minimum.
    converged
        Whether ``gradient_norm`` is within the tolerance asked for.
    student
        The final Q, shape (d,), or (d, r) for several columns, read-only.
    overlaps
        :math:`q_g = Q^\top\Sigma_g Q/d`, :math:`m = Q^\top u/d` (so that :math:`Q^\top p_l/\sqrt d = m\,C_l`) and
        :math:`\theta_g = Q^\top\Sigma_g Q_\star/d` by the names of ``replica.quantities.names.order_parameters``, entry
        by entry.
    train_loss
        Training loss divided by d, which tends to -Phi.
    test_error, test_error_standard_error
        :math:`\frac1{dL}\mathbb{E}|y - f_Q(x)|^2` per token on fresh samples of the same teacher, of a multi-index
        model :math:`\frac2L\mathbb{E}\,\ell`, and the standard error of that mean.
    """

    model: Model
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
    overlaps: Mapping[str, float]
    train_loss: float
    test_error: float
    test_error_standard_error: float

    @property
    def self_overlap(self) -> float:
        r""":math:`q = \sigma^2 |Q|^2/d` of a model with one such order parameter."""
        return self._single("self_overlap")

    @property
    def positional_overlap(self) -> float:
        r""":math:`m = Q \cdot u/d` of a model with one such order parameter; by default u = 1_d."""
        return self._single("positional_overlap")

    @property
    def semantic_overlap(self) -> float:
        r""":math:`\theta = \sigma^2 Q \cdot Q_\star/d` of a model with one such order parameter."""
        return self._single("semantic_overlap")

    @property
    def invariants(self) -> dict[str, float]:
        """What of the overlaps does not change under rotations of the student's columns; see ``replica``."""
        return overlap_invariants(self.model.structure.layout, self.overlaps)

    def _single(self, kind: str) -> float:
        of_kind = {entry.name for entry in order_parameters(self.model.structure.layout) if entry.kind == kind}
        if len(of_kind) != 1:
            raise AttributeError(f"this model has several {kind}s, or none: overlaps hold {', '.join(self.overlaps)}")
        return self.overlaps[of_kind.pop()]


def measured_overlaps(data: TeacherData, student: Array) -> dict[str, float]:
    """Return a student's overlaps q, m and theta by the names of ``replica.quantities.names.order_parameters``."""
    layout = data.model.structure.layout
    coordinates = data.coordinates
    columns, teacher = columns_of(student).T, columns_of(data.teacher).T
    found = {}
    for entry in order_parameters(layout):
        if entry.kind not in OVERLAP_KINDS:
            continue
        row, column = entry.indices
        if entry.kind == "positional_overlap":
            # One direction of ones: the student's sum, as it was published.
            found[entry.name] = float(np.sum(columns[row] * coordinates.directions[:, column]) / data.dimension)
        else:
            others = columns if entry.kind == "self_overlap" else teacher
            token = layout.members(entry.group or 0)[0]
            found[entry.name] = coordinates.covariance_product(token, columns[row], others[column])
    return found


@numpy_defaults
def train_student(
    data: TeacherData,
    start: str | Array = "semantic",
    *,
    generator: np.random.Generator,
    training: Training = AS_PUBLISHED,
    progress: Callable[[int], None] | None = None,
) -> TrainingRun:
    r"""Minimise the training loss on the full batch and measure the result.

    Parameters
    ----------
    data
        Training samples and teacher; its dtype is that of every pass over the data. Sums over samples and the
        student itself are kept in float64.
    start
        Name of a start (see :func:`initial_student`), or an array of shape (d,), or (d, r) for several columns.
    generator
        Source of the fresh samples of the test error. Random entries of a start come from a stream spawned from
        it, so that the fresh samples do not depend on the start.
    training
        How, and on how many fresh samples the test error is measured; by default as published.
    progress
        Called with the number of steps taken, after every step.

    Returns
    -------
    TrainingRun
        Final student, overlaps, losses and how far descent came.

    Raises
    ------
    ValueError
        If an argument is out of range or of the wrong shape, or the data are not of the precision, or the model not of
        the kind, that is asked for; the message quotes it.
    Diverged
        If the iterates overflow, gradient descent ends above where it began, or ``learning_rate * lambda`` is at
        least 2.

    Notes
    -----
    Results are the same bit for bit whenever the same calls are repeated on one machine with the same
    libraries and the same number of BLAS threads. Another number of threads adds up in another order, and
    moves results by rounding, which descent does not amplify as it converges.

    Examples
    --------
    >>> from replica import AttentionModel
    >>> from validation import draw_teacher_data
    >>> generator = np.random.default_rng(1)
    >>> data = draw_teacher_data(AttentionModel.paper(omega=0.3), 50, 2.0, generator=generator)
    >>> run = train_student(data, "semantic", generator=generator)
    >>> run.train_loss < data.model.regularization
    True
    """
    kind = checked_data(data).tokens.dtype.name
    published = not isinstance(data.model.structure, LossStructure)
    schedule = checked_training(training).schedule(data.model.regularization, published=published)
    if training.dtype not in (None, kind):
        raise InvalidArgument(f"training must have the dtype of the data, {kind}, or None, got {training.dtype!r}")
    checked_instance("generator", generator, np.random.Generator, "a numpy.random.Generator")
    checked_function("progress", progress)
    if training.moves:
        require_wells(data)
    if isinstance(start, str):
        student = initial_student(data, start, generator.spawn(1)[0] if has_random_entries(data, start) else None)
    else:
        student = given_student(data, start)
    loss = training_loss(data)
    student, taken, rate = _descended(loss, student, training, schedule, progress)
    if training.polish or training.moves:
        student, _ = lowest_by_lbfgs(loss, student, POLISHING_ITERATIONS)
    if isinstance(loss, TrainingLoss) and training.moves:
        student = _moved_between_wells(loss, student, training.moves)
    norm = norm_per_entry(loss.gradient(student))
    test_error, spread = _test_error(data, student, training.test_samples, generator)
    student.setflags(write=False)
    return TrainingRun(
        model=data.model,
        dimension=data.dimension,
        samples=data.samples,
        start=start if isinstance(start, str) else "given",
        method=training.method,
        dtype=kind,
        learning_rate=rate,
        steps=taken,
        polished=training.polish or training.moves > 0,
        gradient_norm=norm,
        converged=norm <= training.gradient_tolerance,
        student=student,
        overlaps=measured_overlaps(data, student),
        train_loss=loss.per_dimension(student),
        test_error=test_error,
        test_error_standard_error=spread,
    )


def _descended(
    loss: Objective, student: Array, training: Training, schedule: Schedule, progress: Callable[[int], None] | None
) -> tuple[Array, int, float | None]:
    """Return the student after descent as asked for, the number of steps taken, and the learning rate."""
    rate, steps, tolerance = schedule.learning_rate, schedule.steps, training.gradient_tolerance
    if rate is not None:
        student, taken = descend(loss, student, training.method, rate, steps, tolerance, progress)
        return student, taken, rate
    if training.method == "gradient-descent":
        return descend_by_halving(loss, student, steps, tolerance, progress)
    if steps > 0:
        return *lowest_by_lbfgs(loss, student, steps, tolerance, progress), None
    return student, 0, None


def _moved_between_wells(loss: TrainingLoss, student: Array, chain: int) -> Array:
    found = lowered_by_moves(loss, student, least_overlap=SAME_BASIN, chain=chain, most_moves=MOST_MOVES)
    if found.interrupted:
        # There it is no failure; here half a search would pass for a run.
        raise KeyboardInterrupt
    return found.student


def _test_error(data: TeacherData, student: Array, samples: int, generator: np.random.Generator) -> tuple[float, float]:
    """Return the mean and standard error, per token, of the error on fresh samples of the teacher."""
    batches = fresh_batches(data, samples, generator)
    errors = np.concatenate([training_loss(batch).test_errors(student) for batch in batches])
    spread = float(errors.std(ddof=1)) / math.sqrt(samples) if samples > 1 else math.inf
    return float(errors.mean()), spread
