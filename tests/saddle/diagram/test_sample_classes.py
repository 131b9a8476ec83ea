"""Samples of several classes: closed forms, the reference solver, data, and laws between ways of writing them."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
from scipy.optimize import brentq

from replica import InvalidModel, MultiIndexModel, SampleClass, derive
from replica.reports.formats.label_prefix import label_prefix
from saddle import LineRule, PhaseDiagram, StateEvolution, solve_broken_symmetry, solve_phase_diagram, sweep_dataset
from saddle.branches.line_parameters import with_parameters
from saddle.diagram.lower_bound import no_lower_bound
from saddle.reference.solver import solve_model
from saddle.testing import assert_stationary, assert_survives
from tests.models.multi_index import LABEL, clouds, exclusive_or, logistic, two_classes

FINE = LineRule().refined(10.0)


def squared(z):
    return (z - LABEL) ** 2 / 2


def solution(model: MultiIndexModel, alpha: float, rule: LineRule = FINE):
    diagram = solve_phase_diagram(model, (0.5 * alpha, alpha), points=2, rule=rule, progress=False)
    return diagram.branches["positional"].at(alpha)


def ridge_of_clouds(classes, alpha: float, penalty: float) -> tuple[float, float, float]:
    """Solve by hand: q, m, V of ridge regression of labels on clouds around C v, of means C and shares p.

    With s = V_hat = alpha/(1 + V): V = 1/(penalty + s), m = V s E[C(y - m C)], and
    q = V^2 (s^2 E[(y - w)^2]/alpha + (m/V)^2) with E[(y - w)^2] = q + E[(y - m C)^2].
    """
    share, mean, label = np.array(
        [(one.probability, one.means[0][0], dict(one.parameters)["label"]) for one in classes]
    ).T
    V = brentq(lambda V: V * (penalty + alpha / (1 + V)) - 1, 1e-9, 1 / penalty)
    s = alpha / (1 + V)
    m = V * s * (share @ (mean * label)) / (1 + V * s * (share @ mean**2))
    noise = share @ (label - m * mean) ** 2
    q = (V**2 * s**2 / alpha * noise + m**2) / (1 - V**2 * s**2 / alpha)
    return q, m, V


@pytest.mark.parametrize("share", [0.3, 0.5])
def test_ridge_regression_of_labels_has_its_closed_form(share):
    classes = two_classes(share, 1.2, -0.4)
    point = solution(clouds(squared, classes), 2.0)
    q, m, V, _ = point.evaluation.state
    np.testing.assert_allclose((q, m, V), ridge_of_clouds(classes, 2.0, 0.1), rtol=2e-6)


def test_ridge_regression_of_labels_is_what_data_show():
    classes, d, alpha, penalty = two_classes(0.3), 1500, 2.0, 0.1
    q, m, _ = ridge_of_clouds(classes, alpha, penalty)
    found = []
    for seed in range(8):
        random = np.random.default_rng(seed)
        label = np.where(random.random(int(alpha * d)) < 0.3, 1.0, -1.0)
        tokens = random.normal(size=(len(label), d))
        tokens[:, 0] += label
        weights = np.linalg.solve(tokens.T @ tokens / d + penalty * np.eye(d), tokens.T @ label / np.sqrt(d))
        found.append((weights @ weights / d, weights[0] / np.sqrt(d)))
    mean, spread = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    assert np.all(np.abs(mean - (q, m)) < 4.0 * spread + 2.0 / d)


def test_a_strong_penalty_learns_the_mean_of_labelled_samples():
    """Which classifies balanced clouds as well as can be (arXiv:2002.11544): m^2/q = alpha/(1 + alpha)."""
    classes, alpha = two_classes(0.5), 1.7
    q, m, _ = ridge_of_clouds(classes, alpha, 1e6)
    assert m**2 / q == pytest.approx(alpha / (1 + alpha), rel=1e-5)
    point = solution(clouds(squared, classes, 300.0), alpha)
    q, m = point.evaluation.state[:2]
    assert m**2 / q == pytest.approx(alpha / (1 + alpha), rel=0.01)


def test_logistic_classification_agrees_with_the_reference_solver():
    model = clouds(logistic, two_classes(0.3, 1.2, -0.7))
    point, slow = solution(model, 1.5), solve_model(model, 1.5, start={"positional_overlap": 0.5})
    assert slow.converged
    for index, quantity in enumerate(point.evaluation.space.quantities[:3]):
        name = quantity.name
        assert point.evaluation.state[index] == pytest.approx(slow.order_parameters[name], rel=3e-6)
    assert point.evaluation.free_entropy == pytest.approx(slow.free_entropy, rel=3e-6)
    assert point.evaluation.test_error == pytest.approx(slow.test_error, rel=3e-6)


def state_of(model: MultiIndexModel) -> tuple[StateEvolution, np.ndarray]:
    evolution = StateEvolution(model, LineRule())
    return evolution, np.array([0.6, 0.4, 1.3, 0.0])


def numbers_at(model: MultiIndexModel) -> np.ndarray:
    evolution, state = state_of(model)
    here = evolution.evaluate(state, 1.7)
    stable = evolution.replicon(state, 1.7)
    return np.concatenate([
        here.full_residual, here.full_jacobian.ravel(), [here.free_entropy, here.train_loss, here.test_error],
        [stable.regular, stable.jump_strength],
    ])  # fmt: skip


def test_one_class_is_a_model_with_encodings():
    one = clouds(lambda z: (z**2 - 1) ** 2 / 4, [SampleClass(1.0, 0.8)])
    encoded = MultiIndexModel(lambda z, y: (z[0] ** 2 - 1) ** 2 / 4, 0.1, positional_gram=[[0.64]])
    np.testing.assert_allclose(numbers_at(one), numbers_at(encoded), rtol=1e-12, atol=1e-14)


def test_a_class_in_two_parts_is_one_class():
    first, second = two_classes(0.3)
    parts = [dataclasses.replace(first, probability=x) for x in (0.1, 0.2)]
    whole, split = (numbers_at(clouds(logistic, classes)) for classes in ([first, second], [second, *parts]))
    np.testing.assert_allclose(whole, split, rtol=1e-12, atol=1e-14)


def test_labels_and_means_reversed_together_change_nothing():
    """A balanced cloud around -v with label -1 is one around v with label 1, seen in a mirror."""
    both, one = clouds(logistic, two_classes(0.5)), clouds(logistic, [SampleClass(1.0, 1.0, {"label": 1.0})])
    np.testing.assert_allclose(numbers_at(both), numbers_at(one), rtol=1e-9, atol=1e-11)


def test_derivatives_hold_against_differences():
    evolution, state = state_of(clouds(logistic, two_classes(0.3, 1.2, -0.7)))
    here, step = evolution.evaluate(state, 1.7), 1e-5
    for k in range(3):
        ahead, behind = (evolution.evaluate(state + sign * step * np.eye(4)[k], 1.7) for sign in (1, -1))
        slope = (ahead.full_residual - behind.full_residual) / (2 * step)
        np.testing.assert_allclose(slope, here.full_jacobian[:, k], rtol=1e-6, atol=1e-8)


def test_classes_that_are_mirror_images_make_a_symmetry():
    model = exclusive_or(1.5)
    evolution = StateEvolution(model, LineRule())
    positional = evolution.space.of_kind("positional_overlap")
    signs = {tuple(one[i] for i in positional) for one in evolution.space.group}
    assert {(-1, 1), (1, -1)} <= signs
    shares = (0.3, 0.2, 0.3, 0.2)
    lopsided = [dataclasses.replace(one, probability=p) for one, p in zip(model.classes, shares, strict=True)]
    uneven = StateEvolution(dataclasses.replace(model, classes=lopsided), LineRule())
    signs = {tuple(one[i] for i in positional) for one in uneven.space.group}
    assert (-1, -1) in signs
    assert not {(-1, 1), (1, -1)} & signs


@pytest.fixture(scope="module")
def diagram() -> PhaseDiagram:
    return solve_phase_diagram(clouds(logistic, two_classes(0.3)), (0.5, 2.0), points=3, progress=False)


def test_a_diagram_of_classes_is_lawful_and_survives(diagram):
    assert_stationary(diagram)
    assert_survives(diagram)
    assert pickle.loads(pickle.dumps(diagram.model)) == diagram.model


def test_a_diagram_of_classes_is_drawn_and_reported(diagram, tmp_path):
    figure = diagram.plot()
    assert figure.axes
    figure.clear()
    (text,) = diagram.report(tmp_path, formats=["markdown"])[:1]
    written = text.read_text(encoding="utf-8")
    assert "Samples are of 2 classes" in written
    assert "| 1 | 0.3 | 1 | 1 |" in written
    # What only classes have a value of is in their table alone.
    assert "parameter of loss or outputs | $\\mathrm{label}$ |" not in written


def test_models_of_equal_means_are_told_apart_in_a_sweep():
    """Balanced clouds have means of zero whatever their distance, and a line over it none."""
    models = [clouds(logistic, two_classes(0.5, x, -x)) for x in (0.5, 1.0)]
    rule = LineRule.for_tolerance(2e-2)
    solved = [solve_phase_diagram(one, (1.0, 1.5), points=2, rule=rule, progress=False) for one in models]
    data = sweep_dataset(solved)
    assert sorted(data["class_1_positional_encoding_1"].values) == [0.5, 1.0]
    assert sorted(data["class_2_positional_encoding_1"].values) == [-1.0, -0.5]
    assert "label" not in data.coords


def test_derivatives_in_parameters_hold_against_differences():
    """Of the penalty, which all classes share, and of what differs: shifted in all of them alike."""
    model, step = clouds(logistic, two_classes(0.3, 1.2, -0.7)), 1e-5
    evolution, state = state_of(model)
    names = list(model.parameter_values())
    known = evolution.parameter_derivatives(state, 1.7)

    def moved(name: str, by: float) -> MultiIndexModel:
        if name == "regularization":
            return dataclasses.replace(model, regularization=model.regularization + by)
        if name == "label":
            changed = [{"label": dict(one.parameters)["label"] + by} for one in model.classes]
            kept = [dataclasses.replace(one, parameters=x) for one, x in zip(model.classes, changed, strict=True)]
            return dataclasses.replace(model, classes=kept)
        kept = [dataclasses.replace(one, means=one.means[0][0] + by) for one in model.classes]
        return dataclasses.replace(model, classes=kept)

    for name in ("regularization", "label", "positional_encoding_1"):
        ahead, behind = (state_of(moved(name, x))[0].evaluate(state, 1.7) for x in (step, -step))
        k = names.index(name)
        slope = (ahead.full_residual - behind.full_residual) / (2 * step)
        np.testing.assert_allclose(known.residual[:, k], slope, rtol=1e-5, atol=1e-7)
        assert known.test_error[k] == pytest.approx(
            (ahead.test_error - behind.test_error) / (2 * step), rel=1e-5, abs=1e-9
        )


def test_an_interrupted_diagram_of_classes_survives(monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("saddle.diagram.solving.find_first_order", interrupted)
    model = clouds(logistic, two_classes(0.3))
    found = solve_phase_diagram(model, (0.5, 2.0), points=3, rule=LineRule.for_tolerance(2e-2), progress=False)
    assert not found.complete
    assert_survives(found)
    found.plot().clear()


def test_what_classes_hold_is_no_parameter_of_lines(diagram):
    with pytest.raises(ValueError, match="no parameter 'label'"):
        with_parameters(diagram.model, {"label": 2.0})


def test_replica_symmetry_breaking_refuses_classes(diagram):
    with pytest.raises(InvalidModel, match="several classes"):
        solve_broken_symmetry(diagram.branches["positional"].at(1.0))


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ([SampleClass(0.5, 1.0)], "sum to 1"),
        ([SampleClass(0.5, 1.0), SampleClass(0.5, [[1.0, 0.0]])], "shape"),
        ([SampleClass(0.5, 1.0, {"a": 1.0}), SampleClass(0.5, 1.0)], "same symbols"),
        ([SampleClass(1.0, 0.0)], "direction 1"),
        ([SampleClass(1.0, [1.0, 2.0])], "shape"),
        (["a"], "must be a SampleClass"),
        ([{"share": 1.0}], "probability"),
    ],
)
def test_classes_that_are_none_are_refused(classes, said):
    with pytest.raises(InvalidModel, match=said):
        clouds(lambda z: z**2, classes)


def test_classes_are_read_back():
    model = exclusive_or(1.5)
    again = MultiIndexModel.from_dict(model.to_dict())
    assert (again.classes, again.structure, again.atoms) == (model.classes, model.structure, model.atoms)


def test_a_class_without_a_lower_bound_leaves_no_ground_state():
    """Although the mean over classes has one."""
    model = clouds(lambda z: LABEL * z**4 / 4 + z**2, two_classes(0.9))
    assert "no ground state" in no_lower_bound(StateEvolution(model, LineRule()))
    bounded = clouds(lambda z: LABEL**2 * z**4 / 4 - z**2, two_classes(0.9))
    assert no_lower_bound(StateEvolution(bounded, LineRule())) == ""


def test_labels_of_reports_tell_models_of_equal_means_apart():
    first, second = (label_prefix(derive(clouds(logistic, two_classes(0.5, x, -x)))) for x in (1.0, 0.9))
    assert first != second
