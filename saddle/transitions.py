"""Locate transitions by root-finding on polished solutions, on several quadrature rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import root_scalar

from replica.names import ORDER_PARAMETERS
from saddle.branch import Branch, SolvedPoint, solve_point
from saddle.outcomes import SolverError
from saddle.state_evolution import StateEvolution

__all__ = ["Transition", "find_alpha_c", "find_alpha_l", "find_pitchforks", "global_branch"]

# Root-finding stops here, well below any quadrature error.
ALPHA_TOLERANCE = 1e-8
FLOOR = 1e-6


@dataclass(frozen=True)
class Transition:
    """A located transition.

    Attributes
    ----------
    alpha
        Sample complexity, from the finest of the quadrature rules compared.
    error
        Largest difference from the location on two other rules (at least 1e-6).
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

    def __call__(self, alpha: float) -> SolvedPoint:
        if not self.solved:
            start = self.branch.at(alpha).evaluation.state
        elif len(self.solved) == 1:
            start = self.solved[-1].evaluation.state
        else:
            a, b = sorted(self.solved, key=lambda point: abs(point.alpha - alpha))[:2]
            slope = (b.evaluation.state - a.evaluation.state) / (b.alpha - a.alpha)
            start = a.evaluation.state + (alpha - a.alpha) * slope
        point = solve_point(self.evolution, self.branch.sector, start, alpha)
        if all(abs(point.alpha - other.alpha) > 1e-12 for other in self.solved):
            self.solved.append(point)
        return point


def _on_several_rules(
    locate: Callable[[StateEvolution, float | None], float], evolution: StateEvolution
) -> tuple[float, float]:
    """Return location and error of a root: ``locate(evolution, guess)`` on the default and on the finer rule.

    Two rules may agree by chance (the error oscillates with the order), so a third one, almost as fine but with
    other nodes, has a say: the error is the larger difference.
    """
    coarse = locate(evolution, None)
    fine = locate(evolution.with_rule(evolution.rule.refined()), coarse)
    other = locate(evolution.with_rule(evolution.rule.refined().neighbour()), fine)
    return fine, max(abs(fine - coarse), abs(fine - other), FLOOR)


def _secant(function: Callable[[float], float], first: float, width: float) -> float:
    """Refine a root near ``first`` by the secant method, starting with a step of ``width``."""
    a, b = first, first + width
    f_a, f_b = function(a), function(b)
    for _ in range(12):
        if f_b == f_a:
            break
        c = b - f_b * (b - a) / (f_b - f_a)
        a, f_a, b = b, f_b, c
        if abs(b - a) < ALPHA_TOLERANCE * max(1.0, abs(b)):
            break
        f_b = function(b)
    return b


def _locate_root(function: Callable[[float], float], bracket: tuple[float, float], guess: float | None) -> float:
    """Find a root in a bracket, or next to a guess that a coarser rule has given."""
    if guess is not None:
        return _secant(function, guess, 1e-4 * (bracket[1] - bracket[0]) + 1e-6)
    return float(root_scalar(function, bracket=bracket, method="brentq", xtol=ALPHA_TOLERANCE, rtol=1e-9).root)


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

        def odd_block(evolution: StateEvolution, i: int = index) -> Callable[[float], float]:
            polish = _Polisher(branch, evolution)

            def value(at: float) -> float:
                return float(polish(at).evaluation.full_jacobian[i, i])

            return value

        for k in _sign_changes(branch.jacobian_diagonal[:, index], branch.distinct):
            bracket = (float(branch.alpha[k]), float(branch.alpha[k + 1]))
            try:
                alpha, error = _on_several_rules(
                    lambda evolution, guess, bracket=bracket, block=odd_block: _locate_root(
                        block(evolution), bracket, guess
                    ),
                    branch.evolution,
                )
            except (SolverError, ValueError):
                continue  # a sign change that no pitchfork explains, or one that cannot be polished
            name = ORDER_PARAMETERS[index].name
            found.append(Transition(alpha, error, "pitchfork", (branch.name, partner.value), name))
    return sorted(found, key=lambda transition: transition.alpha)


def global_branch(branches: Sequence[Branch]) -> list[Branch | None]:
    """Return, per grid point, the branch of largest Phi (lowest training loss), or None where none is stored."""
    phi = np.array([np.where(branch.distinct, branch.free_entropy, -np.inf) for branch in branches])
    best = np.argmax(phi, axis=0)
    return [branches[b] if np.isfinite(phi[b, k]) else None for k, b in enumerate(best)]


def _first_order_root(
    first: Branch, second: Branch, evolution: StateEvolution, start: float, bracket: tuple[float, float]
) -> float:
    """Solve Phi_first = Phi_second by Newton's method in alpha, with dPhi/dalpha = -E[M] on each branch.

    Safeguarded: a step that leaves the bracket is replaced by bisection.
    """
    low, high = bracket
    polish = _Polisher(first, evolution), _Polisher(second, evolution)
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
            return alpha + step
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
    # On another rule the root moves, perhaps out of the bracket.
    width = bracket[1] - bracket[0]
    wide = (max(bracket[0] - width, 0.5 * bracket[0]), bracket[1] + width)
    # The secant through the bracket's ends; Newton then needs two or three steps.
    start = bracket[0] - difference[k] * (bracket[1] - bracket[0]) / (difference[k + 1] - difference[k])
    try:
        alpha, error = _on_several_rules(
            lambda evolution, guess: _first_order_root(
                positional,
                semantic,
                evolution,
                float(start) if guess is None else guess,
                bracket if guess is None else wide,
            ),
            positional.evolution,
        )
    except (SolverError, ValueError) as failure:
        return None, f"equal free entropies bracketed by {bracket} but not located: {failure}"
    return Transition(alpha, error, "first-order", (positional.name, semantic.name)), ""


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
        alpha, error = _on_several_rules(
            lambda evolution, guess: _locate_root(_excess(_Polisher(branch, evolution), baseline), (low, high), guess),
            branch.evolution,
        )
    except (SolverError, ValueError) as failure:
        return None, f"crossing bracketed by {low:g} and {high:g} but not located: {failure}"
    return Transition(alpha, error, "baseline-crossing", (branch.name, "linear")), ""


def _excess(polish: _Polisher, baseline: float) -> Callable[[float], float]:
    return lambda alpha: polish(alpha).test_error - baseline
