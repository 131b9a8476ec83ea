"""What one step adds to the replica-symmetric average, along lines of local fields that are broken at jumps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from replica.common.by_value import ByValue
from replica.quantities.solvable_model import outer_directions
from saddle.averages.in_threads import spread, workers_of
from saddle.averages.lines.jump_line_rule import JumpLineRule
from saddle.averages.lines.step_excess import StepExcess, StepFields, step_excess
from saddle.averages.moreau_envelope import EnvelopeTable
from saddle.averages.rules.body_centred import BodyCentredRule
from saddle.averages.rules.outer import OuterNodes
from saddle.averages.rules.sobol import SobolRule
from saddle.state_evolution.steps.field_law import FieldDerivatives, FieldLaw
from saddle.state_evolution.steps.step_state import StepState

__all__ = ["LineExcess", "line_excess"]

# Lines of local fields that are worked on at a time: what they need fits the processor's caches.
BLOCK = 400
# Of the share of the first order that is left to the replica-symmetric average: where it happens to fit a lattice,
# embedded rules agree better than they are right.
SHARE_ERROR = 0.1


@dataclass(frozen=True, eq=False, repr=False)
class LineExcess(ByValue):
    """What one step adds beyond a share of its first order in the gap, line by line.

    Attributes
    ----------
    law, state
        At which it was computed.
    outer
        Lines, weights, and embedded weights.
    teacher_fields
        At the lines, (N, L, t).
    excess
        What each adds.
    """

    law: FieldLaw
    state: StepState
    outer: OuterNodes
    teacher_fields: np.ndarray
    excess: StepExcess

    def _with(self, weights: np.ndarray) -> np.ndarray:
        x = self.excess
        found = FieldDerivatives(
            float(weights @ x.value),
            weights @ x.by_variance,
            weights[:, None] * x.by_centre,
            weights @ x.by_susceptibility,
        )
        by_gap = self.law.of_groups(weights @ x.by_step_variance)[None]
        all_of_it = self.law.with_levels(
            self.law.chained(self.state, found, self.teacher_fields), by_gap, np.array([weights @ x.by_parisi])
        )
        return all_of_it - self._share_of_first_order(weights)

    def _share_of_first_order(self, weights: np.ndarray) -> np.ndarray:
        """Return the share of the first order that the replica-symmetric average has, (1 + n + k,)."""
        return self.law.share_of_first_order(0.5 * self.law.of_groups(weights @ self.excess.squares), self.state)

    @cached_property
    def total(self) -> np.ndarray:
        """The average with its derivatives, (1 + n + k,)."""
        return self._with(self.outer.weights)

    @property
    def differences(self) -> np.ndarray:
        """What embedded rules give for it minus what the rule gives, (m, 1 + n + k)."""
        return np.array([self._with(weights) for weights in self.outer.embedded]) - self.total

    @property
    def share_differences(self) -> np.ndarray:
        """The differences that a share of the first order would have alone, as far as the share is uncertain.

        Of the average itself: the share was measured there, and derivatives are not those that fit.
        """
        rows = np.array([self._share_of_first_order(weights - self.outer.weights) for weights in self.outer.embedded])
        rows[:, 1:] = 0.0
        return SHARE_ERROR * rows


def line_excess(law: FieldLaw, table: EnvelopeTable, rule: JumpLineRule, state: StepState) -> LineExcess:
    """Average what one step adds along lines of the replica-symmetric rule, coarsened."""
    channel, groups = law.evolution.channel, law.groups
    length, t = len(groups), law.teacher_factors.shape[-1]
    known, others = outer_directions(channel.model)
    # A body-centred lattice has no rough rule: thinned out it has four times the lines of scattered points.
    own = SobolRule() if isinstance(channel.rule, BodyCentredRule) else channel.rule
    lines = own.refined(1.0 / rule.roughness)
    generators = channel.symmetries(law.symmetric_vector(state))
    outer = lines.outer(known, others, generators, alike=channel.attentive)
    standard = outer.nodes[:, : length * t].reshape(-1, length, t)
    teacher_fields = np.einsum("nlt,lst->nls", standard, law.teacher_factors)
    targets = table.targets(teacher_fields, outer.nodes[:, length * t : known])
    centres, common = law.centres(state, teacher_fields), outer.nodes[:, known:]
    variance = law.outer_variance(state)[groups]
    block = max(1, BLOCK // rule.modes ** (length - 1))
    parts: dict[int, StepExcess] = {}

    def task(first: int) -> None:
        own = slice(first, first + block)

        def search(places: np.ndarray, fields: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            wanted = np.ascontiguousarray(targets[own][places])
            found = table.at(fields[:, :, None], wanted, state.susceptibility[:, None, None])
            return -found.value, found.proximal_point[:, :, 0], found.slope[:, :, 0]

        fields = StepFields(centres[own], common[own], variance, state.gaps[0, groups], rule)
        parts[first] = step_excess(search, fields, float(state.parisi[0]))

    firsts = range(0, len(common), block)
    spread(task, firsts, workers_of(table.threads))
    excess = StepExcess.joined([parts[first] for first in firsts])
    return LineExcess(law, state, outer, teacher_fields, excess)
