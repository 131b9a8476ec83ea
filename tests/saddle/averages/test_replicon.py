"""The replicon eigenvalue against Monte Carlo, finite temperatures and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from replica import AttentionModel
from saddle import LineRule, Sector, StateEvolution, find_point
from saddle.averages.parameters import parameter_vector
from saddle.averages.rules.sobol import SobolRule
from saddle.continuation.newton import OutsideDomain
from tests.models.linear_mixture import linear_mixture
from tests.oracles.kernel_calls import global_minima, line_fields, replicon_line
from tests.oracles.oracles import envelope_on_line, jumps_by_search, sample_loss, target

PAPER = AttentionModel.paper()
CROSSED = AttentionModel.paper(positional_matrix=((0.3, 0.7), (0.8, 0.2)))
STATES = {
    "mixed": (0.0706, 0.1318, 22.24, 0.0582),
    "positional": (0.05001, 0.25857, 11.036, 0.0),
    "semantic": (0.0817, 0.0, 18.3, 0.118),
    "agnostic": (0.0765, 0.0, 28.03, 0.0),
}
COARSE = LineRule.for_tolerance(1e-2)
ACROSS = np.array([1.0, -1.0]) / np.sqrt(2.0)


def draw_fields(model: AttentionModel, state, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Local fields (n, 2) and targets (n, 2, 2) from their joint law."""
    q, m, _, theta = state
    rho, generator = model.token_variance, np.random.default_rng(seed)
    h = generator.normal(size=(count, 2)) * model.sigma
    w = m * np.array(model.positional_encoding) + theta / rho * h
    w += np.sqrt(q - theta**2 / rho) * generator.normal(size=(count, 2))
    return w, target(model, h)


def followed(kernel, model, w, targets, guesses, susceptibility) -> np.ndarray:
    """Minima that descend from guesses, (n, 2): the same minimum if the guess lies next to one."""
    out = np.zeros((len(w), 4))
    state = np.array([np.nan, np.nan, susceptibility, np.nan])
    kernel.lines.proximal_points(
        range(len(w)), w, targets.reshape(-1, 4), guesses, state, parameter_vector(model), out
    )  # fmt: skip
    assert np.all(out[:, 3] == 1.0)
    return out[:, :2]


@pytest.mark.parametrize(("model", "name"), [(PAPER, "mixed"), (PAPER, "positional"), (CROSSED, "semantic")])
def test_regular_part_by_monte_carlo(kernel, model, name):
    state, count, step = STATES[name], 1_200_000, 1e-5
    w, targets = draw_fields(model, state, count, 1)
    z = global_minima(kernel, model, w, targets, state[2])[:, :2].copy()
    squared = np.zeros(count)
    for k in range(2):
        shift = step * np.eye(2)[k]
        there, back = (followed(kernel, model, w + sign * shift, targets, z, state[2]) for sign in (1, -1))
        squared += np.sum(((there - back) / (2 * step) - np.eye(2)[k]) ** 2, axis=1)
    # Next to cusps there is a tail, X > x with a probability p proportional to x^(-5/4) (theory notes, section 9): no
    # variance, so that the sample's mean cannot be trusted. What lies below x can; what lies above follows from p.
    threshold = 100.0
    beyond = np.mean(squared > threshold)
    tail = 5.0 * threshold * beyond
    mean = np.mean(squared * (squared <= threshold)) + tail
    spread = np.hypot(np.std(squared * (squared <= threshold)), 5.0 * threshold * np.sqrt(beyond)) / np.sqrt(count)
    expected = 1.0 - StateEvolution(model, COARSE).replicon(np.array(state), 1.0).regular
    assert spread < 0.03 * expected
    assert abs(mean - expected) < 3 * spread
    # Without the tail the two would differ.
    assert tail > 3 * spread or model is CROSSED


