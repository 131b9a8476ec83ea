"""Askings of a campaign about one model: kinds of range, grids and tolerances."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from saddle.testing import Asking

__all__ = ["KINDS_OF_RANGE", "random_asking"]

KINDS_OF_RANGE = ("usual", "no low end", "to 6", "to 20", "tiny")
"""In the order of a model's askings; further ones are drawn from these."""

POINTS = (2, 3, 4, 7, 12, 30)
TOLERANCES = (1e-2, 5e-3, 5e-4)


def random_asking(generator: np.random.Generator, number: int, known: Sequence[float] = ()) -> Asking:
    """Return the asking of one number about a model.

    Parameters
    ----------
    generator
        Used up in the same way whatever is known.
    number
        The first ones have one kind of range each.
    known
        Values of alpha of transitions seen before: a tiny range is laid around one of them, not in its middle.
    """
    kinds = len(KINDS_OF_RANGE)
    drawn = int(generator.integers(kinds))
    kind = KINDS_OF_RANGE[number if number < kinds else drawn]
    low = {"usual": 0.01, "to 6": 0.05, "to 20": 0.1}.get(kind, math.exp(generator.uniform(math.log(0.2), math.log(2))))
    high = {"to 6": 6.0, "to 20": 20.0}.get(kind, float(generator.uniform(2.5, 3.5)))
    place, where, width = generator.uniform(), generator.uniform(0.2, 0.8), float(generator.choice([0.02, 0.1]))
    if kind == "tiny":
        centre = known[int(place * len(known))] if known else 0.1 * 30.0**place
        low = centre * (1.0 - where * width)
        high = low + centre * width
    return Asking(
        (float(low), float(high)),
        int(generator.choice(POINTS)),
        str(generator.choice(["down", "up"])),
        float(generator.choice(TOLERANCES)),
        int(generator.choice([1, 2])),
        range_kind=kind,
    )
