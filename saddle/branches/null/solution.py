r"""The solution Q = 0 of strongly regularised models, in closed form.

At q = m = theta = 0 the local field of every sample is zero. If the loss is stationary at z = 0 whatever the outputs,
as where it is even in z, Q = 0 is a solution if z = 0 is the global minimiser of
:math:`\tfrac12 z^\top V^{-1} z + \ell(z, h^\star)` for almost every h* and noise. Then no force
acts, the conjugates of V, m and theta vanish, and V alone is left to solve for:

.. math::
    V_g = \mathbb{E}_\nu\,\gamma_g B^{-1},\quad B = \lambda + \sum_g \gamma_g \hat V_g,\quad
    \hat V_g = \alpha \sum_{l \in g} \mathbb{E}\,[H (1 + V H)^{-1}]_{ll},\quad
    \Phi = -\alpha\,\mathbb{E}\,\ell(0, h^\star).

V is the resolvent, at zero, of the training loss's Hessian in the weights at Q = 0, whose spectrum begins where V has a
fold as a function of the ridge penalty: of the solutions it is the one that is reached from an infinite penalty, where
V = 0, without passing a fold.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import chdtrc

from replica.common.errors import InvalidArgument
from replica.quantities.structure import ModelStructure
from replica.symmetry.sectors import Sector
from saddle.averages.channel_averages import ChannelAverages
from saddle.averages.minimiser_starts import starts_of
from saddle.averages.parameters import parameter_vector
from saddle.averages.replicon import Replicon
from saddle.averages.state_space import StateSpace
from saddle.branches.null.channel import NEVER, NullChannel, Response, null_channel
from saddle.continuation.newton import OutsideDomain, newton
from saddle.state_evolution.evaluation import StateEvaluation
from saddle.state_evolution.prior import Prior
from saddle.state_evolution.state_evolution import StateEvolution

__all__ = [
    "NULL_FAMILY",
    "NullProblem",
    "NullState",
    "evaluation_at",
    "null_evaluation",
    "null_obstacle",
    "null_replicon",
    "null_sector",
]

NULL_FAMILY = "null"
"""Name of the family of solutions in which the student's weights vanish."""

# Of V in its own units; averages are exact to rounding, so that Newton's method has nothing to stall on.
TOLERANCE = 1e-12
MOST_EVALUATIONS = 20
# From an infinite penalty: where V H is this small, V is that of no samples; the first factor from there, and the
# least, absolutely and as a part of the way that is left.
SMALL_RESPONSE, FIRST_FACTOR, LEAST_FACTOR, SMALL_PART = 0.05, 3.0, 1e-6, 0.02
# A minimum that is lower than z = 0 by less than this part of the loss, or of its own penalty, is z = 0 found again.
LOWER = 1e-9
# The same, of a minimum this near: where z = 0 is one, the next is not that close, but rounding is.
NEARBY = 1e-4
# Multiples of the search's usual starts, whose reach suits usual losses, from which other minima are looked for.
START_SCALES = (1.0, 0.3, 3.0)


def null_sector(space: StateSpace) -> Sector:
    """Return the sector of states with q = m = theta = 0: all that may differ from zero is V."""
    symmetric = space.fixing(np.zeros(space.size))
    free = tuple(i for i in space.of_kind("susceptibility") if all(signs[i] > 0 for signs in symmetric))
    return Sector(NULL_FAMILY, free, (), space.odd)


@dataclass(frozen=True)
class NullState:
    """V at Q = 0 and one alpha.

    Attributes
    ----------
    alpha
        Sample complexity.
    susceptibilities
        Entries of V, in the order of the state.
    spectrum
        Eigenvalues of dF/du in V, and in q, on which it acts alike: ascending.
    escape
        Bound on the probability of teacher's fields for which z = 0 is not the global minimiser.
    """

    alpha: float
    susceptibilities: np.ndarray
    spectrum: np.ndarray
    escape: float


@dataclass(frozen=True)
class _NullEvaluation:
    """The equations of V at a point, as Newton's method wants them."""

    residual: np.ndarray
    jacobian: np.ndarray
    scales: np.ndarray
    response: Response


