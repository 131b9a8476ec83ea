"""Gradient descent, Adam and L-BFGS: the same minimum, the published settings, and the same bits every time."""

import dataclasses
import math
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pytest

from replica import AttentionModel
from validation import Training, TrainingLoss, draw_teacher_data, initial_student, simulate, train_student

PAPER = AttentionModel.paper(omega=0.3)
CROOKED = AttentionModel(
    omega=0.35, sigma=0.7, positional_matrix=((0.3, 0.9), (0.8, -0.2)), positional_encoding=(1.3, -0.4)
)
METHODS = ("gradient-descent", "adam", "l-bfgs")


def draw(model=PAPER, dimension=40, alpha=1.5, seed=0, **options):
    return draw_teacher_data(model, dimension, alpha, np.random.default_rng(seed), **options)


def train(data, start, *, progress=None, **settings):
    training = Training(**{"test_samples": 1000} | settings)
    return train_student(data, start, generator=np.random.default_rng(9), training=training, progress=progress)


@pytest.mark.parametrize("start", ["semantic", pytest.param("random", marks=pytest.mark.slow)])
def test_all_methods_reach_the_same_minimum(start):
    """And it is none of the starts: how far apart the minima of the two starts are sets the scale."""
    data = draw(dimension=120, alpha=2.0, seed=1)
    rounded = dataclasses.replace(data, tokens=data.tokens.astype(np.float32))
    settings = (
        {"steps": 20_000, "gradient_tolerance": 1e-7},
        {"method": "adam", "steps": 4000, "gradient_tolerance": 1e-7},
        {"method": "l-bfgs"},
    )
    runs = [train(source, start, **chosen) for chosen in settings for source in (data, rounded)]
    assert [run.method for run in runs[::2]] == list(METHODS)
    assert [run.dtype for run in runs] == ["float64", "float32"] * 3
    for run in runs[1:]:
        np.testing.assert_allclose(run.student, runs[0].student, atol=1e-3)
        assert run.train_loss == pytest.approx(runs[0].train_loss, rel=1e-6)
        for name in ("self_overlap", "positional_overlap", "semantic_overlap"):
            assert getattr(run, name) == pytest.approx(getattr(runs[0], name), abs=1e-4)
    assert max(run.gradient_norm for run in runs[::2]) < 1e-6
    # Rounding moves the loss that L-BFGS looks at, not the gradient that the others follow.
    assert max(run.gradient_norm for run in runs[1::2]) < 1e-5
    other = train(data, "positional" if start == "semantic" else "semantic", method="l-bfgs")
    assert abs(other.semantic_overlap - runs[0].semantic_overlap) > 0.1


def test_adam_takes_the_textbook_steps():
    """Algorithm 1 of arXiv:1412.6980, sums written out, on a gradient that includes the ridge term."""
    data = draw(CROOKED)
    loss = TrainingLoss.of(data)
    student = start = np.random.default_rng(1).standard_normal(40)
    gradients = []
    for step in range(1, 8):
        gradients.append(loss.gradient(student))
        first = sum(0.1 * 0.9 ** (step - k) * g for k, g in enumerate(gradients, 1)) / (1 - 0.9**step)
        second = sum(0.001 * 0.999 ** (step - k) * g**2 for k, g in enumerate(gradients, 1)) / (1 - 0.999**step)
        student = student - 0.03 * first / (np.sqrt(second) + 1e-8)
    run = train(data, start, method="adam", learning_rate=0.03, steps=7)
    np.testing.assert_allclose(run.student, student, rtol=1e-12)
    # The first step has the learning rate's length in every entry, whatever the gradient.
    one = train(data, start, method="adam", learning_rate=0.03, steps=1)
    np.testing.assert_allclose(start - one.student, 0.03 * np.sign(gradients[0]), rtol=1e-5)


def test_published_settings_are_the_defaults():
    data = draw(dimension=12)
    runs = [train(data, "semantic", method=method) for method in METHODS]
    assert [(run.method, run.learning_rate) for run in runs] == list(zip(METHODS, (0.15, 0.01, None), strict=True))
    assert [run.steps for run in runs[:2]] == [5000, 2500]
    assert 0 < runs[2].steps < 100


def test_the_minimum_found_by_lbfgs_stops_where_asked():
    data = draw(dimension=60)
    seen = []
    tight = train(data, "semantic", method="l-bfgs", progress=seen.append)
    loose = train(data, "semantic", method="l-bfgs", gradient_tolerance=1e-2)
    assert seen == list(range(1, tight.steps + 1))
    assert loose.steps < tight.steps
    assert tight.gradient_norm < 1e-7 < loose.gradient_norm <= 1e-2
    assert loose.converged
    stopped = train(data, "semantic", method="l-bfgs", steps=3)
    assert stopped.steps == 3
    np.testing.assert_array_equal(train(data, "semantic", method="l-bfgs", steps=0).student, data.teacher)


# ------------------------------------------------------------------------------------------------- precision


