"""What a figure is asked to be: its panels, where they are drawn, how large, in which style; checked before drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import matplotlib.style as mpl_style
from matplotlib.axes import Axes

from replica.common.checked_arguments import (
    checked_choice,
    checked_flag,
    checked_integer,
    checked_items,
    checked_number,
    quoted,
)
from replica.common.errors import InvalidArgument
from replica.quantities.layout import Layout
from replica.quantities.names import order_parameters

__all__ = [
    "DEFAULT_QUANTITIES", "PAPER", "FigureRequest", "checked_figure", "checked_line_figure", "quantity_names",
]  # fmt: skip

DEFAULT_QUANTITIES = ("overlap", "train_loss", "test_error")
"""Panels of a figure of which nothing else is said."""

PAPER: Mapping[str, Any] = MappingProxyType(
    {
        "font.size": 8.0,
        "axes.labelsize": 8.0,
        "axes.titlesize": 8.0,
        "figure.titlesize": 8.0,
        "xtick.labelsize": 7.0,
        "ytick.labelsize": 7.0,
        "legend.fontsize": 7.0,
        "legend.handlelength": 1.6,
        "legend.columnspacing": 1.0,
        "legend.labelspacing": 0.25,
        "axes.linewidth": 0.6,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "lines.linewidth": 1.0,
        "lines.markersize": 4.5,
        "figure.constrained_layout.h_pad": 0.02,
        "figure.constrained_layout.w_pad": 0.02,
    }
)
"""Matplotlib's parameters of the style "paper": letters of 7 and 8 points, thin lines; no choice of fonts."""

# Inches: no paper is larger, and of a smaller figure nothing could be read.
SIZES = (1.0, 100.0)
MOST_PANELS = 100
# Width and height of a panel in inches where no size is asked for, and height of what lies below all panels.
PANEL, BELOW = (4.17, 4.0), 0.6
LINES_SIZE = (8.2, 6.4)


@dataclass(frozen=True)
class FigureRequest:
    """A figure that was asked for.

    Attributes
    ----------
    quantities
        What is drawn against alpha, one per panel.
    axes
        Where, as many; None for a new figure.
    panels
        Rows and columns of panels of a new figure.
    size
        Its width and height in inches; no height where it is to fit the panels, and what stands below them.
    style
        Matplotlib's parameters that are to differ from the user's, and style sheets.
    label_branches
        Whether curves are labelled.
    mark_minimum
        Whether the global minimum is marked.
    """

    quantities: tuple[str, ...] = DEFAULT_QUANTITIES
    axes: tuple[Axes, ...] | None = None
    panels: tuple[int, int] = (1, len(DEFAULT_QUANTITIES))
    size: tuple[float, float | None] = (12.5, 4.6)
    style: tuple[Any, ...] = ()
    label_branches: bool = True
    mark_minimum: bool = True


def quantity_names(layout: Layout) -> tuple[str, ...]:
    """Return the names of what can be drawn of models of one layout, without repetitions."""
    entries = order_parameters(layout)
    named = (
        "overlap",
        "train_loss",
        "test_error",
        "free_entropy",
        *(x.stem for x in entries),
        *(x.name for x in entries),
    )
    return tuple(dict.fromkeys(named))


def checked_figure(
    layout: Layout,
    ax: Any = None,
    panels: Any = None,
    quantities: Any = None,
    size: Any = None,
    style: Any = None,
    label_branches: Any = True,
    mark_minimum: Any = True,
) -> FigureRequest:
    """Return what is asked of a figure of a diagram; see :meth:`saddle.PhaseDiagram.plot`.

    Raises
    ------
    InvalidArgument
        If an argument is none of its kind; the message quotes it and says what there is to choose from.
    """
    if quantities is None and isinstance(ax, Mapping):
        quantities = list(ax)
    names = _checked_quantities(DEFAULT_QUANTITIES if quantities is None else quantities, quantity_names(layout))
    labelled = checked_flag("label_branches", label_branches)
    marked = checked_flag("mark_minimum", mark_minimum)
    sheets = _checked_style(style)
    if ax is not None:
        for name, value in (("panels", panels), ("size", size)):
            if value is not None:
                raise InvalidArgument(f"{name} must be None where ax is given, got {quoted(value)}")
        own = _checked_axes(ax, names)
        return FigureRequest(names, own, style=sheets, label_branches=labelled, mark_minimum=marked)
    rows, columns = _checked_panels(panels, len(names))
    return FigureRequest(names, None, (rows, columns), _checked_size(size, rows, columns), sheets, labelled, marked)


