r"""The equations of k steps of replica-symmetry breaking at zero temperature, for students of rank one.

.. math::
    \Phi_k = \mathrm{extr}\{\Phi_\mathrm{trace} + \Psi_w + \alpha C\}, \qquad
    C = E_{h^\star} E_{w_0} F_1(w_0) = -E[M] + \sum_j\tfrac12 y_j\Delta_j E g^2 + X,

with trace and prior term as :func:`replica.hierarchy.explicit_terms.explicit_terms` derives them, and the nested
averages C of minus the Moreau envelope: the replica-symmetric one at :math:`q_k` and its first order in the gaps (on
lines a share of it), by the kernel, which knows :math:`E g^2`, too, and what is left, X, on lines or grids. Order
parameters x are :math:`q_0 \dots q_k, m, V, \theta`; at given x and y the conjugates follow from
stationarity in x, where the trace term is linear in them, and what remains is the residual of stationarity in the
conjugates and in y. Theory notes, section 10.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from replica.common.by_value import ByValue
from replica.common.errors import InvalidArgument
from replica.hierarchy.explicit_terms import ExplicitTerms, explicit_terms
from replica.hierarchy.scalar_function import ScalarFunction
from saddle.averages.channel import Channel
from saddle.averages.channel_averages import ChannelAverages
from saddle.averages.lines.jump_line_rule import JumpLineRule
from saddle.averages.moreau_envelope import EnvelopeTable
from saddle.averages.rules.lattice import LineRule
from saddle.averages.rules.outer import OuterRule
from saddle.continuation.newton import OutsideDomain
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.state_evolution.steps.excess_on_grids import FieldGrid, grid_excess, tabulated, tabulated_for
from saddle.state_evolution.steps.excess_on_lines import LineExcess, line_excess
from saddle.state_evolution.steps.field_law import FieldLaw
from saddle.state_evolution.steps.grid_rule import DEFAULT_GRID_RULE, GridRule
from saddle.state_evolution.steps.step_state import StepSpace, StepState, step_space

__all__ = ["StepEquations", "StepEvaluation", "StepRule", "Variation"]

StepRule = GridRule | JumpLineRule

# How much finer than the evolution's the rule of averages without steps is: still a tenth of what lines cost.
FINER = 20.0
# The same for one token, whose lattice has the teacher's axes alone: as fine as any may be costs less than the grids,
# and where jumps are born derivatives converge as slowly as a root of the spacing. With noise there is an axis more.
FINER_ALONE, FINER_WITH_NOISE = 1e6, 1e3


@dataclass(frozen=True)
class Variation:
    """What other rules of one kind give for C and its derivatives, minus what was taken.

    Attributes
    ----------
    differences
        A row for each, (m, 1 + n + k).
    combined
        Makes an error of what each changes, (m, ...) to (...).
    """

    differences: np.ndarray
    combined: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False, repr=False)
class StepEvaluation(ByValue):
    r"""The equations at one state.

    Attributes
    ----------
    state
        Order parameters and y.
    alpha
        Sample complexity.
    conjugates
        Conjugates of the order parameters, from stationarity in these, (n,).
    residual
        Order parameters minus what the conjugates make them, (n,): zero at a solution.
    by_parisi
        Derivatives of the functional in y, (k,): zero at the ground state.
    free_entropy
        The functional; stationary at a solution.
    average
        The nested average C with its derivatives in order parameters and y, (1 + n + k,).
    excess
        What of it steps add beyond the first order in gaps, or on lines a share of it, (1 + n + k,).
    averages
        The replica-symmetric averages at q_k.
    source
        The grids, or the lines, on which what steps add was computed.
    space
        The order of the order parameters.
    """

    state: StepState
    alpha: float
    conjugates: np.ndarray
    residual: np.ndarray
    by_parisi: np.ndarray
    free_entropy: float
    average: np.ndarray
    excess: np.ndarray
    averages: ChannelAverages
    source: FieldGrid | LineExcess
    space: StepSpace

    @property
    def grid(self) -> FieldGrid | None:
        """The grids, if it was computed on such."""
        return self.source if isinstance(self.source, FieldGrid) else None

    @property
    def average_envelope(self) -> float:
        """Minus C."""
        return -float(self.average[0])

    @property
    def residual_state(self) -> StepState:
        """The residual as the state's parts, with zeros for y."""
        return self.space.state(self.residual, np.zeros(len(self.by_parisi)))


