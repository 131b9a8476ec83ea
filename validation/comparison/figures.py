"""Figures of simulations beside theory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from replica.common.errors import InvalidArgument
from replica.quantities.layout import Layout
from replica.quantities.names import ORDER_PARAMETERS, order_parameters
from replica.quantities.overlap_invariants import OVERLAP_KINDS, overlap_invariants, single_overlaps
from saddle.output.figures.diagram_figure import parameter_title
from saddle.output.figures.shown_figure import ShownFigure
from saddle.output.figures.styles import (
    BRANCH_COLOURS,
    QUANTITIES,
    DrawnQuantity,
    branch_handles,
    draw_branch,
    stability_handles,
)
from validation.comparison.contents import AGREEMENT
from validation.comparison.theory_points import start_family, start_overlaps
from validation.simulation.compared import compared_names

if TYPE_CHECKING:
    from validation.comparison.contents import ComparisonContents

__all__ = ["draw_points", "plot_comparison", "plot_sizes", "quantity_labels"]

START_MARKERS = {
    "semantic": "o", "positional": "v", "positional-informed": "s", "random": "D", "uninformed": "^", "mixed": "P",
}  # fmt: skip
COLUMNS = 3


def quantity_labels(layout: Layout | None = None) -> dict[str, str]:
    """Return the labels of axes by quantity; by default those of the paper's kind of model."""
    layout = layout or Layout()
    symbols = {quantity.name: quantity.latex for quantity in ORDER_PARAMETERS}
    labels = {
        "train_loss": r"training loss per dimension, $-\Phi$",
        "test_error": r"test error per token, $\epsilon_g$",
    }
    for name in compared_names(layout):
        for kind in OVERLAP_KINDS:
            if name.startswith(kind):
                numbers = name.removeprefix(f"{kind}_").replace("_", ",") if name != kind else ""
                symbol = symbols[kind] + (f"_{{{numbers}}}" if numbers else "")
                labels[name] = f"${symbol}$" if kind == OVERLAP_KINDS[0] else f"$|{symbol}|$"
    return labels


def drawn_quantity(layout: Layout, name: str) -> DrawnQuantity:
    """Return what is drawn of a branch beside the runs: an invariant of its order parameters, or a loss."""
    names = [entry.name for entry in order_parameters(layout)]
    if name in QUANTITIES and layout == Layout():
        return QUANTITIES[name]
    if name not in overlap_invariants(layout, dict.fromkeys(names, 0.0)):
        return QUANTITIES[name]

    def invariant(state: np.ndarray) -> float:
        # Nothing is known where nothing is stored.
        if np.any(np.isnan(state)):
            return float("nan")
        return overlap_invariants(layout, dict(zip(names, state.tolist(), strict=True)))[name]

    return DrawnQuantity(
        lambda branch: np.array([invariant(state) for state in branch.states]),
        lambda point: invariant(np.asarray(point.order_parameters)),
    )


def start_colour(start: str, layout: Layout | None = None) -> str:
    """Return the colour of a start: its family's, by default in the paper's kind of model."""
    return BRANCH_COLOURS[start_family(layout or Layout(), start)]


def draw_points(axes: Axes, comparison: ComparisonContents, name: str, *, own_only: bool = False) -> None:
    """Draw the means of one quantity with their standard errors: large sizes filled, smaller ones open.

    With ``own_only``, only runs that start in a family whose own overlap this is.
    """
    part = comparison.statistics.sel(quantity=name)
    sizes = part["dimension"].values
    for start in map(str, part["start"].values):
        if own_only and name not in start_overlaps(comparison.layout, start):
            continue
        colour = start_colour(start, comparison.layout)
        for dimension in sizes:
            here = part.sel(start=start, dimension=dimension)
            mean = np.abs(here["mean"].values) if name in single_overlaps(comparison.layout) else here["mean"].values
            filled = dimension == sizes[-1]
            axes.errorbar(
                here["alpha"].values, mean, yerr=here["standard_error"].values, linestyle="",
                marker=START_MARKERS[start], color=colour, markersize=5, capsize=2, elinewidth=1,
                markerfacecolor=colour if filled else "white", markeredgecolor="black" if filled else None,
                markeredgewidth=0.5 if filled else 1.0, zorder=4,
            )  # fmt: skip


