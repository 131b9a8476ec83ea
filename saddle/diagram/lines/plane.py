"""The plane of two parameters in which a transition is followed at one alpha."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ParameterPlane"]


@dataclass(frozen=True)
class ParameterPlane:
    """What a line of transitions at one alpha runs through, besides its first parameter.

    Attributes
    ----------
    second
        Name of the second parameter.
    between
        Its range.
    alpha
        Sample complexity n/d at which the transition is, everywhere on the line.
    """

    second: str
    between: tuple[float, float]
    alpha: float

    def __str__(self) -> str:
        return f"{self.second} = {self.between[0]:.6g} to {self.between[1]:.6g}, at alpha = {self.alpha:.6g}"
