r"""The equations of k steps of replica-symmetry breaking at zero temperature, for students of rank one.

.. math::
    \Phi_k = \mathrm{extr}\{\Phi_\mathrm{trace} + \Psi_w + \alpha C\}, \qquad
    C = E_{h^\star} E_{w_0} F_1(w_0),

with trace and prior term as :func:`replica.hierarchy.explicit_terms.explicit_terms` derives them, and the nested
averages C of minus the Moreau envelope. Order parameters x are :math:`q_0 \dots q_k, m, V, \theta`; at given x and y
the conjugates follow from stationarity in x, where the trace term is linear in them, and what remains is the residual
of stationarity in the conjugates and in y. Theory notes, section 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from replica.common.by_value import ByValue
from replica.common.errors import InvalidArgument
from replica.hierarchy.explicit_terms import ExplicitTerms, explicit_terms
from saddle.averages.moreau_envelope import EnvelopeTable
from saddle.averages.nested_averages import NestedAverage, nested_average
from saddle.continuation.newton import OutsideDomain
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.state_evolution.steps.grid_rule import DEFAULT_GRID_RULE, GridRule
from saddle.state_evolution.steps.step_state import StepSpace, StepState, step_space

__all__ = ["FieldGrid", "StepEquations", "StepEvaluation", "fields_of"]

# Points of all grids above which an evaluation is refused: a point takes some 250 bytes.
MOST_POINTS = 15_000_000


def fields_of(axes: np.ndarray) -> np.ndarray:
    """Return the fields at all points of grids with axes (N, L, n), (N, n, ..., n, L)."""
    nodes, length, count = axes.shape
    fields = np.empty((nodes, *(count,) * length, length))
    for token in range(length):
        shape = (nodes, *(count if token == other else 1 for other in range(length)))
        fields[..., token] = axes[:, token].reshape(shape)
    return fields


@dataclass(frozen=True, eq=False, repr=False)
class FieldGrid(ByValue):
    """Grids of local fields at teacher nodes, and the envelope there.

    Attributes
    ----------
    teacher_fields, weights
        Nodes (N, L, t) and weights (N,).
    axes
        Coordinates of the grids, (N, L, n).
    susceptibility
        V of every group, (groups,), at which the envelope was tabulated.
    values
        Minus the envelope, (N, n, ..., n).
    squared_slopes
        Squares of its slopes token by token, (L, N, n, ..., n).
    proximal_points
        Where the envelope is attained, (N, n, ..., n, L).
    """

    teacher_fields: np.ndarray
    weights: np.ndarray
    axes: np.ndarray
    susceptibility: np.ndarray
    values: np.ndarray
    squared_slopes: np.ndarray
    proximal_points: np.ndarray

    @property
    def points(self) -> int:
        """Number of points of all grids."""
        return self.values.size


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
    channel
        The nested average C and its derivatives.
    grid
        The grids it was computed on.
    space
        The order of the order parameters.
    """

    state: StepState
    alpha: float
    conjugates: np.ndarray
    residual: np.ndarray
    by_parisi: np.ndarray
    free_entropy: float
    channel: NestedAverage
    grid: FieldGrid
    space: StepSpace

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
        The model's replica-symmetric equations: kernel, parameters, symmetries.
    steps
        Number k of steps, at least 1.
    rule
        Teacher nodes and grids.

    Raises
    ------
    ValueError
        If the student has several columns.
    """

    evolution: StateEvolution
    steps: int
    rule: GridRule = DEFAULT_GRID_RULE

    def __post_init__(self) -> None:
        """Refuse students of several columns."""
        rank = self.evolution.space.layout.rank
        if rank != 1:
            raise InvalidArgument(
                f"steps of replica-symmetry breaking are solved for students of rank 1, got rank {rank}"
            )

    @cached_property
    def terms(self) -> ExplicitTerms:
        """Trace and prior term."""
        return explicit_terms(self.evolution.model, self.steps)

    @cached_property
    def table(self) -> EnvelopeTable:
        """What computes the envelope."""
        channel = self.evolution.channel
        return EnvelopeTable(channel.kernel, channel.model, channel.threads)

    @cached_property
    def _teacher(self) -> tuple[np.ndarray, np.ndarray]:
        """Return Cholesky factors (L, t, t) and inverse variances of every group (groups, t, t)."""
        groups = list(self.evolution.space.layout.groups)
        return np.linalg.cholesky(self.evolution.channel.variances)[groups], np.linalg.inv(
            self.evolution.channel.variances
        )

    def _centres(self, state: StepState, teacher_fields: np.ndarray) -> np.ndarray:
        """Return means of the outermost local fields given the teacher's, (N, L)."""
        groups = list(self.evolution.space.layout.groups)
        slopes = np.einsum("gt,gts->gs", state.semantic_overlap, self._teacher[1])[groups]
        encoding = self.evolution.model.encoding_matrix
        means = encoding @ state.positional_overlap if encoding.size else np.zeros(len(groups))
        return means + np.einsum("nls,ls->nl", teacher_fields, slopes)

    def outer_variance(self, state: StepState) -> np.ndarray:
        """Return the variances of the outermost local fields given the teacher's, (groups,)."""
        explained = np.einsum("gt,gts,gs->g", state.semantic_overlap, self._teacher[1], state.semantic_overlap)
        return state.outer_overlap - explained

    def check_domain(self, state: StepState) -> None:
        """Raise OutsideDomain unless every variance, V and y is positive and finite, and y increase."""
        numbers = np.concatenate([self.outer_variance(state), state.gaps.ravel(), state.susceptibility])
        parisi = np.diff(np.concatenate([[0.0], state.parisi]))
        if not (np.isfinite(numbers).all() and np.all(numbers > 0.0) and np.all(parisi > 0.0)):
            raise OutsideDomain(f"order parameters of {self.steps} steps outside their domain: {state}")

    def grid(self, state: StepState) -> FieldGrid:
        """Tabulate the envelope on grids that fit a state.

        Raises
        ------
        OutsideDomain
            If the state is outside the domain.
        ValueError
            If the grids would have too many points.
        """
        self.check_domain(state)
        channel, layout = self.evolution.channel, self.evolution.space.layout
        # What leaves the averages over all local fields as they are acts on the teacher's coordinates alone.
        symmetries = channel.symmetries(self._symmetric_like(state))
        teacher_fields, weights = self.rule.teacher_nodes(self._teacher[0], symmetries)
        variances = np.concatenate([self.outer_variance(state)[None], state.gaps])
        spacing = self.rule.spacing * float(np.sqrt(np.min(variances)))
        half = self.rule.reach * float(np.max(np.sum(np.sqrt(variances), axis=0)))
        count = 2 * int(np.ceil(half / spacing)) + 1
        total = len(weights) * count**layout.sequence_length
        if total > MOST_POINTS:
            raise InvalidArgument(
                f"{total} points of local fields are needed, more than {MOST_POINTS}: {layout.sequence_length} tokens "
                f"with gaps of {np.min(state.gaps):.3g} beside q = {np.max(state.outer_overlap):.3g} ask for "
                f"{count} points along each token's field; use a coarser rule than {self.rule!r}"
            )
        offsets = (np.arange(count) - (count - 1) / 2) * spacing
        axes = self._centres(state, teacher_fields)[:, :, None] + offsets
        return self.tabulated(teacher_fields, weights, axes, state.susceptibility)

    def tabulated(
        self, teacher_fields: np.ndarray, weights: np.ndarray, axes: np.ndarray, susceptibility: np.ndarray
    ) -> FieldGrid:
        """Tabulate the envelope on given grids."""
        nodes, length, count = axes.shape
        targets = np.repeat(self.table.targets(teacher_fields), count**length, axis=0)
        found = self.table.at(fields_of(axes).reshape(-1, length, 1), targets, susceptibility[:, None, None])
        shape = (nodes, *(count,) * length)
        squared = (found.slope[:, :, 0] ** 2).T.reshape(length, *shape)
        points = found.proximal_point.reshape(*shape, length)
        values = -found.value.reshape(shape)
        return FieldGrid(teacher_fields, weights, axes, susceptibility.copy(), values, squared, points)

    def moved(self, grid: FieldGrid, susceptibility: np.ndarray) -> FieldGrid:
        """Return the same grids with the envelope of another V; the grids themselves if it is the same."""
        if np.array_equal(grid.susceptibility, susceptibility):
            return grid
        return self.tabulated(grid.teacher_fields, grid.weights, grid.axes, susceptibility)

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
        grid = self.grid(state) if grid is None else self.moved(grid, state.susceptibility)
        layout = self.evolution.space.layout
        channel = nested_average(*self.nested(state, grid))
        slopes = self._channel_slopes(state, channel, grid)
        space = step_space(layout, self.steps)
        n = space.size
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
        free_entropy = trace_value + prior_value + alpha * channel.value
        return StepEvaluation(state, alpha, conjugates, residual, by_parisi, free_entropy, channel, grid, space)

    def nested(self, state: StepState, grid: FieldGrid) -> tuple[np.ndarray, ...]:
        """Return the arguments of :func:`saddle.averages.nested_averages.nested_average` at a state."""
        groups = np.array(self.evolution.space.layout.groups)
        centres = self._centres(state, grid.teacher_fields)
        variances = self.outer_variance(state)[groups], state.gaps[:, groups]
        return grid.values, grid.axes, centres, grid.weights, *variances, state.parisi

    def _channel_slopes(self, state: StepState, channel: NestedAverage, grid: FieldGrid) -> np.ndarray:
        """Return the derivatives of C in the order parameters and y, (n + k,)."""
        layout = self.evolution.space.layout
        groups, encoding = list(layout.groups), self.evolution.model.encoding_matrix
        count = layout.group_count
        of_group = np.zeros((count, len(groups)))
        of_group[groups, np.arange(len(groups))] = 1.0
        by_variance = of_group @ channel.by_variance
        by_gap = channel.by_step_variance @ of_group.T
        # C knows q_0 and gaps; a q_j ends one gap and begins the next.
        levels = np.concatenate([by_variance[None], by_gap])
        levels[:-1] -= by_gap
        inverse = self._teacher[1]
        by_mean = np.einsum("nl,nls->ls", channel.by_centre, grid.teacher_fields)
        by_semantic = np.einsum("gl,ls,gst->gt", of_group, by_mean, inverse)
        by_semantic -= 2.0 * by_variance[:, None] * np.einsum("gs,gst->gt", state.semantic_overlap, inverse)
        by_positional = encoding.T @ channel.by_centre.sum(axis=0) if encoding.size else np.zeros(0)
        axes = tuple(range(1, grid.squared_slopes.ndim))
        by_susceptibility = 0.5 * of_group @ np.sum(channel.tilted[None] * grid.squared_slopes, axis=axes)
        # What is odd under a symmetry of the state averages to zero, which nodes folded by the symmetry do not show.
        by_positional = np.where(state.positional_overlap == 0.0, 0.0, by_positional)
        by_semantic = np.where(state.semantic_overlap == 0.0, 0.0, by_semantic)
        found = StepState(levels[0], levels[1:], by_positional, by_susceptibility, by_semantic, channel.by_parisi)
        return np.concatenate([step_space(layout, self.steps).raw(found), channel.by_parisi])

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

    def _symmetric_like(self, state: StepState) -> np.ndarray:
        """Return a replica-symmetric state of the same symmetries."""
        space = self.evolution.space
        values = np.ones(space.size)
        for kind, given in (
            ("positional_overlap", state.positional_overlap),
            ("semantic_overlap", state.semantic_overlap),
        ):
            for index, value in zip(space.of_kind(kind), np.ravel(given), strict=True):
                values[index] = value
        return values
