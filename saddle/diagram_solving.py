"""The front door: solve a model's phase diagram."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from tqdm import tqdm

from baselines import linear_positional
from replica.model import AttentionModel
from replica.numeric_errors import numpy_defaults
from replica.sectors import FAMILIES
from saddle.attention_problem import AttentionProblem
from saddle.audit import Audit, audit_places, audited
from saddle.baseline_crossing import find_crossing
from saddle.branch import Branch
from saddle.branch_assembly import assemble_branches
from saddle.families import Families, find_families, follow, look_again
from saddle.first_order import alpha_c_of, find_first_order
from saddle.lonely_pitchforks import follow_from_lonely_pitchforks
from saddle.null_piece import NullBranches, find_null, onsets, starts_beside, with_null
from saddle.phase_diagram import LINEAR, PhaseDiagram, known_phases
from saddle.pieces import Piece, pieces_of
from saddle.quadrature import OuterRule
from saddle.rule_choice import rule_for_range
from saddle.search_interval import search_interval
from saddle.solve_arguments import checked_solve
from saddle.state_evolution import StateEvolution
from saddle.transitions import Transition, find_bifurcations, told_from_births

__all__ = ["solve_phase_diagram"]


# How often it is looked again for solutions, if the last look found some.
MOST_ROUNDS = 3


def _grid(alpha: Sequence[float], points: int | tuple[float, ...]) -> np.ndarray:
    """Return the grid of sample complexities, uniform in the square root unless it is given."""
    if isinstance(points, tuple):
        grid = np.array(points)
        grid.setflags(write=False)
        return grid
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
    points: int | Sequence[float] = 48,
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
        Lowest and highest sample complexity n/d, both positive: what is stored. Branches are looked for, and followed,
        on an interval that the model determines, from small alpha to beyond the highest one asked for.
    points
        Number of grid points, spaced evenly in the square root of alpha; or the grid itself, increasing values of
        alpha, which then sets the range.
    sweep
        "down" or "up": from which end of the interval solutions are looked for first.
    tolerance
        Requested relative accuracy of the channel's averages: the rule is chosen so that their own error estimate,
        which is cautious, is about this; for two tokens and rank one never more than 5e-4, as curves break on rougher
        rules. Transitions are located to better, on a finer rule. By default 2e-4 for two
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
    asked = float(grid[0]), float(grid[-1])
    if rule is None:
        rule = rule_for_range(model, asked[1], tolerance, threads)
    evolution = StateEvolution(model, rule, threads)
    with tqdm(total=len(FAMILIES) * grid.size + 3, disable=not progress, desc="solving", unit="pt") as bar:
        searched, families, pieces, null = _search(evolution, asked, sweep == "up", bar.set_description)
        bar.set_description("solving on the grid")
        branches, finished = assemble_branches(evolution, pieces, grid, families.complete, bar.update)
        bar.update(max(0, len(FAMILIES) * grid.size - bar.n))
        located = _Located(None, None, (), (), (), {})
        audit = audited(list(branches.values()), families.searches, families.complete)
        if finished:

            def said(what: str) -> None:
                bar.set_description(what)
                bar.update()

            try:
                located = _locate(evolution, branches, pieces, null, searched, asked, audit, said)
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
        linear_baseline=linear_positional(model),
        reasons=located.reasons if finished else {"interrupted": "the computation was interrupted"},
        rule=evolution.rule,
        complete=finished,
        audit=audit,
        searched=searched,
        everywhere=located.everywhere,
    )


def _search(
    evolution: StateEvolution, asked: tuple[float, float], upwards: bool, report: Callable[[str], object]
) -> tuple[tuple[float, float], Families, tuple[Piece, ...], NullBranches]:
    """Find families on the model's own interval, and look again on both sides of all transitions between them."""
    try:
        report("looking for the smallest alpha")
        interval = search_interval(evolution, asked)
    except KeyboardInterrupt:
        return asked, Families(AttentionProblem(evolution), (), False, (), asked), (), NullBranches()
    families = find_families(evolution, interval, upwards=upwards, report=report)
    families = follow_from_lonely_pitchforks(families, report)
    pieces, null = pieces_of(families), NullBranches()
    try:
        if families.complete:
            report("looking for Q = 0")
            null = find_null(evolution, interval, pieces)
            for state, start in starts_beside(evolution, null, interval):
                families = follow(families, state, start, report)
            families = follow_from_lonely_pitchforks(families, report)
            pieces = with_null(evolution, null, pieces_of(families))
    except KeyboardInterrupt:
        families = replace(families, complete=False)
    for _ in range(MOST_ROUNDS if families.complete else 0):
        special = [event.parameter for piece in pieces for event in piece.events if event.resolved]
        special += [departure.alpha for departure in null.departures]
        places = audit_places(pieces, special, [one.alpha for one in families.searches], *interval)
        known = len(families.branches)
        families = look_again(families, places, thorough=False, report=report)
        families = follow_from_lonely_pitchforks(families, report)
        if len(families.branches) == known:
            break
        pieces = with_null(evolution, null, pieces_of(families))
    return interval, families, pieces, null


@dataclass(frozen=True)
class _Located:
    alpha_c: Transition | None
    alpha_l: Transition | None
    bifurcations: tuple[Transition, ...]
    first_order: tuple[Transition, ...]
    everywhere: tuple[Transition, ...]
    reasons: Mapping[str, str]


def _locate(
    evolution: StateEvolution,
    branches: Mapping[str, Branch],
    pieces: Sequence[Piece],
    null: NullBranches,
    searched: tuple[float, float],
    asked: tuple[float, float],
    audit: Audit,
    report: Callable[[str], object],
) -> _Located:
    """Locate all transitions on the curves, wherever they are, and keep those in the range asked for."""
    reasons = {}
    listed = list(branches.values())
    report("first-order transitions")
    first_order = find_first_order(listed, *searched)
    alpha_c, reasons["alpha_c"] = alpha_c_of(first_order, listed, *asked)
    report("pitchforks and folds")
    bifurcations = sorted(
        [*find_bifurcations(evolution, pieces), *onsets(null, listed)], key=lambda transition: transition.alpha
    )
    jumps = told_from_births(first_order.of_the_minimum, bifurcations)
    everywhere = (*jumps, *bifurcations)
    report("alpha_l")
    phases = known_phases(listed, everywhere, searched, audit)
    alpha_l = find_crossing(listed, LINEAR, phases, jumps, asked)
    reasons["alpha_l"] = alpha_l.reason
    return _Located(
        alpha_c,
        alpha_l.transition,
        tuple(t for t in bifurcations if asked[0] <= t.alpha <= asked[1]),
        tuple(t for t in jumps if asked[0] <= t.alpha <= asked[1]),
        tuple(everywhere),
        {name: reason for name, reason in reasons.items() if reason},
    )
