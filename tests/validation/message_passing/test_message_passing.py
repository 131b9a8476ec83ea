"""Approximate message passing: proximal points, fixed points, and state evolution along the iterations."""

import math

import numpy as np
import pytest

from replica import AttentionModel
from saddle import LineRule, Sector, StateEvolution
from validation import (
    MessagePassingSettings,
    Training,
    TrainingLoss,
    approximate_message_passing,
    draw_teacher_data,
    state_evolution_trajectory,
    student_with_overlaps,
    train_student,
)
from validation.simulation.wells.sample_losses import SampleLosses

PAPER = AttentionModel.paper(omega=0.3)
# Nothing symmetric: rows of A do not sum to one, the encodings do not cancel.
CROOKED = AttentionModel(
    omega=0.35, sigma=0.7, positional_matrix=((0.3, 0.9), (0.8, -0.2)), positional_encoding=(1.3, -0.4)
)
RULE = LineRule.for_tolerance(1e-4)


def draw(model=PAPER, dimension=200, alpha=2.0, seed=0, **options):
    return draw_teacher_data(model, dimension, alpha, np.random.default_rng(seed), **options)


def passes(model, alpha, state, dimension, seed, iterations, **settings):
    """Return a run on its own data set, from exactly the overlaps of a state (q, m, V, theta)."""
    generator = np.random.default_rng([dimension, seed])
    data = draw_teacher_data(model, dimension, alpha, generator, spherical_teacher=True)
    q, m, V, theta = state
    start = student_with_overlaps(data, q, m, theta, generator)
    return approximate_message_passing(
        data, start, V, MessagePassingSettings(iterations, **settings), generator=generator
    )


def mean_and_error(values):
    return np.mean(values, axis=0), np.std(values, axis=0, ddof=1) / math.sqrt(len(values))


# ------------------------------------------------------------------------------------------- proximal points


@pytest.mark.parametrize("model", [PAPER, CROOKED])
def test_sample_losses_are_the_training_loss_up_to_constants(model):
    loss = TrainingLoss.of(draw(model, dimension=9, alpha=5))
    losses = SampleLosses.of(loss)
    differences = []
    for student in 3 * np.random.default_rng(1).standard_normal((4, 9)):
        z = loss.preactivations(student).T
        differences.append(losses.value(z) - loss.squared_errors(student) / 18)
        gradient = loss.transposed(losses.gradient(z).T) / 3 + model.regularization * student
        np.testing.assert_allclose(gradient, loss.gradient(student), rtol=1e-11, atol=1e-13)
    for difference in differences[1:]:
        np.testing.assert_allclose(difference, differences[0], rtol=1e-10, atol=1e-12)


def test_derivatives_of_sample_losses_equal_finite_differences():
    losses = SampleLosses.of(TrainingLoss.of(draw(CROOKED, dimension=30)))
    z = 1.5 * np.random.default_rng(2).standard_normal((60, 2))
    step = 1e-5
    for axis in range(2):
        moved = step * np.eye(2)[axis]
        slope = (losses.value(z + moved) - losses.value(z - moved)) / (2 * step)
        np.testing.assert_allclose(losses.gradient(z)[:, axis], slope, atol=1e-9)
        curvature = (losses.gradient(z + moved) - losses.gradient(z - moved)) / (2 * step)
        np.testing.assert_allclose(losses.hessian(z)[:, axis], curvature, atol=1e-9)


@pytest.mark.parametrize("variance", [3.0, 12.0, 30.0])
def test_proximal_points_are_global_minimisers(variance):
    losses = SampleLosses.of(TrainingLoss.of(draw(CROOKED, dimension=100)))
    w = 0.6 * np.random.default_rng(3).standard_normal((200, 2))
    z = losses.proximal_points(w, variance)
    lowest = losses.value(z) + np.sum((z - w) ** 2, axis=1) / (2 * variance)
    np.testing.assert_allclose(losses.gradient(z), (w - z) / variance, atol=1e-12)
    axis = np.linspace(-3, 3, 61)
    for point in np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2):
        there = np.broadcast_to(point, w.shape)
        assert np.all(lowest <= losses.value(there) + np.sum((there - w) ** 2, axis=1) / (2 * variance) + 1e-14)


