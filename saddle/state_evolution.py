"""The saddle-point equations as a residual: F(u; alpha) = u - G(alpha f(u)), with its Jacobian and observables.

u = (q, m, V, theta) are the order parameters, f(u) the channel's averages (conjugates per alpha), G the map from
conjugates to order parameters. Iterating u -> G(alpha f(u)) is the state evolution of the corresponding message
passing. All formulas are generated from SymPy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from replica.model import AttentionModel
from replica.sectors import POSITIONAL_INDEX, SEMANTIC_INDEX, Sector
from saddle.channel import TEST_ERROR, Channel, ChannelAverages, parameter_vector
from saddle.continuation.newton import OutsideDomain
from saddle.kernel import load_kernel
from saddle.quadrature import LineRule, OuterRule
from saddle.replicon import Replicon, replicon

__all__ = ["ResidualParameterSlopes", "SectorLinearization", "StateEvaluation", "StateEvolution"]

N_STATE = 4


@dataclass(frozen=True)
class ResidualParameterSlopes:
    """Derivatives at fixed order parameters and alpha in the model's parameters, in ``parameter_vector``'s order.

    Attributes
    ----------
    residual
        Of F, (4, n).
    free_entropy
        Of Phi, conjugates fixed too, (n,). At a solution it is also the total derivative along a branch, since Phi
        is stationary.
    test_error
        Of the test error per token, (n,).
    """

    residual: np.ndarray
    free_entropy: np.ndarray
    test_error: np.ndarray


@dataclass(frozen=True)
class StateEvaluation:
    """The residual at one state and alpha, and everything computed on the way.

    Attributes
    ----------
    state
        u = (q, m, V, theta), (4,).
    alpha
        Sample complexity.
    conjugates
        (q_hat, m_hat, V_hat, theta_hat), (4,).
    full_residual, full_jacobian
        F (4,) and dF/du (4, 4) in the full space.
    alpha_derivative
        dF/dalpha, (4,).
    overlap_slopes
        Derivatives of the order parameters G in the conjugates, (4, 4).
    full_scales
        Natural unit of each unknown: (q, sqrt(q), V, sqrt(q rho)).
    free_entropy, train_loss, test_error
        Phi; the training loss per dimension by its independent route; the test error per token.
    averages
        The channel's averages.
    """

    state: np.ndarray
    alpha: float
    conjugates: np.ndarray
    full_residual: np.ndarray
    full_jacobian: np.ndarray
    alpha_derivative: np.ndarray
    overlap_slopes: np.ndarray
    full_scales: np.ndarray
    free_entropy: float
    train_loss: float
    test_error: float
    averages: ChannelAverages

    @property
    def free_entropy_error(self) -> float:
        """Error of Phi at a solution: that of alpha E[M] alone, since Phi is stationary in everything else."""
        return self.alpha * self.averages.envelope_error

    @property
    def residual_differences(self) -> np.ndarray:
        """What embedded rules give for F minus what the rule gives, to first order, (k, 4)."""
        return -self.alpha * self.averages.differences[:, :N_STATE] @ self.overlap_slopes.T

    def solution_shifts(self, free: tuple[int, ...]) -> np.ndarray:
        """Return by how much embedded rules move a solution in a sector's unknowns, (k, 4), to first order."""
        shifts = np.zeros((len(self.averages.differences), N_STATE))
        unknowns = list(free)
        jacobian = self.full_jacobian[np.ix_(unknowns, unknowns)]
        shifts[:, unknowns] = -np.linalg.solve(jacobian, self.residual_differences[:, unknowns].T).T
        return shifts

    def order_parameter_errors(self, free: tuple[int, ...]) -> np.ndarray:
        """Return errors of the order parameters at a solution of a sector, (4,), by first-order propagation."""
        return self.averages.outer.error(self.solution_shifts(free))

    def solution_test_error_error(self, free: tuple[int, ...]) -> float:
        """Return the test error's error at a solution: its own, and the order parameters' through its slopes."""
        through_state = self.solution_shifts(free) @ self.averages.test_error_derivatives
        return float(self.averages.outer.error(self.averages.differences[:, TEST_ERROR] + through_state))

    def newton_corrected(self, free: tuple[int, ...]) -> tuple[np.ndarray, float]:
        """Return state (4,) and test error after one Newton step in a sector's unknowns.

        For a solution of a coarser rule evaluated on this one, both are correct to second order in its error.
        """
        step = np.zeros(N_STATE)
        unknowns = list(free)
        jacobian = self.full_jacobian[np.ix_(unknowns, unknowns)]
        step[unknowns] = -np.linalg.solve(jacobian, self.full_residual[unknowns])
        return self.state + step, float(self.test_error + self.averages.test_error_derivatives @ step)

    def test_error_slope(self, free: tuple[int, ...]) -> float:
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
class SectorLinearization:
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
        return self.evaluation.full_scales[list(self.free)]


