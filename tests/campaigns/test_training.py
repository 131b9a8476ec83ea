"""The training oracle's own loss, gradient, control variate and verdict."""

from __future__ import annotations

import numpy as np
import pytest

from replica import AttentionModel
from tests.campaigns.random_models import random_model
from tests.campaigns.training_oracle import DATA_SETS, alphas_of, judge, limit_of, problem_of
from tests.campaigns.two_token_training import draw_training_set, lowest_loss, mean_loss_at_zero, starts
from validation import TrainingLoss
from validation.simulation.coordinates import model_coordinates
from validation.simulation.teacher import TeacherData

WIDE = random_model(1, 5)[1]


def drawn(model: AttentionModel = WIDE, alpha: float = 1.3, dimension: int = 40):
    generator = np.random.default_rng(3)
    return draw_training_set(problem_of(model), alpha, dimension, generator, np.float64), generator


def test_gradient_is_the_derivative_of_the_loss():
    data, generator = drawn()
    student = generator.standard_normal(data.dimension)
    step = 1e-5
    slopes = [
        (data.value_and_gradient(student + step * e)[0] - data.value_and_gradient(student - step * e)[0]) / (2 * step)
        for e in np.eye(data.dimension)
    ]
    np.testing.assert_allclose(data.value_and_gradient(student)[1], slopes, rtol=1e-7, atol=1e-11)


@pytest.mark.parametrize("model", [AttentionModel.paper(), WIDE])
def test_loss_is_that_of_the_simulator(model):
    data, generator = drawn(model)
    u = np.full(data.dimension, 1 / np.sqrt(data.dimension))
    encodings = np.outer(model.positional_encoding, u)
    tokens = data.inputs.reshape(2, -1, data.dimension) - encodings[:, None]
    coordinates = model_coordinates(model, data.dimension)
    other = TrainingLoss.of(TeacherData(model, coordinates, tokens, data.teacher, encodings, data.target))
    student = generator.standard_normal(data.dimension)
    value, gradient = data.value_and_gradient(student)
    assert value == pytest.approx(other.per_dimension(student), rel=1e-12)
    np.testing.assert_allclose(gradient, other.gradient(student) / data.dimension, rtol=1e-10, atol=1e-14)


def test_mean_loss_at_zero():
    dimension, alpha, sets = 20, 5.0, 400
    problem, zero = problem_of(WIDE), np.zeros(20)
    found = [
        draw_training_set(problem, alpha, dimension, np.random.default_rng(k)).value_and_gradient(zero)[0]
        for k in range(sets)
    ]
    error = np.std(found, ddof=1) / np.sqrt(sets)
    assert error < 5e-3 * np.mean(found)
    assert np.mean(found) == pytest.approx(mean_loss_at_zero(problem, alpha, dimension), abs=3 * error)


def test_twelve_starts_and_their_lowest_minimum():
    data, generator = drawn(dimension=60)
    assert len(starts(data, generator)) == 12
    loss, name, found = lowest_loss(data, np.random.default_rng(1))
    assert len(found) == 13  # and Q = 0
    assert loss == found[name] == min(found.values())
    assert loss < found["zero"]


def line_of(limit: float, finite_size: float, model: AttentionModel) -> dict:
    """Return losses that fluctuate as those at zero do and besides, and tend to a limit with a term in 1/d."""
    generator, alpha = np.random.default_rng(0), 1.0
    losses, zeros = {}, {}
    for dimension, sets in DATA_SETS.items():
        mean = mean_loss_at_zero(problem_of(model), alpha, dimension)
        common, own = generator.standard_normal((2, sets))
        zeros[str(dimension)] = (mean * (1 + 0.1 * common)).tolist()
        term = finite_size * max(DATA_SETS) / dimension
        losses[str(dimension)] = (limit * (1 + term) + 0.05 * limit * common + 0.01 * limit * own).tolist()
    return {"values": model.to_dict(), "alpha": alpha, "losses": losses, "zeros": zeros}


def test_limit_takes_out_common_fluctuations_and_the_term_in_one_over_d():
    limit, error, finite_size = limit_of(line_of(0.01, 0.08, WIDE))
    # 1 % remains of each data set, and extrapolation doubles the error at the full dimension.
    assert error == pytest.approx(0.01 * 0.01 * np.hypot(2 / np.sqrt(32), 1 / np.sqrt(64)), rel=0.3)
    assert limit == pytest.approx(0.01, abs=3 * error)
    assert finite_size == pytest.approx(0.01 * 0.08, abs=3 * error)


def test_only_losses_below_the_reported_minimum_are_violations():
    line = line_of(0.01, 0.02, WIDE)
    assert not judge(line, -0.01).violated
    assert not judge(line, -0.0098).violated  # metastable minima
    assert judge(line, -0.0107).violated
    assert not judge(line, -0.0107, error=5e-4).violated  # the reported error counts


def test_alphas_give_whole_numbers_of_samples():
    for number in range(50):
        low, high = alphas_of(1, number)
        assert 0.19 < low < high <= 3.01
        for alpha in (low, high):
            for dimension in DATA_SETS:
                assert alpha * dimension == pytest.approx(round(alpha * dimension), abs=1e-9)
