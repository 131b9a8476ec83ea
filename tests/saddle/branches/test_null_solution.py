"""The solution Q = 0: against the limits of branches that leave it, direct training, and equations typed by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import sympy as sp

from replica import AttentionModel, linear_attention
from replica.common.errors import InvalidArgument
from replica.equations.origin_expansion import expand_at_origin
from replica.model.any_model import loss_model
from saddle import LineRule, StateEvolution
from saddle.branches.null import channel as null_channel
from saddle.branches.null.channel import NullChannel
from saddle.branches.null.departing import departing_state
from saddle.branches.null.departures import null_departures, null_reach
from saddle.branches.null.solution import NullProblem, null_evaluation, null_obstacle, null_replicon, null_sector
from saddle.branches.search.sector_solver import evaluation_of, solve_state
from validation.simulation.gradient_descent import train_student
from validation.simulation.losses.training_loss import TrainingLoss
from validation.simulation.teacher import draw_teacher_data
from validation.simulation.training import Training

RULE = LineRule.for_tolerance(1e-3)
STRONG = AttentionModel.paper(regularization=0.1)
NARROW = AttentionModel.paper(sigma=0.3)
TWO_GROUPS = AttentionModel(
    omega=0.3,
    regularization=0.2,
    spectrum=[{"weight": 0.3, "eigenvalues": (0.6, 0.2)}, {"weight": 0.7, "eigenvalues": (0.1, 0.25)}],
)
THREE_TOKENS = AttentionModel(
    omega=0.3,
    regularization=0.3,
    positional_encoding=(1, 1, -1),
    positional_matrix=[[0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [0.15, 0.15, 0.7]],
)


@pytest.fixture(scope="module")
def strong() -> StateEvolution:
    return StateEvolution(STRONG, RULE, threads=1)


@pytest.fixture(scope="module")
def departures(strong):
    found = null_departures(strong, 0.01, 6.0)
    return {departure.leaves: departure for departure in found}


def typed_target(h, omega=0.3, matrix=((0.6, 0.4), (0.4, 0.6))):
    """T(h*) of the paper's model, (n, 2, 2)."""
    logits = np.exp(h[:, :, None] * h[:, None, :])
    return (1 - omega) * logits / logits.sum(axis=2, keepdims=True) + omega * np.array(matrix)


def typed_loss(z, target, variance):
    """The sample loss of softmax attention at z, (n, L)."""
    logits = np.exp(z[:, :, None] * z[:, None, :])
    return variance / 2 * np.sum((logits / logits.sum(axis=2, keepdims=True) - target) ** 2, axis=(1, 2))


def typed_hessian(loss, length, step=1e-3):
    """Second derivatives at z = 0 of an even loss of z (n, length) by differences, to fourth order in the step."""
    axes = np.eye(length)

    def second(h):
        n = [[loss(h * (axes[a] + axes[b])) - loss(h * (axes[a] - axes[b])) for b in range(length)]
             for a in range(length)]  # fmt: skip
        return np.moveaxis(np.array(n), 2, 0) / (2 * h**2)

    return (4 * second(step) - second(2 * step)) / 3


@pytest.mark.parametrize(("model", "expected"), [(NARROW, 0.526), (STRONG, 1.054)])
def test_positional_solutions_leave_where_known(model, expected):
    evolution = StateEvolution(model, RULE, threads=1)
    first = null_departures(evolution, 0.1, 1.5)[0]
    assert (first.leaves, first.unknown, first.unstable_above) == ("positional", "positional_overlap", True)
    assert first.alpha == pytest.approx(expected, abs=5e-4)
    below, above = (null_evaluation(evolution, first.alpha * factor) for factor in (0.999, 1.001))
    assert below is not None
    assert above is not None
    assert (below.stable, above.stable) == (True, False)


@pytest.mark.parametrize("model", [AttentionModel.paper(regularization=1.0), AttentionModel.paper(sigma=0.15)])
def test_strong_penalties_and_narrow_tokens_have_it_as_their_minimum(model):
    evolution = StateEvolution(model, RULE, threads=1)
    (interval,) = null_reach(evolution, 0.01, 3.0)
    assert (interval.low, interval.high, interval.low_end, interval.high_end) == (0.01, 3.0, "range", "range")
    assert null_departures(evolution, 0.01, 3.0) == ()
    assert all(null_evaluation(evolution, alpha).stable for alpha in (0.01, 1.0, 3.0))


