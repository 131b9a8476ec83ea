"""Turn curves of solutions into branches on a grid of alpha, each with one solution per alpha."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from replica.sectors import FAMILIES, Sector
from saddle.attention_problem import state_evaluation
from saddle.branch import Branch
from saddle.continuation.events import Event, EventKind
from saddle.families import Families
from saddle.outcomes import Outcome
from saddle.pieces import Piece
from saddle.replicon import Replicon
from saddle.sector_solver import canonical_signs, evaluation_of, solve_state, vanished
from saddle.state_evolution import StateEvaluation, StateEvolution
from saddle.state_space import StateSpace

__all__ = ["assemble_branches", "piece_with", "solve_on_piece"]

VECTORS = ("states", "conjugate_states", "errors", "jacobian_diagonal")
# Of residuals at stored points, in natural units.
TOLERANCE = 5e-9
# Strength of jumps, compared with E[M], that leaves no doubt.
CLEARLY = 1e-2
# Relative distance from a pitchfork at which a branch that is not found there counts as merged.
AT_END = 2e-3
SCALARS = (
    "free_entropy", "free_entropy_error", "train_loss", "test_error", "test_error_error", "average_envelope",
    "residual_norm", "replicon_regular", "replicon_regular_error", "jump_strength", "jump_strength_error",
)  # fmt: skip


@dataclass(frozen=True)
class _Solved:
    """What is stored of one solution."""

    evaluation: StateEvaluation
    residual_norm: float
    replicon: Replicon


def assemble_branches(
    families: Families,
    pieces: Sequence[Piece],
    grid: np.ndarray,
    report: Callable[[], object] = lambda: None,
) -> tuple[dict[str, Branch], bool]:
    """Solve every piece at the values of a grid that it passes.

    Parameters
    ----------
    families, pieces
        What was found; see :func:`pieces_of`.
    grid
        Increasing sample complexities, (n,).
    report
        Called once per solution.

    Returns
    -------
    (dict of Branch, bool)
        Branches by name, with an empty one for every family that has no piece; and whether all were finished
        (Ctrl-C leaves what was not reached marked as interrupted).
    """
    branches: dict[str, Branch] = {}
    evolution, finished = families.problem.evolution, families.complete
    for family in FAMILIES:
        own = [piece for piece in pieces if piece.family == family]
        for piece in own:
            solved: dict[int, _Solved] = {}
            interrupted = False
            try:
                _solve_on_grid(evolution, piece, grid, solved, report)
            except KeyboardInterrupt:
                interrupted, finished = True, False
            branches[piece.name] = _branch(evolution, piece, grid, solved, branches, pieces, interrupted)
        if not own:
            missing = Outcome.ABSENT if families.complete else Outcome.INTERRUPTED
            branches[family] = _empty(evolution, family, grid, missing)
    return branches, finished


def _solve_on_grid(
    evolution: StateEvolution,
    piece: Piece,
    grid: np.ndarray,
    solved: dict[int, _Solved],
    report: Callable[[], object],
) -> None:
    low, high = piece.reach
    for k, alpha in enumerate(map(float, grid)):
        if low <= alpha <= high:
            found = solve_on_piece(evolution, piece, alpha)
            if found is not None:
                replicon = _quick_replicon(evolution, found[0])
                solved[k] = _Solved(*found, replicon)
            report()


def _quick_replicon(evolution: StateEvolution, here: StateEvaluation) -> Replicon:
    """Return the replicon to a digit or two where jumps clearly break replica symmetry, and to more elsewhere."""
    coarser = evolution.with_rule(evolution.rule.coarsened())
    coarse = coarser.replicon(here.state, here.alpha, quick=True, averages=here.averages)
    if coarse.jump_strength > CLEARLY * here.averages.envelope:
        return coarse
    return evolution.replicon(here.state, here.alpha, quick=True, averages=here.averages)


def solve_on_piece(evolution: StateEvolution, piece: Piece, alpha: float) -> tuple[StateEvaluation, float] | None:
    """Solve a piece at one alpha within its reach; return the solution and its residual's norm, or None."""
    section, low, high = piece.traced.section, *piece.bounds
    landed = piece.curve.landings(section, section.block.size, [alpha], TOLERANCE) if low < alpha < high else []
    if landed and landed[0] is not None:
        return state_evaluation(landed[0].evaluation.detail), landed[0].residual_norm
    nearest = min(piece.curve.points, key=lambda other: abs(other.y[-1] - alpha))
    start = canonical_signs(section.full(nearest.y)[0], evolution.space)
    met = piece.meets[0 if alpha < low else 1]
    if not low <= alpha <= high and met is not None:
        # Between the last point and a pitchfork: what breaks the symmetry goes as a square root.
        left = abs(met.parameter - alpha) / max(abs(met.parameter - nearest.y[-1]), np.finfo(float).tiny)
        gone = [i for i in piece.sector.broken if met.x[i] == 0.0 and start[i] >= 0.0]
        root = start[gone] * np.sqrt(min(left, 1.0))
        end = canonical_signs(met.x, evolution.space)
        start = end + min(left, 1.0) * (start - end)
        start[gone] = root
    result = solve_state(evolution, piece.sector, start, alpha)
    if result.outcome is not Outcome.CONVERGED or vanished(evaluation_of(result), piece.sector):
        return None
    return evaluation_of(result), result.residual_norm


