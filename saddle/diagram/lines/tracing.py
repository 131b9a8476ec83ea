"""Continue a transition in a second parameter of the model: the lines of the phase diagram in two parameters."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from replica.common.numeric_errors import numpy_defaults
from replica.common.progress import ProgressBar, progress_bar
from replica.quantities.names import ALPHA
from replica.quantities.solvable_model import Model
from saddle.branches.line_parameters import line_parameters
from saddle.continuation.curve.curves import CurvePoint, CurveSystem
from saddle.continuation.curve.tracing import Curve
from saddle.continuation.outcomes import SolverError
from saddle.diagram.contents import DiagramContents
from saddle.diagram.lines.in_plane import follow_in_plane
from saddle.diagram.lines.line import TransitionLine, empty_line
from saddle.diagram.lines.line_curve import CONTROL, LOWEST_ALPHA, Beginning, curve_over
from saddle.diagram.lines.request import LineRequest, line_request
from saddle.diagram.lines.solved_points import LinePoint, line_of
from saddle.diagram.lines.start import INTERRUPTED, canonical_name, check_meant, equations_of, find_start
from saddle.diagram.lines.start_diagrams import StartDiagrams
from saddle.diagram.solve_settings import SolveSettings
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.transitions.events import Event
from saddle.transitions.sharpening import sharpen
from saddle.transitions.transition import Transition, unknowns_at

__all__ = ["solve_transition_line", "trace_line"]

# Distance of two points that are one.
SAME = 1e-9
# By how much alpha may change, relatively, from one stored point of a line to the next.
STEEP = 0.15


@numpy_defaults
def solve_transition_line(
    model: Model,
    transition: str | Event,
    over: str | Sequence[str] = "omega",
    between: Sequence[float] | Sequence[Sequence[float]] = (0.0, 0.5),
    *,
    points: int = 40,
    alpha: float | Sequence[float] = (0.01, 3.0),
    diagram: DiagramContents | None = None,
    settings: SolveSettings = SolveSettings(),
) -> TransitionLine:
    """Continue a transition in a parameter of the model, by pseudo-arclength continuation of its own equations.

    Parameters
    ----------
    model
        The model.
    transition
        "alpha_c", "alpha_l", "semantic spinodal", "positional spinodal", the name of a bifurcation or a jump
        as in ``DiagramContents.transitions``, such as "agnostic -> semantic" or "agnostic / semantic", or that of a
        baseline in :data:`baselines.BASELINES`, for where the global minimum begins to beat it; or "semantic
        replicon" and the like, for where replica symmetry of a family becomes stable; or an :class:`Event` of your own.
    over
        Any of the model's :func:`line_parameters`: "omega", "sigma", "regularization" (also called "lambda"), an entry
        such as "positional_matrix_12" or "positional_encoding_1", or one that you declared. Or a pair of them, such as
        ("omega", "sigma"): then the line runs through their plane, where the transition is at one ``alpha``.
    between
        Lowest and highest value of it; of a pair, both ranges, such as ((0.0, 0.5), (0.3, 0.7)).
    points
        Number of values of the parameter, evenly spaced between the lowest and the highest, at which the line is
        solved, wherever it passes them; where it is steep in alpha, points are added. In a plane, their number, evenly
        spaced along the line, whose length is measured in parts of the ranges.
    alpha
        Range in which the transition is looked for first, at the model's own value of the parameter (or in the
        middle of the range, if that lies outside). In a plane, the one at which the transition is to be.
    diagram
        A solved diagram to start from, to save solving one: of the same model, the parameter anywhere in its range.
    settings
        Tolerance, rule, threads, progress, and where a line that runs off is cut. A rule must be the diagram's.

    Returns
    -------
    TransitionLine
        Without points, and with a reason in words, if the transition was not found. A line ends at the ends of the
        range, where an overlap vanishes, or where it cannot be followed any further; it may turn back, and in a plane
        close. There it begins where the transition, followed over one parameter and then the other, first comes to
        the asked alpha; if it does not, the reason says from where to where it was seen. After Ctrl-C, what was
        computed so far, marked incomplete.

    Raises
    ------
    ValueError
        If the transition or the parameter is unknown, another argument is none of its kind or out of range, or the
        diagram is not one of this model, but for the parameter.

    Notes
    -----
    A line of first-order transitions solves both saddle-point equations and equal Phi together; since Phi is
    stationary its slope is -(d_p Phi_A - d_p Phi_B)/(d_alpha Phi_A - d_alpha Phi_B) with explicit derivatives
    (theory notes in docs/, section 10).

    Examples
    --------
    >>> from replica import AttentionModel
    >>> from saddle import SolveSettings
    >>> model, settings = AttentionModel.paper(), SolveSettings(tolerance=5e-4)
    >>> line = solve_transition_line(model, "alpha_c", between=(0.28, 0.3), points=3, settings=settings)
    >>> print(f"alpha_c = {line.at(0.3):.3f}")
    alpha_c = 1.252
    """
    name = canonical_name(transition)
    request = line_request(model, over, between, points, alpha, settings)
    check_meant(request.model, name)
    request.check_diagram(diagram)
    return trace_line(request, name, StartDiagrams(request, diagram))


def trace_line(request: LineRequest, what: str | Event, diagrams: StartDiagrams) -> TransitionLine:
    """Find a transition by its canonical name, or an event, and follow it."""
    how, over = request.arguments, " and ".join(request.parameters)
    name = what.name if isinstance(what, Event) else what
    with progress_bar(request.points, how.progress, f"{name} over {over}", "pt") as bar:
        try:
            bar.set_postfix_str("solving one phase diagram")
            found = find_start(request, what, diagrams)
            bar.set_postfix_str("")
            if isinstance(found, str):
                return empty_line(name, request.model, request.over, found, found != INTERRUPTED, request.plane)
            return _followed(request, what, found, bar)
        except KeyboardInterrupt:
            # Before there was a point to keep.
            return empty_line(name, request.model, request.over, INTERRUPTED, complete=False, plane=request.plane)


def _followed(
    request: LineRequest, what: str | Event, found: tuple[DiagramContents, Transition], bar: ProgressBar
) -> TransitionLine:
    """Follow a transition of a diagram."""
    name, (solved, transition) = what.name if isinstance(what, Event) else what, found
    evolution = StateEvolution(solved.model, solved.rule, request.arguments.threads)
    equations = equations_of(what, transition, solved)
    begun = Beginning(name, transition.between, equations, evolution, unknowns_at(transition, equations.sectors))
    return _follow(request, begun, bar) if request.plane is None else follow_in_plane(request, begun, bar)


def _follow(request: LineRequest, begun: Beginning, bar: ProgressBar) -> TransitionLine:
    """Trace the line, solve it at the wanted values of the parameter, and sharpen every point."""
    model, over, between = request.model, request.over, request.between
    evolution, equations = begun.evolution, begun.equations
    try:
        system, curve = curve_over(
            begun,
            over,
            between,
            (LOWEST_ALPHA, request.highest_alpha),
            lambda point: bar.set_postfix_str(f"following, {over} = {point.y[-1]:.4f}"),
        )
    except SolverError as failure:
        own = line_parameters(evolution.model)[over]
        return empty_line(
            begun.name, model, over, f"{begun.name} found at {over} = {own:g} but not continued: {failure}"
        )
    complete, solved = curve.complete, list[LinePoint]()
    try:
        place = len(begun.unknowns)
        points = _landed(system, curve, place, between, request.points) if complete else curve.points
        for point in points:
            bar.set_postfix_str(f"sharpening, {over} = {point.y[-1]:.4f}")
            try:
                located = sharpen(equations, evolution, point.y, point.evaluation.jacobian, (ALPHA.name, over))
            except SolverError:
                continue
            value, slope = float(point.y[-1]), float(point.tangent[-2] / point.tangent[-1])
            solved.append(LinePoint(value, located.alpha, located.error, slope, located.evaluations))
            bar.update()
    except KeyboardInterrupt:
        complete = False
    return line_of(request, begun, curve, solved, complete)


def _landed(
    system: CurveSystem, curve: Curve, index: int, between: tuple[float, float], points: int
) -> list[CurvePoint]:
    """Return the line's points at the wanted values, its ends, and others where it is steep, in order."""
    values = list(np.linspace(*between, points))
    found = [curve.points[0]]

    def add(point: CurvePoint | None) -> None:
        if point is not None and np.max(np.abs(point.y[-2:] - found[-1].y[-2:])) > SAME:
            found.append(point)

    for segment in pairwise(curve.points):
        for point in Curve(segment, curve.endings).landings(system, index, values, CONTROL.tolerance):
            add(point)
        if abs(np.log(segment[1].y[index - 1] / found[-1].y[index - 1])) > STEEP or segment[1] is curve.points[-1]:
            add(segment[1])
    return found