@pytest.mark.parametrize("scale", [0.3, 2.0])
def test_single_precision_gradients_are_as_accurate_as_single_precision(scale):
    single, double = (draw(CROOKED, dimension=200, dtype=dtype) for dtype in (np.float32, np.float64))
    np.testing.assert_array_equal(single.tokens, double.tokens.astype(np.float32))
    student = scale * np.random.default_rng(2).standard_normal(200)
    (value, rough), (exact_value, exact) = (TrainingLoss.of(d).value_and_gradient(student) for d in (single, double))
    distance = np.linalg.norm(rough - exact) / np.linalg.norm(exact)
    # Above zero by far more than rounding in float64: the passes do run in float32.
    assert 1e-9 < distance < 3e-6
    assert value == pytest.approx(exact_value, rel=1e-6)
    assert TrainingLoss.of(single).preactivations(student).dtype == np.float64


def test_value_and_gradient_are_those_of_the_two_methods():
    loss = TrainingLoss.of(draw(CROOKED))
    student = np.random.default_rng(3).standard_normal(40)
    value, gradient = loss.value_and_gradient(student)
    assert value == loss.value(student)
    np.testing.assert_array_equal(gradient, loss.gradient(student))


# -------------------------------------------------------------------------------------------- reproducibility


def fingerprint(seed, method, dtype, start="random"):
    training = Training(method=method, steps=60, test_samples=500, dtype=dtype)
    run = simulate(PAPER, start, 1.5, 200, seed, training=training)
    return run.student.tobytes(), run.train_loss.hex(), run.test_error.hex()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("method", METHODS)
def test_runs_are_the_same_bit_for_bit(method, dtype):
    first = fingerprint(5, method, dtype)
    assert fingerprint(5, method, dtype) == first
    assert fingerprint(6, method, dtype)[0] != first[0]


def test_another_process_gives_the_same_bits():
    calls = [(seed, method, dtype) for seed in (5,) for method in METHODS for dtype in ("float64", "float32")]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        elsewhere = list(pool.map(fingerprint, *zip(*calls, strict=True)))
    assert elsewhere == [fingerprint(*call) for call in calls]


def student_with_threads(threads):
    """Return a student trained in a fresh process with so many BLAS threads."""
    names = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ |= dict.fromkeys(names, str(threads))
    try:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            run = partial(simulate, training=Training(steps=100, test_samples=2))
            return pool.submit(run, PAPER, "semantic", 1.5, 500, 0).result().student
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@pytest.mark.slow
def test_the_number_of_threads_matters_by_rounding_only():
    one, two, again = student_with_threads(1), student_with_threads(2), student_with_threads(2)
    np.testing.assert_allclose(one, two, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(two, again)


# ---------------------------------------------------------------------------------------------- random starts


def test_random_starts_have_the_published_size_and_move_nothing_else():
    data = draw(dimension=4000, alpha=0.001)
    entries = initial_student(data, "random", np.random.default_rng(0))
    assert entries.std() == pytest.approx(0.1, rel=5 / math.sqrt(2 * 4000))
    assert abs(entries.mean()) < 5 * 0.1 / math.sqrt(4000)
    here, there = (train(data, start, steps=0) for start in ("random", entries))
    assert abs(np.corrcoef(here.student, entries)[0, 1]) < 5 / math.sqrt(4000)
    # Whatever the start and the method, fresh samples are the same: so is the test error of the same student.
    again = train(data, here.student, steps=0, method="l-bfgs")
    assert again.test_error == here.test_error
    assert there.test_error != here.test_error
    with pytest.raises(ValueError, match="generator"):
        initial_student(data, "random")


def test_a_seed_means_the_same_data_whatever_the_start():
    untrained = Training(steps=0)
    random, informed = (simulate(PAPER, start, 1.0, 40, 3, training=untrained) for start in ("random", "semantic"))
    again = simulate(PAPER, "random", 1.0, 40, 3, training=Training(method="adam", steps=0))
    np.testing.assert_array_equal(random.student, again.student)
    data = draw_teacher_data(PAPER, 40, 1.0, np.random.default_rng(np.random.SeedSequence(3).spawn(1)[0]))
    np.testing.assert_array_equal(informed.student, data.teacher)
    assert random.train_loss == TrainingLoss.of(data).per_dimension(random.student)


# ------------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        ({"method": "newton"}, "newton"),
        ({"method": "l-bfgs", "learning_rate": 0.1}, "0.1"),
        ({"method": "adam", "learning_rate": -0.1}, "-0.1"),
        ({"method": "adam", "steps": 1.5}, "1.5"),
    ],
)
def test_impossible_methods_are_refused(arguments, quoted):
    with pytest.raises(ValueError, match=quoted):
        train(draw(), "semantic", **arguments)


def test_divergence_of_adam_is_reported():
    with pytest.raises(FloatingPointError, match="1e\\+200"), np.errstate(all="ignore"):
        train(draw(dimension=10), "semantic", method="adam", learning_rate=1e200)
