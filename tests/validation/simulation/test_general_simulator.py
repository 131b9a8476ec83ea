"""The simulator on models of any kind: data with the model's moments, exact gradients, rotations, starts, runs."""

import dataclasses
import math

import numpy as np
import pytest
import sympy as sp

from replica import AttentionModel, Spectrum, SpectrumAtom, linear_attention, softmax, softmax_attention
from replica.quantities.names import order_parameters
from replica.quantities.overlap_invariants import overlap_invariants
from saddle.reference import GaussHermite, ReferenceRule, ReferenceSettings
from saddle.reference.solver import solve_model
from validation import (
    Execution,
    MessagePassingSettings,
    Prediction,
    Training,
    TrainingLoss,
    compare_at,
    draw_teacher_data,
    initial_student,
    simulate,
    train_student,
)
from validation.comparison.run_statistics import extrapolate, statistics_of_runs
from validation.comparison.theory_points import TheoryPoint
from validation.message_passing.approximate import approximate_message_passing
from validation.simulation.compared import COMPARED, compared_names, compared_values
from validation.simulation.coordinates import model_coordinates
from validation.simulation.functions.layers import attention_weights
from validation.simulation.gradient_descent import measured_overlaps
from validation.simulation.run_grid import simulate_runs

KAPPA, MIXING, OMEGA = sp.symbols("kappa mixing omega")
LONG = {"sequence_length": 3, "positional_matrix": [[0.2, 0.5, 0.3], [0.1, 0.9, 0.1], [0.4, 0.4, 0.1]]}
GRAM = [[1.0, 0.3], [0.3, 0.8]]
# Encodings that are longer along the large eigenvalues; with weights 0.3 and 0.7 the average is the Gram matrix.
ON_LARGE = np.array([[1.2, 0.5], [0.5, 1.0]])
ON_SMALL = (np.array(GRAM) - 0.3 * ON_LARGE) / 0.7


# The tests of this file ask what the simulator does with any model; those of plain ones are in test_simulator.


def np_softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def np_default(h):
    return np_softmax(h @ h.T)


def np_mixed(model):
    return lambda h: (1 - model.omega) * np_default(h) + model.omega * np.array(model.positional_matrix)


MODELS = {
    "rank two": AttentionModel(0.3, rank=2),
    "two teachers": AttentionModel(0.3, rank=2, teacher_rank=2),
    "three tokens": AttentionModel(0.3, positional_encoding=(1.0, -0.4, 0.2), **LONG),
    "linear": AttentionModel(0.3, attention=linear_attention(), target=linear_attention()),
    "temperature": AttentionModel(0.3, rank=2, attention=softmax_attention(KAPPA), parameters={"kappa": 1.7}),
    "unequal variances": AttentionModel(0.3, spectrum=Spectrum.isotropic(0.25, 0.6)),
    "power law": AttentionModel(0.3, spectrum=Spectrum.power_law(1.2, tokens=2, largest=50.0)),
    "gram": AttentionModel(0.3, positional_gram=GRAM),
    "custom target": AttentionModel(
        0.3,
        attention=lambda h: (1 - MIXING) * softmax(h * h.T) + MIXING * sp.tanh(h[0]) * sp.eye(2),
        target=lambda h: (1 - OMEGA) * softmax(2 * h * h.T) + OMEGA * sp.sign(h[1]) * sp.eye(2),
        parameters={"mixing": 0.2},
    ),
    "prepared": AttentionModel(
        0.3,
        teacher_rank=2,
        spectrum=Spectrum(
            (
                SpectrumAtom(0.3, (1.0, 0.5), ON_LARGE.tolist(), [[2.0, 0.4], [0.4, 1.0]], [[0.5, 0.0], [-0.5, 0.3]]),
                SpectrumAtom(0.7, (0.2, 0.4), ON_SMALL.tolist(), [[0.5, 0.0], [0.0, 1.5]]),
            )
        ),
        positional_gram=GRAM,
    ),
}
# Attention and target written by hand, where they are not the default.
BY_HAND = {
    "linear": (lambda h: h @ h.T, lambda h: h @ h.T),
    "temperature": (lambda h: np_softmax(1.7 * h @ h.T), None),
    "custom target": (
        lambda h: 0.8 * np_default(h) + 0.2 * np.tanh(h[0, 0]) * np.eye(2),
        lambda h: 0.7 * np_softmax(2 * h @ h.T) + 0.3 * np.sign(h[1, 0]) * np.eye(2),
    ),
}


