"""Follow a branch of solutions through prescribed parameter values: a general engine that knows no attention.

Natural-parameter continuation with extrapolation from solved points and step halving. Symmetry-breaking
unknowns behave as the square root of the parameter's distance from a pitchfork, so extrapolation is done in
their squares, which are smooth there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from saddle.continuation.newton import Linearization, NewtonResult
from saddle.outcomes import Outcome

__all__ = ["BranchPoint", "follow"]

L = TypeVar("L", bound=Linearization)
MAX_HALVINGS = 6
HISTORY = 4
MAX_SUBSTEPS = 80
COLLAPSED = 1e-3


@dataclass(frozen=True)
class BranchPoint(Generic[L]):
    """A parameter value with the outcome there and, if converged, the solution."""

    parameter: float
    outcome: Outcome
    result: NewtonResult[L] | None


def _to_smooth(x: np.ndarray, odd: Sequence[int]) -> np.ndarray:
    y = x.copy()
    y[list(odd)] = x[list(odd)] * np.abs(x[list(odd)])
    return y


def _from_smooth(y: np.ndarray, odd: Sequence[int]) -> np.ndarray:
    x = y.copy()
    x[list(odd)] = np.sign(y[list(odd)]) * np.sqrt(np.abs(y[list(odd)]))
    return x


def _extrapolate(history: Sequence[tuple[float, np.ndarray]], parameter: float) -> np.ndarray:
    """Evaluate the polynomial through the last points at a parameter value (Neville's scheme)."""
    points = list(history[-HISTORY:])
    values = [y for _, y in points]
    for order in range(1, len(points)):
        values = [
            ((parameter - points[i][0]) * values[i + 1] - (parameter - points[i + order][0]) * values[i])
            / (points[i + order][0] - points[i][0])
            for i in range(len(values) - 1)
        ]
    return values[0]


def follow(
    solve: Callable[[np.ndarray, float], NewtonResult[L]],
    start: Sequence[tuple[float, np.ndarray]],
    parameters: Sequence[float],
    *,
    odd: Sequence[int] = (),
    closeness: float = 0.3,
) -> Iterator[BranchPoint[L]]:
    """Follow a branch from known points through a monotone list of parameter values.

    Parameters
    ----------
    solve
        Newton's method at fixed parameter: (start (n,), parameter) -> result.
    start
        Known (parameter, solution) pairs of the branch, the nearest to ``parameters`` last. A pitchfork counts.
    parameters
        Where solutions are wanted, in the order to be followed.
    odd
        Indices of the unknowns that change sign under the broken symmetry.
    closeness
        Largest accepted relative distance between a solution and its prediction; a farther one is taken for
        another branch and the step is halved.

    Yields
    ------
    BranchPoint
        One per parameter value. Once the branch is lost (at a fold, or where the odd unknowns vanish), the
        remaining ones have outcome LOST and no solution: nothing is interpolated.
    """
    history = [(p, _to_smooth(np.asarray(x, dtype=float), odd)) for p, x in start]
    lost = False
    for target in parameters:
        budget = MAX_SUBSTEPS
        while not lost:
            result, reached = _advance(solve, history, target, odd, closeness)
            budget -= 1
            if result is None or budget == 0:
                lost = True
                break
            history.append((reached, _to_smooth(result.x, odd)))
            if reached == target:
                yield BranchPoint(target, Outcome.CONVERGED, result)
                break
        if lost:
            yield BranchPoint(target, Outcome.LOST, None)


def _advance(
    solve: Callable[[np.ndarray, float], NewtonResult[L]],
    history: Sequence[tuple[float, np.ndarray]],
    target: float,
    odd: Sequence[int],
    closeness: float,
) -> tuple[NewtonResult[L] | None, float]:
    """Step towards ``target`` as far as one step can; return the result, if any, and where it is."""
    here = history[-1][0]
    for halving in range(MAX_HALVINGS + 1):
        trial = target if halving == 0 else here + (target - here) * 0.5**halving
        if len(history) > 1 and _vanishes(history, trial, odd):
            continue
        result = _attempt(solve, history, trial, odd, closeness)
        if result is not None:
            return result, trial
    return None, here


def _vanishes(history: Sequence[tuple[float, np.ndarray]], parameter: float, odd: Sequence[int]) -> bool:
    """Whether an odd unknown's square, going on along its secant, has passed zero."""
    secant, last = _extrapolate(history[-2:], parameter), history[-1][1]
    return any(secant[i] * last[i] <= 0.0 for i in odd)


def _attempt(
    solve: Callable[[np.ndarray, float], NewtonResult[L]],
    history: Sequence[tuple[float, np.ndarray]],
    parameter: float,
    odd: Sequence[int],
    closeness: float,
) -> NewtonResult[L] | None:
    """Solve at one parameter value from an extrapolation; None if it fails or ends on another branch."""
    predicted, last = _extrapolate(history, parameter), history[-1][1]
    if len(history) > 1 and any(predicted[i] * last[i] <= 0.0 for i in odd):
        predicted = _extrapolate(history[-2:], parameter)  # high orders overshoot where a square vanishes
    start, previous = _from_smooth(predicted, odd), _from_smooth(last, odd)
    result = solve(start, parameter)
    if result.outcome is not Outcome.CONVERGED:
        return None
    units = np.maximum(np.maximum(np.abs(start), np.abs(previous)), np.finfo(float).tiny)
    collapsed = any(abs(result.x[i]) < COLLAPSED * units[i] for i in odd)
    if collapsed or np.max(np.abs(result.x - start) / units) > closeness:
        return None
    return result
