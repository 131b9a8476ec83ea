"""Checks of what the solver's front doors are given, before any work: one line there, one error here.

Each function returns plain values, or raises an ``InvalidArgument`` that names the argument and quotes the value.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from baselines import Baseline
from replica.common.checked_arguments import (
    checked_flag,
    checked_integer,
    checked_items,
    checked_number,
    checked_pair,
    positive_number,
    quoted,
)
from replica.common.errors import InvalidArgument
from replica.model.attention_model import AttentionModel
from replica.symmetry.sectors import FAMILIES, Sector
from saddle.averages.quadrature import LineRule, OuterRule, SobolRule

if TYPE_CHECKING:
    from saddle.averages.state_space import StateSpace
    from saddle.state_evolution.state_evolution import StateEvolution

__all__ = [
    "SolveArguments", "checked_alpha", "checked_alpha_range", "checked_baselines", "checked_evolution",
    "checked_grid", "checked_points", "checked_sector", "checked_solve", "checked_state", "checked_threads",
    "checked_tolerance", "fits_lattice", "fitting_rule",
]  # fmt: skip

# Far beyond anything of use on either side, and what squares and logarithms can bear.
ALPHA_RANGE = (1e-12, 1e12)
MOST_POINTS = 10**6
MOST_THREADS = 4096
FINEST, COARSEST_TOLERANCE = 1e-6, 0.3
RULE_PARTS = ("line", "noise", "refined", "coarsened", "sibling", "outer")


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
    AttentionModel.require_any(model, "the compiled solver")
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


def checked_alpha(value: Any, name: str = "alpha") -> float:
    """Return a sample complexity as a float: a number, positive and finite, also a fraction or NumPy's."""
    positive_number(name, value)
    return checked_number(name, value, *ALPHA_RANGE)


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


def checked_tolerance(tolerance: Any) -> float | None:
    """Return a relative accuracy of averages, or None for the default one."""
    return None if tolerance is None else checked_number("tolerance", tolerance, FINEST, COARSEST_TOLERANCE)


def checked_threads(threads: Any) -> int:
    """Return a number of threads; 0 stands for one per core."""
    return checked_integer("threads", threads, 0, MOST_THREADS)


def fits_lattice(model: AttentionModel) -> bool:
    """Whether a model has the three outer directions of a lattice: two tokens, student and teacher of rank one."""
    return (model.sequence_length, model.rank, model.teacher_rank) == (2, 1, 1)


def fitting_rule(model: AttentionModel, rule: Any = None) -> OuterRule:
    """Return a quadrature rule if it fits a model; without one, the default rule of the kind that does.

    Raises
    ------
    InvalidArgument
        If it is no quadrature rule, or a lattice for a model of more directions than it has.
    """
    if rule is None:
        return LineRule() if fits_lattice(model) else SobolRule()
    if isinstance(rule, type) or not all(hasattr(rule, part) for part in RULE_PARTS):
        raise InvalidArgument(f"rule must be a LineRule, a SobolRule or None, got {quoted(rule)}")
    if isinstance(rule, LineRule) and not fits_lattice(model):
        raise InvalidArgument(
            f"rule must be a SobolRule for {model.sequence_length} tokens, a student of rank {model.rank} and a "
            f"teacher of rank {model.teacher_rank}: a LineRule is a lattice for two tokens and rank one, got {rule!r}"
        )
    return rule


def checked_baselines(baselines: Any) -> list[str | Baseline]:
    """Return names of baselines and baselines as a list; names are not looked up."""
    listed = checked_items("baselines", baselines, "a sequence of names or baselines")
    for k, given in enumerate(listed):
        if not isinstance(given, str | Baseline):
            raise InvalidArgument(f"baselines[{k}] must be the name of a baseline, or a baseline, got {quoted(given)}")
    return listed


def checked_evolution(evolution: Any) -> StateEvolution:
    """Return a model's equations if they are any."""
    from saddle.state_evolution.state_evolution import StateEvolution

    if not isinstance(evolution, StateEvolution):
        raise InvalidArgument(f"evolution must be a StateEvolution of a model, got {quoted(evolution)}")
    return evolution


def checked_sector(evolution: StateEvolution, sector: Any) -> Sector:
    """Return a sector of a model, given as such or by the name of a family of solutions.

    Raises
    ------
    InvalidArgument
        If there is no such family, or the sector belongs to another kind of model.
    """
    if isinstance(sector, str):
        if not sector.split() or sector.split()[0] not in FAMILIES:
            raise InvalidArgument(f"sector must be one of {', '.join(map(repr, FAMILIES))}, got {sector!r}")
        named = {known.value: known for known in evolution.sectors}
        if sector not in named:
            raise InvalidArgument(f"sector must be one of this model's, {', '.join(map(repr, named))}, got {sector!r}")
        return named[sector]
    if not isinstance(sector, Sector):
        raise InvalidArgument(f"sector must be a Sector or the name of a family of solutions, got {quoted(sector)}")
    own = evolution.space
    if not all(i in range(own.size) for i in sector.free) or own.sector_of(set(sector.free)).family != sector.family:
        raise InvalidArgument(f"sector must be one of this model's, {evolution.sectors!r}, got {sector!r}")
    return sector


def checked_state(state: Any, space: StateSpace) -> np.ndarray:
    """Return order parameters as a new array of floats, (n,); they need not lie in the equations' domain.

    Raises
    ------
    InvalidArgument
        If it is no sequence of as many real numbers as there are order parameters.
    """
    if isinstance(state, np.ndarray) and state.dtype == np.float64 and state.shape == (space.size,):
        return state.copy()
    names = ", ".join(quantity.name for quantity in space.quantities)
    what = f"a sequence of {space.size} numbers ({names})"
    listed = checked_items("state", state, what)
    if len(listed) != space.size:
        raise InvalidArgument(f"state must be {what}, got {quoted(state)}")
    try:
        # What is not finite is outside the domain, and said to be so.
        found = np.array(listed)
        if found.shape != (space.size,) or found.dtype.kind not in "iuf":
            raise ValueError
    except ValueError:
        raise InvalidArgument(f"state must be {what}, got {quoted(state)}") from None
    return found.astype(float)
