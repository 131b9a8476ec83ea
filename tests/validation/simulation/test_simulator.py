"""The gradient-descent simulator: data, loss and gradient against direct evaluation, symmetries, theory."""

import dataclasses
import math

import numpy as np
import pytest

from replica import AttentionModel
from validation import (
    Training,
    TrainingLoss,
    draw_teacher_data,
    initial_student,
    simulate,
    train_student,
)
from validation.simulation.starts import INFORMED_STARTS, STARTS

# Nothing symmetric: rows of A do not sum to one, the encodings do not cancel.
CROOKED = AttentionModel(
    omega=0.35, sigma=0.7, positional_matrix=((0.3, 0.9), (0.8, -0.2)), positional_encoding=(1.3, -0.4)
)
PAPER = AttentionModel.paper(omega=0.3)


def draw(model=PAPER, dimension=40, alpha=1.5, seed=0, **options):
    return draw_teacher_data(model, dimension, alpha, np.random.default_rng(seed), **options)


def train(data, start, seed=0, **settings):
    return train_student(data, start, generator=np.random.default_rng(seed), training=Training(**settings))


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def direct_errors(data, student):
    """Return |y - f_Q(x)|^2 sample by sample, with the d-dimensional labels and outputs written out."""
    model, root = data.model, math.sqrt(data.dimension)
    errors = []
    for x in np.moveaxis(data.tokens, 1, 0):
        teacher = x @ data.teacher / root
        target = (1 - model.omega) * softmax(np.outer(teacher, teacher))
        target += model.omega * np.array(model.positional_matrix)
        encoded = x + data.encodings
        fields = encoded @ student / root
        errors.append(np.sum((target @ x - softmax(np.outer(fields, fields)) @ encoded) ** 2))
    return np.array(errors)


# ---------------------------------------------------------------------------------------------------- data


def test_data_have_the_moments_of_the_model():
    data = draw(CROOKED, dimension=400, alpha=2.5)
    assert data.tokens.shape == (2, 1000, 400)
    assert (data.samples, data.dimension, data.sample_complexity) == (1000, 400, 2.5)
    count = data.tokens.size
    assert abs(data.tokens.mean()) < 5 * 0.7 / math.sqrt(count)
    assert data.tokens.var() == pytest.approx(0.49, rel=5 * math.sqrt(2 / count))
    assert np.mean(data.teacher**2) == pytest.approx(1, rel=5 * math.sqrt(2 / 400))
    np.testing.assert_allclose(np.linalg.norm(data.encodings, axis=1), [1.3, 0.4])
    np.testing.assert_allclose(data.encodings @ np.ones(400) / 20, [1.3, -0.4])


def test_targets_mix_attention_with_the_positional_matrix():
    data = draw(CROOKED)
    attention = (data.targets - 0.35 * np.array(CROOKED.positional_matrix)[:, :, None]) / 0.65
    np.testing.assert_allclose(attention.sum(axis=1), 1.0)
    h = data.tokens @ data.teacher / math.sqrt(data.dimension)
    odds = attention[:, 0] / attention[:, 1]
    np.testing.assert_allclose(np.log(odds), h * (h[0] - h[1]), atol=1e-10)


def test_round_off_and_large_tokens_are_silent():
    with np.errstate(all="raise", under="ignore"):
        data = draw(dataclasses.replace(PAPER, sigma=40.0))
        gradient = TrainingLoss.of(data).gradient(data.teacher)
    assert np.isfinite(gradient).all()


def test_data_are_reproducible_and_read_only():
    one, same, other = draw(seed=3), draw(seed=3), draw(seed=4)
    np.testing.assert_array_equal(one.tokens, same.tokens)
    np.testing.assert_array_equal(one.targets, same.targets)
    assert not np.allclose(one.teacher, other.teacher)
    for array in (one.tokens, one.teacher, one.encodings, one.targets):
        assert not array.flags.writeable


