"""The jump-resolving line rule against brute force, closed forms and itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from replica import AttentionModel
from saddle import LineRule
from saddle.averages.channel import Channel
from tests.oracles.kernel_calls import EXACT_LINE, average_line, global_minima
from tests.oracles.oracles import attention_weights, envelope_on_line, sample_loss, target

PAPER = AttentionModel.paper()
CROSSED = AttentionModel.paper(positional_matrix=((0.3, 0.7), (0.8, 0.2)))
JUMPS, FAILURES = -3, -2


def brute_line(model, state, h, common, points=6001, extent=5.5):
    """Average of (q_hat, m_hat integrands, envelope) and the jumps along a line, by a dense grid."""
    q, m, V, theta = state
    rho = model.token_variance
    s = np.linspace(-extent, extent, points)
    spread = np.sqrt((q - theta**2 / rho) / 2)
    w = np.stack([common + s, common - s], axis=1) * spread
    w += m * np.array(model.positional_encoding) + theta / rho * np.asarray(h)
    z, envelope = envelope_on_line(model, w, V, target(model, np.asarray(h)), nodes=81)
    g = (z - w) / V
    weight = norm.pdf(s) * (s[1] - s[0])
    moves = np.linalg.norm(np.diff(z, axis=0), axis=1)
    averages = [np.sum(weight * np.sum(g**2, 1)), np.sum(weight * (g @ model.positional_encoding))]
    jumps = [int(np.sum((moves > 0.2) & (np.abs(s[1:]) < reach))) for reach in (4.0, np.inf)]
    return np.array([*averages, np.sum(weight * envelope)]), jumps


LINES = [
    # (model, state, h*, common mode): with one jump, without, near a cusp, near triple points, other token.
    (PAPER, (0.05, 0.2586, 11.0, 0.0), (0.6, -0.3), 0.4),
    (PAPER, (0.05, 0.2586, 11.0, 0.0), (0.19, -0.98), 0.44),
    (PAPER, (0.05, 0.2586, 11.0, 0.0), (0.1, 0.1), -1.2),
    (PAPER, (0.0765, 0.0, 28.0, 0.0), (0.7, 0.5), 0.3),
    (PAPER, (0.0765, 0.0, 33.0, 0.0), (1.2, 1.0), 2.2),
    (PAPER, (0.1148, 0.0, 12.7, 0.158), (-0.5, 0.8), 1.0),
    (CROSSED, (0.08, 0.1, 22.0, 0.05), (0.9, -0.4), 0.7),
    (CROSSED, (0.08, 0.0, 30.0, 0.0), (0.2, 0.3), -0.5),
]


@pytest.mark.parametrize(("model", "state", "h", "common"), LINES)
def test_line_average_against_brute_force(kernel, model, state, h, common):
    row = average_line(kernel, model, state, h, common, EXACT_LINE)
    expected, jumps = brute_line(model, state, h, common)
    # A jump far out, where no weight lies, need not be found.
    assert jumps[0] <= row[JUMPS] <= jumps[1]
    assert row[FAILURES] == 0
    # The envelope is continuous, so the dense grid is accurate; g jumps, which costs the grid a step of its own.
    assert row[4] == pytest.approx(expected[2], rel=2e-6)
    assert row[0] == pytest.approx(expected[0], rel=3e-3)
    assert row[1] == pytest.approx(expected[1], rel=3e-3, abs=3e-6)


@pytest.mark.parametrize(("model", "state", "h", "common"), LINES)
def test_line_average_does_not_depend_on_its_own_orders(kernel, model, state, h, common):
    row = average_line(kernel, model, state, h, common)
    fine = average_line(kernel, model, state, h, common, EXACT_LINE)
    assert row[JUMPS] == fine[JUMPS]
    assert row[FAILURES] == fine[FAILURES] == 0
    np.testing.assert_allclose(row[:7], fine[:7], rtol=1e-4, atol=1e-8)
    # Odd blocks weight the line's ends with s^2 and s^4, where nodes are few if the jump is far from the centre.
    np.testing.assert_allclose(row[7:9], fine[7:9], rtol=1e-3, atol=1e-8)


@pytest.mark.parametrize("model", [PAPER, CROSSED], ids=["paper", "crossed"])
@pytest.mark.parametrize("susceptibility", [9.0, 18.0, 32.0])
def test_global_minimiser_against_dense_grid(kernel, model, susceptibility):
    generator = np.random.default_rng(1)
    for h in generator.normal(size=(4, 2)) * model.sigma:
        w = generator.normal(size=(300, 2)) * generator.choice([0.1, 0.3, 0.6], size=(300, 1))
        matrix = target(model, h)
        _, envelope = envelope_on_line(model, w, susceptibility, matrix)
        out = global_minima(kernel, model, w, np.tile(matrix, (300, 1, 1)), susceptibility)
        assert np.all(out[:, 3] == 1.0)
        assert np.max(out[:, 2] - envelope) < 1e-12
        np.testing.assert_allclose(out[:, 2], envelope, atol=1e-12)


def test_published_accuracy_study(kernel):
    # Theory notes, section 8: converged values at (q, m, V, theta) = (0.05001, 0.25857, 11.036, 0).
    state = np.array([0.05001, 0.25857, 11.036, 0.0])
    coarse = Channel(kernel, PAPER, LineRule()).averages(state)
    fine = Channel(kernel, PAPER, LineRule.for_tolerance(1e-5)).averages(state)
    assert fine.conjugates[0] == pytest.approx(1.34429e-4, rel=5e-5)
    assert fine.conjugates[1] == pytest.approx(2.92584e-3, rel=2e-5)
    assert fine.conjugates[2] == pytest.approx(2.43240e-2, rel=2e-5)
    assert fine.envelope == pytest.approx(2.510600e-3, rel=2e-6)
    np.testing.assert_allclose(coarse.conjugates[:3], fine.conjugates[:3], rtol=1e-3)
    assert coarse.failures == fine.failures == 0


def test_default_rule_is_good_to_a_thousandth_in_every_conjugate(kernel):
    for state in ((0.0817, 0.0, 18.3, 0.118), (0.0765, 0.0, 28.03, 0.0), (0.0706, 0.1318, 22.24, 0.0582)):
        coarse = Channel(kernel, PAPER, LineRule()).averages(np.array(state))
        fine = Channel(kernel, PAPER, LineRule.for_tolerance(1e-5)).averages(np.array(state))
        used = fine.conjugates != 0.0
        np.testing.assert_allclose(coarse.conjugates[used], fine.conjugates[used], rtol=1e-3)


@pytest.mark.parametrize("state", [(0.08, 0.0, 20.0, 0.0), (0.08, 0.1, 20.0, 0.0), (0.08, 0.0, 20.0, 0.06)])
def test_skipping_equivalent_nodes_changes_nothing(kernel, coarse_rule, state):
    # Mirror images may grade their nodes towards different, equally soft points, so lines are done exactly.
    rule = replace(coarse_rule, line=EXACT_LINE)
    reduced = Channel(kernel, PAPER, rule).averages(np.array(state))
    # A perturbation too small to matter, but not zero, switches the reduction off.
    nudged = np.array([x if x else 1e-13 for x in state])
    full = Channel(kernel, PAPER, rule).averages(nudged)
    np.testing.assert_allclose(reduced.conjugates, full.conjugates, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(reduced.derivatives, full.derivatives, rtol=1e-6, atol=1e-8)
    assert reduced.envelope == pytest.approx(full.envelope, rel=1e-8)
    assert reduced.test_error == pytest.approx(full.test_error, rel=1e-6)


def test_using_token_exchange_changes_nothing(kernel, coarse_rule):
    state = np.array([0.07, 0.13, 22.0, 0.058])
    symmetric = Channel(kernel, PAPER, coarse_rule).averages(state)
    # A matrix that is asymmetric by rounding only switches the use of the symmetry off.
    nudged = AttentionModel.paper(positional_matrix=((0.6, 0.4), (0.4, 0.6 + 1e-13)))
    full = Channel(kernel, nudged, coarse_rule).averages(state)
    np.testing.assert_allclose(symmetric.conjugates, full.conjugates, rtol=1e-5)
    np.testing.assert_allclose(symmetric.derivatives, full.derivatives, rtol=1e-4, atol=1e-7)
    assert symmetric.test_error == pytest.approx(full.test_error, rel=1e-6)
    assert symmetric.jumps < full.jumps


def test_result_does_not_depend_on_the_number_of_threads(kernel, coarse_rule):
    state = np.array([0.07, 0.13, 22.0, 0.058])
    one, two = (Channel(kernel, PAPER, coarse_rule, threads).averages(state) for threads in (1, 2))
    assert np.array_equal(one.conjugates, two.conjugates)
    assert np.array_equal(one.derivatives, two.derivatives)
    assert np.array_equal(one.test_error_derivatives, two.test_error_derivatives)
    assert np.array_equal(one.odd_blocks, two.odd_blocks)
    assert np.array_equal(one.differences, two.differences)
    one_slopes, two_slopes = (Channel(kernel, PAPER, coarse_rule, n).parameter_derivatives(state) for n in (1, 2))
    assert np.array_equal(one_slopes.conjugates, two_slopes.conjugates)
    assert np.array_equal(one_slopes.envelope, two_slopes.envelope)
    assert (one.envelope, one.test_error) == (two.envelope, two.test_error)


def test_odd_blocks_agree_by_both_routes(kernel):
    # Derivative of m_hat in m where m = 0: moving jumps on one side, the density's derivative on the other.
    averages = Channel(kernel, PAPER, LineRule.for_tolerance(1e-5)).averages(np.array([0.1148, 0.0, 12.67, 0.158]))
    assert averages.derivatives[1, 1] == pytest.approx(averages.odd_blocks[0], rel=2e-3)
    averages = Channel(kernel, PAPER, LineRule.for_tolerance(1e-5)).averages(np.array([0.05, 0.2586, 11.0, 0.0]))
    assert averages.derivatives[3, 3] == pytest.approx(averages.odd_blocks[1], rel=2e-3)


def test_test_error_by_monte_carlo(kernel):
    q, m, _, theta = state = (0.0706, 0.1318, 22.24, 0.0582)
    generator = np.random.default_rng(3)
    n, rho = 400_000, PAPER.token_variance
    h = generator.normal(size=(n, 2)) * PAPER.sigma
    w = m * np.array(PAPER.positional_encoding) + theta / rho * h
    w += np.sqrt(q - theta**2 / rho) * generator.normal(size=(n, 2))
    errors = sample_loss(PAPER, w, (1 - PAPER.omega) * attention_weights(h) + PAPER.omega * np.array(
        PAPER.positional_matrix))  # fmt: skip
    got = Channel(kernel, PAPER, LineRule()).averages(np.array(state)).test_error
    assert abs(got - errors.mean()) < 4 * errors.std() / np.sqrt(n)
