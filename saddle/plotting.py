"""Figures of a phase diagram."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from replica.names import ORDER_PARAMETERS
from saddle.branch import Branch

if TYPE_CHECKING:
    from saddle.phase_diagram import PhaseDiagram

__all__ = ["BRANCH_COLOURS", "plot_phase_diagram"]

BRANCH_COLOURS = {
    "agnostic": "#7f7f7f",
    "positional": "#0072B2",
    "semantic": "#D55E00",
    "mixed": "#CC79A7",
}
"""Colours that stay apart for colour-blind readers (after Okabe and Ito)."""

BRANCH_WIDTHS = {"agnostic": 1.2, "positional": 2.0, "semantic": 2.0, "mixed": 1.2}


def _draw(axes: Axes, branch: Branch, values: np.ndarray) -> None:
    """Draw one quantity of a branch: solid where stable, dashed where not, nothing where it has no own points."""
    colour, width = BRANCH_COLOURS[branch.name], BRANCH_WIDTHS[branch.name]
    own, stable = branch.distinct, branch.stable
    for wanted, style in ((True, "-"), (False, (0, (4, 2)))):
        shown = own & (stable == wanted)
        # A segment belongs to the style of its later end, so that solid and dashed pieces meet.
        joined = shown | np.append(shown[1:] & own[:-1], False)
        axes.plot(branch.alpha, np.where(joined, values, np.nan), color=colour, linestyle=style, linewidth=width)


def _mark_transitions(axes: Axes, diagram: PhaseDiagram, *, label: bool) -> None:
    for transition, style, name in (
        (diagram.alpha_c, "-.", r"$\alpha_c$"),
        (diagram.alpha_l, ":", r"$\alpha_l$"),
    ):
        if transition is None:
            continue
        axes.axvline(transition.alpha, color="black", linestyle=style, linewidth=1.0)
        if label:
            axes.annotate(
                f"{name} = {transition.alpha:.3f}",
                (transition.alpha, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(-3 if name.startswith(r"$\alpha_c") else 3, 4),
                textcoords="offset points",
                ha="right" if name.startswith(r"$\alpha_c") else "left",
                fontsize=9,
            )


def plot_phase_diagram(diagram: PhaseDiagram) -> Figure:
    """Draw overlaps, training loss and test error against alpha for every branch.

    Returns
    -------
    matplotlib.figure.Figure
        Three panels. Lines are solid where state evolution is stable and dashed where it is not; the linear
        baseline is drawn in the panel of test errors.
    """
    from matplotlib.lines import Line2D

    figure = Figure(figsize=(12.5, 4.6), layout="constrained")
    overlaps, losses, errors = figure.subplots(1, 3)
    symbol = {quantity.name: quantity.latex for quantity in ORDER_PARAMETERS}
    for branch in diagram.branches.values():
        quantities = [ORDER_PARAMETERS[index].name for index in branch.sector.broken]
        for quantity in quantities or ["positional_overlap"]:
            _draw(overlaps, branch, branch.order_parameters[quantity])
            births = _births(diagram, branch, quantity)
            overlaps.plot(births, 0.0 * births, "o", color=BRANCH_COLOURS[branch.name], markersize=5, zorder=3)
        _draw(losses, branch, branch.train_loss)
        _draw(errors, branch, branch.test_error)
    _label_overlaps(overlaps, diagram, symbol)
    overlaps.set_ylabel("overlap")
    overlaps.set_ylim(-0.01, 1.08 * overlaps.get_ylim()[1])
    losses.set_ylabel(r"training loss per dimension, $-\Phi$")
    errors.set_ylabel(r"test error per token, $\epsilon_g$")
    baseline = diagram.linear_baseline.test_error
    errors.axhline(baseline, color="#009E73", linestyle="--", linewidth=1.4)
    for axes in (overlaps, losses, errors):
        axes.set_xlabel(r"sample complexity $\alpha = n/d$")
        axes.set_xlim(0.0, float(diagram.alpha[-1]))
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=True)
        axes.grid(alpha=0.25, linewidth=0.5)
        _mark_transitions(axes, diagram, label=axes is overlaps)
    losses.set_ylim(bottom=0.0)
    errors.set_ylim(bottom=0.0)
    handles = [
        Line2D([], [], color=BRANCH_COLOURS[branch.name], linewidth=2, label=branch.name)
        for branch in diagram.branches.values()
        if branch.distinct.any()
    ]
    handles += [
        Line2D([], [], color="black", label="stable"),
        Line2D([], [], color="black", linestyle=(0, (4, 2)), label="unstable"),
        Line2D([], [], color="black", marker="o", linestyle="", label="pitchfork"),
        Line2D([], [], color="#009E73", linestyle="--", label="linear baseline"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    model = diagram.model
    figure.suptitle(
        rf"$\omega = {model.omega:g}$, $\sigma = {model.sigma:g}$, $\lambda = {model.regularization:g}$"
        + ("" if diagram.complete else "  (interrupted: incomplete)")
    )
    return figure


def _label_overlaps(axes: Axes, diagram: PhaseDiagram, symbol: dict[str, str]) -> None:
    """Write each overlap's symbol at the right end of its curve."""
    for branch_name, quantity, rise in (
        ("positional", "positional_overlap", 5),
        ("semantic", "semantic_overlap", -30),
        ("mixed", "positional_overlap", -30),
        ("mixed", "semantic_overlap", 5),
    ):
        branch = diagram.branches.get(branch_name)
        if branch is None or not branch.distinct.any():
            continue
        last = np.flatnonzero(branch.distinct)[-1]
        axes.annotate(
            f"${symbol[quantity]}$ ({branch_name})",
            (branch.alpha[last], branch.order_parameters[quantity][last]),
            xytext=(-4, rise),
            textcoords="offset points",
            ha="right",
            fontsize=9,
            color=BRANCH_COLOURS[branch_name],
        )


def _births(diagram: PhaseDiagram, branch: Branch, quantity: str) -> np.ndarray:
    """Return the pitchforks at which this overlap of a branch grows from zero, (k,)."""
    return np.array(
        [t.alpha for t in diagram.bifurcations if t.between[1] == branch.name and t.unstable_to == quantity]
    )
