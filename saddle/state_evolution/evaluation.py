"""Everything known at a state and an alpha: residual, Jacobian, free entropy, losses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from replica.common.by_value import ByValue
from saddle.averages.channel_averages import ChannelAverages
from saddle.averages.state_space import StateSpace

__all__ = ["SectorEvaluation", "StateEvaluation", "StateParameterDerivatives"]


@dataclass(frozen=True, eq=False, repr=False)
class StateParameterDerivatives(ByValue):
    """Derivatives at fixed order parameters and alpha in the model's parameters, in ``parameter_vector``'s order.

    Attributes
    ----------
    residual
        Of F, (number of order parameters, n).
    free_entropy
        Of Phi, conjugates fixed too, (n,). At a solution it is also the total derivative along a branch, since Phi
        is stationary.
    test_error
        Of the test error per token, (n,).
    """

    residual: np.ndarray
    free_entropy: np.ndarray
    test_error: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class StateEvaluation(ByValue):
    """The residual at one state and alpha, and everything computed on the way; n is the number of order parameters.

    Attributes
    ----------
    state
        u, (n,); (q, m, V, theta) for the paper's model.
    alpha
        Sample complexity.
    conjugates
        (n,), in the order of what they belong to: (q_hat, m_hat, V_hat, theta_hat).
    full_residual, full_jacobian
        F (n,) and dF/du (n, n) in the full space.
    alpha_derivative
        dF/dalpha, (n,).
    overlap_derivatives
        Derivatives of the order parameters G in the conjugates, (n, n).
    full_units
        Natural unit of each unknown: (q, sqrt(q), V, sqrt(q rho)).
    free_entropy, train_loss, test_error
        Phi; the training loss per dimension by its independent route; the test error per token.
    averages
        The channel's averages.
    space
        What the unknowns are.
    """

    state: np.ndarray
    alpha: float
    conjugates: np.ndarray
    full_residual: np.ndarray
    full_jacobian: np.ndarray
    alpha_derivative: np.ndarray
    overlap_derivatives: np.ndarray
    full_units: np.ndarray
    free_entropy: float
    train_loss: float
    test_error: float
    averages: ChannelAverages
    space: StateSpace

    @property
    def free_entropy_error(self) -> float:
        """Error of Phi at a solution: that of alpha E[M] alone, since Phi is stationary in everything else."""
        return self.alpha * self.averages.envelope_error

    @property
    def residual_differences(self) -> np.ndarray:
        """What embedded rules give for F minus what the rule gives, to first order, (k, n)."""
        return -self.alpha * self.averages.differences[:, : len(self.state)] @ self.overlap_derivatives.T

    def solution_shifts(self, free: tuple[int, ...]) -> np.ndarray:
        """Return by how much embedded rules move a solution in a sector's unknowns, (k, n), to first order."""
        shifts = np.zeros((len(self.averages.differences), len(self.state)))
        unknowns = list(free)
        jacobian = self.full_jacobian[np.ix_(unknowns, unknowns)]
        shifts[:, unknowns] = -np.linalg.solve(jacobian, self.residual_differences[:, unknowns].T).T
        return shifts

    def order_parameter_errors(self, free: tuple[int, ...]) -> np.ndarray:
        """Return errors of the order parameters at a solution of a sector, (n,), by first-order propagation."""
        return self.averages.outer.error(self.solution_shifts(free))

    def solution_test_error_error(self, free: tuple[int, ...]) -> float:
        """Return the test error's error at a solution: its own, and the order parameters' through its slopes."""
        through_state = self.solution_shifts(free) @ self.averages.test_error_derivatives
        own = self.averages.differences[:, self.averages.columns.test_error]
        return float(self.averages.outer.error(own + through_state))

    def newton_corrected(self, free: tuple[int, ...]) -> tuple[np.ndarray, float]:
        """Return state (n,) and test error after one Newton step in a sector's unknowns.

        For a solution of a coarser rule evaluated on this one, both are correct to second order in its error.
        """
        step = np.zeros(len(self.state))
        unknowns = list(free)
        jacobian = self.full_jacobian[np.ix_(unknowns, unknowns)]
        step[unknowns] = -np.linalg.solve(jacobian, self.full_residual[unknowns])
        return self.state + step, float(self.test_error + self.averages.test_error_derivatives @ step)

    def test_error_derivative(self, free: tuple[int, ...]) -> float:
        """Return the test error's derivative in alpha along a branch of a sector."""
        unknowns = list(free)
        jacobian = self.full_jacobian[np.ix_(unknowns, unknowns)]
        velocity = -np.linalg.solve(jacobian, self.alpha_derivative[unknowns])
        return float(self.averages.test_error_derivatives[unknowns] @ velocity)

    @property
    def stability_eigenvalues(self) -> np.ndarray:
        """Eigenvalues of dF/du in the full space; damped state evolution is stable if all real parts are positive."""
        return np.linalg.eigvals(self.full_jacobian)

    @property
    def stable(self) -> bool:
        """Whether sufficiently damped state evolution returns to this point after any small perturbation."""
        return bool(np.all(np.real(self.stability_eigenvalues) > 0.0))


@dataclass(frozen=True)
class SectorEvaluation:
    """A state evaluation seen in a sector's unknowns, as Newton's method wants it."""

    evaluation: StateEvaluation
    free: tuple[int, ...]

    @property
    def residual(self) -> np.ndarray:
        """F of the free unknowns."""
        return self.evaluation.full_residual[list(self.free)]

    @property
    def jacobian(self) -> np.ndarray:
        """The block of dF/du of the free unknowns."""
        return self.evaluation.full_jacobian[np.ix_(self.free, self.free)]

    @property
    def scales(self) -> np.ndarray:
        """Units of the free unknowns."""
        return self.evaluation.full_units[list(self.free)]
