"""Nodes of a lattice that symmetries map to each other: one of each orbit, with how many there are."""

from __future__ import annotations

import numpy as np

from saddle.averages.rules.outer import SignedPermutation

__all__ = ["group_of", "orbits"]


def group_of(generators: tuple[SignedPermutation, ...], dimension: int) -> set[SignedPermutation]:
    """Return the group that some signed permutations generate.

    Examples
    --------
    >>> len(group_of((((1, 1), (0, 1)), ((0, -1), (1, -1))), 2))
    4
    """
    identity: SignedPermutation = tuple((k, 1) for k in range(dimension))
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


def orbits(codes: np.ndarray, generators: tuple[SignedPermutation, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return which nodes stand for their orbits, (n,) of bool, and how many nodes the orbit of each has, (n,).

    Parameters
    ----------
    codes
        Integer coordinates of the nodes, (n, dimension), those of every orbit among them.
    generators
        Maps of nodes to nodes.
    """
    dimension = codes.shape[1]
    size = int(np.abs(codes).max(initial=0)) + 1

    def label(code: np.ndarray) -> np.ndarray:
        return (code + size) @ (2 * size + 1) ** np.arange(dimension)[::-1]

    group = group_of(generators, dimension)
    images = np.array([label(np.stack([sign * codes[:, k] for k, sign in g], axis=-1)) for g in group])
    images.sort(axis=0)
    return images[0] == label(codes), 1 + np.sum(np.diff(images, axis=0) > 0, axis=0)
