"""From solved points of a curve to a line of transitions: its arrays, how it ended, and what is metastable on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from replica.symmetry.sectors import Sector
from saddle.branches.line_parameters import line_parameters
from saddle.branches.search.sector_solver import evaluation_of, informed_solution, solve_state, vanished
from saddle.continuation.curve.tracing import Curve
from saddle.continuation.outcomes import Outcome
from saddle.diagram.lines.ends import LineEnd, classify_end
from saddle.diagram.lines.line import TransitionLine
from saddle.diagram.lines.line_curve import VANISHES, Beginning, faded
from saddle.diagram.lines.request import LineRequest
from saddle.diagram.lines.start import INTERRUPTED
from saddle.state_evolution.evaluation import StateEvaluation
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.transitions.equations import BaselineCrossing

__all__ = ["LinePoint", "line_of", "overtaken"]


@dataclass(frozen=True)
class LinePoint:
    """A point of a line on the finer rule; fields as the arrays of :class:`TransitionLine`."""

    parameter: float
    alpha: float
    error: float
    tangent: float
    solutions: tuple[StateEvaluation, ...]
    second: float = np.nan
    second_error: float = np.nan


def line_of(
    request: LineRequest, begun: Beginning, curve: Curve, solved: Sequence[LinePoint], complete: bool
) -> TransitionLine:
    """Return the line of the solved points, with what is known about its ends unless it was interrupted."""
    evolution, equations, plane = begun.evolution, begun.equations, request.plane
    s = len(equations.sectors)
    endings = [stop or ending.value for ending, stop in zip(curve.endings, curve.stops, strict=True)]
    ends: list[LineEnd | None] = [None, None]
    try:
        for k in (0, 1) if complete else ():
            point = curve.points[-k]
            lost = curve.endings[k] is Outcome.STEP_TOO_SHORT and faded(equations, point.y)
            if lost or endings[k] == VANISHES:
                endings[k] = VANISHES
                held = None if plane is None else plane.alpha
                ends[k] = classify_end(equations, evolution, point.y, request.parameters, held)
    except KeyboardInterrupt:
        complete = False
    line = TransitionLine(
        name=begun.name,
        kind=equations.kind,
        between=begun.between,
        model=request.model,
        over=request.over,
        parameter=np.array([point.parameter for point in solved]),
        alpha=np.array([point.alpha for point in solved]),
        error=np.array([point.error for point in solved]),
        tangent=np.array([point.tangent for point in solved]),
        order_parameters=np.array([[e.state for e in point.solutions] for point in solved]).reshape(
            -1, s, evolution.space.size
        ),
        free_entropy=np.array([[e.free_entropy for e in point.solutions] for point in solved]).reshape(-1, s),
        test_error=np.array([[e.test_error for e in point.solutions] for point in solved]).reshape(-1, s),
        endings=(endings[0], endings[1]),
        rule=evolution.rule,
        reason="" if solved else "no point could be solved on a finer rule" if complete else INTERRUPTED,
        complete=complete,
        ends=(ends[0], ends[1]),
        plane=plane,
        second=None if plane is None else np.array([point.second for point in solved]),
        second_error=None if plane is None else np.array([point.second_error for point in solved]),
    )
    if isinstance(equations, BaselineCrossing) and line.complete and len(line):
        try:
            line = dataclasses.replace(line, metastable=overtaken(line, evolution, equations.sector))
        except KeyboardInterrupt:
            line = dataclasses.replace(line, complete=False)
    return line


def overtaken(line: TransitionLine, evolution: StateEvolution, sector: Sector) -> np.ndarray:
    """Return where on a line of one solution the other pure family has the larger Phi, (n,)."""
    other = evolution.space.sector_named("semantic" if sector.family == "positional" else "positional")
    behind = np.zeros(len(line), dtype=bool)
    own = line_parameters(evolution.model)[line.over]
    first = int(np.argmin(np.abs(line.parameter - own)))
    for indices in (range(first, len(line)), range(first - 1, -1, -1)):
        state: np.ndarray | None = None
        for k in indices:
            there, alpha = dataclasses.replace(evolution, model=line.model_at(k)), float(line.alpha[k])
            result = None if state is None else solve_state(there, other, state, alpha)
            if result is None or not result.converged or vanished(evaluation_of(result), other):
                result = informed_solution(there, other, alpha)
            if result is None:  # there is none, as far as we know
                state = None
                continue
            state = evaluation_of(result).state
            behind[k] = evaluation_of(result).free_entropy > line.free_entropy[k, 0]
    return behind
