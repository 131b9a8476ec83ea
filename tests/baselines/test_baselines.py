"""What all baselines share, and uniform attention."""

import numpy as np
import pytest

from baselines import BASELINES, Baseline, linear_positional, uniform_attention
from replica import AttentionModel

THREE = {"positional_matrix": [[0.1, 0.2, 0.7], [0.5, 0.25, 0.25], [1.0, 0.0, -1.0]], "positional_encoding": (1, 0, -1)}


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_has_its_name_and_a_test_error(name):
    baseline = BASELINES[name](AttentionModel.paper())
    assert isinstance(baseline, Baseline)
    assert baseline.name == name
    errors = [baseline.test_error_at(alpha) for alpha in (0.1, 0.4, 3.0)]
    assert baseline.constant == (len(set(errors)) == 1)
    if baseline.constant:
        assert errors[0] == baseline.test_error
        assert 0 <= baseline.error < 1e-10 * baseline.test_error
    for alpha in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="alpha must be positive and finite"):
            baseline.test_error_at(alpha)


@pytest.mark.parametrize("name", [name for name in BASELINES if name not in ("linear positional", "uniform attention")])
def test_other_models_are_refused_by_attention_and_bayes(name):
    with pytest.raises(ValueError, match=r"baseline|attention"):
        BASELINES[name](AttentionModel.paper(rank=2))
    with pytest.raises(ValueError, match="at most 5 tokens, got 6"):
        BASELINES[name](AttentionModel(0.3, positional_matrix=np.eye(6), positional_encoding=[1.0] * 6))


def test_a_uniform_target_leaves_the_teachers_variance_only():
    # T is uniform on average at omega = 1 and A = U; nothing is left.
    assert uniform_attention(AttentionModel(1.0, positional_matrix=np.full((2, 2), 0.5))).test_error < 1e-30
    model = AttentionModel(0.3, sigma=0.01, positional_matrix=np.full((2, 2), 0.5))
    # S_11 = 1/2 + h_1 (h_1 - h_2)/4: four entries of mean square (sigma^4 + 3 sigma^4)/16.
    assert uniform_attention(model).test_error == pytest.approx(0.7**2 * 0.01**6 / 2, rel=1e-3)


@pytest.mark.parametrize("model", [AttentionModel.paper(omega=0.2), AttentionModel(0.4, sigma=0.8, **THREE)])
def test_uniform_attention_agrees_with_monte_carlo(model):
    length = model.sequence_length
    h = model.sigma * np.random.default_rng(2).standard_normal((length, 300_000))
    powers = np.exp(h[:, None] * h[None])
    matrix = np.array(model.positional_matrix)[:, :, None]
    target = (1 - model.omega) * powers / powers.sum(axis=1, keepdims=True) + model.omega * matrix
    squares = model.token_variance / length * np.sum((target - 1 / length) ** 2, axis=(0, 1))
    baseline = uniform_attention(model)
    assert abs(squares.mean() - baseline.test_error) < 5 * squares.std() / np.sqrt(squares.size)
    assert baseline.test_error > linear_positional(model).test_error
