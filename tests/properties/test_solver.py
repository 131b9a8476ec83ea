"""Laws of whole solves: neither direction nor grid matters, and no model crashes the solver."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from replica import AttentionModel
from saddle import LineRule, Outcome, Transition, solve_phase_diagram
from saddle.testing import two_token_models

RULE = LineRule.for_tolerance(1e-2)


@pytest.fixture(scope="module")
def alpha_c() -> float:
    solved = solve_phase_diagram(AttentionModel.paper(), (0.9, 1.7), points=8, rule=RULE)
    assert solved.alpha_c is not None
    return solved.alpha_c.alpha


@pytest.mark.slow
@settings(max_examples=3)
@given(
    sweep=st.sampled_from(["down", "up"]),
    points=st.integers(5, 14),
    low=st.floats(0.85, 1.1),
    high=st.floats(1.4, 2.2),
)
def test_alpha_c_depends_neither_on_direction_nor_on_grid(alpha_c, sweep, points, low, high):
    solved = solve_phase_diagram(AttentionModel.paper(), (low, high), points=points, sweep=sweep, rule=RULE)
    assert solved.alpha_c is not None
    assert solved.alpha_c.alpha == pytest.approx(alpha_c, abs=2e-6)


@pytest.mark.slow
@settings(max_examples=5)
@given(model=two_token_models())
def test_no_valid_model_crashes_the_solver(model):
    solved = solve_phase_diagram(model, (0.3, 2.0), points=4, rule=LineRule.for_tolerance(0.1))
    assert solved.complete
    # More pieces than families may come from so coarse a rule's noise.
    assert set(solved.branches) >= {"agnostic", "positional", "semantic", "mixed"}
    for branch in solved.branches.values():
        assert all(isinstance(outcome, Outcome) for outcome in branch.outcome)
        assert np.all(branch.residual_norm[branch.stored] < 1e-8)
        assert np.all(np.isfinite(branch.states[branch.stored]))
        assert np.all(np.isnan(branch.states[~branch.stored]))
    for name in ("alpha_c", "alpha_l"):
        transition = getattr(solved, name)
        assert isinstance(transition, Transition) or solved.reasons[name]
    for jump in solved.first_order:
        first, second = (point.free_entropy for point in jump.points)
        assert first == pytest.approx(second, rel=1e-3)


@pytest.mark.slow
def test_exchanged_tokens_have_the_same_diagram():
    model = AttentionModel.paper(positional_matrix=((0.55, 0.45), (0.3, 0.7)))
    first, second = (solve_phase_diagram(m, (0.9, 1.8), points=5, rule=RULE) for m in (model, model.token_exchanged()))
    assert first.reasons == second.reasons
    assert (first.alpha_c is None) == (second.alpha_c is None)
    if first.alpha_c is not None and second.alpha_c is not None:
        assert first.alpha_c.alpha == pytest.approx(second.alpha_c.alpha, abs=1e-5)
    for name, branch in first.branches.items():
        assert branch.outcome == second.branches[name].outcome
