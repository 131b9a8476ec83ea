"""Solving a branch at any alpha: where the branches' rule has a step, on a rule that is no worse."""

import numpy as np
import pytest

from replica import AttentionModel
from saddle import LineRule
from saddle.averages.rules.line_orders import LineOrders
from saddle.branches.branch_curve import BranchCurve, CurveEnd
from saddle.branches.curve_solving import TOLERANCE, solve_on_curve
from saddle.continuation.newton import newton
from saddle.continuation.outcomes import Outcome
from saddle.state_evolution.evaluation import SectorEvaluation
from saddle.state_evolution.state_evolution import StateEvolution

MODEL = AttentionModel(
    omega=0.025618362052306054, sigma=0.6162088847844982, regularization=0.003551879655913368,
    positional_matrix=((0.3, 0.7), (0.8, 0.2)), positional_encoding=(1.0, -1.0),
)  # fmt: skip
# A jump that is missed between two scan points makes a step of 1e-4 in the residual at 5.073.
RULE = LineRule(
    teacher_spacing=0.5184718558184619, common_spacing=0.6721933189615868, reach=5.169455218918619,
    line=LineOrders(scan_points=12, graded_nodes=15, plain_nodes=10, extent=5.735564175134897),
)  # fmt: skip
EVOLUTION = StateEvolution(MODEL, RULE, threads=1)
AGNOSTIC = EVOLUTION.sectors[0]
AT_STEP = 5.07275


def curve(ends=("bound", "bound")):
    """Two solutions of the agnostic branch on both sides of the step."""
    two = np.ones(2)
    return BranchCurve(
        alpha=np.array([4.87123408, 6.11634835]),
        states=np.array([[0.24743463, 0.0, 6.60546918, 0.0], [0.22490266, 0.0, 5.47271016, 0.0]]),
        tangents=np.array(
            [[-0.07738588, 0.0, -4.11559561, 0.0, 3.49231619], [-0.07007725, 0.0, -3.18570493, 0.0, 4.59363067]]
        ),
        free_entropy=-two,
        average_envelope=two,
        test_error=two,
        test_error_derivative=two,
        ends=(CurveEnd(ends[0], 4.87123408), CurveEnd(ends[1], 6.11634835)),
    )


def on_rule(evolution, start):
    def problem(values):
        state = evolution.embed(values, AGNOSTIC)
        return SectorEvaluation(evolution.evaluate(state, AT_STEP), AGNOSTIC.free)

    return newton(problem, start[list(AGNOSTIC.free)], tolerance=TOLERANCE, max_evaluations=20)


def test_a_step_of_the_rule_stops_no_solve():
    start, _ = curve().state(AT_STEP)
    assert on_rule(EVOLUTION, start).outcome is Outcome.MAX_STEPS
    found = solve_on_curve(EVOLUTION, AGNOSTIC, curve(), AT_STEP)
    assert found is not None
    here, residual = found
    assert residual <= TOLERANCE
    fine = on_rule(EVOLUTION.with_rule(RULE.refined(30.0)), start)
    assert fine.converged
    assert fine.last is not None
    exact = fine.last.evaluation
    assert abs(here.free_entropy - exact.free_entropy) < 3.0 * here.free_entropy_error
    errors = here.order_parameter_errors(AGNOSTIC.free)
    assert np.all(np.abs(here.state - exact.state) <= 3.0 * errors)


def test_outside_its_reach_a_curve_has_no_solution():
    assert solve_on_curve(EVOLUTION, AGNOSTIC, curve(), 4.5) is None


@pytest.mark.parametrize(("ends", "alpha", "node"), [(("onset", "bound"), 5.0, 1), (("bound", "onset"), 6.0, 0)])
def test_next_to_an_onset_weights_are_compared_with_what_they_grow_to(ends, alpha, node):
    state = curve(ends).fades(alpha)
    assert state is not None
    np.testing.assert_array_equal(state, curve().states[node])
    assert curve().fades(alpha) is None
    assert curve(ends).fades(7.0) is None
