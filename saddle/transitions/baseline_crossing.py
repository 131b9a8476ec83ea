"""Where the global minimum of the training loss begins to beat a baseline in test error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from baselines import BASELINES, Baseline
from replica.common.checked_arguments import quoted
from replica.common.errors import InvalidArgument
from replica.common.numeric_errors import numpy_defaults
from replica.quantities.loss_structure import LossStructure
from replica.quantities.solvable_model import Model
from saddle.branches.branch_curve import OnCurve
from saddle.branches.search.sector_solver import vanished
from saddle.continuation.outcomes import SolverError
from saddle.transitions.equations import BaselineCrossing
from saddle.transitions.found import Found
from saddle.transitions.global_minimum import Phase, sample_places
from saddle.transitions.sharpening import locate
from saddle.transitions.transition import Transition, transition_points

__all__ = ["BaselineTestErrors", "Crossing", "find_crossing", "test_errors_of"]

# Relative distance of a continuous change of the global minimum at which a crossing still belongs to it.
CHANGE = 1e-4
HALVINGS = 20

BaselineTestErrors = Callable[[Model, float], float]
"""Test error per token of a baseline, for any model and alpha."""


@dataclass(frozen=True)
class Crossing:
    """Where the global minimum first beats a baseline.

    Attributes
    ----------
    baseline
        The baseline's name.
    found
        The first such alpha, or in words why there is none in the range.
    from_start
        Whether there is none because the baseline is beaten from the lower end of the range on.
    """

    baseline: str
    found: Found
    from_start: bool = False

    @property
    def transition(self) -> Transition | None:
        """The first such alpha; None if there is none in the range."""
        return self.found.first

    @property
    def reason(self) -> str:
        """In words, why there is none; "" if there is one."""
        return self.found.reason

    def __str__(self) -> str:
        return str(self.transition) if self.transition is not None else self.reason


def test_errors_of(baseline: str | Baseline) -> tuple[str, BaselineTestErrors]:
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
def find_crossing(
    branches: Sequence[OnCurve],
    baseline: str | Baseline,
    phases: Sequence[Phase],
    jumps: Sequence[Transition],
    asked: tuple[float, float],
) -> Crossing:
    """Find where the test error of the global minimum first falls below a baseline's.

    Parameters
    ----------
    branches
        The families that compete for the global minimum.
    baseline
        Name of a baseline, or one made for the branches' model.
    phases
        Which of them it is, over all of the range in which branches are known.
    jumps
        First-order transitions, at which its test error jumps.
    asked
        The range of alpha asked for: a crossing elsewhere is said in words.

    Returns
    -------
    Crossing
        The first of all crossings from above to below, if it lies in the range, or a reason in words.

    Raises
    ------
    InvalidArgument
        If there is no baseline of this name.
    """
    name, errors = test_errors_of(baseline)
    if not branches:
        return Crossing(name, Found(reason="no solution is known"))
    if isinstance(baseline, str) and isinstance(branches[0].evolution.model.structure, LossStructure):
        return Crossing(name, Found(reason=f"{name} attention is a baseline of attention models only"))
    found = _first_below(branches, name, errors, phases, jumps)
    if found.transition is None or asked[0] <= found.transition.alpha <= asked[1]:
        return found
    alpha = found.transition.alpha
    if alpha < asked[0]:
        said = f"the global minimum first beats {name} at alpha = {alpha:.5f}, below the range asked for"
        return Crossing(name, Found(reason=said), from_start=True)
    said = f"the global minimum does not beat {name} below alpha = {alpha:.5f}, above the range"
    return Crossing(name, Found(reason=said))


def _first_below(
    branches: Sequence[OnCurve],
    name: str,
    errors: BaselineTestErrors,
    phases: Sequence[Phase],
    jumps: Sequence[Transition],
) -> Crossing:
    """Return the first crossing, wherever it is."""
    named = {branch.name: branch for branch in branches}
    model = branches[0].evolution.model
    last: tuple[OnCurve, float] | None = None
    unknown = ""
    # A number is quoted of a baseline that has one.
    ends = [errors(model, alpha) for phase in phases for alpha in (phase.low, phase.high)]
    quoted = f"{name} ({ends[0]:.6g})" if ends and np.ptp(ends) == 0.0 else name
    for phase in phases:
        if phase.branch is None:
            unknown = unknown or f"the global minimum is not known for {phase.low:.4g} <= alpha <= {phase.high:.4g}"
            last = None
            continue
        branch = named[phase.branch]
        assert branch.curve is not None
        places = sample_places([branch], phase.low, phase.high)
        level = np.array([errors(model, float(alpha)) for alpha in places])
        excess = branch.curve.test_errors(places) - level
        # A phase ends at a sharpened transition, a little off its own curve's end.
        usable = np.isfinite(excess)
        places, excess = places[usable], excess[usable]
        below = np.flatnonzero(excess < 0.0)
        if below.size and below[0] > 0:
            return _located(branch, errors, name, float(places[below[0] - 1]), float(places[below[0]]))
        if below.size and last is None:
            if unknown:
                return Crossing(name, Found(reason=unknown))
            said = f"the global minimum beats {quoted} from alpha = {phase.low:.4g} on, where the search began"
            return Crossing(name, Found(reason=said), from_start=True)
        if below.size:
            assert last is not None
            return _at_change(last, branch, phase.low, float(places[0]), name, errors, jumps)
        if places.size:
            last = branch, float(places[-1])
    return Crossing(name, Found(reason=unknown or f"the global minimum never beats {quoted} in this range"))


def _at_change(
    last: tuple[OnCurve, float],
    after: OnCurve,
    change: float,
    first: float,
    name: str,
    errors: BaselineTestErrors,
    jumps: Sequence[Transition],
) -> Crossing:
    """Return the crossing where the global minimum changes to a branch that beats the baseline."""
    before, place = last
    names = {before.name, after.name}
    jump = next((t for t in jumps if set(t.between) == names and abs(t.alpha - change) <= t.error + 1e-9), None)
    if jump is not None and jump.points:
        # The test error jumps across the baseline at the first-order transition itself.
        there = jump.points[jump.between.index(after.name)]
        at_jump = Transition(
            jump.alpha,
            jump.error,
            "baseline-crossing",
            (after.name, name),
            resolved=jump.resolved,
            bracket=jump.bracket,
            points=(there,),
        )
        return Crossing(name, Found((at_jump,)))
    # The minimum passes continuously from one branch to the other: it crosses on one of both, at the change.
    for branch, low, high in ((after, change, max(first, change)), (before, place, change)):
        room = max(high - low, CHANGE * change)
        found = _located(branch, errors, name, low - room, high + room)
        if found.transition is not None:
            return found
    said = f"the global minimum changes near alpha = {change:.5g} in an unresolved way"
    return Crossing(name, Found(reason=said))


def _located(branch: OnCurve, errors: BaselineTestErrors, name: str, low: float, high: float) -> Crossing:
    """Locate the crossing on one branch between two values of alpha; reported unresolved where that fails."""
    assert branch.curve is not None
    middle = float(np.clip(_interpolated(branch, errors, low, high), *branch.curve.reach))
    between = (branch.name, name)
    try:
        start = np.append(branch.curve.state(middle)[0][list(branch.sector.free)], middle)
        located = locate(BaselineCrossing(branch.sector, errors), branch.evolution, start)
    except SolverError:
        located = None
    inside = located is not None and low - located.error <= located.y[-1] <= high + located.error
    if located is None or not inside or vanished(located.evaluations[0], branch.sector):
        error = 0.5 * (high - low)
        doubtful = Transition(middle, error, "baseline-crossing", between, resolved=False, bracket=(low, high))
        return Crossing(name, Found((doubtful,)))
    crossing = Transition(
        located.alpha,
        located.error,
        "baseline-crossing",
        between,
        bracket=(low, high),
        points=transition_points(located),
    )
    return Crossing(name, Found((crossing,)))


def _interpolated(branch: OnCurve, errors: BaselineTestErrors, low: float, high: float) -> float:
    """Return where the interpolated test error falls below the baseline between two values of alpha."""
    assert branch.curve is not None
    model = branch.evolution.model
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        value = float(branch.curve.test_errors(np.array([middle]))[0])
        low, high = (middle, high) if value > errors(model, middle) else (low, middle)
    return 0.5 * (low + high)
