"""Locate transitions by root-finding on polished solutions, and move them to a finer quadrature rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import root_scalar

from replica.names import ORDER_PARAMETERS
from replica.sectors import POSITIONAL_INDEX, SEMANTIC_INDEX
from saddle.branch import Branch, SolvedPoint, solve_point
from saddle.channel import ENVELOPE
from saddle.outcomes import SolverError
from saddle.state_evolution import StateEvaluation, StateEvolution

__all__ = ["Transition", "find_alpha_c", "find_alpha_l", "find_pitchforks", "global_branch"]

# Root-finding stops here, well below any quadrature error.
ALPHA_TOLERANCE = 1e-8
FLOOR = 1e-6
# A Newton step shorter than this, in natural units, leaves errors of its square.
SHORT = 1e-3


@dataclass(frozen=True)
class Transition:
    """A located transition.

    Attributes
    ----------
    alpha
        Sample complexity, on a rule ten times finer than the branches'.
    error
        From embedded rules, propagated to alpha to first order; at least a tenth of the difference from the
        location on the branches' own rule (for pitchforks, all of it), and at least 1e-6.
    kind
        "first-order", "baseline-crossing" or "pitchfork".
    between
        The two families, or the family and the baseline.
    unstable_to
        For a pitchfork, the order parameter whose fluctuations become critical.
    """

    alpha: float
    error: float
    kind: str
    between: tuple[str, str]
    unstable_to: str = ""

    def __str__(self) -> str:
        names = " / ".join(self.between)
        return f"{self.kind} ({names}) at alpha = {self.alpha:.5f} +- {self.error:.1e}"


class _Polisher:
    """Solves one branch at any alpha on a given rule, from its own last solution."""

    def __init__(self, branch: Branch, evolution: StateEvolution) -> None:
        self.branch = branch
        self.evolution = evolution
        self.solved: list[SolvedPoint] = []

    def __call__(self, alpha: float, start: np.ndarray | None = None) -> SolvedPoint:
        if start is None:
            start = self._start(alpha)
        point = solve_point(self.evolution, self.branch.sector, start, alpha)
        if all(abs(point.alpha - other.alpha) > 1e-12 for other in self.solved):
            self.solved.append(point)
        return point

    def _start(self, alpha: float) -> np.ndarray:
        if not self.solved:
            return self.branch.at(alpha).evaluation.state
        if len(self.solved) == 1:
            return self.solved[-1].evaluation.state
        a, b = sorted(self.solved, key=lambda point: abs(point.alpha - alpha))[:2]
        slope = (b.evaluation.state - a.evaluation.state) / (b.alpha - a.alpha)
        return a.evaluation.state + (alpha - a.alpha) * slope


def _error(estimate: float, change: float) -> float:
    """Return a location's error: what embedded rules say, and what the finer rule's change of it says.

    One of the two may be small by chance.
    """
    return max(estimate, change, FLOOR)


def _settled(point: SolvedPoint, alpha: float) -> StateEvaluation:
    """Evaluate on a finer rule at a coarser rule's solution, moved by Newton steps until they are short.

    What is stationary at a solution, and what one more Newton step corrects, is then known to second order in a
    short step.
    """
    evolution, state = point.evolution.with_rule(point.evolution.rule.refined()), point.evaluation.state
    here = evolution.evaluate(state, alpha)
    for _ in range(3):
        moved, _ = here.newton_corrected(point.sector.free)
        if np.max(np.abs(moved - state) / here.full_scales) < SHORT:
            break
        state = moved
        here = evolution.evaluate(state, alpha)
    return here


def _sign_changes(values: np.ndarray, usable: np.ndarray) -> list[int]:
    """Return k such that ``values`` changes sign between the usable neighbours k and k + 1."""
    product = values[:-1] * values[1:]
    return [int(k) for k in np.flatnonzero(usable[:-1] & usable[1:] & (product <= 0.0))]


def find_pitchforks(branch: Branch) -> list[Transition]:
    """Find where a branch becomes unstable to an order parameter that vanishes on it.

    The Jacobian splits into blocks under the sign symmetries; m and theta each have a block of one entry,
    whose zero is a pitchfork at which a branch of lower symmetry is born.
    """
    found = []
    for index in branch.sector.transverse:
        partner = branch.sector.broken_further(index)
        for k in _sign_changes(branch.jacobian_diagonal[:, index], branch.distinct):
            bracket = (float(branch.alpha[k]), float(branch.alpha[k + 1]))
            try:
                alpha, error = _pitchfork(branch, index, bracket)
            except (SolverError, ValueError):
                continue  # a sign change that no pitchfork explains, or one that cannot be polished
            name = ORDER_PARAMETERS[index].name
            found.append(Transition(alpha, error, "pitchfork", (branch.name, partner.value), name))
    return sorted(found, key=lambda transition: transition.alpha)


def _pitchfork(branch: Branch, index: int, bracket: tuple[float, float]) -> tuple[float, float]:
    """Locate the zero of an odd block on the branch's rule, then move it to a finer one by the secant method."""
    polish = _Polisher(branch, branch.evolution)

    def odd_block(point: SolvedPoint) -> float:
        return float(point.evaluation.full_jacobian[index, index])

    coarse = float(
        root_scalar(lambda at: odd_block(polish(at)), bracket=bracket, method="brentq", xtol=1e-7, rtol=1e-9).root
    )
    nearest = sorted(polish.solved, key=lambda point: abs(point.alpha - coarse))[:2]
    slope = (odd_block(nearest[1]) - odd_block(nearest[0])) / (nearest[1].alpha - nearest[0].alpha)
    refined = _Polisher(branch, branch.evolution.with_rule(branch.evolution.rule.refined()))
    start, alpha = nearest[0].evaluation.state, coarse
    for _ in range(4):
        point = refined(alpha, start)
        start, step = point.evaluation.state, -odd_block(point) / slope
        alpha += step
        if abs(step) < 1e-3 * abs(alpha - coarse) + 1e-7:
            break
    # Measured: odd blocks do not always follow the law by which averages converge, so all of the change counts.
    return alpha, _error(_odd_block_error(point, index) / abs(slope), abs(alpha - coarse))


