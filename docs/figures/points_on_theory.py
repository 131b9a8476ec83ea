"""A phase diagram with the means of training runs on its curves: what the figures of the worked examples show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from page_points import PagePoints

from saddle import PhaseDiagram
from validation import TheoryComparison
from validation.comparison.figures import START_MARKERS, draw_points, start_colour
from validation.comparison.theory_points import start_overlaps

__all__ = ["points_on_theory"]

PANELS = ("overlap", "train_loss", "test_error")


def points_on_theory(
    diagram: PhaseDiagram, comparison: TheoryComparison | PagePoints, starts: Mapping[str, str]
) -> Figure:
    """Draw points first, so that curves' labels avoid them and panels have room for them.

    Parameters
    ----------
    diagram, comparison
        Theory and runs.
    starts
        What the legend calls each start.
    """
    figure = Figure(figsize=(12.5, 5.2), layout="constrained")
    panels = dict(zip(PANELS, figure.subplots(1, 3), strict=True))
    for start in starts:
        for quantity in start_overlaps(comparison.layout, start):
            draw_points(panels["overlap"], comparison, quantity, own_only=True)
    for name in PANELS[1:]:
        draw_points(panels[name], comparison, name)
    for axes in panels.values():
        # Those at the end of the range are not to be cut in half.
        for artist in (*axes.lines, *axes.collections):
            artist.set_clip_on(False)
    diagram.plot(ax=panels)
    usual = diagram.plot()
    figure.suptitle(usual.get_suptitle())
    theory = usual.legends[0]
    runs = _handles(comparison, starts)
    handles = [*theory.legend_handles, *runs]
    labels = [*(text.get_text() for text in theory.get_texts()), *(str(handle.get_label()) for handle in runs)]
    figure.legend(handles, labels, loc="outside lower center", ncols=-(-len(handles) // 3), frameon=False)
    return figure


def _handles(comparison: TheoryComparison | PagePoints, starts: Mapping[str, str]) -> list[Line2D]:
    """Return entries of the legend for the runs: by start for the largest size, and one for the smaller."""
    *smaller, largest = [int(d) for d in comparison.statistics["dimension"].values]
    shown: dict[str, Any] = {"linestyle": "", "markeredgecolor": "black", "markeredgewidth": 0.5}
    handles = [
        Line2D(
            [],
            [],
            color=start_colour(start, comparison.layout),
            marker=START_MARKERS[start],
            label=f"{word} start, $d = {largest}$",
            **shown,
        )
        for start, word in starts.items()
    ]
    sizes = ", ".join(map(str, smaller))
    return [
        *handles,
        Line2D(
            [], [], color="black", marker="o", linestyle="", markerfacecolor="white", label=f"the same, $d = {sizes}$"
        ),
    ]
