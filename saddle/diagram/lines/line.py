"""A line of transitions: what :func:`saddle.solve_transition_line` returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from replica.common.by_value import ByValue
from replica.common.checked_arguments import checked_integer, checked_number
from replica.common.errors import InvalidArgument
from replica.common.html_table import html_table
from replica.quantities.names import order_parameters
from replica.quantities.solvable_model import Model
from saddle.averages.rules.outer import OuterRule
from saddle.branches.line_parameters import with_parameters
from saddle.diagram.lines.ends import LineEnd
from saddle.diagram.lines.plane import ParameterPlane

__all__ = ["TransitionLine", "empty_line"]


@dataclass(frozen=True, eq=False, repr=False)
class TransitionLine(ByValue):
    """A transition along a parameter of the model, or at one alpha along two; arrays have an entry per point, in order.

    Attributes
    ----------
    name, kind, between
        As in the phase diagram from which the line was started.
    model
        The model; along the line ``over`` replaces one of its parameters.
    over
        Name of that parameter.
    parameter, alpha, error
        Where the transition is, on a rule ten times finer than the line was continued on, and the error of alpha,
        (n,). In a plane alpha is exact, and the error is that of the parameter, across the line: none where the line
        runs along it.
    tangent
        d alpha/d parameter; in a plane d second/d parameter, (n,).
    order_parameters
        (q, m, V, theta) of the solution at the transition, or of both, (n, s, 4).
    free_entropy, test_error
        Phi and the test error per token, (n, s).
    metastable
        For a baseline crossing, whether the other of the positional and the semantic solution has the larger Phi
        there, (n,): then the global minimum does not cross the baseline here, but at the first-order transition.
        None for other kinds.
    endings
        How the line ended on both sides, in words.
    ends
        Special points at which it ends, or None.
    rule
        Quadrature rule on which the line was continued.
    reason
        In words, why there is no line; "" if there is one.
    complete
        False after an interruption: what is there is valid.
    plane
        Of a line at one alpha, what it runs through besides ``over``; otherwise None.
    second, second_error
        In a plane the second parameter and its error across the line, (n,), otherwise None.
    """

    name: str
    kind: str
    between: tuple[str, str]
    model: Model
    over: str
    parameter: np.ndarray
    alpha: np.ndarray
    error: np.ndarray
    tangent: np.ndarray
    order_parameters: np.ndarray
    free_entropy: np.ndarray
    test_error: np.ndarray
    endings: tuple[str, str]
    rule: OuterRule | None
    reason: str = ""
    complete: bool = True
    ends: tuple[LineEnd | None, LineEnd | None] = (None, None)
    metastable: np.ndarray | None = None
    plane: ParameterPlane | None = None
    second: np.ndarray | None = None
    second_error: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Make every array read-only."""
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    def __repr__(self) -> str:
        name = self.name if len(self) else f"{self.name} over {self._asked}"
        return f"TransitionLine({name}: {self.summary})"

    @property
    def summary(self) -> str:
        """In words, where it passes and how well that is known, or why there is none."""
        if not len(self):
            return f"no point; {self.reason}"
        passed = f"{self.over} = {np.min(self.parameter):.6g} to {np.max(self.parameter):.6g}"
        reached = f"alpha = {np.min(self.alpha):.6g} to {np.max(self.alpha):.6g}, errors up to {np.max(self.error):.1e}"
        if self.plane is not None and self.second is not None and self.second_error is not None:
            error = max(np.max(self.error), np.max(self.second_error))
            reached = f"{self.plane.second} = {np.min(self.second):.6g} to {np.max(self.second):.6g}"
            reached = f"{reached}, at alpha = {self.plane.alpha:.6g}, errors up to {error:.1e}"
        unfinished = "" if self.complete else ", interrupted"
        return f"{len(self)} points, {passed}, {reached}{unfinished}"

    def _repr_html_(self) -> str:
        other = "" if self.plane is None else f"{self.plane.second} = {{end.second:.6g}}, "
        ends = [(f"ends by {end.kind}", f"{self.over} = {end.parameter:.6g}, {other.format(end=end)}"
                 f"alpha = {end.alpha:.6g}") for end in self.ends if end is not None]  # fmt: skip
        return html_table(f"TransitionLine: {self.name} over {self._asked}", [("points", self.summary), *ends])

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.alpha)

    @property
    def _asked(self) -> str:
        return self.over if self.plane is None else f"{self.over} and {self.plane.second}"

    def model_at(self, k: int) -> Model:
        """Return the model at a point of the line.

        Parameters
        ----------
        k
            Index of the point.

        Raises
        ------
        ValueError
            If it is no integer, or there is no such point.
        """
        k = checked_integer("k", k, -len(self), len(self) - 1)
        values = {self.over: float(self.parameter[k])}
        if self.plane is not None and self.second is not None:
            values[self.plane.second] = float(self.second[k])
        return with_parameters(self.model, values)

    def at(self, value: float) -> float:
        """Return alpha at a value of the parameter, by cubic interpolation between points and their tangents.

        In a plane, return the second parameter there: the first along the line, if it turns back.

        Raises
        ------
        ValueError
            If the line does not pass this value, or it is no number.
        """
        value = checked_number("value", value)
        found = self.alpha if self.second is None else self.second
        for k in range(len(self) - 1):
            low, high = sorted((self.parameter[k], self.parameter[k + 1]))
            if low <= value <= high and high > low:
                width = self.parameter[k + 1] - self.parameter[k]
                x = (value - self.parameter[k]) / width
                a, b = found[k], found[k + 1]
                u, v = self.tangent[k] * width, self.tangent[k + 1] * width
                return float(a + x * (b - a) + x * (1.0 - x) * ((1.0 - x) * (u - (b - a)) + x * ((b - a) - v)))
        raise InvalidArgument(f"value: the line {self.name} does not pass {self.over} = {value!r}")


def empty_line(
    name: str,
    model: Model,
    over: str,
    reason: str,
    complete: bool = True,
    plane: ParameterPlane | None = None,
) -> TransitionLine:
    """Return a line without points, and why it has none."""
    none, unknowns = np.zeros(0), len(order_parameters(model.structure.layout))
    second = None if plane is None else none
    return TransitionLine(
        name, "", ("", ""), model, over, none, none, none, none, np.zeros((0, 1, unknowns)), np.zeros((0, 1)),
        np.zeros((0, 1)), ("", ""), None, reason, complete, plane=plane, second=second, second_error=second,
    )  # fmt: skip
