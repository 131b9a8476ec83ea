"""One part of a curve continued by another one of the same branch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from saddle.branches.branch_curve import BranchCurve
from saddle.branches.pieces.curve_parts import Part
from saddle.branches.search.search_interval import HIGHEST

__all__ = ["continued", "extent", "is_longer"]


def extent(part: Part) -> float:
    """Return how long a part is in alpha, as far as the least interval searched: whatever range was asked for."""
    low, high = part.data.reach
    return min(high, HIGHEST) - low if low < HIGHEST < high else high - low


def is_longer(part: Part, other: Part, end: int) -> bool:
    """Whether a part leads on beyond an end at which another one was lost."""
    edge = other.data.reach[end]
    beyond = part.data.alpha[0] < edge if end == 0 else part.data.alpha[-1] > edge
    return other.data.ends[end].kind == "lost" and bool(beyond)


def continued(part: Part, further: Part, end: int) -> Part:
    """Return a part continued beyond one of its ends by another; its special points are still its own."""
    a, b = part.data, further.data
    beyond = b.alpha < a.alpha[0] if end == 0 else b.alpha > a.alpha[-1]

    def both(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.concatenate([first, second[beyond]] if end else [second[beyond], first])

    arrays = ("alpha", "states", "tangents", "free_entropy", "average_envelope", "test_error", "test_error_derivative")
    ends, vanishing, meets = list(a.ends), list(a.vanishing), list(part.meets)
    ends[end], vanishing[end], meets[end] = b.ends[end], b.vanishing[end], further.meets[end]
    curve = BranchCurve(
        **{name: both(getattr(a, name), getattr(b, name)) for name in arrays},
        ends=(ends[0], ends[1]),
        vanishing=(vanishing[0], vanishing[1]),
    )
    return replace(part, data=curve, meets=(meets[0], meets[1]))
