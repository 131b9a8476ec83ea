"""Solve several lines of transitions over one parameter, all from one diagram."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from replica.common.checked_arguments import checked_items
from replica.common.errors import InvalidArgument
from replica.common.stages import recorded
from saddle.diagram.contents import special_transitions
from saddle.diagram.lines.columns import PhaseColumn, solve_columns
from saddle.diagram.lines.contents import LinesContents
from saddle.diagram.lines.line import TransitionLine
from saddle.diagram.lines.request import LineRequest
from saddle.diagram.lines.start import canonical_name, check_meant
from saddle.diagram.lines.start_diagrams import StartDiagrams
from saddle.diagram.lines.tracing import trace_line
from saddle.diagram.provenance import provenance_of
from saddle.transitions.events import Event

__all__ = ["DEFAULT_TRANSITIONS", "checked_transitions", "solve_lines"]

DEFAULT_TRANSITIONS = (
    "alpha_c",
    "alpha_l",
    "agnostic -> positional",
    "agnostic -> semantic",
    "semantic -> mixed",
    "positional -> mixed",
)


def checked_transitions(transitions: Sequence[str | Event]) -> list[str | Event]:
    """Return names of transitions, and events, each once; raises InvalidArgument if one is none, or a name is taken."""
    names = list(dict.fromkeys(checked_items("transitions", transitions, "a sequence of names of transitions")))
    for name in names:
        canonical_name(name, "transitions")
    written = [_name(name) for name in names]
    twice = next((name for name in written if written.count(name) > 1), None)
    if twice is not None:
        raise InvalidArgument(f"transitions must have different names, got {twice!r} twice")
    return names


def _name(what: str | Event) -> str:
    """Return the name under which a line is listed."""
    return what.name if isinstance(what, Event) else what


def solve_lines(request: LineRequest, names: Sequence[str | Event]) -> LinesContents:
    """Solve for several lines; see :func:`saddle.solve_transition_lines`."""
    with recorded() as seconds:
        found = _solved(request, names)
    provenance = provenance_of(request.model, request.arguments._replace(points=request.points), seconds)
    asked = {"over": request.over, "between": request.between, "transitions": [_name(name) for name in names]}
    asked["highest_alpha"] = request.highest_alpha
    if request.plane is not None:
        asked |= {"over": request.parameters, "between": (request.between, request.plane.between)}
        asked["alpha"] = request.plane.alpha
    settings = {**provenance.settings, **{name: json.dumps(value) for name, value in asked.items()}}
    return replace(found, provenance=replace(provenance, settings=settings))


def _solved(request: LineRequest, names: Sequence[str | Event]) -> LinesContents:
    model, over, (low, high), how = request.model, request.over, request.between, request.arguments
    by_default = list(names) == list(DEFAULT_TRANSITIONS)
    if not by_default or special_transitions(model.structure):
        for name in names:
            check_meant(model, canonical_name(name))
    diagrams = StartDiagrams(request)
    lines: dict[str, TransitionLine] = {}
    columns: tuple[PhaseColumn, ...] = ()
    complete = True
    try:
        if low <= request.own <= high:
            complete = diagrams.at(request.own, progress=how.progress).complete
        if by_default and not special_transitions(model.structure) and complete:
            # Attention's are none of this model's: those that its diagram has, in the middle of the range or its own.
            middle = request.own if low <= request.own <= high else 0.5 * (low + high)
            names = list(diagrams.at(middle).transitions)
        for name in names if complete else ():
            lines[_name(name)] = trace_line(request, canonical_name(name), diagrams)
            if not lines[_name(name)].complete:
                complete = False
                break
        if complete and request.plane is None:
            columns, complete = solve_columns(model, over, request.between, how.alpha, diagrams.solved, how.threads)
        # Borders that the columns show and nobody asked for, where nothing special was asked for.
        missing = [name for column in columns for name in column.jumps if name not in lines]
        for name in dict.fromkeys(missing) if complete and by_default else ():
            lines[name] = trace_line(request, canonical_name(name), diagrams)
            complete = complete and lines[name].complete
    except KeyboardInterrupt:
        complete = False
    return LinesContents(model, over, request.between, lines, complete, columns, plane=request.plane)
