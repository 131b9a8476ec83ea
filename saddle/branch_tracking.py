"""Find a first point on each branch and follow it over the grid of sample complexities."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from replica.sectors import Sector
from saddle.branch import Branch
from saddle.following import BranchPoint, follow
from saddle.outcomes import Outcome
from saddle.sector_solver import (
    Result,
    canonical_signs,
    evaluation_of,
    informed_solution,
    solve_in_sector,
    solve_state,
    vanished,
)
from saddle.state_evolution import SectorLinearization, StateEvolution

__all__ = ["TrackedBranch", "assemble_branch", "track_branch"]

ANCHOR_CANDIDATES = 7
# From a good prediction Newton needs two or three; more means the step was too long.
FOLLOWING_EVALUATIONS = 8
# An order parameter this small compared with its largest value on the branch is about to vanish.
SHRUNK = 0.4
Point = BranchPoint[SectorLinearization]


@dataclass(frozen=True)
class TrackedBranch:
    """Outcomes and results over the grid, in the grid's order, before branches are compared."""

    sector: Sector
    evolution: StateEvolution
    points: tuple[Point, ...]
    interrupted: bool = False


def _mixed_seed(
    evolution: StateEvolution, index: int, known: Mapping[Sector, TrackedBranch], alpha: float
) -> Result | None:
    """Look for a mixed solution between the positional and the semantic one: it separates their basins."""
    states = []
    for sector in (Sector.POSITIONAL, Sector.SEMANTIC):
        point = known[sector].points[index] if sector in known else None
        if point is None or point.outcome is not Outcome.CONVERGED or point.result is None:
            return None
        states.append(evaluation_of(point.result).state)
    for weight in (0.5, 0.4, 0.6, 0.3, 0.7):
        result = solve_state(evolution, Sector.MIXED, weight * states[0] + (1.0 - weight) * states[1], alpha)
        if result.outcome is Outcome.CONVERGED:
            evaluation = evaluation_of(result)
            if not vanished(evaluation, Sector.MIXED):
                return solve_state(evolution, Sector.MIXED, canonical_signs(evaluation.state), alpha)
    return None


def _anchor(
    evolution: StateEvolution,
    sector: Sector,
    grid: np.ndarray,
    upwards: bool,
    known: Mapping[Sector, TrackedBranch],
) -> tuple[int, Result] | None:
    """Find a first solution on the branch, trying grid points from the far end of the sweep."""
    order = np.unique(np.linspace(0, grid.size - 1, min(ANCHOR_CANDIDATES, grid.size)).round().astype(int))
    for index in order if upwards else order[::-1]:
        alpha = float(grid[index])
        if sector is Sector.MIXED:
            result = _mixed_seed(evolution, int(index), known, alpha)
        else:
            result = informed_solution(evolution, sector, alpha)
        if result is not None:
            return int(index), result
    return None


def track_branch(
    evolution: StateEvolution,
    sector: Sector,
    grid: np.ndarray,
    *,
    upwards: bool = False,
    known: Mapping[Sector, TrackedBranch] | None = None,
    report: Callable[[], object] = lambda: None,
) -> TrackedBranch:
    """Find a sector's branch and follow it from its first point to both ends of the grid.

    Parameters
    ----------
    evolution
        The equations.
    sector
        Invariant subspace.
    grid
        Increasing sample complexities, (n,).
    upwards
        Look for the first point from the lower end of the grid instead of the upper.
    known
        Branches already tracked; the mixed branch is looked for between positional and semantic.
    report
        Called once per finished grid point.

    Returns
    -------
    TrackedBranch
        One outcome per grid point; an interruption (Ctrl-C) keeps what was computed.
    """
    points: dict[int, Point] = {}
    interrupted = False
    try:
        anchor = _anchor(evolution, sector, grid, upwards, known or {})
        if anchor is not None:
            index, result = anchor
            points[index] = BranchPoint(float(grid[index]), Outcome.CONVERGED, result)
            report()
            for indices in (range(index - 1, -1, -1), range(index + 1, grid.size)):
                _follow_indices(evolution, sector, grid, index, result, indices, points, report)
    except KeyboardInterrupt:
        interrupted = True
    missing = Outcome.INTERRUPTED if interrupted else Outcome.ABSENT
    complete = [points.get(k) or BranchPoint(float(grid[k]), missing, None) for k in range(grid.size)]
    return TrackedBranch(sector, evolution, tuple(complete), interrupted)


