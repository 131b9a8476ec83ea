"""Follow every branch that can be reached from some seeds, through branch points, within bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from replica.common.checked_arguments import checked_instance
from saddle.continuation.branching import NewBranch, runs_through, switch
from saddle.continuation.curve.bounds import Bounds
from saddle.continuation.curve.curves import CurvePoint, between, correct
from saddle.continuation.curve.stepping import StepControl
from saddle.continuation.curve.tracing import Stop, trace, trace_both_ways
from saddle.continuation.explored import Exploration, TracedBranch
from saddle.continuation.outcomes import SolverError
from saddle.continuation.problem import Problem
from saddle.continuation.scope import Scope
from saddle.continuation.special_points.finding import find_special_points
from saddle.continuation.special_points.special_point import SpecialPoint, SpecialPointKind
from saddle.continuation.subspaces import Section, group_elements, isotropy, symmetry_blocks

__all__ = ["explore"]

# What breaks a symmetry vanishes within a step if it comes this close to zero, as a part of its change.
PASSING_BY = 0.2
MORE_SYMMETRIC = "meets a branch of higher symmetry"
NO_FURTHER = "leaves the domain"


def _loses_a_part(problem: Problem, section: Section, x: np.ndarray, small: float) -> list[Stop]:
    """Stop where what breaks a symmetry changes sign (beyond, the branch is its own mirror image) or is small.

    With little left of it, the equations fix the parameter only to their noise over that little.
    """
    fixed = isotropy(problem, x)
    stops = []
    for element in group_elements(problem.symmetries):
        if any(np.array_equal(element.on_unknowns, other.on_unknowns) for other in fixed):
            continue

        def crossed(before: CurvePoint, after: CurvePoint, moved: np.ndarray = element.on_unknowns) -> bool:
            a, b = section.full(before.y)[0], section.full(after.y)[0]
            units = problem.units(a)
            first, last = (0.5 * (point - moved @ point) / units for point in (a, b))
            if first @ last > 0.0:
                return bool(np.linalg.norm(last) < min(small, 0.9 * float(np.linalg.norm(first))))
            # With several dimensions it may also pass by: then it turns without ever being small.
            chord = last - first
            nearest = first - chord * float(first @ chord) / float(chord @ chord)
            return bool(np.linalg.norm(nearest) < PASSING_BY * np.linalg.norm(chord))

        stops.append(Stop(MORE_SYMMETRIC, crossed))
    return stops


def _at_end(section: Section, leaves: Callable[[np.ndarray, np.ndarray], bool]) -> Stop:
    """Stop at a point beyond which the equations mean nothing."""

    def reached(before: CurvePoint, after: CurvePoint) -> bool:
        return leaves(*(np.append(section.full(point.y)[0], point.y[-1]) for point in (before, after)))

    return Stop(NO_FURTHER, reached, keep=True)


def explore(
    problem: Problem,
    seeds: Sequence[tuple[np.ndarray, float]],
    bounds: tuple[float, float],
    *,
    parameters: np.ndarray | None = None,
    active: int = 0,
    control: StepControl = StepControl(),
    scope: Scope = Scope(),
    report: Callable[[CurvePoint], object] = lambda point: None,
) -> Exploration:
    """Trace branches from seeds, locate their special points, and go on through branch points.

    Parameters
    ----------
    problem
        F(x; p) = 0.
    seeds
        Pairs of x (n,) near a solution and the active parameter's value.
    bounds
        Interval of the active parameter.
    parameters, active
        Values of all parameters, (k,), and which one varies; by default there is only one.
    control
        Step control.
    scope
        What is looked for beside the branches, which of them are known or wanted, and where to stop.
    report
        Called with every new point.

    Returns
    -------
    Exploration
        After Ctrl-C, what was computed so far, marked incomplete.

    Examples
    --------
    The pitchfork of p x - x^3 = 0, from x = 0:

    >>> import numpy as np
    >>> from saddle.continuation import FunctionProblem, Involution
    >>> normal_form = FunctionProblem(
    ...     1,
    ...     lambda x, p: p[0] * x - x**3,
    ...     lambda x, p: np.array([[p[0] - 3 * x[0] ** 2]]),
    ...     lambda x, p: x[:, None],
    ...     symmetries=(Involution(-np.eye(1)),),
    ... )
    >>> found = explore(normal_form, [(np.zeros(1), -1.0)], (-1.0, 1.0))
    >>> [point.kind.value for branch in found.branches for point in branch.special_points]
    ['pitchfork']
    >>> len(found.branches)
    2
    """
    base = np.zeros(1) if parameters is None else np.array(parameters, dtype=float)
    checked_instance("scope", scope, Scope, "a Scope")
    work = _Work(problem, bounds, control, scope, report)
    if scope.known is not None:
        work.traced += scope.known.branches
        work.looked_at += [special for branch in scope.known.branches for special in branch.special_points]
    complete = True
    try:
        for x, value in seeds:
            section = Section(problem, symmetry_blocks(problem, np.asarray(x, dtype=float))[0], base, active)
            start = _solved(section, section.coordinates(np.asarray(x, dtype=float), value))
            if start is None:
                work.failures.append(f"no solution near the seed {x} at {value:.6g}")
            elif not work.knows(section, start):
                work.follow(section, start)
        while work.follow_next():
            pass
    except KeyboardInterrupt:
        complete = False
    if work.left_out:
        work.failures.append(f"{work.left_out} starts of branches are left: more than {scope.max_branches} branches")
    complete = complete and not work.left_out and all(branch.curve.complete for branch in work.traced)
    return Exploration(tuple(work.traced), complete, tuple(work.failures))


@dataclass
class _Work:
    """The state of an exploration: branches traced so far, and branch points not yet looked at."""

    problem: Problem
    bounds: tuple[float, float]
    control: StepControl
    scope: Scope
    report: Callable[[CurvePoint], object]
    left_out: int = 0
    traced: list[TracedBranch] = field(default_factory=list)
    looked_at: list[SpecialPoint] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def knows(self, section: Section, start: np.ndarray) -> bool:
        """Whether a traced branch, or an image of one, runs through a point."""
        x, _ = section.full(start)
        tolerance = self.control.tolerance
        return any(runs_through(b.section, b.curve, x, float(start[-1]), tolerance) for b in self.traced)

    def follow(self, section: Section, start: np.ndarray, new: tuple[NewBranch, SpecialPoint] | None = None) -> None:
        """Trace a branch: both ways, but away from a pitchfork, where the other way leads to its mirror image."""
        if len(self.traced) >= self.scope.max_branches:
            self.left_out += 1
            return
        x, _ = section.full(start)
        bounds = [Bounds(len(start) - 1, *self.bounds)]
        stops = _loses_a_part(self.problem, section, x, 0.5 * self.scope.amplitude)
        if self.scope.leaves is not None:
            stops.append(_at_end(section, self.scope.leaves))
        how = {"bounds": bounds, "stops": stops, "control": self.control, "report": self.report}
        try:
            if new is not None and new[1].kind is SpecialPointKind.PITCHFORK:
                curve = trace(section, start, toward=new[0].away, **how)
            else:
                curve = trace_both_ways(section, start, toward=None if new is None else new[0].away, **how)
        except SolverError as error:
            self.failures.append(str(error))
            return
        # NOTE: kept at once, so that an interruption while its special points are located does not lose it.
        origin = new[1] if new is not None and new[1].kind is SpecialPointKind.PITCHFORK else None
        self.traced.append(TracedBranch(section, curve, (), (origin, None)))
        special_points = find_special_points(section, curve, self.scope.functions, tolerance=self.control.tolerance)
        self.traced[-1] = replace(self.traced[-1], special_points=tuple(special_points))
        self._attach()
        if origin is not None and origin.kernel.shape[1] == 1 and self._joins_the_same(self.traced[-1]):
            self.traced.pop()

    def _joins_the_same(self, branch: TracedBranch) -> bool:
        """Whether another branch of the same subspace joins the same two pitchforks: then it is this one, reversed.

        Only one branch and its images start at a pitchfork with a kernel of one dimension.
        """
        ends = {id(special) for special in branch.meets}
        return None not in branch.meets and any(
            {id(special) for special in other.meets} == ends
            and np.array_equal(other.section.block.basis, branch.section.block.basis)
            for other in self.traced[:-1]
        )

    def _attach(self) -> None:
        """Note at which branch points the traced branches start and end."""
        for index, branch in enumerate(self.traced):
            meets = [branch.meets[end] or self._met(branch, end) for end in (0, 1)]
            self.traced[index] = replace(branch, meets=(meets[0], meets[1]))

    def _met(self, branch: TracedBranch, end: int) -> SpecialPoint | None:
        """Return the branch point nearest to where a branch becomes more symmetric, if there is one close by."""
        beyond, last = branch.curve.beyond[end], branch.curve.points[-1 if end else 0]
        if beyond is None:
            return None
        y, length = _crossing(branch.section, last, beyond)
        x, _ = branch.section.full(y)
        units = np.append(self.problem.units(x), np.asarray(branch.section.units(y))[-1])
        nearest, found = 0.1 + 0.2 * length, None
        for other in self.traced:
            if other.section.block.size >= branch.section.block.size:
                continue
            for special in other.special_points:
                if special.resolved and special.kind is SpecialPointKind.PITCHFORK:
                    images = (special.x, *(g.on_unknowns @ special.x for g in group_elements(self.problem.symmetries)))
                    for image in images:
                        away = float(np.linalg.norm(np.append(image - x, special.parameter - y[-1]) / units))
                        if away < nearest:
                            nearest, found = away, special
        return found

    def follow_next(self) -> bool:
        """Look at one branch point, and follow what starts there and is not known; False if none is left."""
        for index, branch in enumerate(self.traced):
            for place, special in enumerate(branch.special_points):
                wanted = special.resolved and special.kind in (
                    SpecialPointKind.PITCHFORK,
                    SpecialPointKind.BRANCH_POINT,
                )
                if not wanted or any(special is other for other in self.looked_at):
                    continue
                amplitude, tolerance = self.scope.amplitude, self.control.tolerance
                special, found = switch(branch.section, special, amplitude=amplitude, tolerance=tolerance)
                self.looked_at.append(special)
                special_points = (*branch.special_points[:place], special, *branch.special_points[place + 1 :])
                self._replace_special(branch.special_points[place], special)
                self.traced[index] = replace(self.traced[index], special_points=special_points)
                for new in found:
                    if self.scope.wanted(new.section.block) and not self.knows(new.section, new.start):
                        self.follow(new.section, new.start, (new, special))
                return True
        return False

    def _replace_special(self, old: SpecialPoint, new: SpecialPoint) -> None:
        for index, branch in enumerate(self.traced):
            meets = tuple(new if other is old else other for other in branch.meets)
            self.traced[index] = replace(branch, meets=(meets[0], meets[1]))


def _crossing(section: Section, last: CurvePoint, beyond: CurvePoint) -> tuple[np.ndarray, float]:
    """Return where, between two points, what breaks a symmetry vanishes, and their distance in natural units.

    It is odd under the symmetry, so the straight line between the points is enough for it; the rest is interpolated.
    """
    units = np.asarray(section.units(last.y), dtype=float)
    a, b = (section.full(point.y)[0] for point in (last, beyond))
    fraction, scale = 0.5, section.problem.units(a)
    for element in group_elements(section.problem.symmetries):
        before, after = (a - element.on_unknowns @ a) / scale, (b - element.on_unknowns @ b) / scale
        if np.linalg.norm(after) < 0.9 * np.linalg.norm(before) or float(before @ after) < 0.0:
            fraction = float(before @ before) / float(before @ (before - after))
    if fraction > 1.0:  # the branch was left with little of it: a cubic is no good that far ahead
        chord = beyond.y - last.y
        return last.y + fraction * chord, fraction * float(np.linalg.norm(chord / units))
    return between((last, beyond), units, fraction), float(np.linalg.norm((beyond.y - last.y) / units))


def _solved(section: Section, start: np.ndarray) -> np.ndarray | None:
    """Solve at the seed's parameter; None if that fails."""
    y, result = correct(section, start, np.eye(len(start))[-1], tolerance=1e-10, max_evaluations=20)
    return y if result.converged else None
