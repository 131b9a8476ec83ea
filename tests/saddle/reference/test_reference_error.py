"""The reference solver's stated errors, against closed forms and systems typed independently."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from replica import MultiIndexModel, derive
from replica.model.any_model import model_atoms
from saddle.reference import (
    GaussHermite,
    LegendrePanels,
    PlanarRule,
    ReferenceOutcome,
    ReferenceRule,
    ReferenceSettings,
    ReferenceSystem,
    SaddlePoint,
    solve_model,
    solve_reference,
)
from saddle.reference.breaks import breaks_of
from saddle.reference.normal_rules import MOST_HERMITE_NODES, finer, node_count
from tests.oracles.known_logistic import logistic_by_label_average
from tests.oracles.known_regression import pseudo_huber, ridge_on_error_function
from tests.oracles.known_results import Asymptotics, ridge

NAMES = ("self_overlap", "teacher_overlap", "susceptibility", "training_loss", "test_error")
# The oracles' own accuracy.
ORACLE = 1e-9


def squared_loss(z, y):
    return (y[0] - z[0]) ** 2 / 2


def linear_model(outputs, penalty: float, noise: float | None, loss=squared_loss) -> MultiIndexModel:
    given = {} if noise is None else {"noise": noise}
    return MultiIndexModel(loss=loss, outputs=outputs, noise=1, regularization=penalty, parameters=given)


def pseudo_huber_model(penalty: float, noise: float) -> MultiIndexModel:
    return linear_model(
        lambda h, xi: [h[0] + sp.Symbol("noise") * xi[0] ** 3],
        penalty,
        noise,
        lambda z, y: sp.sqrt(1 + (y[0] - z[0]) ** 2) - 1,
    )


def ridge_model(penalty: float, noise: float) -> MultiIndexModel:
    return linear_model(lambda h, xi: [h[0] + sp.sqrt(sp.Symbol("noise")) * xi[0]], penalty, noise)


def erf_model(penalty: float, noise: float) -> MultiIndexModel:
    return linear_model(lambda h, xi: [sp.erf(h[0]) + sp.sqrt(sp.Symbol("noise")) * xi[0]], penalty, noise)


def logistic_model(penalty: float, noise: float) -> MultiIndexModel:
    return linear_model(
        lambda h, xi: [sp.sign(h[0] + sp.sqrt(sp.Symbol("noise")) * xi[0])],
        penalty,
        noise,
        lambda z, y: sp.log(1 + sp.exp(-y[0] * z[0])),
    )


MODELS = {
    "pseudo-Huber": (pseudo_huber_model, pseudo_huber),
    "ridge": (ridge_model, ridge),
    "erf": (erf_model, ridge_on_error_function),
    "logistic": (logistic_model, logistic_by_label_average),
}


def numbers(point: SaddlePoint) -> np.ndarray:
    """The numbers of an oracle, in its order."""
    return np.array([*(point.order_parameters[x] for x in NAMES[:3]), point.training_loss, point.test_error])


def stated(point: SaddlePoint) -> np.ndarray:
    return np.array([point.error[name] for name in NAMES])


def deviation(point: SaddlePoint, truth: Asymptotics) -> np.ndarray:
    return np.abs(numbers(point) - truth.array())


@pytest.fixture(scope="module")
def heavy_tails() -> Asymptotics:
    return pseudo_huber(2.0, 0.05, 0.5)


def test_regression_with_heavy_tails_is_right_by_default(heavy_tails):
    """A rule of 24 nodes gives q = 1.7395 with a residual of 6e-14."""
    model = pseudo_huber_model(0.05, 0.5)
    assert heavy_tails.self_overlap == pytest.approx(1.742370, abs=1e-6)
    point = solve_model(model, 2.0)
    assert point.converged
    assert point.order_parameters["self_overlap"] == pytest.approx(heavy_tails.self_overlap, rel=1e-5)
    coarse = solve_model(model, 2.0, rule=ReferenceRule(GaussHermite(24), GaussHermite(24)))
    assert coarse.converged
    assert coarse.residual < 1e-12
    assert coarse.order_parameters["self_overlap"] == pytest.approx(1.7395, abs=1e-4)
    assert 2e-3 < coarse.error["self_overlap"] < 1e-2


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("pseudo-Huber", (1.2, 0.5, 0.2)),
        ("ridge", (0.2, 1e-3, 0.1)),
        ("ridge", (1.0, 1e-6, 1.0)),
        ("ridge", (5.0, 1.0, 0.0)),
        ("erf", (0.7, 0.01, 0.0)),
        ("erf", (3.0, 0.3, 0.4)),
        ("logistic", (0.5, 0.1, 0.0)),
        pytest.param("pseudo-Huber", (2.0, 0.05, 0.5), marks=pytest.mark.measurement),
        pytest.param("logistic", (2.0, 0.01, 0.5), marks=pytest.mark.measurement),
        pytest.param("logistic", (1.0, 50.0, 0.0), marks=pytest.mark.measurement),
    ],
)
def test_by_default_the_truth_is_within_a_small_stated_error(name, case):
    alpha, penalty, noise = case
    make, oracle = MODELS[name]
    point = solve_model(make(penalty, noise), alpha)
    truth = oracle(alpha, penalty, noise)
    assert point.converged
    assert np.all(deviation(point, truth) <= stated(point) + ORACLE * np.abs(truth.array()))
    least = np.min(np.abs(truth.array()[[0, 2]]))
    units = np.maximum(np.abs(truth.array()), [least, least, least, 0, 0])
    assert np.all(stated(point) <= 1.01e-5 * units)
    assert set(point.error) == {*point.order_parameters, *point.conjugates, "free_entropy", *NAMES[3:]}


@pytest.mark.parametrize("nodes", [8, 24, *(pytest.param(x, marks=pytest.mark.measurement) for x in (6, 12, 48))])
def test_errors_of_coarse_rules_are_stated_neither_too_small_nor_much_too_large(heavy_tails, nodes):
    rule = ReferenceRule(GaussHermite(min(nodes, 24)), GaussHermite(nodes), start_height=None)
    point = solve_model(pseudo_huber_model(0.05, 0.5), 2.0, rule=rule)
    off = deviation(point, heavy_tails)
    assert np.all(off <= stated(point))
    assert np.all(stated(point)[:3] <= 10 * off[:3])


@pytest.mark.parametrize("nodes", [8, 20, *(pytest.param(x, marks=pytest.mark.measurement) for x in (12, 32))])
def test_errors_are_stated_where_outputs_jump_between_the_nodes(nodes):
    rule = ReferenceRule(GaussHermite(nodes), GaussHermite(nodes), start_height=None)
    point = solve_model(logistic_model(0.1, 0.0), 0.5, rule=rule)
    off = deviation(point, logistic_by_label_average(0.5, 0.1, 0.0))
    assert np.max(off) > 1e-2
    assert np.all(off <= stated(point))


def test_a_rule_that_is_exact_has_an_error_of_rounding_only():
    rule = ReferenceRule(GaussHermite(2), GaussHermite(2), start_height=None)
    point = solve_model(ridge_model(0.1, 0.5), 1.5, rule=rule)
    assert point.nodes == 8
    assert np.all(stated(point) < 1e-10)


def test_a_planar_rule_has_an_error():
    """Four corners of the plane, exact to degree three: enough for a quadratic loss, and not for erf."""
    corners = tuple((a, b) for a in (-1.0, 1.0) for b in (-1.0, 1.0))
    plane = PlanarRule(corners, (0.25,) * 4)
    rule = ReferenceRule(GaussHermite(12), plane, start_height=None)
    exact = solve_model(ridge_model(0.1, 0.5), 1.5, rule=rule)
    assert exact.error["self_overlap"] < 1e-10
    rough = solve_model(erf_model(0.1, 0.5), 1.5, rule=rule)
    off = deviation(rough, ridge_on_error_function(1.5, 0.1, 0.5))
    assert off[0] > 1e-3
    assert np.all(off <= stated(rough))


def test_an_iteration_cut_short_states_how_far_it_is():
    """The residual counts as well as the rule."""
    rule = ReferenceRule(GaussHermite(2), GaussHermite(2), start_height=None)
    model, truth = ridge_model(0.1, 0.5), ridge(1.5, 0.1, 0.5)
    point = solve_model(model, 1.5, rule=rule, settings=ReferenceSettings(tolerance=1e-3))
    off = deviation(point, truth)
    assert point.converged
    assert off[0] > 1e-6
    np.testing.assert_allclose(stated(point)[:3], off[:3], rtol=0.1)
    short = solve_model(model, 1.5, rule=rule, settings=ReferenceSettings(max_steps=2))
    assert short.outcome is ReferenceOutcome.NOT_CONVERGED
    assert np.isnan(short.error["self_overlap"])


def test_accuracy_is_reached_with_more_nodes_or_said_not_to_be(heavy_tails):
    model = pseudo_huber_model(0.05, 0.5)
    system = ReferenceSystem(derive(model).saddle_system)

    def solve(**settings):
        return solve_reference(
            system, model.parameter_values(), 2.0, atoms=model_atoms(model), rule=start,
            settings=ReferenceSettings(**settings),
        )  # fmt: skip

    start = ReferenceRule(GaussHermite(6), GaussHermite(6))
    rough, fine = (solve(accuracy=accuracy) for accuracy in (1e-2, 1e-4))
    for point, accuracy in ((rough, 1e-2), (fine, 1e-4)):
        assert point.converged
        assert max(point.error[x] / point.order_parameters[x] for x in NAMES[:3]) <= accuracy * 1.01
        assert np.all(deviation(point, heavy_tails) <= stated(point))
    assert rough.nodes < fine.nodes
    kept = solve()
    assert kept.nodes == 6**3
    short = solve(accuracy=1e-4, max_nodes=1000)
    assert short.outcome is ReferenceOutcome.INACCURATE
    assert not short.converged
    assert short.nodes <= 1000
    assert np.all(deviation(short, heavy_tails) <= stated(short))


def test_many_normals_begin_with_fewer_nodes():
    """Two tokens with noise have six normals: twelve nodes along each would be three million."""
    model = MultiIndexModel(
        loss=lambda z, y: sum((y[k] - z[k]) ** 2 / 2 for k in range(2)),
        outputs=lambda h, xi: [h[0] + xi[0], h[1] + xi[1]],
        noise=2,
        rank=1,
        regularization=0.2,
        spectrum=[{"weight": 1.0, "eigenvalues": (1.0, 1.0)}],
    )
    point = solve_model(model, 0.8, settings=ReferenceSettings(max_nodes=5000))
    assert point.converged
    assert point.nodes == 4**6


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accuracy", 0.0), ("accuracy", np.nan), ("accuracy", "1e-3"), ("max_nodes", 0), ("max_nodes", np.inf),
        ("tolerance", 0.0), ("max_steps", 0), ("max_steps", 2.5), ("damping", -0.5), ("damping", 1.5),
    ],
)  # fmt: skip
def test_what_is_no_setting_is_refused(name, value):
    with pytest.raises(ValueError, match=rf"{name} must .*, got {value!r}"):
        ReferenceSettings(**{name: value})


@pytest.mark.parametrize("value", [None, 1e-5, {"accuracy": 1e-5}, ReferenceSettings])
def test_what_are_no_settings_is_refused(value):
    with pytest.raises(ValueError, match="settings must be ReferenceSettings, got"):
        solve_model(ridge_model(0.1, 0.5), 1.0, settings=value)


RULES = [GaussHermite(1), GaussHermite(12), GaussHermite(40), LegendrePanels(), LegendrePanels(breaks=(), width=30.0)]


@pytest.mark.parametrize("rule", RULES)
def test_finer_rules_have_about_twice_as_many_nodes_and_the_same_moments(rule):
    (refined,) = finer(rule)
    assert node_count([rule]) == len(rule.table()[1])
    assert 1.5 <= node_count([refined]) / node_count([rule]) <= 3
    x, weight = refined.table()
    assert [weight @ x**k for k in range(4)] == pytest.approx([1, 0, 1, 0], abs=1e-5)


def test_rules_of_too_many_nodes_are_refused():
    """NumPy's weights are nan from 380 nodes on."""
    assert np.sum(GaussHermite(MOST_HERMITE_NODES).table()[1]) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="at most 350 nodes, got 400; use LegendrePanels"):
        GaussHermite(400)


