"""How labels of equations begin if nobody says so: unlike those of any other model, the same in every run."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from replica.model.attention_model import AttentionModel
from replica.model.multi_index_model import MultiIndexModel

if TYPE_CHECKING:
    from replica.hierarchy.theory import HierarchicalTheory
    from replica.theory import Theory

__all__ = ["label_prefix"]

# Enough to tell the models of one paper apart; a collision of two has odds of one in 16 millions.
DIGITS = 6


def label_prefix(theory: Theory | HierarchicalTheory) -> str:
    """Return the kind of a model and a digest of all that tells it from others, its numbers included."""
    model, loss = theory.model, theory.loss_model
    kind = "attention" if loss.structure is not None else "multi-index"
    if isinstance(model, AttentionModel):
        said = json.dumps(model.to_dict(), sort_keys=True, default=str)
    else:
        said = repr([loss.loss, list(loss.target), loss.target_symbols, loss.layout, loss.structure])
        if isinstance(model, MultiIndexModel):
            said += repr([sorted(model.parameter_values().items()), model.atoms, model.encoding_matrix.tolist()])
            said += repr(model.classes) if model.classes else ""
    return f"{kind}-{hashlib.sha256(said.encode()).hexdigest()[:DIGITS]}"
