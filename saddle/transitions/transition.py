"""A located transition, and the solutions there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from replica.common.html_table import html_table
from replica.symmetry.sectors import Sector
from saddle.continuation.special_points.special_point import Criticality
from saddle.state_evolution.evaluation import StateEvaluation
from saddle.transitions.sharpening import LocatedTransition

__all__ = ["Transition", "TransitionPoint", "point_of", "transition_points", "unknowns_at"]

CRITICALITY = {
    Criticality.SUPERCRITICAL: "supercritical",
    Criticality.SUBCRITICAL: "subcritical",
    Criticality.UNKNOWN: "unknown",
}


@dataclass(frozen=True)
class TransitionPoint:
    """One of the solutions at a transition.

    Attributes
    ----------
    order_parameters
        In the order of ``replica.quantities.names.order_parameters``: (q, m, V, theta) for the paper's model.
    free_entropy, test_error
        Phi and the test error per token.
    """

    order_parameters: tuple[float, ...]
    free_entropy: float
    test_error: float


@dataclass(frozen=True, repr=False)
class Transition:
    """A located transition; d alpha/d parameter is asked of its diagram, which has the equations (``derivatives``).

    Attributes
    ----------
    alpha
        Sample complexity, on a rule ten times finer than the branches'.
    error
        From embedded rules, propagated to alpha to first order; at least a tenth of the difference from the
        location on the branches' own rule (for pitchforks and folds, all of it), and at least 1e-6. For a pitchfork at
        which a nearly vertical branch was lost, at least the gap between both.
    kind
        "first-order", "baseline-crossing", "pitchfork", "fold", "onset" (a branch leaves Q = 0 continuously) or "branch
        point" (curves cross, and no symmetry says how).
    between
        The two branches, or the branch and the baseline.
    unstable_to
        For a pitchfork, the order parameter whose fluctuations become critical.
    criticality
        For a pitchfork, "supercritical" (the new branch is where the old one has lost stability to the overlap
        that breaks the symmetry), "subcritical" or "unknown".
    resolved
        False if a transition was bracketed but its equations were not solved, or if it may be noise of a rough rule:
        alpha is then a guess, and is not drawn.
    bracket
        Values of alpha on both sides, where it was found.
    points
        The solutions there: two at a first-order transition, otherwise one; none if it is not resolved.
    """

    alpha: float
    error: float
    kind: str
    between: tuple[str, str]
    unstable_to: str = ""
    criticality: str = ""
    resolved: bool = True
    bracket: tuple[float, float] | None = None
    points: tuple[TransitionPoint, ...] = ()

    def within(self, low: float, high: float) -> bool:
        """Whether it was found between two values of alpha; on the finer rule it may lie a little outside."""
        found = (self.alpha, self.alpha) if self.bracket is None else self.bracket
        return found[0] < high and found[1] > low

    def __str__(self) -> str:
        names = " / ".join(self.between)
        what = f"{self.criticality} {self.kind}" if self.criticality not in ("", "unknown") else self.kind
        doubt = "" if self.resolved else ", not resolved"
        return f"{what} ({names}) at alpha = {self.alpha:.5f} +- {self.error:.1e}{doubt}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"

    def _repr_html_(self) -> str:
        rows = {
            "kind": self.kind,
            "criticality": self.criticality,
            "between": " / ".join(self.between),
            "alpha": f"{self.alpha:.5f}",
            "error": f"{self.error:.1e}{'' if self.resolved else ', not resolved'}",
        }
        return html_table(type(self).__name__, [(name, text) for name, text in rows.items() if text])


def unknowns_at(transition: Transition, sectors: Sequence[Sector]) -> np.ndarray:
    """Return what a transition's equations are solved for: its solutions' free order parameters, then alpha, (N,)."""
    states = [
        np.array(point.order_parameters)[list(sector.free)]
        for point, sector in zip(transition.points, sectors, strict=True)
    ]
    return np.concatenate([*states, [transition.alpha]])


def transition_points(located: LocatedTransition) -> tuple[TransitionPoint, ...]:
    """Return the solutions at a located transition."""
    return tuple(point_of(here) for here in located.evaluations)


def point_of(here: StateEvaluation) -> TransitionPoint:
    """Return a solution as a point of a transition."""
    return TransitionPoint(tuple(map(float, here.state)), here.free_entropy, here.test_error)