@pytest.mark.parametrize(("model", "name"), [(PAPER, "mixed"), (CROSSED, "agnostic")])
def test_jump_strength_by_crossings(kernel, model, name):
    # A step of length eps across the line crosses a jump with probability eps times its density.
    state, count, step = STATES[name], 1_000_000, 0.016
    w, targets = draw_fields(model, state, count, 2)
    left, right = (
        global_minima(kernel, model, w + sign * 0.5 * step * ACROSS, targets, state[2])[:, :2] for sign in (-1, 1)
    )
    jumped = np.linalg.norm(right - left, axis=1) > 0.1
    # Both minima, where they are half-way: what the smooth motion adds to the step cancels to first order.
    left, right = (followed(kernel, model, w[jumped], targets[jumped], x[jumped], state[2]) for x in (left, right))
    move = right - left
    terms = np.zeros(count)
    # Next to a cusp the two may be one there.
    terms[jumped] = np.sum(move**2, 1) ** 2 / (6 * state[2] * np.maximum(np.abs(move @ ACROSS), 1e-6)) / step
    expected = StateEvolution(model, COARSE).replicon(np.array(state), 1.0).jump_strength
    spread = terms.std() / np.sqrt(count)
    assert spread < 0.05 * expected
    assert abs(terms.mean() - expected) < 3 * spread


def thermal_integrand(model, state, w, matrix, temperature, minima) -> np.ndarray:
    """|Cov(z)/(V T) - 1|^2 under the Gibbs weight at a temperature, by a sum over z around two minima, (n,)."""
    V = state[2]
    # The objective is quadratic with curvature of order 1/V around a minimum.
    reach = 12 * np.sqrt(V * temperature)
    axis = np.linspace(-reach, reach, 161)
    offsets = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    z = np.concatenate([offsets + x for x in minima])
    loss = sample_loss(model, z, matrix)
    values = np.empty(len(w))
    for k, field in enumerate(w):
        energy = np.sum((z - field) ** 2, axis=1) / (2 * V) + loss
        weight = np.exp(-(energy - energy.min()) / temperature)
        weight /= weight.sum()
        centred = z - weight @ z
        covariance = (centred * weight[:, None]).T @ centred
        values[k] = np.sum((covariance / (V * temperature) - np.eye(2)) ** 2)
    return values


def test_jump_strength_is_the_limit_of_a_small_temperature(kernel):
    state, h, common = STATES["agnostic"], np.array([0.7, -0.5]), 0.3
    matrix = target(PAPER, h)

    def minimiser(s: np.ndarray) -> np.ndarray:
        return envelope_on_line(PAPER, line_fields(PAPER, state, h, common, s), state[2], matrix)[0]

    ((at, *minima),) = jumps_by_search(minimiser, np.linspace(-4, 4, 81), 0.2)
    minima = np.reshape(minima, (2, 2))
    speed = np.sqrt(state[0]) * abs((minima[1] - minima[0]) @ ACROSS) / state[2]
    x, weights = np.polynomial.legendre.leggauss(100)
    found = []
    for temperature in (8e-6, 4e-6):
        width = 16 * temperature / speed
        s = at + width * x
        w = line_fields(PAPER, state, h, common, s)
        values = thermal_integrand(PAPER, state, w, matrix, temperature, minima)
        found.append(temperature * width * np.sum(weights * norm.pdf(s) * values))
    row = replicon_line(kernel, PAPER, state, h, common)
    assert row[2] == 1
    # Corrections are of first order in the temperature.
    assert row[1] == pytest.approx(2 * found[1] - found[0], rel=2e-3)
    assert row[1] == pytest.approx(found[1], rel=0.05)


@pytest.mark.parametrize("name", STATES)
def test_integration_between_births_against_sobol_points(name):
    state, rule = np.array(STATES[name]), SobolRule(points=2048, scrambles=8)
    between = StateEvolution(PAPER, COARSE).replicon(state, 1.0)
    plain = StateEvolution(PAPER, rule).replicon(state, 1.0)
    assert plain.regular_error < 0.1 * (1 - plain.regular)
    assert plain.jump_strength_error < 0.05 * plain.jump_strength
    assert abs(between.regular - plain.regular) < 3.5 * plain.regular_error
    assert abs(between.jump_strength - plain.jump_strength) < 3.5 * plain.jump_strength_error


