"""What a line of transitions starts from: names, and a first transition in a phase diagram."""

from __future__ import annotations

from baselines import BASELINES
from replica.common.checked_arguments import quoted
from replica.common.errors import InvalidArgument
from replica.quantities.loss_structure import LossStructure
from replica.quantities.solvable_model import Model
from replica.symmetry.families import families_of, is_family
from saddle.branches.null.solution import NULL_FAMILY
from saddle.diagram.contents import DiagramContents, special_transitions
from saddle.diagram.lines.request import LineRequest
from saddle.diagram.lines.start_diagrams import StartDiagrams
from saddle.transitions.baseline_crossing import test_errors_of
from saddle.transitions.equations import BaselineCrossing, EqualFreeEntropies, Fold, Pitchfork, TransitionEquations
from saddle.transitions.events import REPLICON, Event, event_equations, replicon_event
from saddle.transitions.found import Found
from saddle.transitions.transition import Transition

__all__ = ["INTERRUPTED", "canonical_name", "check_meant", "equations_of", "find_start"]

INTERRUPTED = "the computation was interrupted"
OF_ATTENTION = ("alpha_c", "alpha_l")
ALIASES = {"semantic spinodal": "semantic -> mixed", "positional spinodal": "positional -> mixed"}


def canonical_name(name: str | Event, argument: str = "transition") -> str | Event:
    """Return the canonical name of a transition, or the event; or say what is wrong, and with which argument."""
    if isinstance(name, Event):
        return name
    if not isinstance(name, str):
        raise InvalidArgument(f"{argument} must be the name of a transition or an event, got {quoted(name)}")
    if name.endswith(REPLICON) and is_family(name.split()[0]):
        return replicon_event(name.removesuffix(REPLICON))
    name = ALIASES.get(name, name)
    stem = name.split(" (")[0]
    parts = stem.split(" -> ") if " -> " in stem else stem.split(" / ")
    if name in (*OF_ATTENTION, *BASELINES) or (len(parts) == 2 and all(map(_names_family, parts))):
        return name
    known = (
        "'alpha_c', 'alpha_l', "
        + ", ".join(map(repr, ALIASES))
        + ", the name of a baseline, a bifurcation such as 'agnostic -> semantic', or a jump such as "
        "'agnostic / semantic'"
    )
    raise InvalidArgument(f"{argument} must be one of {known}, got {name!r}")


def check_meant(model: Model, name: str | Event) -> None:
    """Refuse a canonical name, or an event, of what no model of this kind has.

    Raises
    ------
    InvalidArgument
        If it names attention's transitions or baselines, or families of solutions that other models have.
    """
    structure = model.structure
    if isinstance(name, Event) or not isinstance(structure, LossStructure):
        return
    special, known = special_transitions(structure), (NULL_FAMILY, *families_of(structure.layout))
    if name in BASELINES or name in set(OF_ATTENTION) - set(special):
        raise InvalidArgument(
            f"{name!r} is defined for attention, which this model is not; its transitions are named by its branches, "
            f"such as '{known[1]} -> {known[-1]}'"
        )
    parts = name.split(" -> ") if " -> " in name else name.split(" / ")
    unknown = [part for part in parts if part.split()[0] not in known] if name not in special else []
    if unknown:
        raise InvalidArgument(
            f"branches of this model begin with {', '.join(map(repr, known))}, by what they overlap with; got {name!r}"
        )


def _names_family(branch: str) -> bool:
    """Return whether a branch's name begins with that of a family."""
    first = " ".join(branch.split()[:1])
    return first == NULL_FAMILY or is_family(first)


def equations_of(name: str | Event, transition: Transition, diagram: DiagramContents) -> TransitionEquations:
    """Return the equations that define a transition of a solved diagram."""
    if isinstance(name, Event):
        return event_equations(name, diagram.branches, transition.bracket)
    branches = [diagram.branches.get(part) for part in transition.between]
    sectors = [None if branch is None else branch.sector for branch in branches]
    first = sectors[0]
    if first is None:
        raise InvalidArgument(f"{name} is not a transition between families of solutions: {transition}")
    if transition.kind == "pitchfork":
        names = [quantity.name for quantity in next(iter(diagram.branches.values())).evolution.space.quantities]
        return Pitchfork(first, names.index(transition.unstable_to), transition.unstable_to)
    if transition.kind == "fold":
        return Fold(first)
    if transition.kind == "baseline-crossing":
        return BaselineCrossing(first, test_errors_of(transition.between[1])[1])
    if transition.kind == "first-order" and sectors[1] is not None:
        return EqualFreeEntropies(first, sectors[1])
    raise InvalidArgument(f"{name} cannot be continued: {transition}")


def find_start(
    request: LineRequest, name: str | Event, diagrams: StartDiagrams
) -> tuple[DiagramContents, Transition] | str:
    """Find the transition at some value of the parameter: the model's own, or others in the range."""
    (low, high), over = request.between, request.over
    candidates = [diagrams.own] if low <= diagrams.own <= high else []
    candidates += [0.5 * low + 0.5 * high, 0.75 * low + 0.25 * high, 0.25 * low + 0.75 * high]
    said = ""
    for value in candidates:
        solved = diagrams.at(value)
        transition, why = _first(solved, name)
        if transition is not None and transition.points:
            return solved, transition
        if not solved.complete:
            return INTERRUPTED
        said = said or f"no {name.name if isinstance(name, Event) else name} at {over} = {value:g}: {why}"
    return said


def _first(diagram: DiagramContents, name: str | Event) -> tuple[Transition | None, str]:
    """Return the first transition of a name, or event, in a diagram; or why there is none."""
    if isinstance(name, Event):
        missing = [branch for branch in name.branches if branch not in diagram.branches]
        found = Found(reason=f"no {missing[0]} branch") if missing else diagram.locate(name)
        return next((one for one in found.transitions if one.points), found.first), found.reason
    if name in BASELINES:
        crossing = diagram.crossing(name)
        return crossing.transition, crossing.reason
    return diagram.transitions.get(name), diagram.reasons.get(name, "no such transition was found")
