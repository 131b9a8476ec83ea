"""Solve the saddle-point equations: kernels, quadrature, branches, transitions, phase diagrams."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from replica.own_packages import require_own_packages, warn_if_hidden

if TYPE_CHECKING:
    from replica.sectors import Sector
    from saddle.branch import Branch, SolvedPoint, find_point, solve_point
    from saddle.diagram_solving import solve_phase_diagram
    from saddle.lines.collection import TransitionLines, solve_transition_lines
    from saddle.lines.result import TransitionLine
    from saddle.lines.solving import solve_transition_line
    from saddle.outcomes import Outcome, SolverError
    from saddle.phase_diagram import Phase, PhaseDiagram
    from saddle.quadrature import LineRule, SobolRule
    from saddle.replicon import Replicon
    from saddle.state_evolution import StateEvolution
    from saddle.transitions import Transition

__all__ = [
    "Branch",
    "LineRule",
    "Outcome",
    "Phase",
    "PhaseDiagram",
    "Replicon",
    "Sector",
    "SobolRule",
    "SolvedPoint",
    "SolverError",
    "StateEvolution",
    "Transition",
    "TransitionLine",
    "TransitionLines",
    "find_point",
    "solve_phase_diagram",
    "solve_point",
    "solve_transition_line",
    "solve_transition_lines",
]

# Who needs one module of the solver should not wait for the imports of all.
_HOMES = {
    "Branch": "saddle.branch",
    "LineRule": "saddle.quadrature",
    "SobolRule": "saddle.quadrature",
    "Outcome": "saddle.outcomes",
    "Phase": "saddle.phase_diagram",
    "PhaseDiagram": "saddle.phase_diagram",
    "Replicon": "saddle.replicon",
    "Sector": "replica.sectors",
    "SolvedPoint": "saddle.branch",
    "SolverError": "saddle.outcomes",
    "StateEvolution": "saddle.state_evolution",
    "Transition": "saddle.transitions",
    "TransitionLine": "saddle.lines.result",
    "TransitionLines": "saddle.lines.collection",
    "find_point": "saddle.branch",
    "solve_phase_diagram": "saddle.diagram_solving",
    "solve_point": "saddle.branch",
    "solve_transition_line": "saddle.lines.solving",
    "solve_transition_lines": "saddle.lines.collection",
}


require_own_packages("baselines")
warn_if_hidden("validation")


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
