"""Moves of single samples into their other wells, each followed by L-BFGS, until none lowers the training loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation.message_passing.proximal_fields import SampleLosses
from validation.simulation.divergence import Diverged
from validation.simulation.optimisers import lowest_by_lbfgs
from validation.simulation.training_loss import TrainingLoss
from validation.wells.sample_wells import SampleWells, wells_at

__all__ = ["Descent", "lowered_by_moves", "mutual_overlap"]

Array = NDArray[np.floating[Any]]

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


def mutual_overlap(first: Array, second: Array) -> float:
    """Return the cosine of the angle between two students; zero if one vanishes."""
    norms = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.vdot(first, second)) / norms if norms > 0 else 0.0


def lowered_by_moves(
    loss: TrainingLoss,
    student: Array,
    least_overlap: float,
    most_moves: int,
    progress: Callable[[int], None] | None = None,
) -> Descent:
    """Return the minimum from which no move of a single sample leads to a lower one of the same basin.

    Parameters
    ----------
    loss, student
        What is minimised, and a minimum of it, shape (d,).
    least_overlap
        Of the cosine of the angle between the first minimum and all that are accepted.
    most_moves
        Moves tried at most.
    progress
        Called with the number of moves tried, after each.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the student is no minimum.
    """
    losses = SampleLosses.of(loss)
    wells = wells_at(loss, losses, student)
    first, value = student, loss.value(student)
    found = Descent(student, [], [], [])
    _record(found, loss, value, wells)
    try:
        while not found.complete:
            for sample in wells.candidates:
                if found.tried == most_moves:
                    return found
                moved = _minimum_below(loss, found.student + wells.displacement(sample))
                found.tried += 1
                if progress is not None:
                    progress(found.tried)
                lower = loss.value(moved) < value - SAME_LOSS * abs(value)
                if not lower or mutual_overlap(moved, first) < least_overlap:
                    continue
                try:
                    wells = wells_at(loss, losses, moved)
                except np.linalg.LinAlgError:
                    continue
                found.student, value = moved, loss.value(moved)
                _record(found, loss, value, wells)
                break
            else:
                found.complete = True
    except KeyboardInterrupt:
        found.interrupted = True
    return found


def _minimum_below(loss: TrainingLoss, start: Array) -> Array:
    """Return the minimum below a start; the start itself, which lies higher than where it came from, if it diverges."""
    try:
        return lowest_by_lbfgs(loss, start, ITERATIONS)[0]
    except Diverged:
        return start


def _record(found: Descent, loss: TrainingLoss, value: float, wells: SampleWells) -> None:
    found.losses.append(value / loss.data.dimension)
    found.wrong_wells.append(wells.in_wrong_well)
    found.susceptibilities.append(wells.susceptibility)
