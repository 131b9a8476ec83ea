"""The simulator on losses other than attention's: data, loss and gradient by hand, closed forms, attention as one."""

import dataclasses
import math
import pickle

import numpy as np
import pytest
import sympy as sp
from scipy.special import erf

from replica import AttentionModel, MultiIndexModel, Spectrum, SpectrumAtom, softmax
from tests.models.multi_index import NOISE, PHASE_RETRIEVAL, RIDGE
from validation import (
    MessagePassingSettings,
    MultiIndexLoss,
    Training,
    TrainingLoss,
    approximate_message_passing,
    draw_teacher_data,
    initial_student,
    simulate,
    train_student,
    training_loss,
)
from validation.simulation.compared import compared_names, compared_values
from validation.simulation.coordinates import sampled_model
from validation.simulation.descent.halving import descend_by_halving
from validation.simulation.descent.optimisers import lowest_by_lbfgs
from validation.simulation.gradient_descent import measured_overlaps
from validation.simulation.run_store import RunTask

WIDTH = sp.Symbol("width")


def np_softmax(h):
    powers = np.exp(h @ h.T)
    return powers / powers.sum(axis=1, keepdims=True)


def sp_softmax(h):
    return softmax(h * h.T)


MIX, A = sp.Rational(3, 10), sp.Matrix([[0.6, 0.4], [0.4, 0.6]])
MODELS = {
    "ridge": RIDGE,
    "pseudo-Huber": MultiIndexModel(
        lambda z, y: WIDTH**2 * (sp.sqrt(1 + ((z[0] - y[0]) / WIDTH) ** 2) - 1),
        0.05,
        lambda h, xi: [h[0] + NOISE * xi[0] ** 3],
        noise=1,
        parameters={"noise": 0.5, "width": 0.8},
    ),
    "phase retrieval": PHASE_RETRIEVAL,
    "signs": MultiIndexModel(lambda z, y: sp.log(1 + sp.exp(-y[0] * z[0])), 0.2, lambda h, xi: [sp.sign(h[0])]),
    "committee": MultiIndexModel(
        lambda z, y: (sp.erf(z[0] / sp.sqrt(2)) + sp.erf(z[1] / sp.sqrt(2)) - y[0]) ** 2 / 2,
        0.02,
        lambda h, xi: [sp.erf(h[0] / sp.sqrt(2)) + sp.erf(h[1] / sp.sqrt(2))],
        rank=2,
        teacher_rank=2,
    ),
    # Two tokens of unequal covariances with encodings, two columns and two noises.
    "everything": MultiIndexModel(
        lambda z, y: (z[0, 0] * z[1, 1] - y[0]) ** 2 / 2 + sp.cosh(z[0, 1] - y[1]),
        0.3,
        lambda h, xi: [h[0, 0] + h[1, 0] * xi[0], sp.tanh(h[1, 0]) + xi[1] / 4],
        noise=2,
        spectrum=Spectrum([SpectrumAtom(0.3, (1.0, 0.5)), SpectrumAtom(0.7, (0.2, 0.4))]),
        rank=2,
        positional_gram=[[1.0, 0.3], [0.3, 0.8]],
    ),
    "attention": MultiIndexModel(
        lambda z, y: sum((y[k] - weight) ** 2 for k, weight in enumerate(sp_softmax(z))) / 8,
        0.01,
        lambda h, xi: list((1 - MIX) * sp_softmax(h) + MIX * A),
        spectrum=Spectrum.isotropic(0.25, 0.25),
        positional_gram=[[1, -1], [-1, 1]],
    ),
}
# A sample's loss at pre-activations z, (L, r), and outputs y, and the outputs at h, (L, t), without noise.
BY_HAND = {
    "ridge": (lambda z, y: (z[0, 0] - y[0]) ** 2 / 2, lambda h: [h[0, 0]]),
    "pseudo-Huber": (
        lambda z, y: 0.64 * (math.sqrt(1 + ((z[0, 0] - y[0]) / 0.8) ** 2) - 1),
        lambda h: [h[0, 0]],
    ),
    "phase retrieval": (lambda z, y: (z[0, 0] ** 2 - y[0] ** 2) ** 2 / 4, lambda h: [h[0, 0]]),
    "signs": (lambda z, y: math.log1p(math.exp(-y[0] * z[0, 0])), lambda h: [np.sign(h[0, 0])]),
    "committee": (
        lambda z, y: (np.sum(erf(z / math.sqrt(2))) - y[0]) ** 2 / 2,
        lambda h: [np.sum(erf(h / math.sqrt(2)))],
    ),
    "everything": (
        lambda z, y: (z[0, 0] * z[1, 1] - y[0]) ** 2 / 2 + math.cosh(z[0, 1] - y[1]),
        lambda h: [h[0, 0], math.tanh(h[1, 0])],
    ),
    "attention": (
        lambda z, y: np.sum((np.array(y).reshape(2, 2) - np_softmax(z)) ** 2) / 8,
        lambda h: list((0.7 * np_softmax(h) + 0.3 * np.array([[0.6, 0.4], [0.4, 0.6]])).ravel()),
    ),
}


