"""Solve a model: search, follow, read off the grid, locate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from baselines import linear_positional
from replica.common.progress import progress_bar
from replica.common.stages import recorded, stage
from replica.model.attention_model import AttentionModel
from replica.model.multi_index_model import MultiIndexModel
from replica.quantities.solvable_model import Model
from replica.symmetry.families import families_of
from saddle.branches.assembly import assemble_branches
from saddle.branches.branch import Branch
from saddle.branches.families import Families, find_families, follow, look_again
from saddle.branches.lonely_pitchforks import follow_from_lonely_pitchforks
from saddle.branches.pieces.pieces import Piece, pieces_of
from saddle.branches.problem import AttentionProblem
from saddle.branches.search.search_interval import search_interval
from saddle.diagram.audit import Audit, audit_places, audited
from saddle.diagram.contents import LINEAR, DiagramContents, known_phases, special_transitions
from saddle.diagram.lower_bound import no_lower_bound
from saddle.diagram.null_piece import NullBranches, find_null, find_onsets, starts_beside, with_null
from saddle.diagram.provenance import provenance_of
from saddle.diagram.rule_choice import rule_for_range
from saddle.diagram.solve_arguments import SolveArguments
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.transitions.baseline_crossing import Crossing, find_crossing
from saddle.transitions.bifurcations import find_bifurcations
from saddle.transitions.first_order import find_alpha_c, find_first_order, told_from_births
from saddle.transitions.found import Found, by_alpha
from saddle.transitions.transition import Transition

if TYPE_CHECKING:
    from saddle.averages.rules.outer import OuterRule

__all__ = ["solve_contents"]


# How often it is looked again for solutions, if the last look found some.
MOST_ROUNDS = 3
# Of families, of which a progress bar expects a branch each.
MOST_FAMILIES = 4


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


def solve_contents(model: Model, arguments: SolveArguments) -> DiagramContents:
    """Solve for what a phase diagram contains; see :func:`saddle.solve_phase_diagram`."""
    with recorded() as seconds:
        found = _solved(model, arguments)
    return replace(found, provenance=provenance_of(model, arguments, seconds))


def _solved(model: Model, arguments: SolveArguments) -> DiagramContents:
    alpha, points, sweep, tolerance, rule, threads, progress = arguments
    grid = _grid(alpha, points)
    asked = float(grid[0]), float(grid[-1])
    # None stands for a default.
    obstacle = no_lower_bound(StateEvolution(model, cast("OuterRule", rule), threads))
    if rule is None and not obstacle:
        with stage("choose rule"):
            rule = rule_for_range(model, asked[1], tolerance, threads)
    evolution = StateEvolution(model, cast("OuterRule", rule), threads)
    # As many branches as there are families of a paper-like model, or of another model at least.
    usual = min(len(families_of(evolution.space.layout)), MOST_FAMILIES)
    with progress_bar(usual * grid.size + 3, progress, "solving", "pt") as bar:
        if obstacle:
            searched, families, pieces, null = asked, _nothing(evolution, asked, True), (), NullBranches()
        else:
            searched, families, pieces, null = _search(evolution, asked, sweep == "up", bar.set_description)
        bar.set_description("solving on the grid")
        with stage("solve on the grid"):
            branches, finished = assemble_branches(evolution, pieces, grid, families.complete, bar.update)
        bar.update(max(0, usual * grid.size - bar.n))
        located = _Located(None, None, (), (), (), {})
        audit = audited(list(branches.values()), families.searches, families.complete, asked)
        audit = replace(audit, obstacle=obstacle, unseen=_unseen(evolution))
        if finished:

            def said(what: str) -> None:
                bar.set_description(what)
                bar.update()

            try:
                located = _locate(evolution, branches, pieces, null, searched, asked, audit, said)
            except KeyboardInterrupt:
                finished = False
        bar.set_description("solved" if finished else "interrupted")
    return DiagramContents(
        model=model,
        alpha=grid,
        branches=branches,
        alpha_c=located.alpha_c,
        alpha_l=located.alpha_l,
        bifurcations=located.bifurcations,
        first_order=located.first_order,
        linear_baseline=linear_positional(model) if isinstance(model, AttentionModel) else None,
        reasons=located.reasons if finished else {"interrupted": "the computation was interrupted"},
        rule=evolution.rule,
        complete=finished,
        audit=audit,
        searched=searched,
        everywhere=located.everywhere,
    )


def _unseen(evolution: StateEvolution) -> str:
    """Say which solutions may be missing since a symmetry is not used; "" if there are none of which that is known.

    Where columns may be rotated, their exchange is one of the rotations.
    """
    model = evolution.model
    if not isinstance(model, MultiIndexModel) or evolution.space.rotations or not model.exchangeable_columns:
        return ""
    pairs = " and ".join(f"{a + 1} with {b + 1}" for a, b in model.exchangeable_columns)
    way = "; of model.in_sum_and_difference() it is a reversal, which is used" if model.rank == 2 else ""
    return (
        f"columns of the student may be exchanged ({pairs}), a symmetry that is not used: "
        f"solutions on which they differ may be missing{way}"
    )


def _nothing(evolution: StateEvolution, asked: tuple[float, float], complete: bool) -> Families:
    """Return no families."""
    return Families(AttentionProblem(evolution), (), complete, (), asked)


def _search(
    evolution: StateEvolution, asked: tuple[float, float], upwards: bool, report: Callable[[str], object]
) -> tuple[tuple[float, float], Families, tuple[Piece, ...], NullBranches]:
    """Find families on the model's own interval, and look again on both sides of all transitions between them."""
    try:
        report("looking for the smallest alpha")
        interval = search_interval(evolution, asked)
    except KeyboardInterrupt:
        return asked, _nothing(evolution, asked, False), (), NullBranches()
    with stage("follow"):
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
    with stage("audit"):
        families, pieces = _audited(evolution, families, pieces, null, interval, report)
    return interval, families, pieces, null


