"""What an exploration found: branches, how they hang together, and whether it came to its end."""

from __future__ import annotations

from dataclasses import dataclass

from saddle.continuation.curve.tracing import Curve
from saddle.continuation.special_points.special_point import SpecialPoint
from saddle.continuation.subspaces import Section

__all__ = ["Exploration", "TracedBranch"]


@dataclass(frozen=True)
class TracedBranch:
    """A branch and its special points.

    Attributes
    ----------
    section, curve
        The invariant subspace it lives in, and its points.
    special_points
        In the curve's order.
    meets
        The branch points on other branches where it starts and ends, or None: there it ended for another reason.
    """

    section: Section
    curve: Curve
    special_points: tuple[SpecialPoint, ...]
    meets: tuple[SpecialPoint | None, SpecialPoint | None] = (None, None)


@dataclass(frozen=True)
class Exploration:
    """Everything that was reached; never claimed to be everything there is.

    Attributes
    ----------
    branches
        No two of them images of each other.
    complete
        False after an interruption, or when there was more than was allowed: what is there is valid.
    failures
        In words, what was tried and did not work.
    """

    branches: tuple[TracedBranch, ...]
    complete: bool
    failures: tuple[str, ...] = ()