def _odd_block_error(point: SolvedPoint, index: int) -> float:
    """Return the error of an odd block of dF/du: that of the channel's odd block, all else at its value."""
    here = point.evaluation
    position = (POSITIONAL_INDEX, SEMANTIC_INDEX).index(index)
    return float(here.alpha * abs(here.overlap_slopes[index, index]) * here.averages.odd_block_errors[position])


def global_branch(branches: Sequence[Branch]) -> list[Branch | None]:
    """Return, per grid point, the branch of largest Phi (lowest training loss), or None where none is stored."""
    phi = np.array([np.where(branch.distinct, branch.free_entropy, -np.inf) for branch in branches])
    best = np.argmax(phi, axis=0)
    return [branches[b] if np.isfinite(phi[b, k]) else None for k, b in enumerate(best)]


def _first_order_root(
    first: Branch, second: Branch, start: float, bracket: tuple[float, float]
) -> tuple[float, tuple[SolvedPoint, SolvedPoint]]:
    """Solve Phi_first = Phi_second by Newton's method in alpha, with dPhi/dalpha = -E[M] on each branch.

    Safeguarded: a step that leaves the bracket is replaced by bisection. Returns alpha and the two solutions next
    to it.
    """
    low, high = bracket
    polish = _Polisher(first, first.evolution), _Polisher(second, second.evolution)
    alpha, sign_low = start, None
    for _ in range(30):
        a, b = polish[0](alpha), polish[1](alpha)
        difference = a.free_entropy - b.free_entropy
        slope = b.evaluation.averages.envelope - a.evaluation.averages.envelope
        if sign_low is None:
            # Which side of the root is the lower end of the bracket on? Phi's difference is monotone near it.
            sign_low = -np.sign(slope)
        if np.sign(difference) == sign_low:
            low = max(low, alpha)
        else:
            high = min(high, alpha)
        step = -difference / slope
        if abs(step) < ALPHA_TOLERANCE:
            return alpha + step, (a, b)
        alpha = alpha + step if low <= alpha + step <= high else 0.5 * (low + high)
    raise ValueError(f"equal free entropies of {first.name} and {second.name} not located near alpha = {alpha:.6g}")


def find_alpha_c(positional: Branch, semantic: Branch) -> tuple[Transition | None, str]:
    """Find where positional and semantic solutions have equal free entropy.

    Returns
    -------
    (Transition or None, str)
        The transition with the smallest alpha, and a reason in words where there is none.
    """
    both = positional.distinct & semantic.distinct
    if not both.any():
        missing = [branch.name for branch in (positional, semantic) if not branch.distinct.any()]
        what = f"no {' and no '.join(missing)} branch" if missing else "no alpha at which both branches exist"
        return None, f"{what} in {positional.alpha[0]:g} <= alpha <= {positional.alpha[-1]:g}"
    difference = semantic.free_entropy - positional.free_entropy
    changes = _sign_changes(difference, both)
    if not changes:
        ahead = "semantic" if difference[np.flatnonzero(both)[-1]] > 0 else "positional"
        return None, f"the {ahead} branch has the larger free entropy wherever both exist in this range"
    k = changes[0]
    bracket = (float(positional.alpha[k]), float(positional.alpha[k + 1]))
    # The secant through the bracket's ends; Newton then needs two or three steps.
    start = bracket[0] - difference[k] * (bracket[1] - bracket[0]) / (difference[k + 1] - difference[k])
    try:
        alpha, error = _sharpened(*_first_order_root(positional, semantic, float(start), bracket))
    except (SolverError, ValueError) as failure:
        return None, f"equal free entropies bracketed by {bracket} but not located: {failure}"
    return Transition(alpha, error, "first-order", (positional.name, semantic.name)), ""


