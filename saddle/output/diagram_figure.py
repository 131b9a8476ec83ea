"""Figures of a phase diagram."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from baselines import Baseline
from replica.quantities.names import model_parameters
from replica.reports.typesetting.parameter_letters import parameter_letters
from saddle.output.styles import (
    BRANCH_COLOURS,
    QUANTITIES,
    baseline_style,
    branch_handles,
    draw_baseline,
    draw_branch,
    overlap,
    stability_handles,
)

if TYPE_CHECKING:
    from saddle.branches.branch import Branch
    from saddle.diagram.contents import DiagramContents

__all__ = ["parameter_title", "plot_phase_diagram"]

# Part of the axis that a label of a transition takes.
CROWDED = 0.3


def _mark_transitions(axes: Axes, diagram: DiagramContents, latex: Callable[[str], str], *, label: bool) -> None:
    named = [(diagram.alpha_c, "-.", r"\alpha_c"), (diagram.alpha_l, ":", r"\alpha_l")]
    named += [(jump, "-.", "") for jump in diagram.first_order if jump != diagram.alpha_c]
    marks: dict[float, list[str]] = {}
    for transition, style, symbol in named:
        if transition is not None and transition.resolved:
            axes.axvline(transition.alpha, color="black", linestyle=style, linewidth=1.0)
            marks.setdefault(transition.alpha, []).extend([symbol] if symbol else [])
    if not label or not marks:
        return
    places, (low, high) = sorted(marks), axes.get_xlim()
    for alpha, following in zip(places, [*places[1:], np.inf], strict=True):
        # To the left of the line where the next one is near.
        crowded = following - alpha < CROWDED * (high - low)
        symbols = " = ".join(f"${latex(symbol)}$" for symbol in marks[alpha] or [r"\alpha"])
        axes.annotate(
            f"{symbols} = {alpha:.3f}",
            (alpha, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-3 if crowded else 3, 4),
            textcoords="offset points",
            ha="right" if crowded else "left",
            fontsize=9,
        )


def plot_phase_diagram(
    diagram: DiagramContents,
    baselines: Sequence[Baseline] | None = None,
    *,
    latex: Callable[[str], str] = lambda formula: formula,
    square: bool = False,
) -> Figure:
    """Draw overlaps, training loss and test error against alpha for every branch.

    Parameters
    ----------
    diagram
        What is drawn.
    baselines
        What test errors are compared with; by default, the linear positional layer.
    latex
        What formulas of labels are passed through, so that they can have other letters.
    square
        Whether panels stand two by two, with the legend in the place of the fourth, for the width of a page.

    Returns
    -------
    matplotlib.figure.Figure
        Three panels. Lines are solid where state evolution is stable and dashed where it is not; baselines are drawn
        in the panel of test errors.
    """
    compared = (diagram.linear_baseline,) if baselines is None else baselines
    figure = Figure(figsize=(7.4, 6.4) if square else (12.5, 4.6), layout="constrained")
    panels = figure.subplots(2, 2).ravel() if square else figure.subplots(1, 3)
    overlaps, losses, errors = panels[:3]
    for branch in diagram.branches.values():
        for index in branch.sector.broken or branch.evolution.space.odd[:1]:
            draw_branch(overlaps, diagram, branch, overlap(index))
        draw_branch(losses, diagram, branch, QUANTITIES["train_loss"])
        draw_branch(errors, diagram, branch, QUANTITIES["test_error"])
    _mark_bifurcations(overlaps, diagram)
    _label_overlaps(overlaps, diagram, latex)
    overlaps.set_ylabel("overlap")
    top = max(
        (line.get_ydata().max(initial=0.0, where=np.isfinite(line.get_ydata())) for line in overlaps.lines), default=0.0
    )
    overlaps.set_ylim(-0.01, 1.08 * overlaps.get_ylim()[1] if top > 0.0 else 1.0)
    losses.set_ylabel("training loss per dimension, $" + latex(r"-\Phi") + "$")
    errors.set_ylabel("test error per token, $" + latex(r"\epsilon_g") + "$")
    for baseline in compared:
        draw_baseline(errors, baseline, diagram.alpha)
    for axes in (overlaps, losses, errors):
        axes.set_xlabel("sample complexity $" + latex(r"\alpha = n/d") + "$")
        axes.set_xlim(0.0, float(diagram.alpha[-1]))
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=True)
        axes.grid(alpha=0.25, linewidth=0.5)
        _mark_transitions(axes, diagram, latex, label=axes is overlaps)
    losses.set_ylim(bottom=0.0)
    errors.set_ylim(bottom=0.0)
    handles = [*branch_handles(diagram), *stability_handles(), *_special_handles(diagram), *_baseline_handles(compared)]
    if square:
        panels[3].axis("off")
        panels[3].legend(handles=handles, loc="center", frameon=False)
    else:
        figure.legend(handles=handles, loc="outside lower center", ncols=(len(handles) + 1) // 2, frameon=False)
    figure.suptitle(parameter_title(diagram, latex) + ("" if diagram.complete else "  (interrupted: incomplete)"))
    return figure


def parameter_title(diagram: DiagramContents, latex: Callable[[str], str] = lambda formula: formula) -> str:
    """Return the model's parameters as a title."""
    model = diagram.model
    values, own = model.parameter_values(), dict(model.parameters)
    parameters = model_parameters(model.structure)
    letters = parameter_letters(parameters)
    shown = [
        f"${latex(letters[quantity.name])} = {values[quantity.name]:g}$"
        for quantity in parameters
        if quantity.name in ("omega", "sigma", "regularization") or quantity.name in own
    ]
    sizes = [("L", model.sequence_length, 2), ("r", model.rank, 1), ("t", model.teacher_rank, 1)]
    unlike = [f"${latex(letter)} = {value}$" for letter, value, usual in sizes if value != usual]
    return ", ".join(unlike + shown)


