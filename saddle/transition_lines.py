"""The front door to two parameters: lines of transitions, and what can be done with them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from replica.common.numeric_errors import numpy_defaults
from replica.quantities.solvable_model import Model
from saddle.diagram.lines.contents import LinesContents
from saddle.diagram.lines.request import line_request
from saddle.diagram.lines.solving import DEFAULT_TRANSITIONS, checked_transitions, solve_lines
from saddle.diagram.solve_settings import SolveSettings
from saddle.transitions.events import Event

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["TransitionLines", "solve_transition_lines"]


class TransitionLines(LinesContents):  # noqa: D101
    __doc__ = LinesContents.__doc__

    @classmethod
    def of(cls, contents: LinesContents) -> TransitionLines:
        """Return contents as lines that can be drawn and kept."""
        return cls(**{field.name: getattr(contents, field.name) for field in fields(LinesContents)})

    def plot(
        self,
        *,
        ax: Axes | None = None,
        size: float | tuple[float, float] | None = None,
        style: str | Mapping[str, object] | Sequence[str | Mapping[str, object]] | None = None,
    ) -> Figure:
        """Draw the phase diagram in alpha and the parameter, or lines at one alpha in the plane of both parameters.

        Parameters
        ----------
        ax, size, style
            As for :meth:`saddle.PhaseDiagram.plot`: axes to draw in, without a legend; or the width, or width and
            height, of a new figure in inches; and what is to differ from the user's Matplotlib settings.

        Raises
        ------
        InvalidArgument
            If an argument is none of its kind; before anything is drawn.
        """
        from saddle.output.figures.figure_request import checked_line_figure
        from saddle.output.figures.lines_figure import plot_lines
        from saddle.output.figures.plane_figure import plot_in_plane

        request = checked_line_figure(ax, size, style)
        return plot_lines(self, request) if self.plane is None else plot_in_plane(self, self.plane, request)

    def to_dataset(self) -> xr.Dataset:
        """Return all points as an xarray.Dataset with dimensions (point, solution, order_parameter).

        Lines follow each other along ``point``, with their names in ``line``; lines of one solution leave the
        second one nan. Of lines at one alpha the other parameter is ``second``.
        """
        from saddle.output.files.lines_file import to_dataset

        return to_dataset(self)

    def to_dataframe(self) -> pd.DataFrame:
        """Return the lines as a table with one row per point, line after line.

        Returns
        -------
        pandas.DataFrame
            Columns ``line``, ``kind``, ``over`` (a parameter's name), ``parameter`` (its value), ``alpha``, ``error``,
            ``tangent``, ``metastable`` (None where it was not asked), and for the first and the second solution there
            ``branch_1``, ``free_entropy_1``, ``test_error_1``, order parameters such as ``self_overlap_1``,
            ``branch_2`` and so on; empty or nan where there is one solution. Lines without points have no row. In a
            plane ``over`` names both parameters, and ``second`` and ``second_error`` stand before the solutions.
        """
        from saddle.output.frames import lines_frame

        return lines_frame(self)

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

        return cls.of(load(path))


@numpy_defaults
def solve_transition_lines(
    model: Model,
    over: str | Sequence[str] = "omega",
    between: Sequence[float] | Sequence[Sequence[float]] = (0.0, 0.5),
    *,
    transitions: Sequence[str | Event] = DEFAULT_TRANSITIONS,
    points: int = 40,
    alpha: float | Sequence[float] = (0.01, 3.0),
    settings: SolveSettings = SolveSettings(),
) -> TransitionLines:
    """Continue several transitions in a parameter of the model; see :func:`saddle.solve_transition_line`.

    Parameters
    ----------
    model
        The model.
    over, between
        A parameter as for :func:`saddle.solve_transition_line`, and its lowest and highest value; or two parameters,
        and a range for each.
    transitions
        Names and events as for :func:`saddle.solve_transition_line`. All lines start from one phase diagram where it
        has them.
    points, alpha, settings
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
    names = checked_transitions(transitions)
    request = line_request(model, over, between, points, alpha, settings)
    return TransitionLines.of(solve_lines(request, names))
