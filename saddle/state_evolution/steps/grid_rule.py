"""How the nested averages of k steps are computed: nodes of what outputs depend on, and a grid of fields at each."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from replica.common.checked_arguments import checked_integer, checked_number
from replica.common.errors import InvalidArgument
from saddle.averages.rules.outer import SignedPermutation

__all__ = ["DEFAULT_GRID_RULE", "GridRule"]

# Weight of a teacher node, relative to all, that is worth a grid of fields.
LEAST_WEIGHT = 1e-8


@dataclass(frozen=True)
class GridRule:
    r"""Gauss-Hermite nodes for the teacher's fields, and a uniform grid of local fields at each of them.

    Parameters
    ----------
    nodes
        Gauss-Hermite nodes for every teacher field, and for every noise variable of the outputs.
    spacing
        Of the grid, in units of the narrowest Gaussian, :math:`\sqrt{\Delta_k}` as a rule.
    reach
        How far the grid goes on both sides of the mean: this many standard deviations of every level, added up.

    Raises
    ------
    ValueError
        If a number is none, not positive, or there are fewer than two nodes.
    """

    nodes: int = 20
    spacing: float = 1.0
    reach: float = 5.2

    def __post_init__(self) -> None:
        """Refuse what makes no grid."""
        checked_integer("nodes", self.nodes, 2)
        for name in ("spacing", "reach"):
            value = checked_number(name, getattr(self, name))
            if not (np.isfinite(value) and value > 0.0):
                raise InvalidArgument(f"{name} must be positive and finite, got {value!r}")

    def with_finer_nodes(self) -> GridRule:
        """Return the rule with half as many more teacher nodes per field."""
        return replace(self, nodes=self.nodes + (self.nodes + 1) // 2)

    def with_fewer_nodes(self) -> GridRule:
        """Return the rule with two thirds of the teacher nodes per field."""
        return replace(self, nodes=max(2, (2 * self.nodes) // 3))

    def with_finer_grid(self) -> GridRule:
        """Return the rule with a grid half again as fine, and one standard deviation further out in total."""
        return replace(self, spacing=self.spacing / 1.5, reach=self.reach + 0.5)

    def teacher_nodes(
        self, factors: np.ndarray, symmetries: tuple[SignedPermutation, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return teacher fields (N, L, t) and weights (N,), one of those that symmetries map to each other.

        Parameters
        ----------
        factors
            Cholesky factors of the variances of every token's teacher fields, (L, t, t).
        symmetries
            Maps of the standard normal coordinates under which averages over the local fields do not change.
        """
        length, t, _ = factors.shape
        points, weights = np.polynomial.hermite_e.hermegauss(self.nodes)
        places = np.array(list(itertools.product(range(self.nodes), repeat=length * t)))
        total = np.prod(weights[places] / weights.sum(), axis=1)
        kept = total > LEAST_WEIGHT
        places, total = places[kept], total[kept]
        representatives: dict[tuple[int, ...], int] = {}
        chosen: list[int] = []
        summed: list[float] = []
        for index, place in enumerate(places):
            images = self._images(tuple(int(x) for x in place), symmetries)
            known = next((representatives[x] for x in images if x in representatives), None)
            if known is None:
                representatives[tuple(int(x) for x in place)] = len(chosen)
                chosen.append(index)
                summed.append(float(total[index]))
            else:
                summed[known] += float(total[index])
        standard = points[places[chosen]].reshape(-1, length, t)
        return np.einsum("nlt,lst->nls", standard, factors), np.array(summed) / np.sum(summed)

    def with_noise(
        self, teacher_fields: np.ndarray, weights: np.ndarray, variables: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return teacher fields (N, L, t), noise (N, p) and weights (N,), each teacher node with all of the noise's."""
        if not variables:
            return teacher_fields, np.zeros((len(weights), 0)), weights
        points, shares = np.polynomial.hermite_e.hermegauss(self.nodes)
        places = np.array(list(itertools.product(range(self.nodes), repeat=variables)))
        total = np.outer(weights, np.prod(shares[places] / shares.sum(), axis=1)).ravel()
        kept = np.flatnonzero(total > LEAST_WEIGHT)
        teacher, own = np.divmod(kept, len(places))
        return teacher_fields[teacher], points[places[own]], total[kept] / np.sum(total[kept])

    def _images(self, place: tuple[int, ...], symmetries: tuple[SignedPermutation, ...]) -> set[tuple[int, ...]]:
        """Return a node and all its images, by the indices of its coordinates."""
        found = {place}
        while True:
            more = {
                tuple(x[axis] if sign > 0 else self.nodes - 1 - x[axis] for axis, sign in symmetry[: len(place)])
                for x in found
                for symmetry in symmetries
            }
            if more <= found:
                return found
            found |= more


DEFAULT_GRID_RULE = GridRule()
"""Good for 1e-5 of Phi and 1e-3 of order parameters of the paper's model."""