def draw(model, dimension=12, alpha=2.0, seed=0, **options):
    return draw_teacher_data(model, dimension, alpha, np.random.default_rng(seed), **options)


def random_student(data, seed=5):
    return np.random.default_rng(seed).standard_normal(data.student_shape)


def fields_of(data, weights, encodings):
    """Return each sample's pre-activations, (L, columns)."""
    samples = np.moveaxis(data.tokens, 1, 0)
    return [(x + encodings) @ weights.reshape(len(weights), -1) / math.sqrt(data.dimension) for x in samples]


@pytest.mark.parametrize("name", MODELS)
def test_loss_is_that_of_fields_written_out(name):
    data = draw(MODELS[name])
    student = random_student(data)
    by_hand, _ = BY_HAND[name]
    z = fields_of(data, student, data.encodings)
    losses = [by_hand(here, y) for here, y in zip(z, data.targets.T, strict=True)]
    loss = training_loss(data)
    assert isinstance(loss, MultiIndexLoss)
    np.testing.assert_allclose(loss.sample_losses(student), losses, rtol=1e-10)
    total = sum(losses) + data.model.regularization / 2 * np.sum(student**2)
    assert loss.value(student) == pytest.approx(total, rel=1e-12)
    assert loss.per_dimension(student) == pytest.approx(total / 12, rel=1e-12)
    np.testing.assert_allclose(loss.test_errors(student), 2 * np.array(losses) / len(data.encodings), rtol=1e-10)


@pytest.mark.parametrize("name", MODELS)
def test_outputs_are_those_of_the_teachers_fields_and_noise(name):
    model = MODELS[name]
    data = draw(model, dimension=30, alpha=100.0)
    _, by_hand = BY_HAND[name]
    h = fields_of(data, data.teacher, 0.0)
    without = np.array([by_hand(here) for here in h]).T
    noise = data.targets - without
    if not model.noise:
        np.testing.assert_allclose(noise, 0.0, atol=1e-13)
    elif name == "everything":
        other = np.array([here[1, 0] for here in h])
        assert np.std(noise[0] / other) == pytest.approx(1.0, rel=0.1)
        assert np.std(noise[1]) == pytest.approx(0.25, rel=0.1)
        assert abs(np.corrcoef(noise[0] / other, noise[1])[0, 1]) < 0.1
    else:
        assert np.mean(noise**2) == pytest.approx({"ridge": 0.49, "pseudo-Huber": 15 * 0.25}[name], rel=0.3)
    assert not data.targets.flags.writeable


@pytest.mark.parametrize("name", MODELS)
def test_gradient_equals_finite_differences(name):
    data = draw(MODELS[name], dimension=8)
    loss = training_loss(data)
    student = random_student(data)
    value, gradient = loss.value_and_gradient(student)
    assert value == pytest.approx(loss.value(student), rel=1e-14)
    np.testing.assert_array_equal(loss.gradient(student), gradient)
    assert gradient.shape == student.shape
    differences = np.empty_like(student)
    for index in np.ndindex(student.shape):
        step = np.zeros_like(student)
        step[index] = 1e-5
        differences[index] = (loss.value(student + step) - loss.value(student - step)) / 2e-5
    assert np.linalg.norm(gradient - differences) < 1e-7 * np.linalg.norm(gradient)