def draw(model, dimension=12, alpha=2.0, seed=0, **options):
    return draw_teacher_data(model, dimension, alpha, np.random.default_rng(seed), **options)


def random_student(data, scale=1.0, seed=5):
    return scale * np.random.default_rng(seed).standard_normal(data.student_shape)


@pytest.mark.parametrize("name", MODELS)
def test_loss_is_that_of_labels_and_outputs_written_out(name):
    model = MODELS[name]
    data = draw(model)
    student = random_student(data)
    attention, target = BY_HAND.get(name, (None, None))
    attention, target = attention or np_default, target or np_mixed(model)
    root, errors = math.sqrt(data.dimension), []
    for x in np.moveaxis(data.tokens, 1, 0):
        encoded = x + data.encodings
        h = (encoded @ student / root).reshape(len(x), -1)
        known = (x @ data.teacher / root).reshape(len(x), -1)
        errors.append(np.sum((target(known) @ x - attention(h) @ encoded) ** 2))
    loss = TrainingLoss.of(data)
    np.testing.assert_allclose(loss.squared_errors(student), errors, rtol=1e-10)
    total = sum(errors) / (2 * data.dimension) + model.regularization / 2 * np.sum(student**2)
    assert loss.value(student) == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_gradient_equals_finite_differences(name):
    data = draw(MODELS[name], dimension=8)
    loss = TrainingLoss.of(data)
    student = random_student(data)
    value, gradient = loss.value_and_gradient(student)
    assert value == loss.value(student)
    assert gradient.shape == student.shape
    differences = np.empty_like(student)
    for index in np.ndindex(student.shape):
        step = np.zeros_like(student)
        step[index] = 1e-5
        differences[index] = (loss.value(student + step) - loss.value(student - step)) / 2e-5
    assert np.linalg.norm(gradient - differences) < 1e-7 * np.linalg.norm(gradient)


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("length", [2, 3])
def test_written_functions_equal_the_default_ones(rank, length):
    """The paper's own attention and target, given as SymPy functions, take the general route."""
    more = {} if length == 2 else {**LONG, "positional_encoding": (1.0, -0.4, 0.2)}
    plain = AttentionModel(0.3, rank=rank, **more)
    matrix = sp.Matrix(plain.positional_matrix)
    written = AttentionModel(
        0.3, rank=rank, attention=softmax_attention(), target=lambda h: 0.7 * softmax(h * h.T) + 0.3 * matrix, **more
    )
    assert not written.structure.is_paper_kind
    one, two = draw(plain), draw(written)
    np.testing.assert_array_equal(one.tokens, two.tokens)
    np.testing.assert_allclose(one.targets, two.targets, rtol=0, atol=1e-14)
    for scale in (0.3, 3.0):
        student = random_student(one, scale)
        (value, slope), (other, other_slope) = (TrainingLoss.of(d).value_and_gradient(student) for d in (one, two))
        assert other == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(other_slope, slope, rtol=0, atol=1e-12 * np.abs(slope).max())


def test_an_equal_spectrum_is_the_isotropic_model():
    one, two = draw(AttentionModel(0.3, sigma=0.5)), draw(AttentionModel(0.3, spectrum=Spectrum.isotropic(0.25, 0.25)))
    np.testing.assert_array_equal(one.tokens, two.tokens)
    np.testing.assert_allclose(one.encodings, two.encodings, rtol=1e-15)
    np.testing.assert_allclose(one.teacher, two.teacher, rtol=1e-15)


