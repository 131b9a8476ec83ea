"""Events of the user's own: where a function of one solution, or of two, vanishes along its branch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from replica.common.checked_arguments import checked_items, quoted
from replica.common.errors import InvalidArgument
from replica.quantities.names import ALPHA
from replica.symmetry.sectors import Sector
from saddle.branches.branch import NEGLIGIBLE, Branch, SolvedPoint
from saddle.branches.problem import state_evaluation
from saddle.branches.search.sector_solver import vanished
from saddle.branches.sector_blocks import sector_block
from saddle.continuation.newton import OutsideDomain
from saddle.continuation.outcomes import SolverError
from saddle.continuation.problem import Evaluation
from saddle.continuation.special_points.defining_systems import FunctionZeros
from saddle.continuation.special_points.pair_zeros import PairZeros
from saddle.state_evolution.evaluation import StateEvaluation
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.transitions.equations import problem_in
from saddle.transitions.found import Found
from saddle.transitions.global_minimum import sample_places
from saddle.transitions.sharpening import locate
from saddle.transitions.transition import Transition, transition_points

__all__ = ["Event", "EventZero", "event_equations", "find_event", "replica_margin", "replicon_event"]

# Of differences of an event's function, in natural units: jumps that fade depend steeply on the state.
STEP = 1e-3
# Margin that is reported where there are no jumps at all.
NO_JUMPS = 1e3
REPLICON = " replicon"


@dataclass(frozen=True)
class Event:
    """Where a function of a branch's solution vanishes, such as "meaning and position are equally strong".

    Parameters
    ----------
    name
        Of your choice, not one of a transition: it names lines, and labels them.
    function
        Of a :class:`saddle.SolvedPoint`, or of two of them, one per branch; returns a number, which is to change its
        sign. It is also called next to solutions, at order parameters that solve nothing, and should be smooth there.
        A nan says that it is not defined.
    branches
        Name of the branch, or of two branches, whose points the function takes.

    Raises
    ------
    ValueError
        If the name or a branch's is none, the function cannot be called, or there are no or more than two branches.

    Examples
    --------
    >>> event = Event("test error of 0.002", lambda point: point.test_error - 0.002, ["semantic"])
    >>> event.branches
    ('semantic',)
    """

    name: str
    function: Callable[..., float]
    branches: Sequence[str]

    def __post_init__(self) -> None:
        """Validate."""
        if not isinstance(self.name, str) or not self.name.strip():
            raise InvalidArgument(f"name must be a name for the event, got {quoted(self.name)}")
        if not callable(self.function):
            raise InvalidArgument(f"function must take the point of every branch, got {quoted(self.function)}")
        branches = tuple(checked_items("branches", self.branches, "a sequence of one or two names of branches"))
        if len(branches) not in (1, 2) or not all(isinstance(name, str) for name in branches):
            raise InvalidArgument(f"branches must be one or two names of branches, got {quoted(self.branches)}")
        object.__setattr__(self, "branches", branches)

    def value(self, *points: SolvedPoint) -> float:
        """Return the function's value at points.

        Raises
        ------
        InvalidArgument
            If it is no number.
        """
        value = self.function(*points)
        try:
            return float(value)
        except (TypeError, ValueError):
            raise InvalidArgument(
                f"the function of event {self.name!r} must return a number, got {quoted(value)}"
            ) from None


def replica_margin(point: SolvedPoint) -> float:
    """Return how far a solution is from replica-symmetry breaking: positive where it is stable, as branches say it.

    The least of the replicon's regular part and of the logarithm by which jumps of the proximal point are weaker than
    what counts as none, a millionth of E[M] (:attr:`saddle.Branch.replica_stable`).
    """
    found = point.evolution.replicon(
        point.evaluation.state, point.alpha, quick=True, averages=point.evaluation.averages
    )
    weak = NEGLIGIBLE * abs(point.evaluation.averages.envelope)
    jumps = math.log(weak / found.jump_strength) if found.jump_strength > 0.0 else NO_JUMPS
    return min(found.regular, jumps)


def replicon_event(branch: str) -> Event:
    """Return the event that a branch's solution becomes stable against replica-symmetry breaking, or unstable.

    Where jumps of the proximal point break the symmetry, as in the paper's model, they fade but never end; the event is
    where they have become too weak to count. That is settled by jumps on few lines of the rule, and the stated error,
    the change to a ten times finer rule, may be ten times too small on rules rougher than the default: at omega = 0.3
    they give 1.974(3) at a tolerance of 1e-3 and 2.003(35) at the default, and finer ones stay within 0.01 of that.
    """
    return Event(f"{branch}{REPLICON}", replica_margin, (branch,))


@dataclass(frozen=True)
class EventZero:
    """Solutions at which an event's function vanishes.

    Attributes
    ----------
    event
        The event.
    sectors
        Of its branches.
    evolution
        The equations on the branches' rule: what its points say they solve when the rule's error is propagated.
    scale
        Natural size of the function's values.
    """

    event: Event
    sectors: tuple[Sector, ...]
    evolution: StateEvolution
    scale: float
    kind: str = "event"
    # Nothing is known of how the function converges, so all of the change counts.
    trusted: float = 1.0

    def system(
        self, evolution: StateEvolution, over: tuple[str, ...] = (ALPHA.name,), held: float | None = None
    ) -> FunctionZeros | PairZeros:
        """Return the branches' equations and the function."""
        problem, values, active = problem_in(evolution, over, held)
        blocks = [sector_block(sector, problem.space) for sector in self.sectors]

        def value(parameters: np.ndarray, *here: Evaluation) -> float:
            there, alpha = problem.at(parameters), float(parameters[0])
            found = self._value(there, alpha, [state_evaluation(one) for one in here])
            if not math.isfinite(found):
                raise OutsideDomain(f"the function of event {self.event.name!r} is not defined at alpha = {alpha:.6g}")
            return found

        if len(blocks) == 2:
            first, second = blocks
            return PairZeros(problem, first, second, values, active, self.scale, value, STEP)

        def alone(_: np.ndarray, parameters: np.ndarray, here: Evaluation) -> float:
            return value(parameters, here)

        return FunctionZeros(problem, blocks[0], values, active, alone, None, self.scale, STEP)

    def last_row_differences(self, here: tuple[StateEvaluation, ...]) -> np.ndarray:
        """Return what the function changes by when every average has its embedded rule's value."""
        exact = self._value(self.evolution, here[0].alpha, here)
        moved = [self._value(self.evolution, one[0].alpha, one) for one in zip(*(map(_embedded, here)), strict=True)]
        return np.array(moved) - exact

    def _value(self, evolution: StateEvolution, alpha: float, here: Sequence[StateEvaluation]) -> float:
        points = (
            SolvedPoint(alpha, sector, evolution, one, math.nan) for sector, one in zip(self.sectors, here, strict=True)
        )
        return self.event.value(*points)


