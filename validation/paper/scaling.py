"""How simulations approach theory with the dimension d, at alpha = 1.5."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from saddle.output.figures.diagram_figure import parameter_title
from saddle.output.figures.shown_figure import ShownFigure
from validation.comparison.compare import TheoryComparison
from validation.comparison.figures import START_MARKERS, quantity_labels, start_colour
from validation.comparison.theory_points import start_overlaps
from validation.paper.settings import paper_model
from validation.paper.workshop import Workshop

__all__ = ["SCALING_ALPHA", "scaling"]

SCALING_ALPHA = 1.5
# Smaller sizes show corrections beyond 1/d, which an extrapolation in 1/d must not see.
LARGE = 100


def scaling(workshop: Workshop) -> tuple[Figure, TheoryComparison]:
    """Return the figure, and the comparison extrapolated from the larger sizes."""
    settings = workshop.settings
    diagram = workshop.diagram(paper_model())
    alphas = (SCALING_ALPHA,)
    comparison = workshop.comparison(diagram, alphas, settings.size_seeds, dimensions=settings.sizes)
    figure = ShownFigure(figsize=(12.5, 7.2), layout="constrained")
    panels = figure.subplots(2, 3).ravel()
    labels = quantity_labels()
    for axes, name in zip(panels, ("self_overlap", "own", "other", "train_loss", "test_error"), strict=False):
        for start in map(str, comparison.statistics["start"].values):
            _draw(axes, comparison, start, name)
        axes.set_xscale("log")
        axes.set_xlabel("dimension $d$")
        axes.grid(alpha=0.25, linewidth=0.5, which="both")
        axes.set_ylabel(labels.get(name, ""))
    panels[1].set_ylabel(r"own overlap, $|m|$ or $|\theta|$")
    panels[2].set_ylabel(r"mean magnitude of the other overlap")
    panels[2].set_yscale("log")
    sizes = np.array(settings.sizes, dtype=float)
    panels[2].plot(sizes, 0.5 / np.sqrt(sizes), color="black", linewidth=0.8, linestyle=":")
    panels[5].axis("off")
    handles = [
        *(
            Line2D([], [], color=start_colour(s), marker=START_MARKERS[s], linestyle="", label=f"{s} start")
            for s in map(str, comparison.statistics["start"].values)
        ),
        Line2D([], [], color="black", linewidth=1.4, label=r"theory, $d \to \infty$"),
        Line2D([], [], color="black", linewidth=0.8, linestyle=":", label=r"$\propto 1/\sqrt{d}$"),
    ]
    panels[5].legend(handles=handles, loc="center", frameon=False)
    figure.suptitle(f"{parameter_title(diagram)}, $\\alpha = {SCALING_ALPHA:g}$, {settings.size_seeds} data sets each")
    large = [size for size in settings.sizes if size >= LARGE]
    if len(large) > 1:
        comparison = workshop.comparison(diagram, alphas, settings.size_seeds, dimensions=large)
    return figure, comparison


def _draw(axes: Axes, comparison: TheoryComparison, start: str, name: str) -> None:
    """Draw one quantity of one start against d, with theory."""
    overlaps = ("positional_overlap", "semantic_overlap")
    (own,) = start_overlaps(comparison.layout, start)
    wanted = {"own": own, "other": next(n for n in overlaps if n != own)}.get(name, name)
    part = comparison.statistics.sel(start=start, alpha=SCALING_ALPHA, quantity=wanted)
    mean = part["magnitude"].values if name == "other" else part["mean"].values
    error = part["standard_error"].values
    if name == "other":
        # Of the magnitudes, for variables that are about normal with mean zero.
        error = error * math.sqrt(1 - 2 / math.pi)
    axes.errorbar(
        part["dimension"].values, mean, yerr=error, linestyle="", capsize=2, marker=START_MARKERS[start], markersize=5,
        color=start_colour(start),
    )  # fmt: skip
    if name != "other":
        axes.axhline(abs(float(part["theory"].values[-1])), color=start_colour(start), linewidth=1.4)
