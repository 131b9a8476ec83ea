"""Laws of the residual and of Phi that hold for every valid model and state."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from saddle import LineRule, StateEvolution
from saddle.newton import OutsideDomain
from saddle.state_evolution import StateEvaluation
from tests.properties.strategies import models, states

# Few outer nodes, which the laws do not see, and many along each line, so that line integrals are exact.
RULE = LineRule(teacher_order=6, common_order=4, scan_points=24, graded_nodes=40, plain_nodes=30)


def evaluate(model, state, alpha, rule=RULE, derivatives=True) -> StateEvaluation:
    try:
        return StateEvolution(model, rule, 1).evaluate(state, alpha, derivatives=derivatives)
    except OutsideDomain:
        assume(False)
        raise


@settings(max_examples=25)
@given(data=st.data(), model=models(), alpha=st.floats(0.05, 3.0))
def test_sign_symmetries_of_residual_and_phi(data, model, alpha):
    state = data.draw(states(model))
    here = evaluate(model, state, alpha)
    for signs in ((1, -1, 1, 1), (1, 1, 1, -1), (1, -1, 1, -1)):
        there = evaluate(model, state * signs, alpha)
        scale = here.full_scales
        # Mirror images of a line may grade their nodes towards different, equally soft points.
        np.testing.assert_allclose(
            there.full_residual * signs / scale, here.full_residual / scale, rtol=1e-4, atol=1e-4
        )
        assert there.free_entropy == pytest.approx(here.free_entropy, rel=1e-5, abs=1e-9)
        assert there.test_error == pytest.approx(here.test_error, rel=1e-5, abs=1e-9)


@settings(max_examples=25)
@given(data=st.data(), model=models(), alpha=st.floats(0.05, 3.0))
def test_exchanging_tokens_changes_nothing(data, model, alpha):
    state = data.draw(states(model))
    here, there = evaluate(model, state, alpha), evaluate(model.token_exchanged(), state, alpha)
    scale = here.full_scales
    np.testing.assert_allclose(there.full_residual / scale, here.full_residual / scale, rtol=1e-4, atol=1e-4)
    assert there.free_entropy == pytest.approx(here.free_entropy, rel=1e-5, abs=1e-9)
    assert there.test_error == pytest.approx(here.test_error, rel=1e-5, abs=1e-9)


# NOTE: moderate fields only. With saturated attention nodes meet cusps, where the derivative along a line is
# singular and a difference quotient of any step is not it.
@settings(max_examples=15)
@given(data=st.data(), model=models(largest_sigma=0.6), alpha=st.floats(0.05, 3.0))
def test_jacobian_is_the_derivative_of_the_residual(data, model, alpha):
    state = data.draw(states(model))
    # A rule with many nodes along the line, so that the line integrals themselves are exact.
    rule = LineRule(teacher_order=6, common_order=4, scan_points=20, graded_nodes=40, plain_nodes=30)
    here = evaluate(model, state, alpha, rule)
    differences = np.zeros((4, 4))
    for j in range(4):
        step = 2e-6 * here.full_scales[j]
        shift = step * np.eye(4)[j]
        up, down = (evaluate(model, state + sign * shift, alpha, rule, False) for sign in (1, -1))
        differences[:, j] = (up.full_residual - down.full_residual) / (2 * step)
    units = here.full_scales[None, :] / here.full_scales[:, None]
    scaled, expected = here.full_jacobian * units, differences * units
    # A jump just born or about to vanish between the two states is all that may separate them.
    np.testing.assert_allclose(scaled, expected, atol=2e-2 * max(1.0, np.abs(scaled).max()))


@settings(max_examples=15)
@given(data=st.data(), model=models(), alpha=st.floats(0.05, 3.0))
def test_derivative_in_alpha(data, model, alpha):
    state = data.draw(states(model))
    step = 1e-4 * alpha
    here = evaluate(model, state, alpha)
    up, down = (evaluate(model, state, alpha + sign * step, derivatives=False) for sign in (1, -1))
    slope = (up.full_residual - down.full_residual) / (2 * step)
    np.testing.assert_allclose(here.alpha_derivative, slope, rtol=1e-4, atol=1e-5 * np.abs(slope).max())


@settings(max_examples=15)
@given(data=st.data(), model=models(largest_sigma=0.6), alpha=st.floats(0.05, 3.0))
def test_phi_is_stationary_where_the_residual_vanishes(data, model, alpha):
    # dPhi/du = 0 is what the conjugate equations say; check them through Phi's own averages: at any state,
    # dE[M]/dV = -E|z* - w|^2/(2 V^2) = -q_hat/(2 alpha), and dE[M]/dm = -m_hat/alpha.
    state = data.draw(states(model))
    rule = LineRule(teacher_order=6, common_order=6, scan_points=20, graded_nodes=40, plain_nodes=30)
    here = evaluate(model, state, alpha, rule)
    for index, conjugate, factor in ((2, 0, 0.5), (1, 1, 1.0)):
        step = 1e-4 * here.full_scales[index]
        shift = step * np.eye(4)[index]
        up, down = (evaluate(model, state + sign * shift, alpha, rule, False) for sign in (1, -1))
        slope = (up.averages.envelope - down.averages.envelope) / (2 * step)
        scale = here.averages.envelope / here.full_scales[index]
        assert slope == pytest.approx(-factor * here.averages.conjugates[conjugate], rel=1e-3, abs=1e-4 * scale)
