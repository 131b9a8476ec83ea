"""Derivatives in alpha, the state and every parameter of the model, against central differences of the same rule."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from replica import AttentionModel
from saddle import LineRule, StateEvolution
from saddle.averages.parameters import parameter_vector
from tests.oracles.kernel_calls import EXACT_LINE

# Few outer nodes, which the laws do not see, and many along each line, so that line integrals are exact.
RULE = LineRule(teacher_spacing=0.9, common_spacing=1.1, reach=3.5, line=EXACT_LINE)
PAPER = AttentionModel.paper()
CROSSED = AttentionModel.paper(positional_matrix=((0.3, 0.7), (0.8, 0.2)))
ODD = AttentionModel(0.4, 0.6, 0.03, ((0.9, -0.1), (0.4, 0.7)), (1.2, -0.3))
ALPHA = 1.3
NAMES = list(PAPER.parameter_values())

CASES = {
    "semantic": (PAPER, (0.11483, 0.0, 12.665, 0.15817)),
    "positional": (PAPER, (0.0511, 0.2582, 11.37, 0.0)),
    "agnostic": (PAPER, (0.0765, 0.0, 28.03, 0.0)),
    "mixed": (PAPER, (0.0706, 0.1318, 22.24, 0.0582)),
    "mixed, crossed": (CROSSED, (0.0706, -0.1318, 15.3, 0.0582)),
    "agnostic, crossed": (CROSSED, (0.09, 0.0, 19.0, 0.0)),
    "any": (ODD, (0.13, 0.2, 7.5, -0.11)),
}


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES.keys())
def case(request):
    return request.param


def with_parameter(model: AttentionModel, name: str, change: float) -> AttentionModel:
    """Return the model with one parameter, by its canonical name, changed."""
    stem, _, index = name.rpartition("_")
    if stem == "positional_matrix":
        matrix = np.array(model.positional_matrix)
        matrix[int(index[0]) - 1, int(index[1]) - 1] += change
        return dataclasses.replace(model, positional_matrix=matrix)
    if stem == "positional_encoding":
        encoding = np.array(model.positional_encoding)
        encoding[int(index) - 1] += change
        return dataclasses.replace(model, positional_encoding=encoding)
    return dataclasses.replace(model, **{name: getattr(model, name) + change})


def central_differences(model, state, name, step, conjugates):
    """Differences of F, of Phi at fixed conjugates, and of the test error, (4 + 2,)."""
    values = []
    for sign in (1.0, -1.0):
        changed = with_parameter(model, name, sign * step)
        evolution = StateEvolution(changed, RULE, 1)
        there = evolution.evaluate(np.array(state), ALPHA)
        phi = evolution.channel.kernel.module.free_entropy(
            *state, *conjugates, there.averages.envelope, ALPHA, parameter_vector(changed)
        )
        values.append(np.array([*there.full_residual, phi, there.test_error]))
    return (values[0] - values[1]) / (2.0 * step)


def test_parameters_are_changed_in_the_order_of_the_vector():
    for k, name in enumerate(NAMES):
        change = parameter_vector(with_parameter(ODD, name, 0.01)) - parameter_vector(ODD)
        np.testing.assert_allclose(change, 0.01 * np.eye(len(NAMES))[k], atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_parameter_derivatives_against_central_differences(case, name):
    model, state = case
    evolution = StateEvolution(model, RULE, 1)
    here, slopes = evolution.evaluate(np.array(state), ALPHA), evolution.parameter_derivatives(np.array(state), ALPHA)
    index = NAMES.index(name)
    step = 2e-5 * max(0.01, abs(parameter_vector(model)[index]))
    expected = central_differences(model, state, name, step, here.conjugates)
    units = here.full_units
    got = slopes.residual[:, index] / units
    # Relative to the largest slope of any unknown: jumps may be born between the two models, each of which is worth
    # its weight on the rule.
    np.testing.assert_allclose(got, expected[:4] / units, atol=2e-4 * np.abs(got).max())
    assert slopes.free_entropy[index] == pytest.approx(expected[4], rel=1e-5, abs=1e-9)
    assert slopes.test_error[index] == pytest.approx(expected[5], rel=1e-5, abs=1e-9)


def test_state_and_alpha_slopes_against_central_differences(case):
    model, state = case
    state = np.array(state)
    evolution = StateEvolution(model, RULE, 1)
    here = evolution.evaluate(state, ALPHA)
    units = here.full_units
    # Where m or theta vanishes its own slope comes by a route of its own, which differences of this rule are not.
    for k in np.flatnonzero(state):
        step = 1e-5 * units[k]
        up, down = (evolution.evaluate(state + sign * step * np.eye(4)[k], ALPHA) for sign in (1, -1))
        expected = (up.full_residual - down.full_residual) / (2 * step) * units[k] / units
        got = here.full_jacobian[:, k] * units[k] / units
        np.testing.assert_allclose(got, expected, atol=2e-4 * np.abs(got).max())
        slope = (up.test_error - down.test_error) / (2 * step)
        assert here.averages.test_error_derivatives[k] == pytest.approx(slope, rel=1e-5, abs=1e-7 / units[k])
    up, down = (evolution.evaluate(state, ALPHA * (1 + sign * 1e-5)) for sign in (1, -1))
    slope = (up.full_residual - down.full_residual) / (2e-5 * ALPHA)
    np.testing.assert_allclose(here.alpha_derivative, slope, rtol=1e-6, atol=1e-8 * np.abs(slope).max())


def test_envelope_slopes_do_not_depend_on_jumps(case):
    # Phi's slope at fixed state and conjugates is -alpha dE[M] and what is explicit: M is continuous across jumps.
    model, state = case
    evolution = StateEvolution(model, RULE, 1)
    slopes = evolution.channel.parameter_derivatives(np.array(state))
    for index, name in enumerate(NAMES):
        step = 2e-5 * max(0.01, abs(parameter_vector(model)[index]))
        up, down = (
            StateEvolution(with_parameter(model, name, sign * step), RULE, 1).channel.averages(np.array(state)).envelope
            for sign in (1, -1)
        )
        assert slopes.envelope[index] == pytest.approx((up - down) / (2 * step), rel=1e-5, abs=1e-9)


def test_nothing_depends_on_the_ridge_but_the_weights(case):
    model, state = case
    slopes = StateEvolution(model, RULE, 1).channel.parameter_derivatives(np.array(state))
    index = NAMES.index("regularization")
    assert not np.any(slopes.conjugates[:, index])
    assert slopes.envelope[index] == slopes.test_error[index] == 0.0