NOISE = sp.Symbol("noise", real=True)


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        (lambda h, xi: [sp.sign(h[0] + NOISE * xi[0])], ["h_1 + noise*xi_1"]),
        (lambda h, xi: [sp.Abs(h[0]), sp.Heaviside(2 * h[0])], ["h_1"]),
        (lambda h, xi: [sp.Max(h[0], xi[0]) + sp.sign(h[0] + xi[0])], ["h_1 + xi_1", "h_1 - xi_1"]),
        (lambda h, xi: [sp.sign(h[0]) + sp.sign(h[0] + xi[0])], ["h_1"]),
        (lambda h, xi: [sp.Piecewise((h[0], xi[0] > 0), (0, True))], ["xi_1"]),
        (lambda h, xi: [sp.sign(h[0] - 1), sp.sign(h[0] ** 2), sp.erf(h[0])], []),
    ],
)
def test_breaks_are_found_where_they_are_uncorrelated(outputs, expected):
    model = (
        linear_model(outputs, 0.1, 0.5 if "noise" in expected[0:1][0] else None)
        if expected
        else linear_model(outputs, 0.1, None)
    )
    phi = derive(model).free_entropy
    found = breaks_of(phi, {x.symbol: model.parameter_values()[x.name] for x in phi.parameters})
    signs = [{sp.expand(form), sp.expand(-form)} for form in found]
    assert len(found) == len(expected)
    names = {x.name: x for x in phi.law.variables} | {x.symbol.name: x.symbol for x in phi.parameters}
    for form in expected:
        assert any(sp.sympify(form, locals=names) in each for each in signs)
