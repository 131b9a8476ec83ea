"""What a model says without a field for it: penalties that differ by column, a readout that is learned."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import brentq, minimize_scalar

from replica import MultiIndexModel
from saddle import LineRule, find_point
from saddle.state_evolution.state_evolution import StateEvolution
from tests.oracles.known_results import ridge

RULE = LineRule.for_tolerance(1e-4)
FACTOR = sp.Symbol("factor")
PENALTY, NOISE, ALPHA = 0.05, 0.4, 1.5


def scaled(factor: float) -> MultiIndexModel:
    """Ridge regression whose student's field is multiplied by a factor."""
    return MultiIndexModel(
        lambda z, y: (FACTOR * z[0] - y[0]) ** 2 / 2,
        PENALTY,
        lambda h, xi: [h[0] + sp.Float(NOISE) * xi[0]],
        noise=1,
        parameters={"factor": factor},
    )


def solved(factor: float):
    return find_point(StateEvolution(scaled(factor), RULE, threads=1), "teacher", ALPHA)


@pytest.mark.parametrize("own", [0.01, 0.3])
def test_a_penalty_of_its_own_is_a_factor_of_a_column_s_field(own):
    factor = float(np.sqrt(PENALTY / own))
    point, known = solved(factor), ridge(ALPHA, own, NOISE**2)
    q, V, theta = point.evaluation.state
    assert factor**2 * q == pytest.approx(known.self_overlap, rel=1e-4)
    assert factor**2 * V == pytest.approx(known.susceptibility, rel=1e-4)
    assert factor * theta == pytest.approx(known.semantic_overlap, rel=1e-4)


def test_a_readout_is_learned_where_phi_s_derivative_is_that_of_its_penalty():
    """The training loss per dimension with (mu/2) a^2 for the readout a, against a search over the closed form."""
    mu = 0.2
    names = list(scaled(1.0).parameter_values())

    def slope(a: float) -> float:
        point = solved(a)
        slopes = point.evolution.parameter_derivatives(point.evaluation.state, ALPHA)
        return float(slopes.free_entropy[names.index("factor")]) - mu * a

    def total(a: float) -> float:
        return ridge(ALPHA, PENALTY / a**2, NOISE**2).training_loss + mu * a**2 / 2

    learned = brentq(slope, 0.3, 2.0, xtol=1e-8)
    assert learned == pytest.approx(minimize_scalar(total, bounds=(0.3, 2.0), method="bounded").x, rel=1e-3)
