"""Order parameters of k steps of replica-symmetry breaking, as arrays and as one vector."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from replica.common.by_value import ByValue
from replica.quantities.layout import Layout
from replica.quantities.names import order_parameters

__all__ = ["StepSpace", "StepState", "step_space"]


@dataclass(frozen=True, eq=False)
class StepState(ByValue):
    r"""Order parameters of k steps for a student of rank one; tokens in G groups, K directions, t teacher columns.

    Attributes
    ----------
    outer_overlap
        :math:`q_0`, of replicas that share no block, (G,).
    gaps
        :math:`\Delta_j = q_j - q_{j-1}`, (k, G), outermost first.
    positional_overlap
        m, (K,).
    susceptibility
        V within an innermost block, (G,).
    semantic_overlap
        theta, (G, t).
    parisi
        Parisi's parameters y, increasing, (k,).
    """

    outer_overlap: np.ndarray
    gaps: np.ndarray
    positional_overlap: np.ndarray
    susceptibility: np.ndarray
    semantic_overlap: np.ndarray
    parisi: np.ndarray

    @property
    def levels(self) -> np.ndarray:
        """Overlaps q_0 ... q_k, (k + 1, G)."""
        return np.cumsum(np.concatenate([self.outer_overlap[None], self.gaps]), axis=0)


@dataclass(frozen=True)
class StepSpace:
    """Where order parameters stand in the vector (q of level 0, ..., q of level k, m, V, theta)."""

    layout: Layout
    steps: int

    @functools.cached_property
    def _places(self) -> dict[str, list[int]]:
        quantities = order_parameters(self.layout)
        overlaps = [x for x in quantities if x.kind == "self_overlap"]
        others = [x for x in quantities if x.kind != "self_overlap"]
        first = len(overlaps) * (self.steps + 1)
        places: dict[str, list[int]] = {"self_overlap": list(range(first))}
        for index, quantity in enumerate(others, start=first):
            places.setdefault(quantity.kind, []).append(index)
        return places

    @property
    def size(self) -> int:
        """Number n of order parameters."""
        return sum(len(x) for x in self._places.values())

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the order parameters: "self_overlap" becomes "self_overlap_0" ... "self_overlap_k"."""
        quantities = order_parameters(self.layout)
        overlaps = [x.name for x in quantities if x.kind == "self_overlap"]
        leveled = [
            name.replace("self_overlap", f"self_overlap_{level}", 1)
            for level in range(self.steps + 1)
            for name in overlaps
        ]
        return (*leveled, *(x.name for x in quantities if x.kind != "self_overlap"))

    def vector(self, state: StepState) -> np.ndarray:
        """Return the order parameters, (n,)."""
        return self._filled(state.levels, state)

    def raw(self, slopes: StepState) -> np.ndarray:
        """Return derivatives in q of every level (in place of overlap and gaps), m, V and theta as a vector, (n,)."""
        return self._filled(np.concatenate([slopes.outer_overlap[None], slopes.gaps]), slopes)

    def state(self, vector: np.ndarray, parisi: np.ndarray) -> StepState:
        """Return the state of order parameters (n,) and y (k,)."""
        places, layout = self._places, self.layout
        levels = vector[places["self_overlap"]].reshape(self.steps + 1, layout.group_count)
        return StepState(
            levels[0],
            np.diff(levels, axis=0),
            vector[places.get("positional_overlap", [])],
            vector[places["susceptibility"]],
            vector[places["semantic_overlap"]].reshape(layout.group_count, layout.teacher_rank),
            parisi,
        )

    def _filled(self, levels: np.ndarray, state: StepState) -> np.ndarray:
        vector = np.zeros(self.size)
        for kind, values in (
            ("self_overlap", levels),
            ("positional_overlap", state.positional_overlap),
            ("susceptibility", state.susceptibility),
            ("semantic_overlap", state.semantic_overlap),
        ):
            vector[self._places.get(kind, [])] = np.ravel(values)
        return vector


@functools.lru_cache(maxsize=64)
def step_space(layout: Layout, steps: int) -> StepSpace:
    """Return the order of the unknowns of k steps."""
    return StepSpace(layout, steps)
