"""What the equations of an attention model depend on, apart from numbers."""

from __future__ import annotations

from dataclasses import dataclass

from replica.common.checked_values import count
from replica.common.errors import InvalidModel
from replica.quantities.layout import Layout

__all__ = ["LARGEST", "PAPER_LENGTH", "ModelStructure"]

PAPER_LENGTH = 2
# Names of entries carry one digit per index: A_111 would not say which of its digits is the row.
LARGEST = 9


@dataclass(frozen=True)
class ModelStructure:
    """What the equations of a model depend on apart from numbers: one structure, one kernel.

    Parameters
    ----------
    sequence_length
        Number of tokens L, 2 to 9.
    rank
        Number of columns of Q, 1 to 9.
    teacher_rank
        Number of columns of Q*, 1 to 9.
    directions
        Dimension of the span of the positional encodings.
    groups
        For each token, the number of its group of equal covariances; by default all are equal.
    isotropic
        Whether all covariances are sigma^2 times the identity, and the law of encodings and teacher is the default.
    zero_moments
        Letters of those moments of encodings and teacher that vanish on every atom of a spectrum.
    attention, target
        Text of the functions S(h) and T(h), or nothing for the paper's.
    parameter_names
        Names of the numeric parameters that these functions use besides the model's own.

    Raises
    ------
    ValueError
        If a value is not an integer or out of range; the message quotes it.
    """

    sequence_length: int = PAPER_LENGTH
    rank: int = 1
    teacher_rank: int = 1
    directions: int = 1
    groups: tuple[int, ...] = ()
    isotropic: bool = True
    zero_moments: tuple[str, ...] = ()
    attention: str = ""
    target: str = ""
    parameter_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Convert to plain integers and validate."""
        for name, least in (("sequence_length", PAPER_LENGTH), ("rank", 1), ("teacher_rank", 1), ("directions", 0)):
            object.__setattr__(self, name, count(name, getattr(self, name), least, LARGEST))
        object.__setattr__(self, "groups", tuple(self.groups) or (0,) * self.sequence_length)
        if len(self.groups) != self.sequence_length:
            raise InvalidModel(f"groups must hold {self.sequence_length} numbers, one per token, got {self.groups!r}")

    @property
    def layout(self) -> Layout:
        """Index ranges of the order parameters."""
        return Layout(self.groups, self.rank, self.teacher_rank, self.directions)

    @property
    def is_paper_kind(self) -> bool:
        """Whether the models differ from the paper's by numbers and the number of tokens alone."""
        return self == ModelStructure(self.sequence_length)