def _sharpened(alpha: float, points: tuple[SolvedPoint, SolvedPoint]) -> tuple[float, float]:
    """Move a first-order transition to a finer rule, and return it with its error.

    Phi is stationary at a solution, so on the finer rule its value at a coarser rule's solution is correct to
    second order in the coarser rule's error: nothing needs to be solved again.
    """
    first, second = (_settled(point, alpha) for point in points)
    slope = second.averages.envelope - first.averages.envelope
    fine = float(alpha - (first.free_entropy - second.free_entropy) / slope)
    # Both states are integrated on the same lattice, so the differences of its embedded rules go together.
    differences = alpha * (first.averages.differences - second.averages.differences)[:, ENVELOPE]
    estimate = float(first.averages.outer.error(differences)) / abs(slope)
    # The finer rule is expected to be ten times as accurate.
    return fine, _error(estimate, 0.1 * abs(fine - alpha))


def find_alpha_l(
    branches: Sequence[Branch], baseline: float, alpha_c: Transition | None
) -> tuple[Transition | None, str]:
    """Find where the test error of the global minimum first falls below a baseline's.

    Parameters
    ----------
    branches
        The families that compete for the global minimum.
    baseline
        Test error per token of the baseline.
    alpha_c
        The first-order transition, where the global minimum changes branch and its test error jumps.

    Returns
    -------
    (Transition or None, str)
        The crossing, and a reason in words where there is none.
    """
    grid = branches[0].alpha
    names = global_branch(branches)
    excess = np.array([np.nan if branch is None else branch.test_error[k] - baseline for k, branch in enumerate(names)])
    below = np.flatnonzero(excess < 0.0)
    if below.size == 0:
        return None, f"the global minimum never beats the linear baseline ({baseline:.6g}) in this range"
    k = int(below[0]) - 1
    if k < 0:
        return (
            None,
            f"the global minimum beats the linear baseline ({baseline:.6g}) from the range's lower end",
        )
    before, after = names[k], names[k + 1]
    if before is None or after is None:
        return None, f"the global minimum is not known between alpha = {grid[k]:g} and {grid[k + 1]:g}"
    low, high, branch = float(grid[k]), float(grid[k + 1]), after
    if before is not after:
        if alpha_c is None or not low <= alpha_c.alpha <= high:
            return (
                None,
                f"the global minimum changes between alpha = {low:g} and {high:g} in an unresolved way",
            )
        if after.at(alpha_c.alpha).test_error <= baseline:
            # The test error jumps across the baseline at the first-order transition itself.
            return Transition(alpha_c.alpha, alpha_c.error, "baseline-crossing", (after.name, "linear")), ""
        low = alpha_c.alpha
    try:
        alpha, error = _baseline_crossing(branch, baseline, (low, high))
    except (SolverError, ValueError) as failure:
        return None, f"crossing bracketed by {low:g} and {high:g} but not located: {failure}"
    return Transition(alpha, error, "baseline-crossing", (branch.name, "linear")), ""


def _baseline_crossing(branch: Branch, baseline: float, bracket: tuple[float, float]) -> tuple[float, float]:
    """Locate where a branch's test error equals a baseline's; return it, moved to a finer rule, with its error."""
    polish = _Polisher(branch, branch.evolution)
    coarse = float(
        root_scalar(
            lambda at: polish(at).test_error - baseline, bracket=bracket, method="brentq", xtol=1e-7, rtol=1e-9
        ).root
    )
    free = branch.sector.free
    there = _settled(min(polish.solved, key=lambda point: abs(point.alpha - coarse)), coarse)
    _, test_error = there.newton_corrected(free)
    slope = there.test_error_slope(free)
    fine = float(coarse - (test_error - baseline) / slope)
    return fine, _error(there.solution_test_error_error(free) / abs(slope), 0.1 * abs(fine - coarse))
