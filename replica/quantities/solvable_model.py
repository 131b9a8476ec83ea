"""What the solver needs to know of a model, whichever kind it is of."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np

from replica.common.checked_arguments import quoted
from replica.common.errors import InvalidModel
from replica.quantities.loss_structure import LossStructure
from replica.quantities.structure import ModelStructure

__all__ = ["Model", "outer_directions", "require_model", "require_one_class"]


class Model(Protocol):
    """An attention model, or a multi-index model."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def structure(self) -> ModelStructure | LossStructure:
        """What its equations depend on, apart from numbers."""
        ...

    @property
    def sequence_length(self) -> int:
        """Number of tokens."""
        ...

    @property
    def rank(self) -> int:
        """Number of the student's columns."""
        ...

    @property
    def teacher_rank(self) -> int:
        """Number of the teacher's columns."""
        ...

    @property
    def noise(self) -> int:
        """Number of noise variables of a sample's outputs."""
        ...

    @property
    def classes(self) -> Any:
        """Kinds of samples with their own means and labels; empty where all samples are of one kind."""
        return ()

    @property
    def regularization(self) -> float:
        """Ridge penalty."""
        ...

    @property
    def spectrum(self) -> Any:
        """Law of the tokens' covariances, or None for one variance of all."""
        ...

    @property
    def gram(self) -> np.ndarray:
        """Gram matrix of the encodings, (L, L)."""
        ...

    @property
    def encoding_matrix(self) -> np.ndarray:
        """Encodings along orthonormal directions, (L, k)."""
        ...

    @property
    def atoms(self) -> list[tuple[float, dict[str, float]]]:
        """Weight of every atom of the spectrum, and the values of its symbols."""
        ...

    @property
    def positional_gram(self) -> Any:
        """Gram matrix of the encodings where it was given, or None."""
        ...

    @property
    def parameters(self) -> Any:
        """Values of further symbols, by name, or as pairs."""
        ...

    def to_dict(self) -> dict[str, object]:
        """Return the model as plain values, for JSON."""
        ...

    def parameter_values(self) -> dict[str, float]:
        """Return every numeric parameter by name."""
        ...


def outer_directions(model: Model) -> tuple[int, int]:
    """Return how many outer directions of the Gaussian average are teacher's fields and noise, and common modes."""
    length = model.sequence_length
    return length * model.teacher_rank + model.noise, length * model.rank - 1


def require_model(model: object, what: str) -> None:
    """Refuse what is no model.

    Raises
    ------
    ValueError
        If it is none; naming ``what``, which does not handle it.
    """
    # NOTE: by what it has, not by its class: multi-index models import SymPy, which a cached kernel does without.
    kind = type(model)
    if isinstance(model, type) or not (hasattr(kind, "structure") and hasattr(kind, "parameter_values")):
        shown = f"{kind.__name__} {quoted(model)}"
        raise InvalidModel(f"model: {what} must have an AttentionModel or a MultiIndexModel, got {shown}")


def require_one_class(model: Model, what: str) -> None:
    """Refuse models whose samples are of several classes.

    Raises
    ------
    ValueError
        If they are; naming ``what``, which does not handle it.
    """
    if model.classes:
        raise InvalidModel(f"model: {what} is not defined for samples of several classes, got {len(model.classes)}")