def _follow_indices(
    evolution: StateEvolution,
    sector: Sector,
    grid: np.ndarray,
    index: int,
    result: Result,
    indices: Sequence[int],
    points: dict[int, Point],
    report: Callable[[], object],
) -> None:
    """Follow a branch from one grid point through others; fill ``points``."""
    free = list(sector.free)
    odd = [free.index(i) for i in sector.broken]
    start = [(float(grid[index]), result.x)]
    followed = follow(
        lambda x, alpha: solve_in_sector(evolution, sector, x, alpha, FOLLOWING_EVALUATIONS),
        start,
        [float(alpha) for alpha in grid[list(indices)]],
        odd=odd,
    )
    for k, point in zip(indices, followed, strict=True):
        points[k] = point
        report()


def _mark_merged(tracked: TrackedBranch, assembled: Mapping[Sector, Branch]) -> tuple[list[Outcome], dict[int, Branch]]:
    """Tell merging from other ends of a branch.

    A branch that was lost while one of its odd order parameters was shrinking has merged into the branch of
    higher symmetry from that branch's pitchfork on, that is, where its odd block has the other sign.

    Returns
    -------
    (list of Outcome, dict)
        Outcomes over the grid, and the branch merged into by grid index.
    """
    outcomes = [point.outcome for point in tracked.points]
    parents: dict[int, Branch] = {}
    solved = {k: evaluation_of(p.result) for k, p in enumerate(tracked.points) if p.result is not None}
    if not solved or not tracked.sector.broken:
        return outcomes, parents
    sizes = {k: np.abs(here.state) for k, here in solved.items()}
    largest = np.max(list(sizes.values()), axis=0)
    below, above = range(min(solved) - 1, -1, -1), range(max(solved) + 1, len(outcomes))
    for end, beyond in ((min(solved), below), (max(solved), above)):
        shrunk = min(tracked.sector.broken, key=lambda i: sizes[end][i] / largest[i])
        remaining = set(tracked.sector.broken) - {shrunk}
        parent = assembled.get(next(sector for sector in Sector if set(sector.broken) == remaining))
        if parent is None or sizes[end][shrunk] > SHRUNK * largest[shrunk]:
            continue
        odd_block = parent.jacobian_diagonal[:, shrunk]
        merged = False
        for k in beyond:
            merged = merged or bool(odd_block[k] * odd_block[end] < 0.0)
            if outcomes[k] is Outcome.LOST and parent.stored[k] and merged:
                outcomes[k] = Outcome.MERGED
                parents[k] = parent
    return outcomes, parents


def assemble_branch(tracked: TrackedBranch, grid: np.ndarray, assembled: Mapping[Sector, Branch]) -> Branch:
    """Turn tracked points into a branch, with the errors that their own evaluations estimate.

    Differences of embedded rules are propagated to first order: with a difference dF of the residual the state
    moves by -J^{-1} dF. Phi is stationary, so only the envelope's own difference changes it.
    """
    n = grid.size
    columns = {name: np.full((n, 4), np.nan) for name in ("states", "conjugate_states", "errors", "jacobian_diagonal")}
    columns |= {
        name: np.full(n, np.nan)
        for name in (
            "free_entropy", "free_entropy_error", "train_loss", "test_error", "test_error_error",
            "average_envelope", "residual_norm",
        )
    }  # fmt: skip
    eigenvalues = np.full((n, 4), np.nan, dtype=complex)
    outcomes, parents = _mark_merged(tracked, assembled)
    for k, point in enumerate(tracked.points):
        if k in parents:
            for name, values in columns.items():
                values[k] = getattr(parents[k], name)[k]
            eigenvalues[k] = parents[k].eigenvalues[k]
        if outcomes[k] is not Outcome.CONVERGED or point.result is None:
            continue
        here = evaluation_of(point.result)
        with contextlib.suppress(np.linalg.LinAlgError):  # at a singular Jacobian the errors stay nan: not known
            columns["errors"][k] = here.order_parameter_errors(tracked.sector.free)
            columns["test_error_error"][k] = here.solution_test_error_error(tracked.sector.free)
        columns["free_entropy_error"][k] = here.free_entropy_error
        columns["states"][k] = here.state
        columns["conjugate_states"][k] = here.conjugates
        columns["jacobian_diagonal"][k] = np.diag(here.full_jacobian)
        columns["free_entropy"][k] = here.free_entropy
        columns["train_loss"][k] = here.train_loss
        columns["test_error"][k] = here.test_error
        columns["average_envelope"][k] = here.averages.envelope
        columns["residual_norm"][k] = point.result.residual_norm
        eigenvalues[k] = here.stability_eigenvalues
    return Branch(
        sector=tracked.sector,
        evolution=tracked.evolution,
        alpha=grid.copy(),
        outcome=tuple(outcomes),
        eigenvalues=eigenvalues,
        **columns,
    )
