"""Lines of transitions against independent solves, thermodynamics, published values and each other."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest

from baselines import linear_positional
from replica import AttentionModel
from saddle import (
    LineRule,
    Sector,
    SolveSettings,
    StateEvolution,
    TransitionLines,
    solve_phase_diagram,
    solve_point,
    solve_transition_line,
    solve_transition_lines,
)
from saddle.averages.channel import Channel
from saddle.diagram.lines.columns import solve_columns
from saddle.output.figures.lines_figure import global_minimum_at
from validation import published_transitions

RULE = LineRule.for_tolerance(1e-3)
SETTINGS = SolveSettings(rule=RULE)
MODEL = AttentionModel.paper()


@pytest.fixture(scope="module")
def start():
    return solve_phase_diagram(MODEL, (0.01, 2.0), points=10, rule=RULE)


@pytest.fixture(scope="module")
def alpha_c(start):
    return solve_transition_line(MODEL, "alpha_c", points=11, diagram=start)


@pytest.fixture(scope="module")
def alpha_l(start):
    return solve_transition_line(MODEL, "alpha_l", "omega", (0.0, 0.4), points=9, diagram=start)


@pytest.fixture(scope="module")
def pitchfork(start):
    return solve_transition_line(MODEL, "agnostic -> semantic", "omega", (0.0, 0.5), points=11, diagram=start)


@pytest.fixture(scope="module")
def spinodal(start):
    return solve_transition_line(MODEL, "semantic spinodal", "omega", (0.0, 0.5), points=11, diagram=start)


def slopes(line, k, solution, rule):
    """Explicit derivatives of Phi in (alpha, the parameter) at one solution of a line."""
    model = dataclasses.replace(line.model, **{line.over: float(line.parameter[k])})
    evolution = StateEvolution(model, rule)
    sector = Sector.paper(line.between[solution])
    point = solve_point(evolution, sector, line.order_parameters[k, solution], float(line.alpha[k]))
    names = list(model.parameter_values())
    explicit = evolution.parameter_derivatives(point.evaluation.state, point.alpha).free_entropy[names.index(line.over)]
    return -point.evaluation.averages.envelope, explicit


@pytest.mark.parametrize(
    "omega",
    [
        *(pytest.param(x, marks=pytest.mark.slow) for x in (0.35, 0.1)),
        *(pytest.param(x, marks=pytest.mark.measurement) for x in (0.0, 0.2, 0.45)),
    ],
)
def test_alpha_c_agrees_with_independent_solves_to_the_stated_errors(alpha_c, omega):
    """On a ten times finer rule, so that both errors are seen; interpolation between points adds to neither."""
    model = dataclasses.replace(MODEL, omega=omega)
    guess = alpha_c.at(omega)
    solved = solve_phase_diagram(model, (0.9 * guess, 1.1 * guess), points=4, rule=RULE.refined())
    assert solved.alpha_c is not None
    error = alpha_c.error[np.argmin(np.abs(alpha_c.parameter - omega))] + solved.alpha_c.error
    # 0.35 and 0.45 lie on points, the others between or at the ends.
    assert abs(guess - solved.alpha_c.alpha) < error + 2e-5 * guess


def test_alpha_c_runs_smoothly_over_the_whole_range(alpha_c):
    assert alpha_c.complete
    assert alpha_c.parameter[0] == 0.0
    assert alpha_c.parameter[-1] == 0.5
    for value in np.linspace(0.0, 0.5, 11):
        assert np.min(np.abs(alpha_c.parameter - value)) < 1e-9
    assert np.all(np.diff(alpha_c.alpha) > 0)
    assert np.all(np.diff(alpha_c.tangent) > 0)
    assert np.all(alpha_c.error < 1e-3 * alpha_c.alpha)
    assert alpha_c.between == ("positional", "semantic")
    np.testing.assert_allclose(alpha_c.free_entropy[:, 0], alpha_c.free_entropy[:, 1], rtol=0, atol=2e-7)
    assert alpha_c.at(0.3) == pytest.approx(1.251536, abs=1e-4)
    assert alpha_c.at(0.2) == pytest.approx(0.947941, abs=1e-4)
    with pytest.raises(ValueError, match=r"0\.7"):
        alpha_c.at(0.7)


def test_published_lines_agree_to_a_few_per_cent(alpha_c, alpha_l):
    # Beyond omega = 0 they lie 1 to 6 % below ours, for the coarse rule they were computed with (docs/reproduction.md).
    published = published_transitions().where(lambda data: data.omega > 0, drop=True)
    for name, line in (("alpha_c", alpha_c), ("alpha_l", alpha_l)):
        values = published[name].dropna("omega")
        assert values.size >= 8
        for omega, value in zip(values.omega.values, values.values, strict=True):
            assert line.at(float(omega)) == pytest.approx(value, rel=0.07)


@pytest.mark.parametrize("place", [0.0, 0.3, 0.45])
def test_the_slope_of_alpha_c_is_the_ratio_of_explicit_derivatives(alpha_c, place):
    """Clausius and Clapeyron: Phi is stationary, so only its explicit derivatives count."""
    k = int(np.argmin(np.abs(alpha_c.parameter - place)))
    for rule, accuracy in ((alpha_c.rule, 1e-4), (alpha_c.rule.refined(), 2e-3)):
        (alpha_a, omega_a), (alpha_b, omega_b) = (slopes(alpha_c, k, solution, rule) for solution in (0, 1))
        ratio = -(omega_a - omega_b) / (alpha_a - alpha_b)
        assert alpha_c.tangent[k] == pytest.approx(ratio, rel=accuracy)


def test_tangents_are_the_slopes_of_the_lines(alpha_c, alpha_l, pitchfork, spinodal):
    for line in (alpha_c, alpha_l, pitchfork, spinodal):
        for k in range(1, len(line) - 2):
            # Simpson's rule over two intervals would need equal ones; the cubic through points and tangents is
            # tested on the next point instead.
            p, a, t = line.parameter[k - 1 : k + 2], line.alpha[k - 1 : k + 2], line.tangent[k - 1 : k + 2]
            if p[2] - p[0] < 1e-3:
                continue
            width = p[2] - p[0]
            x = (p[1] - p[0]) / width
            u, v, rise = t[0] * width, t[2] * width, a[2] - a[0]
            between = a[0] + x * rise + x * (1 - x) * ((1 - x) * (u - rise) + x * (rise - v))
            assert between == pytest.approx(a[1], rel=4e-3), (line.name, p[1])


def test_along_alpha_l_the_test_error_is_the_baselines(alpha_l):
    for k in range(len(alpha_l)):
        model = dataclasses.replace(MODEL, omega=float(alpha_l.parameter[k]))
        assert alpha_l.test_error[k, 0] == pytest.approx(linear_positional(model).test_error, rel=1e-4)
    assert alpha_l.at(0.3) == pytest.approx(1.492271, abs=2e-4)
    assert alpha_l.at(0.2) == pytest.approx(1.117080, abs=2e-4)


def test_lines_keep_their_order(alpha_c, alpha_l, pitchfork, spinodal):
    """Semantic solutions are born, gain stability, win, and beat the baseline, in this order, at every omega."""
    for omega in np.linspace(0.0, 0.4, 9):
        values = [line.at(omega) for line in (pitchfork, spinodal, alpha_c, alpha_l)]
        assert values == sorted(values)


def test_on_lines_of_pitchforks_a_finer_rule_sees_the_odd_block_change_sign(pitchfork, spinodal):
    for line, index in ((pitchfork, 3), (spinodal, 1)):
        for k in (0, len(line) // 2):
            model = dataclasses.replace(MODEL, omega=float(line.parameter[k]))
            evolution = StateEvolution(model, RULE.refined().refined(3.0))
            sector = Sector.paper(line.between[0])
            signs = []
            for side in (-1, 1):
                alpha = float(line.alpha[k] + side * 2.0 * line.error[k])
                point = solve_point(evolution, sector, line.order_parameters[k, 0], alpha)
                signs.append(point.evaluation.full_jacobian[index, index])
            assert signs[0] * signs[1] < 0


@pytest.mark.slow
def test_in_sigma_the_first_order_line_ends_in_a_bicritical_point(start):
    line = solve_transition_line(MODEL, "alpha_c", "sigma", (0.45, 0.7), points=11, diagram=start)
    assert line.endings[1] == "an overlap vanishes"
    end = line.ends[1]
    assert line.ends[0] is None
    assert end is not None
    assert end.kind == "bicritical point"
    # Measured on rules of 2e-5 and 3e-6: 0.586945, 0.586943 and 0.68372, 0.68371.
    assert end.parameter == pytest.approx(0.586943, abs=max(2e-4, end.parameter_error))
    assert end.alpha == pytest.approx(0.68371, abs=max(1e-3, end.alpha_error))
    assert end.order_parameters[1] == end.order_parameters[3] == 0.0
    # Both overlaps shrink towards it; squared, they vanish linearly.
    m, theta = line.order_parameters[:, 0, 1] ** 2, line.order_parameters[:, 1, 3] ** 2
    for square in (m, theta):
        last = square[-2:]
        p = line.parameter[-2:]
        zero = p[1] - last[1] * (p[1] - p[0]) / (last[1] - last[0])
        assert zero == pytest.approx(end.parameter, abs=4e-3)
    # At its sigma the two pitchforks of the agnostic branch are one.
    model = dataclasses.replace(MODEL, sigma=end.parameter)
    there = solve_phase_diagram(model, (0.4, 1.0), points=4, rule=RULE)
    upper = [t for t in there.bifurcations if t.unstable_to == "positional_overlap" and t.between[0] == "agnostic"]
    semantic = there.transitions["agnostic -> semantic"]
    assert upper[-1].alpha == pytest.approx(semantic.alpha, abs=5e-3)


def test_a_crossing_on_a_metastable_branch_is_not_alpha_l(start):
    """Below sigma = 0.453 the semantic branch passes the baseline while the positional one still has larger Phi."""
    crossing, first_order = (
        solve_transition_line(MODEL, name, "sigma", (0.42, 0.5), points=5, diagram=start)
        for name in ("alpha_l", "alpha_c")
    )
    assert crossing.metastable is not None
    assert first_order.metastable is None
    for sigma, alpha, metastable in zip(crossing.parameter, crossing.alpha, crossing.metastable, strict=True):
        assert metastable == (alpha < first_order.at(float(sigma)))
    assert np.any(crossing.metastable)
    assert not np.all(crossing.metastable)
    # The diagram itself follows the global minimum: there alpha_l is alpha_c.
    model = dataclasses.replace(MODEL, sigma=0.42)
    solved = solve_phase_diagram(model, (3.0, 4.5), points=4, rule=RULE)
    assert solved.alpha_l.alpha == solved.alpha_c.alpha
    assert solved.alpha_c.alpha == pytest.approx(first_order.at(0.42), abs=2e-3)


def test_lines_in_the_regularization(start):
    line = solve_transition_line(MODEL, "alpha_c", "lambda", (0.008, 0.012), points=3, diagram=start)
    assert line.over == "regularization"
    assert line.at(0.01) == pytest.approx(1.251536, abs=2e-4)
    model = dataclasses.replace(MODEL, regularization=0.012)
    solved = solve_phase_diagram(model, (1.0, 1.6), points=4, rule=RULE)
    assert line.at(0.012) == pytest.approx(solved.alpha_c.alpha, abs=solved.alpha_c.error + line.error[-1] + 1e-5)


@pytest.mark.slow
def test_what_is_not_there_is_a_line_without_points_and_a_reason():
    rough = SolveSettings(tolerance=1e-2)
    alpha_c, none = (
        solve_transition_line(MODEL, name, "omega", (0.29, 0.31), alpha=(1.4, 1.6), settings=rough)
        for name in ("alpha_c", "mixed -> mixed")
    )
    assert len(alpha_c) == len(none) == 0
    assert "outside of the range asked for, at alpha = 1.25" in alpha_c.reason
    assert "no such transition" in none.reason


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        ({"transition": "alpha_x"}, "alpha_x"),
        ({"transition": "agnostic -> nothing"}, "nothing"),
        ({"over": "alpha"}, "alpha"),
        ({"between": (0.5, 0.1)}, "0.5 to 0.1"),
        ({"between": (-0.1, 0.4)}, "-0.1"),
        ({"between": 3}, "3"),
        ({"points": 1}, "1"),
    ],
)
def test_misuse_is_refused_with_the_value(arguments, quoted):
    with pytest.raises(ValueError, match=r"transition|over|between|points|omega") as caught:
        solve_transition_line(MODEL, **{"transition": "alpha_c", **arguments})
    assert quoted in str(caught.value)


@pytest.fixture(scope="module")
def several():
    return solve_transition_lines(
        MODEL, "omega", (0.25, 0.35), transitions=("alpha_c", "agnostic -> positional", "mixed -> mixed"),
        points=3, alpha=(0.01, 1.6), settings=SETTINGS,
    )  # fmt: skip


@pytest.mark.slow
def test_saved_lines_read_back(several, tmp_path):
    path = tmp_path / "deep" / "lines.nc"
    several.save(path)
    loaded = TransitionLines.load(path)
    assert pickle.loads(pickle.dumps(several)) == copy.deepcopy(several) == several
    assert hash(pickle.loads(pickle.dumps(several))) == hash(several)
    assert (loaded.model, loaded.over, loaded.between, loaded.complete) == (MODEL, "omega", (0.25, 0.35), True)
    assert set(loaded.lines) == set(several.lines)
    for name, line in several.lines.items():
        for field in dataclasses.fields(line):
            before, after = getattr(line, field.name), getattr(loaded.lines[name], field.name)
            if isinstance(before, np.ndarray):
                np.testing.assert_array_equal(before, after)
                assert not after.flags.writeable
            elif len(line):
                assert before == after, field.name
    assert loaded.lines["mixed -> mixed"].reason == several.lines["mixed -> mixed"].reason
    other = tmp_path / "other.nc"
    other.write_text("nothing")
    with pytest.raises(ValueError, match="cannot read"):
        TransitionLines.load(other)


@pytest.mark.slow
def test_lines_say_what_made_them(several, tmp_path):
    provenance = several.provenance
    assert provenance.versions["attention-phase"]
    assert {name: provenance.settings[name] for name in ("over", "between", "points", "alpha", "highest_alpha")} == {
        "over": '"omega"', "between": "[0.25, 0.35]", "points": "3", "alpha": "[0.01, 1.6]", "highest_alpha": "10.0",
    }  # fmt: skip
    assert provenance.settings["transitions"] == '["alpha_c", "agnostic -> positional", "mixed -> mixed"]'
    assert provenance.seconds["follow"] > 0.0
    several.save(tmp_path / "lines.nc")
    assert TransitionLines.load(tmp_path / "lines.nc").provenance == provenance


@pytest.mark.slow
def test_a_line_is_the_same_alone_among_others_and_from_a_given_diagram(several, start):
    """Which diagram it starts from, on how many points that was solved, and what else is asked for do not matter."""
    among, between = several.lines["alpha_c"], (0.25, 0.35)
    alone = solve_transition_line(MODEL, "alpha_c", between=between, points=3, alpha=(0.01, 1.6), settings=SETTINGS)
    given = solve_transition_line(MODEL, "alpha_c", between=between, points=3, diagram=start)
    for other in (alone, given):
        np.testing.assert_allclose(other.parameter, among.parameter, rtol=0, atol=1e-9)
        assert np.all(np.abs(other.alpha - among.alpha) <= other.error + among.error)
        assert (other.complete, other.between, other.reason) == (True, among.between, "")
    missing = solve_transition_line(MODEL, "mixed -> mixed", between=between, diagram=start)
    assert (len(missing), missing.reason) == (0, several.lines["mixed -> mixed"].reason)


@pytest.mark.slow
def test_columns_are_the_same_whether_diagrams_are_known_or_not(several):
    fresh, complete = solve_columns(MODEL, "omega", (0.25, 0.35), (0.01, 1.6), {}, 0)
    assert complete
    assert [column.parameter for column in several.columns] == [column.parameter for column in fresh]
    for known, other in zip(several.columns, fresh, strict=True):
        assert (known.families, known.jumps) == (other.families, other.jumps)
        # Two rules of 5e-4.
        np.testing.assert_allclose(known.borders, other.borders, rtol=2e-3)


def test_lines_interrupted_before_they_begin_are_none(monkeypatch, tmp_path):
    def interrupted(self, state):
        raise KeyboardInterrupt

    monkeypatch.setattr(Channel, "averages", interrupted)
    found = solve_transition_lines(MODEL, "omega", (0.25, 0.35), points=3, settings=SETTINGS)
    assert (found.complete, dict(found.lines), found.columns) == (False, {}, ())
    assert found.plot().axes
    found.save(tmp_path / "none.nc")
    loaded = TransitionLines.load(tmp_path / "none.nc")
    assert pickle.loads(pickle.dumps(found)) == found
    assert (loaded.complete, dict(loaded.lines), loaded.columns) == (False, {}, ())
    assert str(found)


@pytest.mark.slow
def test_regions_of_the_figure_are_the_global_minima(several):
    for omega in (0.26, 0.34):
        model = dataclasses.replace(MODEL, omega=omega)
        solved = solve_phase_diagram(model, (0.02, 1.6), points=6, rule=RULE)
        for alpha, name in zip(solved.alpha, solved.global_minimum, strict=True):
            assert global_minimum_at(several, omega, float(alpha)) == name
    assert several.plot().axes[0].get_ylabel()


def test_an_interrupted_line_keeps_its_points(start, monkeypatch):
    original, calls = Channel.averages, []

    def interrupted(self, state):
        calls.append(1)
        if len(calls) == 60:
            raise KeyboardInterrupt
        return original(self, state)

    monkeypatch.setattr(Channel, "averages", interrupted)
    line = solve_transition_line(MODEL, "alpha_c", points=11, diagram=start)
    assert not line.complete
    assert 0 < len(line) < 11
