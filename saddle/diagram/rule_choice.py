"""Choose a quadrature rule for a requested accuracy."""

from __future__ import annotations

import numpy as np

from replica.common.numeric_errors import numpy_defaults
from replica.quantities.solvable_model import Model, require_model
from saddle.averages.rules.body_centred import BodyCentredRule
from saddle.averages.rules.lattice import LineRule
from saddle.averages.rules.outer import OuterRule
from saddle.averages.rules.rule_arguments import (
    checked_alpha,
    checked_threads,
    checked_tolerance,
    fits_body_centred,
    fits_lattice,
)
from saddle.averages.rules.sobol import SobolRule
from saddle.branches.search.informed_starts import informed_states
from saddle.continuation.newton import OutsideDomain
from saddle.state_evolution.state_evolution import StateEvolution

__all__ = ["choose_rule", "rule_for_range"]

# The rule is chosen at this alpha, and at the highest one asked for.
LEAST_ALPHA = 3.0
SAMPLED = ("agnostic", "positional", "semantic")
COARSEST = 2e-2
STEPS, DAMPING = 40, 0.2
# The error of a smaller overlap than this, in its natural unit, counts in proportion: it may be on its way to zero.
SMALL = 0.1
# By how much one measurement may change the rule.
LARGEST_CHANGE = 30.0
# By how much both may refine it for models whose errors are not known to follow the law: where minima are about to
# split, as with linear attention, they fall so slowly that no lattice would do.
LARGEST_REFINEMENT = 10.0
DEFAULT_TOLERANCE = 2e-4
# Of a diagram's branches: which exist must not depend on steps of the averages, and errors must cover.
ROUGHEST = 5e-4


def _sample_states(evolution: StateEvolution, alpha: float) -> list[np.ndarray]:
    """Return states near the solutions of the pure families, by a few steps of state evolution."""
    states = []
    for sector in evolution.sectors:
        if sector.name not in SAMPLED:
            continue
        for start in informed_states(evolution, sector):
            try:
                states.append(evolution.iterate(start, alpha, sector, STEPS, DAMPING))
                break
            except OutsideDomain:
                continue
    return states


def _error_at(evolution: StateEvolution, state: np.ndarray) -> float:
    """Return the largest relative error of a conjugate, each as far as it matters to its order parameter.

    A conjugate that passes zero, or is small beside the penalty, has a large relative error that harms nothing.
    """
    return float(np.max(evolution.channel.averages(state).relative_errors * _shares(evolution, state)))


def _shares(evolution: StateEvolution, state: np.ndarray) -> np.ndarray:
    """Return which part of each order parameter (n,) its conjugate sets: of small overlaps, and of V the rest."""
    shares = np.ones(len(state))
    units = evolution.units(state)
    odd = list(evolution.space.odd)
    shares[odd] = np.minimum(1.0, np.abs(state[odd]) / (SMALL * units[odd]))
    variances = np.diagonal(evolution.channel.variances, axis1=1, axis2=2)
    for index, x in enumerate(evolution.space.quantities):
        if x.kind == "susceptibility" and x.positive:
            # Without data it is E[gamma]/lambda.
            alone = variances[x.group].mean() / evolution.model.regularization
            shares[index] = np.clip(1.0 - state[index] / alone, 0.0, 1.0)
    return shares


@numpy_defaults
def choose_rule(model: Model, alpha: float, tolerance: float | None = None, threads: int = 0) -> OuterRule:
    """Return a rule whose estimated relative error of every conjugate is about a tolerance, 2e-4 by default.

    The error of a conjugate that is next to zero counts as far as it matters to its order parameter.

    The law by which errors fall with the spacing gives a first rule; its error estimates at states near the
    agnostic, positional and semantic solutions at ``alpha`` then correct it, once or twice. Two tokens with a
    student and a teacher of rank one get a lattice; attention of three tokens with as many columns, a
    body-centred one; other models get Sobol points: by default as many nodes as a diagram can be solved with in
    minutes, otherwise as many as the tolerance needs, up to a limit. For these, and for
    models of two tokens unlike the paper's, the tolerance may not be reached; what is reached, errors say.

    Raises
    ------
    ValueError
        If the tolerance does not lie between 1e-6 and 0.3, or another argument is none.
    """
    require_model(model, "a quadrature rule")
    alpha, tolerance, threads = checked_alpha(alpha), checked_tolerance(tolerance), checked_threads(threads)
    planar, centred = fits_lattice(model), fits_body_centred(model)
    if tolerance is None and not planar:
        return BodyCentredRule() if centred else SobolRule()
    tolerance = DEFAULT_TOLERANCE if tolerance is None else tolerance
    rule: OuterRule = LineRule.for_tolerance(min(tolerance, COARSEST))
    coarse: OuterRule = LineRule.for_tolerance(COARSEST)
    if centred:
        rule, coarse = BodyCentredRule(), BodyCentredRule().coarsened()
    elif not planar:
        rule, coarse = SobolRule(), SobolRule(points=64)
    # Where all weights nearly vanish errors are small, and say nothing of the rest of a range: no lattice is coarser
    # than the law has it.
    least = 1.0 if planar else 1.0 / LARGEST_CHANGE
    refined_by, most = 1.0, np.inf if model.structure.is_paper_kind or not planar else LARGEST_REFINEMENT
    states = _sample_states(StateEvolution(model, coarse, threads), alpha)
    for _ in range(2):
        evolution = StateEvolution(model, rule, threads)
        errors = [_error_at(evolution, state) for state in states]
        # The state nearest to a special point must not set the rule for all: the middle one of three.
        ratio = float(np.median(errors)) / tolerance if errors else 1.0
        if 0.3 < ratio < 1.5:
            break
        # What a rough lattice's own estimate says of its error falls twice as fast as the error.
        power = 0.5 if isinstance(rule, LineRule) and rule.rough else 1.0
        factor = min(max(ratio**power, least), LARGEST_CHANGE, most / refined_by)
        if factor == 1.0:
            break
        rule, refined_by = rule.refined(factor), refined_by * factor
    return rule


def rule_for_range(model: Model, highest: float, tolerance: float | None, threads: int) -> OuterRule:
    """Return a rule for all alpha up to a highest one: one rule serves all ranges that end at ``LEAST_ALPHA`` or below.

    For longer ones, the finer one of what is wanted there and at their end. No lattice is rougher than that for a
    tolerance of ``ROUGHEST``: on rougher ones steps of averages break curves, and mending them takes longer.
    """
    if tolerance is not None and fits_lattice(model):
        tolerance = min(tolerance, ROUGHEST)
    rules = [
        choose_rule(model, alpha, tolerance, threads)
        for alpha in dict.fromkeys((LEAST_ALPHA, max(LEAST_ALPHA, highest)))
    ]
    return min(rules, key=_coarseness)


def _coarseness(rule: OuterRule) -> float:
    """Return what is larger for a coarser one of two rules of one kind."""
    if isinstance(rule, (LineRule, BodyCentredRule)):
        return rule.teacher_spacing
    return -float(rule.points) if isinstance(rule, SobolRule) else 0.0
