"""Solutions with steps of replica-symmetry breaking, drawn over the replica-symmetric diagram."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import rcParams
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from saddle.output.figures.figure_frame import place_legend
from saddle.output.figures.figure_request import FigureRequest
from saddle.output.figures.styles import branch_colour, ink
from saddle.output.steps.point_columns import BROKEN
from saddle.output.steps.step_files import steps_dataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from saddle.diagram.steps.step_contents import StepContents

__all__ = ["draw_steps"]

# What a panel shows, by its name: for "overlap" those by which a branch breaks symmetries.
OVERLAPS = ("positional_overlap", "semantic_overlap")


def draw_steps(contents: StepContents, figure: Figure, request: FigureRequest) -> None:
    """Add diamonds of solutions with steps to a figure of the diagram they belong to, and transitions' new places."""
    data = steps_dataset(contents)
    broken = data["solution"].values == BROKEN
    for axes in figure.axes:
        name = str(axes.get_label())
        if name == "train_loss":
            _points(axes, contents, -data["free_entropy"].values, broken)
        elif name in ("free_entropy", "test_error"):
            _points(axes, contents, data[name].values, broken)
        else:
            # A minimum's own overlap is that of the innermost level.
            innermost = name.replace("self_overlap", f"self_overlap_{contents.steps}", 1)
            for column in OVERLAPS if name == "overlap" else (innermost,):
                if column in data:
                    values = np.where(data[column].values == 0.0, np.nan, data[column].values)
                    _points(axes, contents, values, broken)
        for transition in contents.transitions.values():
            low, high = axes.get_xlim()
            if low <= transition.alpha <= high:
                axes.plot(
                    [transition.alpha], [0.0], marker="^", color=ink(), transform=axes.get_xaxis_transform(),
                    markersize=0.8 * rcParams["lines.markersize"], clip_on=False, linestyle="", zorder=4,
                )  # fmt: skip
    steps = f"{contents.steps} step{'s' * (contents.steps > 1)} of replica-symmetry breaking"
    handle = Line2D([], [], color=ink(), marker="D", markersize=_size(), linestyle="", label=steps)
    moved = Line2D([], [], color=ink(), marker="^", markersize=_size(), linestyle="", label="transitions with steps")
    handles = [handle, moved] if contents.transitions else [handle]
    _add_to_legend(figure, handles, request)


def _add_to_legend(figure: Figure, handles: list[Line2D], request: FigureRequest) -> None:
    """Place the legend below the panels anew, with more entries."""
    known: list[Artist] = []
    for legend in list(figure.legends):
        known += [handle for handle in legend.legend_handles if handle is not None]
        if request.size[1] is None:
            # The figure has grown by this one's height, and will by the new one's.
            figure.set_figheight(figure.get_figheight() - legend.get_window_extent().height / figure.dpi)
        legend.remove()
    place_legend(figure, [*known, *handles], request)


def _size() -> float:
    return 0.7 * float(rcParams["lines.markersize"])


def _points(axes: Axes, contents: StepContents, values: np.ndarray, resolved: np.ndarray) -> None:
    """Draw one row per branch, filled where replica symmetry is broken and open where no gap is resolved."""
    for name, row, broken in zip(contents.branches, values, resolved, strict=True):
        colour = branch_colour(name)
        for filled in (True, False):
            shown = np.isfinite(row) & (broken == filled)
            axes.plot(
                contents.alpha[shown], row[shown], marker="D", linestyle="", color=colour, zorder=5,
                markersize=_size(), markerfacecolor=colour if filled else axes.get_facecolor(),
            )  # fmt: skip
