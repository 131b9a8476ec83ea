"""Orders of the line rule: how many points a line is scanned at, and nodes between its jumps."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from replica.common.checked_arguments import checked_integer, checked_number, positive_number

__all__ = ["LineOrders"]

LARGEST_ORDER = 64
# Errors fall by ten when the teacher fields' spacing falls by this.
PER_DECADE = 1.6
# What the default rule is meant for; others follow from it by the law of its errors.
REFERENCE_TOLERANCE = 1e-4
FIELD_SCALE = 0.5
MOST_SCAN_POINTS = 10_000
TOLERANCES, SPACINGS = (1e-7, 0.3), (0.02, 2.5)


def read_only(array: np.ndarray) -> np.ndarray:
    """Return an array, no longer to be written to."""
    array.setflags(write=False)
    return array


@functools.lru_cache(maxsize=1)
def legendre_tables() -> tuple[np.ndarray, np.ndarray]:
    """Return Gauss-Legendre nodes and weights of every order n, in row n of two padded tables."""
    nodes = np.zeros((LARGEST_ORDER + 1, LARGEST_ORDER))
    weights = np.zeros_like(nodes)
    for order in range(1, LARGEST_ORDER + 1):
        nodes[order, :order], weights[order, :order] = np.polynomial.legendre.leggauss(order)
    return read_only(nodes), read_only(weights)


@dataclass(frozen=True)
class LineOrders:
    """Orders of the jump-resolving rule along a line.

    Parameters
    ----------
    scan_points
        Points per line at which the global minimiser is searched.
    graded_nodes, plain_nodes
        Gauss-Legendre nodes of a piece of the line graded towards a break, and of a plain one. They do not
        depend on the piece's length, so that the rule stays smooth in the order parameters.
    extent
        Half-length of the line, in standard deviations.
    """

    scan_points: int = 12
    graded_nodes: int = 18
    plain_nodes: int = 12
    extent: float = 6.0

    def __post_init__(self) -> None:
        """Convert to plain numbers and validate."""
        orders = {"scan_points": (3, MOST_SCAN_POINTS), "graded_nodes": (1, LARGEST_ORDER),
                  "plain_nodes": (1, LARGEST_ORDER)}  # fmt: skip
        for name, (least, most) in orders.items():
            object.__setattr__(self, name, checked_integer(name, getattr(self, name), least, most))
        object.__setattr__(self, "extent", checked_number("extent", self.extent, 1.0, 12.0))

    @classmethod
    def for_tolerance(cls, tolerance: float) -> LineOrders:
        """Return orders whose own error is meant to be a tenth of a relative tolerance of the averages.

        Met by the root mean square over the paper's lines; a line in a thousand may by itself be worse.

        Raises
        ------
        ValueError
            If the tolerance does not lie in [1e-7, 0.3].
        """
        tolerance = checked_number("tolerance", tolerance, *TOLERANCES)
        return cls().refined(REFERENCE_TOLERANCE / tolerance)

    def refined(self, factor: float) -> LineOrders:
        """Return orders whose errors are expected to be smaller by a factor (larger, if it is below one)."""
        decades = math.log10(positive_number("factor", factor))
        return replace(
            self,
            graded_nodes=max(8, min(LARGEST_ORDER, round(self.graded_nodes + 5 * decades))),
            plain_nodes=max(6, min(LARGEST_ORDER, round(self.plain_nodes + 4 * decades))),
            extent=max(5.0, min(9.0, self.extent + 0.4 * decades)),
        )

    def for_field_scale(self, scale: float) -> LineOrders:
        """Return the orders with as many more points along a line as local fields of this size need.

        Softmax attention varies over fields of order one half, whatever the standard deviation of the local
        field, in units of which the line is measured.
        """
        factor = math.ceil(scale / FIELD_SCALE)
        if factor <= 1:
            return self
        return replace(
            self,
            scan_points=min(120, factor * self.scan_points),
            graded_nodes=min(LARGEST_ORDER, factor * self.graded_nodes),
            plain_nodes=min(LARGEST_ORDER, factor * self.plain_nodes),
        )

    @cached_property
    def scan(self) -> np.ndarray:
        """Scan points along the line, (scan_points,)."""
        return read_only(np.linspace(-self.extent, self.extent, self.scan_points))

    @cached_property
    def piece_orders(self) -> np.ndarray:
        """Number of Gauss-Legendre nodes of a graded and of a plain piece, (2,)."""
        return read_only(np.array([self.graded_nodes, self.plain_nodes]))