@pytest.mark.parametrize("sigma", [0.1, 0.3, 0.7, 1 / 3, 2.2])
def test_plain_data_are_the_textbook_draw_bit_for_bit(sigma):
    data = draw(AttentionModel(0.3, sigma=sigma), seed=4)
    generator = np.random.default_rng(4)
    np.testing.assert_array_equal(data.teacher, generator.standard_normal(12))
    np.testing.assert_array_equal(data.tokens, generator.standard_normal((2, 24, 12)) * sigma)
    np.testing.assert_array_equal(data.encodings, np.outer([1.0, -1.0], np.full(12, 1 / math.sqrt(12))))


def test_large_tokens_do_not_overflow_in_a_written_softmax():
    big = dataclasses.replace(MODELS["temperature"], sigma=60.0, target=softmax_attention(3))
    with np.errstate(all="raise", under="ignore"):
        data = draw(big)
        value, gradient = TrainingLoss.of(data).value_and_gradient(random_student(data, 3.0))
    assert math.isfinite(value)
    assert np.isfinite(gradient).all()


# ----------------------------------------------------------------------------------------------------- moments


@pytest.mark.parametrize("name", MODELS)
def test_data_have_the_moments_of_the_model(name):
    """Theory's own averages over the spectrum, against sums over coordinates and samples at d = 2000."""
    model = MODELS[name]
    data = draw(model, dimension=2000, alpha=0.2)
    length, d = model.sequence_length, data.dimension
    chance = 6 * math.sqrt(2 / d)
    if model.spectrum is None:
        traces, joint = [model.token_variance] * length, np.eye(model.teacher_rank)
        variances = [model.token_variance * joint] * length
    else:
        traces = model.spectrum.token_traces
        moments = model.spectrum.moments(model.gram, model.teacher_rank)[:, length:, length:]
        shares = model.spectrum.weights[:, None] * model.spectrum.eigenvalues
        variances = np.einsum("nl,nst->lst", shares, moments)
    teacher = data.teacher.reshape(d, -1)
    # The largest eigenvalues of a power law are those of few coordinates.
    few = 0.02 if name == "power law" else 2 / d
    for token in range(length):
        assert np.mean(data.tokens[token] ** 2) == pytest.approx(traces[token], rel=few + 6 * math.sqrt(2 / 4e5))
        sigma = data.coordinates.deviations[token] ** 2
        assert sigma.mean() == pytest.approx(traces[token], rel=few)
        participation = math.sqrt(np.mean(sigma**2)) / sigma.mean()
        found = teacher.T @ (sigma[:, None] * teacher) / d
        scale = np.sqrt(np.outer(np.diag(variances[token]), np.diag(variances[token])))
        assert np.abs(found - variances[token]).max() < (few + 2 * chance * participation) * scale.max()
    np.testing.assert_allclose(data.encodings @ data.encodings.T, model.gram, atol=2e-2 if few > 0.01 else 2e-3)
    np.testing.assert_allclose(
        data.encodings * math.sqrt(d), model.encoding_matrix @ data.coordinates.directions.T, rtol=1e-12, atol=1e-12
    )


def test_moments_of_every_atom_are_exact_or_as_good_as_chance():
    """Encodings exactly; the teacher's own part exactly if spherical; what they share up to fluctuations."""
    model = MODELS["prepared"]
    data = draw(model, dimension=3000, alpha=0.01, spherical_teacher=True)
    change = np.linalg.pinv(model.encoding_matrix)
    for atom, part in enumerate((slice(0, 900), slice(900, 3000))):
        tau = data.encodings[:, part] * math.sqrt(3000)
        count = part.stop - part.start
        moments = model.spectrum.atoms[atom]
        np.testing.assert_allclose(tau @ tau.T / count, moments.positional_moments, atol=1e-12)
        mixed = np.zeros((2, 2)) if moments.mixed_moments is None else np.array(moments.mixed_moments)
        np.testing.assert_allclose(tau @ data.teacher[part] / count, mixed, atol=0.15)
        u = change @ tau
        slope = np.linalg.solve(u @ u.T / count, change @ mixed)
        own = data.teacher[part] - u.T @ slope
        expected = np.array(moments.teacher_moments) - (change @ mixed).T @ slope
        np.testing.assert_allclose(own.T @ own / count, expected, atol=1e-12)
        np.testing.assert_allclose(data.tokens[:, :, part].var(axis=(1, 2)), moments.eigenvalues, rtol=0.05)