def _special_handles(diagram: DiagramContents) -> list[Line2D]:
    """Return entries of a legend for the kinds of bifurcations that there are."""
    handles = []
    kinds = {transition.criticality for transition in diagram.bifurcations if transition.points}
    if "supercritical" in kinds or any(t.kind == "onset" for t in diagram.bifurcations):
        named = "supercritical pitchfork" if "supercritical" in kinds else "leaves $Q = 0$"
        handles.append(Line2D([], [], color="black", marker="o", linestyle="", label=named))
    if "subcritical" in kinds:
        handles.append(
            Line2D([], [], color="black", marker="o", markerfacecolor="white", linestyle="", label="subcritical")
        )
    if "unknown" in kinds:
        handles.append(
            Line2D([], [], color="black", marker="o", markerfacecoloralt="white", fillstyle="bottom", linestyle="",
                   label="pitchfork, not known which")
        )  # fmt: skip
    if any(transition.kind == "fold" and transition.points for transition in diagram.bifurcations):
        handles.append(Line2D([], [], color="black", marker="s", markerfacecolor="white", linestyle="", label="fold"))
    return handles


def _baseline_handles(baselines: Sequence[Baseline]) -> list[Line2D]:
    """Return entries of a legend for baselines."""
    styles = [(baseline.name, *baseline_style(baseline.name)) for baseline in baselines]
    return [
        Line2D([], [], color=colour, linestyle=dashes, label=name)  # pyright: ignore[reportArgumentType]
        for name, colour, dashes in styles
    ]


def _label_overlaps(axes: Axes, diagram: DiagramContents, latex: Callable[[str], str]) -> None:
    """Write each overlap's symbol at the right end of its curve."""
    rises = {"positional_overlap": 5, "semantic_overlap": -30}
    for branch_name, branch in diagram.branches.items():
        if branch_name not in ("positional", "semantic", "mixed") or not branch.distinct.any():
            continue
        for index in branch.sector.broken:
            quantity = branch.evolution.space.quantities[index]
            rise = -14 if (branch_name, quantity.kind) == ("mixed", "semantic_overlap") else rises[quantity.kind]
            _label(axes, branch, index, f"${latex(quantity.latex)}$ ({branch_name})", rise)


def _label(axes: Axes, branch: Branch, index: int, text: str, rise: float) -> None:
    """Write a text at the right end of one overlap's curve."""
    values = np.where(branch.distinct, branch.states[:, index], np.nan)
    last = np.flatnonzero(branch.distinct)[-1]
    runs_on = last == branch.alpha.size - 1
    place = last if runs_on else int(np.nanargmax(values))
    # A peak at the left is not to push its label over the axis.
    beside = "right" if runs_on else "left" if branch.alpha[place] < 0.2 * branch.alpha[-1] else "center"
    axes.annotate(
        text,
        (branch.alpha[place], values[place]),
        xytext=(-4, rise) if runs_on else (0, 5),
        textcoords="offset points",
        ha=beside,
        fontsize=9,
        color=BRANCH_COLOURS[branch.family],
        bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.3},
    )


def _mark_bifurcations(axes: Axes, diagram: DiagramContents) -> None:
    """Mark pitchforks and folds at their overlaps: filled where supercritical, open where not, squares for folds.

    Pitchforks of which this is not known are filled by half.
    """
    for transition in diagram.bifurcations:
        if not transition.points:
            continue
        name = transition.between[1].split()[0]
        colour = BRANCH_COLOURS.get(name, "black")
        filled = transition.kind == "onset" or transition.criticality in ("supercritical", "unknown")
        state = transition.points[0].order_parameters
        space = next(iter(diagram.branches.values())).evolution.space
        for index in space.odd:
            grows = space.quantities[index].name == transition.unstable_to
            if grows or state[index] != 0.0:
                axes.plot(
                    [transition.alpha], [state[index]], "s" if transition.kind == "fold" else "o", color=colour,
                    markersize=5, markerfacecolor=colour if filled else "white", markerfacecoloralt="white", zorder=3,
                    fillstyle="bottom" if transition.criticality == "unknown" else "full",
                )  # fmt: skip
