"""Solve a transition's equations on the branches' rule, then move it to a finer rule and estimate its error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from replica.quantities.names import ALPHA
from saddle.continuation.curve.curves import CurvePoint
from saddle.continuation.newton import OutsideDomain
from saddle.continuation.outcomes import Outcome, SolverError
from saddle.continuation.special_points.locating import solve_square
from saddle.state_evolution.evaluation import StateEvaluation
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.transitions.equations import TransitionEquations, TransitionSystem, evaluations_of

__all__ = ["LocatedInPlane", "LocatedTransition", "chord_steps", "locate", "sharpen", "sharpen_in_plane"]

TOLERANCE = 1e-9
STEPPED = 1e-6
FLOOR = 1e-6
# Moving to the finer rule ends when alpha moves less than this part of its error.
SETTLED = 0.05
MAX_MOVES = 4


@dataclass(frozen=True)
class LocatedTransition:
    """A solution of a transition's equations.

    Attributes
    ----------
    alpha, error
        Sample complexity on the finer rule, and its error.
    y
        Solution on the branches' rule, (N,).
    evaluations
        The solutions at the transition on the finer rule: one, or two.
    """

    alpha: float
    error: float
    y: np.ndarray
    evaluations: tuple[StateEvaluation, ...]


@dataclass(frozen=True)
class LocatedInPlane:
    """A solution of a transition's equations at one alpha.

    Attributes
    ----------
    parameters, errors
        Both parameters on the finer rule, and their errors across the line, (2,).
    evaluations
        The solutions there on the finer rule: one, or two.
    """

    parameters: np.ndarray
    errors: np.ndarray
    evaluations: tuple[StateEvaluation, ...]


def locate(equations: TransitionEquations, evolution: StateEvolution, start: np.ndarray) -> LocatedTransition:
    """Solve a transition's equations by Newton's method from near a solution, and sharpen it.

    Parameters
    ----------
    equations
        The kind of transition.
    evolution
        The equations of state on the branches' rule.
    start
        Unknowns of the sector (or of both sectors), then alpha.

    Returns
    -------
    LocatedTransition
        On the finer rule, with its error.

    Raises
    ------
    SolverError
        If Newton's method does not converge.
    """
    system = equations.system(evolution, (ALPHA.name,))
    # Where a small step of the residual is in the way, what it leaves is still far below the rule's error.
    solution = solve_square(system, start, TOLERANCE)
    if solution.outcome is not Outcome.CONVERGED:
        solution = solve_square(system, start, STEPPED)
    if solution.outcome is not Outcome.CONVERGED or solution.evaluation is None:
        raise SolverError(f"{equations.kind} near alpha = {start[-1]:.6g}: {solution.outcome.value}", solution.outcome)
    return sharpen(equations, evolution, solution.y, solution.evaluation.jacobian, (ALPHA.name,))


def sharpen(
    equations: TransitionEquations,
    evolution: StateEvolution,
    y: np.ndarray,
    jacobian: np.ndarray,
    over: tuple[str, ...],
) -> LocatedTransition:
    """Move a solution to a ten times finer rule, at fixed values of every parameter but alpha.

    The coarser rule's Jacobian is used for all steps (it differs by the coarser rule's error, so every step gains
    as many digits as that has). The error is what embedded rules say, propagated to alpha; or, if it is larger, a
    part of the change between both rules, since an estimate may be small by chance.

    Parameters
    ----------
    equations, evolution
        The kind of transition, and the equations of state on the branches' rule.
    y, jacobian
        Solution on that rule, and derivatives there: (N,) and (N, N), or (N + 1,) and (N, N + 1) on a line.
    over
        Names of the active parameters.

    Raises
    ------
    SolverError
        If the Jacobian is singular, or the steps leave the domain or end where nothing is known of alpha: beyond zero,
        or with an error as large as alpha itself. So they do where a line turns back in its other parameter, next to
        which the finer rule has no transition.
    """
    fine = equations.system(evolution.with_rule(evolution.rule.refined()), over)
    place = len(y) - len(over)
    said = f"{equations.kind} near alpha = {y[place]:.6g}"
    (alpha,), (error,), evaluations = _moved(equations, fine, y, jacobian[:, : place + 1], (place,), said)
    if not error < alpha:
        known = f"the finer rule moves it to {alpha:.6g} +- {error:.1e}"
        raise SolverError(f"{said}: {known}", Outcome.MAX_STEPS)
    return LocatedTransition(float(alpha), float(error), np.array(y), evaluations)


def sharpen_in_plane(
    equations: TransitionEquations,
    evolution: StateEvolution,
    point: CurvePoint,
    plane: tuple[float, tuple[str, str]],
    fixed: int | None = None,
) -> LocatedInPlane:
    """Move a point of a line at one alpha to a ten times finer rule, across the line; else as :func:`sharpen`.

    Where the line turns back in a parameter nothing is special: it is moved at right angles to itself.

    Parameters
    ----------
    equations, evolution
        The kind of transition, and the equations of state on the line's rule.
    point
        Solution on that rule: the solutions' unknowns, then both parameters.
    plane
        The alpha that is held, and the names of the parameters.
    fixed
        Which of them, 0 or 1, stays as it is, at the end of its range; None to move both.

    Raises
    ------
    SolverError
        If the Jacobian is singular, or the steps leave the domain or end where nothing is known of a parameter.
    """
    alpha, names = plane
    over = (ALPHA.name, *names)
    coarse, fine = (
        equations.system(on, over, alpha) for on in (evolution, evolution.with_rule(evolution.rule.refined()))
    )
    y, units = point.y, coarse.units(point.y)
    row = np.zeros(len(y))
    if fixed is None:
        row[-2:] = (point.tangent / units**2)[-2:]
        row /= np.linalg.norm(row)
    else:
        row[fixed - 2] = 1.0
    said = f"{equations.kind} at alpha = {alpha:.6g} near {names[0]} = {y[-2]:.6g}, {names[1]} = {y[-1]:.6g}"
    square = np.vstack([point.evaluation.jacobian, row])
    found, errors, evaluations = _moved(equations, fine, y, square, (-2, -1), said)
    if not np.all(errors < units[-2:]):
        raise SolverError(f"{said}: the finer rule knows it to {np.max(errors):.1e} only", Outcome.MAX_STEPS)
    return LocatedInPlane(found, errors, evaluations)


def _moved(
    equations: TransitionEquations,
    fine: TransitionSystem,
    y: np.ndarray,
    square: np.ndarray,
    places: tuple[int, ...],
    said: str,
) -> tuple[np.ndarray, np.ndarray, tuple[StateEvaluation, ...]]:
    """Return some unknowns on the finer rule, their errors, and the solutions there.

    The last rows of the square matrix may be those of conditions that every step keeps.
    """
    at = list(places)
    here, moved, errors = y, np.full(len(at), np.inf), np.zeros(len(at))
    evaluations: tuple[StateEvaluation, ...] = ()
    try:
        inverse = np.linalg.inv(square)[:, : _equation_count(equations)]
        for here, step, evaluations in islice(chord_steps(fine, y, inverse), MAX_MOVES):
            moved, change = np.abs(step[at]), np.abs((here - y)[at])
            embedded = np.array([_embedded_error(equations, evaluations, inverse[k]) for k in at])
            errors = np.maximum(np.maximum(embedded, equations.trusted * change), FLOOR)
            if np.all(moved < SETTLED * errors):
                break
    except OutsideDomain as failure:
        raise SolverError(f"{said}: {failure}", Outcome.LEFT_DOMAIN) from None
    except np.linalg.LinAlgError as failure:
        raise SolverError(f"{said}: {failure}", Outcome.SINGULAR) from None
    return here[at], np.maximum(errors, moved), evaluations


def _equation_count(equations: TransitionEquations) -> int:
    return sum(len(sector.free) for sector in equations.sectors) + 1


def chord_steps(
    system: TransitionSystem, y: np.ndarray, inverse: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, tuple[StateEvaluation, ...]]]:
    """Yield points (N,), steps (k,) and evaluations of a chord iteration in the first k unknowns.

    The inverse (k, N) of one Jacobian serves all steps. An evaluation belongs to the point before its step.
    """
    here = np.array(y, dtype=float)
    while True:
        residual, detail = system.values(here)
        step = -inverse @ residual
        here = here.copy()
        here[: len(step)] += step
        yield here, step, evaluations_of(detail)


def _embedded_error(equations: TransitionEquations, evaluations: tuple[StateEvaluation, ...], row: np.ndarray) -> float:
    """Propagate embedded rules' differences of every residual to alpha, whose row of the inverse is given."""
    parts = [
        here.residual_differences[:, list(sector.free)]
        for here, sector in zip(evaluations, equations.sectors, strict=True)
    ]
    differences = np.column_stack([*parts, equations.last_row_differences(evaluations)])
    return float(evaluations[0].averages.outer.error(-differences @ row))
