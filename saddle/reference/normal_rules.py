"""Quadrature rules for averages over independent standard normals, and the normals that fields are made of.

A field of a model is a linear combination of standard normals. Which combination is free, up to a rotation; it is
chosen such that a linear form in which a teacher's labels jump (``break_along``) is the first normal itself, so that
a rule with a panel boundary at zero integrates both sides exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

import numpy as np

from replica.common.errors import InvalidArgument

__all__ = [
    "MOST_HERMITE_NODES",
    "DegenerateLaw",
    "GaussHermite",
    "LegendrePanels",
    "NormalRule",
    "PlanarRule",
    "field_loadings",
    "finer",
    "node_count",
    "repeated",
    "tensor_rule",
]

MOST_HERMITE_NODES = 350
"""NumPy's weights overflow beyond."""

# A Gauss-Hermite rule of more nodes than this has most of them where the law has no mass: panels are denser inside.
FINEST_HERMITE = 64


class DegenerateLaw(ValueError):
    """A covariance is not positive definite, or a field is fixed by the ones before it."""


@dataclass(frozen=True)
class GaussHermite:
    """Gauss-Hermite rule: best where the integrand is smooth on the scale of a standard deviation.

    Parameters
    ----------
    nodes
        Number of nodes, 1 to 350.

    Raises
    ------
    InvalidArgument
        If there are fewer or more.
    """

    nodes: int = 24
    dimension: ClassVar[int] = 1

    def __post_init__(self) -> None:
        """Validate."""
        if self.nodes < 1:
            raise InvalidArgument(f"a Gauss-Hermite rule needs at least one node, got {self.nodes!r}")
        if self.nodes > MOST_HERMITE_NODES:
            raise InvalidArgument(
                f"a Gauss-Hermite rule takes at most {MOST_HERMITE_NODES} nodes, got {self.nodes!r}; use LegendrePanels"
            )

    @property
    def size(self) -> int:
        """Number of nodes."""
        return self.nodes

    def table(self) -> tuple[np.ndarray, np.ndarray]:
        """Return nodes and weights of the standard normal law, (n,) each."""
        x, weight = np.polynomial.hermite_e.hermegauss(self.nodes)
        return x, weight / np.sqrt(2 * np.pi)


@dataclass(frozen=True)
class LegendrePanels:
    """Gauss-Legendre panels against the normal density, with boundaries where the integrand jumps or has a kink.

    Parameters
    ----------
    breaks
        Where the integrand may be rough, in standard deviations.
    width
        Greatest width of a panel.
    order
        Nodes of each panel.
    reach
        Where the law is cut off on both sides; by default where its tails hold 1e-16.
    """

    breaks: tuple[float, ...] = (0.0,)
    width: float = 1.5
    order: int = 12
    reach: float = 8.5
    dimension: ClassVar[int] = 1

    def __post_init__(self) -> None:
        """Validate."""
        if not (self.width > 0 and self.reach > 0 and self.order >= 1):
            raise InvalidArgument(f"width, reach and order must be positive, got {self!r}")

    @property
    def size(self) -> int:
        """Number of nodes."""
        return self.order * sum(int(np.ceil((high - low) / self.width)) for low, high in pairwise(self._edges))

    @property
    def _edges(self) -> list[float]:
        return [-self.reach, *sorted(b for b in self.breaks if abs(b) < self.reach), self.reach]

    def table(self) -> tuple[np.ndarray, np.ndarray]:
        """Return nodes and weights of the standard normal law, (n,) each."""
        x, weight = np.polynomial.legendre.leggauss(self.order)
        nodes, weights = [], []
        for low, high in pairwise(self._edges):
            panels = int(np.ceil((high - low) / self.width))
            half = (high - low) / panels / 2 if panels else 0.0
            centres = low + half * (2 * np.arange(panels) + 1)
            nodes.append((centres[:, None] + half * x).ravel())
            weights.append(np.tile(half * weight, panels))
        node = np.concatenate(nodes)
        return node, np.concatenate(weights) * np.exp(-(node**2) / 2) / np.sqrt(2 * np.pi)


