"""Phase diagrams in (alpha, omega): by training loss, and by test error against the linear positional layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from replica import AttentionModel
from saddle import PhaseDiagram, TransitionLine
from saddle.output.figures.shown_figure import ShownFigure
from validation.paper.drawing import (
    ALPHA_LABEL,
    DIVERGING,
    LOSS_STARTS,
    CompetingFamilies,
    centred_norm,
    losses_apart_of_runs,
    mean_and_error,
)
from validation.paper.workshop import Workshop

__all__ = ["MapResult", "interpolated_fields", "phase_map"]

Numbers = NDArray[np.float64]

# Rows of a map.
FINE = 201
LINE_STYLES = {
    "alpha_c": ("black", "-", r"$\alpha_c$: equal training losses"),
    "agnostic -> semantic": ("#555555", (0, (3, 1, 1, 1)), "agnostic to semantic, continuous"),
    "agnostic -> positional": ("#555555", (0, (1, 1)), "agnostic to positional, continuous"),
    "alpha_l": ("black", (0, (6, 2)), r"$\alpha_l$: the global minimum beats the linear layer"),
}


@dataclass(frozen=True, eq=False)
class MapResult:
    """What a map shows.

    Attributes
    ----------
    figure
        The figure.
    diagrams
        One per value of omega.
    lines
        Lines of transitions by name, of those that some diagram has.
    sign_agreement
        Of the training losses apart, and of the test error apart: the number of simulated points at which theory and
        runs differ from zero by more than three standard errors, and how many of them have the same sign.
    """

    figure: Figure
    diagrams: tuple[PhaseDiagram, ...]
    lines: dict[str, TransitionLine]
    sign_agreement: tuple[tuple[int, int], tuple[int, int]]


def phase_map(
    workshop: Workshop,
    models: Sequence[AttentionModel],
    title: str,
    published: Sequence[Sequence[tuple[float, float]]] = ((), ()),
) -> MapResult:
    """Draw both phase diagrams of a family of models.

    Parameters
    ----------
    workshop
        Computes and keeps.
    models
        One model at increasing values of omega.
    title
        Of the figure.
    published
        Published points (alpha, omega) of alpha_c and of alpha_l, to be marked.
    """
    settings = workshop.settings
    omegas = np.array([model.omega for model in models])
    diagrams = tuple(workshop.diagram(model) for model in models)
    between = (float(omegas[0]), float(omegas[-1]))
    wanted = [name for name in LINE_STYLES if settings.continuous_lines or name in ("alpha_c", "alpha_l")]
    lines = workshop.lines(diagrams, wanted)
    alpha, fine, fields = interpolated_fields(diagrams)
    simulated = range(0, len(omegas), 2) if len(omegas) > 4 else range(len(omegas))
    runs = {
        k: workshop.runs(diagrams[k].attention_model, settings.map_alphas, settings.map_dimension, settings.map_seeds)
        for k in simulated
    }
    simulated_pairs = [
        (losses_apart_of_runs(part).isel(dimension=0), _errors_apart_of_runs(part, diagrams[k]))
        for k, part in runs.items()
    ]
    figure = ShownFigure(figsize=(12.5, 6.0), layout="constrained")
    panels = figure.subplots(1, 2)
    names = (
        r"$\epsilon_t^{\rm sem} - \epsilon_t^{\rm pos}$ (training losses apart)",
        r"$\epsilon_g - \epsilon_{\rm lin}$ (test error of the global minimum, against the linear layer)",
    )
    shown = (("alpha_c", "agnostic -> semantic", "agnostic -> positional"), ("alpha_c", "alpha_l"))
    agreement = []
    for which, axes in enumerate(panels):
        norm = centred_norm(fields[which])
        painted = axes.pcolormesh(alpha, fine, fields[which], cmap=DIVERGING, norm=norm, shading="nearest")
        painted.set_rasterized(True)
        figure.colorbar(painted, ax=axes, label=names[which], location="bottom", shrink=0.9, format="%.3g")
        for omega_index, pair in zip(runs, simulated_pairs, strict=True):
            means = pair[which].mean("seed").values
            places = np.full(means.shape, omegas[omega_index])
            axes.scatter(
                settings.map_alphas, places, c=means, cmap=DIVERGING, norm=norm, edgecolors="black", linewidths=0.6,
                s=36, zorder=5, clip_on=False,
            )  # fmt: skip
        drawn = [name for name in shown[which] if name in lines]
        for name in drawn:
            _draw_line(axes, lines[name], name)
        marks = published[which]
        if marks:
            axes.plot(
                [a for a, _ in marks], [w for _, w in marks], "x", color="black", markersize=5, zorder=6,
            )  # fmt: skip
        axes.set_xlabel(ALPHA_LABEL)
        axes.set_ylabel(r"positional weight of the target, $\omega$")
        axes.set_xlim(0.0, settings.alpha[1])
        axes.set_ylim(*between)
        agreement.append(_agreement(diagrams, simulated_pairs, which, settings.map_alphas, list(runs)))
    handles = _handles(list(lines), any(map(len, published)), settings.map_dimension)
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(title)
    return MapResult(figure, diagrams, lines, (agreement[0], agreement[1]))


def interpolated_fields(diagrams: Sequence[PhaseDiagram]) -> tuple[Numbers, Numbers, tuple[Numbers, Numbers]]:
    """Return values of alpha and of omega, and on them the training losses apart and the test error apart.

    Both families are interpolated, each by itself, and compared afterwards: so the test error jumps where the global
    minimum does, between two values of omega, too.
    """
    omegas = np.array([diagram.attention_model.omega for diagram in diagrams])
    fine = np.linspace(omegas[0], omegas[-1], FINE)
    alpha = np.linspace(diagrams[0].alpha[0], diagrams[0].alpha[-1], FINE)
    families = [CompetingFamilies.of(diagram) for diagram in diagrams]

    def between(name: str) -> Numbers:
        table = [np.interp(alpha, d.alpha, getattr(f, name)) for d, f in zip(diagrams, families, strict=True)]
        return np.array([np.interp(fine, omegas, column) for column in np.array(table).T]).T

    interpolated = CompetingFamilies(*(between(field.name) for field in dataclasses.fields(CompetingFamilies)))
    level = np.interp(fine, omegas, [diagram.attention_baseline.test_error for diagram in diagrams])
    return alpha, fine, (interpolated.losses_apart, interpolated.lowest_error - level[:, None])


def _on_grid(diagram: PhaseDiagram) -> tuple[Numbers, Numbers]:
    """Return the same for one diagram, each (n,)."""
    families = CompetingFamilies.of(diagram)
    return families.losses_apart, families.lowest_error - diagram.attention_baseline.test_error


def _errors_apart_of_runs(runs: xr.Dataset, diagram: PhaseDiagram) -> xr.DataArray:
    """Return the same of training runs, of whose two starts the one with the lower training loss counts."""
    semantic, positional = (runs.isel(dimension=0).sel(start=start) for start in LOSS_STARTS)
    lower = semantic["train_loss"] < positional["train_loss"]
    return xr.where(lower, semantic["test_error"], positional["test_error"]) - diagram.attention_baseline.test_error


def _draw_line(axes: Axes, line: TransitionLine, name: str) -> None:
    """Draw a line of transitions; a crossing of the baseline only where the branch is the global minimum."""
    colour, dashes, _ = LINE_STYLES[name]
    hidden = np.zeros(len(line.alpha), dtype=bool) if line.metastable is None else line.metastable
    axes.plot(
        np.where(hidden, np.nan, line.alpha), line.parameter, color=colour, linestyle=dashes, linewidth=1.6, zorder=4
    )


def _handles(names: Sequence[str], published: bool, dimension: int) -> list[Line2D]:
    """Return the entries of the legend."""
    handles = [
        Line2D([], [], color=LINE_STYLES[name][0], linestyle=LINE_STYLES[name][1], label=LINE_STYLES[name][2])  # pyright: ignore[reportArgumentType]
        for name in names
    ]
    if published:
        handles.append(Line2D([], [], color="black", marker="x", linestyle="", label="published"))
    label = f"simulations, $d = {dimension}$"
    handles.append(Line2D([], [], color="black", marker="o", markerfacecolor="white", linestyle="", label=label))
    return handles


def _agreement(
    diagrams: Sequence[PhaseDiagram],
    pairs: Sequence[tuple[xr.DataArray, xr.DataArray]],
    which: int,
    simulated: Sequence[float],
    rows: Sequence[int],
) -> tuple[int, int]:
    """Return the number of simulated points that are clear, and of those of them with the sign of theory."""
    same = counted = 0
    for row, pair in zip(rows, pairs, strict=True):
        theory = np.interp(simulated, diagrams[row].alpha, _on_grid(diagrams[row])[which])
        mean, error = mean_and_error(pair[which])
        clear = (np.abs(mean) > 3 * error) & (np.abs(theory) > 3 * error)
        same += int(np.sum(clear & (np.sign(mean) == np.sign(theory))))
        counted += int(np.sum(clear))
    return counted, same
