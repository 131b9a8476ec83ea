r"""The ground state of one data set: the lowest minimum of the training loss near a start, as far as moves find it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replica.common.by_value import ByValue
from replica.common.checked_arguments import checked_function, checked_instance, checked_number
from replica.common.numeric_errors import numpy_defaults
from validation.simulation.gradient_descent import TrainingRun, train_student
from validation.simulation.losses.training_loss import TrainingLoss
from validation.simulation.teacher import TeacherData, checked_data, positive_integer
from validation.simulation.training import INTO_THE_GROUND_STATE, Training, checked_training
from validation.simulation.wells.moves import (
    ITERATIONS,
    MOST_MOVES,
    SAME_BASIN,
    lowered_by_moves,
    mutual_overlap,
    require_wells,
)

__all__ = ["GroundState", "ground_state"]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False, repr=False)
class GroundState(ByValue):
    r"""Two minima of one data set: where descent stops, and where moves of single samples lead from there.

    Attributes
    ----------
    metastable, lowest
        The runs that end at the first and at the last minimum, with students, overlaps, losses, test errors on the
        same fresh samples, and gradient norms.
    losses
        Training loss per dimension at the first minimum and after every accepted move, falling, shape
        (accepted + 1,), read-only.
    wrong_wells
        Number of samples that are not at the global minimum of their Moreau objective, at each of these.
    susceptibilities
        :math:`V = \frac1{Ld}\sum_l\mathrm{tr}(\Sigma_l H^{-1})` at each of these.
    tried
        Number of moves tried.
    complete
        Whether no move is left that lowers the loss; False if there were too many to try, or after Ctrl-C.
    interrupted
        Whether Ctrl-C ended the search.
    """

    metastable: TrainingRun
    lowest: TrainingRun
    losses: Array
    wrong_wells: NDArray[np.int64]
    susceptibilities: Array
    tried: int
    complete: bool
    interrupted: bool

    @property
    def accepted(self) -> int:
        """Number of moves that lowered the loss."""
        return len(self.losses) - 1

    @property
    def relative_drop(self) -> float:
        """By how much moves lowered the training loss, relative to where descent stopped."""
        return float(1.0 - self.losses[-1] / self.losses[0])

    @property
    def mutual_overlap(self) -> float:
        """Cosine of the angle between both minima."""
        return mutual_overlap(self.metastable.student, self.lowest.student)

    def __repr__(self) -> str:
        ending = "" if self.complete else ", interrupted" if self.interrupted else ", not complete"
        run = self.lowest
        return (
            f"<GroundState d = {run.dimension}, n = {run.samples}, start {run.start}: loss {run.train_loss:.7g}, "
            f"lowered by {self.relative_drop:.2g} of itself in {self.accepted} of {self.tried} moves{ending}>"
        )


@numpy_defaults
def ground_state(
    data: TeacherData,
    start: str | Array = "positional-informed",
    *,
    generator: np.random.Generator,
    training: Training = INTO_THE_GROUND_STATE,
    least_overlap: float = SAME_BASIN,
    most_moves: int = MOST_MOVES,
    progress: Callable[[int], None] | None = None,
) -> GroundState:
    r"""Minimise the training loss, and move single samples between the wells of their Moreau objectives.

    At a minimum every sample's fields are at a minimum of its Moreau objective at the cavity field
    :math:`w = z - Vg`, in one of several wells where there are several
    (:mod:`validation.simulation.wells.sample_wells`). A move displaces Q so that the fields of one sample come into
    its other well, and minimises again. All samples that have another well are tried, the one that promises most
    first; the first minimum that is lower is accepted, and everything is repeated until no move leads to a lower one.

    Parameters
    ----------
    data
        Training samples in ``float64``, and teacher: two tokens, a student of one column, the default attention.
    start
        Name of a start (see :func:`initial_student`), or an array of shape (d,): says in which basin is searched.
    generator
        See :func:`train_student`.
    training
        How the first minimum is reached; L-BFGS follows in any case. And how many ``moves`` in a row are tried of which
        only the last leads lower, at least one: two find lower minima in some data sets, for some five times the time.
    least_overlap
        A minimum is accepted only if the cosine of the angle between it and the first is at least this: so that
        moves do not leave the basin of a family. With a step of broken symmetry it tends to 0.98 between positional
        minima at omega = 0.3, and to 0.89 at 0.2.
    most_moves
        Moves tried at most.
    progress
        Called with the number of moves tried, after each.

    Returns
    -------
    GroundState
        First and last minimum. After Ctrl-C during the moves, what they had come to.

    Raises
    ------
    ValueError
        If an argument is out of range, the model or the data are of another kind, or the first minimum is a saddle
        of the loss; the message quotes it.
    Diverged
        See :func:`train_student`.

    Notes
    -----
    The result is a fixed point: from it, no move leads lower. That is no proof that nothing is lower:
    docs/broken_symmetry.md says what searches from other starts find.

    Examples
    --------
    >>> from replica import AttentionModel
    >>> from validation import draw_teacher_data
    >>> generator = np.random.default_rng(3)
    >>> data = draw_teacher_data(AttentionModel.paper(omega=0.2), 100, 1.5, generator=generator)
    >>> found = ground_state(data, generator=generator)
    >>> found.lowest.train_loss <= found.metastable.train_loss, found.complete
    (True, True)
    """
    require_wells(checked_data(data))
    checked_instance("generator", generator, np.random.Generator, "a numpy.random.Generator")
    least_overlap = checked_number("least_overlap", least_overlap, -1.0, 1.0)
    most_moves = positive_integer("most_moves", most_moves)
    checked_function("progress", progress)
    chain = max(1, checked_training(training).moves)
    told = dataclasses.replace(training, polish=True, moves=0)
    # The same fresh samples for both minima, so that their difference is of the minima.
    again = copy.deepcopy(generator)
    metastable = train_student(data, start, generator=generator, training=told)
    loss = TrainingLoss.of(data)
    found = lowered_by_moves(
        loss, metastable.student,
        least_overlap=least_overlap, chain=chain, most_moves=most_moves, progress=progress,
    )  # fmt: skip
    ending = Training(method="l-bfgs", steps=ITERATIONS, test_samples=told.test_samples)
    lowest = metastable
    if len(found.losses) > 1:
        lowest = dataclasses.replace(
            train_student(data, found.student, generator=again, training=ending),
            start=metastable.start, method=metastable.method, learning_rate=metastable.learning_rate,
            steps=metastable.steps, polished=True,
        )  # fmt: skip
    columns = (np.array(found.losses), np.array(found.wrong_wells), np.array(found.susceptibilities))
    for column in columns:
        column.setflags(write=False)
    return GroundState(metastable, lowest, *columns, found.tried, found.complete, found.interrupted)