def piece_with(evolution: StateEvolution, event: Event, pieces: Sequence[Piece]) -> Piece | None:
    """Return the piece that an event lies on; None where no piece reaches it.

    A curve with a fold passes the same alpha on several pieces: the event is on the one whose solution there is its
    own. A fold itself belongs to the first of the two pieces that it ends.
    """
    own = [piece for piece in pieces if any(event is one for one in piece.traced.events)]
    ended = [piece for piece in own if any(event is met for met in piece.meets)]
    reaching = [piece for piece in own if piece.reach[0] <= event.parameter <= piece.reach[1]]
    candidates = ended if ended and event.kind is EventKind.FOLD else reaching or ended
    if len(candidates) < 2 or event.kind is EventKind.FOLD:
        return candidates[0] if candidates else None
    space, units = evolution.space, candidates[0].traced.section.problem.units(event.x)
    there = canonical_signs(event.x, space)

    def distance(piece: Piece) -> float:
        found = solve_on_piece(evolution, piece, event.parameter)
        if found is None:
            return np.inf
        return float(np.max(np.abs(canonical_signs(found[0].state, space) - there) / units))

    return min(candidates, key=distance)


def _outcomes(piece: Piece, grid: np.ndarray, solved: dict[int, _Solved], interrupted: bool) -> list[Outcome]:
    """Return what became of the piece at every grid point."""
    (low, high), (first, last) = piece.bounds, piece.reach
    outcomes = []
    for k, alpha in enumerate(grid):
        met = piece.meets[0 if alpha < low else 1] if not low <= alpha <= high else None
        merges = met is not None and met.kind is not EventKind.FOLD
        # So close to a pitchfork, which is known with some error, the branch may have ended already.
        at_end = met is not None and merges and abs(alpha - met.parameter) < AT_END * alpha
        if k in solved:
            outcomes.append(Outcome.CONVERGED)
        elif first <= alpha <= last and not at_end:
            outcomes.append(Outcome.INTERRUPTED if interrupted else Outcome.LOST)
        elif met is not None:
            outcomes.append(Outcome.MERGED if merges else Outcome.FOLDED)
        else:
            outcomes.append(Outcome.LOST if piece.traced.curve.complete else Outcome.INTERRUPTED)
    return outcomes


def _columns(n: int, space: StateSpace) -> dict[str, np.ndarray]:
    columns = {name: np.full((n, space.size), np.nan) for name in VECTORS}
    columns["jacobian_signs"] = np.zeros((n, 1 + len(space.odd)), dtype=np.int8)
    return columns | {name: np.full(n, np.nan) for name in SCALARS}