@pytest.mark.parametrize("name", MODELS)
def test_the_order_of_samples_does_not_matter(name):
    data = draw(MODELS[name])
    order = np.random.default_rng(1).permutation(data.samples)
    shuffled = dataclasses.replace(data, tokens=data.tokens[:, order], targets=data.targets[:, order])
    student = random_student(data)
    (value, slope), (other, other_slope) = (training_loss(x).value_and_gradient(student) for x in (data, shuffled))
    assert other == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(other_slope, slope, rtol=0, atol=1e-12 * np.abs(slope).max())


def test_single_precision_is_that_of_the_passes():
    one, two = (training_loss(draw(MODELS["everything"], dimension=40, dtype=x)) for x in ("float32", "float64"))
    assert one.data.tokens.dtype == np.float32
    student = random_student(one.data)
    np.testing.assert_allclose(one.gradient(student), two.gradient(student), rtol=0, atol=3e-5)


# ------------------------------------------------------------------------------------------------- closed forms


@pytest.mark.parametrize("method", ["l-bfgs", "gradient-descent"])
def test_ridge_regression_solves_the_normal_equations(method):
    data = draw(MODELS["ridge"], dimension=60, alpha=3.0)
    design = data.tokens[0] / math.sqrt(60)
    expected = np.linalg.solve(design.T @ design + 0.1 * np.eye(60), design.T @ data.targets[0])
    training = Training(method=method, steps=None if method == "l-bfgs" else 50, polish=True, test_samples=20_000)
    run = train_student(data, "random", generator=np.random.default_rng(0), training=training)
    # Per entry: rounding of the loss hides descent from there on.
    assert np.linalg.norm(run.student - expected) < 1e-8 * math.sqrt(60)
    loss = np.sum((data.targets[0] - design @ expected) ** 2) / 2 + 0.05 * expected @ expected
    assert run.train_loss == pytest.approx(loss / 60, rel=1e-10)
    assert run.self_overlap == pytest.approx(expected @ expected / 60, rel=1e-8)
    assert run.semantic_overlap == pytest.approx(expected @ data.teacher / 60, rel=1e-8)
    # Twice the loss of a new sample, in closed form.
    population = np.sum((expected - data.teacher) ** 2) / 60 + 0.49
    assert abs(run.test_error - population) < 4 * run.test_error_standard_error
    assert run.test_error_standard_error < 0.02 * population


def test_ridge_regression_in_a_spectrum_solves_the_normal_equations():
    model = dataclasses.replace(
        MODELS["ridge"],
        spectrum=Spectrum([SpectrumAtom(0.25, (4.0,), teacher_moments=[[0.2]]), SpectrumAtom(0.75, (0.3,))]),
    )
    data = draw(sampled_model(model, 40), dimension=40, alpha=3.0)
    assert np.mean(data.tokens[0, :, :10] ** 2) == pytest.approx(4.0, rel=0.2)
    assert np.mean(data.tokens[0, :, 10:] ** 2) == pytest.approx(0.3, rel=0.2)
    design = data.tokens[0] / math.sqrt(40)
    expected = np.linalg.solve(design.T @ design + 0.1 * np.eye(40), design.T @ data.targets[0])
    found, _ = lowest_by_lbfgs(training_loss(data), data.teacher, 1000)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7)
    sigma = np.repeat([4.0, 0.3], [10, 30])
    self_overlap, with_teacher = measured_overlaps(data, found).values()
    assert self_overlap == pytest.approx(np.sum(sigma * expected**2) / 40, rel=1e-6)
    assert with_teacher == pytest.approx(np.sum(sigma * expected * data.teacher) / 40, rel=1e-6)


# --------------------------------------------------------------------------------------- attention as any other


