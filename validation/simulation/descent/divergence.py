"""What an iteration that ran away ends with: a named error, not numbers of any size."""

from __future__ import annotations

from replica.common.errors import AttentionPhaseError

__all__ = ["Diverged"]


class Diverged(AttentionPhaseError, FloatingPointError):
    """Descent or message passing that left every bound, or ended above where it began; the message says what to do."""
