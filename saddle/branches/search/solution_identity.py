"""Which solutions are one, up to the model's symmetries and rotations of the student's columns."""

from __future__ import annotations

import numpy as np

from saddle.averages.state_space import StateSpace
from saddle.branches.search.sector_solver import canonical_signs

__all__ = ["ERRORS_APART", "aligned", "distance"]

# Of errors of a free entropy by which one is told from another: with few scrambles they are rough themselves.
ERRORS_APART = 3.0


def distance(space: StateSpace, variances: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Return the largest difference of two states (n,) in natural units, over images of one of them.

    Where the student's columns can be rotated, both are turned into the axes of their own q first.
    """
    a, b = (aligned(space, state) for state in (first, second))
    units = np.maximum(space.units(space.floored(a), variances), space.units(space.floored(b), variances))
    images = [b, *(np.array(signs) * b for signs in space.group)]
    if space.rotations:
        images = [*images, *(image[moved] for image in images for moved in space.exchanges)]
    return min(float(np.max(np.abs(a - image) / units)) for image in images)


def aligned(space: StateSpace, state: np.ndarray) -> np.ndarray:
    """Return a state (n,) with the student's columns turned into the axes of q, the largest first, if they can be."""
    if not space.rotations or space.layout.rank == 1:
        return canonical_signs(state, space)
    q = space.matrices(state, "self_overlap")[0]
    turn = np.linalg.eigh(q)[1][:, ::-1]
    moved = np.empty(space.size)
    for kind in ("self_overlap", "susceptibility", "positional_overlap", "semantic_overlap"):
        matrix = space.matrices(state, kind)
        turned = np.einsum("ra,grs->gas", turn, matrix)
        if kind in ("self_overlap", "susceptibility"):
            turned = np.einsum("gas,sb->gab", turned, turn)
        for index in space.of_kind(kind):
            x = space.quantities[index]
            moved[index] = turned[x.group or 0][x.indices]
    return canonical_signs(moved, space)
