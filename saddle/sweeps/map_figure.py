"""The figure of phase diagrams over two parameters: regions and lines at one alpha, or a transition over the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rcParams
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from scipy.ndimage import distance_transform_edt

from saddle.branches.line_parameters import parameter_latex
from saddle.diagram.contents import special_transitions
from saddle.output.figures.figure_frame import new_figure, place_legend, root_figure, styled
from saddle.output.figures.lines_figure import REGIONS, parameters_text, regions_of, style_of
from saddle.output.figures.styles import BRANCH_COLOURS, USUAL_WIDTH
from saddle.sweeps.map_interpolation import family_depths, finer_axis, finer_surface, line_surface, near_models

if TYPE_CHECKING:
    from saddle.output.figures.figure_request import FigureRequest
    from saddle.sweeps.map_contents import MapContents

__all__ = ["plot_map"]

LEVELS = 9
# Names of fewer models are no lines: a contour needs the four corners of a cell.
FEWEST = 4
# Of a name: half its height and something around it, compared with the axes' height.
ROOM = 0.035
# Beyond all depths.
FAR = 100.0
UNKNOWN: dict[str, Any] = {"facecolor": "white", "edgecolor": "#999999", "hatch": "///", "linewidth": 0.0}


def plot_map(solved: MapContents, alpha: float | None, request: FigureRequest) -> Figure:
    """Draw regions by global minimum and lines of transitions at one alpha; without one, levels of a transition."""
    with styled(request):
        if request.axes is not None:
            _draw(request.axes[0], solved, alpha)
            return root_figure(request.axes[0])
        figure = new_figure(request)
        handles, title = _draw(figure.subplots(), solved, alpha)
        place_legend(figure, handles, request)
        fixed = parameters_text(solved.model, solved.over)
        said = [fixed] if alpha is None else [rf"$\alpha = {alpha:g}$", fixed]
        # Narrow figures have no room for the words.
        wide = figure.get_figwidth() > 5.0
        figure.suptitle(", ".join([*([title] if wide or alpha is None else []), *filter(None, said)])
                        + ("" if solved.complete else "  (incomplete)"))  # fmt: skip
        return figure


def _draw(axes: Axes, solved: MapContents, alpha: float | None) -> tuple[list[Artist], str]:
    """Draw into axes; return what a legend shows, and a title."""
    names = [parameter_latex(solved.model, name) for name in solved.over]
    axes.set_xlabel(f"${names[0]}$")
    axes.set_ylabel(f"${names[1]}$")
    if alpha is None:
        title = _levels(axes, solved)
        handles: list[Artist] = [Patch(facecolor=REGIONS["agnostic"], edgecolor="#999999", label="none found")]
    else:
        lines, met = _lines(axes, solved, alpha)
        handles = [*_regions(axes, solved, alpha, met), *lines]
        title = "global minimum of the training loss"
    axes.set_xlim(*solved.values[0][[0, -1]])
    axes.set_ylim(*solved.values[1][[0, -1]])
    if not axes.get_label():
        axes.set_label("map")
    return handles, title


def _regions(axes: Axes, solved: MapContents, alpha: float, lines: np.ndarray) -> list[Artist]:
    """Colour the regions by family, up to the transitions between them; name them, beside lines, or in the legend."""
    first, second = (finer_axis(values) for values in solved.values)
    depths = family_depths(solved, alpha)
    regions = regions_of(depths)
    present = [family for family in ("", *regions) if family in depths]
    if not present:
        return []
    # Between models, only what is the minimum in one of them is.
    fine = np.stack(
        [
            np.where(near_models(depths[family]), finer_surface(solved.values, depths[family]), -FAR)
            for family in present
        ]
    )
    # Where no diagram is, nothing is drawn.
    fine[:, np.isnan(finer_surface(solved.values, depths[present[0]]))] = np.nan
    handles: list[Artist] = []
    for place, family in enumerate(present):
        # How much deeper than all others; its zero is the border, whatever the pixels are.
        others = np.delete(fine, place, axis=0)
        margin = fine[place] - np.max(others, axis=0) if len(others) else np.where(np.isnan(fine[place]), np.nan, 1.0)
        if not np.any(margin > 0.0):
            continue
        look = UNKNOWN if family == "" else {"facecolor": regions[family], "edgecolor": "#999999", "hatch": None}
        filled = axes.contourf(
            first, second, np.ma.masked_invalid(margin).T, levels=[0.0, np.inf], colors=[look["facecolor"]],
            hatches=[look["hatch"]], zorder=0,
        )  # fmt: skip
        filled.set_edgecolor(UNKNOWN["edgecolor"])
        filled.set_linewidth(0.0)
        if family == "" or not _named(axes, family, (margin > 0.0) & ~lines, (first, second)):
            handles.append(Patch(label=family or "not known", **look))
    return handles


def _named(axes: Axes, family: str, free: np.ndarray, plane: tuple[np.ndarray, np.ndarray]) -> bool:
    """Write a region's name where it has most room; return whether there is enough."""
    # Distances in heights of the axes; a name is about three times as wide as it is high.
    room = np.asarray(distance_transform_edt(np.pad(free, 1), sampling=(0.33 / len(free), 1.0 / len(free.T))))[
        1:-1, 1:-1
    ]
    row, column = np.unravel_index(int(np.argmax(room)), room.shape)
    if room[row, column] < ROOM:
        return False
    place = float(plane[0][row]), float(plane[1][column])
    axes.text(*place, family, ha="center", va="center", fontsize="large", color="black", zorder=5)
    return True


