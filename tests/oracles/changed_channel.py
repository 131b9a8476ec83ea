"""A free entropy with another channel problem: another loss, other outputs, another objective."""

from __future__ import annotations

import dataclasses
from typing import Any

from replica.equations.free_entropy import FreeEntropy

__all__ = ["with_channel"]


def with_channel(free_entropy: FreeEntropy, **changes: Any) -> FreeEntropy:
    """Return a free entropy with some fields of its channel problem replaced."""
    return dataclasses.replace(free_entropy, channel=dataclasses.replace(free_entropy.channel, **changes))
