"""The Bayes-optimal learner: test error by other routes, limits, and never worse than what is trained."""

import numpy as np
import pytest

from baselines import bayes_optimal, linear_positional, recovery
from replica import AttentionModel
from replica.symmetry.sectors import Sector
from saddle import StateEvolution, find_point

THREE = {"positional_matrix": [[0.1, 0.2, 0.7], [0.5, 0.25, 0.25], [1.0, 0.0, -1.0]], "positional_encoding": (1, 0, -1)}
MODELS = [AttentionModel.paper(), AttentionModel(0.4, sigma=1.2, **THREE)]


def attention(fields):
    logits = fields[:, None] * fields[None]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("overlap", [0.2, 0.6, 0.95])
def test_test_error_is_half_the_distance_of_two_posterior_samples(model, overlap):
    learner, length = bayes_optimal(model), model.sequence_length
    generator = np.random.default_rng(1)
    known, *parts = generator.standard_normal((3, length, 400_000))
    first, second = (attention(model.sigma * (np.sqrt(overlap) * known + np.sqrt(1 - overlap) * x)) for x in parts)
    squares = model.token_variance / (2 * length) * (1 - model.omega) ** 2 * np.sum((first - second) ** 2, axis=(0, 1))
    alpha = recovery.sample_complexity(overlap, length)
    assert learner.overlap_at(alpha) == pytest.approx(np.sqrt(overlap), rel=1e-12)
    assert abs(squares.mean() - learner.test_error_at(alpha)) < 4 * squares.std() / np.sqrt(squares.size)


@pytest.mark.parametrize("model", MODELS)
def test_limits(model):
    learner, length = bayes_optimal(model), model.sequence_length
    assert learner.weak_recovery == 1 / (length * (length + 1))
    assert learner.perfect_recovery == 1 / length
    for alpha in (1e-3, learner.weak_recovery):
        assert learner.overlap_at(alpha) == 0.0
        assert learner.test_error_at(alpha) == pytest.approx(linear_positional(model).test_error, rel=1e-13)
    for alpha in (learner.perfect_recovery, 10.0):
        assert learner.overlap_at(alpha) == 1.0
        assert learner.test_error_at(alpha) == 0.0
    curve = learner.curve(np.linspace(learner.weak_recovery, learner.perfect_recovery, 30))
    assert np.all(np.diff(curve.overlap) > 0)
    assert np.all(np.diff(curve.test_error) < 0)
    with pytest.raises(ValueError, match="read-only"):
        curve.overlap[0] = 1.0


def test_overlap_is_the_same_for_all_targets():
    learners = [bayes_optimal(x) for x in (AttentionModel.paper(), AttentionModel(0.7, sigma=2.0))]
    for alpha in (0.2, 0.3, 0.45):
        assert learners[0].overlap_at(alpha) == learners[1].overlap_at(alpha)
    # Of the test error, omega is a factor.
    other = bayes_optimal(AttentionModel.paper(omega=0.0))
    assert learners[0].test_error_at(0.3) == pytest.approx(0.7**2 * other.test_error_at(0.3), rel=1e-12)


def test_a_target_without_teacher_is_known():
    learner = bayes_optimal(AttentionModel.paper(omega=1.0))
    assert learner.weak_recovery == learner.perfect_recovery == np.inf
    assert learner.overlap_at(2.0) == 0.0
    assert learner.test_error_at(2.0) < 1e-28


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0, 4.0])
def test_error_estimate_covers_a_sharper_rule(sigma):
    model, alpha = AttentionModel(0.3, sigma=sigma), 0.35
    learner = bayes_optimal(model)
    r = learner.overlap_at(alpha) ** 2
    # E[T(h)|w] by a polar trapezoid would need four dimensions; degrees 2 and 4 by the trapezoidal rule in two.
    x, step = np.linspace(-13, 13, 1601, retstep=True)
    density = np.exp(-(x**2) / 2) * step / np.sqrt(2 * np.pi)
    values = (1 - model.omega) * attention(sigma * np.stack(np.meshgrid(x, x, indexing="ij")))
    rows = [density]
    for k in range(1, 41):
        rows.append((x * rows[-1] - (np.sqrt(k - 1) * rows[-2] if k > 1 else 0)) / np.sqrt(k))
    coefficients = np.array(rows) @ values @ np.array(rows).T
    degree = np.add.outer(np.arange(41), np.arange(41))
    energies = [np.sum(coefficients[:, :, degree == j] ** 2) for j in range(1, 41)]
    resolved = sigma**2 / 2 * float(np.dot(1 - r ** np.arange(1, 41), energies))
    rest = linear_positional(model).test_error - sigma**2 / 2 * sum(energies)
    expected = resolved + rest
    allowed = learner.error_at(alpha) + abs(rest) * r**41 + 1e-12 * expected
    assert abs(learner.test_error_at(alpha) - expected) < allowed
    assert learner.error_at(alpha) < 1e-3 * expected


def test_trained_layer_is_never_better():
    model = AttentionModel.paper()
    learner, evolution = bayes_optimal(model), StateEvolution(model)
    gaps = []
    for sector, alpha in (
        (Sector.POSITIONAL, 0.2), (Sector.POSITIONAL, 0.45), (Sector.SEMANTIC, 0.8), (Sector.SEMANTIC, 2.5),
    ):  # fmt: skip
        point = find_point(evolution, sector, alpha)
        overlaps = point.order_parameters
        cosine = overlaps["semantic_overlap"] / np.sqrt(model.token_variance * overlaps["self_overlap"])
        gaps.append((learner.overlap_at(alpha) - cosine, point.test_error - learner.test_error_at(alpha)))
    assert np.min(gaps) > 0