@dataclass(frozen=True)
class PlanarRule:
    """Rule over two standard normals together, for rules of the plane that are no products.

    Parameters
    ----------
    points
        Nodes, pairs of numbers.
    weights
        Weights, one for every node, which sum to one.
    """

    points: tuple[tuple[float, float], ...]
    weights: tuple[float, ...]
    dimension: ClassVar[int] = 2

    def __post_init__(self) -> None:
        """Validate."""
        if len(self.points) != len(self.weights) or any(len(point) != 2 for point in self.points):
            raise InvalidArgument(f"a planar rule needs a pair for every weight, got {self!r}")
        if not abs(sum(self.weights) - 1.0) < 1e-12:
            raise InvalidArgument(f"weights of a rule must sum to one, they sum to {sum(self.weights)!r}")

    @property
    def size(self) -> int:
        """Number of nodes."""
        return len(self.weights)

    def table(self) -> tuple[np.ndarray, np.ndarray]:
        """Return nodes (n, 2) and weights (n,)."""
        return np.array(self.points), np.array(self.weights)


NormalRule = GaussHermite | LegendrePanels | PlanarRule


def tensor_rule(rules: Sequence[NormalRule]) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes (n, k) and weights (n,) of the product of rules over k normals in all."""
    nodes, weights = np.zeros((1, 0)), np.ones(1)
    for rule in rules:
        x, weight = rule.table()
        along = x.reshape(len(weight), rule.dimension)
        nodes = np.hstack([np.repeat(nodes, len(weight), axis=0), np.tile(along, (len(weights), 1))])
        weights = np.outer(weights, weight).ravel()
    return nodes, weights


def node_count(rules: Sequence[NormalRule]) -> int:
    """Return the number of nodes of a product of rules."""
    return math.prod(rule.size for rule in rules)


def repeated(rule: NormalRule, count: int) -> list[NormalRule]:
    """Return the rule as often as it takes to cover ``count`` normals.

    Raises
    ------
    ValueError
        If the rule covers several normals at a time and ``count`` is no multiple of them.
    """
    if count % rule.dimension:
        raise InvalidArgument(f"{count} normals cannot be covered by rules over {rule.dimension} normals: {rule!r}")
    return [rule] * (count // rule.dimension)


def finer(rule: NormalRule) -> list[NormalRule]:
    """Return a rule over the same normals with about twice as many nodes along each, and other nodes throughout.

    Panels also reach further, so that a cut in the tails shows; Gauss-Hermite rules become panels where that is
    denser, and a planar rule a product.
    """
    if isinstance(rule, GaussHermite):
        nodes = 2 * rule.nodes
        if nodes <= FINEST_HERMITE:
            return [GaussHermite(nodes)]
        panels = LegendrePanels(breaks=())
        return [replace(panels, width=2 * panels.reach / np.ceil(nodes / panels.order).item())]
    if isinstance(rule, LegendrePanels):
        return [replace(rule, width=min(rule.width, 2 * rule.reach) / 2, reach=rule.reach + 1.5)]
    return [GaussHermite(2 * math.isqrt(len(rule.weights)) + 2)] * 2


def field_loadings(covariance: np.ndarray, forms: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """Return A, (n, n), with A A^T = ``covariance``, such that form k depends on standard normal k alone.

    Parameters
    ----------
    covariance
        Covariance of n fields, positive definite.
    forms
        Uncorrelated linear forms of the fields, (k, n); may be none.
    order
        Order of the fields in which the other normals are taken: a later field depends on no later normal.

    Raises
    ------
    DegenerateLaw
        If the covariance is not positive definite.
    ValueError
        If two forms are correlated.
    """
    n = len(covariance)
    try:
        root = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        raise DegenerateLaw(f"covariance of the fields is not positive definite: {covariance.tolist()}") from None
    images = forms @ root
    overlap = images @ images.T
    if np.any(np.abs(overlap - np.diag(np.diag(overlap))) > 1e-12 * np.max(overlap, initial=0.0)):
        raise InvalidArgument(f"linear forms with breaks must be uncorrelated, their covariance is {overlap.tolist()}")
    basis: list[np.ndarray] = []
    # Gram-Schmidt, twice for orthogonality to rounding; what is fixed by earlier directions adds none.
    for image in (*images, *root[list(order)]):
        direction = image
        for _ in range(2):
            for known in basis:
                direction = direction - (known @ direction) * known
        length = np.linalg.norm(direction)
        if len(basis) < n and length > 1e-9 * np.linalg.norm(image):
            basis.append(direction / length)
    if len(basis) < n:
        raise DegenerateLaw(f"fields are fixed by one another: covariance {covariance.tolist()}")
    return root @ np.array(basis).T
