"""Where the global minimum of the training loss begins to beat a baseline in test error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from baselines import BASELINES, Baseline
from replica.checked_arguments import quoted
from replica.errors import InvalidArgument
from replica.model import AttentionModel
from replica.numeric_errors import numpy_defaults
from saddle.branch import Branch
from saddle.outcomes import SolverError
from saddle.sector_solver import vanished
from saddle.sharpening import locate
from saddle.transition_equations import BaselineCrossing
from saddle.transitions import Transition, global_branch, transition_points

__all__ = ["BaselineErrors", "Crossing", "errors_of_baseline", "find_crossing"]

# Relative difference of free entropies on two rules.
COMPARABLE = 1e-4

BaselineErrors = Callable[[AttentionModel, float], float]
"""Test error per token of a baseline, for any model and alpha."""


@dataclass(frozen=True)
class Crossing:
    """Where the global minimum first beats a baseline.

    Attributes
    ----------
    baseline
        The baseline's name.
    transition
        The first such alpha; None if there is none in the range.
    reason
        In words, why there is none; "" if there is one.
    from_start
        Whether that is because the baseline is beaten from the lower end of the range on.
    """

    baseline: str
    transition: Transition | None
    reason: str = ""
    from_start: bool = False

    def __str__(self) -> str:
        return str(self.transition) if self.transition is not None else self.reason


def errors_of_baseline(baseline: str | Baseline) -> tuple[str, BaselineErrors]:
    """Return a baseline's name, and its test error as a function of model and alpha.

    Parameters
    ----------
    baseline
        A name in :data:`baselines.BASELINES`, which is computed for any model, or a baseline made for one model.

    Raises
    ------
    ValueError
        If there is no baseline of this name, or what is given is none.
    """
    if not isinstance(baseline, str | Baseline):
        raise InvalidArgument(f"baseline must be the name of a baseline, or a baseline, got {quoted(baseline)}")
    if not isinstance(baseline, str):
        given = baseline
        return given.name, lambda _, alpha: given.test_error_at(alpha)
    if baseline not in BASELINES:
        raise InvalidArgument(f"baseline must be one of {', '.join(map(repr, BASELINES))}, got {baseline!r}")
    made = lru_cache(maxsize=64)(BASELINES[baseline])
    return baseline, lambda changed, alpha: made(changed).test_error_at(alpha)


@numpy_defaults
def find_crossing(branches: Sequence[Branch], baseline: str | Baseline, jumps: Sequence[Transition]) -> Crossing:
    """Find where the test error of the global minimum first falls below a baseline's.

    Parameters
    ----------
    branches
        The families that compete for the global minimum.
    baseline
        Name of a baseline, or one made for the branches' model.
    jumps
        First-order transitions, at which the global minimum changes branch and its test error jumps.

    Returns
    -------
    Crossing
        The transition, or a reason in words why there is none.

    Raises
    ------
    ValueError
        If there is no baseline of this name.
    """
    name, errors = errors_of_baseline(baseline)
    if not branches:
        return Crossing(name, None, "no solution is known")
    grid, model = branches[0].alpha, branches[0].evolution.model
    return _first_below(branches, name, errors, np.array([errors(model, float(a)) for a in grid]), jumps)


def _first_below(
    branches: Sequence[Branch], name: str, errors: BaselineErrors, level: np.ndarray, jumps: Sequence[Transition]
) -> Crossing:
    """Return the crossing, given the baseline's test error on the grid (n,)."""
    grid, names = branches[0].alpha, global_branch(branches)
    excess = np.array([np.nan if b is None else b.test_error[k] - level[k] for k, b in enumerate(names)])
    shown = f"{name} ({level[0]:.6g})" if np.ptp(level) == 0.0 else name
    below = np.flatnonzero(excess < 0.0)
    if below.size == 0:
        return Crossing(name, None, f"the global minimum never beats {shown} in this range")
    k = int(below[0]) - 1
    if k < 0:
        return Crossing(name, None, f"the global minimum beats {shown} from the range's lower end", True)
    before, after = names[k], names[k + 1]
    if before is None or after is None:
        return Crossing(name, None, f"the global minimum is not known between alpha = {grid[k]:g} and {grid[k + 1]:g}")
    low, high = float(grid[k]), float(grid[k + 1])
    if before is after:
        return _located(after, after.states[k + 1], errors, name, low, high)
    jump = next((t for t in jumps if t.within(low, high) and after.name in t.between), None)
    if jump is None:
        # The minimum passes continuously from one branch to the other: it crosses on one of both.
        on_after = _located(after, after.states[k + 1], errors, name, low, high)
        if on_after.transition is not None and not _overtaken(on_after.transition, before):
            return on_after
        on_before = _located(before, before.states[k], errors, name, low, high)
        if on_before.transition is not None and not _overtaken(on_before.transition, after):
            return on_before
        return Crossing(
            name, None, f"the global minimum changes between alpha = {low:g} and {high:g} in an unresolved way"
        )
    there = jump.points[jump.between.index(after.name)]
    if there.test_error <= errors(after.evolution.model, jump.alpha):
        # The test error jumps across the baseline at the first-order transition itself.
        at_jump = Transition(
            jump.alpha, jump.error, "baseline-crossing", (after.name, name), bracket=jump.bracket, points=(there,)
        )
        return Crossing(name, at_jump)
    return _located(after, after.states[k + 1], errors, name, min(jump.alpha, high), high)


def _overtaken(crossing: Transition, other: Branch) -> bool:
    """Whether another branch has a larger free entropy at a crossing, by more than rules differ."""
    own = crossing.points[0].free_entropy
    try:
        return other.at(crossing.alpha).free_entropy > own + COMPARABLE * abs(own)
    except SolverError:
        return False


def _located(branch: Branch, state: np.ndarray, errors: BaselineErrors, name: str, low: float, high: float) -> Crossing:
    """Locate the crossing on one branch between two values of alpha, from a state near it."""
    try:
        start = np.append(state[list(branch.sector.free)], high)
        located = locate(BaselineCrossing(branch.sector, errors), branch.evolution, start)
    except SolverError as failure:
        return Crossing(name, None, f"crossing bracketed by {low:g} and {high:g} but not located: {failure}")
    elsewhere = not low - located.error <= located.y[-1] <= high + located.error
    if elsewhere or vanished(located.evaluations[0], branch.sector):
        return Crossing(
            name,
            None,
            f"crossing bracketed by {low:g} and {high:g} but located at {located.y[-1]:.6g}, on another branch",
        )
    crossing = Transition(
        located.alpha,
        located.error,
        "baseline-crossing",
        (branch.name, name),
        bracket=(low, high),
        points=transition_points(located),
    )
    return Crossing(name, crossing)
