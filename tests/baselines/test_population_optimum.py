"""The best attention at infinite data: risk, minima and the approach to them, by other routes."""

import numpy as np
import pytest

from baselines import best_attention, best_positional_attention, best_semantic_attention, linear_positional
from baselines.averages.hermite import orders
from baselines.population_risk import PopulationRisk
from replica import AttentionModel
from replica.symmetry.sectors import Sector
from saddle import StateEvolution, find_point

SKEWED = ((0.3, 0.7), (0.8, 0.2))
THREE = {"positional_matrix": [[0.1, 0.2, 0.7], [0.5, 0.25, 0.25], [1.0, 0.0, -1.0]], "positional_encoding": (1, 0, -1)}
MODELS = [AttentionModel.paper(), AttentionModel(0.5, 0.8, positional_matrix=SKEWED), AttentionModel(0.4, 0.6, **THREE)]
POINTS = [(0.03, 0.25, 0.0), (0.02, 0.0, 0.8), (0.03, 0.15, 0.5), (0.0, 0.3, 0.6)]


def attention(fields):
    logits = fields[:, None] * fields[None]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def sampled(model, noise, position, gain, count=300_000, seed=0):
    """Return w, h* and T(h*) of new sequences, in a finite dimension's stead by their definition."""
    length, generator = model.sequence_length, np.random.default_rng(seed)
    # A token's components along teacher, encodings and the remaining weights.
    along = model.sigma * generator.standard_normal((3, length, count))
    h = along[0]
    encoding = np.array(model.positional_encoding)[:, None]
    w = gain * h + position * (encoding + along[1]) + np.sqrt(noise) / model.sigma * along[2]
    target = (1 - model.omega) * attention(h) + model.omega * np.array(model.positional_matrix)[:, :, None]
    return w, target


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("point", POINTS)
def test_risk_is_the_test_error_of_weights_with_these_overlaps(model, point):
    w, target = sampled(model, *point)
    squares = model.token_variance / model.sequence_length * np.sum((attention(w) - target) ** 2, axis=(0, 1))
    risk = PopulationRisk(model, orders(model.sequence_length)[1])(*point)[0]
    assert abs(squares.mean() - risk) < 4 * squares.std() / np.sqrt(squares.size)


def test_risk_is_the_solvers_test_error():
    model = AttentionModel.paper()
    risk = PopulationRisk(model, 64)
    for sector in (Sector.POSITIONAL, Sector.SEMANTIC):
        point = find_point(StateEvolution(model), sector, 1.5)
        q, m, _, theta = point.order_parameters.values()
        noise = q - 0.25 * m**2 - theta**2 / 0.25
        assert noise > 0
        assert risk(noise, m, theta / 0.25)[0] == pytest.approx(point.test_error, rel=1e-4)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("point", POINTS)
def test_gradient_agrees_with_differences(model, point):
    risk, step = PopulationRisk(model, 16), 1e-5
    gradient = risk(*point)[1]
    for k, direction in enumerate(np.eye(3)):
        if point[k] > 0.0:
            ahead, behind = (risk(*(np.array(point) + s * direction))[0] for s in (step, -step))
            assert (ahead - behind) / (2 * step) == pytest.approx(gradient[k], rel=1e-5, abs=1e-9)
        elif k == 0:
            two, one, none = (risk(*(np.array(point) + s * direction))[0] for s in (2 * step, step, 0.0))
            assert (4 * one - two - 3 * none) / (2 * step) == pytest.approx(gradient[k], rel=1e-3)


@pytest.mark.parametrize("model", MODELS[:2])
@pytest.mark.parametrize(("best", "free"), [(best_positional_attention, (0, 1)), (best_semantic_attention, (0, 2))])
def test_no_point_of_a_grid_is_better(model, best, free):
    optimum, risk = best(model), PopulationRisk(model, 32)
    values = []
    for noise in model.token_variance * np.array([0.0, 0.01, 0.05, 0.2, 0.5, 1.0, 2.0]):
        for overlap in np.linspace(0, 2, 41):
            point = np.zeros(3)
            point[list(free)] = noise, overlap
            values.append(risk(*point)[0])
    assert optimum.test_error <= min(values) + 1e-6 * min(values)
    assert min(values) < 1.1 * optimum.test_error
    assert best_attention(model).test_error <= optimum.test_error * (1 + 1e-9)


@pytest.mark.parametrize("model", MODELS)
def test_positional_attention_never_beats_the_linear_layer(model):
    optimum, linear = best_positional_attention(model), linear_positional(model)
    w, _ = sampled(model, optimum.noise, optimum.positional_overlap, 0.0)
    squares = model.token_variance / model.sequence_length * np.sum(
        (attention(w) - linear.matrix[:, :, None]) ** 2, axis=(0, 1))  # fmt: skip
    excess = optimum.test_error - linear.test_error
    assert excess > 0
    assert abs(squares.mean() - excess) < 4 * squares.std() / np.sqrt(squares.size) + optimum.error