def _checked_quantities(quantities: Any, known: Sequence[str]) -> tuple[str, ...]:
    if isinstance(quantities, str):
        return (checked_choice("quantities", quantities, known),)
    listed = checked_items("quantities", quantities, f"a name or a sequence of names ({', '.join(map(repr, known))})")
    names = tuple(checked_choice(f"quantities[{k}]", name, known) for k, name in enumerate(listed))
    if not names or len(set(names)) < len(names):
        choices = ", ".join(map(repr, known))
        raise InvalidArgument(f"quantities must be different names among {choices}, got {quoted(quantities)}")
    return names


def _checked_axes(ax: Any, names: tuple[str, ...]) -> tuple[Axes, ...]:
    """Return one axes per quantity."""
    if isinstance(ax, Axes):
        found = [ax]
    elif isinstance(ax, Mapping):
        missing = [name for name in names if name not in ax]
        if missing or len(ax) != len(names):
            raise InvalidArgument(
                f"ax must have one Matplotlib axes for each of {', '.join(map(repr, names))}, got those of "
                f"{quoted(list(ax))}"
            )
        found = [ax[name] for name in names]
    else:
        flat = ax.ravel() if hasattr(ax, "ravel") else ax
        found = checked_items("ax", flat, "a Matplotlib axes, a sequence of them, or a mapping from quantities to them")
    for one in found:
        if not isinstance(one, Axes) or one.figure is None or one.name != "rectilinear":
            raise InvalidArgument(
                f"ax must be Matplotlib axes with two plain directions in a figure, got {quoted(one)}"
            )
    if len(found) != len(names) or len({id(one) for one in found}) < len(found):
        wanted = ", ".join(map(repr, names))
        raise InvalidArgument(f"ax must be as many different axes as quantities ({wanted}), got {quoted(ax)}")
    return tuple(found)


def _checked_panels(panels: Any, count: int) -> tuple[int, int]:
    if panels is None:
        return 1, count
    what = f"a pair (rows, columns) with room for {count} panels, such as {(1, count)} or {(count, 1)}"
    pair = checked_items("panels", panels, what)
    if len(pair) != 2:
        raise InvalidArgument(f"panels must be {what}, got {quoted(panels)}")
    rows, columns = (checked_integer(f"panels[{k}]", value, 1, MOST_PANELS) for k, value in enumerate(pair))
    if rows * columns < count:
        raise InvalidArgument(f"panels must be {what}, got {quoted(panels)}")
    return rows, columns


def _checked_size(size: Any, rows: int = 1, columns: int = 1) -> tuple[float, float | None]:
    """Return width and height of a figure in inches, of which the width may be given alone, or nothing."""
    if size is None:
        return round(PANEL[0] * columns, 1), PANEL[1] * rows + BELOW
    what = "a width in inches, or a pair (width, height)"
    if isinstance(size, str) or not hasattr(size, "__iter__"):
        try:
            return checked_number("size", size, *SIZES), None
        except InvalidArgument as error:
            raise InvalidArgument(f"{error}; it is {what}") from None
    pair = checked_items("size", size, what)
    if len(pair) != 2:
        raise InvalidArgument(f"size must be {what}, got {quoted(size)}")
    width, height = (checked_number(f"size[{k}]", value, *SIZES) for k, value in enumerate(pair))
    return width, height


def _checked_style(style: Any) -> tuple[Any, ...]:
    """Return styles as Matplotlib takes them, each tried once."""
    if style is None:
        return ()
    what = (
        "'paper', a style sheet of Matplotlib's (a name in matplotlib.style.available, or a file), a mapping of its "
        "parameters, or a sequence of these"
    )
    listed = [style] if isinstance(style, str | Mapping) or hasattr(style, "__fspath__") else None
    listed = checked_items("style", style, what) if listed is None else listed
    found = []
    for one in listed:
        if not isinstance(one, str | Mapping) and not hasattr(one, "__fspath__"):
            raise InvalidArgument(f"style must be {what}, got {quoted(one)}")
        chosen: Any = dict(PAPER) if isinstance(one, str) and one == "paper" else one
        try:
            with mpl_style.context(dict(chosen) if isinstance(chosen, Mapping) else chosen):
                pass
        except (OSError, KeyError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InvalidArgument(f"style must be {what}, got {quoted(one)}: {reason}") from None
        found.append(dict(chosen) if isinstance(chosen, Mapping) else chosen)
    return tuple(found)


def checked_line_figure(ax: Any = None, size: Any = None, style: Any = None) -> FigureRequest:
    """Return what is asked of a figure with one panel."""
    if ax is None:
        width, height = LINES_SIZE if size is None else _checked_size(size)
        return FigureRequest(("lines",), None, (1, 1), (width, height), _checked_style(style))
    if size is not None:
        raise InvalidArgument(f"size must be None where ax is given, got {quoted(size)}")
    return FigureRequest(("lines",), _checked_axes(ax, ("lines",)), style=_checked_style(style))
