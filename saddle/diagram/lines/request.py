"""What a line of transitions is asked over: a parameter, its range, and how to solve, checked once."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from replica.common.checked_arguments import checked_instance, checked_pair, quoted
from replica.common.errors import InvalidArgument, InvalidModel
from replica.model.attention_model import AttentionModel
from saddle.branches.line_parameters import line_parameters, with_parameters
from saddle.diagram.contents import DiagramContents
from saddle.diagram.solve_arguments import SolveArguments, checked_points, checked_solve
from saddle.diagram.solve_settings import SolveSettings

__all__ = ["LineRequest", "line_request"]

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
    """

    model: AttentionModel
    over: str
    between: tuple[float, float]
    points: int
    arguments: SolveArguments
    highest_alpha: float

    @property
    def own(self) -> float:
        """The model's own value of the parameter."""
        return line_parameters(self.model)[self.over]

    def model_at(self, value: float) -> AttentionModel:
        """Return the model with another value of the parameter."""
        return with_parameters(self.model, {self.over: value})

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
    model: AttentionModel,
    over: str,
    between: Sequence[float],
    points: int,
    alpha: Sequence[float],
    settings: SolveSettings,
) -> LineRequest:
    """Return what lines are asked for as plain values.

    Raises
    ------
    InvalidArgument
        Naming the argument that is none, quoting its value.
    """
    AttentionModel.require_any(model, "a line of transitions")
    over = _canonical_parameter(model, over)
    # A line has values of the parameter, evenly spaced, where a diagram may have a grid of its own.
    points = checked_points(points)
    how = checked_instance("settings", settings, SolveSettings, "SolveSettings")
    arguments = checked_solve(
        model, alpha, points, tolerance=how.tolerance, rule=how.rule, threads=how.threads, progress=how.progress
    )
    between, lowest = _checked_range(model, over, between), arguments.alpha[0]
    if how.highest_alpha <= lowest:
        raise InvalidArgument(f"highest_alpha must be above the lowest alpha, {lowest!r}, got {how.highest_alpha!r}")
    return LineRequest(model, over, between, points, arguments, how.highest_alpha)


def _canonical_parameter(model: AttentionModel, over: str) -> str:
    """Return a parameter's name in the model, of which it may have another; raises InvalidArgument if it has none."""
    known = line_parameters(model)
    name = OTHER_NAMES.get(over, over) if isinstance(over, str) and over not in known else over
    if not isinstance(name, str) or name not in known:
        raise InvalidArgument(f"over must be a parameter of the model: {', '.join(known)}; got {quoted(over)}")
    return name


def _checked_range(model: AttentionModel, over: str, between: Sequence[float]) -> tuple[float, float]:
    """Return a valid range of a parameter, or raise InvalidArgument saying what is wrong with it."""
    low, high = checked_pair("between", between)
    for value in (low, high):
        try:
            with_parameters(model, {over: value})
        except InvalidModel as error:
            raise InvalidArgument(f"between: {error}") from None
    return low, high
