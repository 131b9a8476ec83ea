"""The figure of a phase diagram in alpha and one parameter of the model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from scipy.interpolate import CubicHermiteSpline
from scipy.ndimage import distance_transform_edt

from replica.quantities.solvable_model import Model
from saddle.branches.line_parameters import parameter_latex
from saddle.diagram.lines.columns import PhaseColumn
from saddle.diagram.lines.line import TransitionLine
from saddle.output.figures.figure_frame import new_figure, place_legend, root_figure, styled
from saddle.output.figures.figure_request import FigureRequest, checked_line_figure
from saddle.output.figures.smooth_line import smooth_line
from saddle.output.figures.styles import BRANCH_COLOURS, USUAL_WIDTH

if TYPE_CHECKING:
    from saddle.diagram.lines.contents import LinesContents

__all__ = ["global_minimum_at", "mark_end", "parameters_text", "plot_lines", "regions_of", "style_of"]

STYLES: dict[str, tuple[str, str, object, float]] = {
    "alpha_c": (r"$\alpha_c$: positional/semantic, first order", "black", "-", 2.2),
    "alpha_l": (r"$\alpha_l$: semantic beats the linear baseline", "#009E73", (0, (6, 2)), 1.8),
    "agnostic -> positional": (r"pitchfork agnostic $\to$ positional", BRANCH_COLOURS["positional"], "-", 1.4),
    "agnostic -> semantic": (r"pitchfork agnostic $\to$ semantic", BRANCH_COLOURS["semantic"], (0, (3, 1, 1, 1)), 1.4),
    "semantic -> mixed": ("semantic spinodal", BRANCH_COLOURS["semantic"], ":", 1.8),
    "positional -> mixed": ("positional spinodal", BRANCH_COLOURS["positional"], ":", 1.8),
}
"""Label, colour, line style and width of each line; styles differ, so that the figure can be read in grey."""

# Of lines without a style of their own, such as events: in grey they differ by their dashes.
OTHER_COLOURS = ("#555555", "#8c564b", "#0f6b6b")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)))

# Lightness tells the regions apart without colour, too; hatches mark where attention does not pay yet.
REGIONS = {"null": "#f4f4f4", "agnostic": "#e3e3e3", "positional": "#b5d3ea", "semantic": "#fbe3d2", "mixed": "#f1dcea"}
# As pale, of families that are named by the teacher's columns, in their order; after the last comes the first.
TEACHER_REGIONS = ("#fbe3d2", "#b5d3ea", "#f1dcea", "#cfe8df", "#fbeecb", "#dbeefa")
REGION_COLUMNS, REGION_ROWS = 240, 320
# Where the vertical axis ends, compared with the highest point of the line of first-order transitions.
HEADROOM = 1.25


def regions_of(families: Iterable[str | None]) -> dict[str, str]:
    """Return the colours of regions by family: those of attention's, and of others among some families."""
    others = sorted({family for family in families if family} - REGIONS.keys(), key=lambda name: (len(name), name))
    return REGIONS | {name: TEACHER_REGIONS[k % len(TEACHER_REGIONS)] for k, name in enumerate(others)}


def _crossings(line: TransitionLine | None, value: float) -> list[float]:
    """Return every alpha at which a line passes a value of the parameter, interpolated linearly."""
    if line is None or len(line) < 2:
        return []
    p, a = line.parameter, line.alpha
    found = []
    for k in range(len(line) - 1):
        low, high = sorted((p[k], p[k + 1]))
        if low <= value <= high and high > low:
            found.append(float(a[k] + (value - p[k]) / (p[k + 1] - p[k]) * (a[k + 1] - a[k])))
    return sorted(found)


def global_minimum_at(lines: LinesContents, value: float, alpha: float) -> str | None:
    """Return which family is the global minimum, as far as columns and lines tell; None where they do not.

    The order of the families is that of the solved column on either side; the borders between them are the lines that
    separate these families. Where a border has no line, or both columns' orders would do, it is not known.
    """
    borders = _borders_at(lines, value)
    if borders is None:
        return None
    families, edges = borders
    return families[int(np.searchsorted(edges, alpha, side="right"))]


