"""What a line of transitions is asked over: a parameter, its range, and how to solve, checked once."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from replica.common.checked_arguments import checked_instance, checked_items, checked_pair, quoted
from replica.common.errors import InvalidArgument, InvalidModel
from replica.quantities.solvable_model import Model, require_model
from saddle.averages.rules.rule_arguments import checked_alpha
from saddle.branches.line_parameters import line_parameters, with_parameters
from saddle.diagram.contents import DiagramContents
from saddle.diagram.lines.plane import ParameterPlane
from saddle.diagram.solve_arguments import SolveArguments, checked_points, checked_solve
from saddle.diagram.solve_settings import SolveSettings

__all__ = ["LineRequest", "line_request"]

# In which range of alpha diagrams are solved that lines at one alpha begin in; further, if that lies outside.
FIRST_LOOK = (0.01, 3.0)
OTHER_NAMES = {"lambda": "regularization"}


@dataclass(frozen=True)
class LineRequest:
    """What all lines of one call share, as plain values.

    Attributes
    ----------
    model
        The model; its own value of the parameter says where a line is started, if that lies in the range.
    over, between
        Name of the parameter in the model, and its lowest and highest value.
    points
        Number of values of the parameter at which a line is solved.
    arguments
        Of the diagrams that lines start from: the range of alpha, tolerance, rule, threads and progress.
    highest_alpha
        Where a line is cut.
    plane
        Of lines at one alpha, the second parameter, its range and that alpha.
    """

    model: Model
    over: str
    between: tuple[float, float]
    points: int
    arguments: SolveArguments
    highest_alpha: float
    plane: ParameterPlane | None = None

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters that lines run over."""
        return (self.over,) if self.plane is None else (self.over, self.plane.second)

    @property
    def own(self) -> float:
        """The model's own value of the parameter."""
        return line_parameters(self.model)[self.over]

    def model_at(self, value: float) -> Model:
        """Return the model with another value of the parameter; the second one, in a plane, within its range."""
        changes = {self.over: value}
        if self.plane is not None:
            (low, high), own = self.plane.between, line_parameters(self.model)[self.plane.second]
            changes[self.plane.second] = own if low <= own <= high else 0.5 * (low + high)
        return with_parameters(self.model, changes)

    def check_diagram(self, diagram: DiagramContents | None) -> None:
        """Refuse a diagram that a line could not begin in.

        Raises
        ------
        InvalidArgument
            If it is no diagram, its model differs from the line's in more than the line's parameter, that lies outside
            the line's range, or it was solved on another rule than is asked for.
        """
        if diagram is None:
            return
        if not isinstance(diagram, DiagramContents):
            raise InvalidArgument(f"diagram must be a PhaseDiagram or None, got {quoted(diagram)}")
        own, value = diagram.model, line_parameters(diagram.model).get(self.over)
        expected = None
        if value is not None:
            with contextlib.suppress(InvalidModel):
                expected = self.model_at(value)
        if value is None or own != expected:
            line = self.model if expected is None else expected
            first = next(x.name for x in dataclasses.fields(own) if getattr(own, x.name) != getattr(line, x.name))
            raise InvalidArgument(
                f"diagram must be one of the line's model, but for {self.over}: {first} is "
                f"{quoted(getattr(line, first))} in the line's and {quoted(getattr(own, first))} in the diagram's"
            )
        low, high = self.between
        if not low <= value <= high:
            raise InvalidArgument(
                f"diagram must have its {self.over} in the line's range, {low!r} to {high!r}, got {value!r}"
            )
        rule = self.arguments.rule
        if rule is not None and rule != diagram.rule:
            raise InvalidArgument(f"rule must be the diagram's, {diagram.rule!r}, or be left out, got {rule!r}")


