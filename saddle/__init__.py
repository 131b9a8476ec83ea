"""Solve the saddle-point equations: kernels, quadrature, branches, transitions, phase diagrams."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from replica.common.own_packages import require_own_packages, warn_if_hidden

if TYPE_CHECKING:
    from replica.symmetry.sectors import Sector
    from saddle.averages.replicon import Replicon
    from saddle.averages.rules.lattice import LineRule
    from saddle.averages.rules.sobol import SobolRule
    from saddle.branches.branch import Branch, SolvedPoint, find_point, solve_point
    from saddle.continuation.outcomes import Outcome, SolverError
    from saddle.diagram.lines.line import TransitionLine
    from saddle.diagram.lines.tracing import solve_transition_line
    from saddle.phase_diagram import PhaseDiagram, solve_phase_diagram
    from saddle.state_evolution.state_evolution import StateEvolution
    from saddle.transition_lines import TransitionLines, solve_transition_lines
    from saddle.transitions.global_minimum import Phase
    from saddle.transitions.transition import Transition

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
    "Branch": "saddle.branches.branch",
    "LineRule": "saddle.averages.rules.lattice",
    "SobolRule": "saddle.averages.rules.lattice",
    "Outcome": "saddle.continuation.outcomes",
    "Phase": "saddle.transitions.global_minimum",
    "PhaseDiagram": "saddle.phase_diagram",
    "Replicon": "saddle.averages.replicon",
    "Sector": "replica.symmetry.sectors",
    "SolvedPoint": "saddle.branches.branch",
    "SolverError": "saddle.continuation.outcomes",
    "StateEvolution": "saddle.state_evolution.state_evolution",
    "Transition": "saddle.transitions.bifurcations",
    "TransitionLine": "saddle.diagram.lines.line",
    "TransitionLines": "saddle.transition_lines",
    "find_point": "saddle.branches.branch",
    "solve_phase_diagram": "saddle.phase_diagram",
    "solve_point": "saddle.branches.branch",
    "solve_transition_line": "saddle.diagram.lines.tracing",
    "solve_transition_lines": "saddle.transition_lines",
}


require_own_packages("baselines")
warn_if_hidden("validation")


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
