"""What any number of steps adds to the replica-symmetric average, on uniform grids of local fields."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from replica.common.by_value import ByValue
from replica.common.errors import InvalidArgument
from saddle.averages.moreau_envelope import EnvelopeTable
from saddle.averages.nested_averages import NestedAverage, nested_average
from saddle.state_evolution.steps.field_law import FieldDerivatives, FieldLaw
from saddle.state_evolution.steps.grid_rule import GridRule
from saddle.state_evolution.steps.step_state import StepState

__all__ = ["FieldGrid", "grid_excess", "nested_arguments", "points_for", "tabulated", "tabulated_for"]

# Points of all grids above which an evaluation is refused: a point takes some 250 bytes.
MOST_POINTS = 15_000_000


@dataclass(frozen=True, eq=False, repr=False)
class FieldGrid(ByValue):
    """Grids of local fields at teacher nodes, and the envelope there.

    Attributes
    ----------
    teacher_fields, targets, weights
        Nodes (N, L, t), what outputs are there and at the noise's, as the kernel wants it (N, k), and weights (N,).
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
    targets: np.ndarray
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


def points_for(law: FieldLaw, rule: GridRule, state: StepState) -> int:
    """Return how many points grids that fit a state have."""
    *_, weights, offsets = _laid(law, rule, state)
    return len(weights) * len(offsets) ** len(law.groups)


def tabulated_for(law: FieldLaw, table: EnvelopeTable, rule: GridRule, state: StepState) -> FieldGrid:
    """Tabulate the envelope on grids that fit a state.

    Raises
    ------
    ValueError
        If the grids would have too many points.
    """
    teacher_fields, noise, weights, offsets = _laid(law, rule, state)
    count, length = len(offsets), len(law.groups)
    total = len(weights) * count**length
    if total > MOST_POINTS:
        raise InvalidArgument(
            f"{total} points of local fields are needed, more than {MOST_POINTS}: {length} tokens "
            f"with gaps of {np.min(state.gaps):.3g} beside q = {np.max(state.outer_overlap):.3g} ask for "
            f"{count} points along each token's field; use a coarser rule than {rule!r}, or JumpLineRule() for one step"
        )
    axes = law.centres(state, teacher_fields)[:, :, None] + offsets
    nodes = teacher_fields, table.targets(teacher_fields, noise), weights
    return tabulated(table, nodes, axes, state.susceptibility)


def _laid(law: FieldLaw, rule: GridRule, state: StepState) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return nodes of teacher fields (N, L, t) and noise (N, p), weights (N,), and offsets of grids from centres."""
    # What leaves the averages over all local fields as they are acts on the teacher's coordinates alone.
    symmetries = law.evolution.channel.symmetries(law.symmetric_vector(state))
    nodes = rule.with_noise(*rule.teacher_nodes(law.teacher_factors, symmetries), law.evolution.model.noise)
    variances = np.concatenate([law.outer_variance(state)[None], state.gaps])
    spacing = rule.spacing * float(np.sqrt(np.min(variances)))
    half = rule.reach * float(np.max(np.sum(np.sqrt(variances), axis=0)))
    count = 2 * int(np.ceil(half / spacing)) + 1
    return *nodes, (np.arange(count) - (count - 1) / 2) * spacing


def tabulated(
    table: EnvelopeTable,
    given: tuple[np.ndarray, np.ndarray, np.ndarray],
    axes: np.ndarray,
    susceptibility: np.ndarray,
) -> FieldGrid:
    """Tabulate the envelope on given grids, at teacher fields and targets of nodes with their weights."""
    teacher_fields, targets, weights = given
    nodes, length, count = axes.shape
    fields = np.empty((nodes, *(count,) * length, length, 1))
    for token in range(length):
        shape = (nodes, *(count if token == other else 1 for other in range(length)))
        fields[..., token, 0] = axes[:, token].reshape(shape)
    found = table.at(
        fields.reshape(-1, length, 1), np.repeat(targets, count**length, axis=0), susceptibility[:, None, None]
    )
    shape = (nodes, *(count,) * length)
    squared = (found.slope[:, :, 0] ** 2).T.reshape(length, *shape)
    points = found.proximal_point.reshape(*shape, length)
    values = -found.value.reshape(shape)
    return FieldGrid(teacher_fields, targets, weights, axes, susceptibility.copy(), values, squared, points)


def nested_arguments(law: FieldLaw, state: StepState, grid: FieldGrid) -> tuple[np.ndarray, ...]:
    """Return the arguments of :func:`saddle.averages.nested_averages.nested_average` at a state."""
    centres, groups = law.centres(state, grid.teacher_fields), law.groups
    variances = law.outer_variance(state)[groups], state.gaps[:, groups]
    return grid.values, grid.axes, centres, grid.weights, *variances, state.parisi


def grid_excess(law: FieldLaw, state: StepState, grid: FieldGrid) -> np.ndarray:
    """Return what steps add to the replica-symmetric average, with its derivatives, (1 + n + k,).

    Both averages are taken on the same grid, so that most of what is wrong with either is wrong with both.
    """
    values, axes, centres, weights, outer, gaps, parisi = nested_arguments(law, state, grid)
    nested = nested_average(values, axes, centres, weights, outer, gaps, parisi)
    none = np.zeros((0, len(law.groups)))
    plain = nested_average(values, axes, centres, weights, outer + gaps.sum(axis=0), none, np.zeros(0))

    def symmetric(found: NestedAverage) -> np.ndarray:
        axes = tuple(range(1, grid.squared_slopes.ndim))
        by_susceptibility = 0.5 * np.sum(found.tilted[None] * grid.squared_slopes, axis=axes)
        derivatives = FieldDerivatives(found.value, found.by_variance, found.by_centre, by_susceptibility)
        return law.chained(state, derivatives, grid.teacher_fields)

    by_gap = law.of_groups(nested.by_step_variance.T).T
    all_of_it = law.with_levels(symmetric(nested), by_gap, nested.by_parisi)
    return all_of_it - law.at_steps(symmetric(plain), state)