@pytest.mark.parametrize("family", ["positional", "semantic", "agnostic"])
def test_branches_vanish_where_they_leave(strong, departures, family):
    departure = departures[family]
    points = []
    for distance in (1e-3, 2e-3, 4e-3):
        alpha = departure.alpha * (1 + distance)
        start = departing_state(strong, departure, alpha)
        result = solve_state(strong, strong.space.sector_named(family), start, alpha)
        here = evaluation_of(result)
        assert 0 < here.state[0] < 1e-3
        points.append((here.state[0], alpha))
    # A parabola in q through three solutions, at q = 0.
    q, alpha = np.array(points).T
    assert np.polyval(np.polyfit(q, alpha, 2), 0.0) == pytest.approx(departure.alpha, rel=2e-4)
    assert departing_state(strong, departure, departure.alpha * 0.99) is None


def test_v_has_a_fold_where_agnostic_solutions_leave(strong, departures):
    end = departures["agnostic"].alpha
    (interval,) = null_reach(strong, 0.01, 6.0)
    assert interval.high_end == "fold"
    assert interval.high == pytest.approx(end, rel=1e-6)
    squares = [null_evaluation(strong, end - x).full_jacobian[0, 0] ** 2 for x in (1e-5, 2e-5)]
    assert squares[1] / squares[0] == pytest.approx(2, rel=0.02)
    assert null_evaluation(strong, end * (1 + 1e-5)) is None
    assert "negative curvature" in null_obstacle(strong, end * (1 + 1e-5))


def test_free_entropy_is_the_loss_of_no_attention(strong):
    generator = np.random.default_rng(1)
    target = typed_target(0.5 * generator.normal(size=(200_000, 2)))
    losses = typed_loss(np.zeros((len(target), 2)), target, 0.25)
    error = losses.std() / np.sqrt(len(losses))
    values = []
    for alpha in (0.4, 0.5, 0.6):
        here = null_evaluation(strong, alpha)
        assert here.free_entropy == pytest.approx(-alpha * losses.mean(), abs=4 * alpha * error)
        assert here.train_loss == pytest.approx(-here.free_entropy, rel=1e-12)
        assert here.test_error == pytest.approx(losses.mean(), abs=4 * error)
        assert np.max(np.abs(here.full_residual / here.full_units)) < 1e-12
        values.append(here.free_entropy)
    slope = (values[2] - values[0]) / 0.2
    assert slope == pytest.approx(-null_evaluation(strong, 0.5).averages.envelope, rel=1e-9)


def test_averages_by_monte_carlo(strong):
    here = null_evaluation(strong, 0.5)
    generator = np.random.default_rng(2)
    h = 0.5 * generator.normal(size=(100_000, 2))
    target = typed_target(h)
    hessian = typed_hessian(lambda z: typed_loss(np.broadcast_to(z, h.shape), target, 0.25), 2)
    curvature = hessian @ np.linalg.inv(np.eye(2) + here.state[2] * hessian)
    samples = {
        "V_hat": curvature[:, 0, 0] + curvature[:, 1, 1],
        "q_hat in q": np.sum(curvature**2, axis=(1, 2)),
        "m_hat in m": -np.einsum("a,nab,b->n", [1, -1], curvature, [1, -1]),
        "theta_hat in theta": 4 * np.trace(curvature, axis1=1, axis2=2)
        - 16 * np.einsum("na,nab,nb->n", h, curvature, h),
    }
    averages = here.averages
    found = [averages.conjugates[2], averages.derivatives[0, 0], *averages.odd_blocks]
    for value, sample in zip(found, samples.values(), strict=True):
        assert value == pytest.approx(sample.mean(), abs=4 * sample.std() / np.sqrt(len(h)))
    assert averages.derivatives[2, 2] == -averages.derivatives[0, 0]
    V, D = here.state[2], 0.1 + 0.25 * here.conjugates[2]
    assert here.state[2] * D == pytest.approx(0.25, rel=1e-12)
    replicon = null_replicon(strong, 0.5)
    assert replicon.regular == pytest.approx(1 - 0.5 * V**2 * averages.derivatives[0, 0], rel=1e-12)
    assert replicon.stable


