"""How branches and baselines are drawn: colours, styles, and curves of one quantity against alpha."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from baselines import Baseline
from replica.quantities.names import ORDER_PARAMETERS
from replica.symmetry.families import is_family
from saddle.branches.branch import Branch
from saddle.output.figures.dense_curves import DenseCurve, dense_curve, drawn_range
from saddle.transitions.transition import TransitionPoint

if TYPE_CHECKING:
    from saddle.diagram.contents import DiagramContents

__all__ = [
    "BASELINE_STYLES", "BRANCH_COLOURS", "QUANTITIES", "STABILITY", "USUAL_WIDTH", "DrawnQuantity", "Solutions",
    "baseline_style", "branch_colour", "branch_handles", "draw_baseline", "draw_branch", "draw_curve", "ink", "overlap",
    "stability_handles",
]  # fmt: skip

BRANCH_COLOURS = {
    "null": "#3a3a3a",
    "agnostic": "#7f7f7f",
    "positional": "#0072B2",
    "semantic": "#D55E00",
    "mixed": "#CC79A7",
}
"""Colours that stay apart for colour-blind readers (after Okabe and Ito)."""

TEACHER_COLOURS = ("#D55E00", "#0072B2", "#CC79A7", "#009E73", "#E69F00", "#56B4E9")
"""The same, of families that are named by the teacher's columns, in their order; after the last comes the first."""

BASELINE_STYLES = {
    "linear positional": ("#009E73", "--"),
    "uniform attention": ("#E69F00", (0, (3, 1, 1, 1))),
    "best positional attention": ("#56B4E9", (0, (1, 1))),
    "best semantic attention": ("#A0522D", (0, (1, 1))),
    "Bayes-optimal": ("black", (0, (5, 1, 1, 1, 1, 1))),
}
"""Colour and dashes of the baselines, by name; none of the branches' colours."""

UNKNOWN_BASELINE = ("#666666", (0, (2, 2)))

STABILITY: dict[bool | None, Any] = {True: "-", False: (0, (4, 2)), None: (0, (1, 1.5))}
"""Line styles of what is stable, unstable, and not known to be either."""

USUAL_WIDTH = 1.5
"""Width of lines in Matplotlib's own settings: widths here are multiples of the user's."""

BRANCH_WIDTHS = {"null": 1.6, "agnostic": 1.2, "mixed": 1.2}
USUAL_BRANCH_WIDTH = 2.0


class Solutions(Protocol):
    """Solutions along a branch, k of them: a branch on its grid, or a curve as it is drawn."""

    @property
    def states(self) -> np.ndarray:
        """Order parameters, (k, n)."""
        ...

    @property
    def train_loss(self) -> np.ndarray:
        """Training loss per dimension, (k,)."""
        ...

    @property
    def test_error(self) -> np.ndarray:
        """Test error per token, (k,)."""
        ...


@dataclass(frozen=True)
class DrawnQuantity:
    """What a panel shows, of solutions along a branch (k,) and of one at a transition."""

    of_branch: Callable[[Solutions], np.ndarray]
    of_point: Callable[[TransitionPoint], float]


def overlap(index: int) -> DrawnQuantity:
    """Return one of the order parameters as what a panel shows."""
    return DrawnQuantity(lambda branch: branch.states[:, index], lambda point: point.order_parameters[index])


QUANTITIES = {
    **{quantity.name: overlap(index) for index, quantity in enumerate(ORDER_PARAMETERS)},
    "free_entropy": DrawnQuantity(lambda branch: -branch.train_loss, lambda point: point.free_entropy),
    "train_loss": DrawnQuantity(lambda branch: branch.train_loss, lambda point: -point.free_entropy),
    "test_error": DrawnQuantity(lambda branch: branch.test_error, lambda point: point.test_error),
}
"""What can be drawn of a branch, by name; order parameters are those of the paper's model."""


def ink() -> Any:
    """Return the colour of what belongs to no branch: the user's colour of text."""
    return rcParams["text.color"]


def draw_branch(axes: Axes, diagram: DiagramContents, branch: Branch, quantity: DrawnQuantity) -> None:
    """Draw one quantity of a branch along its own curve, from bifurcation to bifurcation.

    Solid where it is stable, dashed where not, dotted where that is not known; nothing beyond the diagram's range.
    """
    curve = dense_curve(diagram, branch)
    if curve is not None:
        draw_curve(axes, branch, curve, quantity)


def draw_curve(axes: Axes, branch: Branch, curve: DenseCurve, quantity: DrawnQuantity) -> None:
    """Draw one quantity of a branch's curve, as :func:`draw_branch` does."""
    colour, values = branch_colour(branch.name), quantity.of_branch(curve)
    width = BRANCH_WIDTHS.get(branch.family, USUAL_BRANCH_WIDTH) * rcParams["lines.linewidth"] / USUAL_WIDTH
    if len(curve.alpha) == 1:
        axes.plot(curve.alpha, values, ".", color=colour)
        return
    for part, stable in curve.stretches:
        axes.plot(curve.alpha[part], values[part], color=colour, linestyle=STABILITY[stable], linewidth=width)


def branch_colour(name: str) -> Any:
    """Return the colour of a branch's family, by the branch's name; that of text where there is no such family."""
    family = f"{name} ".split()[0] if name.strip() else ""
    if not is_family(family):
        return BRANCH_COLOURS.get(family, ink())
    columns = family.partition("-")[2]
    # 1, 2, 12, 3, 13, 23, 123: as numbers whose digits in base two say which columns there are.
    place = sum(1 << (int(column) - 1) for column in columns) - 1 if columns else 0
    return BRANCH_COLOURS.get(family, TEACHER_COLOURS[place % len(TEACHER_COLOURS)])


def baseline_style(name: str) -> tuple[str, object]:
    """Return the colour and the dashes of a baseline; those of a user's own are grey."""
    return BASELINE_STYLES.get(name, UNKNOWN_BASELINE)


def draw_baseline(axes: Axes, baseline: Baseline, alpha: np.ndarray) -> None:
    """Draw a baseline's test error: a horizontal line, or a curve over the values of alpha where it depends on them."""
    colour, dashes = baseline_style(baseline.name)
    width = 1.4 * rcParams["lines.linewidth"] / USUAL_WIDTH
    if baseline.constant:
        axes.axhline(baseline.test_error_at(float(alpha[0])), color=colour, linestyle=dashes, linewidth=width)  # pyright: ignore[reportArgumentType]
        return
    values = [baseline.test_error_at(float(value)) for value in alpha]
    axes.plot(alpha, values, color=colour, linestyle=dashes, linewidth=width)  # pyright: ignore[reportArgumentType]


def branch_handles(diagram: DiagramContents) -> list[Line2D]:
    """Return entries of a legend for the families of solutions that a diagram has."""
    present = {branch.family for branch in diagram.branches.values() if _is_drawn(diagram, branch)}
    order = (*BRANCH_COLOURS, *sorted(present - BRANCH_COLOURS.keys(), key=lambda family: (len(family), family)))
    return [
        Line2D([], [], color=branch_colour(family), linewidth=2, label=family) for family in order if family in present
    ]


def _is_drawn(diagram: DiagramContents, branch: Branch) -> bool:
    low, high = drawn_range(diagram)
    reach = branch.reach
    return bool(branch.distinct.any()) or (reach is not None and reach[0] < high and reach[1] > low)


def stability_handles() -> list[Line2D]:
    """Return entries of a legend for the two styles of curves."""
    return [
        Line2D([], [], color=ink(), label="stable"),
        Line2D([], [], color=ink(), linestyle=STABILITY[False], label="unstable"),
    ]