def _empty(evolution: StateEvolution, family: str, grid: np.ndarray, outcome: Outcome) -> Branch:
    n, space = grid.size, evolution.space
    eigenvalues = np.full((n, space.size), np.nan, dtype=complex)
    sector = next((sector for sector in space.sectors if sector.family == family), space.sectors[-1])
    return Branch(
        sector=sector,
        evolution=evolution,
        alpha=grid.copy(),
        outcome=(outcome,) * n,
        eigenvalues=eigenvalues,
        label=family,
        **_columns(n, space),
    )


def _branch(
    evolution: StateEvolution,
    piece: Piece,
    grid: np.ndarray,
    solved: dict[int, _Solved],
    branches: dict[str, Branch],
    pieces: Sequence[Piece],
    interrupted: bool,
) -> Branch:
    """Fill a branch's arrays; where it has merged into another one, with that one's values."""
    n = grid.size
    space = evolution.space
    columns, eigenvalues = _columns(n, space), np.full((n, space.size), np.nan, dtype=complex)
    outcomes = _outcomes(piece, grid, solved, interrupted)
    for k, found in solved.items():
        _fill(columns, k, found, piece.sector)
        eigenvalues[k] = found.evaluation.stability_eigenvalues
    merged = Outcome.MERGED in outcomes
    parents = [_parent(evolution, piece, pieces, end, branches) if merged else None for end in (0, 1)]
    for k, outcome in enumerate(outcomes):
        if outcome is not Outcome.MERGED:
            continue
        parent = parents[0 if grid[k] < piece.bounds[0] else 1]
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
        label=piece.name,
        **columns,
    )


def _parent(
    evolution: StateEvolution, piece: Piece, pieces: Sequence[Piece], end: int, branches: dict[str, Branch]
) -> Branch | None:
    """Return the branch on which a piece ends."""
    met = piece.meets[end]
    parent = None if met is None else piece_with(evolution, met, pieces)
    return None if parent is None else branches.get(parent.name)


def _block_sign(here: StateEvaluation, sector: Sector, index: int) -> float:
    """Return the sign of the determinant of the block of dF/du that holds an overlap that vanishes."""
    block = list(here.space.block_of(sector, index))
    return float(np.sign(np.linalg.det(here.full_jacobian[np.ix_(block, block)])))


def _fill(columns: dict[str, np.ndarray], k: int, found: _Solved, sector: Sector) -> None:
    """Store one solution, with the errors that its own evaluation estimates."""
    here = found.evaluation
    free = list(sector.free)
    with contextlib.suppress(np.linalg.LinAlgError):  # at a singular Jacobian the errors stay nan: not known
        columns["errors"][k] = here.order_parameter_errors(sector.free)
        columns["test_error_error"][k] = here.solution_test_error_error(sector.free)
    diagonal = np.diag(here.full_jacobian)
    own = np.linalg.det(here.full_jacobian[np.ix_(free, free)])
    odd = [_block_sign(here, sector, i) if i in sector.transverse else 0.0 for i in here.space.odd]
    columns["jacobian_signs"][k] = np.sign([own, *odd])
    columns["free_entropy_error"][k] = here.free_entropy_error
    columns["states"][k] = here.state
    columns["conjugate_states"][k] = here.conjugates
    columns["jacobian_diagonal"][k] = diagonal
    columns["free_entropy"][k] = here.free_entropy
    columns["train_loss"][k] = here.train_loss
    columns["test_error"][k] = here.test_error
    columns["average_envelope"][k] = here.averages.envelope
    columns["residual_norm"][k] = found.residual_norm
    columns["replicon_regular"][k] = found.replicon.regular
    columns["replicon_regular_error"][k] = found.replicon.regular_error
    columns["jump_strength"][k] = found.replicon.jump_strength
    columns["jump_strength_error"][k] = found.replicon.jump_strength_error
