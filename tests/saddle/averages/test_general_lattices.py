"""Lattices for losses other than attention's: stated errors against true ones where directions are not alike."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from replica import MultiIndexModel
from saddle import LineRule, SobolRule, find_point
from saddle.averages.channel import Channel
from saddle.averages.rules.lattice import MOST_ROWS
from saddle.averages.rules.rule_arguments import fits_lattice, fitting_rule
from saddle.kernel.kernel import load_kernel
from saddle.state_evolution.state_evolution import StateEvolution
from tests.oracles.known_results import ridge

slow = pytest.mark.slow


def square(z, y):
    return (y - z) ** 2 / 2


def pseudo_huber(z, y):
    return sp.sqrt(1 + (y - z) ** 2) - 1


def model(loss, outputs, noise: int = 0, rank: int = 1, teacher_rank: int = 1) -> MultiIndexModel:
    return MultiIndexModel(loss, 0.05, outputs, noise=noise, rank=rank, teacher_rank=teacher_rank)


def mixed(z, y):
    """A loss of two columns and two outputs, in which all of them interact."""
    return pseudo_huber(z[0] + z[1] / 2, y[0]) + pseudo_huber(z[1] - z[0] / 3, y[1])


MODELS = {
    # One field; a field and noise, of which the outputs see both or noise alone; two fields and a mode.
    "error function": model(lambda z, y: pseudo_huber(z[0], y[0]), lambda h, xi: [sp.erf(3 * h[0])]),
    "noise alone": model(lambda z, y: pseudo_huber(z[0], y[0]), lambda h, xi: [2 * sp.erf(3 * xi[0])], 1),
    "columns": model(mixed, lambda h, xi: [sp.erf(3 * h[0]), h[1]], 0, 2, 2),
    "columns, noise": model(mixed, lambda h, xi: [h[0], 2 * sp.erf(3 * xi[0])], 1, 2, 1),
}


def state_of(given: MultiIndexModel) -> np.ndarray:
    """An inside state: columns of size 1, 0.8, hardly correlated, each with a part of every teacher."""
    space, rank, t = StateEvolution(given).space, given.rank, given.teacher_rank
    q = np.diag([1.0, 0.8][:rank]) + 0.1 * (1 - np.eye(rank))
    V = np.diag([0.7, 0.5][:rank]) + 0.05 * (1 - np.eye(rank))
    theta = np.array([[0.5, 0.1], [-0.1, 0.4]])[:rank, :t]
    matrices = {"self_overlap": q, "susceptibility": V, "semantic_overlap": theta}
    return np.array([matrices[x.kind][x.indices] for x in space.quantities])


def ratios_of_errors(given: MultiIndexModel, rule: LineRule) -> np.ndarray:
    """True errors over stated ones of conjugates, envelope and test error."""
    channel, state = Channel(load_kernel(given.structure), given, rule, 1), state_of(given)
    # In three directions fine enough, and no dearer than it must be.
    finest = LineRule.for_tolerance(1e-6) if given.rank == 1 else LineRule(0.3, 0.55, 6.0)
    exact = Channel(channel.kernel, given, finest, 1).averages(state)
    found = channel.averages(state)
    values, truth = (np.array([*x.conjugates, x.envelope, x.test_error]) for x in (found, exact))
    stated = np.array([*found.conjugate_errors, found.envelope_error, found.test_error_error])
    # Below rounding there is nothing to cover.
    return np.abs(values - truth) / (stated + 1e-10 * np.abs(truth).max())


@pytest.mark.parametrize(
    "name", ["error function", "noise alone", *(pytest.param(x, marks=slow) for x in ("columns", "columns, noise"))]
)
def test_stated_errors_cover_where_directions_are_not_alike(name):
    tolerances = (2e-2, 5e-3, 2e-3, 1e-3, 5e-4, 2e-4, 1e-4) if MODELS[name].rank == 1 else (2e-2, 5e-3)
    ratios = np.concatenate([ratios_of_errors(MODELS[name], LineRule.for_tolerance(x)) for x in tolerances])
    assert np.mean(ratios <= 1.0) >= 0.9
    # Two embedded rules may agree by chance.
    assert np.max(ratios) < 5.0
    # They are estimates of the error, not just anything large.
    assert np.median(ratios) > (0.03 if MODELS[name].rank == 1 else 1e-4)


def average_of(function, dense: int = 400_001) -> float:
    x = np.linspace(-9.0, 9.0, dense)
    return float(np.trapezoid(function(x) * np.exp(-0.5 * x**2), x) / np.sqrt(2.0 * np.pi))


ALONG_ONE = {
    "peak": lambda x: 1.0 / (1.0 + 8.0 * x**2),
    "shifted error function": lambda x: np.tanh(2.5 * (x - 0.4)),
    "heavy": lambda x: np.sqrt(1.0 + x**6),
}


@pytest.mark.parametrize("function", ALONG_ONE.values(), ids=ALONG_ONE.keys())
@pytest.mark.parametrize("counts", [(1, 0), (2, 0), (3, 0), (1, 1), (2, 1), (1, 2)])
def test_what_varies_along_one_direction_alone_is_seen(counts, function):
    """On lattices as rough as they get for a diagram; no direction is told from another by what is stated."""
    for spacing in (0.38, 0.5):
        outer = LineRule(teacher_spacing=spacing, common_spacing=spacing).outer(*counts, (), alike=False)
        for direction in range(counts[0]):
            values = function(outer.nodes[:, direction])
            found = outer.weights @ values
            stated = outer.error(outer.embedded @ values - found)
            assert abs(found - average_of(function)) <= stated + 1e-9


def test_a_rule_that_coarsens_fields_together_does_not_see_it():
    """So it would state, were it taken, a fraction of what is wrong: the reason for rules of one field each."""
    function, exact = ALONG_ONE["peak"], average_of(ALONG_ONE["peak"])
    together, apart = (LineRule(teacher_spacing=0.5).outer(2, 1, (), alike=x) for x in (True, False))
    away, stated = [], []
    for outer in (together, apart):
        values = function(outer.nodes[:, 1])
        found = outer.weights @ values
        # Of the embedded rules of teacher fields alone.
        differences = outer.embedded @ values - found
        rules = 1 if outer is together else 4
        away.append(abs(found - exact))
        stated.append(float(outer.factors[:rules] @ np.abs(differences[:rules])))
    assert away[0] == pytest.approx(away[1], rel=1e-12)
    assert stated[0] < 0.1 * away[0]
    assert stated[1] >= away[1]


def test_a_lattice_that_would_fill_the_memory_is_refused():
    with pytest.raises(ValueError, match=f"may have {MOST_ROWS} nodes at most, got [0-9]+ at spacings"):
        LineRule(teacher_spacing=0.02, common_spacing=0.02, reach=9.0).outer(2, 1, ())
    # One direction has as many nodes as it likes.
    assert len(LineRule(teacher_spacing=0.02, reach=9.0).outer(1, 0, ()).nodes) > 400


SIGN = sp.sign
JUMPING = {
    "sign": model(lambda z, y: square(z[0], y[0]), lambda h, xi: [SIGN(h[0])]),
    "sign in the loss": model(lambda z, y: square(z[0], SIGN(y[0])), lambda h, xi: [h[0]]),
    "Heaviside": model(lambda z, y: square(z[0], y[0]), lambda h, xi: [2 * sp.Heaviside(h[0]) - 1]),
    "Piecewise": model(lambda z, y: square(z[0], y[0]), lambda h, xi: [sp.Piecewise((1, h[0] > 0), (-1, True))]),
}
BENDING = {
    "Abs": lambda h: sp.Abs(h),
    "Max": lambda h: sp.Max(h, 0),
    "Min": lambda h: sp.Min(h, 1),
}
OTHERS = {
    "floor": lambda h: sp.floor(h),
    "ceiling": lambda h: sp.ceiling(h),
    "Mod": lambda h: sp.Mod(h, 2),
    "noise": lambda h: sp.Piecewise((h, h > 1), (0, True)),
}


@pytest.mark.parametrize(
    "name", ["sign", *(pytest.param(x, marks=slow) for x in ("sign in the loss", "Heaviside", "Piecewise"))]
)
def test_outputs_that_jump_get_scattered_points_and_errors_that_cover(name):
    """Ridge regression on signs: what is not linear in h* is noise, of variance 1 - 2/pi."""
    given, alpha = JUMPING[name], 2.0
    evolution = StateEvolution(given, SobolRule(1024, 8), threads=1)
    point = find_point(evolution, "teacher", alpha)
    slope = np.sqrt(2 / np.pi)
    truth = ridge(alpha, 0.05, 1 - slope**2, teacher=slope**2)
    away = np.abs(point.evaluation.state - [truth.self_overlap, truth.susceptibility, truth.semantic_overlap / slope])
    stated = point.evaluation.order_parameter_errors(point.sector.free)
    # Standard errors; of V, for a constant second derivative, there is none but that of lines.
    assert np.all(away <= 3.5 * stated + 1e-5 * np.abs(point.evaluation.state))
    assert np.all(stated < 0.01)
    # Its derivatives in parameters are there: the step stays where it is.
    slopes = evolution.channel.parameter_derivatives(point.evaluation.state)
    assert np.all(np.isfinite(slopes.conjugates))


@pytest.mark.parametrize("given", [*JUMPING.values()], ids=JUMPING.keys())
def test_no_lattice_is_taken_across_a_jump_and_none_accepted(given):
    assert given.structure.may_jump
    assert not fits_lattice(given)
    assert isinstance(fitting_rule(given), SobolRule)
    with pytest.raises(ValueError, match="SobolRule for outputs or a loss that jump or bend"):
        fitting_rule(given, LineRule())


@pytest.mark.parametrize("output", OTHERS.values(), ids=OTHERS.keys())
def test_all_functions_that_jump_are_known(output):
    assert model(lambda z, y: square(z[0], y[0]), lambda h, xi: [output(h[0])]).structure.may_jump
    assert model(lambda z, y: square(z[0], output(y[0])), lambda h, xi: [h[0]]).structure.may_jump


@pytest.mark.parametrize("output", BENDING.values(), ids=BENDING.keys())
def test_what_bends_gets_scattered_points_too(output):
    """The midpoint rule errs by h^2/24 times the change of slope; every third node by nine times that."""
    given = model(lambda z, y: square(z[0], y[0]), lambda h, xi: [output(h[0])])
    assert not given.structure.may_jump
    assert isinstance(fitting_rule(given), SobolRule)


@pytest.mark.parametrize("output", [OTHERS["Mod"], OTHERS["floor"]], ids=["Mod", "floor"])
@pytest.mark.slow
def test_steps_that_move_with_the_teachers_variance_have_no_derivative(output):
    given = model(lambda z, y: square(z[0], output(y[0])), lambda h, xi: [h[0]])
    evolution = StateEvolution(given, SobolRule(64, 4), threads=1)
    names = list(given.parameter_values())
    slopes = evolution.channel.parameter_derivatives(np.array([0.5, 0.8, 0.4])).envelope
    assert np.isfinite(slopes[names.index("regularization")])
    assert np.isnan(slopes).any()


@pytest.mark.parametrize("name", MODELS)
def test_what_does_not_jump_keeps_its_lattice(name):
    assert not MODELS[name].structure.may_jump
    assert isinstance(fitting_rule(MODELS[name]), LineRule)


def test_a_parameter_named_as_a_step_is_none():
    named = MultiIndexModel(lambda z, y: square(z[0], sp.Symbol("floor") * y[0]), 0.1, parameters={"floor": 1.0})
    assert not named.structure.may_jump