def _borders_at(lines: LinesContents, value: float) -> tuple[tuple[str | None, ...], list[float]] | None:
    """Return the families by increasing alpha at a value of the parameter, and the borders between them."""
    below = [column for column in lines.columns if column.parameter <= value]
    above = [column for column in lines.columns if column.parameter >= value]
    if not below or not above:
        return None
    fitting = {}
    for column in (below[-1], above[0]):
        if column.parameter == value:
            return column.families, list(column.borders)
        edges = _edges(lines, column, value)
        if edges is not None:
            fitting[column.families] = edges
    if len(fitting) > 1:
        # Of two orders, the one in which every line of jumps is a border.
        jumps = [c for line in lines.lines.values() if line.kind == "first-order" for c in _crossings(line, value)]
        fitting = {names: edges for names, edges in fitting.items() if set(jumps) <= set(edges)}
    return next(iter(fitting.items())) if len(fitting) == 1 else None


def _edges(lines: LinesContents, column: PhaseColumn, value: float) -> list[float] | None:
    """Return where lines have the borders of a column, at another value; None if one of them has no line there."""
    edges: list[float] = []
    for pair, near in zip(pairwise(column.families), column.borders, strict=True):
        crossings = [
            crossing
            for line in lines.lines.values()
            if line.kind in ("first-order", "pitchfork", "onset") and _separates(line, pair)
            for crossing in _crossings(line, value)
        ]
        if not crossings:
            return None
        edges.append(min(crossings, key=lambda alpha: abs(np.log(alpha / near))))
    return edges if all(a < b for a, b in pairwise(edges)) else None


def _separates(line: TransitionLine, pair: tuple[str | None, str | None]) -> bool:
    return {name.split()[0] for name in line.between} == set(pair)