@dataclass(frozen=True)
class NullProblem:
    """The equations that are left at Q = 0, for one model.

    Attributes
    ----------
    evolution
        All the equations; its rule plays no part.
    """

    evolution: StateEvolution

    @property
    def space(self) -> StateSpace:
        """The order parameters."""
        return self.evolution.space

    @cached_property
    def sector(self) -> Sector:
        """States with q = m = theta = 0."""
        return null_sector(self.space)

    @cached_property
    def channel(self) -> NullChannel:
        """The averages."""
        return null_channel(self.evolution.model, self.space)

    @cached_property
    def _own(self) -> list[int]:
        """Places of the unknowns among the entries of V."""
        entries = self.space.of_kind("susceptibility")
        return [entries.index(i) for i in self.sector.free]

    @property
    def obstacle(self) -> str:
        """Why Q = 0 is no solution at any alpha, or none in closed form, in words; empty if it may be one."""
        # NOTE: what is even is known without SymPy; of attention models no others have z = 0 stationary.
        even = bool(self.evolution.channel.kernel.symmetries.student)
        if isinstance(self.evolution.model.structure, ModelStructure):
            return "" if even else "the loss is not even in the pre-activations, so that z = 0 need not be stationary"
        return self.channel.obstacle

    def prior_at(self, regularization: float) -> Prior:
        """Return the weights' half of the equations at another ridge penalty."""
        prior, model = self.evolution.prior, self.evolution.model
        if regularization == model.regularization:
            return prior
        return Prior(prior.module, dataclasses.replace(model, regularization=regularization))

    def state(self, susceptibilities: np.ndarray) -> np.ndarray:
        """Return the state (n,) with some entries of V."""
        state = np.zeros(self.space.size)
        state[list(self.space.of_kind("susceptibility"))] = susceptibilities
        return state

    def entries(self, unknowns: np.ndarray) -> np.ndarray:
        """Return all entries of V from the unknowns among them."""
        entries = np.zeros(len(self.space.of_kind("susceptibility")))
        entries[self._own] = unknowns
        return entries

    def unknowns(self, state: NullState) -> np.ndarray:
        """Return the unknowns among the entries of V."""
        return state.susceptibilities[self._own]

    def units(self, susceptibilities: np.ndarray) -> np.ndarray:
        """Return units of all unknowns, (n,): those of a student whose q is the teacher's mean variance."""
        state, variances = self.state(susceptibilities), self.evolution.channel.variances
        for index in self.space.of_kind("self_overlap"):
            x = self.space.quantities[index]
            if x.positive:
                state[index] = np.diagonal(variances[x.group or 0]).mean()
        return self.space.units(state, variances)

    def linearize(self, unknowns: np.ndarray, alpha: float, prior: Prior, rule: np.ndarray) -> _NullEvaluation:
        """Return the equations of V, on a rule's weights.

        Raises
        ------
        OutsideDomain
            If V or B is not positive definite, or z = 0 no minimum for teacher's fields that are met.
        """
        entries = self.entries(unknowns)
        try:
            response = self.channel.response(entries, rule)
        except np.linalg.LinAlgError:
            response = None
        if response is None:
            raise OutsideDomain(f"z = 0 is no minimum at V = {entries}")
        values, slopes = self.channel.susceptibility_average(response, rule)
        at = list(self.space.of_kind("susceptibility"))
        conjugates = np.zeros(self.space.size)
        conjugates[at] = alpha * values
        if not prior.exist(conjugates):
            raise OutsideDomain(f"the weights' precision is not positive at V = {entries}")
        outer = prior.overlap_derivatives(conjugates)[np.ix_(at, at)]
        jacobian = np.eye(len(at)) - alpha * outer @ slopes
        residual = entries - prior.overlaps(conjugates)[at]
        scale = np.full(len(self._own), np.max(np.abs(unknowns)))
        return _NullEvaluation(residual[self._own], jacobian[np.ix_(self._own, self._own)], scale, response)

    def _newton(self, start: np.ndarray, alpha: float, prior: Prior, rule: np.ndarray) -> np.ndarray | None:
        """Return the unknowns of V at a stable solution near a start, or None."""
        result = newton(
            lambda x: self.linearize(x, alpha, prior, rule),
            start,
            tolerance=TOLERANCE,
            max_evaluations=MOST_EVALUATIONS,
        )
        if result.last is None or not result.residual_norm < 1e3 * TOLERANCE:
            return None
        attracting = np.all(np.linalg.eigvals(result.last.jacobian).real > 0.0)
        return result.x if attracting else None

    def _without_samples(self, prior: Prior) -> np.ndarray:
        """Return the unknowns of V at alpha = 0."""
        return prior.overlaps(np.zeros(self.space.size))[list(self.sector.free)]

    def _from_infinite_penalty(self, alpha: float, rule: np.ndarray) -> np.ndarray | None:
        """Follow V from an infinite ridge penalty down to the model's."""
        goal = self.evolution.model.regularization
        here = self._without_samples(self.evolution.prior)
        largest = np.max(np.abs(self.channel.hessians)) * self.channel.size * np.max(np.abs(here))
        ridge = goal * max(1.0, largest * max(1.0, alpha) / SMALL_RESPONSE)
        unknowns = self._newton(here * goal / ridge, alpha, self.prior_at(ridge), rule)
        factor = FIRST_FACTOR
        while unknowns is not None and ridge > goal:
            wanted = max(goal, ridge / factor)
            found = self._newton(unknowns, alpha, self.prior_at(wanted), rule)
            if found is None:
                factor = 1.0 + (factor - 1.0) / 4.0
                # What fails in a small part of the way that is left has met the fold, or samples that leave z = 0.
                if np.log(factor) < max(LEAST_FACTOR, SMALL_PART * np.log(ridge / goal)):
                    return None
                continue
            unknowns, ridge, factor = found, wanted, factor**1.2
        return unknowns

    def susceptibility(
        self,
        alpha: float,
        guess: np.ndarray | None = None,
        rule: np.ndarray | None = None,
        *,
        thorough: bool = True,
    ) -> np.ndarray | None:
        """Solve for the unknowns of V.

        Parameters
        ----------
        alpha
            Sample complexity.
        guess
            What they may be close to.
        rule
            Weights of the teacher's nodes; by default those of the best rule.
        thorough
            Whether to look further than from the guess, if that fails.

        Returns
        -------
        numpy.ndarray or None
            None if V has no solution with z = 0 a minimum for all teacher's fields that are met.
        """
        rule = self.channel.nodes.weights if rule is None else rule
        for start in (guess, self._without_samples(self.evolution.prior)):
            if start is not None:
                found = self._newton(start, alpha, self.evolution.prior, rule)
                if found is not None or not thorough:
                    return found
        return self._from_infinite_penalty(alpha, rule)

    def solve(self, alpha: float, guess: np.ndarray | None = None) -> NullState | None:
        """Return V at an alpha and what follows from it; None if it has no solution. ``escape`` may be anything."""
        if self.obstacle:
            return None
        unknowns = self.susceptibility(alpha, guess)
        return None if unknowns is None else self.state_of(unknowns, alpha)

    def state_of(self, unknowns: np.ndarray, alpha: float) -> NullState:
        """Return what follows from the unknowns of V at a solution."""
        here = self.linearize(unknowns, alpha, self.evolution.prior, self.channel.nodes.weights)
        entries = self.entries(unknowns)
        spectrum = np.sort(np.linalg.eigvals(here.jacobian).real)
        return NullState(alpha, entries, spectrum, self.escape(entries))

    def response(self, susceptibilities: np.ndarray) -> Response:
        """Return how proximal points answer at all nodes, at entries of V of a solution.

        Raises
        ------
        OutsideDomain
            If z = 0 is no minimum for teacher's fields that are met.
        """
        response = self.channel.response(susceptibilities)
        if response is None:
            raise OutsideDomain(f"z = 0 is no minimum at V = {susceptibilities}")
        return response

    def escape(self, susceptibilities: np.ndarray) -> float:
        """Return a bound on the probability that z = 0 is not the global minimiser, at entries of V.

        Teacher's fields are probed along rays: the bound is the probability of all that are as far out as the nearest
        ones for which a lower minimum is found.
        """
        radii, away = self.channel.probes.radii, self.escaping(susceptibilities)
        nearest = float(np.min(radii[away], initial=np.inf))
        return float(chdtrc(self.channel.nodes.nodes.shape[1], nearest**2))

    def escaping(self, susceptibilities: np.ndarray) -> np.ndarray:
        """Return for which of the channel's probes z = 0 is not the global minimiser, (probes,)."""
        probes, evolution = self.channel.probes, self.evolution
        away = self.channel.stiffness(susceptibilities, probes.hessians) <= 0.0
        left = np.flatnonzero(~away)
        targets = np.ascontiguousarray(probes.targets[left])
        found = np.empty((len(left), self.channel.size + 2))
        evolution.channel.kernel.lines.global_minima(
            range(len(left)),
            np.zeros((len(left), self.channel.size)),
            targets,
            self._starts,
            self.state(susceptibilities),
            parameter_vector(evolution.model),
            found,
        )
        points, lowest, losses = found[:, : self.channel.size], found[:, self.channel.size], probes.losses[left]
        precision = np.linalg.inv(self.channel.block(susceptibilities))
        penalties = 0.5 * np.einsum("na,ab,nb->n", points, precision, points)
        apart = np.linalg.norm(points, axis=1) > NEARBY
        away[left] = apart & (lowest < losses - LOWER * (np.abs(losses) + penalties))
        return away

    @cached_property
    def _starts(self) -> np.ndarray:
        usual = starts_of(self.evolution.model)
        if self.evolution.channel.kernel.symmetries.student:
            # The objective is even: of opposite starts one is enough.
            usual = usual[np.array([row[np.flatnonzero(row)[0]] > 0.0 for row in usual])]
        everywhere = np.random.default_rng(0).normal(size=(8, self.channel.size))
        return np.concatenate([*(scale * usual for scale in START_SCALES), everywhere])


