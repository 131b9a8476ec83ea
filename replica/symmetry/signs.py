"""Groups of transformations that act on the order parameters by signs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

__all__ = ["Signs", "independent", "product", "sign_group"]

Signs = tuple[int, ...]
"""How a transformation acts on the order parameters: 1 or -1 for each."""


def sign_group(generators: Sequence[Signs]) -> tuple[Signs, ...]:
    """Return all products of generators but the identity."""
    elements: dict[Signs, None] = {}
    for count in range(1, len(generators) + 1):
        for chosen in itertools.combinations(generators, count):
            signs = product(chosen)
            if min(signs) < 0:
                elements[signs] = None
    return tuple(elements)


def product(chosen: Sequence[Signs]) -> Signs:
    """Return the product of transformations, of at least one."""
    return tuple(-1 if sum(sign < 0 for sign in place) % 2 else 1 for place in zip(*chosen, strict=True))


def independent(generators: Sequence[Signs], others: Sequence[Signs]) -> tuple[Signs, ...]:
    """Return generators, and those of others that are no product of what stands before them."""
    found = list(generators)
    for signs in others:
        if min(signs) < 0 and signs not in sign_group(found):
            found.append(signs)
    return tuple(found)
