"""Several lines of transitions over one parameter: the phase diagram in two parameters."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replica.model import AttentionModel
from saddle.diagram_solving import solve_phase_diagram
from saddle.lines.result import TransitionLine
from saddle.lines.solving import solve_transition_line
from saddle.lines.start import START_POINTS, canonical_parameter, check_range
from saddle.phase_diagram import PhaseDiagram
from saddle.quadrature import OuterRule

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
    """

    model: AttentionModel
    over: str
    between: tuple[float, float]
    lines: Mapping[str, TransitionLine]
    complete: bool = True

    def plot(self) -> Figure:
        """Draw the phase diagram in alpha and the parameter."""
        from saddle.lines.plotting import plot_lines

        return plot_lines(self)

    def to_dataset(self) -> xr.Dataset:
        """Return all points as an xarray.Dataset with dimensions (point, solution, order_parameter).

        Lines follow each other along ``point``, with their names in ``line``; lines of one solution leave the
        second one nan.
        """
        from saddle.lines.storage import to_dataset

        return to_dataset(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the dataset to a sealed netCDF file, whole or not at all.

        Raises
        ------
        ValueError
            If the file cannot be written.
        """
        from saddle.lines.storage import save

        save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TransitionLines:
        """Read back what :meth:`save` wrote.

        Raises
        ------
        ValueError
            If there is no such file, it holds no saved lines, or it was changed after it was written.
        """
        from saddle.lines.storage import load

        return load(path)


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
        If a transition or the parameter is unknown, or the range or the number of points is invalid.

    Notes
    -----
    Theory notes in docs/, section 10.
    """
    over = canonical_parameter(over)
    low, high = check_range(model, over, between, points)
    diagram: PhaseDiagram | None = None
    lines: dict[str, TransitionLine] = {}
    complete = True
    try:
        if low <= getattr(model, over) <= high:
            diagram = solve_phase_diagram(
                model, alpha, points=START_POINTS, tolerance=tolerance, rule=rule, threads=threads, progress=progress
            )
            complete = diagram.complete
        for name in transitions if complete else ():
            lines[name] = solve_transition_line(
                model, name, over, (low, high), points=points, alpha=alpha, highest_alpha=highest_alpha,
                tolerance=tolerance, rule=rule, diagram=diagram, threads=threads, progress=progress,
            )  # fmt: skip
            if not lines[name].complete:
                complete = False
                break
    except KeyboardInterrupt:
        complete = False
    return TransitionLines(model, over, (low, high), lines, complete)
