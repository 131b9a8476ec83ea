"""Read branches off their curves at the values of a grid of alpha, each with one solution per alpha."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from replica.symmetry.families import families_of
from replica.symmetry.sectors import Sector
from saddle.averages.in_threads import in_threads, workers_of
from saddle.averages.replicon import Replicon
from saddle.averages.state_space import StateSpace
from saddle.branches.branch import Branch
from saddle.branches.branch_numbers import BRANCH_NUMBERS, SolvedState
from saddle.branches.curve_solving import solve_on_curve
from saddle.branches.null.solution import null_replicon, null_sector
from saddle.branches.pieces.pieces import Piece
from saddle.continuation.outcomes import Outcome
from saddle.state_evolution.evaluation import StateEvaluation
from saddle.state_evolution.state_evolution import StateEvolution

__all__ = ["assemble_branches"]

VECTORS = ("states", "conjugate_states", "errors", "jacobian_diagonal")
# Strength of jumps, compared with E[M], that leaves no doubt.
CLEARLY = 1e-2
# Relative distance from a pitchfork at which a branch that is not found there counts as merged.
AT_END = 2e-3
# Points per thread from which on points, instead of parts of one average, are shared among threads.
ENOUGH = 3


def assemble_branches(
    evolution: StateEvolution,
    pieces: Sequence[Piece],
    grid: np.ndarray,
    complete: bool,
    report: Callable[[], object] = lambda: None,
) -> tuple[dict[str, Branch], bool]:
    """Solve every piece at the values of a grid that it passes.

    Parameters
    ----------
    evolution
        The equations.
    pieces
        What was found; see :func:`pieces_of`. A piece on which others end stands before or after them.
    grid
        Increasing sample complexities, (n,).
    complete
        Whether the search for families was not interrupted.
    report
        Called once per solution.

    Returns
    -------
    (dict of Branch, bool)
        Branches by name, with an empty one for every family that has no piece; and whether all were finished
        (Ctrl-C leaves what was not reached marked as interrupted).
    """
    branches: dict[str, Branch] = {}
    finished = complete
    known = _families(evolution.space)
    others = (piece.family for piece in pieces if piece.family not in known)
    for family in dict.fromkeys((*others, *known)):
        own = [piece for piece in pieces if piece.family == family]
        for piece in own:
            solved: dict[int, SolvedState] = {}
            interrupted = False
            try:
                _solve_on_grid(evolution, piece, grid, solved, report)
            except KeyboardInterrupt:
                interrupted, finished = True, False
            branches[piece.name] = _branch(evolution, piece, grid, solved, branches, interrupted)
        # A family of which there are fragments alone has no main branch either.
        if family not in branches and family in known:
            branches[family] = _empty(evolution, family, grid, Outcome.ABSENT if complete else Outcome.INTERRUPTED)
    return branches, finished


def _families(space: StateSpace) -> tuple[str, ...]:
    """Return the families that are listed even where no solution was found, in order."""
    whole = families_of(space.layout)
    if space.layout.directions:
        return whole
    own = {sector.family for sector in space.sectors}
    return tuple(family for family in whole if family in own)


def _solve_on_grid(
    evolution: StateEvolution,
    piece: Piece,
    grid: np.ndarray,
    solved: dict[int, SolvedState],
    report: Callable[[], object],
) -> None:
    """Solve at all points that the piece passes: in as many threads at once, where there are enough of them."""
    reached = [k for k, alpha in enumerate(map(float, grid)) if piece.curve.reaches(alpha)]
    across = len(reached) >= ENOUGH * workers_of(evolution.threads)
    equations = replace(evolution, threads=1) if across else evolution

    def solve(k: int) -> SolvedState | None:
        found = solve_on_curve(equations, piece.sector, piece.curve, float(grid[k]))
        return None if found is None else SolvedState(piece.sector, *found, _quick_replicon(equations, found[0]))

    for k, found in zip(reached, in_threads(solve, reached, evolution.threads if across else 1), strict=True):
        if found is not None:
            solved[k] = found
        report()


def _quick_replicon(evolution: StateEvolution, here: StateEvaluation) -> Replicon:
    """Return the replicon to a digit or two where jumps clearly break replica symmetry, and to more elsewhere."""
    if not np.any(np.diagonal(here.space.matrices(here.state, "self_overlap"), axis1=1, axis2=2)):
        sector = null_sector(here.space)
        closed = null_replicon(evolution, here.alpha, here.state[list(sector.free)])
        return closed if closed is not None else Replicon(np.nan, np.nan, np.nan, np.nan, 0, 0)
    coarser = evolution.with_rule(evolution.rule.coarsened())
    coarse = coarser.replicon(here.state, here.alpha, quick=True, averages=here.averages)
    if coarse.jump_strength > CLEARLY * abs(here.averages.envelope):
        return coarse
    return evolution.replicon(here.state, here.alpha, quick=True, averages=here.averages)


def _outcomes(piece: Piece, grid: np.ndarray, solved: dict[int, SolvedState], interrupted: bool) -> list[Outcome]:
    """Return what became of the piece at every grid point."""
    outcomes = []
    for k, alpha in enumerate(map(float, grid)):
        end = piece.curve.end_towards(alpha)
        # So close to a pitchfork, which is known with some error, the branch may have ended already.
        at_end = end.connected and abs(alpha - end.alpha) < AT_END * alpha
        if k in solved:
            outcomes.append(Outcome.CONVERGED)
        elif piece.curve.reaches(alpha) and not at_end:
            outcomes.append(Outcome.INTERRUPTED if interrupted else Outcome.LOST)
        elif end.connected:
            outcomes.append(Outcome.MERGED)
        else:
            said = {"fold": Outcome.FOLDED, "interrupted": Outcome.INTERRUPTED}
            outcomes.append(said.get(end.kind, Outcome.LOST))
    return outcomes


def _columns(n: int, space: StateSpace) -> dict[str, np.ndarray]:
    columns = {name: np.full((n, space.size), np.nan) for name in VECTORS}
    columns["jacobian_signs"] = np.zeros((n, 1 + len(space.odd)), dtype=np.int8)
    return columns | {x.name: np.full(n, np.nan) for x in BRANCH_NUMBERS}


def _empty(evolution: StateEvolution, family: str, grid: np.ndarray, outcome: Outcome) -> Branch:
    n, space = grid.size, evolution.space
    eigenvalues = np.full((n, space.size), complex(np.nan, np.nan))
    sector = next((sector for sector in space.sectors if sector.family == family), space.sectors[-1])
    return Branch(
        sector=sector,
        evolution=evolution,
        alpha=grid.copy(),
        outcome=(outcome,) * n,
        eigenvalues=eigenvalues,
        name=family,
        curve=None,
        attracting=False,
        **_columns(n, space),
    )


def _branch(
    evolution: StateEvolution,
    piece: Piece,
    grid: np.ndarray,
    solved: dict[int, SolvedState],
    branches: dict[str, Branch],
    interrupted: bool,
) -> Branch:
    """Fill a branch's arrays; where it has merged into another one, with that one's values."""
    n = grid.size
    space = evolution.space
    columns, eigenvalues = _columns(n, space), np.full((n, space.size), complex(np.nan, np.nan))
    outcomes = _outcomes(piece, grid, solved, interrupted)
    for k, found in solved.items():
        _fill(columns, k, found)
        eigenvalues[k] = found.evaluation.stability_eigenvalues
    for k, outcome in enumerate(outcomes):
        if outcome is not Outcome.MERGED:
            continue
        parent = branches.get(piece.curve.end_towards(float(grid[k])).partner)
        if parent is None or not parent.stored[k]:
            outcomes[k] = Outcome.LOST if parent is None else parent.outcome[k]
            continue
        for name, values in columns.items():
            values[k] = getattr(parent, name)[k]
        eigenvalues[k] = parent.eigenvalues[k]
    return Branch(
        sector=piece.sector,
        evolution=evolution,
        alpha=grid.copy(),
        outcome=tuple(outcomes),
        eigenvalues=eigenvalues,
        name=piece.name,
        curve=piece.curve,
        attracting=piece.attracting,
        **columns,
    )


def _block_sign(here: StateEvaluation, sector: Sector, index: int) -> float:
    """Return the sign of the determinant of the block of dF/du that holds an overlap that vanishes."""
    block = list(here.space.block_of(sector, index))
    return float(np.sign(np.linalg.det(here.full_jacobian[np.ix_(block, block)])))


def _fill(columns: dict[str, np.ndarray], k: int, found: SolvedState) -> None:
    """Store one solution, with the errors that its own evaluation estimates."""
    here, sector = found.evaluation, found.sector
    free = list(sector.free)
    for number in BRANCH_NUMBERS:
        columns[number.name][k] = number.of(found)
    with contextlib.suppress(np.linalg.LinAlgError):  # at a singular Jacobian the errors stay nan: not known
        columns["errors"][k] = here.order_parameter_errors(sector.free)
    diagonal = np.diag(here.full_jacobian)
    own = np.linalg.det(here.full_jacobian[np.ix_(free, free)])
    odd = [_block_sign(here, sector, i) if i in sector.transverse else 0.0 for i in here.space.odd]
    columns["jacobian_signs"][k] = np.sign([own, *odd])
    columns["states"][k] = here.state
    columns["conjugate_states"][k] = here.conjugates
    columns["jacobian_diagonal"][k] = diagonal
