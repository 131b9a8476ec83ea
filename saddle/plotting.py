"""Figures of a phase diagram."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from replica.names import MODEL_PARAMETERS, ORDER_PARAMETERS
from replica.sectors import POSITIONAL_INDEX, SEMANTIC_INDEX, Sector
from saddle.branch import Branch
from saddle.transitions import TransitionPoint

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


def _with_ends(diagram: PhaseDiagram, branch: Branch, quantity: Quantity) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return alpha, a quantity and stability along a branch, with the bifurcations at which it begins and ends.

    At such a point the branch has the stability of its nearest grid point: which of the two sides of a pitchfork or
    fold it belongs to is told by its other points.
    """
    own = branch.distinct
    values = quantity.of_branch(branch)
    rows = list(zip(branch.alpha[own], values[own], branch.stable[own], strict=True))
    if not rows:
        return np.zeros(0), np.zeros(0), np.zeros(0, dtype=bool)
    for transition in diagram.bifurcations:
        ends_here = transition.between[1] == branch.name or (
            transition.kind == "fold" and branch.name in transition.between
        )
        if transition.points and ends_here:
            nearest = min(rows, key=lambda row: abs(row[0] - transition.alpha))
            rows.append((transition.alpha, quantity.of_point(transition.points[0]), nearest[2]))
    rows.sort(key=lambda row: row[0])
    return np.array([r[0] for r in rows]), np.array([r[1] for r in rows]), np.array([r[2] for r in rows], dtype=bool)


@dataclass(frozen=True)
class Quantity:
    """What a panel shows, of a branch (n,) and of a solution at a transition."""

    of_branch: Callable[[Branch], np.ndarray]
    of_point: Callable[[TransitionPoint], float]


def _overlap(index: int) -> Quantity:
    return Quantity(lambda branch: branch.states[:, index], lambda point: point.order_parameters[index])


TRAIN_LOSS = Quantity(lambda branch: branch.train_loss, lambda point: -point.free_entropy)
TEST_ERROR = Quantity(lambda branch: branch.test_error, lambda point: point.test_error)


def _draw(axes: Axes, diagram: PhaseDiagram, branch: Branch, quantity: Quantity) -> None:
    """Draw one quantity of a branch: solid where stable, dashed where not, nothing where it has no own points."""
    colour, width = BRANCH_COLOURS[branch.sector.value], BRANCH_WIDTHS[branch.sector.value]
    alpha, values, stable = _with_ends(diagram, branch, quantity)
    for wanted, style in ((True, "-"), (False, (0, (4, 2)))):
        shown = stable == wanted
        # A segment belongs to the style of its later end, so that solid and dashed pieces meet.
        joined = shown | np.append(shown[1:], False)
        axes.plot(alpha, np.where(joined, values, np.nan), color=colour, linestyle=style, linewidth=width)


