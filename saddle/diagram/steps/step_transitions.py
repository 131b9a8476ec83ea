"""First-order transitions, baseline crossings, and beginnings and folds of branches with steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from replica.common.checked_arguments import checked_integer
from replica.common.errors import InvalidArgument
from replica.common.html_table import html_table
from replica.common.progress import progress_bar
from saddle.averages.lines.jump_line_rule import JumpLineRule
from saddle.branches.branch import Branch, SolvedPoint, solve_point
from saddle.branches.steps.branch_birth import branch_birth
from saddle.branches.steps.branch_fold import branch_fold, further_fold
from saddle.branches.steps.first_gap import SMALLEST_ON_GRIDS, with_one_step_more
from saddle.branches.steps.from_symmetric import break_symmetry, broken_or_none
from saddle.branches.steps.step_solution import BrokenSymmetryPoint
from saddle.continuation.outcomes import Outcome, SolverError
from saddle.diagram.contents import DiagramContents
from saddle.state_evolution.steps.field_law import FieldLaw
from saddle.state_evolution.steps.grid_rule import DEFAULT_GRID_RULE, GridRule
from saddle.state_evolution.steps.step_equations import StepEquations, StepRule
from saddle.transitions.transition import Transition

__all__ = ["StepTransition", "transition_with_steps"]

# Newton's method in alpha: accepted last step, and how many are made.
ACCEPTED, MOST = 1e-6, 5
# Distance, relative to alpha, from where a branch begins at which it is followed from.
BESIDE = 0.03
# The same at a fold, and where no solution with a step is found there.
BESIDE_FOLD = (0.03, 0.1, 0.01, 0.003)


@dataclass(frozen=True, repr=False)
class StepTransition:
    """A transition where k steps of replica-symmetry breaking put it.

    Attributes
    ----------
    alpha, error
        Sample complexity and its error: that of the free entropies (of the test error), by their slopes, and the last
        step of Newton's method. It is an error of k steps, and says nothing of what more steps would change.
    steps
        Number k of steps.
    symmetric
        The transition of replica symmetry.
    points
        The solutions there (with more than one step at a first-order transition, where one step has it): of each branch
        that takes part; at the beginning or a fold of a branch, the nearest to it. A branch without a gap that is
        resolved is a replica-symmetric point; if all are, the transition is that of replica symmetry.
    """

    alpha: float
    error: float
    steps: int
    symmetric: Transition
    points: tuple[BrokenSymmetryPoint | SolvedPoint, ...]

    @property
    def shift(self) -> float:
        """By how much steps move the transition."""
        return self.alpha - self.symmetric.alpha

    @property
    def shift_error(self) -> float:
        """Error of the shift: those of both transitions, added up. Zero where no solution has a gap."""
        broken = any(isinstance(point, BrokenSymmetryPoint) for point in self.points)
        return self.error + self.symmetric.error if broken else 0.0

    @property
    def _rows(self) -> list[tuple[str, str, str]]:
        return [
            ("alpha", f"{self.alpha:.6f}", f"{self.error:.1e}"),
            ("alpha of replica symmetry", f"{self.symmetric.alpha:.6f}", f"{self.symmetric.error:.1e}"),
            ("shift", f"{self.shift:.2e}", f"{self.shift_error:.1e}"),
        ]

    @property
    def _title(self) -> str:
        kinds = "; ".join(
            f"{point.sector.name} {'broken' if isinstance(point, BrokenSymmetryPoint) else 'symmetric'}"
            for point in self.points
        )
        steps = f"{self.steps} step{'s' * (self.steps > 1)} of replica-symmetry breaking"
        return f"{self.symmetric.kind} with {steps} ({kinds})"

    def __repr__(self) -> str:
        shown = ", ".join(f"{name} = {value} +- {error}" for name, value, error in self._rows)
        return f"StepTransition({self._title}: {shown})"

    def _repr_html_(self) -> str:
        return html_table(f"StepTransition: {self._title}", self._rows, ("quantity", "value", "error"))


def transition_with_steps(
    diagram: DiagramContents,
    name: str = "alpha_c",
    steps: int = 1,
    *,
    rule: StepRule | None = None,
    progress: bool | None = None,
) -> StepTransition:
    """Locate a first-order transition, a crossing of the baseline, or the beginning or fold of a branch, with k steps.

    Parameters
    ----------
    diagram
        Whose transition and branches it starts from.
    name
        Of a first-order transition, baseline crossing or fold among ``diagram.transitions``, or, with one step, of a
        pitchfork at which a branch begins.
    steps
        Number k of steps.
    rule
        How what steps add is averaged; None for the default of so many steps.
    progress
        Whether to show a bar; None for where stderr is a terminal.

    Raises
    ------
    ValueError
        If there is no such transition, or it is of another kind.
    SolverError
        If a solution is lost on the way, or a branch that folds without steps does not with one (of outcome MERGED
        where it ends at a pitchfork instead).

    Notes
    -----
    At a first-order transition the free entropies of two branches agree, whose slopes in alpha are minus the average
    envelopes. More than one step move it on from where one puts it by what they change of the free entropies there, to
    first order: differences of k steps and one on the same grids, of whose errors most are shared. At the crossing the
    test error of one branch takes the baseline's value. A branch begins at its smallest alpha, over the overlap that it
    is born with: at zero, or at a fold. At a fold alpha is stationary over the order parameter that changes most, which
    more than one step move on from where one has it; where no gap is resolved beside it, the fold is that of replica
    symmetry.
    """
    transition = diagram.transitions.get(name)
    if transition is None:
        known = ", ".join(diagram.transitions) or "none"
        raise InvalidArgument(f"the diagram has no transition {name!r}; it has {known}")
    steps = checked_integer("steps", steps, 1)
    if rule is None and steps == 1 and transition.kind == "first-order":
        # A difference of free entropies wants more digits than either.
        rule = JumpLineRule(roughness=1.0)
    branches = [diagram.branches[x] for x in transition.between if x in diagram.branches]
    if transition.kind == "pitchfork" and transition.between[1] in diagram.branches:
        return _birth(transition, diagram.branches[transition.between[1]], steps, rule, progress)
    if transition.kind == "fold" and branches:
        return _fold(transition, branches, steps, rule, progress)
    if transition.kind == "first-order" and len(branches) == 2:
        if steps > 1:
            grids = _grids_for_more(rule)
            one = transition_with_steps(diagram, name, 1, progress=progress)
            return _with_further_steps(one, steps, grids, progress)
        excess = _free_entropies
    elif transition.kind == "baseline-crossing" and len(branches) == 1 and diagram.linear_baseline is not None:
        baseline = float(diagram.linear_baseline.test_error)

        def excess(points: tuple[BrokenSymmetryPoint | SolvedPoint, ...]) -> tuple[float, float]:
            return points[0].test_error - baseline, points[0].error["test_error"]
    else:
        raise InvalidArgument(
            "steps are computed for first-order transitions, baseline crossings, folds and pitchforks where a branch "
            f"begins, {name!r} is a {transition.kind}"
        )
    with progress_bar(60 * steps * len(branches), progress, f"{name}, {steps} step(s)", "evaluation") as bar:

        def points_at(
            alpha: float, near: tuple[BrokenSymmetryPoint | SolvedPoint, ...] | None
        ) -> tuple[BrokenSymmetryPoint | SolvedPoint, ...]:
            known = near or (None,) * len(branches)
            return tuple(
                _solved(branch.at(alpha), steps, rule, last, bar.update)
                for branch, last in zip(branches, known, strict=True)
            )

        points = points_at(transition.alpha, None)
        if not any(isinstance(point, BrokenSymmetryPoint) for point in points):
            return StepTransition(transition.alpha, transition.error, steps, transition, points)
        value, error = excess(points)
        step, slope = 0.0, 0.0
        alphas, values = [transition.alpha], [value]
        for _ in range(MOST):
            slope = _slope(transition.kind, points, alphas, values)
            step = -value / slope
            alphas.append(alphas[-1] + step)
            if abs(step) < ACCEPTED:
                break
            points = points_at(alphas[-1], points)
            value, error = excess(points)
            values.append(value)
    return StepTransition(alphas[-1], error / abs(slope) + abs(step), steps, transition, points)


def _with_further_steps(one: StepTransition, steps: int, grids: GridRule, progress: bool | None) -> StepTransition:
    """Move a first-order transition on from where one step has it, by what more steps change of the free entropies."""
    points: list[BrokenSymmetryPoint | SolvedPoint] = []
    changes, error = [], 0.0
    with progress_bar(120 * steps, progress, f"{steps} step(s)", "evaluation") as bar:
        for point in one.points:
            if not isinstance(point, BrokenSymmetryPoint):
                points.append(point)
                changes.append(0.0)
                continue
            found, change, uncertain = _change_by_steps(point, steps, grids, bar.update)
            points.append(found)
            changes.append(change)
            error += uncertain
    first, second = (_envelope(point) for point in one.points)
    slope = second - first
    moved = -(changes[0] - changes[1]) / slope
    # What is left out is of second order: as small, relative to it, as the change of the slopes.
    slopes = [abs(_envelope(x) - _envelope(y)) for x, y in zip(points, one.points, strict=True)]
    rest = abs(moved) * sum(slopes) / abs(slope)
    return StepTransition(one.alpha + moved, one.error + error / abs(slope) + rest, steps, one.symmetric, tuple(points))


def _change_by_steps(
    point: BrokenSymmetryPoint, steps: int, rule: GridRule, report: Callable[[], object]
) -> tuple[BrokenSymmetryPoint | SolvedPoint, float, float]:
    """Return k steps at a solution with one, and by how much they change its free entropy on the same grids.

    A solution whose gap grids do not resolve is replica-symmetric then. What further gaps change of it is not known:
    less than its own gap does, which is their error.
    """
    own = (point.evolution, point.sector, point.symmetric)
    share = float(np.min(point.state.gaps / FieldLaw(point.evolution, 1).outer_variance(point.state)))
    if share < SMALLEST_ON_GRIDS:
        # On the nodes that the solution with a gap has its averages on, so that the two share their errors.
        alike = point.evolution.with_rule(StepEquations(point.evolution, 1, point.rule).averages_rule)
        none = solve_point(alike, point.sector, point.symmetric.state, point.alpha)
        return none, 0.0, abs(point.free_entropy - none.free_entropy)
    solved = [break_symmetry(*own, 1, rule, report=report, near=point.state)]
    solved.append(
        break_symmetry(*own, steps, rule, report=report)
        if steps > 2
        else break_symmetry(*own, steps, rule, report=report, near=with_one_step_more(solved[0].state))
    )
    changes = []
    for one in solved:
        equations = StepEquations(one.evolution, one.steps, rule)
        here = equations.evaluate(one.state, one.alpha)
        report()
        rows = [equations.changed(here, x.differences[0]).free_entropy for x in equations.variations(here)[1:]]
        changes.append(np.array([here.free_entropy, *(x - here.free_entropy for x in rows)]))
        report()
    difference = changes[1] - changes[0]
    return solved[1], float(difference[0]), float(np.sum(np.abs(difference[1:])))


def _birth(
    transition: Transition, branch: Branch, steps: int, rule: StepRule | None, progress: bool | None
) -> StepTransition:
    """Locate where a branch with one step begins, from a solution beside where it begins without."""
    lines = JumpLineRule() if rule is None else rule
    if steps != 1 or not isinstance(lines, JumpLineRule):
        raise InvalidArgument(
            f"where a branch begins is located with one step and a JumpLineRule, got {steps} step(s) and {lines!r}"
        )
    low, high = branch.reach or (transition.alpha, transition.alpha)
    # On the side on which the branch is.
    beside = transition.alpha * (1.0 + BESIDE if high - transition.alpha > transition.alpha - low else 1.0 - BESIDE)
    point = branch.at(beside)
    with progress_bar(150, progress, f"{branch.name} with 1 step", "evaluation") as bar:
        found = branch_birth(point.evolution, point.sector, point.evaluation, lines, bar.update)
    return StepTransition(found.alpha, found.error, 1, transition, (found.nearest,))


def _fold(
    transition: Transition, branches: list[Branch], steps: int, rule: StepRule | None, progress: bool | None
) -> StepTransition:
    """Locate where a branch with steps turns back, from a solution beside where it does without.

    The first of the two branches that meet there is followed, the one that the fold is named after: with one step, and
    from its fold on with more.
    """
    if steps > 1:
        rule = _grids_for_more(rule)
    branch = branches[0]
    low, high = branch.reach or (transition.alpha, transition.alpha)
    highest = transition.alpha - low > high - transition.alpha
    own = high if highest else low
    reasons: list[str] = []
    for share in BESIDE_FOLD:
        beside = own * (1.0 - share if highest else 1.0 + share)
        if not low < beside < high:
            continue
        point = branch.at(beside)
        with progress_bar(300 * steps, progress, f"{branch.name}, fold with {steps} step(s)", "evaluation") as bar:
            try:
                start = broken_or_none(point.evolution, point.sector, point.evaluation, 1, rule, report=bar.update)
            except SolverError as error:
                reasons.append(str(error))
                continue
            if start is None and share > min(BESIDE_FOLD):
                continue
            if start is None:
                return StepTransition(transition.alpha, transition.error, steps, transition, (point,))
            found = further_fold(branch_fold(start, own, highest, bar.update), steps, bar.update)
        return StepTransition(found.alpha, found.error, steps, transition, (found.nearest,))
    reason = "; ".join(reasons) or f"it is known from alpha = {low:.6g} to {high:.6g} only"
    raise SolverError(f"the {branch.name} branch with one step was not found beside its fold: {reason}", Outcome.LOST)


def _grids_for_more(rule: StepRule | None) -> GridRule:
    """Return grids for more than one step: the default ones, or those that are asked for."""
    if isinstance(rule, JumpLineRule):
        raise InvalidArgument(f"more than one step need a GridRule, got {rule!r}")
    return DEFAULT_GRID_RULE if rule is None else rule


def _free_entropies(points: tuple[BrokenSymmetryPoint | SolvedPoint, ...]) -> tuple[float, float]:
    """Return the difference of free entropies, and its error."""
    first, second = points
    return first.free_entropy - second.free_entropy, first.error["free_entropy"] + second.error["free_entropy"]


def _slope(
    kind: str, points: tuple[BrokenSymmetryPoint | SolvedPoint, ...], alphas: list[float], values: list[float]
) -> float:
    """Return the derivative of what vanishes at the transition, in alpha."""
    if kind == "first-order":
        first, second = (_envelope(point) for point in points)
        return second - first
    if len(values) > 1 and alphas[-1] != alphas[-2]:
        return (values[-1] - values[-2]) / (alphas[-1] - alphas[-2])
    # Steps change the test error's slope little.
    point = points[0]
    symmetric = point.symmetric if isinstance(point, BrokenSymmetryPoint) else point.evaluation
    return symmetric.test_error_derivative(point.sector.free)


def _envelope(point: BrokenSymmetryPoint | SolvedPoint) -> float:
    if isinstance(point, BrokenSymmetryPoint):
        return point.average_envelope
    return point.evaluation.averages.envelope


def _solved(
    point: SolvedPoint,
    steps: int,
    rule: StepRule | None,
    near: BrokenSymmetryPoint | SolvedPoint | None,
    report: Callable[[], object],
) -> BrokenSymmetryPoint | SolvedPoint:
    """Break the symmetry of a point, from a solution near by; the point itself, on a finer rule, if it has no gap."""
    if isinstance(near, SolvedPoint):
        return _finer(point)
    found = broken_or_none(point.evolution, point.sector, point.evaluation, steps, rule, near, report)
    return _finer(point) if found is None else found


def _finer(point: SolvedPoint) -> SolvedPoint:
    """Solve a replica-symmetric point on the rule that transitions are located with."""
    evolution = point.evolution.with_rule(point.evolution.rule.refined())
    return solve_point(evolution, point.sector, point.evaluation.state, point.alpha)
