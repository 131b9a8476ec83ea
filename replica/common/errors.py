"""What the library raises where the fault is not its own: one family of exceptions.

Whatever else is raised is a fault of the library, and shows its traceback. All are ``ValueError`` as well, so that code
which catches that goes on to work.
"""

from __future__ import annotations

__all__ = [
    "AttentionPhaseError", "DerivationError", "InvalidArgument", "InvalidModel", "UnreadableFile", "UnwritableFile",
]  # fmt: skip


class AttentionPhaseError(ValueError):
    """Anything that the library refuses or cannot find; the message quotes the value and says what to do."""


class InvalidArgument(AttentionPhaseError):
    """An argument that a function does not take."""


class InvalidModel(InvalidArgument):
    """Something that is no model."""


class DerivationError(AttentionPhaseError):
    """A step of a derivation that does not hold when it is checked: nothing that follows from it may be used."""


class UnreadableFile(AttentionPhaseError):
    """A file that cannot be read, is damaged, or holds something else."""


class UnwritableFile(AttentionPhaseError):
    """A file or a folder that cannot be written."""