def _lines(axes: Axes, solved: MapContents, alpha: float) -> tuple[list[Artist], np.ndarray]:
    """Draw the line of every transition through the plane; return what a legend shows, and which points they meet."""
    first, second = (finer_axis(values) for values in solved.values)
    known = {name: np.isfinite(solved.transition(name)[0]).sum() for name in solved.transition_names}
    drawn = tuple(name for name, count in known.items() if count >= FEWEST)
    handles: list[Artist] = []
    met = np.zeros((len(first), len(second)), dtype=bool)
    for name in drawn:
        above = finer_surface(solved.values, np.log(line_surface(solved, name, drawn))) - np.log(alpha)
        if not (np.any(above > 0.0) and np.any(above < 0.0)):
            continue
        label, colour, style, width = style_of(name, solved.transition_names)
        width *= rcParams["lines.linewidth"] / USUAL_WIDTH
        line = axes.contour(
            first, second, np.ma.masked_invalid(above).T, levels=[0.0], colors=[colour], linestyles=[style],
            linewidths=[width], zorder=3,
        )  # fmt: skip
        if any(np.size(path.vertices) for path in line.get_paths()):
            handles.append(axes.plot([], [], color=colour, linestyle=style, linewidth=width, label=label)[0])
            for shift in ((slice(1, None), slice(None)), (slice(None), slice(1, None))):
                before = tuple(slice(None, -1) if s.start else s for s in shift)
                met[shift] |= above[shift] * above[before] < 0.0
    return handles, met


def _levels(axes: Axes, solved: MapContents) -> str:
    """Draw levels of alpha_c, or of another loss's most common transition; grey where there is none."""
    name = "alpha_c" if special_transitions(solved.model.structure) else next(iter(solved.transition_names), "")
    shown = r"$\alpha_c$" if name == "alpha_c" else style_of(name, (name,))[0]
    surface = solved.transition(name)[0]
    axes.set_facecolor(REGIONS["agnostic"])
    known = surface[np.isfinite(surface)]
    if len(known) < FEWEST or known.min() == known.max():
        where = "no first-order transition between\nposition and meaning in this plane"
        if name != "alpha_c":
            where = f"{name} in too few\nof the models to draw" if name else "no transition in this plane"
        axes.text(0.5, 0.5, where, transform=axes.transAxes, ha="center", va="center")
        return shown
    first, second = (finer_axis(values) for values in solved.values)
    fine = np.ma.masked_invalid(np.exp(finer_surface(solved.values, np.log(surface))))
    axes.contourf(first, second, fine.T, levels=LEVELS, cmap="Blues", alpha=0.85)
    lines = axes.contour(first, second, fine.T, levels=LEVELS, colors=[BRANCH_COLOURS["positional"]], linewidths=1.0)
    axes.clabel(lines, fontsize="small", inline=True, colors="black")
    return r"$\alpha_c$: positional/semantic, first order" if name == "alpha_c" else rf"$\alpha$ of {shown}"
