"""Overlaps, test error and difference of training losses against alpha at omega = 0.3, with simulations."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from replica.symmetry.sectors import Sector
from saddle import PhaseDiagram
from saddle.output.figures.diagram_figure import parameter_title
from saddle.output.figures.shown_figure import ShownFigure
from saddle.output.figures.styles import (
    BRANCH_COLOURS,
    QUANTITIES,
    baseline_style,
    branch_handles,
    draw_baseline,
    draw_branch,
    stability_handles,
)
from validation.comparison.compare import TheoryComparison
from validation.comparison.figures import draw_points
from validation.paper.drawing import CompetingFamilies, grid_of_alpha, losses_apart_of_runs, mean_and_error
from validation.paper.settings import paper_model
from validation.paper.workshop import Workshop

__all__ = ["draw_losses_apart", "overview"]

FAMILIES = (Sector.POSITIONAL, Sector.SEMANTIC)


def overview(workshop: Workshop) -> tuple[Figure, TheoryComparison]:
    """Return the figure, and the comparison behind it."""
    settings = workshop.settings
    diagram = workshop.diagram(paper_model())
    comparison = workshop.comparison(diagram, settings.curve_alphas, settings.curve_seeds)
    figure = ShownFigure(figsize=(12.5, 4.6), layout="constrained")
    apart, overlaps, errors = figure.subplots(1, 3)
    draw_losses_apart(apart, diagram, comparison, "black")
    apart.axhline(0.0, color="black", linewidth=0.6)
    apart.set_ylabel(r"training losses apart, $\epsilon_t^{\rm sem} - \epsilon_t^{\rm pos}$")
    for branch in diagram.branches.values():
        # Of a family's pieces that from which its runs start.
        if branch.sector in FAMILIES and branch.name == branch.family:
            for index in branch.sector.broken:
                name = "positional_overlap" if index == 1 else "semantic_overlap"
                draw_branch(overlaps, diagram, branch, QUANTITIES[name])
            draw_branch(errors, diagram, branch, QUANTITIES["test_error"])
    for name in ("positional_overlap", "semantic_overlap"):
        draw_points(overlaps, comparison, name, own_only=True)
    draw_points(errors, comparison, "test_error")
    draw_baseline(errors, diagram.attention_baseline, diagram.alpha)
    overlaps.set_ylabel(r"overlap: $|m|$ (positional), $|\theta|$ (semantic)")
    errors.set_ylabel(r"test error per token, $\epsilon_g$")
    errors.set_ylim(bottom=0.0)
    for axes in (apart, overlaps, errors):
        grid_of_alpha(axes, settings.alpha[1])
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=True)
        _mark(axes, diagram, label=axes is overlaps)
    colour, dashes = baseline_style(diagram.attention_baseline.name)
    shown = {sector.name for sector in FAMILIES}
    handles = [
        *(handle for handle in branch_handles(diagram) if handle.get_label() in shown),
        *stability_handles(),
        Line2D([], [], color=BRANCH_COLOURS["positional"], marker="s", linestyle="", label="descent from encodings"),
        Line2D([], [], color=BRANCH_COLOURS["semantic"], marker="o", linestyle="", label="descent from teacher"),
        Line2D([], [], color=colour, linestyle=dashes, label="linear positional layer"),  # pyright: ignore[reportArgumentType]
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9)
    figure.suptitle(f"{parameter_title(diagram)}; simulations at $d = {settings.dimension}$")
    return figure, comparison


def draw_losses_apart(axes: Axes, diagram: PhaseDiagram, comparison: TheoryComparison, colour: str) -> None:
    """Draw the difference of the training losses, theory as a curve and runs as points."""
    families = CompetingFamilies.along(diagram)
    axes.plot(families.alpha, families.losses_apart, color=colour, linewidth=1.6)
    mean, error = mean_and_error(losses_apart_of_runs(comparison.runs).isel(dimension=-1))
    axes.errorbar(
        comparison.runs["alpha"].values, mean, yerr=error, linestyle="", marker="o", markersize=4, capsize=2,
        color=colour, zorder=4,
    )  # fmt: skip


def _mark(axes: Axes, diagram: PhaseDiagram, *, label: bool) -> None:
    """Mark alpha_c and alpha_l."""
    for transition, style, name, side in (
        (diagram.alpha_c, "-.", r"$\alpha_c$", "right"),
        (diagram.alpha_l, ":", r"$\alpha_l$", "left"),
    ):
        if transition is None:
            continue
        axes.axvline(transition.alpha, color="black", linestyle=style, linewidth=1.0)
        if label:
            digits = max(3, round(-np.log10(max(transition.error, 1e-5))) - 1)
            axes.annotate(
                f"{name} = {transition.alpha:.{min(digits, 4)}f}", (transition.alpha, 1.0),
                xycoords=("data", "axes fraction"), xytext=(-3 if side == "right" else 3, 4),
                textcoords="offset points", ha=side, fontsize=9,
            )  # fmt: skip