@pytest.mark.parametrize("name", STATES)
def test_errors_cover_the_difference_from_a_finer_rule(name):
    state = np.array(STATES[name])
    coarse = StateEvolution(PAPER, COARSE).replicon(state, 1.0)
    fine = StateEvolution(PAPER, LineRule.for_tolerance(3e-5)).replicon(state, 1.0)
    for value, error in (("regular", "regular_error"), ("jump_strength", "jump_strength_error")):
        difference = abs(getattr(coarse, value) - getattr(fine, value))
        assert difference < getattr(coarse, error) + getattr(fine, error)
    assert fine.regular_error < 2e-3 * (1 - fine.regular)
    # The estimate is conservative where jumps are few.
    assert fine.jump_strength_error < 0.02 * fine.jump_strength
    assert coarse.failures <= 2


def test_small_susceptibility_has_no_jumps_and_a_known_limit():
    # z* = w - V grad loss(w) + O(V^2), so that the norm is that of V times the loss's Hessian at w.
    state = (0.08, 0.1, 1e-3, 0.05)
    w, targets = draw_fields(PAPER, state, 100_000, 3)
    step, axes = 1e-3, np.eye(2)
    squared = np.zeros(len(w))
    for i in range(2):
        for j in range(2):
            corners = [(a * b, w + step * (a * axes[i] + b * axes[j])) for a in (1, -1) for b in (1, -1)]
            entry = sum(sign * sample_loss(PAPER, x, targets) for sign, x in corners) / (4 * step**2)
            squared += entry**2
    got = StateEvolution(PAPER, COARSE).replicon(np.array(state), 1.0)
    assert got.jumps == 0
    assert got.jump_strength == 0.0
    assert got.stable
    assert (1 - got.regular) / state[2] ** 2 == pytest.approx(squared.mean(), rel=0.02)
    assert 3 * squared.std() / np.sqrt(len(w)) < 0.02 * squared.mean()


@pytest.mark.parametrize("A", [((0.6, 0.4), (0.4, 0.6)), ((0.45, 0.55), (0.7, 0.3)), ((0.7, 0.3), (0.55, 0.45))])
def test_small_fields_see_the_hessian_at_zero(A):
    # With omega = 1 the target is A; next to z = 0 the loss is quadratic in z, and z* linear in w.
    model = AttentionModel.paper(omega=1.0, positional_matrix=A)
    t_1, t_2 = 0.5 - A[0][0], 0.5 - A[1][0]
    hessian = model.token_variance / 2 * np.array([[2 * t_1, t_2 - t_1], [t_2 - t_1, -2 * t_2]])
    V = 7.0
    response = np.linalg.inv(np.eye(2) + V * hessian)
    got = StateEvolution(model, COARSE).replicon(np.array([1e-8, 0.0, V, 0.0]), 0.3)
    assert got.jump_strength == 0.0
    assert got.regular == pytest.approx(1 - 0.3 * np.sum((response - np.eye(2)) ** 2), abs=1e-4)
    assert got.stable == (got.regular > 0)


def test_small_fields_jump_between_known_minima():
    # Beyond V = 1/|lowest eigenvalue| z* = 0 splits into +-y (1, -1), and the jump passes through w = 0.
    model, V, q = AttentionModel.paper(omega=1.0), 40.0, 1e-10

    def objective(y: float) -> float:
        z = np.array([y, -y])
        return z @ z / (2 * V) + float(sample_loss(model, z, np.array(model.positional_matrix)))

    y = minimize_scalar(objective, bounds=(0.05, 2.0), method="bounded", options={"xatol": 1e-12}).x
    assert objective(y) < objective(0.0) - 1e-6
    height = 2 * y * np.sqrt(2.0)
    expected = height**3 / (6 * V) / np.sqrt(2 * np.pi * q)
    got = StateEvolution(model, LineRule()).replicon(np.array([q, 0.0, V, 0.0]), 0.7)
    assert got.jump_strength == pytest.approx(0.7 * expected, rel=1e-4)
    assert not got.stable