def test_regular_response_is_the_derivative_between_jumps():
    losses = SampleLosses.of(TrainingLoss.of(draw(dimension=300)))
    w, variance, step = 0.3 * np.random.default_rng(4).standard_normal((600, 2)), 15.0, 1e-6
    divergence = np.zeros(600)
    jumped = np.zeros(600, dtype=bool)
    for axis in range(2):
        moved = step * np.eye(2)[axis]
        ahead, behind = (losses.proximal_points(w + sign * moved, variance) for sign in (1, -1))
        jumped |= np.linalg.norm(ahead - behind, axis=1) > 0.01
        divergence += ((ahead - behind)[:, axis] / (2 * step) - 1) / variance
    response = losses.regular_response(losses.proximal_points(w, variance), variance)
    assert jumped.sum() < 5
    np.testing.assert_allclose(response[~jumped], -divergence[~jumped], rtol=1e-4, atol=1e-6)


# ------------------------------------------------------------------------------------------------ fixed points


@pytest.mark.parametrize("response", ["stein", "regular"])
def test_fixed_points_are_minima_of_the_training_loss(response):
    data = draw(dimension=200, alpha=3.0, seed=3, spherical_teacher=True)
    generator = np.random.default_rng(0)
    start = student_with_overlaps(data, 0.25, 0.0, 0.2, generator)
    settings = MessagePassingSettings(400, damping=0.4, response=response, tolerance=1e-8)
    run = approximate_message_passing(data, start, 10.0, settings, generator=generator)
    assert run.converged
    assert run.gradient_norm < 1e-9
    norm = np.linalg.norm(TrainingLoss.of(data).gradient(run.estimate)) / math.sqrt(200)
    assert run.gradient_norm == pytest.approx(norm, rel=1e-12)
    minimum = train_student(data, start, generator=generator, training=Training(method="l-bfgs", test_samples=1))
    np.testing.assert_allclose(run.estimate, minimum.student, atol=1e-5)
    assert run.train_loss == pytest.approx(minimum.train_loss, rel=1e-10)
    last = run.order_parameters[-1]
    overlaps = (minimum.self_overlap, minimum.positional_overlap, minimum.semantic_overlap)
    np.testing.assert_allclose(last[[0, 1, 3]], overlaps, atol=1e-5)
    assert last[3] > 0.15


# ---------------------------------------------------------------------------------------------- state evolution


@pytest.mark.parametrize(
    ("model", "state"), [(PAPER, (0.2, 0.15, 8.0, 0.1)), (CROOKED, (0.3, 0.2, 5.0, 0.2))], ids=["paper", "crooked"]
)
def test_conjugates_are_those_of_the_theory(model, state):
    """One iteration: sums over samples are the channel's averages."""
    runs = [passes(model, 2.0, state, 500, seed, 1) for seed in range(12)]
    mean, error = mean_and_error([run.conjugates[0] for run in runs])
    theory = StateEvolution(model, RULE).evaluate(np.array(state), 2.0).conjugates
    assert np.all(np.abs(mean - theory) < 4 * error), (mean, error, theory)
    assert np.all(error < 0.25 * np.abs(theory))


def test_the_response_must_contain_the_jumps():
    """V after one iteration depends on V_hat alone: where z* jumps, local derivatives give another one."""
    state = (0.1, 0.2, 20.0, 0.0)
    evolution = StateEvolution(PAPER, RULE)
    theory = state_evolution_trajectory(evolution, state, 2.0, 1).order_parameters[1, 2]
    measured = {}
    for response in ("stein", "regular"):
        runs = [passes(PAPER, 2.0, state, 800, seed, 1, response=response) for seed in range(8)]
        measured[response] = mean_and_error([run.order_parameters[1, 2] for run in runs])
    mean, error = measured["stein"]
    assert abs(mean - theory) < 3 * error
    assert error < 0.02 * theory
    mean, error = measured["regular"]
    assert abs(mean - theory) > 15 * error
    # Without jumps the two agree with the theory, and with each other.
    calm = (0.13, 0.0, 2.0, 0.17)
    theory = state_evolution_trajectory(evolution, calm, 2.0, 1).order_parameters[1, 2]
    for response in ("stein", "regular"):
        runs = [passes(PAPER, 2.0, calm, 400, seed, 1, response=response) for seed in range(8)]
        mean, error = mean_and_error([run.order_parameters[1, 2] for run in runs])
        assert abs(mean - theory) < 4 * error


