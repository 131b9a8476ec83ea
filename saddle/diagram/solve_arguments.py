"""Checks of what the solver's front doors are given, before any work: one line there, one error here.

Each function returns plain values, or raises an ``InvalidArgument`` that names the argument and quotes the value.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from baselines import Baseline
from replica.common.checked_arguments import (
    checked_flag,
    checked_integer,
    checked_items,
    checked_number,
    checked_pair,
    quoted,
)
from replica.common.errors import InvalidArgument
from replica.quantities.solvable_model import require_model
from saddle.averages.rules.outer import OuterRule
from saddle.averages.rules.rule_arguments import ALPHA_RANGE, checked_threads, checked_tolerance, fitting_rule

__all__ = [
    "SolveArguments", "checked_alpha_range", "checked_baselines", "checked_grid", "checked_points", "checked_solve",
]  # fmt: skip

MOST_POINTS = 10**6


class SolveArguments(NamedTuple):
    """Arguments of a solve as plain values."""

    alpha: tuple[float, float]
    points: int | tuple[float, ...]
    sweep: str
    tolerance: float | None
    rule: OuterRule | None
    threads: int
    progress: bool


def checked_solve(
    model: Any,
    alpha: Any = (0.01, 3.0),
    points: Any = 2,
    sweep: Any = "down",
    tolerance: Any = None,
    rule: Any = None,
    threads: Any = 0,
    progress: Any = False,
) -> SolveArguments:
    """Return the arguments of :func:`saddle.solve_phase_diagram` as plain values.

    Raises
    ------
    InvalidArgument
        Naming the one that is none, quoting its value.
    """
    require_model(model, "the compiled solver")
    given = checked_grid(points)
    low, high = (given[0], given[-1]) if isinstance(given, tuple) else checked_alpha_range(alpha)
    count = 2 if isinstance(given, tuple) else given
    # Points are even in the square root, and must differ.
    if not np.all(np.diff(np.linspace(np.sqrt(low), np.sqrt(high), min(count, 1000)) ** 2) > 0.0):
        raise InvalidArgument(f"alpha must be wide enough for {count} points that differ, got {low!r} to {high!r}")
    if not isinstance(sweep, str) or sweep not in ("down", "up"):
        raise InvalidArgument(f"sweep must be 'down' or 'up', got {quoted(sweep)}")
    return SolveArguments(
        (low, high),
        given,
        sweep,
        checked_tolerance(tolerance),
        None if rule is None else fitting_rule(model, rule),
        checked_threads(threads),
        checked_flag("progress", progress),
    )


def checked_alpha_range(alpha: Any) -> tuple[float, float]:
    """Return the lowest and the highest alpha of a range."""
    pair = checked_items("alpha", alpha, "a pair (lowest, highest)", most=2)
    if len(pair) != 2:
        raise InvalidArgument(f"alpha must be a pair (lowest, highest), got {quoted(alpha)}")
    low = checked_number("alpha[0]", pair[0])
    if low <= 0.0:
        raise InvalidArgument(f"alpha must be positive, got a lowest alpha of {low!r}")
    return checked_pair("alpha", pair, *ALPHA_RANGE)


def checked_points(points: Any) -> int:
    """Return a number of points."""
    least = checked_integer("points", points, 2)
    return checked_integer("points", least, 2, MOST_POINTS)


def checked_grid(points: Any) -> int | tuple[float, ...]:
    """Return a number of points, or a grid of increasing sample complexities."""
    if not isinstance(points, (list, tuple)) and not (isinstance(points, np.ndarray) and points.ndim == 1):
        return checked_points(points)
    grid = tuple(checked_number(f"points[{k}]", value, *ALPHA_RANGE) for k, value in enumerate(points))
    if len(grid) < 2 or len(grid) > MOST_POINTS or any(b <= a for a, b in pairwise(grid)):
        raise InvalidArgument(
            f"points must be a number or at least two increasing values of alpha, got {quoted(points)}"
        )
    return grid


def checked_baselines(baselines: Any) -> list[str | Baseline]:
    """Return names of baselines and baselines as a list; names are not looked up."""
    listed = checked_items("baselines", baselines, "a sequence of names or baselines")
    for k, given in enumerate(listed):
        if not isinstance(given, str | Baseline):
            raise InvalidArgument(f"baselines[{k}] must be the name of a baseline, or a baseline, got {quoted(given)}")
    return listed
