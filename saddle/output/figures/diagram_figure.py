"""Figures of a phase diagram."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from baselines import Baseline
from replica.quantities.loss_structure import LossStructure
from replica.quantities.names import model_parameters
from replica.reports.typesetting.parameter_letters import parameter_letters
from saddle.branches.branch import Branch
from saddle.output.figures.dense_curves import DenseCurve, dense_curve, drawn_range
from saddle.output.figures.figure_frame import new_figure, place_legend, root_figure, styled
from saddle.output.figures.figure_request import FigureRequest
from saddle.output.figures.label_places import CurveLabel, place_labels, spread
from saddle.output.figures.minimum_marks import drawn_phases, mark_minimum, minimum_handles
from saddle.output.figures.styles import (
    QUANTITIES,
    STABILITY,
    USUAL_WIDTH,
    DrawnQuantity,
    baseline_style,
    branch_colour,
    branch_handles,
    draw_baseline,
    draw_curve,
    ink,
    overlap,
    stability_handles,
)
from saddle.transitions.transition import Transition

if TYPE_CHECKING:
    from saddle.diagram.contents import DiagramContents

__all__ = ["parameter_title", "plot_phase_diagram"]

Rename = Callable[[str], str]

LOSSES: Mapping[str, tuple[str, str]] = {
    "train_loss": ("training loss per dimension", r"-\Phi"),
    "free_entropy": ("free entropy", r"\Phi"),
    "test_error": ("test error per token", r"\epsilon_g"),
}
# Of the values in a panel: what is left free above and below.
MARGIN, BELOW_ZERO = 0.08, 0.03
# Of alpha's range: values at which baselines that depend on it are computed.
BASELINE_POINTS = 160
# Two components of a branch that are drawn as one line get one label.
ALIKE = 0.01
# Of alpha's range: transitions nearer to each other are one vertical line.
SAME_LINE = 0.002


def plot_phase_diagram(
    diagram: DiagramContents,
    baselines: Sequence[Baseline] | None = None,
    request: FigureRequest | None = None,
    *,
    latex: Rename = lambda formula: formula,
) -> Figure:
    """Draw quantities against alpha for every branch, one per panel.

    Parameters
    ----------
    diagram
        What is drawn.
    baselines
        What test errors are compared with; by default, the linear positional layer.
    request
        Panels, axes, size and style; by default, three panels in a row.
    latex
        What formulas of labels are passed through, so that they can have other letters.

    Returns
    -------
    matplotlib.figure.Figure
        A new one, or that of the axes asked for. Axes bear the names of their quantities as labels.
    """
    usual = () if diagram.linear_baseline is None else (diagram.linear_baseline,)
    compared = usual if baselines is None else tuple(baselines)
    asked = FigureRequest() if request is None else request
    with styled(asked):
        return _plot(diagram, compared, asked, latex)


def _plot(diagram: DiagramContents, compared: Sequence[Baseline], request: FigureRequest, latex: Rename) -> Figure:
    curves = {name: dense_curve(diagram, branch) for name, branch in diagram.branches.items()}
    found = {name: curve for name, curve in curves.items() if curve is not None}
    if request.axes is None:
        figure = new_figure(request)
        cells = figure.subplots(*request.panels, squeeze=False).ravel().tolist()
    else:
        figure, cells = root_figure(request.axes[0]), list(request.axes)
    panels = cells[: len(request.quantities)]
    phases = drawn_phases(diagram) if request.mark_minimum else ()
    for axes, name in zip(panels, request.quantities, strict=True):
        _draw_panel(axes, diagram, found, name, latex)
        if name == "test_error":
            low, high = drawn_range(diagram)
            first = float(diagram.alpha[0])
            for baseline in compared:
                draw_baseline(axes, baseline, np.linspace(max(low, first), high, BASELINE_POINTS))
        _fit(axes, diagram, name)
        _draw_transitions(axes, diagram)
        mark_minimum(axes, phases, found, _drawn_by_name(diagram, name))
    if request.axes is None:
        spare = cells[len(panels) :]
        for axes in spare:
            axes.axis("off")
        handles = [*_handles(diagram, found, request.quantities, compared), *minimum_handles(phases)]
        title = parameter_title(diagram, latex) + ("" if diagram.complete else "  (interrupted: incomplete)")
        figure.suptitle(title)
        place_legend(figure, handles, request, spare)
    # Labels are placed where curves will be.
    _lay_out(figure)
    for axes, name in zip(panels, request.quantities, strict=True):
        _shorten_label(axes, name, latex)
    _label_transitions(panels[0], diagram, latex)
    if request.label_branches:
        _lay_out(figure)
        for axes, name in zip(panels, request.quantities, strict=True):
            place_labels(axes, _labels(diagram, found, name, latex))
    return figure


def _lay_out(figure: Figure) -> None:
    """Give axes the places and limits that they are drawn at; without a layout engine, drawing alone does."""
    engine = figure.get_layout_engine()
    if engine is None:
        figure.draw_without_rendering()
    else:
        engine.execute(figure)


def _drawn_components(diagram: DiagramContents, branch: Branch, name: str) -> list[tuple[str, DrawnQuantity]]:
    """Return what a panel shows of a branch: symbols, and the quantities; no symbol where the axis names it."""
    if name in LOSSES:
        return [("", QUANTITIES[name])]
    space = branch.evolution.space
    if name == "overlap":
        indices = branch.sector.broken or space.odd[:1]
    else:
        indices = [k for k, entry in enumerate(space.quantities) if name in (entry.stem, entry.name)]
    return [(space.quantities[k].latex, overlap(k)) for k in indices]


def _drawn_by_name(diagram: DiagramContents, name: str) -> Callable[[str], dict[str, DrawnQuantity]]:
    """Return a function of a branch's name: what a panel shows of it, by symbol."""
    return lambda branch: dict(_drawn_components(diagram, diagram.branches[branch], name))