def plot_comparison(comparison: ComparisonContents) -> Figure:
    """Draw every compared quantity against alpha, points on curves, and the deviations in standard errors.

    Returns
    -------
    matplotlib.figure.Figure
        A panel per quantity, and one for the deviations; six for the paper's kind of model. Curves are the positional
        and semantic branches, and the agnostic one, dashed where state evolution is unstable; mixed ones only where
        runs are compared with them. Points are means over seeds, filled for the largest size.
    """
    diagram = comparison.diagram
    figure, panels = _panels(len(compared_names(comparison.layout)) + 1)
    labels = quantity_labels(comparison.layout)
    alphas = comparison.runs["alpha"].values
    reach = (0.0, 1.04 * float(alphas.max()))
    compared = {point.branch for point in comparison.points.values()}
    shown = {b.name: b for b in diagram.branches.values() if not _is_mixed(b.sector.name) or b.name in compared}
    for axes, name in zip(panels, compared_names(comparison.layout), strict=False):
        for branch in shown.values():
            draw_branch(axes, diagram, branch, drawn_quantity(comparison.layout, name))
        draw_points(axes, comparison, name)
        axes.set_ylabel(labels[name])
        _fit_height(axes, reach)
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=True)
    _draw_deviations(panels[-1], comparison)
    for axes in panels:
        axes.set_xlim(*reach)
        axes.set_xlabel(r"sample complexity $\alpha = n/d$")
        axes.grid(alpha=0.25, linewidth=0.5)
    families = {branch.sector.name for branch in shown.values()}
    of_branches = [handle for handle in branch_handles(diagram) if handle.get_label() in families]
    handles = [*of_branches, *stability_handles(), *_start_handles(comparison)]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 8), frameon=False)
    figure.suptitle(parameter_title(diagram))
    return figure


