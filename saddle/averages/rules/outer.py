"""What a rule for the outer directions of the Gaussian integral is: nodes, weights, and their own error estimate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from replica.common.by_value import ByValue
from saddle.averages.rules.few_replicas import ONE_DEVIATION, standard_errors_for
from saddle.averages.rules.line_orders import LineOrders

__all__ = [
    "EXCHANGE",
    "EXCHANGE_WITH_REVERSAL",
    "JOINT_REVERSAL",
    "TEACHER_REVERSAL",
    "OuterNodes",
    "OuterRule",
    "SignedPermutation",
    "joint_reversal",
    "teacher_reversal",
]

SignedPermutation = tuple[tuple[int, int], ...]
"""A map of coordinates: for each new coordinate, the old one's index and a sign."""


def teacher_reversal(teacher_fields: int, common_modes: int) -> SignedPermutation:
    """Return the reversal of all teacher fields, with as many common modes behind them that stay as they are.

    Examples
    --------
    >>> teacher_reversal(2, 1)
    ((0, -1), (1, -1), (2, 1))
    """
    return tuple((k, -1 if k < teacher_fields else 1) for k in range(teacher_fields + common_modes))


def joint_reversal(teacher_fields: int, common_modes: int) -> SignedPermutation:
    """Return the reversal of all directions; the line's, of which it is an integral, is reversed with them."""
    return tuple((k, -1) for k in range(teacher_fields + common_modes))


TEACHER_REVERSAL, JOINT_REVERSAL = teacher_reversal(2, 1), joint_reversal(2, 1)
EXCHANGE: SignedPermutation = ((1, 1), (0, 1), (2, 1))
EXCHANGE_WITH_REVERSAL: SignedPermutation = ((1, -1), (0, -1), (2, -1))


@dataclass(frozen=True, eq=False, repr=False)
class OuterNodes(ByValue):
    """Outer nodes of a rule, one per line.

    Attributes
    ----------
    nodes
        Standard normal coordinates (n, dimension): teacher fields in units of their standard deviation, then
        common modes.
    weights
        Weights (n,); they sum to one up to what lies beyond the rule's reach.
    embedded
        Weights (k, n) of k rules on the same nodes, whose differences from the rule estimate its error.
    factors
        What the absolute differences are multiplied with, (k,); None if the embedded rules are independent
        replicas whose mean is the rule, so that their scatter gives an error.
    """

    nodes: np.ndarray
    weights: np.ndarray
    embedded: np.ndarray
    factors: np.ndarray | None

    def error(self, differences: np.ndarray) -> np.ndarray:
        """Combine differences (k, ...) of embedded rules from the rule into an error (...).

        Of independent replicas it covers as a standard deviation does, in two cases of three: by Student's law their
        standard error alone covers less, the less the fewer they are.
        """
        if self.factors is None:
            replicas = len(differences)
            standard = np.sqrt(np.sum(differences**2, axis=0) / (replicas * (replicas - 1)))
            return standard_errors_for(ONE_DEVIATION, replicas) * standard
        return np.tensordot(self.factors, np.abs(differences), axes=1)


class OuterRule(Protocol):
    """What the channel needs of a rule."""

    @property
    def line(self) -> LineOrders:
        """Orders along the line."""
        ...

    @property
    def noise(self) -> float:
        """Size, in natural units, of steps of averages that are not worth resolving: far below the rule's error."""
        ...

    def refined(self, factor: float = 10.0) -> OuterRule:
        """Return a rule whose errors are expected to be smaller by a factor."""
        ...

    def coarsened(self) -> OuterRule:
        """Return a rule ten times less accurate."""
        ...

    def sibling(self) -> OuterRule:
        """Return a rule of the same accuracy whose lines are scanned at other points."""
        ...

    def outer(
        self,
        teacher_fields: int,
        common_modes: int,
        generators: tuple[SignedPermutation, ...],
        *,
        alike: bool = True,
    ) -> OuterNodes:
        """Return outer nodes for so many directions, equivalent ones under the generators only once.

        ``alike`` says whether averages are as rough along one teacher field as along another.
        """
        ...
