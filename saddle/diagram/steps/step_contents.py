"""Branches and transitions of a solved diagram with steps of replica-symmetry breaking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from replica.common.aligned_text import aligned
from replica.common.by_value import ByValue
from replica.common.checked_arguments import checked_integer
from replica.common.errors import InvalidArgument
from replica.common.html_table import html_table
from replica.common.progress import progress_bar
from saddle.branches.branch import Branch, SolvedPoint
from saddle.branches.steps.from_symmetric import broken_or_none
from saddle.branches.steps.step_solution import BrokenSymmetryPoint
from saddle.continuation.outcomes import SolverError
from saddle.diagram.contents import DiagramContents
from saddle.diagram.steps.step_transitions import StepTransition, transition_with_steps
from saddle.state_evolution.steps.step_equations import StepEquations, StepRule

__all__ = ["StepContents", "solve_steps"]

StepPoint = BrokenSymmetryPoint | SolvedPoint

# Points of the default grid.
DEFAULT_POINTS = 8


@dataclass(frozen=True, eq=False, repr=False)
class StepContents(ByValue):
    """A diagram with k steps of replica-symmetry breaking.

    Attributes
    ----------
    diagram
        The replica-symmetric diagram it started from.
    steps
        Number k of steps.
    alpha
        Sample complexities, increasing, (n,).
    branches
        For every branch, a solution or None at each alpha: a :class:`BrokenSymmetryPoint`, or the replica-symmetric
        :class:`SolvedPoint` where no gap between overlaps is resolved.
    transitions
        alpha_c and alpha_l of the diagram with k steps, as far as it has them.
    reasons
        In words, by branch and alpha or by transition, why something is missing.
    complete
        False if the computation was interrupted.
    """

    diagram: DiagramContents
    steps: int
    alpha: np.ndarray
    branches: Mapping[str, tuple[StepPoint | None, ...]]
    transitions: Mapping[str, StepTransition]
    reasons: Mapping[str, str]
    complete: bool = True

    @property
    def _rows(self) -> list[tuple[str, str, str]]:
        rows = [
            (
                name,
                f"{one.alpha:.6f} +- {one.error:.1e}",
                f"{one.symmetric.alpha:.6f} +- {one.symmetric.error:.1e}",
            )
            for name, one in self.transitions.items()
        ]
        for name, points in self.branches.items():
            solved = [point for point in points if point is not None]
            broken = sum(isinstance(point, BrokenSymmetryPoint) for point in solved)
            rows.append((name, f"{len(solved)} of {len(points)} points solved", f"{broken} of them broken"))
        return rows

    @property
    def _title(self) -> str:
        steps = f"{self.steps} step{'s' * (self.steps > 1)} of replica-symmetry breaking"
        return steps + ("" if self.complete else " (interrupted)")

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__}: {self._title}"]
        lines += [f"  {line}" for line in aligned(self._rows)] if self._rows else []
        lines += [f"  no {name}: {reason}" for name, reason in self.reasons.items()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = ("transition or branch", "with steps", "replica-symmetric")
        return html_table(f"{type(self).__name__}: {self._title}", self._rows, head)


def solve_steps(
    diagram: DiagramContents,
    steps: int = 1,
    *,
    alpha: Sequence[float] | np.ndarray | None = None,
    branches: Sequence[str] | None = None,
    rule: StepRule | None = None,
    progress: bool | None = None,
) -> StepContents:
    """Solve branches and transitions of a diagram with steps; see :meth:`saddle.PhaseDiagram.with_steps`."""
    steps = checked_integer("steps", steps, 1)
    grid = _grid(diagram, alpha)
    chosen = _chosen(diagram, branches)
    for name in chosen:
        # A model that steps are not solved for is an error at once; grids that are too large belong to a point.
        StepEquations(diagram.branches[name].evolution, steps, rule)
    found: dict[str, list[StepPoint | None]] = {name: [None] * len(grid) for name in chosen}
    transitions: dict[str, StepTransition] = {}
    reasons: dict[str, str] = {}
    complete = True
    located = [name for name in ("alpha_c", "alpha_l") if getattr(diagram, name) is not None]
    total = sum(_reaches(diagram.branches[name], x) for name in chosen for x in grid) + len(located)
    with progress_bar(total, progress, f"{steps} step(s)", "pt") as bar:
        try:
            for name in chosen:
                last: BrokenSymmetryPoint | None = None
                branch = diagram.branches[name]
                for place, value in enumerate(grid):
                    if not _reaches(branch, value):
                        continue
                    bar.set_description(f"{name} at alpha = {value:.4g}")
                    try:
                        point = branch.at(float(value))
                        solved = broken_or_none(point.evolution, point.sector, point.evaluation, steps, rule, last)
                        found[name][place] = point if solved is None else solved
                        last = solved
                    except (SolverError, InvalidArgument) as error:
                        reasons[f"{name} at alpha = {value:.6g}"] = str(error)
                    bar.update()
            for name in located:
                bar.set_description(name)
                try:
                    transitions[name] = transition_with_steps(diagram, name, steps, rule=rule, progress=False)
                except (SolverError, InvalidArgument) as error:
                    reasons[name] = str(error)
                bar.update()
        except KeyboardInterrupt:
            complete = False
    kept = {name: tuple(points) for name, points in found.items()}
    return StepContents(diagram, steps, grid, kept, transitions, reasons, complete)


def _reaches(branch: Branch, alpha: float) -> bool:
    return branch.curve is not None and branch.curve.reaches(float(alpha))


def _grid(diagram: DiagramContents, alpha: Sequence[float] | np.ndarray | None) -> np.ndarray:
    low, high = float(diagram.alpha[0]), float(diagram.alpha[-1])
    if alpha is None:
        return np.linspace(np.sqrt(low), np.sqrt(high), DEFAULT_POINTS) ** 2
    try:
        grid = np.array(alpha, dtype=float).ravel()
    except (TypeError, ValueError):
        grid = np.empty(0)
    if grid.size == 0 or not np.isfinite(grid).all() or not np.all(np.diff(grid, prepend=0.0) > 0.0):
        raise InvalidArgument(f"alpha must be positive, finite and increasing numbers, got {alpha!r}")
    return grid


def _chosen(diagram: DiagramContents, branches: Sequence[str] | None) -> list[str]:
    if branches is None:
        return list(diagram.branches)
    unknown = [name for name in branches if name not in diagram.branches]
    if isinstance(branches, str) or unknown:
        known = ", ".join(diagram.branches)
        raise InvalidArgument(f"branches must be a sequence of names among {known}, got {branches!r}")
    return list(branches)