def _axis_label(diagram: DiagramContents, name: str, latex: Rename) -> str:
    if name in LOSSES:
        words, symbol = LOSSES[name]
        if diagram.model.sequence_length == 1:
            words = words.removesuffix(" per token")
        return f"{words}, ${latex(symbol)}$"
    if name == "overlap":
        return "overlap"
    words = name.replace("_", " ").rstrip(" 0123456789")
    for branch in diagram.branches.values():
        entries = [entry for entry in branch.evolution.space.quantities if name in (entry.stem, entry.name)]
        own = [entry.latex for entry in entries]
        words = (entries[0].stem if entries else name).replace("_", " ")
        return f"{words}, " + ", ".join(f"${latex(symbol)}$" for symbol in own)
    return words


def _shorten_label(axes: Axes, name: str, latex: Rename) -> None:
    """Where a vertical axis is shorter than its label, leave out what symbol and first words say."""
    if name in LOSSES and axes.yaxis.label.get_window_extent().height > axes.bbox.height:
        words, symbol = LOSSES[name]
        axes.set_ylabel(f"{words.split(' per ')[0]}, ${latex(symbol)}$")


def _draw_panel(
    axes: Axes, diagram: DiagramContents, curves: Mapping[str, DenseCurve], name: str, latex: Rename
) -> None:
    for branch_name, curve in curves.items():
        branch = diagram.branches[branch_name]
        for _, quantity in _drawn_components(diagram, branch, name):
            draw_curve(axes, branch, curve, quantity)
    if name not in LOSSES:
        for alpha, value, transition in _bifurcation_points(diagram, curves, name):
            _draw_bifurcation(axes, alpha, value, transition)
    axes.set_xlabel("sample complexity $" + latex(r"\alpha = n/d") + "$")
    axes.set_ylabel(_axis_label(diagram, name, latex))
    if not axes.get_label():
        axes.set_label(name)


def _bifurcation_points(
    diagram: DiagramContents, curves: Mapping[str, DenseCurve], name: str
) -> list[tuple[float, float, Transition]]:
    """Return where a panel shows bifurcations: at the ends of curves that are drawn."""
    found: dict[tuple[float, float], Transition] = {}
    for branch_name, curve in curves.items():
        for _, quantity in _drawn_components(diagram, diagram.branches[branch_name], name):
            for end, transition in zip((0, -1), curve.ends, strict=True):
                if transition is not None:
                    found[float(curve.alpha[end]), float(quantity.of_branch(curve)[end])] = transition
    return [(alpha, value, transition) for (alpha, value), transition in found.items()]


def _draw_bifurcation(axes: Axes, alpha: float, value: float, transition: Transition) -> None:
    """Mark a bifurcation: filled where supercritical, open where not, by half if it is not known; squares for folds."""
    colour = branch_colour(transition.between[1])
    axes.plot([alpha], [value], color=colour, **_marker(transition, axes.get_facecolor(), colour), zorder=3)


