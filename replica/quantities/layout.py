"""Which order parameters a model has: numbers of tokens, columns and directions, and who shares what."""

from __future__ import annotations

from dataclasses import dataclass

from replica.common.errors import InvalidModel

__all__ = ["Layout"]


@dataclass(frozen=True)
class Layout:
    """The index ranges of a model's fields and order parameters.

    Attributes
    ----------
    groups
        For each token, the number of its group, from 0: tokens of one group have equal covariances and share
        their order parameters q, V and theta.
    rank
        Columns r of the student's weights Q.
    teacher_rank
        Columns t of the teacher's weights Q*.
    directions
        Dimension k of the space spanned by the positional encodings, the rank of their Gram matrix: Q has an
        overlap m with each direction.
    """

    groups: tuple[int, ...] = (0, 0)
    rank: int = 1
    teacher_rank: int = 1
    directions: int = 1

    def __post_init__(self) -> None:
        """Refuse ranges that cannot be."""
        seen: list[int] = []
        for group in self.groups:
            if group not in seen:
                seen.append(group)
        if not self.groups or seen != list(range(len(seen))):
            raise InvalidModel(f"groups must number the tokens' groups from 0 as they appear, got {self.groups!r}")
        if self.rank < 1 or self.teacher_rank < 1 or self.directions < 0:
            raise InvalidModel(f"ranks must be at least 1 and directions not negative, got {self!r}")

    @property
    def sequence_length(self) -> int:
        """Number of tokens L."""
        return len(self.groups)

    @property
    def group_count(self) -> int:
        """Number of groups of tokens with equal covariances."""
        return max(self.groups) + 1

    @property
    def per_token(self) -> Layout:
        """The layout in which no token shares anything, and every token's encoding is a direction of its own."""
        length = self.sequence_length
        return Layout(tuple(range(length)), self.rank, self.teacher_rank, length if self.directions else 0)

    @property
    def single_token(self) -> Layout:
        """The layout of one token by itself."""
        return Layout((0,), self.rank, self.teacher_rank, self.directions)

    def members(self, group: int) -> tuple[int, ...]:
        """Return the tokens of a group."""
        return tuple(token for token, own in enumerate(self.groups) if own == group)
