"""Continue a transition in a second parameter of the model: the lines of the phase diagram in two parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from replica.common.numeric_errors import numpy_defaults
from replica.common.progress import ProgressBar, progress_bar
from replica.model.attention_model import AttentionModel
from replica.quantities.names import ALPHA
from replica.symmetry.sectors import Sector
from saddle.branches.line_parameters import line_parameters, with_parameters
from saddle.branches.search.sector_solver import evaluation_of, informed_solution, solve_state, vanished
from saddle.continuation.curve.bounds import Bounds
from saddle.continuation.curve.curves import CurvePoint, CurveSystem
from saddle.continuation.curve.stepping import StepControl
from saddle.continuation.curve.tracing import Curve, Stop, trace_both_ways
from saddle.continuation.outcomes import Outcome, SolverError
from saddle.diagram.contents import DiagramContents
from saddle.diagram.lines.ends import LineEnd, classify_end
from saddle.diagram.lines.line import TransitionLine, empty_line
from saddle.diagram.lines.request import LineRequest, line_request
from saddle.diagram.lines.start import canonical_name, equations_of, find_start
from saddle.diagram.lines.start_diagrams import StartDiagrams
from saddle.diagram.solve_settings import SolveSettings
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.transitions.equations import (
    BaselineCrossing,
    TransitionEquations,
)
from saddle.transitions.events import Event
from saddle.transitions.sharpening import LocatedTransition, sharpen
from saddle.transitions.transition import Transition

__all__ = ["solve_transition_line", "trace_line"]

CONTROL = StepControl(initial=0.05, smallest=1e-4, largest=0.35, angle=0.4, drift=0.2, slack=0.1, tolerance=1e-9)
# Along a line, an overlap below this in its natural unit is about to vanish, and the line to end.
SMALL = 0.08
VANISHES = "an overlap vanishes"
# The same, where the line could not be followed any further: near its end the equations say little.
FADED = 0.4
# Distance of two points that are one.
SAME = 1e-9
# By how much alpha may change, relatively, from one stored point of a line to the next.
STEEP = 0.15


def _overlap_vanishes(equations: TransitionEquations) -> Stop:
    """Stop where an overlap of a solution on the line shrinks to zero: its family ends there, and the line."""

    def reached(before: CurvePoint, after: CurvePoint) -> bool:
        place = 0
        for sector in equations.sectors:
            for i in sector.broken:
                k = place + sector.free.index(i)
                first, last, unit = before.y[k], after.y[k], np.sqrt(max(after.y[place], 1e-12))
                if first * last <= 0.0 or (abs(last) < SMALL * unit and abs(last) < abs(first)):
                    return True
            place += len(sector.free)
        return False

    return Stop(VANISHES, reached)


@numpy_defaults
def solve_transition_line(
    model: AttentionModel,
    transition: str | Event,
    over: str = "omega",
    between: Sequence[float] = (0.0, 0.5),
    *,
    points: int = 40,
    alpha: Sequence[float] = (0.01, 3.0),
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
        such as "positional_matrix_12" or "positional_encoding_1", or one that you declared.
    between
        Lowest and highest value of it.
    points
        Number of values of the parameter, evenly spaced between the lowest and the highest, at which the line is
        solved, wherever it passes them; where it is steep in alpha, points are added.
    alpha
        Range in which the transition is looked for first, at the model's own value of the parameter (or in the
        middle of the range, if that lies outside).
    diagram
        A solved diagram to start from, to save solving one: of the same model, the parameter anywhere in its range.
    settings
        Tolerance, rule, threads, progress, and where a line that runs off is cut. A rule must be the diagram's.

    Returns
    -------
    TransitionLine
        Without points, and with a reason in words, if the transition was not found. A line ends at the ends of the
        range, where an overlap vanishes, or where it cannot be followed any further; it may turn back. After
        Ctrl-C, what was computed so far, marked incomplete.

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
    request.check_diagram(diagram)
    return trace_line(request, name, StartDiagrams(request, diagram))


def trace_line(request: LineRequest, what: str | Event, diagrams: StartDiagrams) -> TransitionLine:
    """Find a transition by its canonical name, or an event, and follow it."""
    over, how = request.over, request.arguments
    name = what.name if isinstance(what, Event) else what
    with progress_bar(request.points, how.progress, f"{name} over {over}", "pt") as bar:
        bar.set_postfix_str("solving one phase diagram")
        found = find_start(request, what, diagrams)
        bar.set_postfix_str("")
        if isinstance(found, str):
            return empty_line(name, request.model, over, found, complete=found != "the computation was interrupted")
        solved, transition = found
        evolution = StateEvolution(solved.model, solved.rule, how.threads)
        return _follow(request, _Beginning(name, evolution, equations_of(what, transition, solved), transition), bar)


@dataclass(frozen=True)
class _Beginning:
    """The transition from which a line is followed, the equations that define it, and where they are evaluated."""

    name: str
    evolution: StateEvolution
    equations: TransitionEquations
    transition: Transition


def _follow(request: LineRequest, begun: _Beginning, bar: ProgressBar) -> TransitionLine:
    """Trace the line, solve it at the wanted values of the parameter, and sharpen every point."""
    model, over, between = request.model, request.over, request.between
    evolution, equations, transition = begun.evolution, begun.equations, begun.transition
    names = (ALPHA.name, over)
    system = equations.system(evolution, names)
    states = [
        np.array(point.order_parameters)[list(sector.free)]
        for point, sector in zip(transition.points, equations.sectors, strict=True)
    ]
    own = line_parameters(evolution.model)[over]
    start = np.concatenate([*states, [transition.alpha, own]])
    toward = np.zeros(len(start))
    toward[-1] = 1.0
    place = len(start) - 2
    try:
        curve = trace_both_ways(
            system,
            start,
            toward=toward,
            bounds=[Bounds(place + 1, *between), Bounds(place, 1e-4, request.highest_alpha)],
            stops=[_overlap_vanishes(equations)],
            control=CONTROL,
            report=lambda point: bar.set_postfix_str(f"following, {over} = {point.y[-1]:.4f}"),
        )
    except SolverError as failure:
        return empty_line(
            begun.name, model, over, f"{begun.name} found at {over} = {own:g} but not continued: {failure}"
        )
    landed, complete = curve.complete and _landed(system, curve, place + 1, between, request.points), curve.complete
    solved: list[tuple[CurvePoint, LocatedTransition]] = []
    try:
        for point in landed or curve.points:
            bar.set_postfix_str(f"sharpening, {over} = {point.y[-1]:.4f}")
            try:
                located = sharpen(equations, evolution, point.y, point.evaluation.jacobian, names)
            except SolverError:
                continue
            solved.append((point, located))
            bar.update()
    except KeyboardInterrupt:
        complete = False
    line = _line(request, begun, curve, solved, complete)
    if isinstance(equations, BaselineCrossing) and line.complete and len(line):
        line = dataclasses.replace(line, metastable=overtaken(line, evolution, equations.sector))
    return line


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


def _faded(equations: TransitionEquations, y: np.ndarray) -> bool:
    """Whether an overlap of a solution on the line is so small that the line may be said to end because of it."""
    place = 0
    for sector in equations.sectors:
        unit = np.sqrt(max(y[place], 1e-12))
        if any(abs(y[place + sector.free.index(i)]) < FADED * unit for i in sector.broken):
            return True
        place += len(sector.free)
    return False


def overtaken(line: TransitionLine, evolution: StateEvolution, sector: Sector) -> np.ndarray:
    """Return where on a line of one solution the other pure family has the larger Phi, (n,)."""
    other = evolution.space.sector_named("semantic" if sector.family == "positional" else "positional")
    behind = np.zeros(len(line), dtype=bool)
    own = line_parameters(evolution.model)[line.over]
    first = int(np.argmin(np.abs(line.parameter - own)))
    for indices in (range(first, len(line)), range(first - 1, -1, -1)):
        state: np.ndarray | None = None
        for k in indices:
            model = with_parameters(line.model, {line.over: float(line.parameter[k])})
            there, alpha = dataclasses.replace(evolution, model=model), float(line.alpha[k])
            result = None if state is None else solve_state(there, other, state, alpha)
            if result is None or not result.converged or vanished(evaluation_of(result), other):
                result = informed_solution(there, other, alpha)
            if result is None:  # there is none, as far as we know
                state = None
                continue
            state = evaluation_of(result).state
            behind[k] = evaluation_of(result).free_entropy > line.free_entropy[k, 0]
    return behind


def _line(
    request: LineRequest,
    begun: _Beginning,
    curve: Curve,
    solved: Sequence[tuple[CurvePoint, LocatedTransition]],
    complete: bool,
) -> TransitionLine:
    """Return the line of the solved points, with what is known about its ends unless it was interrupted."""
    evolution, equations = begun.evolution, begun.equations
    said = {Outcome.STOPPED: VANISHES}
    endings = [
        stop if stop else said.get(ending, ending.value)
        for ending, stop in zip(curve.endings, curve.stops, strict=True)
    ]
    s = len(equations.sectors)
    ends: list[LineEnd | None] = [None, None]
    if complete:
        for k, point in enumerate((curve.points[0], curve.points[-1])):
            lost = curve.endings[k] is Outcome.STEP_TOO_SHORT and _faded(equations, point.y)
            if lost or endings[k] == VANISHES:
                endings[k] = VANISHES
                ends[k] = classify_end(equations, evolution, point.y, request.over)
    return TransitionLine(
        name=begun.name,
        kind=equations.kind,
        between=begun.transition.between,
        model=request.model,
        over=request.over,
        parameter=np.array([point.y[-1] for point, _ in solved]),
        alpha=np.array([located.alpha for _, located in solved]),
        error=np.array([located.error for _, located in solved]),
        tangent=np.array([point.tangent[-2] / point.tangent[-1] for point, _ in solved]),
        order_parameters=np.array([[e.state for e in located.evaluations] for _, located in solved]).reshape(
            -1, s, evolution.space.size
        ),
        free_entropy=np.array([[e.free_entropy for e in located.evaluations] for _, located in solved]).reshape(-1, s),
        test_error=np.array([[e.test_error for e in located.evaluations] for _, located in solved]).reshape(-1, s),
        endings=(endings[0], endings[1]),
        rule=evolution.rule,
        complete=complete,
        ends=(ends[0], ends[1]),
    )
