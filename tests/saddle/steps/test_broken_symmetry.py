"""Solutions with steps: stationarity along branches, two starts, laws of the complexity, measured numbers."""

import copy
import pickle

import numpy as np
import pytest

from replica import AttentionModel
from saddle import (
    ComplexityCurve,
    GridRule,
    JumpLineRule,
    Outcome,
    SolverError,
    StateEvolution,
    find_point,
    plot_complexity,
    solve_broken_symmetry,
    solve_complexity,
)
from saddle.branches.steps.from_symmetric import break_symmetry

MODEL = AttentionModel.paper(omega=0.3)
# Coarse: enough for laws that hold on any rule.
RULE = GridRule(nodes=10, spacing=0.9, reach=4.8)
LINES = JumpLineRule(roughness=30.0)


@pytest.fixture(scope="module")
def symmetric():
    return find_point(StateEvolution(MODEL), "positional", 1.5)


@pytest.fixture(scope="module")
def ground(symmetric):
    return solve_broken_symmetry(symmetric, rule=RULE)


def test_the_ground_state_lies_above_what_replica_symmetry_says(ground, symmetric):
    # Measured on finer rules: Phi falls by 1.1e-4 of itself; on this one the nodes' own error is as large.
    assert ground.state.gaps[0, 0] == pytest.approx(1.0e-3, rel=0.3)
    assert ground.state.parisi[0] == pytest.approx(735, rel=0.3)
    assert ground.free_entropy == pytest.approx(symmetric.free_entropy, rel=1e-3)
    assert abs(ground.by_parisi[0] * ground.state.parisi[0]) < 1e-9
    assert abs(ground.complexity) < 1e-6


@pytest.mark.slow
def test_its_slope_in_alpha_is_minus_the_average_envelope(ground):
    width = 0.01
    points = [
        break_symmetry(
            ground.evolution, ground.sector, find_point(ground.evolution, "positional", 1.5 + sign * width).evaluation,
            1, RULE, near=ground.state,
        )
        for sign in (1, -1)
    ]  # fmt: skip
    slope = (points[0].free_entropy - points[1].free_entropy) / (2 * width)
    assert slope == pytest.approx(-ground.average_envelope, rel=1e-3)
    # The way there does not matter: from another alpha, or from replica symmetry.
    back = break_symmetry(ground.evolution, ground.sector, ground.symmetric, 1, RULE, near=points[0].state)
    assert back.free_entropy == pytest.approx(ground.free_entropy, abs=ground.free_entropy_error)
    assert back.state.levels[-1, 0] == pytest.approx(ground.state.levels[-1, 0], abs=ground.error["self_overlap_1"])


@pytest.mark.slow
def test_deeper_minima_are_fewer(ground):
    curve = solve_complexity(
        find_point(StateEvolution(MODEL), "positional", 1.5),
        parisi_parameters=[480.0, 720.0],
        rule=JumpLineRule(roughness=10.0),
    )
    assert curve.complete
    assert not curve.missing
    assert np.all(curve.complexity > 0.0)
    # Where they are counted rightly, minima of larger y are deeper and fewer.
    assert np.all(np.diff(curve.energy) < 0.0)
    assert np.all(np.diff(curve.complexity) < 0.0)
    assert curve.ground_state is not None
    assert curve.ground_state.train_loss < curve.energy[-1]
    assert pickle.loads(pickle.dumps(curve)) == curve
    assert "complexity of positional minima" in repr(curve)
    assert "720" in curve._repr_html_()
    for shown in (repr(curve), curve._repr_html_()):
        assert f"{curve.ground_state.train_loss:.8g} +- {curve.ground_state.free_entropy_error:.1e}" in shown
        assert f"{curve.ground_state.state.parisi[0]:.5g} +- {curve.ground_state.parisi_errors[0]:.1e}" in shown
    assert np.all(curve.energy_error > 0.0)
    # Close to the ground state, at y = 737, so few are left that their number is within its error.
    assert curve.complexity_error[0] < 0.5 * curve.complexity[0]
    assert abs(curve.ground_state.complexity) < curve.ground_state.complexity_error
    figure = plot_complexity(curve, size=3.4)
    (axes,) = figure.axes
    assert axes.get_label() == "complexity"
    drawn = [tuple(container[0].get_xdata()) for container in axes.containers]
    assert drawn == [tuple(curve.energy)]
    # Into axes of one's own.
    assert plot_complexity(curve, ax=axes) is figure


def test_no_gap_is_said():
    # Far beyond the line where replica symmetry becomes stable.
    with pytest.raises(SolverError, match="no gap between overlaps") as caught:
        solve_broken_symmetry(MODEL, "semantic", 2.5, rule=RULE)
    assert caught.value.outcome is Outcome.ABSENT


def test_a_point_is_shown_kept_and_copied(ground):
    assert pickle.loads(pickle.dumps(ground)) == ground
    assert copy.deepcopy(ground) == ground
    assert "1 step of replica-symmetry breaking" in repr(ground)
    assert "parisi_parameter_1" in ground._repr_html_()
    # Neither minima of different blocks nor those of one are all alike.
    assert ground.stability.eigenvalues[0] == pytest.approx(-0.16, abs=0.06)
    assert ground.stability.eigenvalues[1] == -np.inf
    for shown in (repr(ground), ground._repr_html_()):
        assert "between blocks unstable" in shown
        assert "proximal points jump" in shown
    names = set(ground.order_parameters)
    assert {"self_overlap_0", "self_overlap_1", "susceptibility", "parisi_parameter_1"} <= names
    assert set(ground.error) == names | {"free_entropy", "energy", "complexity", "test_error"}
    assert all(np.isfinite(value) and value >= 0.0 for value in ground.error.values())
    assert ground.order_parameters["self_overlap_1"] > ground.order_parameters["self_overlap_0"]