def test_single_precision_tokens_give_nearly_the_same_loss():
    single = draw(CROOKED, dtype=np.float32)
    assert single.tokens.dtype == np.float32
    double = dataclasses.replace(single, tokens=single.tokens.astype(np.float64))
    one, two = TrainingLoss.of(single), TrainingLoss.of(double)
    assert one.value(single.teacher) == pytest.approx(two.value(single.teacher), rel=1e-5)
    difference = one.gradient(single.teacher) - two.gradient(single.teacher)
    assert np.linalg.norm(difference) < 1e-5 * np.linalg.norm(two.gradient(single.teacher))


def test_a_spherical_teacher_is_the_gaussian_one_rescaled():
    gaussian, spherical = draw(dimension=50), draw(dimension=50, spherical_teacher=True)
    assert spherical.teacher @ spherical.teacher == pytest.approx(50, rel=1e-13)
    assert abs(gaussian.teacher @ gaussian.teacher - 50) > 0.1
    ratio = spherical.teacher / gaussian.teacher
    np.testing.assert_allclose(ratio, ratio[0])
    np.testing.assert_array_equal(spherical.tokens, gaussian.tokens)
    run = simulate(PAPER, "semantic", 1.0, 50, 0, training=Training(steps=0), spherical_teacher=True)
    np.testing.assert_allclose(run.semantic_overlap, 0.25)


# ------------------------------------------------------------------------------------------ loss, gradient


@pytest.mark.parametrize("model", [PAPER, CROOKED])
@pytest.mark.parametrize("scale", [0.1, 1.0, 8.0])
def test_gram_route_equals_direct_evaluation(model, scale):
    data = draw(model, dimension=7, alpha=3)
    student = scale * np.random.default_rng(5).standard_normal(7)
    direct = direct_errors(data, student)
    loss = TrainingLoss.of(data)
    np.testing.assert_allclose(loss.squared_errors(student), direct, rtol=1e-11)
    total = direct.sum() / (2 * 7) + model.regularization / 2 * student @ student
    assert loss.value(student) == pytest.approx(total, rel=1e-12)
    assert loss.per_dimension(student) == pytest.approx(total / 7, rel=1e-12)


@pytest.mark.parametrize("model", [PAPER, CROOKED])
@pytest.mark.parametrize("scale", [0.3, 2.0])
def test_gradient_equals_finite_differences(model, scale):
    data = draw(model, dimension=12, alpha=4)
    loss = TrainingLoss.of(data)
    student = scale * np.random.default_rng(6).standard_normal(12)
    gradient = loss.gradient(student)
    step = 1e-5
    differences = np.array(
        [(loss.value(student + step * axis) - loss.value(student - step * axis)) / (2 * step) for axis in np.eye(12)]
    )
    assert np.linalg.norm(gradient - differences) < 1e-6 * np.linalg.norm(gradient)


def test_exact_symmetries_of_the_loss():
    """Signs of Q, of Q* and of (x, p) together do not matter to any sample; the sign of p alone does."""
    data = draw(CROOKED, dimension=15)
    student = np.random.default_rng(7).standard_normal(15)
    errors = TrainingLoss.of(data).squared_errors(student)
    np.testing.assert_allclose(TrainingLoss.of(data).squared_errors(-student), errors, rtol=1e-12)
    mirrored = dataclasses.replace(data, tokens=-data.tokens, encodings=-data.encodings)
    np.testing.assert_allclose(TrainingLoss.of(mirrored).squared_errors(student), errors, rtol=1e-12)
    np.testing.assert_allclose(direct_errors(dataclasses.replace(data, teacher=-data.teacher), student), errors)
    half_mirrored = dataclasses.replace(data, encodings=-data.encodings)
    assert not np.allclose(TrainingLoss.of(half_mirrored).squared_errors(student), errors, rtol=1e-3)


def test_the_loss_does_not_see_rotations_or_the_order_of_samples():
    data = draw(CROOKED, dimension=15)
    generator = np.random.default_rng(8)
    student = generator.standard_normal(15)
    rotation, _ = np.linalg.qr(generator.standard_normal((15, 15)))
    turned = dataclasses.replace(data, tokens=data.tokens @ rotation, encodings=data.encodings @ rotation)
    loss = TrainingLoss.of(data)
    assert TrainingLoss.of(turned).value(student @ rotation) == pytest.approx(loss.value(student), rel=1e-12)
    order = generator.permutation(data.samples)
    shuffled = dataclasses.replace(data, tokens=data.tokens[:, order], targets=data.targets[:, :, order])
    np.testing.assert_allclose(TrainingLoss.of(shuffled).gradient(student), loss.gradient(student), rtol=1e-9)