@dataclass(frozen=True)
class StepEquations:
    """The equations of k steps of one model on one rule.

    Attributes
    ----------
    evolution
        The model's replica-symmetric equations: kernel, parameters, symmetries, and the rule of its averages.
    steps
        Number k of steps, at least 1.
    asked
        How what steps add is averaged; None for lines broken at jumps if there is one step, and grids if there are
        more.

    Raises
    ------
    ValueError
        If the student has several columns, or lines are asked for several steps or a single token.
    """

    evolution: StateEvolution
    steps: int
    asked: StepRule | None = None

    def __post_init__(self) -> None:
        """Refuse students of several columns, and lines for several steps."""
        layout = self.evolution.space.layout
        if layout.rank != 1:
            raise InvalidArgument(
                f"steps of replica-symmetry breaking are solved for students of rank 1, got rank {layout.rank}"
            )
        if self.on_lines and not self._can_be_on_lines:
            raise InvalidArgument(
                f"a JumpLineRule serves one step and two tokens or more, got {self.steps} step(s) and "
                f"{layout.sequence_length} token(s); use a GridRule"
            )

    @property
    def _can_be_on_lines(self) -> bool:
        return self.steps == 1 and self.evolution.space.layout.sequence_length > 1

    @property
    def rule(self) -> StepRule:
        """How what steps add is averaged."""
        if self.asked is not None:
            return self.asked
        return JumpLineRule() if self._can_be_on_lines else DEFAULT_GRID_RULE

    @property
    def on_lines(self) -> bool:
        """Whether what a step adds is averaged on lines broken at jumps."""
        return isinstance(self.rule, JumpLineRule)

    @cached_property
    def on_few_lines(self) -> StepEquations:
        """The equations on few lines, for what need not be sharp; on grids, these."""
        return replace(self, asked=self.rule.coarsened) if isinstance(self.rule, JumpLineRule) else self

    @cached_property
    def law(self) -> FieldLaw:
        """How local fields depend on order parameters."""
        return FieldLaw(self.evolution, self.steps)

    @cached_property
    def terms(self) -> ExplicitTerms:
        """Trace and prior term."""
        return explicit_terms(self.evolution.model, self.steps)

    @property
    def averages_rule(self) -> OuterRule:
        """The rule of averages without steps: finer than the evolution's, unless solutions are only looked for.

        What steps change is a small part of these averages, and known to more digits than they are on that rule.
        """
        rule, looking = self.evolution.rule, isinstance(self.rule, JumpLineRule) and self.rule == self.rule.coarsened
        if looking or not isinstance(rule, LineRule):
            return rule
        if self.evolution.space.layout.sequence_length > 1:
            return rule.refined(FINER)
        return rule.refined(FINER_WITH_NOISE if self.evolution.model.noise else FINER_ALONE)

    @cached_property
    def _channel(self) -> Channel:
        """What averages without steps."""
        rule = self.averages_rule
        return (self.evolution if rule is self.evolution.rule else self.evolution.with_rule(rule)).channel

    @cached_property
    def table(self) -> EnvelopeTable:
        """What computes the envelope."""
        channel = self.evolution.channel
        return EnvelopeTable(channel.kernel, channel.model, channel.threads)

    def outer_variance(self, state: StepState) -> np.ndarray:
        """Return the variances of the outermost local fields given the teacher's, (groups,)."""
        return self.law.outer_variance(state)

    def check_domain(self, state: StepState) -> None:
        """Raise OutsideDomain unless every variance, V and y is positive and finite, and y increase."""
        numbers = np.concatenate([self.outer_variance(state), state.gaps.ravel(), state.susceptibility])
        parisi = np.diff(np.concatenate([[0.0], state.parisi]))
        if not (np.isfinite(numbers).all() and np.all(numbers > 0.0) and np.all(parisi > 0.0)):
            raise OutsideDomain(f"order parameters of {self.steps} steps outside their domain: {state}")

    def grid(self, state: StepState) -> FieldGrid | None:
        """Tabulate the envelope on grids that fit a state; None on lines, which are made anew for every state.

        Raises
        ------
        OutsideDomain
            If the state is outside the domain.
        ValueError
            If the grids would have too many points.
        """
        self.check_domain(state)
        return tabulated_for(self.law, self.table, self.rule, state) if isinstance(self.rule, GridRule) else None

    def moved(self, grid: FieldGrid, susceptibility: np.ndarray) -> FieldGrid:
        """Return the same grids with the envelope of another V; the grids themselves if it is the same."""
        if np.array_equal(grid.susceptibility, susceptibility):
            return grid
        return tabulated(self.table, (grid.teacher_fields, grid.targets, grid.weights), grid.axes, susceptibility)

    def evaluate(self, state: StepState, alpha: float, grid: FieldGrid | None = None) -> StepEvaluation:
        """Evaluate the equations at a state.

        Parameters
        ----------
        grid
            Grids of a state near by, on which the equations are smooth in the state; by default, the state's own.

        Raises
        ------
        OutsideDomain
            If the state is outside the domain, or the weights' measure does not exist there.
        """
        self.check_domain(state)
        source, excess = self._excess(state, grid)
        averages = self._channel.averages(self.law.symmetric_vector(state))
        symmetric = self._of_symmetric(-averages.envelope, averages.conjugates, state)
        average = symmetric + excess
        conjugates, residual, by_parisi, free_entropy = self._stationarity(state, alpha, average)
        space = step_space(self.evolution.space.layout, self.steps)
        return StepEvaluation(
            state, alpha, conjugates, residual, by_parisi, free_entropy, average, excess, averages, source, space
        )  # fmt: skip

    def changed(self, there: StepEvaluation, difference: np.ndarray) -> StepEvaluation:
        """Return an evaluation with another C and other derivatives of it, by a difference (1 + n + k,)."""
        average = there.average + difference
        conjugates, residual, by_parisi, free_entropy = self._stationarity(there.state, there.alpha, average)
        return replace(
            there,
            conjugates=conjugates,
            residual=residual,
            by_parisi=by_parisi,
            free_entropy=free_entropy,
            average=average,
        )

    def variations(self, there: StepEvaluation) -> tuple[Variation, ...]:
        """Return what finer and embedded rules give for C: of replica symmetry's averages, and of what steps add."""
        state, averages, at = there.state, there.averages, there.averages.columns
        rows = [self._of_symmetric(-row[at.envelope], row[: at.size], state) for row in averages.differences]
        found = [Variation(np.array(rows), averages.outer.error)]
        if isinstance(there.source, LineExcess):
            lines = there.source
            found += [Variation(x, lines.outer.error) for x in (lines.differences, lines.share_differences)]
        if isinstance(self.rule, JumpLineRule):
            # Orders of nodes and lines do not know of each other: few lines are enough.
            finer, plain = (self.rule.coarsened.with_finer_orders(),), self._on(self.rule.coarsened, state)
        else:
            finer, plain = (self.rule.with_finer_nodes(), self.rule.with_finer_grid()), there.excess
        for rule in finer:
            found.append(Variation((self._on(rule, state) - plain)[None], lambda x: np.abs(x[0])))
        return tuple(found)

    def _on(self, rule: StepRule, state: StepState) -> np.ndarray:
        return replace(self, asked=rule)._excess(state, None)[1]

    def _excess(self, state: StepState, grid: FieldGrid | None) -> tuple[FieldGrid | LineExcess, np.ndarray]:
        """Return what steps add to C, with its derivatives, (1 + n + k,), and on what."""
        if isinstance(self.rule, JumpLineRule):
            lines = line_excess(self.law, self.table, self.rule, state)
            return lines, lines.total
        own = tabulated_for(self.law, self.table, self.rule, state) if grid is None else grid
        own = self.moved(own, state.susceptibility)
        return own, grid_excess(self.law, state, own)

    @cached_property
    def _symmetric_trace(self) -> ScalarFunction:
        """The trace term without steps."""
        return explicit_terms(self.evolution.model, 0).trace_function

    def _of_symmetric(self, value: float, conjugates: np.ndarray, state: StepState) -> np.ndarray:
        """Return a replica-symmetric average with its derivatives at k steps, (1 + n + k,).

        Its derivatives are what makes the trace term stationary at the conjugates per alpha.
        """
        size = len(conjugates)
        _, _, hessian = self._symmetric_trace.evaluate(np.concatenate([self.law.symmetric_vector(state), conjugates]))
        slopes = -hessian[:size, size:] @ conjugates
        return self.law.at_steps(np.concatenate([[value], slopes]), state, shared=self.on_lines)

    def _stationarity(
        self, state: StepState, alpha: float, average: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """Return conjugates, residual, derivatives in y and the functional at a given C."""
        space = step_space(self.evolution.space.layout, self.steps)
        n, slopes = space.size, average[1:]
        order, parisi = space.vector(state), state.parisi
        trace, prior = self.terms.trace_function, self.terms.prior_function
        # The trace term is linear in the conjugates: its slopes in the order parameters are a matrix times them.
        _, _, hessian = trace.evaluate(np.concatenate([order, np.zeros(n), parisi]))
        conjugates = np.linalg.solve(hessian[:n, n : 2 * n], -alpha * slopes[:n])
        trace_value, trace_slopes, _ = trace.evaluate(np.concatenate([order, conjugates, parisi]))
        prior_value, prior_slopes = 0.0, np.zeros(n + self.steps)
        arguments = np.concatenate([conjugates, parisi])
        for weight, constants in self._atoms:
            value, gradient, _ = prior.evaluate(arguments, constants)
            prior_value += weight * value
            prior_slopes += weight * gradient
        if not (np.isfinite(prior_value) and np.isfinite(prior_slopes).all()):
            raise OutsideDomain(f"the weights' precision is not positive at {state}")
        stationarity = trace_slopes[n:] + prior_slopes
        # In units of order parameters: the trace term's slopes in the conjugates are the same matrix times these.
        residual = np.linalg.solve(hessian[n : 2 * n, :n], stationarity[:n])
        by_parisi = stationarity[n:] + alpha * slopes[n:]
        return conjugates, residual, by_parisi, float(trace_value + prior_value + alpha * average[0])

    @cached_property
    def _atoms(self) -> list[tuple[float, np.ndarray]]:
        """Return weight and constants of the prior term for every atom of the spectrum."""
        values = self.evolution.model.parameter_values()
        name_of = {x.symbol: x.name for x in self.terms.model.parameters}
        found = []
        for weight, atom in self.evolution.model.atoms:
            known = values | atom
            constants = [known[name_of.get(x, str(x))] for x in self.terms.prior_function.constants]
            found.append((weight, np.array(constants)))
        return found
