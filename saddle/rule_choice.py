"""Choose a quadrature rule for a requested accuracy."""

from __future__ import annotations

import numpy as np

from replica.model import AttentionModel
from replica.sectors import Sector
from saddle.continuation.newton import OutsideDomain
from saddle.quadrature import LineRule, OuterRule, SobolRule
from saddle.sector_solver import informed_states
from saddle.state_evolution import StateEvolution

__all__ = ["choose_rule"]

SAMPLED = (Sector.AGNOSTIC, Sector.POSITIONAL, Sector.SEMANTIC)
COARSEST, FINEST = 2e-2, 1e-6
STEPS, DAMPING = 40, 0.2
# By how much one measurement may change the rule.
LARGEST_CHANGE = 30.0


def _sample_states(evolution: StateEvolution, alpha: float) -> list[np.ndarray]:
    """Return states near the solutions of the pure families, by a few steps of state evolution."""
    states = []
    for sector in SAMPLED:
        for start in informed_states(evolution, sector):
            try:
                states.append(evolution.iterate(start, alpha, sector, STEPS, DAMPING))
                break
            except OutsideDomain:
                continue
    return states


def choose_rule(model: AttentionModel, alpha: float, tolerance: float, threads: int = 0) -> OuterRule:
    """Return a rule whose estimated relative error of every conjugate is about a tolerance.

    The law by which errors fall with the spacing gives a first rule; its error estimates at states near the
    agnostic, positional and semantic solutions at ``alpha`` then correct it, once or twice. Two tokens get a
    lattice; more get Sobol points, whose number is limited, so that the tolerance may not be reached.

    Raises
    ------
    ValueError
        If the tolerance does not lie between 1e-6 and 0.3.
    """
    if not FINEST <= tolerance <= 0.3:
        raise ValueError(f"tolerance must lie in [{FINEST:g}, 0.3], got {tolerance!r}")
    rule: OuterRule = LineRule.for_tolerance(min(tolerance, COARSEST))
    coarse: OuterRule = LineRule.for_tolerance(COARSEST)
    if model.sequence_length != 2:
        rule, coarse = SobolRule(), SobolRule(points=64)
    states = _sample_states(StateEvolution(model, coarse, threads), alpha)
    for _ in range(2):
        evolution = StateEvolution(model, rule, threads)
        errors = [evolution.channel.averages(state).relative_error for state in states]
        # The state nearest to a special point must not set the rule for all: the middle one of three.
        ratio = float(np.median(errors)) / tolerance if errors else 1.0
        if 0.3 < ratio < 1.5:
            break
        rule = rule.refined(min(max(ratio, 1.0 / LARGEST_CHANGE), LARGEST_CHANGE))
    return rule
