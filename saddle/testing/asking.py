"""Ways to ask for one diagram, none of which is to matter: range, grid, direction, tolerance, threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hypothesis import strategies as st

from replica.quantities.solvable_model import Model
from saddle.averages.rules.outer import OuterRule
from saddle.diagram.solve_settings import SolveSettings
from saddle.phase_diagram import PhaseDiagram, solve_phase_diagram

__all__ = ["Asking", "askings", "solve_settings"]

COARSE = 1e-2


@dataclass(frozen=True)
class Asking:
    """Arguments of one solve.

    Attributes
    ----------
    alpha, points, sweep, tolerance, threads, rule
        As of :func:`saddle.solve_phase_diagram`.
    range_kind
        What the range is called, by whoever cares.
    """

    alpha: tuple[float, float] = (0.1, 2.5)
    points: int = 4
    sweep: str = "down"
    tolerance: float | None = COARSE
    threads: int = 1
    rule: OuterRule | None = None
    range_kind: str = ""

    def solve(self, model: Model) -> PhaseDiagram:
        """Return a model's diagram, solved as asked."""
        return solve_phase_diagram(
            model,
            self.alpha,
            points=self.points,
            sweep=self.sweep,
            tolerance=self.tolerance,
            rule=self.rule,
            threads=self.threads,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; the rule, which is no plain value, is left out."""
        return {name: value for name, value in asdict(self).items() if name != "rule"}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Asking:
        """Return what :meth:`to_dict` was made from."""
        return cls(**{**values, "alpha": tuple(values["alpha"])})


@st.composite
def askings(draw: st.DrawFn) -> Asking:
    """Draw ranges of alpha that hold [0.7, 1.5], coarse grids, both directions, two tolerances; one thread.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    """
    return Asking(
        (draw(st.sampled_from([0.6, 0.2, 0.02])), draw(st.sampled_from([2.6, 1.6, 4.0]))),
        draw(st.sampled_from([3, 2, 6])),
        draw(st.sampled_from(["up", "down"])),
        draw(st.sampled_from([COARSE, 1e-3])),
    )


@st.composite
def solve_settings(draw: st.DrawFn) -> SolveSettings:
    """Draw settings of lines: tolerances from coarse to usual, one thread or all, a highest alpha.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    """
    return SolveSettings(
        tolerance=draw(st.sampled_from([COARSE, 1e-3, 5e-4, None])),
        threads=draw(st.sampled_from([1, 0])),
        highest_alpha=draw(st.floats(3.0, 20.0)),
    )
