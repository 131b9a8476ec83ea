"""A branch of solutions on a grid of sample complexities."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import overload

import numpy as np

from replica.common.by_value import ByValue
from replica.common.checked_arguments import checked_integer
from replica.common.errors import InvalidArgument
from replica.common.html_table import html_table
from replica.common.numeric_errors import numpy_defaults
from replica.symmetry.sectors import Sector
from saddle.averages.replicon import Replicon
from saddle.averages.rules.rule_arguments import checked_alpha, checked_state
from saddle.branches.branch_curve import BranchCurve
from saddle.branches.curve_solving import solve_on_curve
from saddle.branches.search.branch_arguments import checked_evolution, checked_sector
from saddle.branches.search.sector_solver import (
    canonical_signs,
    evaluation_of,
    informed_solution,
    solve_state,
    vanished,
)
from saddle.branches.steps.from_symmetric import broken_or_none
from saddle.branches.steps.step_solution import BrokenSymmetryPoint
from saddle.continuation.outcomes import Outcome, SolverError
from saddle.state_evolution.evaluation import StateEvaluation
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.state_evolution.steps.step_equations import StepRule

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


@dataclass(frozen=True, eq=False, repr=False)
class SolvedPoint(ByValue):
    """One solution: order parameters, conjugates and observables at one alpha."""

    alpha: float
    sector: Sector
    evolution: StateEvolution
    evaluation: StateEvaluation
    residual_norm: float

    def __repr__(self) -> str:
        shown = ", ".join(f"{name} = {value} +- {error}" for name, value, error in self._rows)
        return f"SolvedPoint({self._where}: {shown})"

    def _repr_html_(self) -> str:
        return html_table(f"SolvedPoint: {self._where}", self._rows, ("quantity", "value", "error"))

    @property
    def _where(self) -> str:
        return f"{self.sector.name} at alpha = {self.alpha:.6g}"

    @property
    def _rows(self) -> list[tuple[str, str, str]]:
        """Name, value and error of what a terminal and a notebook show."""
        numbers = {**self.order_parameters, "free_entropy": self.free_entropy, "test_error": self.test_error}
        # At a singular Jacobian errors are not known.
        errors: Mapping[str, float] = {}
        with contextlib.suppress(np.linalg.LinAlgError):
            errors = self.error
        return [(name, f"{value:.6g}", f"{errors.get(name, np.nan):.1e}") for name, value in numbers.items()]

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
        return self.evolution.replicon(self.evaluation.state, self.alpha, averages=self.evaluation.averages)


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
        raise SolverError(f"{sector.name} branch at alpha = {alpha:.6g}: {result.outcome.value}", result.outcome)
    evaluation = evaluation_of(result)
    if vanished(evaluation, sector):
        outcome = Outcome.MERGED
        raise SolverError(f"{sector.name} branch at alpha = {alpha:.6g}: {outcome.value}", outcome)
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
        raise SolverError(f"{sector.name} branch at alpha = {alpha:.6g}: {outcome.value}", outcome)
    return SolvedPoint(alpha, sector, evolution, evaluation_of(result), result.residual_norm)


@dataclass(frozen=True, eq=False, repr=False)
class Branch(ByValue):
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
    name
        Name of the branch: its family's, or that and where it is born, such as "positional from agnostic".
    curve
        The branch over all of the range in which it was followed, whatever the grid; None if nothing is known of it.
    attracting
        Whether state evolution within the sector is attracted to it.
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
    name: str
    curve: BranchCurve | None
    attracting: bool

    def __post_init__(self) -> None:
        """Make every array read-only."""
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    def __repr__(self) -> str:
        return f"Branch({self.name}: {self._where}{'; ' if self.origin else ''}{self.origin})"

    def _repr_html_(self) -> str:
        ends = () if self.curve is None else zip(("begins", "ends"), map(str, self.curve.ends), strict=True)
        return html_table(f"Branch: {self.name}", [("points", self._where), *ends])

    @property
    def _where(self) -> str:
        own = self.alpha[self.distinct]
        if not own.size:
            return "no point"
        return f"{own.size} of {self.alpha.size} points, alpha = {own[0]:.6g} to {own[-1]:.6g}"

    @property
    def family(self) -> str:
        """What it attends by: "agnostic", "positional", "semantic" or "mixed".

        The sector's, or, where the model's symmetries do not tell families apart, by the overlaps.
        """
        return self.name.split()[0]

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
        return ~self.jumping & (self.replicon_regular > 0.0)

    @property
    def jumping(self) -> np.ndarray:
        """Whether jumps of the proximal point break replica symmetry, (n,); True where nothing is stored."""
        weak = self.jump_strength <= np.maximum(self.jump_strength_error, NEGLIGIBLE * np.abs(self.average_envelope))
        return ~weak

    @property
    def replica_known(self) -> np.ndarray:
        """Whether the sign of the replicon is beyond its error, (n,); False where nothing is stored."""
        return self.stored & (self.jumping | (np.abs(self.replicon_regular) > self.replicon_regular_error))

    @property
    def distinct(self) -> np.ndarray:
        """Where the family is a branch of its own (outcome CONVERGED), (n,)."""
        return np.array([outcome is Outcome.CONVERGED for outcome in self.outcome])

    @property
    def stored(self) -> np.ndarray:
        """Where values are stored (outcome CONVERGED or MERGED), (n,)."""
        return np.array([outcome in (Outcome.CONVERGED, Outcome.MERGED) for outcome in self.outcome])

    @property
    def reach(self) -> tuple[float, float] | None:
        """Lowest and highest alpha at which the branch is known, whatever the grid; None if it is not known at all."""
        return None if self.curve is None else self.curve.reach

    @property
    def origin(self) -> str:
        """In words, how the branch begins and ends; "" if nothing is known of it."""
        return "" if self.curve is None else f"from {self.curve.ends[0]} to {self.curve.ends[1]}"

    @overload
    def at(self, alpha: float) -> SolvedPoint: ...

    @overload
    def at(self, alpha: Sequence[float] | np.ndarray) -> tuple[SolvedPoint, ...]: ...

    @overload
    def at(self, alpha: float, steps: int, *, rule: StepRule | None = None) -> BrokenSymmetryPoint | SolvedPoint: ...

    @overload
    def at(
        self, alpha: Sequence[float] | np.ndarray, steps: int, *, rule: StepRule | None = None
    ) -> tuple[BrokenSymmetryPoint | SolvedPoint, ...]: ...

    def at(
        self, alpha: float | Sequence[float] | np.ndarray, steps: int = 0, *, rule: StepRule | None = None
    ) -> BrokenSymmetryPoint | SolvedPoint | tuple[BrokenSymmetryPoint | SolvedPoint, ...]:
        """Solve the branch at any alpha that it reaches, by Newton's method from its own curve.

        Parameters
        ----------
        alpha
            Sample complexity, or several of them.
        steps
            Number k of steps of replica-symmetry breaking; 0 is replica symmetry. From 1 on solutions are those of
            :meth:`with_steps`.
        rule
            As for :meth:`with_steps`; only with steps.

        Returns
        -------
        SolvedPoint or BrokenSymmetryPoint, or a tuple of them
            Solutions of this branch, and of no other. With steps, the replica-symmetric point where no gap between
            overlaps is resolved.

        Raises
        ------
        InvalidArgument
            If alpha is not positive and finite, or another argument is none of its kind.
        SolverError
            If the branch does not reach this alpha (the message says where it begins or ends), or was not found there.
        """
        several = isinstance(alpha, (list, tuple, np.ndarray)) and np.ndim(alpha) > 0
        if checked_integer("steps", steps, 0):
            values = alpha if several else [checked_alpha(alpha)]
            found = self.with_steps(values, steps, rule=rule)
            return found if several else found[0]
        if rule is not None:
            raise InvalidArgument(f"rule belongs to steps of replica-symmetry breaking, got {rule!r} with steps=0")
        return self._symmetric_at(alpha) if not several else tuple(map(self._symmetric_at, np.ravel(alpha)))

    def _symmetric_at(self, alpha: object) -> SolvedPoint:
        value = checked_alpha(alpha)
        if self.curve is None:
            message = f"the {self.name} branch has no point in this diagram, so none at alpha = {value:.6g}"
            raise SolverError(message, Outcome.ABSENT)
        low, high = self.curve.reach
        if not self.curve.reaches(value):
            end = self.curve.ends[0 if value < low else 1]
            verb = "begins" if value < low else "ends"
            known = f"it is known for {low:.6g} <= alpha <= {high:.6g}"
            outcome = Outcome.MERGED if end.connected else Outcome.FOLDED if end.kind == "fold" else Outcome.ABSENT
            raise SolverError(f"no {self.name} branch at alpha = {value:.6g}: it {verb} at {end}; {known}", outcome)
        found = solve_on_curve(self.evolution, self.sector, self.curve, value)
        if found is None:
            message = f"the {self.name} branch could not be solved at alpha = {value:.6g}: {Outcome.LOST.value}"
            raise SolverError(message, Outcome.LOST)
        return SolvedPoint(value, self.sector, self.evolution, *found)

    def with_steps(
        self, alpha: Sequence[float] | np.ndarray | float, steps: int = 1, *, rule: StepRule | None = None
    ) -> tuple[BrokenSymmetryPoint | SolvedPoint, ...]:
        """Solve the branch at some alpha with steps of replica-symmetry breaking.

        Parameters
        ----------
        alpha
            Sample complexities that the branch reaches, in any order.
        steps
            Number k of steps.
        rule
            How what steps add is averaged: a :class:`saddle.JumpLineRule`, a :class:`saddle.GridRule`, or None for the
            default of so many steps.

        Returns
        -------
        tuple of BrokenSymmetryPoint and SolvedPoint
            In the order of ``alpha``; the replica-symmetric point where no gap between overlaps is resolved.

        Raises
        ------
        InvalidArgument
            If an argument is none of its kind.
        SolverError
            If the branch does not reach an alpha, or a solution is lost.

        Notes
        -----
        Every solution starts from the one before, by increasing alpha.
        """
        values = np.atleast_1d(np.asarray(alpha, dtype=float))
        steps = checked_integer("steps", steps, 1)
        found: dict[int, BrokenSymmetryPoint | SolvedPoint] = {}
        last: BrokenSymmetryPoint | None = None
        for place in np.argsort(values, kind="stable"):
            point = self._symmetric_at(float(values[place]))
            solved = broken_or_none(point.evolution, point.sector, point.evaluation, steps, rule, last)
            found[int(place)] = point if solved is None else solved
            last = solved
        return tuple(found[place] for place in range(len(values)))
