"""What a line of transitions starts from: names, ranges, and a first transition in a phase diagram."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from baselines import BASELINES
from replica.errors import InvalidArgument
from replica.model import AttentionModel
from replica.sectors import FAMILIES
from saddle.attention_problem import LINE_PARAMETERS
from saddle.baseline_crossing import errors_of_baseline
from saddle.diagram_solving import solve_phase_diagram
from saddle.null_solution import NULL_FAMILY
from saddle.phase_diagram import PhaseDiagram
from saddle.quadrature import OuterRule
from saddle.transition_equations import BaselineCrossing, EqualFreeEntropies, Fold, Pitchfork, TransitionEquations
from saddle.transitions import Transition

__all__ = ["START_POINTS", "canonical_name", "canonical_parameter", "check_range", "equations_of", "find_start"]

ALIASES = {"semantic spinodal": "semantic -> mixed", "positional spinodal": "positional -> mixed"}
OTHER_NAMES = {"lambda": "regularization"}
# The diagram from which a line starts needs its transitions, not many points.
START_POINTS = 12


def canonical_name(name: str) -> str:
    """Return the canonical name of a transition, or say what is wrong with it."""
    name = ALIASES.get(name, name)
    stem = name.split(" (")[0]
    parts = stem.split(" -> ") if " -> " in stem else stem.split(" / ")
    if name in ("alpha_c", "alpha_l", *BASELINES) or (
        len(parts) == 2 and all(" ".join(part.split()[:1]) in (*FAMILIES, NULL_FAMILY) for part in parts)
    ):
        return name
    known = (
        "'alpha_c', 'alpha_l', "
        + ", ".join(map(repr, ALIASES))
        + ", the name of a baseline, a bifurcation such as 'agnostic -> semantic', or a jump such as "
        "'agnostic / semantic'"
    )
    raise InvalidArgument(f"transition must be one of {known}, got {name!r}")


def canonical_parameter(over: str) -> str:
    """Return a parameter's name in the model, of which it may have another."""
    return OTHER_NAMES.get(over, over)


def equations_of(name: str, transition: Transition, diagram: PhaseDiagram) -> TransitionEquations:
    """Return the equations that define a transition of a solved diagram."""
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
        return BaselineCrossing(first, errors_of_baseline(transition.between[1])[1])
    if transition.kind == "first-order" and sectors[1] is not None:
        return EqualFreeEntropies(first, sectors[1])
    raise InvalidArgument(f"{name} cannot be continued: {transition}")


def find_start(
    model: AttentionModel,
    name: str,
    over: str,
    between: tuple[float, float],
    diagram: PhaseDiagram | None,
    alpha: Sequence[float],
    rule: OuterRule | None,
    tolerance: float | None,
    threads: int,
) -> tuple[PhaseDiagram, Transition] | str:
    """Find the transition at some value of the parameter: the model's own, or others in the range."""
    own = float(getattr(model, over))
    middle = 0.5 * (between[0] + between[1])
    candidates = [own] if between[0] <= own <= between[1] else []
    candidates += [middle, 0.75 * between[0] + 0.25 * between[1], 0.25 * between[0] + 0.75 * between[1]]
    said = ""
    for value in candidates:
        solved = diagram if diagram is not None and getattr(diagram.model, over) == value else None
        if solved is None:
            changed = dataclasses.replace(model, **{over: value})
            solved = solve_phase_diagram(
                changed, alpha, points=START_POINTS, rule=rule, tolerance=tolerance, threads=threads
            )
        crossing = solved.crossing(name) if name in BASELINES else None
        transition = solved.transitions.get(name) if crossing is None else crossing.transition
        if transition is not None and transition.points:
            return solved, transition
        if not solved.complete:
            return "the computation was interrupted"
        unknown = "no such transition was found"
        why = solved.reasons.get(name, unknown) if crossing is None else crossing.reason
        said = said or f"no {name} at {over} = {value:g}: {why}"
    return said


def check_range(model: AttentionModel, over: str, between: Sequence[float], points: int) -> tuple[float, float]:
    """Return a valid range of a parameter, or raise InvalidArgument saying what is wrong with it."""
    if over not in LINE_PARAMETERS:
        raise InvalidArgument(f"over must be one of {', '.join(LINE_PARAMETERS)}, got {over!r}")
    try:
        low, high = (float(value) for value in between)
    except (TypeError, ValueError):
        raise InvalidArgument(f"between must be a pair (lowest, highest), got {between!r}") from None
    if not low < high:
        raise InvalidArgument(f"between must increase from lowest to highest, got {low!r} to {high!r}")
    for value in (low, high):
        dataclasses.replace(model, **{over: value})
    if not isinstance(points, int) or points < 2:
        raise InvalidArgument(f"points must be an integer of at least 2, got {points!r}")
    return low, high
