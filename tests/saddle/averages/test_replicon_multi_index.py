"""The replicon eigenvalue of other losses than attention's, on any lattice: closed forms, Sobol points."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from replica import AttentionModel, MultiIndexModel, Spectrum, SpectrumAtom
from saddle import LineRule, SobolRule, StateEvolution, find_point
from tests.models.multi_index import typed_attention

ALPHA, PENALTY = 1.5, 0.05
RULE = LineRule.for_tolerance(1e-4)


def normal_average(function) -> float:
    x, w = np.polynomial.hermite_e.hermegauss(150)
    return float(w @ function(x) / w.sum())


def test_ridge_regression_of_weighted_samples():
    """A sample counts 1 + xi^2 times: its second derivative varies along the noise, and along nothing else.

    The resolvent of sum_mu a_mu x_mu x_mu^T has the trace V = 1/(lambda + alpha E[a/(1 + a V)]), and the replicon is
    the denominator of its derivative in lambda.
    """
    model = MultiIndexModel(
        lambda z, y: (1 + y[1] ** 2) * (z[0] - y[0]) ** 2 / 2, PENALTY, lambda h, xi: [h[0], xi[0]], noise=1
    )
    point = find_point(StateEvolution(model, RULE, threads=1), "teacher", ALPHA)

    def excess(V: float) -> float:
        return V * (PENALTY + ALPHA * normal_average(lambda x: (1 + x**2) / (1 + (1 + x**2) * V))) - 1

    V = brentq(excess, 1e-6, 1 / PENALTY, xtol=1e-14)
    assert point.order_parameters["susceptibility"] == pytest.approx(V, rel=1e-5)
    curvature = normal_average(lambda x: ((1 + x**2) / (1 + (1 + x**2) * V)) ** 2)
    found = point.replicon()
    assert found.regular == pytest.approx(1 - ALPHA * V**2 * curvature, abs=1e-5)
    assert found.regular_error < 0.01
    assert found.jump_strength == found.jumps == 0
    assert point.evolution.replicon(point.evaluation.state, ALPHA, quick=True).regular == found.regular


@pytest.mark.slow
@pytest.mark.parametrize("directions", ["two tokens", "two columns", "two columns, noise"])
def test_ridge_regression_of_tokens_and_columns(directions):
    """Every token is a sample, and columns do not interact; two atoms of the spectrum."""

    def loss(z, y):
        return sum((a - b) ** 2 for a, b in zip(z, y, strict=True)) / 2

    atoms = (0.3, 2.0), (0.7, 0.2)
    tokens = 2 if directions == "two tokens" else 1
    columns = 3 - tokens
    noise = int("noise" in directions)
    model = MultiIndexModel(
        loss,
        PENALTY,
        (lambda h, xi: [h[0] + xi[0], h[0] - 2 * xi[0]]) if noise else (lambda h, xi: list(h)),
        noise=noise,
        rank=columns,
        teacher_rank=columns - noise,
        spectrum=Spectrum(tuple(SpectrumAtom(weight, (gamma,) * tokens) for weight, gamma in atoms)),
    )
    evolution = StateEvolution(model, RULE, threads=1)
    shares, gammas = np.array(atoms).T
    samples = tokens * ALPHA

    def excess(kappa: float) -> float:
        return kappa * (1 + shares @ (gammas / (PENALTY + kappa * gammas))) - samples

    kappa = brentq(excess, 1e-9, samples, xtol=1e-14)
    denominator = kappa**2 / samples * (shares @ (gammas / (PENALTY + kappa * gammas)) ** 2)
    # The second derivative is the same everywhere: of the state only V matters.
    V = shares @ (gammas / (PENALTY + kappa * gammas))
    values = {"self_overlap": (1.0, 0.1), "susceptibility": (V, 0.0), "semantic_overlap": (0.3, 0.1)}
    state = np.array([values[x.kind][int(x.indices[0] != x.indices[1])] for x in evolution.space.quantities])
    found = evolution.replicon(state, ALPHA)
    assert found.regular == pytest.approx(1 - denominator, abs=1e-5)
    assert found.jump_strength == 0.0


RETRIEVAL = MultiIndexModel(lambda z, y: (z[0] ** 2 - y[0] ** 2) ** 2 / 4, 0.05, lambda h, xi: [h[0] + xi[0] / 2], 1)


def test_where_minima_are_born_is_not_known_of_other_losses_and_errors_say_so():
    """Phase retrieval with noise: z* jumps between signs; births lie where |h* + xi/2| is small."""
    state = np.array([0.8, 1.5, 0.7])
    lattice = StateEvolution(RETRIEVAL, RULE, threads=1).replicon(state, 1.0)
    points = StateEvolution(RETRIEVAL, SobolRule(1024, 8), threads=1).replicon(state, 1.0)
    assert lattice.jumps > 100
    assert points.regular_error < 0.05 * (1 - points.regular)
    assert points.jump_strength_error < 0.02 * points.jump_strength
    for name in ("regular", "jump_strength"):
        away = abs(getattr(lattice, name) - getattr(points, name))
        assert away <= getattr(lattice, f"{name}_error") + 3.5 * getattr(points, f"{name}_error"), name
    assert lattice.regular_error > 0.1 * abs(1 - lattice.regular)


@pytest.mark.slow
def test_attention_written_as_any_other_loss_has_its_replicon():
    """Two teacher fields and a common mode, as attention has; but no one says that births cross their difference."""
    typed = typed_attention()
    rule, state = LineRule.for_tolerance(1e-3), np.array([0.0706, 0.1318, 22.24, 0.0582])
    known, found = (StateEvolution(model, rule).replicon(state, 1.25) for model in (AttentionModel.paper(0.3), typed))
    assert known.jumps > 100
    for name in ("regular", "jump_strength"):
        away = abs(getattr(known, name) - getattr(found, name))
        assert away <= getattr(known, f"{name}_error") + getattr(found, f"{name}_error"), name