def null_evaluation(evolution: StateEvolution, alpha: float, guess: np.ndarray | None = None) -> StateEvaluation | None:
    """Evaluate everything at Q = 0, as :meth:`saddle.StateEvolution.evaluate` does elsewhere.

    Unlike there, units of q, m and theta are those of a student as large as the teacher, since q has none of its own.

    Parameters
    ----------
    evolution
        The equations; the rule plays no part, averages over the teacher's fields are done apart.
    alpha
        Sample complexity, > 0.

    guess
        What the unknowns of V may be close to, as on the branch beside it.

    Returns
    -------
    StateEvaluation or None
        None where Q = 0 is no solution; :func:`null_obstacle` says why.

    Raises
    ------
    InvalidArgument
        If alpha is not positive.
    """
    problem = NullProblem(evolution)
    here = problem.solve(_positive(alpha), guess)
    return None if here is None or here.escape > NEVER else evaluation_at(problem, here)


def null_obstacle(evolution: StateEvolution, alpha: float) -> str | None:
    """Return in words why Q = 0 is no solution at an alpha > 0; None if it is one."""
    problem = NullProblem(evolution)
    if problem.obstacle:
        return problem.obstacle
    here = problem.solve(_positive(alpha))
    if here is None:
        return (
            f"at alpha = {alpha:.6g} the training loss has directions of negative curvature at Q = 0, or samples "
            "that leave z = 0"
        )
    if here.escape > NEVER:
        return f"at alpha = {alpha:.6g} z = 0 is not the global minimiser of every sample's objective"
    return None


