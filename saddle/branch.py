"""A branch of solutions on a grid of sample complexities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from replica.errors import InvalidArgument
from replica.numeric_errors import numpy_defaults
from replica.sectors import Sector
from saddle.outcomes import Outcome, SolverError
from saddle.replicon import Replicon
from saddle.sector_solver import (
    canonical_signs,
    evaluation_of,
    informed_solution,
    solve_state,
    vanished,
)
from saddle.solve_arguments import checked_alpha, checked_evolution, checked_sector, checked_state
from saddle.state_evolution import StateEvaluation, StateEvolution

__all__ = ["Branch", "SolvedPoint", "find_point", "solve_point"]

# Strength of jumps, compared with E[M], that counts as none.
NEGLIGIBLE = 1e-6


def _named(values: np.ndarray, quantities: tuple) -> Mapping[str, np.ndarray]:
    columns = {}
    for k, quantity in enumerate(quantities):
        column = np.ascontiguousarray(values[..., k])
        column.setflags(write=False)
        columns[quantity.name] = column
    return MappingProxyType(columns)


@dataclass(frozen=True)
class SolvedPoint:
    """One solution: order parameters, conjugates and observables at one alpha."""

    alpha: float
    sector: Sector
    evolution: StateEvolution
    evaluation: StateEvaluation
    residual_norm: float

    @property
    def error(self) -> Mapping[str, float]:
        """Errors of order parameters, free entropy and test error by name."""
        names = (quantity.name for quantity in self.evolution.space.quantities)
        values = self.evaluation.order_parameter_errors(self.sector.free)
        errors = dict(zip(names, map(float, values), strict=True))
        errors["free_entropy"] = self.evaluation.free_entropy_error
        errors["test_error"] = self.evaluation.solution_test_error_error(self.sector.free)
        return MappingProxyType(errors)

    @property
    def order_parameters(self) -> Mapping[str, float]:
        """Order parameters by name."""
        names = (quantity.name for quantity in self.evolution.space.quantities)
        return MappingProxyType(dict(zip(names, map(float, self.evaluation.state), strict=True)))

    @property
    def conjugates(self) -> Mapping[str, float]:
        """Conjugates by name."""
        names = (quantity.name for quantity in self.evolution.space.conjugates)
        return MappingProxyType(dict(zip(names, map(float, self.evaluation.conjugates), strict=True)))

    @property
    def free_entropy(self) -> float:
        """Phi."""
        return self.evaluation.free_entropy

    @property
    def train_loss(self) -> float:
        """Training loss per dimension."""
        return self.evaluation.train_loss

    @property
    def test_error(self) -> float:
        """Test error per token."""
        return self.evaluation.test_error

    @property
    def stable(self) -> bool:
        """Stability of damped state evolution in the full space."""
        return self.evaluation.stable

    def replicon(self) -> Replicon:
        """Return the replicon eigenvalue: whether replica symmetry is stable here. Takes half a second."""
        return self.evolution.replicon(self.evaluation.state, self.alpha)


@numpy_defaults
def solve_point(evolution: StateEvolution, sector: Sector, start: np.ndarray, alpha: float) -> SolvedPoint:
    """Solve one sector at one alpha from a full state (n,) near the solution.

    Raises
    ------
    SolverError
        If Newton's method does not converge, or ends where an overlap of the sector vanishes.
    ValueError
        If an argument is none of its kind.
    """
    sector, alpha = checked_sector(checked_evolution(evolution), sector), checked_alpha(alpha)
    start = checked_state(start, evolution.space)
    result = solve_state(evolution, sector, canonical_signs(start, evolution.space), alpha)
    if result.outcome is not Outcome.CONVERGED:
        raise SolverError(f"{sector.value} branch at alpha = {alpha:.6g}: {result.outcome.value}", result.outcome)
    evaluation = evaluation_of(result)
    if vanished(evaluation, sector):
        outcome = Outcome.MERGED
        raise SolverError(f"{sector.value} branch at alpha = {alpha:.6g}: {outcome.value}", outcome)
    return SolvedPoint(alpha, sector, evolution, evaluation, result.residual_norm)


@numpy_defaults
def find_point(evolution: StateEvolution, sector: Sector | str, alpha: float) -> SolvedPoint:
    """Find a sector's solution at one alpha from informed starts, without a grid.

    Parameters
    ----------
    evolution
        The equations.
    sector
        One of the model's sectors, or its value: the name of its family, such as "semantic", with a number from the
        second one of a family on.
    alpha
        Sample complexity n/d.

    Raises
    ------
    ValueError
        If alpha is not positive and finite, or the model has no such sector.
    SolverError
        If no solution of this kind is found.
    """
    sector, alpha = checked_sector(checked_evolution(evolution), sector), checked_alpha(alpha)
    result = informed_solution(evolution, sector, alpha)
    if result is None:
        outcome = Outcome.ABSENT
        raise SolverError(f"{sector.value} branch at alpha = {alpha:.6g}: {outcome.value}", outcome)
    return SolvedPoint(alpha, sector, evolution, evaluation_of(result), result.residual_norm)


@dataclass(frozen=True)
class Branch:
    """One family of solutions on the diagram's grid; every array has the grid's length n.

    A family that turns back at folds, or has several pieces, is stored as several branches, each with one solution
    per alpha.

    Where ``outcome`` is MERGED the family coincides with one of higher symmetry, whose values are stored (so
    that, say, the semantic overlap is zero there). Where it is neither CONVERGED nor MERGED the values are
    nan: nothing is interpolated.

    Attributes
    ----------
    sector
        The invariant subspace it lives in: which order parameters are non-zero.
    evolution
        The equations it solves; used by :meth:`at`.
    alpha
        Sample complexities, increasing, (n,).
    outcome
        Named outcome at each, a tuple of n.
    states, conjugate_states, errors
        Order parameters, (q, m, V, theta) for the paper's model, their conjugates, and the error of the former (from
        embedded rules, by first-order propagation), (n, k).
    free_entropy, free_entropy_error, train_loss, test_error, test_error_error, average_envelope
        Phi and its error, training loss per dimension (independent route), test error per token and its
        error, and E[M] = -dPhi/dalpha, (n,).
    residual_norm
        Largest residual in natural units, (n,).
    eigenvalues
        Eigenvalues of dF/du, complex (n, k).
    jacobian_diagonal
        Diagonal of dF/du, (n, k): for an order parameter that vanishes here, its block under the symmetry.
    jacobian_signs
        Signs of the determinants of the blocks of dF/du, (n, 1 + number of overlaps): of the sector's own unknowns,
        and of the block of every m and theta; 0 where that is one of the sector's own, and where nothing is stored.
        That of an overlap changes where the branch has a pitchfork.
    replicon_regular, replicon_regular_error, jump_strength, jump_strength_error
        Regular part of the replicon eigenvalue, the strength C of the jumps of the proximal point, and their errors,
        (n,); by the quick route of :meth:`saddle.StateEvolution.replicon`. At a small temperature T the eigenvalue is
        -C/T plus the regular part (theory notes, section 9).
    label
        Name of the branch: its family's, with a number from the second one of a family on.
    """

    sector: Sector
    evolution: StateEvolution
    alpha: np.ndarray
    outcome: tuple[Outcome, ...]
    states: np.ndarray
    conjugate_states: np.ndarray
    errors: np.ndarray
    free_entropy: np.ndarray
    free_entropy_error: np.ndarray
    train_loss: np.ndarray
    test_error: np.ndarray
    test_error_error: np.ndarray
    average_envelope: np.ndarray
    residual_norm: np.ndarray
    eigenvalues: np.ndarray
    jacobian_diagonal: np.ndarray
    jacobian_signs: np.ndarray
    replicon_regular: np.ndarray
    replicon_regular_error: np.ndarray
    jump_strength: np.ndarray
    jump_strength_error: np.ndarray
    label: str

    def __post_init__(self) -> None:
        """Make every array read-only."""
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    @property
    def name(self) -> str:
        """Name of the branch."""
        return self.label

    @property
    def family(self) -> str:
        """What it attends by: "agnostic", "positional", "semantic" or "mixed".

        The sector's, or, where the model's symmetries do not tell families apart, by the overlaps.
        """
        return self.label.split()[0]

    @property
    def order_parameters(self) -> Mapping[str, np.ndarray]:
        """Order parameters by name, each (n,)."""
        return _named(self.states, self.evolution.space.quantities)

    @property
    def conjugates(self) -> Mapping[str, np.ndarray]:
        """Conjugates by name, each (n,)."""
        return _named(self.conjugate_states, self.evolution.space.conjugates)

    @property
    def error(self) -> Mapping[str, np.ndarray]:
        """Errors of order parameters, free entropy and test error by name, each (n,)."""
        extra = {"free_entropy": self.free_entropy_error, "test_error": self.test_error_error}
        return MappingProxyType({**_named(self.errors, self.evolution.space.quantities), **extra})

    @property
    def stable(self) -> np.ndarray:
        """Whether damped state evolution in the full space is stable, (n,); False where nothing is stored."""
        return np.all(np.real(self.eigenvalues) > 0.0, axis=1)

    @property
    def replica_stable(self) -> np.ndarray:
        """Whether replica symmetry is locally stable, (n,); False where nothing is stored.

        The regular part must be positive, and jumps so weak that they would break the symmetry only at temperatures
        below a millionth of the mean energy E[M] (some jump, however remote, exists for every V).
        """
        weak = self.jump_strength <= np.maximum(self.jump_strength_error, NEGLIGIBLE * self.average_envelope)
        return weak & (self.replicon_regular > 0.0)

    @property
    def distinct(self) -> np.ndarray:
        """Where the family is a branch of its own (outcome CONVERGED), (n,)."""
        return np.array([outcome is Outcome.CONVERGED for outcome in self.outcome])

    @property
    def stored(self) -> np.ndarray:
        """Where values are stored (outcome CONVERGED or MERGED), (n,)."""
        return np.array([outcome in (Outcome.CONVERGED, Outcome.MERGED) for outcome in self.outcome])

    def at(self, alpha: float) -> SolvedPoint:
        """Solve the branch at any alpha by Newton's method from the nearest stored points.

        Raises
        ------
        ValueError
            If alpha is not positive and finite, or the branch has no point.
        SolverError
            If there is no solution of this kind at this alpha, or it was not found.
        """
        if not (np.isfinite(alpha) and alpha > 0):
            raise InvalidArgument(f"alpha must be positive and finite, got {alpha!r}")
        own = np.flatnonzero(self.distinct)
        if own.size == 0:
            raise InvalidArgument(f"the {self.name} branch has no point in this diagram, so none at alpha = {alpha!r}")
        nearest = own[np.argsort(np.abs(self.alpha[own] - alpha), kind="stable")]
        try:
            return solve_point(self.evolution, self.sector, self._start(alpha, nearest), alpha)
        except SolverError:
            return solve_point(self.evolution, self.sector, self.states[nearest[0]], alpha)

    def _start(self, alpha: float, nearest: np.ndarray) -> np.ndarray:
        """Return a start for Newton: squares of m and theta and the others interpolated between two points."""
        if nearest.size < 2:
            return self.states[nearest[0]]
        first, second = nearest[:2]
        fraction = (alpha - self.alpha[first]) / (self.alpha[second] - self.alpha[first])
        powers = np.ones(self.states.shape[1])
        powers[list(self.sector.broken)] = 2.0
        # Overlaps grow as square roots from pitchforks; those of either sign are left alone.
        powers[(self.states[first] < 0.0) | (self.states[second] < 0.0)] = 1.0
        a, b = self.states[first] ** powers, self.states[second] ** powers
        mixed = a + fraction * (b - a)
        # Beyond the last point the extrapolation may lose its sign: fall back on the nearest point.
        usable = np.where((mixed > 0.1 * a) | (powers == 1.0), mixed, a)
        return usable ** (1.0 / powers)
