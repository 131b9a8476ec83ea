"""Multi-index models through the compiled solver: systems typed independently, descent on data, laws of diagrams."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import minimize

from replica import AttentionModel, MultiIndexModel
from replica.model.any_model import loss_model
from saddle import LineRule, PhaseDiagram, SobolRule, solve_phase_diagram
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.testing import assert_agree, assert_askings_agree, assert_stationary, assert_survives, assert_symmetric
from tests.models.multi_index import CUBIC, NOISY_RETRIEVAL, PHASE_RETRIEVAL, typed_attention
from tests.oracles.known_logistic import logistic_by_label_average
from tests.oracles.known_regression import pseudo_huber, ridge_on_error_function
from tests.oracles.known_results import Asymptotics, ridge


def learner(outputs, penalty: float, noise: float, loss) -> MultiIndexModel:
    return MultiIndexModel(loss, penalty, outputs, noise=1, parameters={"noise": noise})


def squared(z, y):
    return (y[0] - z[0]) ** 2 / 2


NOISE = sp.Symbol("noise")
LEARNERS = {
    "pseudo-Huber": (
        lambda h, xi: [h[0] + NOISE * xi[0] ** 3],
        lambda z, y: sp.sqrt(1 + (y[0] - z[0]) ** 2) - 1,
        pseudo_huber,
    ),
    "ridge": (lambda h, xi: [h[0] + sp.sqrt(NOISE) * xi[0]], squared, ridge),
    "error function": (lambda h, xi: [sp.erf(h[0]) + sp.sqrt(NOISE) * xi[0]], squared, ridge_on_error_function),
    "logistic": (
        lambda h, xi: [sp.sign(h[0] + sp.sqrt(NOISE) * xi[0])],
        lambda z, y: sp.log(1 + sp.exp(-y[0] * z[0])),
        logistic_by_label_average,
    ),
}


def numbers(point) -> np.ndarray:
    q, V, theta = point.evaluation.state
    return np.array([q, theta, V, point.train_loss, point.test_error])


def solved(
    name: str, alpha: float, penalty: float, noise: float, rule: LineRule | SobolRule
) -> tuple[object, Asymptotics]:
    outputs, loss, oracle = LEARNERS[name]
    diagram = solve_phase_diagram(
        learner(outputs, penalty, noise, loss), (0.5 * alpha, alpha), points=2, rule=rule, progress=False
    )
    return diagram.branches["teacher"].at(alpha), oracle(alpha, penalty, noise)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pseudo-Huber", "ridge", "error function"])
def test_the_compiled_solver_gives_what_is_known_of_regression(name):
    point, truth = solved(name, 2.0, 0.05, 0.5, LineRule().refined(30.0))
    np.testing.assert_allclose(numbers(point), truth.array(), rtol=2e-5)


def test_errors_of_a_coarse_rule_cover_what_noise_alone_makes_rough():
    """Its lattice errs along the noise's direction: embedded rules that vary all directions at once see nothing."""
    point, truth = solved("pseudo-Huber", 2.0, 0.05, 0.5, LineRule())
    away = np.abs(numbers(point) - truth.array())
    stated = np.array([point.error[x] for x in ("self_overlap", "teacher_overlap", "susceptibility")])
    assert np.all(away[:3] <= stated)
    assert np.all(stated < 30.0 * away[:3])


@pytest.mark.slow
def test_outputs_that_jump_where_noise_says_are_averaged_on_scattered_points():
    point, truth = solved("logistic", 2.0, 0.05, 0.5, SobolRule(256, 8))
    away = np.abs(numbers(point) - truth.array())[:3]
    stated = np.array([point.error[x] for x in ("self_overlap", "teacher_overlap", "susceptibility")])
    assert np.all(away <= 3.0 * stated)
    assert np.all(stated < 0.01 * np.abs(numbers(point)[:3]))


