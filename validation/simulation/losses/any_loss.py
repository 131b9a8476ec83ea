"""The training loss of samples of any model."""

from __future__ import annotations

from replica.quantities.loss_structure import LossStructure
from validation.simulation.losses.multi_index_loss import MultiIndexLoss
from validation.simulation.losses.training_loss import TrainingLoss
from validation.simulation.teacher import TeacherData, checked_data

__all__ = ["training_loss"]


def training_loss(data: TeacherData) -> TrainingLoss | MultiIndexLoss:
    """Return the training loss of a data set as a function of the student, whichever model it was drawn from.

    Raises
    ------
    ValueError
        If the data are no samples of a teacher.
    """
    if isinstance(checked_data(data).model.structure, LossStructure):
        return MultiIndexLoss(data)
    return TrainingLoss.of(data)
