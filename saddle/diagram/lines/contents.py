"""Several lines of transitions over one parameter: the phase diagram in two parameters."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replica.common.checked_arguments import checked_items
from replica.common.numeric_errors import numpy_defaults
from replica.model.attention_model import AttentionModel
from saddle.averages.quadrature import OuterRule
from saddle.diagram.contents import PhaseDiagram
from saddle.diagram.lines.columns import PhaseColumn, solve_columns
from saddle.diagram.lines.line import TransitionLine
from saddle.diagram.lines.start import START_POINTS, canonical_name, canonical_parameter, check_range, checked_highest
from saddle.diagram.lines.tracing import solve_transition_line
from saddle.diagram.solve_arguments import checked_points, checked_solve
from saddle.diagram.solving import solve_phase_diagram

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

__all__ = ["DEFAULT_TRANSITIONS", "TransitionLines", "solve_transition_lines"]

DEFAULT_TRANSITIONS = (
    "alpha_c",
    "alpha_l",
    "agnostic -> positional",
    "agnostic -> semantic",
    "semantic -> mixed",
    "positional -> mixed",
)


@dataclass(frozen=True)
class TransitionLines:
    """Lines of transitions over one parameter of a model.

    Attributes
    ----------
    model
        The model; ``over`` replaces one of its parameters.
    over, between
        Name of the parameter, and its range.
    lines
        By name; one without points says why in its ``reason``.
    complete
        False after an interruption.
    columns
        Which branch is the global minimum over alpha, from audited diagrams at a few values of the parameter.
    """

    model: AttentionModel
    over: str
    between: tuple[float, float]
    lines: Mapping[str, TransitionLine]
    complete: bool = True
    columns: tuple[PhaseColumn, ...] = ()

    def plot(self) -> Figure:
        """Draw the phase diagram in alpha and the parameter."""
        from saddle.output.lines_figure import plot_lines

        return plot_lines(self)

    def to_dataset(self) -> xr.Dataset:
        """Return all points as an xarray.Dataset with dimensions (point, solution, order_parameter).

        Lines follow each other along ``point``, with their names in ``line``; lines of one solution leave the
        second one nan.
        """
        from saddle.output.files.lines_file import to_dataset

        return to_dataset(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the dataset to a sealed netCDF file, whole or not at all.

        Raises
        ------
        ValueError
            If the file cannot be written.
        """
        from saddle.output.files.lines_file import save

        save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TransitionLines:
        """Read back what :meth:`save` wrote.

        Raises
        ------
        ValueError
            If there is no such file, it holds no saved lines, or it was changed after it was written.
        """
        from saddle.output.files.lines_file import load

        return load(path)


@numpy_defaults
def solve_transition_lines(
    model: AttentionModel,
    over: str = "omega",
    between: Sequence[float] = (0.0, 0.5),
    *,
    transitions: Sequence[str] = DEFAULT_TRANSITIONS,
    points: int = 40,
    alpha: Sequence[float] = (0.01, 3.0),
    highest_alpha: float = 10.0,
    tolerance: float | None = None,
    rule: OuterRule | None = None,
    threads: int = 0,
    progress: bool = False,
) -> TransitionLines:
    """Continue several transitions in a parameter of the model; see :func:`saddle.solve_transition_line`.

    Parameters
    ----------
    model
        The model.
    over, between
        "omega", "sigma" or "regularization" (also called "lambda"), and its lowest and highest value.
    transitions
        Names as for :func:`saddle.solve_transition_line`. All lines start from one phase diagram where it has them.
    points, alpha, highest_alpha, tolerance, rule, threads, progress
        As there.

    Returns
    -------
    TransitionLines
        One line per name; one that was not found has no points and a reason. After Ctrl-C, what was computed so
        far, marked incomplete.

    Raises
    ------
    ValueError
        If a transition or the parameter is unknown, or another argument is none of its kind or out of range; before
        any work.

    Notes
    -----
    Theory notes in docs/, section 10.
    """
    names = list(dict.fromkeys(checked_items("transitions", transitions, "a sequence of names of transitions")))
    for name in names:
        canonical_name(name, "transitions")
    over = canonical_parameter(over)
    # A line has values of the parameter, evenly spaced, where a diagram may have a grid of its own.
    points = checked_points(points)
    checked = checked_solve(model, alpha, points, tolerance=tolerance, rule=rule, threads=threads, progress=progress)
    alpha, tolerance, threads = checked.alpha, checked.tolerance, checked.threads
    low, high = check_range(model, over, between, points)
    highest_alpha = checked_highest(highest_alpha, alpha[0])
    diagram: PhaseDiagram | None = None
    lines: dict[str, TransitionLine] = {}
    columns: tuple[PhaseColumn, ...] = ()
    complete = True
    try:
        if low <= getattr(model, over) <= high:
            diagram = solve_phase_diagram(
                model, alpha, points=START_POINTS, tolerance=tolerance, rule=rule, threads=threads, progress=progress
            )
            complete = diagram.complete
        for name in names if complete else ():
            lines[name] = solve_transition_line(
                model, name, over, (low, high), points=points, alpha=alpha, highest_alpha=highest_alpha,
                tolerance=tolerance, rule=rule, diagram=diagram, threads=threads, progress=progress,
            )  # fmt: skip
            if not lines[name].complete:
                complete = False
                break
        if complete:
            columns, complete = solve_columns(model, over, (low, high), alpha, diagram, threads)
        # Borders that the columns show and nobody asked for, where nothing special was asked for.
        missing = [name for column in columns for name in column.jumps if name not in lines]
        for name in dict.fromkeys(missing) if complete and names == list(DEFAULT_TRANSITIONS) else ():
            lines[name] = solve_transition_line(
                model, name, over, (low, high), points=points, alpha=alpha, highest_alpha=highest_alpha,
                tolerance=tolerance, rule=rule, diagram=diagram, threads=threads, progress=progress,
            )  # fmt: skip
            complete = complete and lines[name].complete
    except KeyboardInterrupt:
        complete = False
    return TransitionLines(model, over, (low, high), lines, complete, columns)