def _marker(transition: Transition, paper: Any, colour: Any) -> dict[str, Any]:
    filled = transition.kind == "onset" or transition.criticality in ("supercritical", "unknown")
    half = transition.criticality == "unknown" and transition.kind not in ("onset", "fold")
    return {
        "marker": "s" if transition.kind == "fold" else "o",
        "linestyle": "",
        "markersize": rcParams["lines.markersize"] * 5.0 / 6.0,
        "markerfacecolor": colour if filled else paper,
        "markerfacecoloralt": paper,
        "fillstyle": "bottom" if half else "full",
    }


def _fit(axes: Axes, diagram: DiagramContents, name: str) -> None:
    """Set limits of the axes: alpha's range, and zero where the quantity comes near it."""
    low, high = drawn_range(diagram)
    axes.autoscale_view()
    data = axes.dataLim
    if data.intervalx[0] < data.intervalx[1] and np.all(np.isfinite(data.intervalx)):
        # Curves end within the range; what else is in the axes is the user's.
        low, high = min(low, float(data.intervalx[0])), max(high, float(data.intervalx[1]))
    axes.set_xlim(low, high)
    heights = [line.get_ydata() for line in axes.get_lines()]
    known = np.concatenate([np.asarray(x, dtype=float).ravel() for x in heights] + [data.intervaly])
    known = known[np.isfinite(known)]
    bottom, top = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if bottom == top:
        bottom, top = min(bottom, 0.0), max(top, 0.0)
    if bottom == top:
        top = 1.0
    if bottom >= 0.0 and (name in LOSSES or bottom < 0.3 * top):
        lowest = 0.0 if name in LOSSES else -BELOW_ZERO * top
        axes.set_ylim(lowest, (1.0 + MARGIN) * top)
    else:
        axes.set_ylim(bottom - MARGIN * (top - bottom), top + MARGIN * (top - bottom))
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=True)


def _marked(diagram: DiagramContents) -> list[tuple[float, str, str]]:
    """Return alpha, line style and symbol of the transitions that are drawn as vertical lines."""
    named = [(diagram.alpha_c, "-.", r"\alpha_c"), (diagram.alpha_l, ":", r"\alpha_l")]
    found = [(one.alpha, style, symbol) for one, style, symbol in named if one is not None and one.resolved]
    low, high = drawn_range(diagram)
    for jump in diagram.first_order:
        # Of several that one line would show, one.
        if jump.resolved and all(abs(jump.alpha - alpha) > SAME_LINE * (high - low) for alpha, *_ in found):
            found.append((jump.alpha, "-.", ""))
    return found


def _draw_transitions(axes: Axes, diagram: DiagramContents) -> None:
    width = rcParams["lines.linewidth"] / USUAL_WIDTH
    for alpha, style, _ in _marked(diagram):
        axes.axvline(alpha, color=ink(), linestyle=style, linewidth=width)


def _label_transitions(axes: Axes, diagram: DiagramContents, latex: Rename) -> None:
    """Write the transitions above their lines, side by side; without their values, or not at all, if room is short."""
    symbols: dict[float, list[str]] = {}
    for alpha, _, symbol in _marked(diagram):
        symbols.setdefault(alpha, []).extend([symbol] if symbol else [])
    places = [alpha for alpha in sorted(symbols) if axes.get_xlim()[0] <= alpha <= axes.get_xlim()[1]]
    for with_value in (True, False):
        texts = []
        for alpha in places:
            said = " = ".join(f"${latex(symbol)}$" for symbol in symbols[alpha] or [r"\alpha"])
            texts.append(
                axes.annotate(
                    f"{said} = {alpha:.3f}" if with_value else said if symbols[alpha] else "", (alpha, 1.0),
                    xycoords=("data", "axes fraction"), xytext=(0, 3), textcoords="offset points", ha="center",
                    va="bottom", fontsize="small",
                )
            )  # fmt: skip
        if _side_by_side(axes, texts, places):
            return
        for text in texts:
            text.remove()