@pytest.mark.parametrize("dimension", [3, 200, 1000])
def test_atoms_get_their_share_of_coordinates(dimension):
    spectrum = Spectrum.power_law(1.2, tokens=2)
    found = model_coordinates(AttentionModel(0.3, spectrum=spectrum, positional_gram=GRAM), dimension)
    counts = np.zeros(len(spectrum.atoms))
    counts[list(found.atoms)] = [part.stop - part.start for part in found.ranges]
    assert counts.sum() == dimension
    assert np.abs(counts - dimension * spectrum.weights).max() < 1
    assert np.abs(np.cumsum(counts) - dimension * np.cumsum(spectrum.weights)).max() <= 0.5 + 1e-9
    gram = found.directions.T @ found.directions / dimension
    # Atoms of one coordinate cannot have two orthogonal directions.
    small = sum(part.stop - part.start for part in found.ranges if part.stop - part.start < 2)
    np.testing.assert_allclose(gram, np.eye(2), atol=small / dimension + 1e-12)
    np.testing.assert_allclose(np.diag(gram), 1.0, atol=1e-12)


# --------------------------------------------------------------------------------------------------- rotations


def test_rotations_of_the_columns_change_neither_loss_nor_invariants():
    data = draw(MODELS["two teachers"])
    layout = data.model.structure.layout
    student = random_student(data)
    rotation, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((2, 2)))
    loss = TrainingLoss.of(data)
    assert loss.value(student @ rotation) == pytest.approx(loss.value(student), rel=1e-12)
    np.testing.assert_allclose(loss.gradient(student @ rotation), loss.gradient(student) @ rotation, atol=1e-12)
    here, there = (measured_overlaps(data, q) for q in (student, student @ rotation))
    assert abs(here["semantic_overlap_11"] - there["semantic_overlap_11"]) > 1e-3
    assert overlap_invariants(layout, there) == pytest.approx(overlap_invariants(layout, here), rel=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_overlaps_are_the_sums_they_are_defined_as(name):
    model = MODELS[name]
    data = draw(model, dimension=30)
    student = random_student(data)
    columns, teacher = student.reshape(30, -1), data.teacher.reshape(30, -1)
    found = measured_overlaps(data, student)
    layout = model.structure.layout
    for group in range(layout.group_count):
        token = layout.members(group)[0]
        sigma = data.coordinates.deviations[token][:, None] ** 2
        stem = f"_{group + 1}" if layout.group_count > 1 else ""
        q, theta = columns.T @ (sigma * columns) / 30, columns.T @ (sigma * teacher) / 30
        tail = "_12" if layout.rank > 1 else ""
        assert found[f"self_overlap{stem}{tail}"] == pytest.approx(q[0, -1], rel=1e-12)
        written = ["2"] * (layout.rank > 1) + ["1"] * (layout.teacher_rank > 1)
        assert found[f"semantic_overlap{stem}" + "_" * bool(written) + "".join(written)] == pytest.approx(
            theta[-1, 0], rel=1e-12
        )
    # The fields' means: Q^T p_l / sqrt(d) = m C_l.
    m = np.array([value for name, value in found.items() if name.startswith("positional")]).reshape(layout.rank, -1)
    np.testing.assert_allclose(m @ model.encoding_matrix.T, columns.T @ data.encodings.T / math.sqrt(30), atol=1e-12)


# ------------------------------------------------------------------------------------------------- starts, runs


def test_informed_starts_of_several_columns_are_random_in_the_others():
    data = draw(MODELS["rank two"], dimension=4000, alpha=0.001)
    starts = {
        name: initial_student(data, name, np.random.default_rng(1))
        for name in ("semantic", "positional", "positional-informed", "random")
    }
    np.testing.assert_array_equal(starts["semantic"][:, 0], data.teacher)
    np.testing.assert_array_equal(starts["positional-informed"][:, 0], np.ones(4000))
    np.testing.assert_array_equal(starts["positional"][:, 0], np.full(4000, 1 / math.sqrt(4000)))
    for student in starts.values():
        assert student.shape == (4000, 2)
        assert student[:, 1].std() == pytest.approx(0.1, rel=0.06)
    with pytest.raises(ValueError, match="generator"):
        initial_student(data, "semantic")
    both = draw(MODELS["two teachers"])
    np.testing.assert_array_equal(initial_student(both, "semantic"), both.teacher)
    mixed = initial_student(data, "mixed")
    np.testing.assert_array_equal(mixed, np.stack([np.ones(4000), data.teacher], axis=1))
    np.testing.assert_array_equal(initial_student(both, "mixed")[:, 1], both.teacher[:, 0])
    # A student of fewer columns than the teacher's gets the first.
    one = draw(dataclasses.replace(MODELS["two teachers"], rank=1))
    np.testing.assert_array_equal(initial_student(one, "semantic"), one.teacher[:, 0])
    with pytest.raises(ValueError, match="rank 1"):
        initial_student(one, "mixed")


@pytest.mark.parametrize("name", MODELS)
def test_methods_reach_one_minimum_of_any_model(name):
    data = draw(MODELS[name], dimension=40, spherical_teacher=True)
    generator = np.random.default_rng(0)
    to_the_minimum = Training(method="l-bfgs", test_samples=400)
    minimum = train_student(data, "semantic", generator=generator, training=to_the_minimum)
    short = Training(steps=20, learning_rate=0.01, test_samples=400)
    again = train_student(data, minimum.student, generator=generator, training=short)
    assert minimum.gradient_norm < 1e-6
    assert again.train_loss == pytest.approx(minimum.train_loss, rel=1e-9)
    assert tuple(compared_values(minimum)) == compared_names(data.model.structure.layout)
    # The test error is an average over fresh samples of the same law as the training data.
    fresh = draw(data.model, dimension=40, alpha=20.0, seed=9)
    fresh = dataclasses.replace(fresh, teacher=data.teacher, encodings=data.encodings)
    known = fresh.tokens @ data.teacher / math.sqrt(40)
    _, target = BY_HAND.get(name, (None, None))
    by_hand = target or np_mixed(data.model)
    targets = [by_hand(known[:, k].reshape(len(known), -1)) for k in range(fresh.samples)]
    fresh = dataclasses.replace(fresh, targets=np.moveaxis(targets, 0, 2))
    errors = TrainingLoss.of(fresh).squared_errors(minimum.student) / (40 * data.model.sequence_length)
    spread = math.hypot(errors.std() / math.sqrt(errors.size), minimum.test_error_standard_error)
    assert abs(errors.mean() - minimum.test_error) < 5 * spread


def test_adam_of_several_columns_takes_steps_of_its_own_length():
    data = draw(MODELS["rank two"])
    start = random_student(data)
    training = Training(method="adam", steps=1, learning_rate=0.03, test_samples=2)
    run = train_student(data, start, generator=np.random.default_rng(0), training=training)
    gradient = TrainingLoss.of(data).gradient(start)
    np.testing.assert_allclose(start - run.student, 0.03 * np.sign(gradient), rtol=1e-5)


def test_runs_of_several_columns_are_kept_and_compared_by_their_invariants(tmp_path):
    model = MODELS["rank two"]
    training, execution = Training(method="l-bfgs", test_samples=50), Execution(folder=tmp_path)
    arguments = {"starts": ("semantic",), "dimensions": (30,), "seeds": 3, "training": training}
    runs, complete = simulate_runs(model, (1.5,), execution=execution, **arguments)
    assert complete
    names = ("self_overlap_1", "self_overlap_2", "positional_overlap", "semantic_overlap", "train_loss", "test_error")
    assert compared_names(model.structure.layout) == names
    run = simulate(model, "semantic", 1.5, 30, 2, training=training)
    for name, value in compared_values(run).items():
        assert float(runs[name].sel(seed=2).squeeze()) == pytest.approx(value, rel=1e-9)
    again, _ = simulate_runs(model, (1.5,), execution=execution, **arguments)
    assert again.identical(runs)
    theory = {name: float(runs[name].mean()) for name in names}
    comparison = compare_at(model, Prediction(1.5, theory), "semantic", 30, range(3), training=training)
    assert [quantity.name for quantity in comparison.quantities] == list(names)
    assert comparison.largest_deviation < 1e-6
    with pytest.raises(ValueError, match="self_overlap_1"):
        compare_at(model, Prediction(1.5, dict.fromkeys(COMPARED, 0.1)), "semantic", 30, range(3), training=training)
    with pytest.raises(AttributeError, match="self_overlap_11"):
        _ = run.self_overlap


def test_what_knows_plain_models_only_says_so():
    data = draw(MODELS["rank two"])
    with pytest.raises(ValueError, match="message passing must have a model of rank one"):
        approximate_message_passing(
            data, data.teacher, 5.0, MessagePassingSettings(2), generator=np.random.default_rng(0)
        )
    with pytest.raises(ValueError, match="an AttentionModel or a MultiIndexModel, got int"):
        draw(3)
    with pytest.raises(ValueError, match=r"\(12, 2\), got shape \(12,\)"):
        train_student(data, data.teacher, generator=np.random.default_rng(0))


def test_attention_weights_of_one_column_are_those_of_a_vector():
    h = np.random.default_rng(0).standard_normal((3, 50))
    np.testing.assert_allclose(attention_weights(h[:, :, None]), attention_weights(h), rtol=1e-14)


# ------------------------------------------------------------------------------------------------------ theory


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "broken"),
    [
        (AttentionModel(0.3, spectrum=Spectrum.isotropic(0.25, 0.35)), ("semantic_overlap_1", "semantic_overlap_2")),
        (
            AttentionModel(
                0.3,
                spectrum=Spectrum(
                    (
                        SpectrumAtom(0.3, (0.5, 0.5), teacher_moments=[[1.6]]),
                        SpectrumAtom(0.7, (0.15, 0.15), teacher_moments=[[0.7]]),
                    )
                ),
            ),
            ("semantic_overlap",),
        ),
        (AttentionModel(0.3, attention=linear_attention(), target=linear_attention()), ("semantic_overlap",)),
        (AttentionModel(0.3, positional_gram=[[1.0, 0.3], [0.3, 1.0]]), ("semantic_overlap",)),
    ],
    ids=["unequal variances", "two atoms", "linear", "gram"],
)
def test_minima_at_the_teacher_are_those_of_the_reference_solver(model, broken):
    """Minima extrapolated in 1/d, against the slow solver (good to 3e-3), which shares nothing with the simulator."""
    layout = model.structure.layout
    start = {entry.name: {"q": 0.15, "V": 12.0}.get(entry.letter[0], 0.0) for entry in order_parameters(layout)}
    rule = ReferenceRule(GaussHermite(8), GaussHermite(8))
    settings = ReferenceSettings(tolerance=1e-5)
    point = solve_model(model, 2.5, start=start | dict.fromkeys(broken, 0.18), rule=rule, settings=settings)
    assert point.converged
    losses = {"train_loss": point.training_loss, "test_error": point.test_error}
    theory = {**overlap_invariants(layout, point.order_parameters), **losses}
    runs, complete = simulate_runs(
        model, (2.5,), starts=("semantic",), dimensions=(350, 700), seeds=range(70, 76), spherical_teacher=True,
        training=Training(steps=200, polish=True, test_samples=8000),
    )  # fmt: skip
    assert complete
    known = TheoryPoint("semantic", 2.5, True, True, True, theory, dict.fromkeys(theory, math.nan))
    statistics = statistics_of_runs(runs, {("semantic", 2.5): known}, layout)
    limit = extrapolate(statistics).squeeze()
    for name in compared_names(layout):
        found = limit.sel(quantity=name)
        # Next orders in 1/d are left out: a tenth of the first correction at the larger size.
        left_out = abs(float(found["slope"])) / 700 / 10
        distance = abs(float(found["mean"]) - theory[name])
        if abs(theory[name]) < 1e-8:
            assert abs(float(found["significance"])) < 4, name
        else:
            assert distance < 4 * float(found["standard_error"]) + 5e-3 * abs(theory[name]) + left_out, name
