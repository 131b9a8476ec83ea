"""The front door: solve a model's phase diagram."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from baselines import linear_positional
from replica.model import AttentionModel
from replica.numeric_errors import numpy_defaults
from replica.sectors import FAMILIES
from saddle.baseline_crossing import find_crossing
from saddle.branch import Branch
from saddle.branch_assembly import assemble_branches
from saddle.families import find_families
from saddle.first_order import find_alpha_c, find_first_order
from saddle.phase_diagram import LINEAR, PhaseDiagram
from saddle.pieces import Piece, pieces_of
from saddle.quadrature import OuterRule
from saddle.rule_choice import choose_rule
from saddle.solve_arguments import checked_solve
from saddle.state_evolution import StateEvolution
from saddle.transitions import Transition, find_bifurcations

__all__ = ["solve_phase_diagram"]


def _grid(alpha: Sequence[float], points: int) -> np.ndarray:
    """Return the grid of sample complexities, uniform in the square root."""
    low, high = alpha
    grid = np.linspace(np.sqrt(low), np.sqrt(high), points) ** 2
    grid[0], grid[-1] = low, high
    grid.setflags(write=False)
    return grid


@numpy_defaults
def solve_phase_diagram(
    model: AttentionModel,
    alpha: Sequence[float] = (0.01, 3.0),
    *,
    points: int = 48,
    sweep: str = "down",
    tolerance: float | None = None,
    rule: OuterRule | None = None,
    threads: int = 0,
    progress: bool = False,
) -> PhaseDiagram:
    """Solve the saddle-point equations of a model over a range of sample complexities.

    Parameters
    ----------
    model
        The model.
    alpha
        Lowest and highest sample complexity n/d, both positive.
    points
        Number of grid points, spaced evenly in the square root of alpha.
    sweep
        "down" or "up": from which end of the range each branch is looked for.
    tolerance
        Requested relative accuracy of the channel's averages: the rule is chosen so that their own error estimate,
        which is cautious, is about this. Transitions are located to better, on a finer rule. By default 2e-4 for two
        tokens and rank one; more tokens or columns get 2048 lines, whatever their accuracy, unless a tolerance is
        given.
    rule
        Quadrature rule of the stored points, instead of one chosen for the tolerance.
    threads
        Threads of the channel average; 0 for one per core. Results do not depend on it.
    progress
        Show a progress bar on standard error.

    Returns
    -------
    PhaseDiagram
        What was found. A branch or transition that was not found is data (a named outcome, a reason), and
        completeness is never claimed. After Ctrl-C, what was computed so far, marked incomplete.

    Raises
    ------
    ValueError
        If an argument is none of its kind or out of range; the message names it and quotes the value.

    Notes
    -----
    The asymptotics of arXiv:2402.03902; theory notes in docs/, sections 4 to 6.
    """
    checked = checked_solve(model, alpha, points, sweep, tolerance, rule, threads, progress)
    alpha, points, sweep, tolerance, rule, threads, progress = checked
    grid = _grid(alpha, points)
    baseline = linear_positional(model)
    if rule is None:
        rule = choose_rule(model, float(grid[-1]), tolerance, threads)
    evolution = StateEvolution(model, rule, threads)
    with tqdm(total=len(FAMILIES) * points + 3, disable=not progress, desc="solving", unit="pt") as bar:
        families = find_families(
            evolution, (float(grid[0]), float(grid[-1])), upwards=sweep == "up", report=bar.set_description
        )
        pieces = pieces_of(families)
        bar.set_description("solving on the grid")
        branches, finished = assemble_branches(families, pieces, grid, bar.update)
        bar.update(max(0, len(FAMILIES) * points - bar.n))
        located = _Located(None, None, (), (), {})
        if finished:
            try:
                located = _locate(evolution, branches, pieces, lambda what: (bar.set_description(what), bar.update()))
            except KeyboardInterrupt:
                finished = False
        bar.set_description("solved" if finished else "interrupted")
    return PhaseDiagram(
        model=model,
        alpha=grid,
        branches=branches,
        alpha_c=located.alpha_c,
        alpha_l=located.alpha_l,
        bifurcations=located.bifurcations,
        first_order=located.first_order,
        linear_baseline=baseline,
        reasons=located.reasons if finished else {"interrupted": "the computation was interrupted"},
        rule=evolution.rule,
        complete=finished,
    )


@dataclass(frozen=True)
class _Located:
    alpha_c: Transition | None
    alpha_l: Transition | None
    bifurcations: tuple[Transition, ...]
    first_order: tuple[Transition, ...]
    reasons: Mapping[str, str]


def _locate(
    evolution: StateEvolution, branches: Mapping[str, Branch], pieces: Sequence[Piece], report: Callable[[str], object]
) -> _Located:
    """Locate all transitions on the assembled branches."""
    reasons = {}
    report("first-order transitions")
    alpha_c, reasons["alpha_c"] = find_alpha_c(branches, pieces)
    first_order = find_first_order(branches, pieces, [] if alpha_c is None else [alpha_c])
    report("alpha_l")
    alpha_l = find_crossing(list(branches.values()), LINEAR, first_order)
    reasons["alpha_l"] = alpha_l.reason
    report("pitchforks and folds")
    bifurcations = find_bifurcations(evolution, pieces)
    return _Located(
        alpha_c,
        alpha_l.transition,
        tuple(bifurcations),
        first_order,
        {name: reason for name, reason in reasons.items() if reason},
    )
