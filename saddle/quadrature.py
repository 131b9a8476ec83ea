"""The outer quadrature rule, and the tables that the compiled line rule reads.

The Gaussian average runs over four standard normal directions: the two teacher fields and the common mode
(Gauss-Hermite), and the line (panels between jumps, Gauss-Legendre). See ``saddle.line_average``.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

__all__ = [
    "EXCHANGE",
    "EXCHANGE_WITH_REVERSAL",
    "JOINT_REVERSAL",
    "TEACHER_REVERSAL",
    "LineRule",
    "SignedPermutation",
]

LARGEST_ORDER = 64
FIELD_SCALE = 0.5


SignedPermutation = tuple[tuple[int, int], ...]
"""A map of coordinates: for each new coordinate, the old one's index and a sign."""

TEACHER_REVERSAL: SignedPermutation = ((0, -1), (1, -1), (2, 1))
JOINT_REVERSAL: SignedPermutation = ((0, -1), (1, -1), (2, -1))
EXCHANGE: SignedPermutation = ((1, 1), (0, 1), (2, 1))
EXCHANGE_WITH_REVERSAL: SignedPermutation = ((1, -1), (0, -1), (2, -1))


def _group(generators: tuple[SignedPermutation, ...]) -> set[SignedPermutation]:
    """Return the group that some signed permutations generate."""
    identity: SignedPermutation = ((0, 1), (1, 1), (2, 1))
    group: set[SignedPermutation] = {identity}
    frontier: list[SignedPermutation] = [identity]
    while frontier:
        element = frontier.pop()
        for generator in generators:
            product: SignedPermutation = tuple((element[k][0], element[k][1] * sign) for k, sign in generator)
            if product not in group:
                group.add(product)
                frontier.append(product)
    return group


