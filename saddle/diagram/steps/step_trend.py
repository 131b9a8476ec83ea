"""How numbers change with the number of steps, and what that lets one guess of all further ones together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from replica.common.by_value import ByValue
from replica.common.checked_arguments import quoted
from replica.common.errors import InvalidArgument
from replica.common.html_table import html_table
from saddle.branches.branch import SolvedPoint
from saddle.branches.steps.step_solution import BrokenSymmetryPoint

__all__ = ["StepTrend", "step_trend"]

UNKNOWN = "what full breaking changes is not known"


@dataclass(frozen=True, eq=False, repr=False)
class StepTrend(ByValue):
    r"""Numbers of solutions with 0, 1, ... k steps at one alpha; n of them.

    Attributes
    ----------
    names
        Of the numbers, a tuple of n: order parameters of a minimum, free entropy and test error.
    values, errors
        Without steps, with one, and so on, (k + 1, n).

    Notes
    -----
    No finite number of steps is exact where fields jump, and nothing here bounds what all further ones change:
    :attr:`geometric_rest` is what they would, if every one changed a number by the same part of what the one before
    did. It is a trend of two changes.
    """

    names: tuple[str, ...]
    values: np.ndarray
    errors: np.ndarray

    @property
    def steps(self) -> int:
        """Largest number k of steps."""
        return len(self.values) - 1

    @property
    def changes(self) -> np.ndarray:
        """What each step changes, (k, n)."""
        return np.diff(self.values, axis=0)

    @property
    def change_errors(self) -> np.ndarray:
        """Errors of these, (k, n): those of both solutions added up, of which some are shared."""
        return self.errors[1:] + self.errors[:-1]

    @property
    def ratio(self) -> np.ndarray:
        """The last step's change over that of the one before, (n,); nan of fewer than two steps."""
        if self.steps < 2:
            return np.full(len(self.names), np.nan)
        before, last = self.changes[-2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            return last / before

    @property
    def geometric_rest(self) -> np.ndarray:
        """What all further steps change together if changes go on in this ratio, (n,).

        nan where within errors the ratio may be one or more, or none, so that nothing can be said.
        """
        return self._rests[0]

    @property
    def geometric_rest_error(self) -> np.ndarray:
        """Largest deviation of :attr:`geometric_rest` within the errors of both changes, (n,)."""
        return self._rests[1]

    @property
    def _rests(self) -> np.ndarray:
        found = np.full((2, len(self.names)), np.nan)
        if self.steps < 2:
            return found
        (before, last), (before_error, last_error) = self.changes[-2:], self.change_errors[-2:]
        for k in range(len(self.names)):
            corners = [
                (before[k] + x * before_error[k], last[k] + y * last_error[k])
                for x, y in itertools.product((-1, 0, 1), repeat=2)
            ]
            if all(abs(c) < abs(b) and b * before[k] > 0.0 for b, c in corners):
                rests = [c**2 / (b - c) for b, c in corners]
                found[:, k] = rests[4], max(abs(x - rests[4]) for x in rests)
        return found

    @property
    def _rows(self) -> list[tuple[str, ...]]:
        rows = []
        for k, name in enumerate(self.names):
            values = [f"{x:.6g} +- {error:.1e}" for x, error in zip(self.values[:, k], self.errors[:, k], strict=True)]
            rest, error = self._rests[:, k]
            rows.append((name, *values, "not known" if np.isnan(rest) else f"{rest:.1e} +- {error:.1e}"))
        return rows

    def __repr__(self) -> str:
        lines = [f"StepTrend: {self.steps} step{'s' * (self.steps != 1)} at most; {UNKNOWN}"]
        for name, *values, rest in self._rows:
            lines.append(f"  {name}: {' -> '.join(values)}; if changes go on in their ratio, further ones: {rest}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = ("quantity", *(f"k = {k}" for k in range(self.steps + 1)), "further, if changes go on in their ratio")
        return html_table(f"StepTrend: {UNKNOWN}", self._rows, head)


def step_trend(points: Sequence[SolvedPoint | BrokenSymmetryPoint]) -> StepTrend:
    """Put solutions of one family at one alpha with 0, 1, ... k steps side by side.

    Parameters
    ----------
    points
        The replica-symmetric solution, that with one step, and so on.

    Raises
    ------
    ValueError
        If they are no such solutions, or not of one family and alpha.
    """
    listed = list(points)
    counts = [point.steps if isinstance(point, BrokenSymmetryPoint) else 0 for point in listed]
    if not all(isinstance(x, SolvedPoint | BrokenSymmetryPoint) for x in listed) or counts != list(range(len(listed))):
        raise InvalidArgument(f"points must be solutions with 0, 1, ... k steps, got {quoted(points)}")
    if not listed or len({(x.sector, x.alpha) for x in listed}) != 1:
        raise InvalidArgument(f"points must be solutions of one family at one alpha, got {quoted(points)}")
    names = [*listed[0].order_parameters, "free_entropy", "test_error"]
    values, errors = [], []
    for k, point in enumerate(listed):
        numbers = {**point.order_parameters, "free_entropy": point.free_entropy, "test_error": point.test_error}
        # A minimum's own overlap is that of the innermost level.
        own = [x.replace("self_overlap", f"self_overlap_{k}", 1) if k else x for x in names]
        values.append([numbers[x] for x in own])
        errors.append([point.error[x] for x in own])
    return StepTrend(tuple(names), np.array(values), np.array(errors))
