r"""The unknowns that are solved for: logarithms of variances and perhaps y, and overlaps that a family leaves free."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from replica.symmetry.sectors import Sector
from saddle.averages.state_space import StateSpace
from saddle.state_evolution.steps.step_equations import StepEvaluation
from saddle.state_evolution.steps.step_state import StepState

__all__ = ["StepUnknowns"]


@dataclass(frozen=True)
class StepUnknowns:
    r"""Unknowns :math:`(\log q_0, \log\Delta_j, m, \log V, \theta)`, m and theta in units of a field; perhaps y.

    Attributes
    ----------
    space
        The order parameters of replica symmetry.
    sector
        Which of m and theta may differ from zero.
    steps
        Number k of steps.
    unit
        Unit of m and theta, :math:`\sqrt q`.
    parisi
        Whether :math:`\log y_j` follow: the ground state's are solved for, too.
    pivot, held
        Place of an unknown that is held at a value, while :math:`\log\alpha` is solved for in its place; None for a
        given alpha.
    """

    space: StateSpace
    sector: Sector
    steps: int
    unit: float
    parisi: bool = False
    pivot: int | None = None
    held: float = 0.0

    @cached_property
    def _free(self) -> tuple[np.ndarray, np.ndarray]:
        """Return which entries of m and theta are solved for."""
        free = set(self.sector.free)
        masks = [
            np.array([i in free for i in self.space.of_kind(kind)], dtype=bool)
            for kind in ("positional_overlap", "semantic_overlap")
        ]
        return masks[0], masks[1]

    @property
    def susceptibility_places(self) -> range:
        """Where log V stands."""
        count = self.space.layout.group_count
        first = count * (self.steps + 1) + int(self._free[0].sum())
        return range(first, first + count)

    @property
    def loose_places(self) -> list[int]:
        """Where gaps and y stand: the free entropy is stationary in them, and hardly curved."""
        count = self.space.layout.group_count
        ends = count * (self.steps + 1) + count + sum(int(x.sum()) for x in self._free)
        return [*range(count, count * (self.steps + 1)), *range(ends, ends + self.steps * self.parisi)]

    @property
    def overlap_places(self) -> list[int]:
        """Where the free overlaps m, then theta, stand."""
        count = self.space.layout.group_count
        free = int(self._free[0].sum())
        first = count * (self.steps + 1)
        after = first + free + count
        return [*range(first, first + free), *range(after, after + int(self._free[1].sum()))]

    def holding(self, state: StepState, share: float) -> StepUnknowns:
        """Return the unknowns with alpha in place of the last overlap, which is held at a share of what it is."""
        pivot = self.overlap_places[-1]
        return self.holding_at(pivot, share * float(self._vector(state)[pivot]))

    def holding_at(self, pivot: int, value: float) -> StepUnknowns:
        """Return the unknowns with alpha in place of one of them, which is held at a value."""
        return replace(self, pivot=pivot, held=value)

    def alpha(self, unknowns: np.ndarray, given: float) -> float:
        """Return alpha at unknowns: the given one unless it is one of them."""
        return given if self.pivot is None else float(np.exp(unknowns[self.pivot]))

    def vector(self, state: StepState, alpha: float) -> np.ndarray:
        """Return the unknowns of a state."""
        vector = self._vector(state)
        if self.pivot is not None:
            vector[self.pivot] = np.log(alpha)
        return vector

    def _vector(self, state: StepState) -> np.ndarray:
        positional, semantic = self._free
        return np.concatenate(
            [
                np.log(state.outer_overlap),
                np.log(state.gaps).ravel(),
                state.positional_overlap[positional] / self.unit,
                np.log(state.susceptibility),
                state.semantic_overlap.ravel()[semantic] / self.unit,
                np.log(state.parisi) if self.parisi else [],
            ]
        )

    def state(self, unknowns: np.ndarray, parisi: np.ndarray) -> StepState:
        """Return the state of unknowns, at given y unless y is one of them."""
        if self.pivot is not None:
            unknowns = unknowns.copy()
            unknowns[self.pivot] = self.held
        if self.parisi:
            unknowns, logs = np.split(unknowns, [len(unknowns) - self.steps])
            parisi = np.exp(logs)
        positional, semantic = self._free
        layout = self.space.layout
        count, k = layout.group_count, self.steps
        ends = np.cumsum([count, k * count, int(positional.sum()), count])
        overlap, gaps, free_m, response, free_theta = np.split(unknowns, ends)
        m, theta = np.zeros(positional.size), np.zeros(semantic.size)
        m[positional], theta[semantic] = free_m * self.unit, free_theta * self.unit
        shape = (count, layout.teacher_rank)
        return StepState(
            np.exp(overlap),
            np.exp(gaps).reshape(k, count),
            m,
            np.exp(response),
            theta.reshape(shape),
            parisi,
        )

    def residual(self, evaluation: StepEvaluation) -> np.ndarray:
        """Return the residual in relative units, as many as there are unknowns."""
        state = evaluation.state
        rest = evaluation.residual_state
        positional, semantic = self._free
        return np.concatenate(
            [
                rest.outer_overlap / state.outer_overlap,
                (rest.gaps / state.gaps).ravel(),
                rest.positional_overlap[positional] / self.unit,
                rest.susceptibility / state.susceptibility,
                rest.semantic_overlap.ravel()[semantic] / self.unit,
                # The functional's derivatives in y, relative to the part of them that the average has.
                evaluation.by_parisi / (evaluation.alpha * evaluation.average[-self.steps :]) if self.parisi else [],
            ]
        )
