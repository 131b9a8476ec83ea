"""The saddle-point equations as a residual: F(u; alpha) = u - G(alpha f(u)), with its Jacobian and observables.

u are the order parameters, (q, m, V, theta) for the paper's model, f(u) the channel's averages (conjugates per alpha),
G the map from conjugates to order parameters. Iterating u -> G(alpha f(u)) is the state evolution of the corresponding
message passing. All formulas are generated from SymPy. Where the student's columns can be rotated into each other,
dF/du leaves rotations out (:meth:`saddle.averages.state_space.StateSpace.across_orbits`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from replica.common.by_value import ByValue
from replica.common.checked_arguments import checked_number
from replica.common.numeric_errors import numpy_defaults
from replica.model.sample_class import class_numbers
from replica.quantities.solvable_model import Model, require_model
from replica.symmetry.sectors import Sector
from saddle.averages.channel import Channel
from saddle.averages.channel_averages import ChannelAverages
from saddle.averages.replicon import Replicon, replicon
from saddle.averages.replicon_map import weights_map
from saddle.averages.rules.outer import OuterRule
from saddle.averages.rules.rule_arguments import checked_state, checked_threads, fitting_rule
from saddle.averages.state_space import StateSpace
from saddle.continuation.newton import OutsideDomain
from saddle.kernel.kernel import load_kernel
from saddle.state_evolution.evaluation import StateEvaluation, StateParameterDerivatives
from saddle.state_evolution.prior import Prior

__all__ = ["StateEvolution"]

# "By default", typed as whatever is there after validation.
BY_MODEL: Any = None


@dataclass(frozen=True, eq=False, repr=False)
class StateEvolution(ByValue):
    """The saddle-point equations of one model on one quadrature rule; n is the number of order parameters.

    Parameters
    ----------
    model
        The model.
    rule
        Quadrature rule; by default the lattice for two tokens and rank one, and Sobol points for any other model.
    threads
        Threads of the channel average; 0 for one per core that the process may use. Results do not depend on it.

    Raises
    ------
    ValueError
        If the model is none, the rule is none or does not fit it, or the number of threads is none.
    """

    model: Model
    rule: OuterRule = BY_MODEL
    threads: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        """Refuse what is no model, and find the rule that fits it."""
        require_model(self.model, "the compiled solver")
        object.__setattr__(self, "rule", fitting_rule(self.model, self.rule))
        object.__setattr__(self, "threads", checked_threads(self.threads))

    @cached_property
    def channel(self) -> Channel:
        """The channel on this rule; loads (first time: compiles) the kernel."""
        return Channel(load_kernel(self.model.structure), self.model, self.rule, self.threads)

    @property
    def space(self) -> StateSpace:
        """The order parameters and their symmetries."""
        return self.channel.space

    @property
    def sectors(self) -> tuple[Sector, ...]:
        """The model's invariant subspaces, family by family."""
        return self.space.sectors

    @cached_property
    def prior(self) -> Prior:
        """The equations' other half: order parameters from the conjugates."""
        return Prior(self.channel.kernel.module, self.model)

    def with_rule(self, rule: OuterRule) -> StateEvolution:
        """Return the same equations on another rule."""
        return replace(self, rule=rule)

    def units(self, state: np.ndarray) -> np.ndarray:
        """Return the natural unit of each unknown at a state, (n,)."""
        return self.space.units(state, self.channel.variances)

    def shares(self, state: np.ndarray) -> tuple[float, float]:
        """Return which parts of a pre-activation's mean square position and meaning make up at a state (n,).

        The mean over tokens and columns of (m p)^2 / (q + (m p)^2), and of theta rho^{-1} theta^T / q.
        """
        space, groups = self.space, list(self.space.layout.groups)
        q = np.diagonal(space.matrices(state, "self_overlap"), axis1=1, axis2=2)[groups]
        m, theta = (space.matrices(state, kind) for kind in ("positional_overlap", "semantic_overlap"))
        mean = sum(
            one.probability * np.einsum("rk,lk->lr", m[0], one.encoding) ** 2 for one in class_numbers(self.model)
        )
        explained = np.einsum("grs,gst,grt->gr", theta, np.linalg.inv(self.channel.variances), theta)[groups]
        return float(np.mean(mean / (q + mean))), float(np.mean(explained / q))

    def check_domain(self, state: np.ndarray) -> None:
        """Raise OutsideDomain unless q, V and rho - theta^T q^{-1} theta are positive definite at a state (n,)."""
        if not self.space.inside(state, self.channel.variances):
            raise OutsideDomain(f"order parameters outside their domain: {state}")

    @staticmethod
    def _checked_alpha(alpha: float) -> float:
        """Return alpha; Newton's method may step to any, so one out of range is outside the domain."""
        alpha = alpha if isinstance(alpha, float) else checked_number("alpha", alpha)
        if not (np.isfinite(alpha) and alpha > 0.0):
            raise OutsideDomain(f"alpha must be positive and finite, got {alpha!r}")
        return alpha

    @numpy_defaults
    def evaluate(self, state: np.ndarray, alpha: float, averages: ChannelAverages | None = None) -> StateEvaluation:
        """Evaluate residual, Jacobian and observables at a state (n,).

        ``averages`` are the channel's at this state, if they are known: they do not depend on alpha.

        Raises
        ------
        OutsideDomain
            If q, V, rho - theta^T q^{-1} theta or the weights' precision is not positive definite, or alpha not
            positive and finite.
        ValueError
            If the state is none, or alpha is no number.
        """
        state, alpha = checked_state(state, self.space), self._checked_alpha(alpha)
        self.check_domain(state)
        if averages is None:
            averages = self.channel.averages(state)
        prior, conjugates = self.prior, alpha * averages.conjugates
        if not prior.exist(conjugates):
            raise OutsideDomain(f"the weights' precision is not positive at {state}")
        channel_derivatives = averages.derivatives.copy()
        for index, block in zip(self.space.odd, averages.odd_blocks, strict=True):
            # NOTE: where an odd order parameter vanishes it is not solved for, so the Jacobian need not be
            # consistent with the rule's own residual there, and the more accurate route decides stability.
            if state[index] == 0.0 and averages.conjugates[index] == 0.0:
                channel_derivatives[index, index] = block
        slopes = prior.overlap_derivatives(conjugates)
        units = self.units(state)
        jacobian = np.eye(len(state)) - alpha * slopes @ channel_derivatives
        return StateEvaluation(
            state=state,
            alpha=alpha,
            conjugates=conjugates,
            full_residual=state - prior.overlaps(conjugates),
            full_jacobian=self.space.across_orbits(state, jacobian, units),
            alpha_derivative=-slopes @ averages.conjugates,
            overlap_derivatives=slopes,
            full_units=units,
            free_entropy=prior.free_entropy(state, conjugates, averages.envelope, alpha),
            train_loss=prior.training_loss(conjugates, averages.loss, alpha),
            test_error=averages.test_error,
            averages=averages,
            space=self.space,
        )

    @numpy_defaults
    def parameter_derivatives(
        self, state: np.ndarray, alpha: float, averages: ChannelAverages | None = None
    ) -> StateParameterDerivatives:
        """Differentiate F, Phi and the test error at a state (n,) in every parameter of the model.

        Includes the moving jumps and the response of the proximal point. Arguments and errors as for
        :meth:`evaluate`.
        """
        here = self.evaluate(state, alpha, averages)
        channel = self.channel.parameter_derivatives(here.state)
        explicit = self.prior.overlap_parameter_derivatives(here.conjugates)
        outside = self.prior.free_entropy_parameter_derivatives(here.state, here.conjugates)
        return StateParameterDerivatives(
            residual=-(alpha * here.overlap_derivatives @ channel.conjugates + explicit),
            free_entropy=outside - alpha * channel.envelope,
            test_error=channel.test_error,
        )

    @numpy_defaults
    def replicon(
        self, state: np.ndarray, alpha: float, *, quick: bool = False, averages: ChannelAverages | None = None
    ) -> Replicon:
        """Return whether a solution (n,) is stable against replica-symmetry breaking, and by how much.

        The state is taken as it is: it should be a solution at ``alpha``. Costs thirty to sixty residuals; if
        ``quick``, one, with a jump strength about as good as the rule, but a regular part that is rough where there are
        jumps (its error says so; it does not decide anything there). Theory notes, section 9.

        Where the spectrum has several atoms, the weights' precision enters, from ``averages``: the channel's at this
        state, if they are known, otherwise at the cost of one more residual.

        Raises
        ------
        OutsideDomain
            If q, V, rho - theta^T q^{-1} theta or, if it enters, the weights' precision is not positive definite.
        ValueError
            If the state is none, or alpha is no number.
        """
        state, alpha = checked_state(state, self.space), self._checked_alpha(alpha)
        self.check_domain(state)
        weights = weights_map(*self._weights_responses(state, alpha, averages))
        return replicon(self.channel, state, alpha, weights, quick=quick)

    def _weights_responses(
        self, state: np.ndarray, alpha: float, averages: ChannelAverages | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return gamma_g B^{-1} on every atom, (atoms, groups, r, r), and the weights of the atoms."""
        if len(self.prior.atoms) == 1:
            return self.space.matrices(state, "susceptibility")[None], np.ones(1)
        conjugates = alpha * (averages or self.channel.averages(state)).conjugates
        if not self.prior.exist(conjugates):
            raise OutsideDomain(f"the weights' precision is not positive at {state}")
        return self.prior.responses(self.space.matrices(conjugates, "susceptibility"))

    def embed(self, free_values: np.ndarray, sector: Sector) -> np.ndarray:
        """Return the full state (n,) of a sector's unknowns, with zeros for what vanishes there."""
        state = np.zeros(self.space.size)
        state[list(sector.free)] = free_values
        return state

    @numpy_defaults
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
            if np.max(np.abs(change / evaluation.full_units)) < 1e-4:
                break
        return state