def test_a_lattice_across_which_outputs_jump_is_refused():
    outputs, loss, _ = LEARNERS["logistic"]
    with pytest.raises(ValueError, match="SobolRule"):
        StateEvolution(learner(outputs, 0.05, 0.5, loss), LineRule())
    assert isinstance(StateEvolution(learner(outputs, 0.05, 0.5, loss)).rule, SobolRule)


@pytest.fixture(scope="module")
def retrieval() -> PhaseDiagram:
    return solve_phase_diagram(PHASE_RETRIEVAL, (0.05, 4.0), progress=False)


def test_phase_retrieval_jumps(retrieval):
    (jump,) = retrieval.first_order
    assert jump.between == ("agnostic", "teacher")
    assert jump.alpha == pytest.approx(1.45527, abs=10 * jump.error)
    (fold,) = [x for x in retrieval.bifurcations if x.kind == "fold"]
    (pitchfork,) = [x for x in retrieval.bifurcations if x.kind == "pitchfork"]
    assert fold.alpha < jump.alpha < pitchfork.alpha
    assert pitchfork.criticality == "subcritical"
    assert_stationary(retrieval)


def descend(d: int, alpha: float, penalty: float, seed: int) -> np.ndarray:
    """Overlap with the teacher, squared length and training loss per dimension at a minimum next to the teacher."""
    generator = np.random.default_rng(seed)
    x, teacher = generator.normal(size=(int(alpha * d), d)) / np.sqrt(d), generator.normal(size=d)
    teacher *= np.sqrt(d) / np.linalg.norm(teacher)
    target = (x @ teacher) ** 2

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        z = x @ weights
        away = z**2 - target
        value = np.sum(away**2) / 4 + penalty / 2 * weights @ weights
        return value, x.T @ (away * z) + penalty * weights

    found = minimize(loss, teacher, jac=True, method="L-BFGS-B", options={"gtol": 1e-8, "maxiter": 2000})
    return np.array([found.x @ teacher / d, found.x @ found.x / d, found.fun / d])


def test_its_solution_is_where_descent_from_the_teacher_ends(retrieval):
    point = retrieval.branches["teacher"].at(2.0)
    q, _, theta = point.evaluation.state
    runs = np.array([descend(400, 2.0, 0.05, seed) for seed in range(12)])
    scatter = runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
    # Of order 1/d, as the teacher's own length is.
    assert np.all(np.abs(runs.mean(axis=0) - [theta, q, point.train_loss]) < 4.0 * scatter + 1.0 / 400)


@pytest.mark.slow
def test_it_is_drawn_stored_and_reported(retrieval, tmp_path):
    assert_survives(retrieval)
    assert next(axes.get_label() for axes in retrieval.plot().axes) == "overlap"
    assert retrieval.report(tmp_path / "report", formats=("markdown",))
    assert dict(retrieval.reasons) == {}
    with pytest.raises(ValueError, match="multi-index"):
        retrieval.plot(baselines=("linear positional",))


@pytest.mark.slow
def test_its_diagram_does_not_depend_on_the_asking():
    assert_askings_agree(PHASE_RETRIEVAL)
    assert_symmetric(PHASE_RETRIEVAL)


@pytest.mark.slow
@pytest.mark.parametrize("model", [NOISY_RETRIEVAL, CUBIC], ids=["noisy retrieval", "cubic"])
def test_ranges_of_any_size_have_the_same_branches(model):
    """Both have a fold and a jump between 1.3 and 2.2; the cubic's second fold, at 5.7, lies in the wide one alone."""
    wide, narrow, tiny = (
        solve_phase_diagram(model, alpha, points=points, sweep=sweep, tolerance=5e-3, progress=False)
        for alpha, points, sweep in (((0.3, 10.0), 5, "up"), ((0.7, 2.2), 3, "down"), ((1.3, 1.7), 2, "down"))
    )
    for one, other in ((wide, narrow), (wide, tiny), (narrow, tiny)):
        assert_agree(one, other)
    assert {x.kind for x in narrow.transitions.values()} == {"first-order", "fold"}