def _embedded(here: StateEvaluation) -> list[StateEvaluation]:
    """Return an evaluation as each embedded rule has it, at the same order parameters."""
    averages, alpha = here.averages, here.alpha
    at, n = averages.columns, len(here.state)
    found = []
    for row in averages.differences:
        changed = replace(
            averages,
            conjugates=averages.conjugates + row[:n],
            envelope=averages.envelope + float(row[at.envelope]),
            loss=averages.loss + float(row[at.loss]),
            test_error=averages.test_error + float(row[at.test_error]),
        )
        found.append(
            replace(
                here,
                averages=changed,
                conjugates=alpha * changed.conjugates,
                free_entropy=here.free_entropy - alpha * float(row[at.envelope]),
                train_loss=here.train_loss + alpha * float(row[at.loss]),
                test_error=changed.test_error,
            )
        )
    return found


def find_event(branches: Mapping[str, Branch], event: Event, asked: tuple[float, float]) -> Found:
    """Find where an event's function changes its sign along its branches.

    Parameters
    ----------
    branches
        All branches, by name.
    event
        The event.
    asked
        Range of alpha.

    Returns
    -------
    Found
        By increasing alpha, or the reason in words why there is none. A change between two points at which equations
        were not solved is not resolved. Two zeros between neighbouring points of the curves go unseen.

    Raises
    ------
    InvalidArgument
        If there is no branch of some name, or the function returns no number.
    """
    own = [_named(branches, name) for name in event.branches]
    empty = next((branch for branch in own if branch.curve is None), None)
    if empty is not None:
        return Found(reason=f"the {empty.name} branch has no point")
    reaches = [branch.curve.reach for branch in own if branch.curve is not None]
    low, high = max(asked[0], *(reach[0] for reach in reaches)), min(asked[1], *(reach[1] for reach in reaches))
    if not low < high:
        return Found(reason=f"{' and '.join(event.branches)} do not exist together in the range")
    sampled = [(place, _value_at(own, event, place)) for place in map(float, sample_places(own, low, high))]
    known = [(place, value) for place, value in sampled if math.isfinite(value)]
    if not known:
        return Found(reason=f"{event.name} is defined at no point of the range")
    found = []
    for (before, first), (after, last) in pairwise(known):
        if first * last < 0.0 or (first == 0.0 and last != 0.0):
            equations = event_equations(event, branches, (before, after))
            found.append(_located(own, equations, before, before + (after - before) * first / (first - last), after))
    if found:
        return Found(tuple(sorted(found, key=lambda transition: transition.alpha)))
    sign = "positive" if known[0][1] > 0.0 else "negative"
    return Found(reason=f"{event.name}: the function is {sign} wherever it is defined from {low:.4g} to {high:.4g}")


