"""How long and how message passing iterates: one value, checked once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replica.common.checked_arguments import checked_instance, checked_items, checked_number
from replica.common.errors import InvalidArgument
from validation.simulation.teacher import checked_damping, positive_integer

__all__ = ["RESPONSES", "MessagePassingSettings", "checked_settings"]

RESPONSES = ("stein", "regular")


@dataclass(frozen=True)
class MessagePassingSettings:
    r"""How long message passing goes on, and how it takes its steps.

    Attributes
    ----------
    iterations
        Most iterations.
    damping
        The share of components that moves in an iteration, in (0, 1]; one is the undamped iteration. Means the same
        as in :meth:`saddle.StateEvolution.iterate`.
    response
        How :math:`\hat V` is found: ``"stein"`` by regression; ``"regular"`` as the sum of local derivatives, right
        only where proximal points do not jump; or its values, one for each iteration, say of state evolution.
    tolerance
        Stop once the root mean square of Q' - Q is at most this; zero takes every iteration.

    Raises
    ------
    ValueError
        If one is out of range, or there are fewer responses than iterations; the message quotes it.
    """

    iterations: int
    damping: float = 1.0
    response: str | Sequence[float] | NDArray[np.floating[Any]] = "stein"
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        iterations = positive_integer("iterations", self.iterations)
        settled: dict[str, Any] = {
            "iterations": iterations,
            "damping": checked_damping(self.damping),
            "response": _checked_response(self.response, iterations),
            "tolerance": checked_number("tolerance", self.tolerance, 0.0),
        }
        for name, value in settled.items():
            object.__setattr__(self, name, value)


def checked_settings(settings: Any) -> MessagePassingSettings:
    """Return how to iterate if it is said, or raise a ValueError."""
    what = "a MessagePassingSettings, such as MessagePassingSettings(20, damping=0.4)"
    return checked_instance("settings", settings, MessagePassingSettings, what)


def _checked_response(response: Any, iterations: int) -> str | tuple[float, ...]:
    """Return the name of a rule, or values for at least so many iterations."""
    names = ", ".join(map(repr, RESPONSES))
    if isinstance(response, str):
        if response not in RESPONSES:
            raise InvalidArgument(f"response must be one of {names} or values, got {response!r}")
        return response
    values = checked_items("response", response, f"one of {names} or values")
    if len(values) < iterations:
        raise InvalidArgument(f"response must have a value for each of {iterations} iterations, got {len(values)}")
    return tuple(checked_number(f"response[{k}]", value) for k, value in enumerate(values))