def test_a_prescribed_response_prescribes_the_susceptibility():
    state = (0.2, 0.0, 12.0, 0.18)
    theory = state_evolution_trajectory(StateEvolution(PAPER, RULE), state, 2.0, 3, damping=0.5)
    run = passes(PAPER, 2.0, state, 100, 0, 3, damping=0.5, response=theory.conjugates[:, 2])
    np.testing.assert_allclose(run.order_parameters[:, 2], theory.order_parameters[:, 2], rtol=1e-12)


def test_the_trajectory_is_that_of_the_solver():
    evolution = StateEvolution(PAPER, LineRule.for_tolerance(1e-3))
    state = np.array([0.25, 0.0, 20.0, 0.2])
    trajectory = state_evolution_trajectory(evolution, state, 2.5, 4, damping=0.3)
    np.testing.assert_array_equal(trajectory.order_parameters[0], state)
    solver = evolution.iterate(state, 2.5, Sector.SEMANTIC, 4, 0.3)
    np.testing.assert_allclose(trajectory.order_parameters[-1], solver, rtol=1e-12)
    assert trajectory.conjugates.shape == (4, 4)
    assert not trajectory.order_parameters.flags.writeable


# Of the differences between means and state evolution, as coefficients of 1/d: measured at d = 500, 1000, 2000 (16 data
# sets each) from the semantic start, d = 1000 and 2000 (12 each) from the positional one; docs/validation.md.
SEMANTIC = (2.5, (0.25, 0.0, 20.0, 0.22), 0.4, (1.2, 0.0, 60.0, 1.1))
POSITIONAL = (2.0, (0.05, 0.3, 12.0, 0.0), 0.25, (1.3, 6.0, 330.0, 0.0))


def check_trajectory(case, dimension, seeds, iterations):
    alpha, state, damping, coefficients = case
    theory = state_evolution_trajectory(StateEvolution(PAPER, RULE), state, alpha, iterations, damping=damping)
    runs = [passes(PAPER, alpha, state, dimension, seed, iterations, damping=damping) for seed in seeds]
    mean, error = mean_and_error([run.order_parameters for run in runs])
    allowed = 3 * error + np.array(coefficients) / dimension + 1e-12
    distance = np.abs(mean - theory.order_parameters)
    assert np.all(distance <= allowed), (distance / allowed).round(2)
    # The agreement would be lost if state evolution were one iteration late, and if it were damped otherwise.
    late = np.abs(mean[1:] - theory.order_parameters[:-1])
    assert np.max(late / allowed[1:]) > 3
    other = state_evolution_trajectory(StateEvolution(PAPER, RULE), state, alpha, iterations, damping=0.5 * damping)
    assert np.any(np.abs(mean - other.order_parameters) > allowed)


def test_the_first_iterations_follow_state_evolution():
    check_trajectory(SEMANTIC, 500, range(8), 4)


@pytest.mark.parametrize(
    "case",
    [pytest.param(SEMANTIC, marks=pytest.mark.slow), pytest.param(POSITIONAL, marks=pytest.mark.measurement)],
    ids=["semantic", "positional"],
)
def test_overlaps_follow_damped_state_evolution(case):
    check_trajectory(case, 1000, range(10), 15)


@pytest.mark.slow
def test_where_replica_symmetry_is_broken_the_estimate_goes_on_moving():
    """The replicon is unstable on the positional branch at alpha = 2, stable on the semantic one at 2.5."""
    last = {}
    for name, (alpha, state, damping, _) in {"semantic": SEMANTIC, "positional": POSITIONAL}.items():
        runs = [passes(PAPER, alpha, state, 400, seed, 50, damping=damping) for seed in range(5)]
        last[name] = [run.displacements[-1] for run in runs]
    assert max(last["semantic"]) < 1e-3
    assert min(last["positional"]) > 5 * max(last["semantic"])
    assert np.median(last["positional"]) > 100 * np.median(last["semantic"])


