"""Which branch is the global minimum at some values of a line's parameter, from whole and audited diagrams.

Lines say where transitions are, not which branch wins beyond them: regions of a figure rest on these columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from replica.quantities.solvable_model import Model
from saddle.branches.line_parameters import line_parameters, with_parameters
from saddle.diagram.contents import DiagramContents
from saddle.diagram.lines.start_diagrams import FEW_POINTS
from saddle.diagram.solve_arguments import checked_solve
from saddle.diagram.solving import solve_contents
from saddle.transitions.global_minimum import Phase

__all__ = ["PhaseColumn", "column_of", "column_values", "solve_columns"]

COLUMNS = 5
# Regions need the order of branches, not digits.
TOLERANCE = 1e-2


@dataclass(frozen=True)
class PhaseColumn:
    """The phases of one model on a line.

    Attributes
    ----------
    parameter
        Value of the line's parameter.
    phases
        Ranges of alpha by global minimum, over all of the interval searched.
    jumps
        Names of the first-order transitions between them.
    """

    parameter: float
    phases: tuple[Phase, ...]
    jumps: tuple[str, ...] = ()

    @property
    def families(self) -> tuple[str | None, ...]:
        """Families that follow each other as alpha grows; None where it is not known."""
        found: list[str | None] = []
        for phase in self.phases:
            family = None if phase.branch is None else phase.branch.split()[0]
            if not found or family != found[-1]:
                found.append(family)
        return tuple(found)

    @property
    def borders(self) -> tuple[float, ...]:
        """Values of alpha at which one family follows another."""
        pairs = zip(self.phases, self.phases[1:], strict=False)
        return tuple(
            low.high
            for low, high in pairs
            if (low.branch and low.branch.split()[0]) != (high.branch and high.branch.split()[0])
        )


def column_of(diagram: DiagramContents, parameter: float) -> PhaseColumn:
    """Return the column of a solved diagram."""
    jumps = tuple(name for name, one in diagram.transitions.items() if one in diagram.first_order)
    return PhaseColumn(parameter, diagram.all_phases, jumps)


def column_values(between: tuple[float, float]) -> list[float]:
    """Return the values of the parameter at which columns are solved."""
    low, high = between
    return [(1.0 - part) * low + part * high for part in np.linspace(0.0, 1.0, COLUMNS).tolist()]


def solve_columns(
    model: Model,
    over: str,
    between: tuple[float, float],
    alpha: Sequence[float],
    known: Mapping[float, DiagramContents],
    threads: int,
    report: Callable[[str], object] = lambda what: None,
) -> tuple[tuple[PhaseColumn, ...], bool]:
    """Solve diagrams at a few values of a parameter.

    Parameters
    ----------
    model, over, between
        The model, its parameter and the range.
    alpha
        Range of alpha.
    known
        Diagrams that are solved already, by the parameter. That of the model itself becomes a column, too.
    threads
        As for :func:`saddle.solve_phase_diagram`.
    report
        Called with what is being done.

    Returns
    -------
    (tuple of PhaseColumn, bool)
        By increasing parameter, and whether all were solved (Ctrl-C leaves those that were).
    """
    own = line_parameters(model)[over]
    found = [column_of(known[own], own)] if own in known else []
    complete = True
    for value in column_values(between):
        if any(column.parameter == value for column in found):
            continue
        diagram = known.get(value)
        if diagram is None:
            report(f"phases at {over} = {value:.4f}")
            changed = with_parameters(model, {over: value})
            arguments = checked_solve(changed, alpha, FEW_POINTS, tolerance=TOLERANCE, threads=threads)
            diagram = solve_contents(changed, arguments)
        if not diagram.complete:
            complete = False
            break
        found.append(column_of(diagram, value))
    return tuple(sorted(found, key=lambda column: column.parameter)), complete
