"""What the derivation starts from, for any kind of model."""

from __future__ import annotations

from replica.common.checked_arguments import quoted
from replica.common.errors import InvalidArgument
from replica.model.attention_model import AttentionModel
from replica.model.loss_model import LossModel, loss_model_of_structure
from replica.model.multi_index_model import MultiIndexModel
from replica.quantities.loss_structure import LossStructure
from replica.quantities.solvable_model import Model
from replica.quantities.structure import ModelStructure

__all__ = ["loss_model", "model_atoms"]


def loss_model(model: Model | ModelStructure | LossStructure | LossModel) -> LossModel:
    """Return what the derivation starts from, for any kind of model; raises InvalidArgument for anything else."""
    if isinstance(model, LossModel):
        return model
    if isinstance(model, MultiIndexModel):
        return model.loss_model()
    if isinstance(model, AttentionModel):
        return loss_model_of_structure(model.structure)
    if not isinstance(model, ModelStructure | LossStructure):
        raise InvalidArgument(f"model must be an AttentionModel or a MultiIndexModel, got {quoted(model)}")
    return loss_model_of_structure(model)


def model_atoms(model: Model) -> list[tuple[float, dict[str, float]]]:
    """Return weight and symbol values of every atom of a model's spectrum; one without values if isotropic."""
    return model.atoms