def test_renaming_the_tokens_leaves_the_loss_alone():
    data = draw(CROOKED, dimension=15)
    student = np.random.default_rng(9).standard_normal(15)
    renamed = dataclasses.replace(
        data, tokens=data.tokens[::-1], encodings=data.encodings[::-1], targets=data.targets[::-1, ::-1]
    )
    there, here = TrainingLoss.of(renamed).value(student), TrainingLoss.of(data).value(student)
    assert there == pytest.approx(here, rel=1e-12)


# -------------------------------------------------------------------------------------------------- descent


ONE_COLUMN = [start for start in STARTS if start != "mixed"]


def test_training_loss_decreases_along_descent():
    data = draw(dimension=60)
    losses = [
        train(data, start, steps=steps, test_samples=1).train_loss
        for start in ONE_COLUMN
        for steps in (0, 1, 5, 25, 125, 625)
    ]
    for track in np.reshape(losses, (len(ONE_COLUMN), 6)):
        assert np.all(np.diff(track) < 0)


def test_one_step_moves_against_the_gradient():
    data = draw(CROOKED)
    start = np.random.default_rng(1).standard_normal(data.dimension)
    run = train(data, start, steps=1, learning_rate=0.2)
    np.testing.assert_allclose(run.student, start - 0.2 * TrainingLoss.of(data).gradient(start), rtol=1e-14)
    assert run.start == "given"


def test_descent_stops_at_the_tolerance_and_reports_its_steps():
    data = draw(dimension=30)
    seen = []
    run = train_student(
        data,
        "semantic",
        generator=np.random.default_rng(0),
        training=Training(gradient_tolerance=1e-3, steps=4000),
        progress=seen.append,
    )
    assert run.converged
    assert 0 < run.steps < 4000
    assert seen == list(range(1, run.steps + 1))
    norm = np.linalg.norm(TrainingLoss.of(data).gradient(run.student)) / math.sqrt(30)
    assert run.gradient_norm == pytest.approx(norm, rel=1e-12)
    assert norm <= 1e-3
    before = train(data, "semantic", steps=run.steps - 1)
    assert before.gradient_norm > 1e-3
    assert not before.converged


def test_polishing_reaches_the_minimum_that_long_descent_approaches():
    data = draw(dimension=30)
    polished, short, long = (
        train(data, "semantic", steps=steps, polish=polish)
        for steps, polish in ((500, True), (500, False), (15_000, False))
    )
    assert (polished.steps, polished.polished, short.polished) == (500, True, False)
    assert polished.gradient_norm < 1e-6 < short.gradient_norm
    assert polished.train_loss <= long.train_loss * (1 + 1e-12)
    np.testing.assert_allclose(polished.student, long.student, atol=1e-4)
    assert np.abs(polished.student - short.student).max() > 1e-3


def test_overlaps_at_the_informed_starts():
    data = draw(CROOKED, dimension=50)
    runs = {name: train(data, name, steps=0) for name in INFORMED_STARTS}
    norm, total = data.teacher @ data.teacher / 50, data.teacher.sum() / 50
    expected = {
        "semantic": (0.49 * norm, total, 0.49 * norm),
        "positional": (0.49 / 50, 1 / math.sqrt(50), 0.49 * total / math.sqrt(50)),
        "positional-informed": (0.49, 1.0, 0.49 * total),
    }
    for name, run in runs.items():
        found = (run.self_overlap, run.positional_overlap, run.semantic_overlap)
        assert found == pytest.approx(expected[name], rel=1e-12)
        projections = data.encodings @ run.student / math.sqrt(50)
        np.testing.assert_allclose(projections, np.array([1.3, -0.4]) * run.positional_overlap)


