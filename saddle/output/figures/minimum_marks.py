"""The global minimum in a panel: a pale stroke under its curves, upright where it jumps, and where it is not known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rcParams
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from saddle.output.figures.dense_curves import DenseCurve, drawn_range
from saddle.output.figures.styles import USUAL_WIDTH, DrawnQuantity, branch_colour, ink
from saddle.transitions.global_minimum import Phase

if TYPE_CHECKING:
    from saddle.diagram.contents import DiagramContents

__all__ = ["MINIMUM", "NOT_KNOWN", "drawn_phases", "mark_minimum", "minimum_handles"]

MINIMUM, NOT_KNOWN = "global minimum", "minimum not known"
"""What the marks are called in legends, and as Matplotlib's labels of what is drawn."""

# Width in Matplotlib's own settings, and opacity, of the stroke; height of the rule of what is not known, of the panel.
STROKE, OPACITY, RULE = 6.0, 0.3, 0.025
RULE_STYLE: Mapping[str, Any] = {"facecolor": "#9a9a9a", "edgecolor": "none", "linewidth": 0.0}


def drawn_phases(diagram: DiagramContents) -> tuple[Phase, ...]:
    """Return a diagram's phases within the range that its figure shows, which may begin below its grid."""
    low, high = drawn_range(diagram)
    inside = [phase for phase in diagram.all_phases if phase.low < high and phase.high > low]
    return tuple(replace(phase, low=max(phase.low, low), high=min(phase.high, high)) for phase in inside)


def mark_minimum(
    axes: Axes,
    phases: Sequence[Phase],
    curves: Mapping[str, DenseCurve],
    drawn: Callable[[str], Mapping[str, DrawnQuantity]],
) -> None:
    """Mark the global minimum in a panel, whose limits stay as they are.

    Parameters
    ----------
    axes
        The panel.
    phases
        Ranges of alpha by increasing alpha, each of one branch, or of none where that is not known.
    curves
        Branches as they are drawn, by name.
    drawn
        What the panel shows of a branch of some name, by symbol.
    """
    for phase in phases:
        name = phase.branch
        if name is not None and name in curves:
            shown = (quantity.of_branch(curves[name]) for quantity in drawn(name).values())
            paths = [_between(curves[name].alpha, values, phase.low, phase.high) for values in shown]
            _stroke(axes, paths, branch_colour(name))
    for below, above in pairwise(phases):
        first, second = below.branch, above.branch
        if first is not None and second is not None and first in curves and second in curves:
            quantities = {**drawn(first), **drawn(second)}.values()
            ends = [[_at(curves[name], each, below.high) for name in (first, second)] for each in quantities]
            _stroke(axes, [np.array([[below.high, end] for end in jump]) for jump in _united(ends)], ink())
    unknown = [(phase.low, phase.high) for phase in phases if phase.branch is None]
    if unknown:
        boxes = [[(low, 0.0), (high, 0.0), (high, RULE), (low, RULE)] for low, high in unknown]
        rule = PolyCollection(boxes, transform=axes.get_xaxis_transform(), label=NOT_KNOWN, zorder=0.5, **RULE_STYLE)
        axes.add_collection(rule, autolim=False)


def minimum_handles(phases: Sequence[Phase]) -> list[Artist]:
    """Return entries of a legend for what is marked."""
    stroke = Line2D([], [], color=ink(), linewidth=_width(), alpha=OPACITY, solid_capstyle="butt", label=MINIMUM)
    known = {phase.branch is not None for phase in phases}
    return [*([stroke] if True in known else []), *([Patch(label=NOT_KNOWN, **RULE_STYLE)] if False in known else [])]


def _width() -> float:
    return STROKE * rcParams["lines.linewidth"] / USUAL_WIDTH


def _stroke(axes: Axes, paths: Sequence[np.ndarray], colour: Any) -> None:
    """Draw paths (k, 2) under everything else; they are no curves that labels would have to avoid."""
    stroke = LineCollection(
        [path for path in paths if len(path)],
        colors=[colour],
        linewidths=_width(),
        alpha=OPACITY,
        capstyle="butt",
        label=MINIMUM,
        zorder=1.0,
    )
    axes.add_collection(stroke, autolim=False)


def _at(curve: DenseCurve, quantity: DrawnQuantity, alpha: float) -> float:
    return float(np.interp(alpha, curve.alpha, quantity.of_branch(curve)))


def _between(alpha: np.ndarray, values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return the part of a polygon (k,) between two values of alpha, which lie on it, (c, 2)."""
    low, high = max(low, float(alpha[0])), min(high, float(alpha[-1]))
    if low >= high:
        return np.empty((0, 2))
    inside = (low < alpha) & (alpha < high)
    ends = np.interp([low, high], alpha, values)
    return np.column_stack([[low, *alpha[inside], high], [ends[0], *values[inside], ends[1]]])


def _united(jumps: Sequence[Sequence[float]]) -> Iterator[tuple[float, float]]:
    """Yield jumps between two values, those that overlap as one: drawn twice, they would be darker."""
    pending: tuple[float, float] | None = None
    for low, high in sorted((min(jump), max(jump)) for jump in jumps):
        if pending is not None and low > pending[1]:
            yield pending
            pending = None
        pending = (low, high) if pending is None else (pending[0], max(pending[1], high))
    if pending is not None:
        yield pending
