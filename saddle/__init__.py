"""Solve the saddle-point equations: kernels, quadrature, branches, transitions, phase diagrams."""

from replica.sectors import Sector
from saddle.branch import Branch, SolvedPoint, find_point, solve_point
from saddle.outcomes import Outcome, SolverError
from saddle.phase_diagram import PhaseDiagram, solve_phase_diagram
from saddle.quadrature import LineRule
from saddle.state_evolution import StateEvolution
from saddle.transitions import Transition

__all__ = [
    "Branch",
    "LineRule",
    "Outcome",
    "PhaseDiagram",
    "Sector",
    "SolvedPoint",
    "SolverError",
    "StateEvolution",
    "Transition",
    "find_point",
    "solve_phase_diagram",
    "solve_point",
]