def concentrated(loss: TrainingLoss) -> TrainingLoss:
    """Return attention's loss with the limits of its Gram matrices: lengths do not fluctuate, encodings have none."""
    length, samples, dimension = loss.data.tokens.shape
    products = np.broadcast_to(0.25 * dimension * np.eye(length)[:, :, None], (length, length, samples))
    return TrainingLoss(loss.data, products, np.zeros_like(loss.cross_products), np.zeros((length, length)))


def test_attention_is_a_multi_index_model_where_lengths_do_not_fluctuate():
    attention, typed = draw(AttentionModel.paper(omega=0.3), 40), draw(MODELS["attention"], 40)
    np.testing.assert_array_equal(attention.tokens, typed.tokens)
    np.testing.assert_allclose(attention.teacher, typed.teacher, rtol=1e-14)
    np.testing.assert_allclose(attention.encodings, typed.encodings, rtol=1e-14)
    np.testing.assert_allclose(attention.targets.reshape(4, -1), typed.targets, rtol=0, atol=1e-14)
    one, two = concentrated(TrainingLoss.of(attention)), training_loss(typed)
    for scale in (0.3, 3.0):
        student = scale * random_student(typed)
        (value, slope), (other, other_slope) = (x.value_and_gradient(student) for x in (one, two))
        assert other == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(other_slope, slope, rtol=0, atol=1e-12 * np.abs(slope).max())
    ends = [lowest_by_lbfgs(loss, attention.teacher, 2000)[0] for loss in (one, two)]
    np.testing.assert_allclose(ends[1], ends[0], rtol=0, atol=1e-4)
    assert two.value(ends[1]) == pytest.approx(one.value(ends[0]), rel=1e-9)


def test_attention_with_its_labels_comes_to_the_same_as_the_dimension_grows():
    """On the same data: what lengths and encodings add to the loss is of order 1/d, relatively."""
    away = []
    for dimension in (50, 200):
        found = []
        for seed in range(6):
            runs = [
                simulate(
                    model, "semantic", 2.5, dimension, seed, spherical_teacher=True,
                    training=Training(steps=100, polish=True, test_samples=10),
                )
                for model in (AttentionModel.paper(omega=0.3), MODELS["attention"])
            ]  # fmt: skip
            found.append([[run.train_loss, run.semantic_overlap] for run in runs])
        away.append(np.abs(np.diff(np.mean(found, axis=0), axis=0)[0] / np.mean(found, axis=(0, 1))))
    assert np.all(away[0] < 0.3)
    assert np.all(away[1] < 0.5 * away[0])


# ------------------------------------------------------------------------------------------------ starts, descent


def test_starts_that_know_something_and_those_that_do_not():
    data = draw(MODELS["ridge"], dimension=4000, alpha=0.001)
    generator = np.random.default_rng(1)
    np.testing.assert_array_equal(initial_student(data, "semantic"), data.teacher)
    assert initial_student(data, "random", generator).std() == pytest.approx(0.1, rel=0.06)
    assert initial_student(data, "uninformed", generator).std() == pytest.approx(1.0, rel=0.06)
    for start in ("positional", "positional-informed"):
        with pytest.raises(ValueError, match=f"without encodings, got '{start}'"):
            initial_student(data, start, generator)
    both = draw(MODELS["committee"])
    np.testing.assert_array_equal(initial_student(both, "semantic"), both.teacher)
    encoded = draw(MODELS["everything"])
    np.testing.assert_array_equal(
        initial_student(encoded, "positional-informed", generator)[:, 0], encoded.coordinates.directions[:, 0]
    )