def _mark_transitions(axes: Axes, diagram: PhaseDiagram, latex: Callable[[str], str], *, label: bool) -> None:
    for transition, style, name, side in (
        (diagram.alpha_c, "-.", "$" + latex(r"\alpha_c") + "$", "right"),
        (diagram.alpha_l, ":", "$" + latex(r"\alpha_l") + "$", "left"),
    ):
        if transition is None:
            continue
        axes.axvline(transition.alpha, color="black", linestyle=style, linewidth=1.0)
        if label:
            axes.annotate(
                f"{name} = {transition.alpha:.3f}",
                (transition.alpha, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(-3 if side == "right" else 3, 4),
                textcoords="offset points",
                ha=side,
                fontsize=9,
            )


def plot_phase_diagram(
    diagram: PhaseDiagram, *, latex: Callable[[str], str] = lambda formula: formula, square: bool = False
) -> Figure:
    """Draw overlaps, training loss and test error against alpha for every branch.

    Parameters
    ----------
    diagram
        What is drawn.
    latex
        What formulas of labels are passed through, so that they can have other letters.
    square
        Whether panels stand two by two, with the legend in the place of the fourth, for the width of a page.

    Returns
    -------
    matplotlib.figure.Figure
        Three panels. Lines are solid where state evolution is stable and dashed where it is not; the linear
        baseline is drawn in the panel of test errors.
    """
    from matplotlib.lines import Line2D

    figure = Figure(figsize=(7.4, 6.4) if square else (12.5, 4.6), layout="constrained")
    panels = figure.subplots(2, 2).ravel() if square else figure.subplots(1, 3)
    overlaps, losses, errors = panels[:3]
    symbol = {quantity.name: latex(quantity.latex) for quantity in ORDER_PARAMETERS}
    for branch in diagram.branches.values():
        for index in branch.sector.broken or (POSITIONAL_INDEX,):
            _draw(overlaps, diagram, branch, _overlap(index))
        _draw(losses, diagram, branch, TRAIN_LOSS)
        _draw(errors, diagram, branch, TEST_ERROR)
    _mark_bifurcations(overlaps, diagram)
    _label_overlaps(overlaps, diagram, symbol)
    overlaps.set_ylabel("overlap")
    overlaps.set_ylim(-0.01, 1.08 * overlaps.get_ylim()[1])
    losses.set_ylabel("training loss per dimension, $" + latex(r"-\Phi") + "$")
    errors.set_ylabel("test error per token, $" + latex(r"\epsilon_g") + "$")
    baseline = diagram.linear_baseline.test_error
    errors.axhline(baseline, color="#009E73", linestyle="--", linewidth=1.4)
    for axes in (overlaps, losses, errors):
        axes.set_xlabel("sample complexity $" + latex(r"\alpha = n/d") + "$")
        axes.set_xlim(0.0, float(diagram.alpha[-1]))
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=True)
        axes.grid(alpha=0.25, linewidth=0.5)
        _mark_transitions(axes, diagram, latex, label=axes is overlaps)
    losses.set_ylim(bottom=0.0)
    errors.set_ylim(bottom=0.0)
    handles = [
        Line2D([], [], color=BRANCH_COLOURS[sector.value], linewidth=2, label=sector.value)
        for sector in Sector
        if any(branch.distinct.any() for branch in diagram.branches.values() if branch.sector is sector)
    ]
    handles += [
        Line2D([], [], color="black", label="stable"),
        Line2D([], [], color="black", linestyle=(0, (4, 2)), label="unstable"),
        Line2D([], [], color="black", marker="o", linestyle="", label="supercritical pitchfork"),
        Line2D([], [], color="black", marker="o", markerfacecolor="white", linestyle="", label="subcritical"),
        *(
            [Line2D([], [], color="black", marker="s", markerfacecolor="white", linestyle="", label="fold")]
            if any(transition.kind == "fold" for transition in diagram.bifurcations)
            else []
        ),
        Line2D([], [], color="#009E73", linestyle="--", label="linear baseline"),
    ]
    if square:
        panels[3].axis("off")
        panels[3].legend(handles=handles, loc="center", frameon=False)
    else:
        figure.legend(handles=handles, loc="outside lower center", ncols=(len(handles) + 1) // 2, frameon=False)
    values = zip(
        MODEL_PARAMETERS, (diagram.model.omega, diagram.model.sigma, diagram.model.regularization), strict=False
    )
    figure.suptitle(
        ", ".join(f"${latex(quantity.latex)} = {value:g}$" for quantity, value in values)
        + ("" if diagram.complete else "  (interrupted: incomplete)")
    )
    return figure


def _label_overlaps(axes: Axes, diagram: PhaseDiagram, symbol: dict[str, str]) -> None:
    """Write each overlap's symbol at the right end of its curve."""
    for branch_name, quantity, rise in (
        ("positional", "positional_overlap", 5),
        ("semantic", "semantic_overlap", -30),
        ("mixed", "positional_overlap", 5),
        ("mixed", "semantic_overlap", -14),
    ):
        branch = diagram.branches.get(branch_name)
        if branch is None or not branch.distinct.any():
            continue
        values = np.where(branch.distinct, branch.order_parameters[quantity], np.nan)
        last = np.flatnonzero(branch.distinct)[-1]
        runs_on = last == branch.alpha.size - 1
        place = last if runs_on else int(np.nanargmax(values))
        axes.annotate(
            f"${symbol[quantity]}$ ({branch_name})",
            (branch.alpha[place], values[place]),
            xytext=(-4, rise) if runs_on else (0, 5),
            textcoords="offset points",
            ha="right" if runs_on else "center",
            fontsize=9,
            color=BRANCH_COLOURS[branch_name],
            bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.3},
        )


def _mark_bifurcations(axes: Axes, diagram: PhaseDiagram) -> None:
    """Mark pitchforks and folds at their overlaps: filled where supercritical, open where not, squares for folds."""
    for transition in diagram.bifurcations:
        if not transition.points:
            continue
        name = transition.between[1].split()[0]
        colour = BRANCH_COLOURS.get(name, "black")
        filled = transition.criticality == "supercritical"
        state = transition.points[0].order_parameters
        for index in {POSITIONAL_INDEX, SEMANTIC_INDEX}:
            grows = ORDER_PARAMETERS[index].name == transition.unstable_to
            if grows or state[index] != 0.0:
                axes.plot(
                    [transition.alpha], [state[index]], "s" if transition.kind == "fold" else "o", color=colour,
                    markersize=5, markerfacecolor=colour if filled else "white", zorder=3,
                )  # fmt: skip
