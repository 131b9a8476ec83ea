"""What an exploration looks for, what it knows already, and where it stops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from replica.common.checked_arguments import (
    checked_function,
    checked_instance,
    checked_integer,
    checked_items,
    positive_number,
)
from saddle.continuation.explored import Exploration
from saddle.continuation.special_points.special_point import CurveFunction
from saddle.continuation.subspaces import Block

__all__ = ["Scope"]


def _all(block: Block) -> bool:
    """Want branches in every subspace."""
    return True


@dataclass(frozen=True)
class Scope:
    """What an exploration looks for, and where it stops.

    Parameters
    ----------
    functions
        Whose zeros along branches are wanted.
    amplitude
        Distance, in natural units, at which a new branch is looked for beside a branch point.
    max_branches
        At which to stop.
    known
        An earlier exploration to go on from: its branches are kept, and not traced again.
    leaves
        Function of two neighbouring points (x, p), (n + 1,) each: whether a branch is to be followed no further than
        the later one, because the equations mean nothing beyond.
    wanted
        Function of an invariant subspace: whether branches in it are followed. Those that a symmetry which is no
        involution maps to others need not be.

    Raises
    ------
    ValueError
        If one is none of its kind or out of range; the message names it and quotes the value.
    """

    functions: tuple[CurveFunction, ...] = ()
    amplitude: float = 0.05
    max_branches: int = 50
    known: Exploration | None = None
    leaves: Callable[[np.ndarray, np.ndarray], bool] | None = None
    wanted: Callable[[Block], bool] = _all

    def __post_init__(self) -> None:
        """Convert to plain values and validate."""
        functions = tuple(checked_items("functions", self.functions, "a sequence of CurveFunctions"))
        for k, function in enumerate(functions):
            checked_instance(f"functions[{k}]", function, CurveFunction, "a CurveFunction")
        if self.known is not None:
            checked_instance("known", self.known, Exploration, "an Exploration or None")
        checked_function("leaves", self.leaves)
        checked_function("wanted", self.wanted, optional=False)
        object.__setattr__(self, "functions", functions)
        object.__setattr__(self, "amplitude", positive_number("amplitude", self.amplitude))
        object.__setattr__(self, "max_branches", checked_integer("max_branches", self.max_branches, 1))