def line_request(
    model: Model,
    over: str | Sequence[str],
    between: Sequence[float] | Sequence[Sequence[float]],
    points: int,
    alpha: float | Sequence[float],
    settings: SolveSettings,
) -> LineRequest:
    """Return what lines are asked for as plain values.

    Raises
    ------
    InvalidArgument
        Naming the argument that is none, quoting its value.
    """
    require_model(model, "a line of transitions")
    names = _checked_names(model, over)
    # A line has values of the parameter, evenly spaced, where a diagram may have a grid of its own.
    points = checked_points(points)
    how = checked_instance("settings", settings, SolveSettings, "SolveSettings")
    asked, plane = alpha, None
    if len(names) == 2:
        both = _checked_ranges(model, names, between)
        first, plane = both[0], ParameterPlane(names[1], both[1], _checked_level(alpha, names, how.highest_alpha))
        # Where the transition is first looked for: it may be far from where it is wanted.
        asked = min(FIRST_LOOK[0], 0.5 * plane.alpha), max(FIRST_LOOK[1], 2.0 * plane.alpha)
    else:
        first = _checked_range(model, names[0], between)
    arguments = checked_solve(
        model, asked, points, tolerance=how.tolerance, rule=how.rule, threads=how.threads, progress=how.progress
    )
    lowest = arguments.alpha[0]
    if how.highest_alpha <= lowest:
        raise InvalidArgument(f"highest_alpha must be above the lowest alpha, {lowest!r}, got {how.highest_alpha!r}")
    return LineRequest(model, names[0], first, points, arguments, how.highest_alpha, plane)


def _checked_names(model: Model, over: str | Sequence[str]) -> tuple[str, ...]:
    """Return the name of a parameter, or two different ones."""
    if isinstance(over, str) or not isinstance(over, Iterable):
        return (_canonical_parameter(model, over),)
    pair = checked_items("over", over, "a parameter of the model, or a pair of them")
    if len(pair) != 2:
        raise InvalidArgument(f"over must be a parameter of the model, or a pair of them, got {quoted(over)}")
    first, second = (_canonical_parameter(model, name) for name in pair)
    if first == second:
        raise InvalidArgument(f"over must be two different parameters of the model, got {first!r} twice")
    return first, second


def _checked_level(alpha: object, names: tuple[str, ...], highest: float) -> float:
    """Return the alpha of a line in a plane."""
    if isinstance(alpha, Iterable) and getattr(alpha, "shape", None) != ():
        first, second = names
        raise InvalidArgument(
            f"alpha must be a number, at which the line over {first} and {second} is, got {quoted(alpha)}"
        )
    value = checked_alpha(alpha, "alpha")
    if value >= highest:
        raise InvalidArgument(f"alpha must be below the settings' highest_alpha, {highest!r}, got {value!r}")
    return value


def _checked_ranges(model: Model, names: tuple[str, ...], between: object) -> list[tuple[float, float]]:
    """Return valid ranges of two parameters."""
    what = f"a pair (lowest, highest) for each of {names[0]} and {names[1]}"
    pairs = checked_items("between", between, what)
    if len(pairs) != 2 or not all(isinstance(pair, Iterable) for pair in pairs):
        raise InvalidArgument(f"between must be {what}, such as ((0.0, 0.5), (0.3, 0.7)), got {quoted(between)}")
    return [
        _checked_range(model, name, pair, f"between[{k}]")
        for k, (name, pair) in enumerate(zip(names, pairs, strict=True))
    ]


def _canonical_parameter(model: Model, over: object) -> str:
    """Return a parameter's name in the model, of which it may have another; raises InvalidArgument if it has none."""
    known = line_parameters(model)
    name = OTHER_NAMES.get(over, over) if isinstance(over, str) and over not in known else over
    if not isinstance(name, str) or name not in known:
        raise InvalidArgument(f"over must be a parameter of the model: {', '.join(known)}; got {quoted(over)}")
    return name


def _checked_range(model: Model, over: str, between: object, argument: str = "between") -> tuple[float, float]:
    """Return a valid range of a parameter, or raise InvalidArgument saying what is wrong with it."""
    low, high = checked_pair(argument, between)
    for value in (low, high):
        try:
            with_parameters(model, {over: value})
        except InvalidModel as error:
            raise InvalidArgument(f"{argument}: {error}") from None
    return low, high
