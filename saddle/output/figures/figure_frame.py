"""What stands around the panels of a figure: its settings, its size, and its legend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import matplotlib as mpl
import matplotlib.style as mpl_style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from saddle.output.figures.figure_request import FigureRequest
from saddle.output.figures.shown_figure import ShownFigure

__all__ = ["new_figure", "place_legend", "root_figure", "styled"]

# Height of a panel compared with its width, and inches for a title, where the width of the figure alone is given.
ASPECT, TITLE = 0.72, 0.2


@contextmanager
def styled(request: FigureRequest) -> Iterator[None]:
    """Draw in the user's own settings, with the styles asked for on top."""
    with mpl.rc_context(), mpl_style.context(list(request.style)):
        yield


def new_figure(request: FigureRequest) -> Figure:
    """Return an empty figure of the size asked for; pyplot does not know of it."""
    (width, height), (rows, columns) = request.size, request.panels
    return ShownFigure(figsize=(width, height or rows * ASPECT * width / columns + TITLE), layout="constrained")


def place_legend(
    figure: Figure, handles: Sequence[Artist], request: FigureRequest, spare: Sequence[Axes] = (), title: str = ""
) -> None:
    """Put a legend into a spare panel, or below all panels in as few rows as the figure's width allows.

    Where the figure's height was not given, it grows by the legend's.
    """
    if spare:
        spare[0].legend(handles=handles, loc="center", frameon=False)
        return
    if not handles:
        if title:
            figure.supxlabel(title, fontsize="small")
        return
    for rows in range(1 if len(handles) < 6 else 2, len(handles) + 1):
        columns = -(-len(handles) // rows)
        legend: Legend = figure.legend(
            handles=handles, loc="outside lower center", ncols=columns, frameon=False, title=title or None
        )
        extent = legend.get_window_extent()
        if rows == len(handles) or extent.width <= figure.bbox.width:
            if request.size[1] is None:
                figure.set_figheight(figure.get_figheight() + extent.height / figure.dpi)
            return
        legend.remove()


def root_figure(axes: Axes) -> Figure:
    """Return the figure that axes are in, whatever subfigures lie between."""
    figure = axes.figure
    while figure is not None and not isinstance(figure, Figure):
        figure = figure.figure
    assert figure is not None
    return figure