def test_an_empty_curve_is_shown():
    curve = ComplexityCurve((), None, complete=False)
    assert "interrupted" in repr(curve)
    assert "interrupted" in curve._repr_html_()
    assert curve.parisi_parameters.shape == curve.complexity_error.shape == (0,)
    plot_complexity(curve).clear()
    with pytest.raises(ValueError, match="curve must be a ComplexityCurve"):
        plot_complexity([1.0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"steps": 0}, "steps"),
        ({"steps": 1.5}, "steps"),
        ({"parisi_parameters": [0.0]}, "parisi_parameters must be 1 positive"),
        ({"parisi_parameters": [1.0, 2.0]}, "parisi_parameters must be 1 positive"),
        ({"steps": 2, "parisi_parameters": [2.0, 1.0]}, "parisi_parameters must be 2 positive"),
        ({"alpha": -1.0}, "alpha"),
        ({"family": "sematic"}, "sematic"),
    ],
)
def test_bad_input_is_named(arguments, said):
    given = {"family": "positional", "alpha": 1.5, "steps": 1} | arguments
    with pytest.raises(ValueError, match=said):
        solve_broken_symmetry(MODEL, **given, rule=RULE)


@pytest.mark.slow
def test_the_complexity_is_a_legendre_transform():
    # d Sigma / d e = y, also where minima are counted wrongly, at small y.
    curve = solve_complexity(
        MODEL, "positional", 1.5, parisi_parameters=[100.0, 140.0], rule=JumpLineRule(roughness=10.0)
    )
    slope = np.diff(curve.complexity) / np.diff(curve.energy)
    assert slope[0] == pytest.approx(np.sqrt(100.0 * 140.0), rel=0.1)


@pytest.mark.slow
def test_errors_of_energy_and_complexity_cover_what_finer_rules_give(ground):
    coarse, fine = (
        break_symmetry(ground.evolution, ground.sector, ground.symmetric, 1, rule, [500.0], near=ground.state)
        for rule in (RULE, GridRule())
    )
    for name in ("energy", "complexity", "free_entropy"):
        first, second = getattr(coarse, name), getattr(fine, name)
        stated = coarse.error[name] + fine.error[name]
        assert abs(first - second) < 2.0 * stated, name
        assert fine.error[name] < coarse.error[name], name


@pytest.mark.slow
def test_measured_numbers():
    # An independent calculation gave q_1 = .04928, m = .25516, V = 12.9, y of 600 to 700, gap .00115, on a grid of
    # spacing 0.03 for 86 nodes; Phi lower by 1.1e-4 of itself.
    found = solve_broken_symmetry(MODEL, "positional", 1.5)
    named, error = found.order_parameters, found.error
    assert named["self_overlap_1"] == pytest.approx(0.04928, abs=2e-5)
    assert named["positional_overlap"] == pytest.approx(0.25516, abs=3e-5)
    assert named["susceptibility"] == pytest.approx(12.85, abs=0.1)
    assert named["parisi_parameter_1"] == pytest.approx(735, abs=60)
    assert found.free_entropy / found.symmetric.free_entropy - 1 == pytest.approx(1.1e-4, abs=1e-5)
    assert error["free_entropy"] < 2e-5 * abs(found.free_entropy)
    assert error["self_overlap_1"] < 1e-3 * named["self_overlap_1"]
    assert error["positional_overlap"] < 1e-3 * named["positional_overlap"]


CONVERGENCE = [
    pytest.param(0.2, "positional", 1.5, marks=pytest.mark.slow),
    pytest.param(0.3, "positional", 1.25, marks=pytest.mark.measurement),
    pytest.param(0.3, "positional", 1.5, marks=pytest.mark.measurement),
    pytest.param(0.3, "positional", 2.0, marks=pytest.mark.measurement),
    pytest.param(0.3, "semantic", 0.9, marks=pytest.mark.measurement),
]


@pytest.mark.parametrize(("omega", "family", "alpha"), CONVERGENCE)
def test_steps_converge(omega, family, alpha):
    # The table of docs/broken_symmetry.md: a second step changes less than the first, in the same direction.
    point = find_point(StateEvolution(AttentionModel.paper(omega=omega)), family, alpha)
    one = solve_broken_symmetry(point)
    two = solve_broken_symmetry(point, steps=2, rule=GridRule(nodes=14))
    response = [point.order_parameters["susceptibility"], *(x.order_parameters["susceptibility"] for x in (one, two))]
    errors = one.error["susceptibility"] + two.error["susceptibility"]
    assert response[0] > response[1] > response[2] - errors
    assert response[1] - response[2] < 0.5 * (response[0] - response[1]) + errors
    # Phi_k falls with k; most of its error is that of the averages which all k share.
    shared = one.error["free_entropy"] + two.error["free_entropy"]
    assert point.free_entropy > one.free_entropy > two.free_entropy - shared
    # y of one step lies between those of two.
    y, outer, inner = one.state.parisi[0], *two.state.parisi
    assert outer < y < inner


@pytest.mark.slow
def test_a_small_gap_takes_no_longer_than_a_large_one():
    # At alpha = 1.3 the semantic gap is 1e-4 of the fields' variance.
    point = find_point(StateEvolution(MODEL), "semantic", 1.3)
    found = solve_broken_symmetry(point, rule=LINES)
    assert 1e-5 < found.state.gaps[0, 0] / found.state.outer_overlap[0] < 1e-3
    assert found.free_entropy == pytest.approx(point.free_entropy, abs=3e-5 * abs(point.free_entropy))
    assert found.error["self_overlap_1"] < 1e-3 * found.order_parameters["self_overlap_1"]
