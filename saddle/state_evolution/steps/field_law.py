"""How local fields depend on order parameters of k steps, and what averages over them depend on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from replica.quantities.solvable_model import require_one_class
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.state_evolution.steps.step_state import StepState, step_space

__all__ = ["FieldDerivatives", "FieldLaw"]


# Errors of what a step adds, over those of its first order, on embedded rules of the paper's lattice: 0.37, 0.47, 0.62
# and 0.73 at gaps of 28, 12, 3.4 and 1.1 % of the variance (omega = 0.2), 0.54 at 5.7 % (semantic); where a jump is
# born the step smooths over sqrt(Delta) what the first order has as a singularity. The law gives 0.36, 0.47, 0.62,
# 0.74 and 0.56. Of derivatives in y they are 0.45 and 0.54 at the second and the last, in overlaps 0.34 and 0.41: the
# law's, too.
SATURATION = 3.3
# Gap, as a part of the variance, well below which all of the first order is left there: lines know it less well than a
# lattice, and what they leave out, a part sqrt(Delta) of it, would stand against the gap itself. Above it changes
# nothing that was measured.
ALL_BELOW = 1e-3


@dataclass(frozen=True)
class FieldDerivatives:
    """An average over local fields at N teacher nodes, and its derivatives in the law of the fields.

    Attributes
    ----------
    value
        The average.
    by_variance, by_susceptibility
        In the variance of every token's outermost field, and in its V, (L,).
    by_centre
        In the means of the outermost fields, (N, L).
    """

    value: float
    by_variance: np.ndarray
    by_centre: np.ndarray
    by_susceptibility: np.ndarray


@dataclass(frozen=True)
class FieldLaw:
    """Local fields of one model with k steps.

    Attributes
    ----------
    evolution
        The model's replica-symmetric equations.
    steps
        Number k of steps.
    """

    evolution: StateEvolution
    steps: int

    def __post_init__(self) -> None:
        """Refuse samples of several classes, whose fields have no law of this form."""
        require_one_class(self.evolution.model, "replica-symmetry breaking")

    @cached_property
    def groups(self) -> np.ndarray:
        """The group of every token, (L,)."""
        return np.array(self.evolution.space.layout.groups)

    @cached_property
    def teacher_factors(self) -> np.ndarray:
        """Cholesky factors of the variances of every token's teacher fields, (L, t, t)."""
        return np.linalg.cholesky(self.evolution.channel.variances)[self.groups]

    @cached_property
    def _inverse(self) -> np.ndarray:
        return np.linalg.inv(self.evolution.channel.variances)

    def centres(self, state: StepState, teacher_fields: np.ndarray) -> np.ndarray:
        """Return means of the outermost local fields given the teacher's (N, L, t), (N, L)."""
        slopes = np.einsum("gt,gts->gs", state.semantic_overlap, self._inverse)[self.groups]
        encoding = self.evolution.model.encoding_matrix
        means = encoding @ state.positional_overlap if encoding.size else np.zeros(len(self.groups))
        return means + np.einsum("nls,ls->nl", teacher_fields, slopes)

    def outer_variance(self, state: StepState) -> np.ndarray:
        """Return the variances of the outermost local fields given the teacher's, (groups,)."""
        explained = np.einsum("gt,gts,gs->g", state.semantic_overlap, self._inverse, state.semantic_overlap)
        return state.outer_overlap - explained

    def symmetric_vector(self, state: StepState) -> np.ndarray:
        """Return the replica-symmetric state of the innermost level, which all fields together are distributed by."""
        none = StepState(
            state.levels[-1],
            np.zeros((0, len(state.outer_overlap))),
            state.positional_overlap,
            state.susceptibility,
            state.semantic_overlap,
            np.zeros(0),
        )
        return step_space(self.evolution.space.layout, 0).vector(none)

    def chained(self, state: StepState, found: FieldDerivatives, teacher_fields: np.ndarray) -> np.ndarray:
        """Return an average, and its derivatives in q_0, m, V and theta at fixed gaps, (1 + n_0,)."""
        layout, encoding = self.evolution.space.layout, self.evolution.model.encoding_matrix
        by_variance = self.of_groups(found.by_variance)
        by_mean = np.einsum("nl,nls->ls", found.by_centre, teacher_fields)
        of_group = self.of_groups(np.eye(len(self.groups)))
        by_semantic = np.einsum("gl,ls,gst->gt", of_group, by_mean, self._inverse)
        by_semantic -= 2.0 * by_variance[:, None] * np.einsum("gs,gst->gt", state.semantic_overlap, self._inverse)
        by_positional = encoding.T @ found.by_centre.sum(axis=0) if encoding.size else np.zeros(0)
        # What is odd under a symmetry of the state averages to zero, which nodes folded by the symmetry do not show.
        by_positional = np.where(state.positional_overlap == 0.0, 0.0, by_positional)
        by_semantic = np.where(state.semantic_overlap == 0.0, 0.0, by_semantic)
        by_susceptibility = self.of_groups(found.by_susceptibility)
        none = np.zeros((0, layout.group_count))
        slopes = StepState(by_variance, none, by_positional, by_susceptibility, by_semantic, np.zeros(0))
        return np.concatenate([[found.value], step_space(layout, 0).raw(slopes)])

    def of_groups(self, tokens: np.ndarray) -> np.ndarray:
        """Return sums over every group of what tokens (L, ...) have, (groups, ...)."""
        of_group = np.zeros((self.evolution.space.layout.group_count, len(self.groups)))
        of_group[self.groups, np.arange(len(self.groups))] = 1.0
        return of_group @ tokens

    def first_order(self, by_susceptibility: np.ndarray, state: StepState) -> np.ndarray:
        r"""Return what steps add to an average to first order in gaps, with its derivatives, (1 + n + k,).

        .. math:: \sum_j \tfrac12 y_j \Delta_j E g^2

        with :math:`\tfrac12 E g^2` the derivative of the replica-symmetric average in V, (groups,), taken as a number:
        that it depends on order parameters itself is left out.
        """
        levels = -np.diff(state.parisi, prepend=0.0, append=0.0)[:, None] * by_susceptibility
        by_parisi = state.gaps @ by_susceptibility
        rest = np.zeros(step_space(self.evolution.space.layout, 0).size - len(by_susceptibility))
        return np.concatenate([[state.parisi @ by_parisi], levels.ravel(), rest, by_parisi])

    def at_steps(self, symmetric: np.ndarray, state: StepState, shared: bool = False) -> np.ndarray:
        """Return a replica-symmetric average at q_k (1 + n_0,) as one of k steps.

        To first order in their gaps, or with a share of that order.
        """
        groups = len(state.outer_overlap)
        slopes = step_space(self.evolution.space.layout, 0).state(symmetric[1:], np.zeros(0))
        outer = np.zeros(self.steps * groups)
        plain = np.concatenate([symmetric[:1], outer, symmetric[1:], np.zeros(self.steps)])
        added = self.share_of_first_order if shared else self.first_order
        return plain + added(slopes.susceptibility, state)

    def share_of_first_order(self, by_susceptibility: np.ndarray, state: StepState) -> np.ndarray:
        """Return the share of the first order that is best left to the replica-symmetric average, (1 + n + k,)."""
        found = self.first_order(by_susceptibility, state)
        share, slopes = self.first_order_share(state)
        return np.concatenate([[share * found[0]], share * found[1:] + found[0] * slopes])

    def first_order_share(self, state: StepState) -> tuple[float, np.ndarray]:
        r"""Return how much of the first order in the gap is best left to the replica-symmetric average, for one step.

        .. math:: \Big(1 + \kappa\sqrt x\,\frac{x}{x + x_0}\Big)^{-1}, \qquad x = \Delta/v

        with v the variance of the outer fields and a small :math:`x_0` (:data:`ALL_BELOW`); and its derivatives in
        order parameters and y, (n + 1,). What a step adds varies from line to line of the fields as :math:`E g^2`
        does, by so much less (:data:`SATURATION`): lines then show little of their own error.
        """
        space = step_space(self.evolution.space.layout, self.steps)

        def share(vector: np.ndarray) -> complex:
            there = space.state(vector[:-1], vector[-1:])
            part = there.gaps[0] / self.outer_variance(there)
            return 1.0 / (1.0 + SATURATION * np.mean(np.sqrt(part) * part / (part + ALL_BELOW)))

        here = np.append(space.vector(state), state.parisi).astype(complex)
        # By complex steps: exact.
        steps = 1e-30j * np.eye(len(here))
        return float(share(here).real), np.array([share(here + step).imag / 1e-30 for step in steps])

    def with_levels(self, symmetric: np.ndarray, by_gap: np.ndarray, by_parisi: np.ndarray) -> np.ndarray:
        """Return an average with its derivatives in order parameters and y, (1 + n + k,).

        Parameters
        ----------
        symmetric
            It, and its derivatives at fixed gaps, (1 + n_0,).
        by_gap
            Its derivatives in the gaps at fixed q_0, (k, groups).
        by_parisi
            Its derivatives in y, (k,).
        """
        groups = by_gap.shape[1]
        # It knows q_0 and gaps; a q_j ends one gap and begins the next.
        levels = np.concatenate([symmetric[None, 1 : 1 + groups], by_gap])
        levels[:-1] -= by_gap
        return np.concatenate([symmetric[:1], levels.ravel(), symmetric[1 + groups :], by_parisi])