def _side_by_side(axes: Axes, texts: Sequence[Any], places: Sequence[float]) -> bool:
    """Move texts above vertical lines apart; False if they do not fit."""
    unit = axes.figure.dpi / 72.0
    widths = [text.get_window_extent().width + 6.0 * unit for text in texts]
    centres = [float(axes.transData.transform((alpha, 0.0))[0]) for alpha in places]
    power = axes.yaxis.get_offset_text()
    left = axes.bbox.x0
    if power.get_text():
        left = max(left, power.get_window_extent().x1 + 4.0 * unit)
    moved = spread(centres, widths, left, axes.bbox.x1 + 10.0 * unit)
    if moved is None:
        return False
    for text, centre, wanted in zip(texts, moved, centres, strict=True):
        text.set_position(((centre - wanted) / unit, 3))
    return True


def _labels(diagram: DiagramContents, curves: Mapping[str, DenseCurve], name: str, latex: Rename) -> list[CurveLabel]:
    """Return what is written beside curves: of each family's first branch, its name, and symbols where several."""
    found = []
    for branch_name, curve in curves.items():
        branch = diagram.branches[branch_name]
        if branch_name != branch.family or (name == "overlap" and not branch.sector.broken):
            continue
        grouped: list[tuple[list[str], np.ndarray]] = []
        for symbol, quantity in _drawn_components(diagram, branch, name):
            values = quantity.of_branch(curve)
            size = float(np.nanmax(np.abs(values), initial=0.0))
            same = next((g for g in grouped if np.nanmax(np.abs(g[1] - values)) <= ALIKE * size), None)
            if same is None:
                grouped.append(([symbol], values))
            else:
                same[0].append(symbol)
        several = name == "overlap" or len(_drawn_components(diagram, branch, name)) > 1
        for symbols, values in grouped:
            said = ", ".join(f"${latex(symbol)}$" for symbol in symbols)
            text = f"{said} ({branch_name})" if several else branch_name
            found.append(CurveLabel(text, branch_colour(branch.name), np.column_stack([curve.alpha, values])))
    return found


def _handles(
    diagram: DiagramContents, curves: Mapping[str, DenseCurve], quantities: Sequence[str], compared: Sequence[Baseline]
) -> list[Line2D]:
    """Return the entries of the legend for what a figure shows."""
    unknown = any(part.stable is None for curve in curves.values() for part in curve.stretches)
    doubt = [Line2D([], [], color=ink(), linestyle=STABILITY[None], label="stability not known")] if unknown else []
    marks = any(name not in LOSSES for name in quantities)
    return [
        *branch_handles(diagram),
        *stability_handles(),
        *doubt,
        *(_special_handles(curves) if marks else []),
        *(_baseline_handles(compared) if "test_error" in quantities else []),
    ]


def parameter_title(diagram: DiagramContents, latex: Rename = lambda formula: formula) -> str:
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
    # Attention has two tokens, unless it is said; another loss one vector.
    length = 1 if isinstance(model.structure, LossStructure) else 2
    sizes = [("L", model.sequence_length, length), ("r", model.rank, 1), ("t", model.teacher_rank, 1)]
    unlike = [f"${latex(letter)} = {value}$" for letter, value, usual in sizes if value != usual]
    return ", ".join(unlike + shown)


def _special_handles(curves: Mapping[str, DenseCurve]) -> list[Line2D]:
    """Return entries of a legend for the kinds of bifurcations that are marked."""
    named: dict[str, Transition] = {}
    for transition in (end for curve in curves.values() for end in curve.ends if end is not None):
        if transition.kind in ("onset", "fold"):
            named["leaves $Q = 0$" if transition.kind == "onset" else "fold"] = transition
        else:
            words = {"supercritical": "supercritical pitchfork", "subcritical": "subcritical"}
            named[words.get(transition.criticality, "pitchfork, not known which")] = transition
    order = ("supercritical pitchfork", "leaves $Q = 0$", "subcritical", "pitchfork, not known which", "fold")
    return [
        Line2D([], [], color=ink(), label=words, **_marker(named[words], rcParams["axes.facecolor"], ink()))
        for words in order
        if words in named
    ]


def _baseline_handles(baselines: Sequence[Baseline]) -> list[Line2D]:
    """Return entries of a legend for baselines."""
    styles = [(baseline.name, *baseline_style(baseline.name)) for baseline in baselines]
    return [
        Line2D([], [], color=colour, linestyle=dashes, label=name)  # pyright: ignore[reportArgumentType]
        for name, colour, dashes in styles
    ]