def event_equations(event: Event, branches: Mapping[str, Branch], bracket: tuple[float, float] | None) -> EventZero:
    """Return the equations of an event on some branches; its values on both sides say what is small."""
    own = [_named(branches, name) for name in event.branches]
    values = [abs(_value_at(own, event, alpha)) for alpha in bracket or ()]
    scale = max((value for value in values if math.isfinite(value)), default=1.0)
    return EventZero(event, tuple(branch.sector for branch in own), own[0].evolution, scale or 1.0)


def _named(branches: Mapping[str, Branch], name: str) -> Branch:
    if name not in branches:
        raise InvalidArgument(f"branches of an event may be {', '.join(map(repr, branches))}, got {name!r}")
    return branches[name]


def _value_at(branches: Sequence[Branch], event: Event, alpha: float) -> float:
    """Return the function at solutions; nan where a branch is not solved."""
    try:
        points = [branch.at(alpha) for branch in branches]
    except SolverError:
        return math.nan
    return event.value(*points)


def _located(branches: Sequence[Branch], equations: EventZero, low: float, start: float, high: float) -> Transition:
    """Solve for an event between two values of alpha; reported unresolved where that fails."""
    names = [branch.name for branch in branches]
    between = (names[0], names[1] if len(names) > 1 else equations.event.name)
    try:
        states = [branch.at(start).evaluation.state[list(branch.sector.free)] for branch in branches]
        found = locate(equations, branches[0].evolution, np.concatenate([*states, [start]]))
    except SolverError:
        found = None
    inside = found is not None and low - found.error <= found.y[-1] <= high + found.error
    if found is None or not inside or any(map(vanished, found.evaluations, equations.sectors)):
        middle, error = 0.5 * (low + high), 0.5 * (high - low)
        return Transition(middle, error, "event", between, resolved=False, bracket=(low, high))
    points = transition_points(found)
    return Transition(found.alpha, found.error, "event", between, bracket=(low, high), points=points)