def _audited(
    evolution: StateEvolution,
    families: Families,
    pieces: tuple[Piece, ...],
    null: NullBranches,
    interval: tuple[float, float],
    report: Callable[[str], object],
) -> tuple[Families, tuple[Piece, ...]]:
    """Look again on both sides of all transitions, as long as that finds anything."""
    for _ in range(MOST_ROUNDS if families.complete else 0):
        special = [special.parameter for piece in pieces for special in piece.special_points if special.resolved]
        special += [departure.alpha for departure in null.departures]
        places = audit_places(pieces, special, [one.alpha for one in families.searches], *interval)
        known = len(families.branches)
        families = look_again(families, places, thorough=False, report=report)
        families = follow_from_lonely_pitchforks(families, report)
        if len(families.branches) == known:
            break
        pieces = with_null(evolution, null, pieces_of(families))
    return families, pieces


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
    listed = list(branches.values())
    report("pitchforks and folds")
    with stage("sharpen pitchforks and folds"):
        bifurcations = by_alpha(
            (*find_bifurcations(evolution, pieces).transitions, *find_onsets(null, listed).transitions)
        )
    report("first-order transitions")
    with stage("locate first-order transitions"):
        first_order = told_from_births(find_first_order(listed, *searched), bifurcations)
    special = special_transitions(evolution.model.structure)
    alpha_c = find_alpha_c(first_order, listed, *asked) if "alpha_c" in special else Found()
    jumps = first_order.of_the_minimum
    everywhere = (*jumps.transitions, *bifurcations.transitions)
    alpha_l = Crossing(LINEAR, Found())
    if "alpha_l" in special:
        report("alpha_l")
        phases = known_phases(listed, everywhere, searched, audit)
        with stage("locate the baseline's crossing"):
            alpha_l = find_crossing(listed, LINEAR, phases, jumps.transitions, asked)
    return _Located(
        alpha_c.first,
        alpha_l.transition,
        bifurcations.within(*asked),
        jumps.within(*asked),
        everywhere,
        {name: one.reason for name, one in (("alpha_c", alpha_c), ("alpha_l", alpha_l)) if one.reason},
    )
