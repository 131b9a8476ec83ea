"""What a line of transitions starts from: names, ranges, and a first transition in a phase diagram."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from baselines import BASELINES
from replica.common.checked_arguments import checked_pair, quoted
from replica.common.errors import InvalidArgument, InvalidModel
from replica.model.attention_model import AttentionModel
from replica.symmetry.sectors import FAMILIES
from saddle.averages.rules.outer import OuterRule
from saddle.averages.rules.rule_arguments import checked_alpha
from saddle.branches.null.solution import NULL_FAMILY
from saddle.branches.problem import LINE_PARAMETERS
from saddle.diagram.contents import DiagramContents
from saddle.diagram.solve_arguments import checked_points, checked_solve
from saddle.diagram.solving import solve_contents
from saddle.transitions.baseline_crossing import errors_of_baseline
from saddle.transitions.equations import BaselineCrossing, EqualFreeEntropies, Fold, Pitchfork, TransitionEquations
from saddle.transitions.transition import Transition

__all__ = [
    "START_POINTS", "canonical_name", "canonical_parameter", "check_diagram", "check_range", "checked_highest",
    "equations_of", "find_start",
]  # fmt: skip

ALIASES = {"semantic spinodal": "semantic -> mixed", "positional spinodal": "positional -> mixed"}
OTHER_NAMES = {"lambda": "regularization"}
# The diagram from which a line starts needs its transitions, not many points.
START_POINTS = 12


def canonical_name(name: str, argument: str = "transition") -> str:
    """Return the canonical name of a transition, or say what is wrong with it, and with which argument."""
    if not isinstance(name, str):
        raise InvalidArgument(f"{argument} must be the name of a transition, got {quoted(name)}")
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
    raise InvalidArgument(f"{argument} must be one of {known}, got {name!r}")


def canonical_parameter(over: str) -> str:
    """Return a parameter's name in the model, of which it may have another; raises InvalidArgument if it has none."""
    name = OTHER_NAMES.get(over, over) if isinstance(over, str) else None
    if name not in LINE_PARAMETERS:
        raise InvalidArgument(f"over must be one of {', '.join(LINE_PARAMETERS)}, got {quoted(over)}")
    return name


def equations_of(name: str, transition: Transition, diagram: DiagramContents) -> TransitionEquations:
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
    diagram: DiagramContents | None,
    alpha: Sequence[float],
    rule: OuterRule | None,
    tolerance: float | None,
    threads: int,
) -> tuple[DiagramContents, Transition] | str:
    """Find the transition at some value of the parameter: the model's own, or others in the range."""
    own = float(getattr(model, over) if diagram is None else getattr(diagram.model, over))
    middle = 0.5 * (between[0] + between[1])
    candidates = [own] if between[0] <= own <= between[1] else []
    candidates += [middle, 0.75 * between[0] + 0.25 * between[1], 0.25 * between[0] + 0.75 * between[1]]
    said = ""
    for value in candidates:
        solved = diagram if diagram is not None and getattr(diagram.model, over) == value else None
        if solved is None:
            changed = dataclasses.replace(model, **{over: value})
            arguments = checked_solve(changed, alpha, START_POINTS, rule=rule, tolerance=tolerance, threads=threads)
            solved = solve_contents(changed, arguments)
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
    low, high = checked_pair("between", between)
    if getattr(model, over) is None:
        raise InvalidArgument(
            f"over must be a parameter that the model has, which has a spectrum instead, got {over!r}"
        )
    for value in (low, high):
        try:
            dataclasses.replace(model, **{over: value})
        except InvalidModel as error:
            raise InvalidArgument(f"between: {error}") from None
    checked_points(points)
    return low, high


def check_diagram(
    diagram: DiagramContents | None,
    model: AttentionModel,
    over: str,
    between: tuple[float, float],
    rule: OuterRule | None,
) -> None:
    """Refuse a diagram that a line of a model could not begin in.

    Raises
    ------
    InvalidArgument
        If it is no diagram, its model differs from the line's in more than the line's parameter, that lies outside the
        line's range, or it was solved on another rule than is asked for.
    """
    if diagram is None:
        return
    if not isinstance(diagram, DiagramContents):
        raise InvalidArgument(f"diagram must be a PhaseDiagram or None, got {quoted(diagram)}")
    own = diagram.model
    if own != dataclasses.replace(model, **{over: getattr(own, over)}):
        names = [x.name for x in dataclasses.fields(model) if x.name != over]
        first = next(x for x in names if getattr(own, x) != getattr(model, x))
        raise InvalidArgument(
            f"diagram must be one of the line's model, but for {over}: {first} is {quoted(getattr(model, first))} "
            f"in the line's and {quoted(getattr(own, first))} in the diagram's"
        )
    value = float(getattr(own, over))
    if not between[0] <= value <= between[1]:
        raise InvalidArgument(
            f"diagram must have its {over} in the line's range, {between[0]!r} to {between[1]!r}, got {value!r}"
        )
    if rule is not None and rule != diagram.rule:
        raise InvalidArgument(f"rule must be the diagram's, {diagram.rule!r}, or be left out, got {rule!r}")


def checked_highest(highest_alpha: float, lowest: float) -> float:
    """Return where lines are cut; raises InvalidArgument unless that is above the range in which they begin."""
    highest = checked_alpha(highest_alpha, "highest_alpha")
    if highest <= lowest:
        raise InvalidArgument(f"highest_alpha must be above the lowest alpha, {lowest!r}, got {highest!r}")
    return highest