@pytest.mark.parametrize("signs", [(-1, 1), (1, -1), (-1, -1)])
def test_signs_of_the_overlaps_do_not_matter(signs):
    evolution = StateEvolution(CROSSED, COARSE)
    q, m, V, theta = STATES["mixed"]
    here = evolution.replicon(np.array([q, m, V, theta]), 1.25)
    there = evolution.replicon(np.array([q, signs[0] * m, V, signs[1] * theta]), 1.25)
    assert there.regular == pytest.approx(here.regular, abs=2 * here.regular_error)
    assert there.jump_strength == pytest.approx(here.jump_strength, rel=1e-6)


@pytest.mark.parametrize(("m", "theta"), [(0.0, 0.0), (0.1, 0.0), (0.0, 0.06)])
def test_skipping_equivalent_nodes_changes_nothing(m, theta):
    evolution = StateEvolution(CROSSED, COARSE)
    reduced = evolution.replicon(np.array([0.08, m, 20.0, theta]), 1.0)
    # Overlaps too small to matter, but not zero, switch the reduction off.
    full = evolution.replicon(np.array([0.08, m or 1e-13, 20.0, theta or 1e-13]), 1.0)
    assert full.jumps > reduced.jumps
    assert reduced.regular == pytest.approx(full.regular, abs=reduced.regular_error)
    assert reduced.jump_strength == pytest.approx(full.jump_strength, rel=1e-6)
    # The checkerboard has every symmetry that the lattice has.
    assert reduced.jump_strength_error == pytest.approx(full.jump_strength_error, rel=1e-2)


def test_proportional_to_alpha_and_unstable_without_jumps_when_large():
    evolution, state = StateEvolution(PAPER, COARSE), np.array([0.05, 0.1, 1.0, 0.02])
    small, large = evolution.replicon(state, 1e-6), evolution.replicon(state, 1e6)
    assert small.regular == pytest.approx(1.0, abs=1e-5)
    assert 1 - small.regular == pytest.approx(1e-12 * (1 - large.regular), rel=1e-6)
    assert small.jump_strength == large.jump_strength == 0.0
    assert small.stable
    assert not large.stable


def test_states_outside_the_domain_are_refused():
    evolution = StateEvolution(PAPER, COARSE)
    for state in ((-0.1, 0, 10, 0), (0.1, 0, 0, 0), (0.1, 0, 10, 0.5), (0.1, np.nan, 10, 0)):
        with pytest.raises(OutsideDomain):
            evolution.replicon(np.array(state, float), 1.0)


def test_jumps_of_small_fields_exist_beyond_a_known_susceptibility():
    # The most favourable target of the paper's model has T_11 = T_22 = 1 - 0.4 omega; at z = 0 its loss has the
    # lowest eigenvalue -sigma^2 (1 - 0.8 omega).
    threshold = 1.0 / (PAPER.token_variance * (1.0 - 0.8 * PAPER.omega))
    evolution = StateEvolution(PAPER, LineRule())
    below = evolution.replicon(np.array([0.02, 0.0, 0.98 * threshold, 0.0]), 1.0)
    above = evolution.replicon(np.array([0.02, 0.0, 1.2 * threshold, 0.0]), 1.0)
    assert (below.jumps, below.jump_strength) == (0, 0.0)
    assert above.jumps > 0
    assert above.jump_strength > above.jump_strength_error


@pytest.mark.slow
def test_lines_within_the_surface_of_a_jump_are_left_out():
    # An even loss: jumps from (a, a) to (-a, -a) are tied all along lines in (1, -1) on which the common mode is zero.
    model = linear_mixture()
    shares = []
    for tolerance, alpha in ((1e-3, 1.9), (1e-2, 2.3)):
        evolution = StateEvolution(model, LineRule.for_tolerance(tolerance))
        point = find_point(evolution, Sector.AGNOSTIC, alpha)
        found = evolution.replicon(np.array(list(point.order_parameters.values())), alpha, quick=True)
        assert found.jumps > 0
        shares.append(found.jump_strength / point.evaluation.averages.envelope)
    # Rounding divided by rounding made this 1e10 and 3e11.
    assert shares == pytest.approx([1.4, 1.2], rel=0.1)
