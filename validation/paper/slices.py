"""Curves against alpha for several values of one parameter: omega, sigma and lambda, with simulations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from replica import AttentionModel
from saddle.output.figures.dense_curves import dense_curve
from saddle.output.figures.shown_figure import ShownFigure
from saddle.output.figures.styles import BRANCH_COLOURS, QUANTITIES
from validation.comparison.compare import TheoryComparison
from validation.paper.drawing import (
    LOSS_STARTS,
    CompetingFamilies,
    grid_of_alpha,
    losses_apart_of_runs,
    mean_and_error,
)
from validation.paper.settings import PaperSettings, paper_model
from validation.paper.workshop import Workshop

__all__ = ["slice_models", "slices"]

MARKERS = "osDv^"
OWN = {"semantic": "semantic_overlap", "positional-informed": "positional_overlap"}


def slice_models(settings: PaperSettings) -> dict[str, dict[float, AttentionModel]]:
    """Return the models of each row by the value of its parameter, under the parameter's symbol."""
    return {
        r"\omega": {value: paper_model(omega=value) for value in settings.omega_slice},
        r"\sigma": {value: paper_model(sigma=value) for value in settings.sigma_slice},
        r"\lambda": {value: paper_model(regularization=value) for value in settings.lambda_slice},
    }


def slices(workshop: Workshop) -> tuple[Figure, list[TheoryComparison]]:
    """Return the figure, a row per parameter, and the comparisons behind it."""
    settings = workshop.settings
    figure = ShownFigure(figsize=(12.5, 11.0), layout="constrained")
    panels = figure.subplots(3, 3)
    comparisons = []
    for row, (symbol, models) in zip(panels, slice_models(settings).items(), strict=True):
        values = list(models)
        shades = colormaps["viridis"](np.linspace(0.0, 0.85, len(values)))
        for shade, marker, model in zip(shades, MARKERS, models.values(), strict=False):
            diagram = workshop.diagram(model)
            comparison = workshop.comparison(diagram, settings.slice_alphas, settings.slice_seeds)
            _draw(row, comparison, tuple(shade), marker)
            comparisons.append(comparison)
        _label(row, symbol, values, shades, settings.alpha[1])
    fixed = r"otherwise $\omega = 0.3$, $\sigma = 0.5$, $\lambda = 0.01$"
    figure.suptitle(rf"{fixed}; simulations at $d = {settings.dimension}$")
    return figure, comparisons


def _draw(row: Sequence[Axes], comparison: TheoryComparison, colour: tuple[float, ...], marker: str) -> None:
    """Draw one model into the three panels of a row."""
    apart, overlaps, errors = row
    diagram, runs = comparison.diagram, comparison.runs.isel(dimension=-1)
    level, alphas = diagram.attention_baseline.test_error, runs["alpha"].values
    point = {"linestyle": "", "marker": marker, "markersize": 4.5, "capsize": 2, "color": colour, "zorder": 4}
    families = CompetingFamilies.along(diagram)
    apart.plot(families.alpha, families.losses_apart / level, color=colour)
    mean, error = mean_and_error(losses_apart_of_runs(runs) / level)
    apart.errorbar(alphas, mean, yerr=error, **point)
    for start, name in OWN.items():
        branch = diagram.branches[start.split("-")[0]]
        # In units of what the largest possible overlap with the teacher is, so that sigma does not set the scale.
        unit = diagram.attention_model.token_variance if start == "semantic" else 1.0
        curve = dense_curve(diagram, branch)
        if curve is not None:
            own = QUANTITIES[name].of_branch(curve) / unit
            overlaps.plot(curve.alpha, own, color=colour, linestyle="-" if start == "semantic" else "--")
        mean, error = mean_and_error(abs(runs[name].sel(start=start)) / unit)
        filled = colour if start == "semantic" else "white"
        overlaps.errorbar(alphas, mean, yerr=error, markerfacecolor=filled, **point)
    alpha, lowest = families.lowest_error_path
    errors.plot(alpha, lowest / level, color=colour)
    semantic, positional = (runs.sel(start=start) for start in LOSS_STARTS)
    lower = semantic["train_loss"] < positional["train_loss"]
    mean, error = mean_and_error(xr.where(lower, semantic["test_error"], positional["test_error"]) / level)
    errors.errorbar(alphas, mean, yerr=error, **point)


def _label(row: Sequence[Axes], symbol: str, values: Sequence[float], shades: np.ndarray, highest: float) -> None:
    apart, overlaps, errors = row
    apart.axhline(0.0, color="black", linewidth=0.6)
    apart.set_ylabel(r"$(\epsilon_t^{\rm sem} - \epsilon_t^{\rm pos})/\epsilon_{\rm lin}$")
    overlaps.set_ylabel(r"$|\theta|/\sigma^2$ (solid, filled), $|m|$ (dashed, open)")
    errors.set_ylabel(r"$\epsilon_g/\epsilon_{\rm lin}$ of the global minimum")
    errors.axhline(1.0, color=BRANCH_COLOURS["agnostic"], linestyle="--", linewidth=1.2)
    for axes in row:
        grid_of_alpha(axes, highest)
    handles = [
        Line2D([], [], color=tuple(shade), marker=marker, markersize=4.5, label=f"${symbol} = {value:g}$")
        for shade, marker, value in zip(shades, MARKERS, values, strict=False)
    ]
    apart.legend(handles=handles, fontsize=9)