# -------------------------------------------------------------------------------------------- invariance, errors


def test_reversing_the_estimate_reverses_the_run():
    data = draw(dimension=150, spherical_teacher=True)
    start = student_with_overlaps(data, 0.2, 0.1, 0.15, np.random.default_rng(5))
    here, there = (
        approximate_message_passing(
            data, sign * start, 10.0, MessagePassingSettings(5, damping=0.5), generator=np.random.default_rng(6)
        )
        for sign in (1, -1)
    )
    np.testing.assert_allclose(there.estimate, -here.estimate, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(there.order_parameters, here.order_parameters * [1, -1, 1, -1], rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(there.conjugates, here.conjugates * [1, -1, 1, -1], rtol=1e-8, atol=1e-11)


def test_runs_are_reproducible_and_read_only():
    one, same = (passes(PAPER, 2.0, (0.2, 0.0, 10.0, 0.18), 120, 1, 4, damping=0.3) for _ in range(2))
    for name in ("order_parameters", "conjugates", "displacements", "estimate"):
        np.testing.assert_array_equal(getattr(one, name), getattr(same, name))
        assert not getattr(one, name).flags.writeable
    assert one.order_parameters.shape == (5, 4)
    assert one.conjugates.shape == (4, 4)


def test_a_share_of_the_components_moves():
    data = draw(dimension=60, alpha=3.0, dtype=np.float32)
    start = student_with_overlaps(data, 0.2, 0.0, 0.18, np.random.default_rng(1))
    seen = []
    run, once = (
        approximate_message_passing(
            data,
            start,
            12.0,
            MessagePassingSettings(count, damping=0.25),
            generator=np.random.default_rng(0),
            progress=seen.append,
        )
        for count in (3, 1)
    )
    assert seen == [1, 2, 3, 1]
    assert np.sum(once.estimate != start) == 15
    assert 15 < np.sum(run.estimate != start) <= 45
    assert run.damping == 0.25


def test_students_have_exactly_the_overlaps_asked_for():
    data = draw(CROOKED, dimension=40)
    student = student_with_overlaps(data, 0.5, 0.3, -0.2, np.random.default_rng(1))
    assert 0.49 * student @ student / 40 == pytest.approx(0.5, rel=1e-12)
    assert student.mean() == pytest.approx(0.3, rel=1e-12)
    assert 0.49 * student @ data.teacher / 40 == pytest.approx(-0.2, rel=1e-12)
    with pytest.raises(ValueError, match=r"got 0\.1"):
        student_with_overlaps(data, 0.1, 0.3, -0.3, np.random.default_rng(1))
    with pytest.raises(ValueError, match="2"):
        student_with_overlaps(draw(dimension=2), 0.1, 0.0, 0.0, np.random.default_rng(1))


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        ({"susceptibility": 0.0}, "0.0"),
        ({"settings": 20}, "20"),
        ({"settings": {"damping": 0.5}}, "damping"),
        ({"start": np.zeros(3)}, r"\(3,\)"),
    ],
)
def test_impossible_settings_are_refused(arguments, quoted):
    data = draw(dimension=20)
    given = {"start": data.teacher, "susceptibility": 5.0, "settings": MessagePassingSettings(2)} | arguments
    with pytest.raises(ValueError, match=quoted):
        approximate_message_passing(data, **given, generator=np.random.default_rng(0))


def test_divergence_and_lost_precision_are_reported():
    data = draw(dimension=60, spherical_teacher=True)
    start = student_with_overlaps(data, 0.2, 0.0, 0.1, np.random.default_rng(0))
    with pytest.raises(FloatingPointError, match="in iteration 1, not positive"):
        approximate_message_passing(
            data, start, 5.0, MessagePassingSettings(3, response=[-1.0] * 3), generator=np.random.default_rng(0)
        )


def test_other_lengths_are_refused():
    model = AttentionModel(omega=0.3, positional_matrix=((0.4, 0.3, 0.3),) * 3, positional_encoding=(1.0, 0.0, -1.0))
    data = draw(model, dimension=10)
    with pytest.raises(ValueError, match="3"):
        approximate_message_passing(
            data, data.teacher, 5.0, MessagePassingSettings(2), generator=np.random.default_rng(0)
        )
