"""Solve several lines of transitions over one parameter, all from one diagram."""

from __future__ import annotations

from collections.abc import Sequence

from replica.common.checked_arguments import checked_items
from replica.model.attention_model import AttentionModel
from saddle.averages.rules.outer import OuterRule
from saddle.diagram.contents import DiagramContents
from saddle.diagram.lines.columns import PhaseColumn, solve_columns
from saddle.diagram.lines.contents import LinesContents
from saddle.diagram.lines.line import TransitionLine
from saddle.diagram.lines.start import START_POINTS, canonical_name, canonical_parameter, check_range, checked_highest
from saddle.diagram.lines.tracing import solve_transition_line
from saddle.diagram.solve_arguments import checked_points, checked_solve
from saddle.diagram.solving import solve_contents

__all__ = ["DEFAULT_TRANSITIONS", "solve_lines"]

DEFAULT_TRANSITIONS = (
    "alpha_c",
    "alpha_l",
    "agnostic -> positional",
    "agnostic -> semantic",
    "semantic -> mixed",
    "positional -> mixed",
)


def solve_lines(
    model: AttentionModel,
    over: str,
    between: Sequence[float],
    *,
    transitions: Sequence[str],
    points: int,
    alpha: Sequence[float],
    highest_alpha: float,
    tolerance: float | None,
    rule: OuterRule | None,
    threads: int,
    progress: bool,
) -> LinesContents:
    """Solve for several lines; see :func:`saddle.solve_transition_lines`."""
    names = list(dict.fromkeys(checked_items("transitions", transitions, "a sequence of names of transitions")))
    for name in names:
        canonical_name(name, "transitions")
    over = canonical_parameter(over)
    # A line has values of the parameter, evenly spaced, where a diagram may have a grid of its own.
    points = checked_points(points)
    checked = checked_solve(model, alpha, points, tolerance=tolerance, rule=rule, threads=threads, progress=progress)
    alpha, tolerance, threads = checked.alpha, checked.tolerance, checked.threads
    low, high = check_range(model, over, between, points)
    highest_alpha = checked_highest(highest_alpha, alpha[0])
    diagram: DiagramContents | None = None
    lines: dict[str, TransitionLine] = {}
    columns: tuple[PhaseColumn, ...] = ()
    complete = True
    try:
        if low <= getattr(model, over) <= high:
            diagram = solve_contents(model, checked._replace(points=START_POINTS))
            complete = diagram.complete
        for name in names if complete else ():
            lines[name] = solve_transition_line(
                model, name, over, (low, high), points=points, alpha=alpha, highest_alpha=highest_alpha,
                tolerance=tolerance, rule=rule, diagram=diagram, threads=threads, progress=progress,
            )  # fmt: skip
            if not lines[name].complete:
                complete = False
                break
        if complete:
            columns, complete = solve_columns(model, over, (low, high), alpha, diagram, threads)
        # Borders that the columns show and nobody asked for, where nothing special was asked for.
        missing = [name for column in columns for name in column.jumps if name not in lines]
        for name in dict.fromkeys(missing) if complete and names == list(DEFAULT_TRANSITIONS) else ():
            lines[name] = solve_transition_line(
                model, name, over, (low, high), points=points, alpha=alpha, highest_alpha=highest_alpha,
                tolerance=tolerance, rule=rule, diagram=diagram, threads=threads, progress=progress,
            )  # fmt: skip
            complete = complete and lines[name].complete
    except KeyboardInterrupt:
        complete = False
    return LinesContents(model, over, (low, high), lines, complete, columns)
