"""The figure of lines of transitions at one alpha, in the plane of two parameters of the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from saddle.branches.line_parameters import parameter_latex
from saddle.diagram.lines.line import TransitionLine
from saddle.output.figures.figure_frame import new_figure, place_legend, root_figure, styled
from saddle.output.figures.figure_request import FigureRequest
from saddle.output.figures.lines_figure import mark_end, parameters_text, style_of
from saddle.output.figures.smooth_line import smooth_line
from saddle.output.figures.styles import USUAL_WIDTH

if TYPE_CHECKING:
    from saddle.diagram.lines.contents import LinesContents
    from saddle.diagram.lines.plane import ParameterPlane

__all__ = ["plot_in_plane"]

# Part of the width beyond which a name would not fit on the right.
FAR_RIGHT = 0.8


def plot_in_plane(lines: LinesContents, plane: ParameterPlane, request: FigureRequest) -> Figure:
    """Draw lines over the plane of their parameters, with error bands across them.

    Parameters
    ----------
    lines, plane
        The lines, and what they run through.
    request
        What is asked of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        A new one, or that of the axes asked for. What is the global minimum between the lines is not said.
    """
    with styled(request):
        if request.axes is not None:
            _draw_lines(request.axes[0], lines, plane)
            return root_figure(request.axes[0])
        figure = new_figure(request)
        axes = figure.subplots()
        _draw_lines(axes, lines, plane)
        said = rf"$\alpha = {plane.alpha:g}$, {parameters_text(lines.model, (lines.over, plane.second))}"
        figure.suptitle(said + ("" if lines.complete else "  (incomplete)"))
        errors = [float(np.max(_errors(line))) for line in lines.lines.values() if len(line)]
        handles, _ = axes.get_legend_handles_labels()
        place_legend(figure, handles, request, title=f"largest error {max(errors):.0e}" if errors else "")
        return figure


def _draw_lines(axes: Axes, lines: LinesContents, plane: ParameterPlane) -> None:
    drawn = [line for line in lines.lines.values() if len(line)]
    for line in drawn:
        _draw(axes, line, [one.name for one in drawn], (lines.between, plane.between))
        for end in line.ends:
            if end is not None and np.isfinite(end.second):
                late = end.parameter > lines.between[0] + FAR_RIGHT * (lines.between[1] - lines.between[0])
                mark_end(axes, end.kind, (end.parameter, end.second), on_the_left=late)
    axes.set_xlabel(f"${parameter_latex(lines.model, lines.over)}$")
    axes.set_ylabel(f"${parameter_latex(lines.model, plane.second)}$")
    axes.set_xlim(*lines.between)
    axes.set_ylim(*plane.between)
    if not axes.get_label():
        axes.set_label("lines")


def _errors(line: TransitionLine) -> np.ndarray:
    """Return the errors of both parameters, (n, 2)."""
    assert line.second_error is not None
    return np.stack([line.error, line.second_error], axis=1)


def _draw(
    axes: Axes, line: TransitionLine, names: Sequence[str], ranges: tuple[tuple[float, float], tuple[float, float]]
) -> None:
    assert line.second is not None
    label, colour, style, width = style_of(line.name, names)
    width *= rcParams["lines.linewidth"] / USUAL_WIDTH
    widths = np.ptp(ranges, axis=1)
    points, errors = smooth_line(np.stack([line.parameter, line.second], axis=1) / widths, _errors(line))
    points = points * widths
    if line.metastable is not None and np.any(line.metastable):
        # Where another solution has the larger Phi the global minimum does not take part.
        near = np.linalg.norm((points[:, None] - np.stack([line.parameter, line.second], axis=1)) / widths, axis=2)
        behind = line.metastable[np.argmin(near, axis=1)]
        axes.plot(*np.where(behind[:, None], points, np.nan).T, color=colour, linestyle=":", linewidth=0.8, zorder=2)
        shown = np.where(behind[:, None], np.nan, points)
    else:
        shown = points
    axes.plot(*shown.T, color=colour, linestyle=style, linewidth=width, label=label, zorder=3)
    if len(points) > 1:
        # To the left of the line and to its right: across it, whichever way it runs.
        way = np.sign(np.gradient(points, axis=0))
        aside = errors * np.stack([-way[:, 1], way[:, 0]], axis=1)
        band = np.concatenate([points + aside, (points - aside)[::-1]])
        axes.fill(*band.T, color=colour, alpha=0.4, linewidth=0, zorder=2)