def test_runs_are_reproducible_and_seeds_matter():
    one, same, other = (simulate(PAPER, "semantic", 1.0, 40, seed, training=Training(steps=50)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.student, same.student)
    assert one.test_error == same.test_error
    assert abs(one.test_error - other.test_error) > 1e-6
    assert not one.student.flags.writeable


def test_test_error_is_the_average_over_new_samples_of_the_same_teacher():
    data = draw(CROOKED, dimension=30)
    run = train(data, "semantic", seed=2, steps=30, test_samples=50_000)
    generator = np.random.default_rng(11)
    tokens = 0.7 * generator.standard_normal((2, 8000, 30))
    fresh = draw_teacher_data(CROOKED, 30, 8000 / 30, generator)
    h = tokens @ data.teacher / math.sqrt(30)
    attention = np.moveaxis([softmax(np.outer(column, column)) for column in h.T], 0, 2)
    targets = 0.65 * attention + 0.35 * np.array(CROOKED.positional_matrix)[:, :, None]
    fresh = dataclasses.replace(fresh, tokens=tokens, teacher=data.teacher, targets=targets)
    errors = direct_errors(fresh, run.student) / (2 * 30)
    spread = errors.std() / math.sqrt(errors.size)
    assert abs(errors.mean() - run.test_error) < 5 * math.hypot(spread, run.test_error_standard_error)
    assert run.test_error_standard_error == pytest.approx(errors.std() / math.sqrt(50_000), rel=0.1)


def test_a_student_that_equals_the_teacher_errs_by_the_positional_part():
    """At Q = Q* without overlap with p, d to infinity: eps_g = omega^2 sigma^2 E|S(h) - A|^2 / L."""
    data = draw(dimension=1500, alpha=0.01)
    student = data.teacher - data.teacher.mean()
    data = dataclasses.replace(data, teacher=student)
    run = train(data, student, steps=0)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    h = 0.5 * math.sqrt(student @ student / 1500) * np.array(np.meshgrid(nodes, nodes))
    to_itself = 1 / (1 + np.exp(-np.array([h[0] * (h[0] - h[1]), h[1] * (h[1] - h[0])])))
    joint = np.outer(weights, weights) / weights.sum() ** 2
    theory = 0.09 * 0.25 / 2 * np.sum(joint * 2 * (to_itself - 0.6) ** 2)
    # The encodings add E|S p|^2/(dL) with |S p|^2 = sum_i (S_i1 - S_i2)^2, exactly.
    theory += np.sum(joint * (2 * to_itself - 1) ** 2) / (2 * 1500)
    assert abs(run.test_error - theory) < 5 * run.test_error_standard_error
    assert run.test_error_standard_error < 0.02 * theory


def test_huge_learning_rates_are_reported():
    with pytest.raises(FloatingPointError, match="300"), np.errstate(all="ignore"):
        train(draw(dimension=10), "semantic", learning_rate=300.0)


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        ({"dimension": 0}, "0"),
        ({"dimension": 2.5}, "2.5"),
        ({"alpha": -1.0}, "-1.0"),
        ({"alpha": math.nan}, "nan"),
        ({"alpha": 1e-4}, "0.0001"),
        ({"dtype": np.int32}, "int32"),
    ],
)
def test_impossible_data_are_refused(arguments, quoted):
    with pytest.raises(ValueError, match=quoted):
        draw(**arguments)


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        ({"start": "agnostic"}, "agnostic"),
        ({"start": np.zeros(3)}, r"\(3,\)"),
        ({"start": np.full(40, np.nan)}, "NaN"),
        ({"training": {"steps": 3}}, "steps"),
        ({"training": Training(dtype="float32")}, "float64, or None, got 'float32'"),
    ],
)
def test_impossible_training_is_refused(arguments, quoted):
    with pytest.raises(ValueError, match=quoted):
        train_student(draw(), generator=np.random.default_rng(0), **arguments)


def test_informed_starts_are_fresh_arrays():
    data = draw()
    start = initial_student(data, "semantic")
    start += 1
    assert not np.allclose(start, data.teacher)