@functools.lru_cache(maxsize=256)
def _orbits(order: tuple[int, int], generators: tuple[SignedPermutation, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of one node per orbit of the full tensor grid, and the orbits' sizes."""
    teacher, common = order
    # Mirror images of symmetric Gauss nodes: index k goes to n - 1 - k.
    index = np.stack(np.meshgrid(np.arange(teacher), np.arange(teacher), np.arange(common), indexing="ij"), -1)
    index = index.reshape(-1, 3)
    sizes = np.array([teacher, teacher, common])
    images = []
    for element in _group(generators):
        image = np.stack([index[:, k] if sign > 0 else sizes[k] - 1 - index[:, k] for k, sign in element], axis=-1)
        images.append((image[:, 0] * teacher + image[:, 1]) * common + image[:, 2])
    orbits = np.sort(np.array(images), axis=0)
    own = np.arange(len(index))
    distinct = 1 + np.sum(np.diff(orbits, axis=0) > 0, axis=0)
    first = orbits[0] == own
    return _read_only(own[first]), _read_only(distinct[first])


def _read_only(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array


@dataclass(frozen=True)
class LineRule:
    """Orders of the jump-resolving line rule.

    Parameters
    ----------
    teacher_order
        Gauss-Hermite nodes in each teacher field (even); the error sits almost entirely here.
    common_order
        Gauss-Hermite nodes along the common mode (even).
    scan_points
        Points per line at which the global minimiser is searched.
    graded_nodes, plain_nodes
        Gauss-Legendre nodes of a piece of the line graded towards a break, and of a plain one. They do not
        depend on the piece's length, so that the rule stays smooth in the order parameters.
    extent
        Half-length of the line, in standard deviations.
    negligible
        Outer nodes whose weight is below this are left out.
    """

    teacher_order: int = 20
    common_order: int = 12
    scan_points: int = 10
    graded_nodes: int = 18
    plain_nodes: int = 12
    extent: float = 5.5
    negligible: float = 1e-11

    def __post_init__(self) -> None:
        """Validate."""
        for name in ("teacher_order", "common_order"):
            if getattr(self, name) not in range(2, 121, 2):
                raise ValueError(f"{name} must be an even number in 2 ... 120, got {getattr(self, name)!r}")
        if self.scan_points < 3:
            raise ValueError(f"scan_points must be at least 3, got {self.scan_points!r}")
        for name in ("graded_nodes", "plain_nodes"):
            if not 1 <= getattr(self, name) <= LARGEST_ORDER:
                raise ValueError(f"{name} must lie in 1 ... {LARGEST_ORDER}, got {getattr(self, name)!r}")

    def refined(self) -> LineRule:
        """Return a rule with about 1.5 times the nodes in every direction: the yardstick of error estimates."""
        return replace(
            self,
            teacher_order=2 * math.ceil(0.75 * self.teacher_order),
            common_order=2 * math.ceil(0.625 * self.common_order),
            scan_points=self.scan_points + 4,
            graded_nodes=min(LARGEST_ORDER, self.graded_nodes + 4),
            plain_nodes=min(LARGEST_ORDER, self.plain_nodes + 4),
            extent=self.extent + 0.5,
        )

    def for_field_scale(self, scale: float) -> LineRule:
        """Return the rule with as many more points along a line as local fields of this size need.

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

    def comparison(self) -> LineRule:
        """Return a coarser rule whose difference from this one bounds this one's error from above."""
        return replace(
            self,
            teacher_order=2 * math.ceil(0.375 * self.teacher_order),
            common_order=2 * math.ceil(0.375 * self.common_order),
        )

    def neighbour(self) -> LineRule:
        """Return a rule of similar accuracy with other nodes."""
        return replace(
            self,
            teacher_order=self.teacher_order - 4,
            common_order=self.common_order + 2,
            scan_points=self.scan_points + 1,
        )

    def coarsened(self) -> LineRule:
        """Return a rule with about half the nodes in every outer direction, for warming up."""
        return replace(
            self,
            teacher_order=max(6, 2 * (self.teacher_order // 4)),
            common_order=max(6, 2 * (self.common_order // 4)),
        )

    def reduced_outer(self, generators: tuple[SignedPermutation, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return one outer node per orbit of a symmetry group, with the orbit's weight.

        Parameters
        ----------
        generators
            Maps of (h*_1, h*_2, a) that leave the integrands invariant, up to signs that average to zero.
        """
        chosen, sizes = _orbits((self.teacher_order, self.common_order), generators)
        nodes, weights = self._tensor
        kept = weights[chosen] > self.negligible
        chosen, sizes = chosen[kept], sizes[kept]
        return nodes[chosen], weights[chosen] * sizes

    @property
    def outer(self) -> tuple[np.ndarray, np.ndarray]:
        """Standard normal nodes (n, 3), columns (h*_1/sigma, h*_2/sigma, a), and weights (n,) summing to one."""
        return self.reduced_outer(())

    @cached_property
    def _tensor(self) -> tuple[np.ndarray, np.ndarray]:
        """All nodes and weights of the tensor rule, negligible ones included."""
        x, u = np.polynomial.hermite_e.hermegauss(self.teacher_order)
        y, v = np.polynomial.hermite_e.hermegauss(self.common_order)
        nodes = np.stack(np.meshgrid(x, x, y, indexing="ij"), axis=-1).reshape(-1, 3)
        weights = (u[:, None, None] * u[None, :, None] * v[None, None, :]).ravel()
        weights = weights / weights.sum()
        return _read_only(nodes), _read_only(weights)

    @cached_property
    def scan(self) -> np.ndarray:
        """Scan points along the line, (scan_points,)."""
        return _read_only(np.linspace(-self.extent, self.extent, self.scan_points))

    @cached_property
    def piece_orders(self) -> np.ndarray:
        """Number of Gauss-Legendre nodes of a graded and of a plain piece, (2,)."""
        return _read_only(np.array([self.graded_nodes, self.plain_nodes]))

    @cached_property
    def legendre(self) -> tuple[np.ndarray, np.ndarray]:
        """Gauss-Legendre nodes and weights of every order n, in row n of two padded tables."""
        nodes = np.zeros((LARGEST_ORDER + 1, LARGEST_ORDER))
        weights = np.zeros_like(nodes)
        for order in range(1, LARGEST_ORDER + 1):
            nodes[order, :order], weights[order, :order] = np.polynomial.legendre.leggauss(order)
        return _read_only(nodes), _read_only(weights)
