"""Q = 0 of losses other than attention's: of any sign, even or not, with noise, or without a lower bound."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from replica import MultiIndexModel
from saddle import LineRule, StateEvolution, solve_phase_diagram
from saddle.branches.null.departures import null_departures, null_reach
from saddle.branches.null.on_rule import null_shift
from saddle.branches.null.solution import null_evaluation, null_obstacle

ROUGH = LineRule.for_tolerance(2e-2)


def well(z, y):
    """A loss whose value at z = 0 is the parameter's, and that has other minima where y is large."""
    return z[0] ** 4 / 4 - y[0] * z[0] ** 2 / 2 + sp.Symbol("shift")


def squared_tanh(h, xi):
    return [sp.tanh(h[0]) ** 2]


def evolution_of(loss, penalty, outputs=None, rule=ROUGH, **more) -> StateEvolution:
    return StateEvolution(MultiIndexModel(loss, penalty, outputs, **more), rule, threads=1)


@pytest.mark.slow
def test_a_constant_changes_nothing_but_the_loss():
    found = []
    for shift in (0.0, -3.0, 5.0):
        evolution = evolution_of(well, 2.0, squared_tanh, parameters={"shift": shift})
        (interval,) = null_reach(evolution, 0.1, 3.0)
        assert (interval.low_end, interval.high_end) == ("range", "fold")
        here = null_evaluation(evolution, 0.5)
        assert here.free_entropy == pytest.approx(-0.5 * shift, abs=1e-12)
        # A rule errs on the constant by the same part of it, whatever its sign.
        away = null_shift(evolution, here.state, here.averages.envelope)
        assert abs(away) < 1e-3 * abs(shift) + 1e-8
        (departure,) = null_departures(evolution, 0.1, 3.0)
        found.append([interval.high, departure.alpha, *here.state, *here.full_jacobian.ravel()])
    np.testing.assert_allclose(found[1:], [found[0]] * 2, rtol=1e-9, atol=1e-12)


def test_it_does_not_matter_whether_teacher_or_noise_makes_outputs():
    teacher = evolution_of(well, 2.0, squared_tanh, parameters={"shift": 0.0})
    noise = evolution_of(well, 2.0, lambda h, xi: [sp.tanh(xi[0]) ** 2], noise=1, parameters={"shift": 0.0})
    states = [null_evaluation(one, 0.5) for one in (teacher, noise)]
    np.testing.assert_allclose(states[1].state, states[0].state, rtol=1e-9)
    assert states[1].free_entropy == pytest.approx(states[0].free_entropy, abs=1e-12)
    ends = [null_reach(one, 0.1, 3.0)[0].high for one in (teacher, noise)]
    assert ends[1] == pytest.approx(ends[0], rel=1e-6)


def test_a_loss_need_not_be_even_if_it_is_stationary_at_zero():
    """First derivatives there, those by third derivatives of the loss included, against differences beside it."""
    evolution = evolution_of(
        lambda z, y: sp.exp(y[0] * z[0]) - y[0] * z[0] - 1,
        1.0,
        lambda h, xi: [sp.tanh(h[0] + sp.Rational(1, 2)) + xi[0] / 3],
        LineRule.for_tolerance(1e-5),
        noise=1,
    )
    here = null_evaluation(evolution, 0.8)
    assert null_obstacle(evolution, 0.8) is None
    q, V, theta = 1e-5, 1e-4, 1e-6
    beside = here.state + np.array([q, 0.0, 0.0])
    at = evolution.evaluate(beside, 0.8).full_residual
    for column, step in enumerate((q, V, theta)):
        moved = beside.copy()
        moved[column] += step
        slope = (evolution.evaluate(moved, 0.8).full_residual - at) / step
        np.testing.assert_allclose(slope, here.full_jacobian[:, column], atol=3e-5)
    assert abs(here.full_jacobian[1, 2]) > 0.04
    assert abs(here.full_jacobian[2, 0]) > 0.02


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (lambda z, y: (z[0] - y[0]) ** 2 / 2, "do not vanish at z = 0"),
        (lambda z, y: (sp.log(z[0] ** 2) - y[0]) ** 2, "no expansion about z = 0"),
    ],
)
def test_what_is_no_solution_says_why(loss, words):
    assert words in null_obstacle(evolution_of(loss, 0.1), 1.0)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (lambda z, y: -(z[0] ** 4), "falls faster than the ridge penalty"),
        (lambda z, y: y[0] * z[0] ** 3, "falls faster than the ridge penalty"),
        (lambda z, y: sp.log(z[0] ** 2), "no lower bound at z = 0"),
    ],
)
def test_where_there_is_no_ground_state_the_audit_does_not_pass(loss, words):
    diagram = solve_phase_diagram(MultiIndexModel(loss, 0.1), (0.1, 2.0), points=3, rule=ROUGH, progress=False)
    assert not diagram.audit.passed
    assert words in diagram.audit.obstacle
    assert all(phase.branch is None and words in phase.reason for phase in diagram.phases)
    assert "not passed" in repr(diagram)


@pytest.mark.slow
def test_losses_that_fall_no_faster_than_the_penalty_are_solved():
    for loss in (lambda z, y: -y[0] * z[0], lambda z, y: z[0] ** 2 / 2 - sp.sqrt(1 + z[0] ** 2) * y[0]):
        diagram = solve_phase_diagram(MultiIndexModel(loss, 0.5), (0.5, 1.0), points=2, rule=ROUGH, progress=False)
        assert diagram.audit.obstacle == ""
        assert diagram.audit.passed