def _is_mixed(family: str) -> bool:
    return family.startswith("mixed")


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    """Return a figure with so many panels, in rows of three."""
    rows = -(-count // COLUMNS)
    figure = ShownFigure(figsize=(12.5, 3.6 * rows), layout="constrained")
    panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel().tolist()
    for unused in panels[count:]:
        unused.remove()
    return figure, panels[:count]


def _fit_height(axes: Axes, reach: tuple[float, float]) -> None:
    """Fit the height of a panel to what is drawn within the range of alpha."""
    highest = 0.0
    for line in axes.get_lines():
        x, y = (np.asarray(line.get_data()[k], dtype=float) for k in (0, 1))
        inside = (x <= reach[1]) & np.isfinite(y)
        if inside.any():
            highest = max(highest, float(np.max(y[inside])))
    axes.set_ylim(-0.03 * highest, 1.08 * highest if highest > 0 else 1.0)


def _draw_deviations(axes: Axes, comparison: ComparisonContents) -> None:
    """Draw the significance of every difference where the start's branch exists, open markers elsewhere."""
    judged = comparison.judged
    width = 0.012 * float(judged["alpha"].values.max())
    names = compared_names(comparison.layout)
    largest = AGREEMENT
    for start in map(str, judged["start"].values):
        colour = start_colour(start, comparison.layout)
        for alpha in map(float, judged["alpha"].values):
            exists = comparison.points[start, alpha].exists
            for k, name in enumerate(names):
                value = float(judged["significance"].sel(start=start, alpha=alpha, quantity=name))
                largest = max(largest, abs(value)) if exists and np.isfinite(value) else largest
                axes.plot(
                    alpha + width * (k - len(names) // 2), value, START_MARKERS[start], color=colour, markersize=4,
                    markerfacecolor=colour if exists else "white",
                )  # fmt: skip
    axes.axhspan(-AGREEMENT, AGREEMENT, color="#dddddd", zorder=0, linewidth=0)
    axes.axhline(0.0, color="black", linewidth=0.6)
    axes.set_ylim(-1.15 * max(largest, 4.0), 1.15 * max(largest, 4.0))
    axes.set_ylabel("deviation from theory in standard errors")
    letters = [quantity_labels(comparison.layout)[name].replace("|", "") for name in names[:-2]]
    axes.set_title("left to right: " + ", ".join((*letters, "loss", "error")), fontsize=9)


def _start_handles(comparison: ComparisonContents) -> list[Line2D]:
    """Return entries of a legend for starts and sizes."""
    starts = [
        Line2D(
            [],
            [],
            color=start_colour(start, comparison.layout),
            marker=START_MARKERS[start],
            linestyle="",
            label=f"{start} start",
        )
        for start in map(str, comparison.runs["start"].values)
    ]
    sizes = comparison.runs["dimension"].values
    if len(sizes) == 1:
        return starts
    style: dict[str, Any] = {"color": "black", "marker": "o", "linestyle": ""}
    return [
        *starts,
        Line2D([], [], **style, label=f"$d = {sizes[-1]}$"),
        Line2D([], [], **style, markerfacecolor="white", label="$d = " + ", ".join(map(str, sizes[:-1])) + "$"),
    ]


def plot_sizes(comparison: ComparisonContents, alpha: float) -> Figure:
    """Draw every compared quantity against 1/d at one alpha, with the fitted line and theory at 1/d = 0.

    Raises
    ------
    ValueError
        If the comparison has one size only, or not this alpha.
    """
    if comparison.extrapolated is None:
        raise InvalidArgument("the comparison has one size only: give two or more dimensions")
    if alpha not in comparison.runs["alpha"].values:
        raise InvalidArgument(f"alpha must be one of {comparison.runs['alpha'].values.tolist()}, got {alpha!r}")
    figure, panels = _panels(len(compared_names(comparison.layout)) + 1)
    labels = quantity_labels(comparison.layout)
    inverse = 1.0 / comparison.runs["dimension"].values.astype(float)
    for axes, name in zip(panels, compared_names(comparison.layout), strict=False):
        part = comparison.statistics.sel(quantity=name, alpha=alpha)
        limit = comparison.extrapolated.sel(quantity=name, alpha=alpha)
        for start in map(str, part["start"].values):
            here, fit, colour = part.sel(start=start), limit.sel(start=start), start_colour(start, comparison.layout)
            signs = np.abs if name in single_overlaps(comparison.layout) else np.asarray
            axes.errorbar(
                inverse, signs(here["mean"].values), yerr=here["standard_error"].values, linestyle="", capsize=2,
                marker=START_MARKERS[start], color=colour, markersize=5,
            )  # fmt: skip
            reach = np.array([0.0, inverse.max()])
            axes.plot(reach, float(fit["mean"]) + float(fit["slope"]) * reach, color=colour, linewidth=0.8)
            axes.plot([0.0], [abs(float(fit["theory"]))], "*", color=colour, markersize=13, markeredgecolor="black")
        axes.set_xlabel("$1/d$")
        axes.set_ylabel(labels[name])
        axes.grid(alpha=0.25, linewidth=0.5)
        axes.ticklabel_format(axis="both", style="sci", scilimits=(-2, 3), useMathText=True)
    panels[-1].axis("off")
    handles = [
        *(handle for handle in _start_handles(comparison) if "start" in str(handle.get_label())),
        Line2D([], [], color="black", linewidth=0.8, label="fit $a + b/d$"),
        Line2D([], [], color="black", marker="*", markersize=13, linestyle="", label=r"theory, $d \to \infty$"),
    ]
    panels[-1].legend(handles=handles, loc="center", frameon=False)
    figure.suptitle(parameter_title(comparison.diagram) + rf", $\alpha = {alpha:g}$")
    return figure