@dataclass(frozen=True)
class StateEvolution:
    """The saddle-point equations of one model on one quadrature rule."""

    model: AttentionModel
    rule: OuterRule = LineRule()
    threads: int = 0

    def __post_init__(self) -> None:
        """Refuse models that the compiled solver would get wrong."""
        AttentionModel.require(self.model, "the compiled solver")

    @cached_property
    def channel(self) -> Channel:
        """The channel on this rule; loads (first time: compiles) the kernel."""
        return Channel(load_kernel(self.model.structure), self.model, self.rule, self.threads)

    def with_rule(self, rule: OuterRule) -> StateEvolution:
        """Return the same equations on another rule."""
        return replace(self, rule=rule)

    def scales(self, state: np.ndarray) -> np.ndarray:
        """Return the natural unit of each unknown at a state, (4,)."""
        q, V = float(state[0]), float(state[2])
        return np.array([q, np.sqrt(q), V, np.sqrt(q * self.model.token_variance)])

    def check_domain(self, state: np.ndarray) -> None:
        """Raise OutsideDomain unless q and V are positive and theta^2 < q rho at a state (4,)."""
        q, _, V, theta = state
        if not (np.all(np.isfinite(state)) and q > 0 and V > 0 and theta**2 < q * self.model.token_variance):
            raise OutsideDomain(f"order parameters outside their domain: {state}")

    def evaluate(self, state: np.ndarray, alpha: float, averages: ChannelAverages | None = None) -> StateEvaluation:
        """Evaluate residual, Jacobian and observables at a state (4,).

        ``averages`` are the channel's at this state, if they are known: they do not depend on alpha.

        Raises
        ------
        OutsideDomain
            If q or V is not positive, theta^2 >= q rho, or the weights' precision is not positive.
        """
        state = np.array(state, dtype=float)
        self.check_domain(state)
        module, parameters = self.channel.kernel.module, parameter_vector(self.model)
        if averages is None:
            averages = self.channel.averages(state)
        conjugates = alpha * averages.conjugates
        if not module.weight_precision(*conjugates, parameters) > 0:
            raise OutsideDomain(f"the weights' precision is not positive at {state}")
        overlaps = np.array(module.overlaps(*conjugates, parameters))
        channel_slopes = averages.derivatives.copy()
        for index, block in zip((POSITIONAL_INDEX, SEMANTIC_INDEX), averages.odd_blocks, strict=True):
            # NOTE: where an odd order parameter vanishes it is not solved for, so the Jacobian need not be
            # consistent with the rule's own residual there, and the more accurate route decides stability.
            if state[index] == 0.0:
                channel_slopes[index, index] = block
        slopes = np.array(module.overlap_derivatives(*conjugates, parameters)).reshape(N_STATE, N_STATE)
        return StateEvaluation(
            state=state,
            alpha=alpha,
            conjugates=conjugates,
            full_residual=state - overlaps,
            full_jacobian=np.eye(N_STATE) - alpha * slopes @ channel_slopes,
            alpha_derivative=-slopes @ averages.conjugates,
            overlap_slopes=slopes,
            full_scales=self.scales(state),
            free_entropy=float(module.free_entropy(*state, *conjugates, averages.envelope, alpha, parameters)),
            train_loss=float(module.training_loss(*conjugates, averages.loss, alpha, parameters)),
            test_error=averages.test_error,
            averages=averages,
        )

    def parameter_slopes(
        self, state: np.ndarray, alpha: float, averages: ChannelAverages | None = None
    ) -> ResidualParameterSlopes:
        """Differentiate F, Phi and the test error at a state (4,) in every parameter of the model.

        Includes the moving jumps and the response of the proximal point. Arguments and errors as for
        :meth:`evaluate`.
        """
        here = self.evaluate(state, alpha, averages)
        module, parameters = self.channel.kernel.module, parameter_vector(self.model)
        channel = self.channel.parameter_slopes(here.state)
        explicit = np.array(module.overlap_parameter_derivatives(*here.conjugates, parameters)).reshape(N_STATE, -1)
        outside = np.array(module.free_entropy_parameter_derivatives(*here.state, *here.conjugates, parameters))
        return ResidualParameterSlopes(
            residual=-(alpha * here.overlap_slopes @ channel.conjugates + explicit),
            free_entropy=outside - alpha * channel.envelope,
            test_error=channel.test_error,
        )

    def replicon(self, state: np.ndarray, alpha: float, *, quick: bool = False) -> Replicon:
        """Return whether a solution (4,) is stable against replica-symmetry breaking, and by how much.

        The state is taken as it is: it should be a solution at ``alpha``. Costs thirty to sixty residuals; if
        ``quick``, one, with a jump strength about as good as the rule, but a regular part that is rough where there are
        jumps (its error says so; it does not decide anything there). Theory notes, section 9.

        Raises
        ------
        OutsideDomain
            If q or V is not positive, or theta^2 >= q rho.
        """
        state = np.array(state, dtype=float)
        self.check_domain(state)
        return replicon(self.channel, state, alpha, quick=quick)

    def embed(self, free_values: np.ndarray, sector: Sector) -> np.ndarray:
        """Return the full state (4,) of a sector's unknowns, with zeros for what vanishes there."""
        state = np.zeros(N_STATE)
        state[list(sector.free)] = free_values
        return state

    def iterate(self, state: np.ndarray, alpha: float, sector: Sector, steps: int, damping: float) -> np.ndarray:
        """Return the state after damped state evolution within a sector: u <- (1 - damping) u + damping G(alpha f(u)).

        Raises
        ------
        OutsideDomain
            If an iterate leaves the domain.
        """
        state = np.array(state, dtype=float)
        for _ in range(steps):
            evaluation = self.evaluate(state, alpha)
            target = state - evaluation.full_residual
            change = self.embed((target - state)[list(sector.free)], sector)
            state = state + damping * change
            if np.max(np.abs(change / evaluation.full_scales)) < 1e-4:
                break
        return state
