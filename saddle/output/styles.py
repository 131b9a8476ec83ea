"""How branches and baselines are drawn: colours, styles, and curves of one quantity against alpha."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from baselines import Baseline
from replica.quantities.names import ORDER_PARAMETERS
from saddle.branches.branch import Branch
from saddle.transitions.transition import TransitionPoint

if TYPE_CHECKING:
    from saddle.diagram.contents import DiagramContents

__all__ = [
    "BASELINE_STYLES", "BRANCH_COLOURS", "QUANTITIES", "DrawnQuantity", "baseline_style", "branch_handles",
    "draw_baseline", "draw_branch", "overlap", "stability_handles",
]  # fmt: skip

BRANCH_COLOURS = {
    "null": "#3a3a3a",
    "agnostic": "#7f7f7f",
    "positional": "#0072B2",
    "semantic": "#D55E00",
    "mixed": "#CC79A7",
}
"""Colours that stay apart for colour-blind readers (after Okabe and Ito)."""

BASELINE_STYLES = {
    "linear positional": ("#009E73", "--"),
    "uniform attention": ("#E69F00", (0, (3, 1, 1, 1))),
    "best positional attention": ("#56B4E9", (0, (1, 1))),
    "best semantic attention": ("#A0522D", (0, (1, 1))),
    "Bayes-optimal": ("black", (0, (5, 1, 1, 1, 1, 1))),
}
"""Colour and dashes of the baselines, by name; none of the branches' colours."""

UNKNOWN_BASELINE = ("#666666", (0, (2, 2)))

BRANCH_WIDTHS = {"null": 1.6, "agnostic": 1.2, "positional": 2.0, "semantic": 2.0, "mixed": 1.2}


def _with_ends(
    diagram: DiagramContents, branch: Branch, quantity: DrawnQuantity
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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
        # A branch that runs on past it is another one of the family that has this name.
        place = int(np.searchsorted(branch.alpha, transition.alpha))
        runs_on = 0 < place < own.size and bool(own[place - 1] and own[place])
        if transition.points and ends_here and not runs_on:
            nearest = min(rows, key=lambda row: abs(row[0] - transition.alpha))
            rows.append((transition.alpha, quantity.of_point(transition.points[0]), nearest[2]))
    rows.sort(key=lambda row: row[0])
    return np.array([r[0] for r in rows]), np.array([r[1] for r in rows]), np.array([r[2] for r in rows], dtype=bool)


@dataclass(frozen=True)
class DrawnQuantity:
    """What a panel shows, of a branch (n,) and of a solution at a transition."""

    of_branch: Callable[[Branch], np.ndarray]
    of_point: Callable[[TransitionPoint], float]


def overlap(index: int) -> DrawnQuantity:
    """Return one of the order parameters as what a panel shows."""
    return DrawnQuantity(lambda branch: branch.states[:, index], lambda point: point.order_parameters[index])


QUANTITIES = {
    **{quantity.name: overlap(index) for index, quantity in enumerate(ORDER_PARAMETERS)},
    "train_loss": DrawnQuantity(lambda branch: branch.train_loss, lambda point: -point.free_entropy),
    "test_error": DrawnQuantity(lambda branch: branch.test_error, lambda point: point.test_error),
}
"""What can be drawn of a branch, by name; order parameters are those of the paper's model."""


def draw_branch(axes: Axes, diagram: DiagramContents, branch: Branch, quantity: DrawnQuantity) -> None:
    """Draw one quantity of a branch: solid where stable, dashed where not, nothing where it has no own points."""
    colour, width = BRANCH_COLOURS[branch.family], BRANCH_WIDTHS[branch.family]
    alpha, values, stable = _with_ends(diagram, branch, quantity)
    for wanted, style in ((True, "-"), (False, (0, (4, 2)))):
        shown = stable == wanted
        # A segment belongs to the style of its later end, so that solid and dashed pieces meet.
        joined = shown | np.append(shown[1:], False)
        axes.plot(alpha, np.where(joined, values, np.nan), color=colour, linestyle=style, linewidth=width)


def baseline_style(name: str) -> tuple[str, object]:
    """Return the colour and the dashes of a baseline; those of a user's own are grey."""
    return BASELINE_STYLES.get(name, UNKNOWN_BASELINE)


def draw_baseline(axes: Axes, baseline: Baseline, alpha: np.ndarray) -> None:
    """Draw a baseline's test error: a horizontal line, or a curve over the values of alpha where it depends on them."""
    colour, dashes = baseline_style(baseline.name)
    if baseline.constant:
        axes.axhline(baseline.test_error_at(float(alpha[0])), color=colour, linestyle=dashes, linewidth=1.4)  # pyright: ignore[reportArgumentType]
        return
    values = [baseline.test_error_at(float(value)) for value in alpha]
    axes.plot(alpha, values, color=colour, linestyle=dashes, linewidth=1.4)  # pyright: ignore[reportArgumentType]


def branch_handles(diagram: DiagramContents) -> list[Line2D]:
    """Return entries of a legend for the families of solutions that a diagram has."""
    return [
        Line2D([], [], color=BRANCH_COLOURS[family], linewidth=2, label=family)
        for family in BRANCH_COLOURS
        if any(branch.distinct.any() for branch in diagram.branches.values() if branch.family == family)
    ]


def stability_handles() -> list[Line2D]:
    """Return entries of a legend for the two styles of curves."""
    return [
        Line2D([], [], color="black", label="stable"),
        Line2D([], [], color="black", linestyle=(0, (4, 2)), label="unstable"),
    ]
