"""How a student is trained is one value: checked when it is made, equal where it means the same."""

import math
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest

from replica import AttentionModel
from replica.common.errors import InvalidArgument
from validation import (
    INTO_THE_BASIN,
    INTO_THE_GROUND_STATE,
    Diverged,
    Training,
    draw_teacher_data,
    simulate,
    train_student,
)
from validation.simulation.descent.optimisers import METHODS, PUBLISHED

PAPER = AttentionModel.paper(omega=0.3)


def test_without_arguments_it_is_what_was_published():
    training = Training()
    assert (training.method, training.gradient_tolerance, training.polish) == ("gradient-descent", 0.0, False)
    assert (training.test_samples, training.dtype) == (20_000, None)
    assert (training.schedule(0.01).learning_rate, training.schedule(0.01).steps) == (0.15, 5000)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_brings_its_published_schedule(method):
    assert Training(method=method).schedule(0.01) == PUBLISHED[method]
    assert Training(method=method, steps=0).schedule(0.01).steps == 0
    # Nothing of one method's schedule stays behind when another is chosen.
    assert replace(Training(), method=method).schedule(0.01) == PUBLISHED[method]


def test_the_way_into_the_basin():
    assert Training(method="gradient-descent", steps=200, polish=True) == INTO_THE_BASIN
    assert INTO_THE_BASIN.schedule(0.01).learning_rate == 0.15
    assert replace(INTO_THE_BASIN, moves=1) == INTO_THE_GROUND_STATE


@pytest.mark.parametrize("kind", ["float32", np.float32, np.dtype(np.float32), "f4"], ids=str)
def test_what_means_the_same_is_equal(kind):
    assert Training(dtype=kind) == Training(dtype="float32")
    assert hash(Training(dtype=kind)) == hash(Training(dtype="float32"))
    assert Training(learning_rate=np.float64(0.5), steps=np.int64(3)) == Training(learning_rate=0.5, steps=3)
    assert Training(steps=np.int64(3)).steps.__class__ is int


def test_it_does_not_change():
    training = Training()
    for entry in fields(Training):
        with pytest.raises(FrozenInstanceError):
            setattr(training, entry.name, None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"method": "newton"}, "method must be one of 'gradient-descent', 'adam', 'l-bfgs', got 'newton'"),
        ({"method": None}, "method must be .* got None"),
        ({"method": "l-bfgs", "learning_rate": 0.1}, r"l-bfgs has no learning_rate, got 0\.1; leave it out"),
        ({"learning_rate": 0.0}, r"learning_rate must be positive and finite, got 0\.0"),
        ({"learning_rate": math.nan}, "learning_rate must be positive and finite, got nan"),
        ({"learning_rate": "0.1"}, r"learning_rate must be a real number, got '0\.1'"),
        ({"method": "adam", "learning_rate": -0.1}, r"learning_rate must be positive and finite, got -0\.1"),
        ({"steps": -3}, "steps must be an integer of at least 0, got -3"),
        ({"steps": 1.5}, r"steps must be an integer, got 1\.5"),
        ({"steps": True}, "steps must be an integer, got True"),
        ({"gradient_tolerance": -1e-3}, r"gradient_tolerance must be at least 0, got -0\.001"),
        ({"gradient_tolerance": None}, "gradient_tolerance must be a real number, got None"),
        ({"moves": -1}, "moves must be an integer of at least 0, got -1"),
        ({"moves": 0.5}, r"moves must be an integer, got 0\.5"),
        ({"polish": 1}, "polish must be True or False, got 1"),
        ({"test_samples": 0}, "test_samples must be a positive integer, got 0"),
        ({"test_samples": 10.0}, r"test_samples must be a positive integer, got 10\.0"),
        ({"dtype": "int32"}, "dtype must be float64 or float32, got 'int32'"),
        ({"dtype": "nonsense"}, "dtype must be float64 or float32, got 'nonsense'"),
    ],
)
def test_misuse_is_refused_when_it_is_made(arguments, said):
    with pytest.raises(InvalidArgument, match=said):
        Training(**arguments)
    # Nor does a change of a good one get past the checks.
    with pytest.raises(InvalidArgument, match=said):
        replace(Training(), **arguments)


def test_no_keyword_passes_silently():
    with pytest.raises(TypeError, match="learning_rat"):
        Training(learning_rat=0.1)
    with pytest.raises(TypeError, match="method"):
        simulate(PAPER, "semantic", 1.0, 10, 0, method="adam")


def test_the_ridge_penalty_alone_may_make_descent_diverge():
    with pytest.raises(Diverged, match=r"2/lambda = 4.* got 4\.0"):
        Training(learning_rate=4.0).schedule(0.5)
    assert Training(method="adam", learning_rate=4.0).schedule(0.5).learning_rate == 4.0


def test_data_are_trained_on_in_their_own_precision():
    data = draw_teacher_data(PAPER, 10, 1.0, np.random.default_rng(0), "float32")
    short = Training(steps=1, test_samples=5)
    for training in (short, replace(short, dtype="float32")):
        assert train_student(data, generator=np.random.default_rng(1), training=training).dtype == "float32"
    with pytest.raises(InvalidArgument, match="dtype of the data, float32, or None, got 'float64'"):
        train_student(data, generator=np.random.default_rng(1), training=replace(short, dtype="float64"))
    # Where data are drawn, they are drawn in the precision that is asked for.
    for training, kind in ((short, "float64"), (replace(short, dtype="float32"), "float32")):
        assert simulate(PAPER, "semantic", 1.0, 10, 0, training=training).dtype == kind


@pytest.mark.parametrize("training", [None, {"steps": 1}, "adam"])
def test_what_is_no_training_is_refused(training):
    with pytest.raises(InvalidArgument, match=r"training must be a Training, .* got"):
        simulate(PAPER, "semantic", 1.0, 10, 0, training=training)
