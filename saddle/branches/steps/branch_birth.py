r"""Where a branch with a step begins: alpha as a function of the overlap that it is born with.

At a pitchfork the overlap vanishes, and alpha is an even function of it; at a fold alpha is smallest at some value of
it. Either way solutions of given overlap and unknown alpha are isolated, and alpha is a smooth function of the
overlap's square.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from replica.symmetry.sectors import Sector
from saddle.averages.lines.jump_line_rule import JumpLineRule
from saddle.branches.steps.from_symmetric import break_symmetry
from saddle.branches.steps.held_solutions import alpha_error, solve_held
from saddle.branches.steps.solved_point import point_of_solved
from saddle.branches.steps.solving import SolvedSteps
from saddle.branches.steps.step_solution import BrokenSymmetryPoint
from saddle.state_evolution.evaluation import StateEvaluation
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.state_evolution.steps.step_equations import StepEquations
from saddle.state_evolution.steps.step_unknowns import StepUnknowns

__all__ = ["BranchBirth", "branch_birth"]

# Shares of the first solution's overlap at which alpha is computed.
SHARES = (0.5, 0.2, 0.08, 0.03)


@dataclass(frozen=True)
class BranchBirth:
    """Where a branch begins.

    Attributes
    ----------
    alpha, error
        Smallest alpha and its error: that of alpha at the nearest solution, and what one solution less changes.
    overlap
        The overlap there: zero at a pitchfork.
    nearest
        The nearest solution.
    """

    alpha: float
    error: float
    overlap: float
    nearest: BrokenSymmetryPoint


def branch_birth(
    evolution: StateEvolution,
    sector: Sector,
    symmetric: StateEvaluation,
    rule: JumpLineRule,
    report: Callable[[], object] = lambda: None,
) -> BranchBirth:
    """Follow a branch with one step from a replica-symmetric solution to its beginning.

    Parameters
    ----------
    symmetric
        A solution of a sector with a free overlap, near its beginning; the last free overlap is the one that is held.

    Raises
    ------
    SolverError
        If there is no gap, or a solution was not found.
    """
    start = break_symmetry(evolution, sector, symmetric, 1, rule, report=report)
    equations = StepEquations(evolution, 1, rule)
    unit = float(np.sqrt(np.max(start.state.levels[-1])))
    plain = StepUnknowns(evolution.space, sector, 1, unit, parisi=True)
    squares, alphas = [1.0], [start.alpha]
    state, alpha, jacobian = start.state, start.alpha, None
    solved: SolvedSteps | None = None
    for share in SHARES:
        solved = solve_held(equations, plain.holding(start.state, share), alpha, state, jacobian, report)
        state, alpha, jacobian = solved.state, solved.evaluation.alpha, solved.jacobian
        squares.append(share**2)
        alphas.append(alpha)
    assert solved is not None
    overlap = float(plain.vector(start.state, 1.0)[plain.overlap_places[-1]]) * unit
    square, smallest = _smallest(np.array(squares[-3:]), np.array(alphas[-3:]))
    other = _smallest(np.array(squares[-4:-1]), np.array(alphas[-4:-1]))[1]
    nearest = point_of_solved(equations, sector, symmetric, solved, report)
    error = alpha_error(equations, solved) + abs(smallest - other)
    return BranchBirth(smallest, error, overlap * float(np.sqrt(square)), nearest)


def _smallest(squares: np.ndarray, alphas: np.ndarray) -> tuple[float, float]:
    """Return where a parabola through three points is smallest, from zero to the largest, and its value there."""
    c, b, a = np.polyfit(squares, alphas, 2)
    candidates = [0.0, float(np.max(squares))]
    if c > 0.0 and 0.0 < -b / (2.0 * c) < candidates[1]:
        candidates.append(float(-b / (2.0 * c)))
    best = min(candidates, key=lambda x: a + b * x + c * x**2)
    return best, float(a + b * best + c * best**2)