@pytest.mark.parametrize("model", [STRONG, pytest.param(TWO_GROUPS, marks=pytest.mark.slow)])
def test_jacobian_is_the_limit_of_the_general_one(model):
    # The general equations divide by q: their rule's error, over q, is what limits the comparison.
    evolution = StateEvolution(model, LineRule.for_tolerance(1e-4), threads=1)
    here = null_evaluation(evolution, 0.7)
    own = list(evolution.space.of_kind("self_overlap"))
    sizes = []
    for size in (1e-3, 2e-3):
        state = here.state.copy()
        state[own] = size * here.full_units[own]
        sizes.append(evolution.evaluate(state, 0.7))
    near, far = sizes
    for name in (
        "full_jacobian",
        "conjugates",
        "alpha_derivative",
        "overlap_derivatives",
        "free_entropy",
        "train_loss",
    ):
        limit = 2 * np.asarray(getattr(near, name)) - np.asarray(getattr(far, name))
        expected = np.asarray(getattr(here, name))
        np.testing.assert_allclose(expected, limit, rtol=4e-3, atol=2e-3 * np.max(np.abs(expected)))
    limit = 2 * near.averages.test_error_derivatives - far.averages.test_error_derivatives
    np.testing.assert_allclose(here.averages.test_error_derivatives[own], limit[own], rtol=1e-3)
    np.testing.assert_allclose(here.averages.odd_blocks, near.averages.odd_blocks, rtol=1e-2, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("model", [THREE_TOKENS, AttentionModel.paper(regularization=0.3, rank=2)])
def test_envelope_of_small_fields_to_fourth_order(model):
    problem = NullProblem(StateEvolution(model, threads=1))
    channel, kernel = problem.channel, problem.evolution.channel.kernel.lines
    generator = np.random.default_rng(3)
    here = problem.solve(0.7)
    count = 20
    targets = channel.targets(channel.teacher_fields(generator.normal(size=(count, channel.nodes.nodes.shape[1]))))
    losses, hessians = channel.derivatives(targets)
    V = channel.block(here.susceptibilities)
    gain = np.linalg.inv(np.eye(channel.size) + V @ hessians)
    fields = generator.normal(size=(count, channel.size))
    moved = np.einsum("nab,nb->na", gain, fields)
    second = np.einsum("na,nab,nb->n", fields, hessians @ gain, fields)
    entries = channel.expansion.quartic
    values = channel._of_targets(list(entries.values()), targets)
    fourth = sum(
        value * np.prod(moved[:, list(order)], axis=1)
        for indices, value in zip(entries, values, strict=True)
        for order in set(itertools.permutations(indices))
    )
    size, out = 0.2, np.empty((count, channel.size + 2))
    state, parameters = problem.state(here.susceptibilities), problem.evolution.prior.parameters
    remainders = []
    for scale in (size, size / 2):
        kernel.proximal_points(range(count), scale * fields, targets, scale * fields, state, parameters, out)
        assert np.all(out[:, -1] == 1.0)
        remainders.append(out[:, channel.size] - losses - scale**2 * second / 2)
    # Of what is left after the fourth order, which is of sixth, Richardson's extrapolation removes most.
    found = (16 * remainders[1] * 4 - remainders[0]) / 3 / size**4
    np.testing.assert_allclose(found, fourth / 24, atol=0.02 * np.max(np.abs(fourth)) / 24)


@pytest.mark.slow
def test_columns_of_two_are_those_of_one(strong):
    one = StateEvolution(AttentionModel.paper(regularization=0.3), RULE, threads=1)
    two = StateEvolution(AttentionModel.paper(regularization=0.3, rank=2), threads=1)
    here, there = null_evaluation(one, 0.7), null_evaluation(two, 0.7)
    V = two.space.matrices(there.state, "susceptibility")
    np.testing.assert_allclose(V[0], here.state[2] * np.eye(2), rtol=1e-10, atol=1e-14)
    assert there.free_entropy == pytest.approx(here.free_entropy, rel=1e-12)
    assert there.train_loss == pytest.approx(here.train_loss, rel=1e-12)
    assert there.stable
    assert np.all(there.full_units > 0)
    for single, double in zip(null_departures(one, 0.1, 30.0), null_departures(two, 0.1, 30.0), strict=True):
        assert double.alpha == pytest.approx(single.alpha, rel=1e-8)
        assert double.leaves == single.leaves
        assert double.dimension == {"agnostic": 3, "positional": 2, "semantic": 2}[single.leaves]
    assert null_sector(two.space).free == (5, 7)


@pytest.mark.slow
def test_three_tokens_solve_equations_typed_by_hand():
    evolution, alpha = StateEvolution(THREE_TOKENS, threads=1), 0.7
    here = null_evaluation(evolution, alpha)
    generator = np.random.default_rng(4)
    h = 0.5 * generator.normal(size=(40_000, 3))
    target = typed_target(h, matrix=THREE_TOKENS.positional_matrix)
    hessian = typed_hessian(lambda z: typed_loss(np.broadcast_to(z, h.shape), target, 0.25), 3)
    V = here.state[2]
    trace = np.trace(hessian @ np.linalg.inv(np.eye(3) + V * hessian), axis1=1, axis2=2)
    error = trace.std() / np.sqrt(len(h))
    D = 0.3 + 0.25 * alpha * trace.mean()
    assert pytest.approx(0.25 / V, abs=4 * 0.25 * alpha * error) == D
    assert here.stable


def test_linear_attention_solves_equations_typed_by_hand():
    model = AttentionModel(omega=0.3, regularization=1.0, attention=linear_attention())
    evolution, alpha = StateEvolution(model, RULE, threads=1), 1.5
    here = null_evaluation(evolution, alpha)
    x, weight = np.polynomial.hermite_e.hermegauss(40)
    h = 0.5 * np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
    weights = np.outer(weight, weight).ravel() / weight.sum() ** 2
    target = typed_target(h)
    hessian = -0.25 * (target + target.transpose(0, 2, 1))
    V = 0.25
    for _ in range(200):
        trace = np.trace(hessian @ np.linalg.inv(np.eye(2) + V * hessian), axis1=1, axis2=2)
        V = 0.25 / (1.0 + 0.25 * alpha * weights @ trace)
    assert here.state[2] == pytest.approx(V, rel=1e-9)
    assert here.free_entropy == pytest.approx(-alpha * weights @ np.sum(target**2, axis=(1, 2)) / 8, rel=1e-9)


def finite_hessian(channel: NullChannel, alpha: float, dimension: int, seed: int) -> np.ndarray:
    """The training loss's Hessian in Q at Q = 0 of the paper's model for one data set, (d, d)."""
    data = draw_teacher_data(channel.model, dimension, alpha, np.random.default_rng(seed))
    tokens = np.asarray(data.tokens)
    fields = np.einsum("lnd,d->nl", tokens, np.ravel(data.teacher)) / np.sqrt(dimension)
    _, hessians = channel.derivatives(channel.targets(fields[:, :, None]))
    moved = tokens + np.asarray(data.encodings)[:, None, :]
    total = np.einsum("lnd,nlk,kne->de", moved, hessians, moved, optimize=True) / dimension
    return channel.model.regularization * np.eye(dimension) + total


def test_v_is_the_resolvent_of_the_hessian_of_a_data_set(strong):
    channel = NullProblem(strong).channel
    at = {alpha: finite_hessian(channel, alpha, 400, seed=5) for alpha in (0.5, 2.0, 3.3, 6.0)}
    V = 0.25 * np.trace(np.linalg.inv(at[0.5])) / 400
    assert null_evaluation(strong, 0.5).state[2] == pytest.approx(V, rel=0.01)
    negative = {alpha: int(np.sum(np.linalg.eigvalsh(matrix) < 0)) for alpha, matrix in at.items()}
    # Positional and semantic directions are outliers below a gap, which closes at the fold.
    assert (negative[0.5], negative[2.0], negative[3.3]) == (0, 1, 2)
    assert negative[6.0] > 5


def test_training_ends_at_no_weights(strong):
    alpha, generator = 0.6, np.random.default_rng(6)
    data = draw_teacher_data(STRONG, 300, alpha, generator)
    training = Training(method="l-bfgs", gradient_tolerance=1e-6, test_samples=4000)
    run = train_student(data, "random", generator=generator, training=training)
    here = null_evaluation(strong, alpha)
    assert run.converged
    assert run.self_overlap < 1e-10
    assert run.test_error == pytest.approx(here.test_error, abs=5 * run.test_error_standard_error)
    assert run.train_loss == pytest.approx(TrainingLoss.of(data).per_dimension(np.zeros(300)), rel=1e-9)
    several = [draw_teacher_data(STRONG, 300, alpha, generator) for _ in range(60)]
    losses = np.array([TrainingLoss.of(each).per_dimension(np.zeros(300)) for each in several])
    error = losses.std(ddof=1) / np.sqrt(len(losses))
    assert error < 0.02 * losses.mean()
    # Of order 1/d: |x|^2/d is not yet its mean.
    assert losses.mean() == pytest.approx(-here.free_entropy, abs=3 * error + losses.mean() / 300)


def test_where_the_samples_prefer_other_minima_there_is_no_such_solution():
    paper = StateEvolution(AttentionModel.paper(), RULE, threads=1)
    for alpha in (0.01, 1.0, 3.0):
        assert null_evaluation(paper, alpha) is None
        assert null_obstacle(paper, alpha) is not None
    assert null_reach(paper, 0.1, 3.0) == ()
    assert null_departures(paper, 0.1, 3.0) == ()


def test_no_sample_has_a_lower_minimum_and_beyond_the_end_some_do():
    problem = NullProblem(StateEvolution(NARROW, RULE, threads=1))
    (interval,) = null_reach(problem.evolution, 0.1, 10.0)
    assert interval.high_end == "escape"
    grid = np.stack(np.meshgrid(*[np.linspace(-4, 4, 81)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)

    def gains(h, V):
        target = np.broadcast_to(typed_target(h[None]), (len(grid), 2, 2))
        objective = np.sum(grid**2, axis=1) / (2 * V) + typed_loss(grid, target, 0.09)
        return objective.min() < objective[np.flatnonzero(np.all(grid == 0, axis=1))[0]] * (1 - 1e-9)

    inside = problem.solve(interval.high * 0.98).susceptibilities[0]
    beyond = 1.05 * problem.solve(interval.high * 0.9999).susceptibilities[0]
    generator = np.random.default_rng(7)
    directions = generator.normal(size=(60, 2))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    # As far out as fields are met, which is where minima are first lost.
    for radius in (1.0, 3.0, 6.0):
        assert not any(gains(0.3 * radius * x, inside) for x in directions)
    assert any(gains(0.3 * problem.channel.reach * x, beyond) for x in directions)


def test_errors_cover_what_a_finer_rule_changes(monkeypatch):
    model = AttentionModel.paper(sigma=1.0, regularization=5.0)
    monkeypatch.setattr(null_channel, "HERMITE", {2: ((12, 9),)})
    null_channel.null_channel.cache_clear()
    evolution = StateEvolution(model, RULE, threads=1)
    rough = null_evaluation(evolution, 0.7)
    monkeypatch.undo()
    null_channel.null_channel.cache_clear()
    fine = null_evaluation(evolution, 0.7)
    (free,) = null_sector(evolution.space).free
    difference = abs(rough.state[free] - fine.state[free])
    assert 0 < difference <= rough.order_parameter_errors((free,))[free]
    assert abs(rough.free_entropy - fine.free_entropy) <= rough.free_entropy_error
    assert abs(rough.test_error - fine.test_error) <= rough.solution_test_error_error((free,))
    assert fine.order_parameter_errors((free,))[free] < 0.01 * difference


def test_a_loss_that_is_not_even_has_no_such_solution():
    model = AttentionModel.paper(regularization=1.0, attention=lambda h: h * sp.ones(1, 2))
    assert not expand_at_origin(loss_model(model)).is_even
    assert expand_at_origin(loss_model(STRONG)).is_even


def test_arguments_are_checked(strong):
    for alpha in (0.0, -1.0, float("nan")):
        with pytest.raises(InvalidArgument, match="alpha must be positive"):
            null_evaluation(strong, alpha)
    with pytest.raises(InvalidArgument, match="ascending"):
        null_reach(strong, 2.0, 1.0)
    with pytest.raises(InvalidArgument, match="ascending"):
        null_departures(strong, 0.0, 1.0)
