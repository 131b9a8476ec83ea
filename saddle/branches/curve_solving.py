"""Solve a branch at any alpha that its curve reaches: Newton's method from the curve, and a look whether it stayed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from replica.symmetry.sectors import Sector
from saddle.branches.branch_curve import BranchCurve
from saddle.branches.null.solution import NULL_FAMILY, null_evaluation
from saddle.branches.search.sector_solver import vanished
from saddle.continuation.newton import NewtonResult, newton
from saddle.continuation.outcomes import Outcome
from saddle.state_evolution.evaluation import SectorEvaluation, StateEvaluation
from saddle.state_evolution.state_evolution import StateEvolution

__all__ = ["solve_on_curve"]

# Of residuals at stored points, in natural units.
TOLERANCE = 5e-9
# How far, in natural units, a solution may lie from where its curve says: a part of its segment, and a little.
DRIFT, LEAST_DRIFT = 0.5, 0.02
# Of the rule's own error of a residual: what a solve may leave that stalls at a step of the averages.
STALLED = 0.02
# The same where the weights vanish: relatively to themselves they are no better known there.
FADING = 0.5
# By which factors the rule is refined where a solve still fails.
FINER = (2.0, 5.0)


def _as_good_as_its_rule(result: NewtonResult[SectorEvaluation], sector: Sector, part: float) -> bool:
    """Whether a stalled solve has come as near as the averages' steps allow: far below what the rule itself errs by."""
    stalled = result.outcome is Outcome.MAX_STEPS or (part == FADING and result.outcome is Outcome.LEFT_DOMAIN)
    if not stalled or result.last is None:
        return False
    here, free = result.last.evaluation, list(sector.free)
    errs = here.averages.outer.error(here.residual_differences)[free] / here.full_units[free]
    return bool(result.residual_norm <= part * np.max(errs))


def solve_on_curve(
    evolution: StateEvolution, sector: Sector, curve: BranchCurve, alpha: float
) -> tuple[StateEvaluation, float] | None:
    """Solve a branch at one alpha.

    Parameters
    ----------
    evolution, sector
        The equations, and the invariant subspace of the branch.
    curve
        The branch.
    alpha
        Within its reach.

    Returns
    -------
    (StateEvaluation, float) or None
        The solution and its largest residual in natural units; where the branches' rule has a step, on another one that
        is no worse. None if Newton's method fails on all, or ends elsewhere: on another branch, or where what breaks a
        symmetry has vanished.
    """
    if not curve.reaches(alpha):
        return None
    if sector.family == NULL_FAMILY:
        near = curve.state(alpha)[0][list(sector.free)]
        closed = null_evaluation(evolution, alpha, near)
        return None if closed is None else (closed, float(np.max(np.abs(closed.full_residual / closed.full_units))))
    start, length = curve.state(alpha)
    fading = curve.fades(alpha)
    part = STALLED if fading is None else FADING
    stalled = None
    for equations in _on_rules(evolution):
        result = _solved_from(equations, sector, start, alpha)
        if result.last is None:
            continue
        here = result.last.evaluation
        # Weights that vanish are compared with what they grow to: in their own units all distances are large.
        units = here.full_units if fading is None else np.maximum(here.full_units, equations.units(fading))
        away = float(np.max(np.abs(here.state - start) / units))
        if away > DRIFT * min(length, 1.0) + LEAST_DRIFT or vanished(here, sector):
            continue
        if result.converged:
            return here, result.residual_norm
        if stalled is None and _as_good_as_its_rule(result, sector, part):
            stalled = here, result.residual_norm
    return stalled


def _on_rules(evolution: StateEvolution) -> Iterator[StateEvolution]:
    """Yield the equations on the branches' rule, and on others as good or better, which have their steps elsewhere."""
    yield evolution
    yield evolution.with_rule(evolution.rule.sibling())
    for factor in FINER:
        yield evolution.with_rule(evolution.rule.refined(factor))


def _solved_from(
    evolution: StateEvolution, sector: Sector, start: np.ndarray, alpha: float
) -> NewtonResult[SectorEvaluation]:
    free = list(sector.free)

    def problem(values: np.ndarray) -> SectorEvaluation:
        return SectorEvaluation(evolution.evaluate(evolution.embed(values, sector), alpha), sector.free)

    return newton(problem, start[free], tolerance=TOLERANCE, max_evaluations=20)
