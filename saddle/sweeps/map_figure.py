"""The figure of phase diagrams over two parameters: regions and lines at one alpha, or alpha_c over the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from saddle.branches.line_parameters import parameter_latex
from saddle.output.figures.lines_figure import REGIONS, style_of
from saddle.output.figures.shown_figure import ShownFigure
from saddle.output.figures.styles import BRANCH_COLOURS

if TYPE_CHECKING:
    from saddle.sweeps.map_contents import MapContents

__all__ = ["plot_map"]

LEVELS = 9


def plot_map(solved: MapContents, alpha: float | None) -> Figure:
    """Draw regions by global minimum and lines of transitions at one alpha; without one, levels of alpha_c."""
    figure = ShownFigure(figsize=(6.4, 5.2), layout="constrained")
    axes = figure.add_subplot()
    first, second = solved.values
    names = [parameter_latex(solved.model, name) for name in solved.over]
    axes.set_xlabel(f"${names[0]}$")
    axes.set_ylabel(f"${names[1]}$")
    title = _regions(figure, axes, solved, alpha) if alpha is not None else _levels(axes, solved)
    axes.set_xlim(first[0], first[-1])
    axes.set_ylim(second[0], second[-1])
    axes.set_title(title + ("" if solved.complete else "  (incomplete)"), fontsize=11)
    return figure


def _edges(values: np.ndarray) -> np.ndarray:
    """Return the borders of cells around values, (n + 1,)."""
    middles = 0.5 * (values[1:] + values[:-1])
    return np.concatenate([[values[0]], middles, [values[-1]]])


def _regions(figure: Figure, axes: Axes, solved: MapContents, alpha: float) -> str:
    """Colour the cells by family, and draw every transition's line through the plane."""
    first, second = solved.values
    families = solved.families(alpha)
    present = [family for family in ("", *REGIONS) if np.any(families == family)]
    colours = ["white" if family == "" else REGIONS[family] for family in present]
    numbers = np.array([[present.index(str(family)) for family in row] for row in families], dtype=float)
    axes.pcolormesh(
        _edges(first), _edges(second), numbers.T, cmap=ListedColormap(colours), vmin=-0.5, vmax=len(present) - 0.5
    )
    handles: list[Artist] = [
        Patch(facecolor=colour, edgecolor="#999999", label=family or "not known", hatch=None if family else "///")
        for family, colour in zip(present, colours, strict=True)
    ]
    for name in solved.transition_names:
        surface = np.ma.masked_invalid(solved.transition(name)[0])
        if surface.count() < 4 or not surface.min() < alpha < surface.max():
            continue
        label, colour, style, width = style_of(name, solved.transition_names)
        drawn = axes.contour(
            first, second, surface.T, levels=[alpha], colors=[colour], linestyles=[style], linewidths=[width]
        )
        if any(np.size(path.vertices) for path in drawn.get_paths()):
            handles.append(axes.plot([], [], color=colour, linestyle=style, linewidth=width, label=label)[0])
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=9, frameon=False)
    return rf"global minimum of the training loss at $\alpha = {alpha:g}$"


def _levels(axes: Axes, solved: MapContents) -> str:
    """Draw levels of alpha_c; where there is none, the plane stays grey."""
    first, second = solved.values
    surface = np.ma.masked_invalid(solved.transition("alpha_c")[0])
    axes.set_facecolor(REGIONS["agnostic"])
    if surface.count() < 4 or surface.min() == surface.max():
        where = "no first-order transition between position and meaning in this plane"
        axes.text(0.5, 0.5, where, transform=axes.transAxes, ha="center", va="center", fontsize=9)
        return r"$\alpha_c$"
    axes.contourf(first, second, surface.T, levels=LEVELS, cmap="Blues", alpha=0.85)
    lines = axes.contour(first, second, surface.T, levels=LEVELS, colors=[BRANCH_COLOURS["positional"]], linewidths=1.0)
    axes.clabel(lines, fontsize=8)
    said = "; grey: there is none" if surface.count() < surface.size else ""
    return r"$\alpha_c$ of the positional to semantic transition" + said