@pytest.mark.parametrize("name", MODELS)
def test_descent_by_halving_never_climbs_and_stays_in_its_basin(name):
    data = draw(MODELS[name], dimension=30, alpha=3.0, spherical_teacher=True)
    loss, values = training_loss(data), []
    student = initial_student(data, "semantic", np.random.default_rng(0))

    class Watched:
        def value_and_gradient(self, here):
            value, gradient = loss.value_and_gradient(here)
            values.append(value)
            return value, gradient

    found, taken, rate = descend_by_halving(Watched(), student, 60, 0.0)
    assert taken == 60 or rate < 1e-9
    accepted = np.minimum.accumulate(values)
    assert loss.value(found) == pytest.approx(accepted[-1], rel=1e-13)
    assert accepted[-1] < values[0]
    # A tenth of the rate follows the flow of the gradient itself, to the same minimum.
    flow = student.copy()
    for _ in range(600):
        flow -= rate / 10 * loss.gradient(flow)
    ends = [loss.value(lowest_by_lbfgs(loss, x, 5000)[0]) for x in (found, flow)]
    assert ends[0] == pytest.approx(ends[1], rel=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_runs_are_reproduced_by_their_seed(name):
    training = Training(steps=20, polish=True, test_samples=200)
    one, two = (simulate(MODELS[name], "random", 2.0, 20, 3, training=training) for _ in range(2))
    assert one == two
    assert tuple(compared_values(one)) == compared_names(MODELS[name].structure.layout)
    assert one.gradient_norm < 1e-5
    other = simulate(MODELS[name], "random", 2.0, 20, 4, training=training)
    assert other.train_loss != one.train_loss
    again = pickle.loads(pickle.dumps(one))
    assert again == one
    assert again.invariants == one.invariants


def test_data_are_the_same_whatever_the_start():
    """Of one seed, ridge regression has one minimum, and one test error on fresh samples."""
    training = Training(method="l-bfgs", test_samples=100)
    runs = [simulate(MODELS["ridge"], start, 2.0, 30, 1, training=training) for start in ("semantic", "uninformed")]
    assert runs[0].train_loss == pytest.approx(runs[1].train_loss, rel=1e-10)
    assert runs[0].test_error == pytest.approx(runs[1].test_error, rel=1e-6)


def test_learning_rates_of_attention_are_not_asked_of_other_losses():
    """Phase retrieval diverges with the published rate, and a strong penalty by itself would."""
    run = simulate(MODELS["phase retrieval"], "semantic", 3.0, 30, 0, training=Training(steps=200, test_samples=10))
    assert run.learning_rate is not None
    assert run.learning_rate < 0.15
    with pytest.raises(FloatingPointError, match="take a smaller one"), np.errstate(all="ignore"):
        simulate(
            MODELS["phase retrieval"], "semantic", 3.0, 30, 0,
            training=Training(steps=2000, learning_rate=0.15, test_samples=10),
        )  # fmt: skip
    strong = dataclasses.replace(MODELS["ridge"], regularization=50.0)
    assert simulate(strong, "semantic", 1.0, 20, 0, training=Training(steps=50, test_samples=10)).train_loss > 0


# --------------------------------------------------------------------------------------------- keys and refusals


def test_a_run_is_known_by_all_of_its_model():
    def key(model):
        return RunTask(model, "semantic", 1.0, 20, 0).key

    ridge = MODELS["ridge"]
    assert key(ridge) == key(MultiIndexModel.from_dict(ridge.to_dict()))
    assert key(ridge) == key(pickle.loads(pickle.dumps(ridge)))
    others = [dataclasses.replace(ridge, parameters={"noise": 0.7000000000000001}), MODELS["pseudo-Huber"]]
    scaled = [MultiIndexModel(lambda z, y, c=c: c * (z[0] - y[0]) ** 2, 0.1) for c in (0.5, 0.5 + 2**-50)]
    assert len({key(model) for model in (ridge, *others, *scaled)}) == 5


def test_what_is_for_attention_alone_says_so():
    data = draw(MODELS["ridge"])
    generator = np.random.default_rng(0)
    with pytest.raises(ValueError, match="must have an AttentionModel, got MultiIndexModel"):
        TrainingLoss.of(data)
    with pytest.raises(ValueError, match="moves between wells"):
        train_student(data, "semantic", generator=generator, training=Training(moves=1))
    with pytest.raises(ValueError, match="message passing must have an AttentionModel"):
        approximate_message_passing(data, data.teacher, 5.0, MessagePassingSettings(2), generator=generator)
    with pytest.raises(ValueError, match="loss is its own"):
        MultiIndexLoss(draw(AttentionModel.paper())).value(np.zeros(12))