def test_a_purely_semantic_target_is_learned_exactly():
    optimum = best_semantic_attention(AttentionModel.paper(omega=0.0))
    assert optimum.test_error < 1e-20
    assert optimum.semantic_overlap == pytest.approx(0.25, rel=1e-8)
    assert optimum.noise == 0.0
    assert optimum.excess < 1e-15


def test_optima_of_the_papers_model_are_free_of_noise_and_the_best_is_semantic():
    model = AttentionModel.paper()
    positional, semantic, best = (
        f(model) for f in (best_positional_attention, best_semantic_attention, best_attention)
    )
    for optimum in (positional, semantic):
        assert optimum.noise_free
        assert optimum.noise_slope > 0.01
        assert 0.25 * optimum.positional_overlap**2 + optimum.semantic_overlap**2 / 0.25 == pytest.approx(
            optimum.self_overlap)  # fmt: skip
    assert best.positional_overlap == 0.0
    assert best.test_error == pytest.approx(semantic.test_error, rel=1e-9)


def test_the_best_is_positional_for_mostly_positional_targets():
    best = best_attention(AttentionModel.paper(omega=0.8))
    assert best.semantic_overlap == 0.0
    assert best.positional_overlap > 0.3


def test_noise_helps_where_encodings_cannot():
    # Equal encodings leave every row's logits equal; noise on all tokens favours attention to oneself, as A does.
    optimum = best_positional_attention(AttentionModel.paper(omega=0.5, positional_encoding=(1, 1)))
    assert optimum.positional_overlap == 0.0
    assert optimum.noise > 0.05
    assert not optimum.noise_free
    assert optimum.noise_slope == pytest.approx(0.0, abs=1e-9)
    for approach in (optimum.asymptote, optimum.train_loss_asymptote):
        with pytest.raises(ValueError, match="free of noise"):
            approach(100.0)


@pytest.mark.parametrize(
    ("sector", "best", "alphas"),
    [
        (Sector.POSITIONAL, best_positional_attention, (10.0, 30.0)),
        (Sector.SEMANTIC, best_semantic_attention, (100.0, 300.0)),
    ],
)
def test_branches_approach_their_optimum_as_predicted(sector, best, alphas):
    model = AttentionModel.paper()
    optimum, evolution = best(model), StateEvolution(model)
    points = [find_point(evolution, sector, alpha) for alpha in alphas]

    # What is left over of alpha times the distance is of order 1/alpha, so two values extrapolate to the limit.
    def limit(values):
        return (alphas[1] * values[1] - alphas[0] * values[0]) / (alphas[1] - alphas[0])

    test_error = [alpha * (p.test_error - optimum.test_error) for alpha, p in zip(alphas, points, strict=True)]
    train_loss = [p.train_loss - alpha * optimum.test_error for alpha, p in zip(alphas, points, strict=True)]
    assert limit(test_error) == pytest.approx(optimum.excess, rel=0.02)
    assert limit(train_loss) == pytest.approx(optimum.train_excess, rel=0.01)
    for alpha, point in zip(alphas, points, strict=True):
        assert abs(optimum.train_loss_asymptote(alpha) - point.train_loss) < 2e-3 / alpha
    curvature = 2 * optimum.noise_slope
    susceptibility = [alpha * p.order_parameters["susceptibility"] for alpha, p in zip(alphas, points, strict=True)]
    assert limit(susceptibility) == pytest.approx(1 / curvature, rel=0.01)
    for name in ("self_overlap", "positional_overlap", "semantic_overlap"):
        values = [point.order_parameters[name] for point in points]
        assert limit(values) == pytest.approx(getattr(optimum, name), rel=0.02, abs=1e-12)


def test_first_order_transition_near_its_end_at_large_alpha():
    # Two terms of either training loss predict where they cross; it diverges where both risks are equal.
    model = AttentionModel.paper(omega=0.64)
    positional, semantic = best_positional_attention(model), best_semantic_attention(model)
    predicted = (semantic.train_excess - positional.train_excess) / (positional.test_error - semantic.test_error)
    evolution, start = StateEvolution(model), 15.0
    # Newton's method on the difference of the free entropies, whose slope is that of -E[M].
    points = [find_point(evolution, sector, start) for sector in (Sector.POSITIONAL, Sector.SEMANTIC)]
    gap = points[0].free_entropy - points[1].free_entropy
    slope = -(positional.test_error - semantic.test_error)
    assert predicted == pytest.approx(start - gap / slope, rel=0.05)