def _regions(lines: LinesContents, top: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values of the parameter (c,), of alpha (r,), and the region at each (r, c): -1 where it is not known."""
    values = np.linspace(*lines.between, REGION_COLUMNS)
    alphas = np.linspace(0.0, top, REGION_ROWS)
    families = list(_regions_of(lines))
    code = np.full((len(alphas), len(values)), -1)
    for k, value in enumerate(values):
        borders = _borders_at(lines, float(value))
        if borders is None:
            continue
        names, edges = borders
        places = np.searchsorted(edges, alphas, side="right")
        code[:, k] = [families.index(name) if (name := names[place]) in families else -1 for place in places]
        # Nothing was looked for beyond the columns' own range.
        searched = min(column.phases[-1].high for column in lines.columns)
        code[alphas > max(searched, max(edges, default=0.0)), k] = -1
    return values, alphas, code


def _regions_of(lines: LinesContents) -> dict[str, str]:
    return regions_of(family for column in lines.columns for family in column.families)


def _shade(axes: Axes, lines: LinesContents, top: float) -> None:
    """Fill the regions by global minimum where it is known, and hatch where the semantic one does not pay yet."""
    values, alphas, code = _regions(lines, top)
    regions = _regions_of(lines)
    families = list(regions)
    levels = np.arange(-1, len(families) + 1) - 0.5
    axes.contourf(values, alphas, code, levels=levels, colors=["white", *regions.values()], zorder=0, antialiased=True)
    baseline = [_crossings(lines.lines.get("alpha_l"), p) for p in values]
    level = np.array([crossing[0] if crossing else np.inf for crossing in baseline])
    behind = (code == families.index("semantic")) & (alphas[:, None] < level)
    if any(baseline):
        filled = axes.contourf(
            values, alphas, behind.astype(float), levels=[0.5, 1.5], colors="none", hatches=["//"], zorder=1
        )
        filled.set_edgecolor("#c9a68c")
        filled.set_linewidth(0.0)
    _name_regions(axes, lines, values, alphas, code)


def _name_regions(axes: Axes, lines: LinesContents, values: np.ndarray, alphas: np.ndarray, code: np.ndarray) -> None:
    """Write each region's name as far as possible from lines and edges, or beside it if there is no room."""
    clear = np.ones(code.shape, dtype=bool)
    for line in lines.lines.values():
        for column, value in enumerate(values):
            for crossing in _crossings(line, float(value)):
                row = int(np.searchsorted(alphas, crossing))
                if row < len(alphas):
                    clear[row, column] = False
    clear[[0, -1], :] = clear[:, [0, -1]] = False
    for index, family in enumerate(_regions_of(lines)):
        inside = code == index
        if np.count_nonzero(inside) < 0.005 * code.size:
            continue
        # A name is about three times as wide as it is high.
        room = np.asarray(distance_transform_edt(inside & clear, sampling=(3.0 / len(alphas), 1.0 / len(values))))
        row, column = np.unravel_index(int(np.argmax(room)), room.shape)
        place = float(values[column]), float(alphas[row])
        if room[row, column] > 0.07:
            axes.text(*place, family, ha="center", va="center", fontsize="large", color="black", zorder=5)
        else:
            rows, columns = np.nonzero(inside)
            near = np.argmin(np.abs(columns - 0.12 * len(values)))
            target = float(values[columns[near]]), float(alphas[rows[columns == columns[near]]].mean())
            axes.annotate(
                family, target, xytext=(12, 32), textcoords="offset points", fontsize="large", color="black", zorder=5,
                arrowprops={"arrowstyle": "-", "linewidth": 0.8},
            )  # fmt: skip


def _smooth(line: TransitionLine, across: float, top: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return parameter, alpha and error along a line, by a cubic spline through its points in the figure's units."""
    if 2 <= len(line) < 4 and np.all(np.diff(line.parameter) > 0.0) and np.all(np.isfinite(line.tangent)):
        # Too few points for a spline of their own; but the slope at each is known.
        p = np.linspace(line.parameter[0], line.parameter[-1], 20 * len(line))
        a = np.asarray(CubicHermiteSpline(line.parameter, line.alpha, line.tangent)(p))
        return p, a, np.interp(p, line.parameter, line.error)
    points, errors = smooth_line(np.stack([line.parameter / across, line.alpha / top], axis=1), line.error[:, None])
    return points[:, 0] * across, points[:, 1] * top, errors[:, 0]


def style_of(name: str, others: Sequence[str]) -> tuple[str, str, Any, float]:
    """Return label, colour, style and width of a line; lines without a style of their own differ by their dashes.

    Parameters
    ----------
    name
        The line's.
    others
        Names of all lines that are drawn, in order.
    """
    if name in STYLES:
        return STYLES[name]
    place = [other for other in others if other not in STYLES].index(name)
    # A name of the user's is no formula.
    label = name.replace("$", r"\$").replace(" -> ", r" $\to$ ")
    return label, OTHER_COLOURS[place % len(OTHER_COLOURS)], DASHES[place % len(DASHES)], 1.4


def _draw(axes: Axes, line: TransitionLine, names: Sequence[str], across: float, top: float) -> None:
    label, colour, style, width = style_of(line.name, names)
    width *= rcParams["lines.linewidth"] / USUAL_WIDTH
    p, a, error = _smooth(line, across, top)
    if line.metastable is not None and np.any(line.metastable):
        # Beyond a crossing with alpha_c the global minimum does not take part.
        k = (
            np.clip(np.searchsorted(line.parameter, p) - 1, 0, len(line) - 2)
            if np.all(np.diff(line.parameter) > 0)
            else 0
        )
        behind = line.metastable[k] | line.metastable[k + 1]
        axes.plot(p, np.where(behind, a, np.nan), color=colour, linestyle=":", linewidth=0.8, zorder=2)
        a = np.where(behind, np.nan, a)
    axes.plot(p, a, color=colour, linestyle=style, linewidth=width, label=label, zorder=3)  # pyright: ignore[reportArgumentType]
    axes.fill_between(p, a - error, a + error, color=colour, alpha=0.4, linewidth=0, zorder=2)


def plot_lines(lines: LinesContents, request: FigureRequest | None = None) -> Figure:
    """Draw the phase diagram in alpha and the parameter: regions by global minimum, lines with error bands.

    Returns
    -------
    matplotlib.figure.Figure
        A new one, or that of the axes asked for. Regions are told apart by lightness and name, lines by their style,
        so that it can be read in grey. Error bands are mostly thinner than the lines; the largest error is written in
        the legend's title. Lines are drawn as cubic splines through their points.
    """
    request = checked_line_figure() if request is None else request
    with styled(request):
        if request.axes is not None:
            _draw_lines(request.axes[0], lines)
            return root_figure(request.axes[0])
        figure = new_figure(request)
        _frame(figure, figure.subplots(), lines, request)
        return figure


def mark_end(axes: Axes, kind: str, place: tuple[float, float], *, on_the_left: bool = False) -> None:
    """Mark a special point at which a line ends; near the right edge its name stands on the left, and above."""
    axes.plot([place[0]], [place[1]], "o", color="black", zorder=4)
    aside, side = ((-8, 10), "right") if on_the_left else ((8, -16), "left")
    axes.annotate(
        kind, place, xytext=aside, textcoords="offset points", fontsize="small", color="black", ha=side,
        bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.5},
    )  # fmt: skip


def parameters_text(model: Model, varied: Sequence[str]) -> str:
    """Return the model's numbers by their symbols, without the parameters that vary in the figure."""
    fixed = {name: getattr(model, name, None) for name in ("omega", "sigma", "regularization")}
    fixed |= dict(model.parameters)
    known = {name: value for name, value in fixed.items() if name not in varied and value is not None}
    return ", ".join(f"${parameter_latex(model, name)} = {value:g}$" for name, value in known.items())


def _draw_lines(axes: Axes, lines: LinesContents) -> None:
    """Draw regions and lines into axes."""
    drawn = [line for line in lines.lines.values() if len(line)]
    highest = [float(np.max(line.alpha)) for line in drawn if line.name == "alpha_c"] or [
        float(np.median(line.alpha)) * 2.0 for line in drawn
    ]
    top = HEADROOM * max(highest, default=3.0)
    _shade(axes, lines, top)
    for line in drawn:
        _draw(axes, line, [one.name for one in drawn], lines.between[1] - lines.between[0], top)
        for end in line.ends:
            if end is not None and np.isfinite(end.alpha):
                mark_end(axes, end.kind, (end.parameter, end.alpha))
    axes.set_xlabel(f"${parameter_latex(lines.model, lines.over)}$")
    axes.set_ylabel(r"sample complexity $\alpha = n/d$")
    axes.set_xlim(*lines.between)
    axes.set_ylim(0.0, top)
    if not axes.get_label():
        axes.set_label("lines")


def _frame(figure: Figure, axes: Axes, lines: LinesContents, request: FigureRequest) -> None:
    """Draw the axes of a new figure, its title and its legend."""
    _draw_lines(axes, lines)
    top = axes.get_ylim()[1]
    errors = [np.max(line.error[line.alpha <= top], initial=0.0) for line in lines.lines.values() if len(line)]
    title = f"largest error {max(errors):.0e}" if errors else ""
    handles, _ = axes.get_legend_handles_labels()
    if lines.lines.get("alpha_l") is not None and len(lines.lines["alpha_l"]):
        behind = "semantic, behind the linear baseline"
        handles.append(
            Patch(facecolor=REGIONS["semantic"], edgecolor="#c9a68c", hatch="//", linewidth=0.0, label=behind)
        )
    said = parameters_text(lines.model, (lines.over,))
    said += "" if lines.complete else "  (incomplete)"
    # Narrow figures have no room for the words.
    wide = bool(figure.get_figwidth() > 5.0)
    figure.suptitle(", ".join(filter(None, ("global minimum of the training loss" * wide, said))))
    if not lines.columns:
        uncoloured = "regions are not coloured:" + (" " if wide else "\n") + "the global minimum was not computed"
        title = "\n".join(filter(None, (uncoloured, title)))
    place_legend(figure, handles, request, title=title)
