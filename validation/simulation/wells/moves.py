"""Moves of single samples into their other wells, each followed by L-BFGS, until none lowers the training loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replica.common.errors import InvalidArgument
from replica.quantities.structure import ModelStructure
from validation.simulation.descent.divergence import Diverged
from validation.simulation.descent.optimisers import lowest_by_lbfgs
from validation.simulation.losses.training_loss import TrainingLoss
from validation.simulation.teacher import TeacherData
from validation.simulation.wells.sample_losses import SampleLosses
from validation.simulation.wells.sample_wells import SampleWells, wells_at

__all__ = ["MOST_MOVES", "SAME_BASIN", "Descent", "lowered_by_moves", "mutual_overlap", "require_wells"]

Array = NDArray[np.floating[Any]]

SAME_BASIN, MOST_MOVES = 0.7, 10_000
"""Of the angle's cosine between two minima of one basin the least, and of moves the most."""

ITERATIONS = 10_000
# Relative: L-BFGS ends some 1e-13 above a minimum, and other minima lie some 1e-5 lower or more.
SAME_LOSS = 1e-10


@dataclass
class Descent:
    """How far moves have come.

    Attributes
    ----------
    student
        The lowest minimum so far.
    losses
        Training loss per dimension at the first minimum and after every accepted move.
    wrong_wells
        Number of samples in the wrong well at each of these.
    susceptibilities
        V at each of these.
    tried
        Number of moves tried.
    complete
        Whether no move is left that lowers the loss.
    interrupted
        Whether Ctrl-C ended the search.
    """

    student: Array
    losses: list[float]
    wrong_wells: list[int]
    susceptibilities: list[float]
    tried: int = 0
    complete: bool = False
    interrupted: bool = False


def require_wells(data: TeacherData) -> None:
    """Refuse data on which moves are not defined, or hidden by rounding.

    Raises
    ------
    ValueError
        If the data are not of two tokens, one column, the default attention and ``float64``; the message quotes it.
    """
    structure = data.model.structure
    of_attention = isinstance(structure, ModelStructure) and not structure.attention
    if not of_attention or structure.layout.sequence_length != 2 or structure.layout.rank != 1:
        raise InvalidArgument(
            "data must be of a model of two tokens, a student of one column and the default attention for moves "
            f"between wells, got {structure!r}"
        )
    if data.tokens.dtype != np.float64:
        raise InvalidArgument(
            "data must be float64 for moves between wells, whose gain rounding would hide, got "
            f"{data.tokens.dtype.name}"
        )


def mutual_overlap(first: Array, second: Array) -> float:
    """Return the cosine of the angle between two students; zero if one vanishes."""
    norms = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.vdot(first, second)) / norms if norms > 0 else 0.0


@dataclass(frozen=True, eq=False)
class _Minimum:
    """A minimum, or what L-BFGS takes for one, and its training loss, of order d."""

    student: Array
    value: float


@dataclass(frozen=True, eq=False)
class _Search:
    """What is searched, and how far."""

    loss: TrainingLoss
    losses: SampleLosses
    first: Array
    least_overlap: float
    chain: int
    most_moves: int
    progress: Callable[[int], None] | None

    def wells(self, minimum: _Minimum) -> SampleWells:
        return wells_at(self.loss, self.losses, minimum.student)

    def moved(self, origin: _Minimum, displacement: Array) -> _Minimum | None:
        """Return the minimum that a move leads to; None if there is none, or it lies outside the basin."""
        try:
            student, _ = lowest_by_lbfgs(self.loss, origin.student + displacement, ITERATIONS)
        except Diverged:
            return None
        inside = mutual_overlap(student, self.first) >= self.least_overlap
        return _Minimum(student, self.loss.value(student)) if inside else None

    def lower(self, found: Descent, here: _Minimum, wells: SampleWells) -> tuple[_Minimum, SampleWells] | None:
        """Return the first lower minimum that a chain of moves leads to, short ones first; None if there is none."""
        met = {_rounded(here.value)}
        origins: Iterable[tuple[_Minimum, SampleWells]] = [(here, wells)]
        for length in range(1, self.chain + 1):
            reached: list[_Minimum] = []
            for origin, there in origins:
                for sample in there.candidates:
                    if found.tried == self.most_moves:
                        return None
                    moved = self.moved(origin, there.displacement(sample))
                    found.tried += 1
                    if self.progress is not None:
                        self.progress(found.tried)
                    if moved is None or _rounded(moved.value) in met:
                        continue
                    met.add(_rounded(moved.value))
                    if not moved.value < here.value - SAME_LOSS * abs(here.value):
                        reached.append(moved)
                    elif (its := self._wells_or_none(moved)) is not None:
                        return moved, its
            # A generator: wells cost more than a move, and the first origins often do.
            origins = self._with_wells(reached) if length < self.chain else []
        found.complete = True
        return None

    def _with_wells(self, reached: list[_Minimum]) -> Iterator[tuple[_Minimum, SampleWells]]:
        for minimum in sorted(reached, key=lambda minimum: minimum.value):
            wells = self._wells_or_none(minimum)
            if wells is not None:
                yield minimum, wells

    def _wells_or_none(self, minimum: _Minimum) -> SampleWells | None:
        """Return the wells at a minimum, None where it turns out to be a saddle."""
        try:
            return self.wells(minimum)
        except np.linalg.LinAlgError:
            return None


def lowered_by_moves(
    loss: TrainingLoss,
    student: Array,
    *,
    least_overlap: float,
    chain: int,
    most_moves: int,
    progress: Callable[[int], None] | None = None,
) -> Descent:
    """Return the minimum from which no chain of moves of single samples leads to a lower one of the same basin.

    Parameters
    ----------
    loss, student
        What is minimised, and a minimum of it, shape (d,).
    least_overlap
        Of the cosine of the angle between the first minimum and all others.
    chain
        Most moves in a row of which only the last leads lower.
    most_moves
        Moves tried at most.
    progress
        Called with the number of moves tried, after each.

    Raises
    ------
    ValueError
        If the student is no minimum.
    """
    search = _Search(loss, SampleLosses.of(loss), student, least_overlap, chain, most_moves, progress)
    here = _Minimum(student, loss.value(student))
    try:
        step: tuple[_Minimum, SampleWells] | None = here, search.wells(here)
    except np.linalg.LinAlgError:
        raise InvalidArgument(
            f"start must lead to a minimum, got one from where L-BFGS ends at a saddle of loss {here.value:g}; begin "
            "elsewhere"
        ) from None
    found = Descent(student, [], [], [])
    try:
        while step is not None:
            here, wells = step
            found.student = here.student
            found.losses.append(here.value / loss.data.dimension)
            found.wrong_wells.append(wells.in_wrong_well)
            found.susceptibilities.append(wells.susceptibility)
            step = search.lower(found, here, wells)
    except KeyboardInterrupt:
        found.interrupted = True
    return found


def _rounded(value: float) -> float:
    """Return a loss to nine digits: minima that L-BFGS reaches on two ways agree to ten or more."""
    return float(f"{value:.9g}")