@pytest.mark.slow
def test_derivatives_of_its_transition_are_differences_of_solved_ones(retrieval):
    (name,) = [name for name, x in retrieval.transitions.items() if x.kind == "first-order"]
    slope, step = retrieval.derivatives(name)["regularization"], 2e-3
    ends = []
    for sign in (1.0, -1.0):
        model = MultiIndexModel(PHASE_RETRIEVAL.loss, 0.05 + sign * step, PHASE_RETRIEVAL.outputs)
        ends.append(solve_phase_diagram(model, (1.3, 1.7), points=3, rule=retrieval.rule, progress=False))
    difference = (ends[0].first_order[0].alpha - ends[1].first_order[0].alpha) / (2 * step)
    assert slope.value == pytest.approx(difference, abs=slope.error + 5e-3)


@pytest.mark.parametrize("name", LEARNERS)
def test_a_structure_and_a_dictionary_say_all_that_equations_depend_on(name):
    outputs, loss, _ = LEARNERS[name]
    model = learner(outputs, 0.1, 0.3, loss)
    assert loss_model(model.structure) == model.loss_model()
    assert MultiIndexModel.from_dict(model.to_dict()) == model
    assert model.structure == learner(outputs, 0.7, 0.2, loss).structure


def test_a_dictionary_that_is_no_model_is_refused():
    values = PHASE_RETRIEVAL.to_dict()
    for changes, words in (
        ({"loss": "__import__('os')"}, "loss"),
        ({"colour": 1}, "colour"),
        ({"loss": 3}, "texts"),
        ({"noise": -1}, "noise"),
        ({"kind": "attention"}, "kind 'multi-index', or say none, got the kind 'attention'"),
        ({"kind": None}, "got the kind None"),
        ({"kind": ["multi-index"]}, r"got the kind \['multi-index'\]"),
    ):
        with pytest.raises(ValueError, match=words):
            MultiIndexModel.from_dict({**values, **changes})
    for other in (None, 3, "multi-index", [("kind", "multi-index")], PHASE_RETRIEVAL):
        with pytest.raises(ValueError, match="model must be a dictionary of its entries, got"):
            MultiIndexModel.from_dict(other)
    with pytest.raises(ValueError, match="unknown entry"):
        MultiIndexModel.from_dict(AttentionModel.paper().to_dict())
    without_kind = {name: value for name, value in values.items() if name != "kind"}
    assert MultiIndexModel.from_dict(without_kind) == PHASE_RETRIEVAL


def test_a_step_of_outputs_that_moves_with_a_parameter_has_no_derivative_but_one_at_its_place_has():
    threshold = MultiIndexModel(
        squared, 0.1, lambda h, xi: [sp.sign(h[0] - sp.Symbol("edge"))], parameters={"edge": 0.2}
    )
    evolution = StateEvolution(threshold, SobolRule(64, 4), threads=1)
    names = list(threshold.parameter_values())
    slopes = evolution.channel.parameter_derivatives(np.array([0.5, 0.8, 0.4])).envelope
    assert np.isnan(slopes[names.index("edge")])
    assert np.isfinite(slopes[names.index("regularization")])


@pytest.mark.slow
def test_attention_written_as_any_other_loss_has_its_diagram():
    """The paper's model, its loss and outputs typed anew: another kernel, other starts, no symmetry of attention's."""
    typed = typed_attention()
    rule = LineRule.for_tolerance(1e-3)
    found, known = (
        solve_phase_diagram(model, (0.05, 2.5), points=6, rule=rule, progress=False)
        for model in (typed, AttentionModel.paper(omega=0.3))
    )
    assert found.transitions.keys() == known.transitions.keys() - {"alpha_l"}
    for name, transition in found.transitions.items():
        other = known.transitions[name]
        assert transition.alpha == pytest.approx(other.alpha, abs=0.1 * other.error), name
        assert (transition.kind, transition.criticality) == (other.kind, other.criticality)
    for name, branch in found.branches.items():
        np.testing.assert_allclose(branch.states, known.branches[name].states, rtol=2e-4, atol=1e-7)
        np.testing.assert_allclose(branch.test_error, known.branches[name].test_error, rtol=2e-4)
