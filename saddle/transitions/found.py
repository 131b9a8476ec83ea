"""What a search for transitions returns: what it found, or the reason in words why there is nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from saddle.transitions.transition import Transition

__all__ = ["Found", "by_alpha"]


@dataclass(frozen=True)
class Found:
    """Transitions that a search found.

    Attributes
    ----------
    transitions
        By increasing alpha.
    reason
        In words, why there are none; "" if there are, or where nothing need be said.
    """

    transitions: tuple[Transition, ...] = ()
    reason: str = ""

    @property
    def first(self) -> Transition | None:
        """The transition at the lowest alpha; None if there is none."""
        return self.transitions[0] if self.transitions else None

    def within(self, low: float, high: float) -> tuple[Transition, ...]:
        """Return those between two values of alpha, both included."""
        return tuple(transition for transition in self.transitions if low <= transition.alpha <= high)


def by_alpha(transitions: Iterable[Transition]) -> Found:
    """Return transitions as found, ordered."""
    return Found(tuple(sorted(transitions, key=lambda transition: transition.alpha)))