def _positive(alpha: float) -> float:
    if not (np.isfinite(alpha) and alpha > 0.0):
        raise InvalidArgument(f"alpha must be positive and finite, got {alpha!r}")
    return float(alpha)


def evaluation_at(problem: NullProblem, here: NullState) -> StateEvaluation:
    """Return the evaluation at V of a solution."""
    evolution, space, alpha = problem.evolution, problem.space, here.alpha
    averages: ChannelAverages = problem.channel.averages(problem.response(here.susceptibilities), here.susceptibilities)
    state, prior = problem.state(here.susceptibilities), evolution.prior
    conjugates = alpha * averages.conjugates
    slopes = prior.overlap_derivatives(conjugates)
    units = problem.units(here.susceptibilities)
    jacobian = np.eye(space.size) - alpha * slopes @ averages.derivatives
    return StateEvaluation(
        state=state,
        alpha=alpha,
        conjugates=conjugates,
        full_residual=state - prior.overlaps(conjugates),
        full_jacobian=space.across_orbits(state, jacobian, units),
        alpha_derivative=-slopes @ averages.conjugates,
        overlap_derivatives=slopes,
        full_units=units,
        free_entropy=prior.free_entropy(state, conjugates, averages.envelope, alpha),
        train_loss=prior.training_loss(conjugates, averages.loss, alpha),
        test_error=averages.test_error,
        averages=averages,
        space=space,
    )


def null_replicon(evolution: StateEvolution, alpha: float, guess: np.ndarray | None = None) -> Replicon | None:
    """Return the replicon eigenvalue at Q = 0, where no proximal point jumps; None where Q = 0 is no solution.

    It is the least eigenvalue of dF/du in q, which V shares (theory notes, section 9): one minus the largest eigenvalue
    of the map that takes a covariance of the fields w to that of the response to it.
    """
    problem = NullProblem(evolution)
    here = problem.solve(_positive(alpha), guess)
    if here is None or here.escape > NEVER:
        return None
    nodes, values = problem.channel.nodes, []
    for rule in nodes.embedded:
        unknowns = problem.susceptibility(alpha, problem.unknowns(here), rule)
        if unknowns is not None:
            there = problem.linearize(unknowns, alpha, evolution.prior, rule)
            values.append(float(np.min(np.linalg.eigvals(there.jacobian).real)))
    error = nodes.error(np.array(values) - here.spectrum[0]) if len(values) == len(nodes.embedded) else np.inf
    return Replicon(float(here.spectrum[0]), float(error), 0.0, 0.0, 0, 0)
