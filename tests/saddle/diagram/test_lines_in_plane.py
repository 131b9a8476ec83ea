"""Lines at one alpha in the plane of two parameters: against lines over one, single systems, symmetries, each other."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest

from replica import AttentionModel
from saddle import (
    Event,
    LineRule,
    SolveSettings,
    StateEvolution,
    TransitionLines,
    line_parameters,
    solve_phase_diagram,
    solve_transition_line,
    solve_transition_lines,
    with_parameters,
)
from saddle.averages.channel import Channel
from saddle.diagram.lines.start import canonical_name, equations_of
from saddle.transitions.sharpening import locate

RULE = LineRule.for_tolerance(1e-3)
MODEL = AttentionModel.paper()
OVER, BETWEEN = ("omega", "sigma"), ((0.0, 0.5), (0.3, 0.7))
STRENGTH = Event("equal test errors", lambda a, b: a.test_error - b.test_error, ("semantic", "positional"))
# Names, and the alpha that is asked for.
KINDS = {"alpha_c": 1.5, "alpha_l": 1.5, "semantic -> mixed": 0.9, "agnostic -> semantic": 0.6, STRENGTH.name: 1.2}


def alpha_c_first(names):
    """All lines, of which that of alpha_c stands for the others in the quick suite."""
    return [name if name == "alpha_c" else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.fixture(scope="module")
def start():
    return solve_phase_diagram(MODEL, (0.01, 2.0), points=4, rule=RULE)


def asked(name):
    return STRENGTH if name == STRENGTH.name else name


@pytest.fixture(scope="module")
def lines(start):
    """A line of every kind, each of few points, solved when first asked for."""

    class Lines(dict):
        def __missing__(self, name):
            alpha = KINDS[name]
            self[name] = solve_transition_line(MODEL, asked(name), OVER, BETWEEN, alpha=alpha, points=12, diagram=start)
            return self[name]

    return Lines()


def single(line, start, k, value=None):
    """Solve a transition's own equations at one point's model (or at another value of the second parameter)."""
    what = canonical_name(asked(line.name))
    transition = start.locate(what).first if isinstance(what, Event) else start.transitions[what]
    equations = equations_of(what, transition, start)
    states = [
        state[list(sector.free)] for state, sector in zip(line.order_parameters[k], equations.sectors, strict=True)
    ]
    model = line.model_at(k) if value is None else with_parameters(line.model_at(k), {line.plane.second: value})
    return locate(equations, StateEvolution(model, RULE), np.concatenate([*states, [line.plane.alpha]]))


@pytest.mark.parametrize("name", alpha_c_first(KINDS))
def test_at_every_point_the_model_has_its_transition_at_the_alpha_asked_for(lines, start, name):
    line = lines[name]
    assert (line.name, line.complete, line.plane.alpha, len(line)) == (name, True, KINDS[name], 12)
    assert np.all(line.alpha == KINDS[name])
    for k in (0, 3, 6, 11):
        found = single(line, start, k)
        # Both are on the finer rule, so most of the error cancels; a part of it is left where rules are rough.
        assert abs(found.alpha - line.alpha[k]) <= 0.1 * found.error + 1e-6


@pytest.mark.parametrize("name", alpha_c_first(["alpha_c", "alpha_l", "semantic -> mixed"]))
def test_the_errors_are_those_of_alpha_over_its_slope_across_the_line(lines, start, name):
    line, k, step = lines[name], 6, 2e-3
    sides = [single(line, start, k, line.second[k] + sign * step).alpha for sign in (1.0, -1.0)]
    slope = abs(sides[0] - sides[1]) / (2.0 * step)
    # At a fixed first parameter: the error across the line leads to the line along it, too.
    error = line.second_error[k] + abs(line.tangent[k]) * line.error[k]
    assert 0.3 < error * slope / single(line, start, k).error < 3.0


def test_it_crosses_lines_over_either_parameter_where_they_are_at_this_alpha(lines, start):
    line = lines["alpha_c"]
    over = solve_transition_line(MODEL, "alpha_c", "sigma", (0.45, 0.52), points=5, diagram=start)
    assert over.at(line.at(MODEL.omega)) == pytest.approx(1.5, abs=5e-4)


@pytest.mark.parametrize("name", alpha_c_first(["alpha_c", "semantic -> mixed"]))
def test_the_parameters_exchanged_give_the_same_curve(lines, start, name):
    line = lines[name]
    other = solve_transition_line(MODEL, name, OVER[::-1], BETWEEN[::-1], alpha=KINDS[name], points=9, diagram=start)
    assert (other.over, other.plane.second, other.plane.between) == ("sigma", "omega", (0.0, 0.5))
    assert other.endings == line.endings
    ends = np.array([[line.parameter[k], line.second[k]] for k in (0, -1)])
    # Where an overlap vanishes a line ends within a step of that.
    np.testing.assert_allclose(ends, [[other.second[k], other.parameter[k]] for k in (0, -1)], atol=2e-2)
    for sigma, omega in zip(other.parameter, other.second, strict=True):
        if line.parameter[0] < omega < line.parameter[-1]:
            assert line.at(omega) == pytest.approx(sigma, abs=2e-4)


@pytest.mark.slow
def test_its_tangent_is_the_ratio_of_the_derivatives_of_alpha(start):
    # Along lines of pitchforks, derivatives of the odd block are taken over from points nearby.
    for name, accuracy in (("alpha_c", 5e-3), ("alpha_l", 5e-3), ("agnostic -> semantic", 5e-2)):
        found, alpha = start.derivatives(name), start.transitions[name].alpha
        # It begins at the model itself, but for the rule's error.
        between = ((MODEL.omega, 0.31), (0.4, 0.6))
        line = solve_transition_line(MODEL, name, OVER, between, alpha=alpha, points=2, diagram=start)
        assert (line.parameter[0], line.second[0]) == (MODEL.omega, pytest.approx(MODEL.sigma, abs=2e-4))
        slope = -found["omega"].value / found["sigma"].value
        error = found["omega"].error / abs(found["omega"].value) + found["sigma"].error / abs(found["sigma"].value)
        assert line.tangent[0] == pytest.approx(slope, rel=max(accuracy, error)), name


@pytest.mark.slow
def test_it_turns_back_in_either_parameter(lines):
    """Pitchforks to meaning at alpha = 0.6: two folds in omega, and so in the second parameter where it is that."""
    line = lines["agnostic -> semantic"]
    turns = np.flatnonzero(np.diff(np.sign(np.diff(line.parameter))))
    assert len(turns) == 2
    assert np.all(np.diff(line.second) > 0.0)
    assert line.endings == ("the curve reached the bound that was set",) * 2
    assert (line.parameter[0], line.second[-1]) == (0.0, 0.7)


@pytest.mark.slow
def test_points_are_even_along_the_line(lines):
    for line in (lines[name] for name in KINDS):
        steps = np.diff(np.stack([line.parameter, line.second]) / np.ptp(BETWEEN, axis=1)[:, None], axis=1)
        length = np.linalg.norm(steps, axis=0)
        assert np.max(length) < 1.25 * np.min(length), line.name


@pytest.mark.slow
def test_the_softmax_sees_only_differences_along_a_row(start):
    """A number added to a row of A changes no attention: lines in the plane of its entries are straight."""
    over = ("positional_matrix_11", "positional_matrix_12")
    line = solve_transition_line(MODEL, "alpha_c", over, ((0.0, 1.0), (0.0, 1.0)), alpha=1.3, points=5, diagram=start)
    assert len(line) == 5
    shift = line.parameter - line.second
    assert np.ptp(shift) < 1e-5
    np.testing.assert_allclose(line.tangent, 1.0, atol=1e-3)


@pytest.mark.slow
def test_the_line_has_the_symmetry_of_the_model(start):
    """Tokens renamed and encodings reversed leave the model as it is: (c_1, c_2) and (-c_2, -c_1) are one."""
    over, between = ("positional_encoding_1", "positional_encoding_2"), ((0.4, 1.6), (-1.6, -0.4))
    line = solve_transition_line(MODEL, "alpha_c", over, between, alpha=1.3, points=7, diagram=start)
    np.testing.assert_allclose(line.parameter, -line.second[::-1], atol=2e-4)
    assert np.ptp(line.parameter) > 0.5


@pytest.mark.slow
def test_in_the_plane_the_first_order_line_ends_in_a_bicritical_point_on_the_pitchforks(start):
    between = ((0.2, 0.5), (0.45, 0.7))
    line, pitchfork = (
        solve_transition_line(MODEL, name, OVER, between, alpha=0.9, points=15, diagram=start)
        for name in ("alpha_c", "agnostic -> semantic")
    )
    end = line.ends[1]
    assert (line.endings[1], end.kind, end.alpha) == ("an overlap vanishes", "bicritical point", 0.9)
    assert end.order_parameters[1] == end.order_parameters[3] == 0.0
    omega = np.interp(end.second, pitchfork.second, pitchfork.parameter)
    assert omega == pytest.approx(end.parameter, abs=2e-3)


def test_where_alpha_is_not_reached_the_reason_says_what_was_seen(start):
    line = solve_transition_line(MODEL, "alpha_c", OVER, ((0.25, 0.3), (0.48, 0.5)), alpha=3.0, diagram=start)
    assert len(line) == 0
    assert line.complete
    assert "does not come to alpha = 3" in line.reason
    assert "omega = 0.25 to 0.3 and sigma = 0.48 to 0.5" in line.reason
    low, high = map(float, line.reason.split("alpha = ")[-1].split(" to "))
    over = solve_transition_line(MODEL, "alpha_c", "omega", (0.25, 0.3), points=3, diagram=start)
    assert low <= np.min(over.alpha) * 1.001
    assert np.max(over.alpha) * 0.999 <= high < 3.0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"over": ("omega", "omega")}, "over .*'omega' twice"),
        ({"over": ("omega", "nu")}, "over .*'nu'"),
        ({"over": ("omega", "sigma", "lambda")}, "over .*a pair"),
        ({"over": {"omega", "sigma"}}, "over .*a pair"),
        ({"over": ("omega", 3)}, "over .*3"),
        ({"between": (0.0, 0.5)}, r"between .*each of omega and sigma.*\(0.0, 0.5\)"),
        ({"between": ((0.0, 0.5), (0.7, 0.3))}, r"between\[1\] .*0.7 to 0.3"),
        ({"between": ((0.0, float("nan")), (0.3, 0.7))}, r"between\[0\]\[1\] .*nan"),
        ({"between": ((-0.1, 0.5), (0.3, 0.7))}, r"between\[0\]: .*-0.1"),
        ({"between": 3.0}, "between .*3.0"),
        ({"alpha": (0.01, 3.0)}, r"alpha .*\(0.01, 3.0\)"),
        ({"alpha": -1.0}, "alpha .*-1.0"),
        ({"alpha": float("nan")}, "alpha .*nan"),
        ({"alpha": 10.0}, "alpha .*highest_alpha, 10.0.*10.0"),
        ({"alpha": "all"}, "alpha .*'all'"),
        ({"over": "omega", "between": (0.0, 0.5)}, "alpha .*1.5"),
        ({"over": "omega", "alpha": (0.01, 3.0)}, r"between\[0\]"),
    ],
)
def test_misuse_is_refused_with_the_value(arguments, said):
    given = {"over": OVER, "between": BETWEEN, "alpha": 1.5, **arguments}
    for solve in (
        lambda **x: solve_transition_line(MODEL, "alpha_c", **x),
        lambda **x: solve_transition_lines(MODEL, **x),
    ):
        with pytest.raises(ValueError, match=said) as caught:
            solve(**given)
        assert "\n" not in str(caught.value)


def test_a_diagram_of_another_second_parameter_is_refused(start):
    other = with_parameters(MODEL, {"sigma": 0.45})
    with pytest.raises(ValueError, match=r"diagram .*sigma"):
        solve_transition_line(other, "alpha_c", OVER, BETWEEN, alpha=1.5, diagram=start)


@pytest.mark.slow
def test_several_lines_from_one_start_are_those_solved_alone(lines, start, tmp_path):
    names = ("alpha_c", "semantic -> mixed")
    found = solve_transition_lines(
        MODEL, OVER, BETWEEN, transitions=names, alpha=0.9, points=12, settings=SolveSettings(rule=RULE)
    )
    assert (found.over, found.plane.second, found.columns, found.complete) == ("omega", "sigma", (), True)
    own, alone = found.lines["semantic -> mixed"], lines["semantic -> mixed"]
    np.testing.assert_allclose(own.parameter, alone.parameter, atol=1e-5)
    np.testing.assert_allclose(own.second, alone.second, atol=1e-5)
    assert found.provenance.settings["over"] == '["omega", "sigma"]'
    found.save(tmp_path / "lines.nc")
    assert TransitionLines.load(tmp_path / "lines.nc") == found == pickle.loads(pickle.dumps(found))
    assert {text.get_text() for text in found.plot().legends[0].get_texts()} > {"semantic spinodal"}


def interrupting(monkeypatch, calls):
    original, made = Channel.averages, []

    def interrupted(self, state):
        made.append(1)
        if len(made) == calls:
            raise KeyboardInterrupt
        return original(self, state)

    monkeypatch.setattr(Channel, "averages", interrupted)


def test_an_interrupted_line_keeps_its_points(start, monkeypatch, tmp_path):
    """While the start is looked for, while the curve is followed, and while its points are solved."""
    lengths = []
    for calls in (5, 80, 190):
        with monkeypatch.context() as patched:
            interrupting(patched, calls)
            line = solve_transition_line(MODEL, "alpha_c", OVER, BETWEEN, alpha=1.5, points=11, diagram=start)
        assert not line.complete
        assert len(line) or "interrupted" in line.reason
        assert line.plane.alpha == 1.5
        lines = TransitionLines(MODEL, "omega", BETWEEN[0], {"alpha_c": line}, complete=False, plane=line.plane)
        lines.save(tmp_path / "lines.nc")
        assert TransitionLines.load(tmp_path / "lines.nc") == lines == pickle.loads(pickle.dumps(lines))
        assert "interrupted" in repr(lines)
        assert lines.plot().axes
        lengths.append(len(line))
    assert lengths[0] == 0 < max(lengths)


@pytest.mark.slow
def test_a_start_may_lie_outside_of_the_second_range_and_at_the_end_of_the_first(lines):
    """The diagram that lines start from is that of the second's middle; there is no model of a negative omega."""
    model, between = dataclasses.replace(MODEL, omega=0.0), ((0.0, 0.1), (0.41, 0.43))
    settings = SolveSettings(rule=RULE)
    line = solve_transition_line(model, "alpha_c", OVER, between, alpha=1.5, points=3, settings=settings)
    assert (line.model, line.parameter[0], line.second[-1]) == (model, 0.0, 0.43)
    np.testing.assert_allclose(line.second[0], lines["alpha_c"].second[0], atol=1e-5)
    assert lines["alpha_c"].at(line.parameter[1]) == pytest.approx(line.second[1], abs=1e-4)
    assert line_parameters(line.model_at(1))["sigma"] == line.second[1]
    assert dataclasses.replace(line.model_at(0), sigma=MODEL.sigma) == model
