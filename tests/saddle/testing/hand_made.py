"""Diagrams made by hand, with what the comparison of two askings reads of a diagram, and nothing solved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from saddle import Outcome, Phase, SolverError, Transition

__all__ = ["HandMade", "HandMadeBranch", "paper_by_hand"]

ERROR = 1e-6


@dataclass(frozen=True)
class HandMadeBranch:
    """A branch with a straight Phi, existing from one alpha to another."""

    name: str
    grid: np.ndarray
    exists: tuple[float, float]
    value: float
    slope: float

    @property
    def alpha(self) -> np.ndarray:
        return self.grid

    @property
    def distinct(self) -> np.ndarray:
        return (self.grid >= self.exists[0]) & (self.grid <= self.exists[1])

    @property
    def outcome(self) -> tuple[Outcome, ...]:
        return tuple(Outcome.CONVERGED if own else Outcome.ABSENT for own in self.distinct)

    @property
    def free_entropy(self) -> np.ndarray:
        return np.where(self.distinct, self.value + self.slope * self.grid, np.nan)

    @property
    def error(self) -> Mapping[str, np.ndarray]:
        return {"free_entropy": np.full(len(self.grid), ERROR)}

    def at(self, alpha: float) -> Any:
        if not self.exists[0] <= alpha <= self.exists[1]:
            raise SolverError(f"{self.name} is absent at {alpha}", Outcome.ABSENT)
        return SimpleNamespace(free_entropy=self.value + self.slope * alpha, error={"free_entropy": ERROR})


@dataclass(frozen=True)
class HandMade:
    """A diagram of branches and transitions as given."""

    alpha: np.ndarray
    branches: Mapping[str, HandMadeBranch]
    phases: tuple[Phase, ...]
    alpha_c: Transition | None = None
    alpha_l: Transition | None = None
    first_order: tuple[Transition, ...] = ()
    bifurcations: tuple[Transition, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, Transition] = field(default_factory=dict)
    from_start: bool = False
    complete: bool = True

    @property
    def transitions(self) -> Mapping[str, Transition]:
        named = {" -> ".join(t.between): t for t in self.bifurcations}
        named |= {" / ".join(t.between): t for t in self.first_order}
        found = {"alpha_c": self.alpha_c, "alpha_l": self.alpha_l, **named, **self.labels}
        return {name: t for name, t in found.items() if t is not None}

    @property
    def global_minimum(self) -> tuple[str | None, ...]:
        found: list[str | None] = []
        for k in range(len(self.alpha)):
            values = {name: b.free_entropy[k] for name, b in self.branches.items() if b.distinct[k]}
            found.append(max(values, key=lambda name: values[name]) if values else None)
        return tuple(found)

    def crossing(self, baseline: str) -> Any:
        return SimpleNamespace(from_start=self.from_start)

    def with_changes(self, **changes: Any) -> HandMade:
        return replace(self, **changes)


def paper_by_hand(low: float = 0.01, high: float = 3.0, points: int = 12, shift: float = 0.0) -> HandMade:
    """Return agnostic, positional and semantic branches that change places as in the paper's model.

    ``shift`` moves every transition by so much of its alpha, and nothing else.
    """
    grid = np.linspace(low, high, points)

    def transition(alpha: float, kind: str, *between: str, **more: str) -> Transition:
        return Transition(alpha * (1.0 + shift), 1e-5, kind, (between[0], between[1]), **more)

    jump = transition(1.25, "first-order", "positional", "semantic")
    alpha_l = transition(1.49, "baseline-crossing", "semantic", "linear positional")
    pitchforks = (
        transition(0.06, "pitchfork", "agnostic", "positional", unstable_to="m", criticality="supercritical"),
        transition(0.72, "pitchfork", "agnostic", "semantic", unstable_to="theta", criticality="supercritical"),
    )
    branches = {
        "agnostic": HandMadeBranch("agnostic", grid, (0.0, np.inf), -0.0003, -0.002),
        "positional": HandMadeBranch("positional", grid, (0.06, np.inf), -0.0003 + 0.0005 * 0.06, -0.0015),
        "semantic": HandMadeBranch("semantic", grid, (0.72, np.inf), -0.001145, -0.0008),
    }
    ends = [low, *(t.alpha for t in (pitchforks[0], jump)), high]
    phases = tuple(
        Phase(name, max(begin, low), min(end, high))
        for name, begin, end in zip(branches, ends[:-1], ends[1:], strict=True)
        if end > low and begin < high
    )

    def seen(*transitions: Transition) -> tuple[Transition, ...]:
        return tuple(t for t in transitions if low < t.alpha < high)

    return HandMade(
        grid,
        branches,
        phases,
        next(iter(seen(jump)), None),
        next(iter(seen(alpha_l)), None),
        seen(jump),
        seen(*pitchforks),
        {"alpha_c": "out of range", "alpha_l": "out of range"},
        from_start=low > alpha_l.alpha,
    )
