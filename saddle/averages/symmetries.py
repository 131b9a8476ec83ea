"""The order parameters of a model, with the symmetries of its kernel that it has at its own numbers."""

from __future__ import annotations

from replica.quantities.solvable_model import Model
from replica.symmetry.renamings import with_renamings
from saddle.averages.state_space import StateSpace
from saddle.kernel.kernel import Kernel

__all__ = ["state_space"]


def state_space(kernel: Kernel, model: Model) -> StateSpace:
    """Return the order parameters of a model with the symmetries that act on them by signs."""
    symmetries = with_renamings(kernel.symmetries, model)
    return StateSpace(model.structure.layout, symmetries.signs, symmetries.rotations)
