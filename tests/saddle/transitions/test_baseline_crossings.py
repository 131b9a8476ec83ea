"""Where the global minimum begins to beat a baseline, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from baselines import BASELINES, ConstantBaseline, best_positional_attention, linear_positional
from saddle import solve_transition_line


@dataclass(frozen=True)
class Level(ConstantBaseline):
    test_error: float
    error: float = 0.0
    name: str = "level"


@dataclass(frozen=True)
class Slope:
    """A baseline whose test error is proportional to alpha."""

    at_one: float
    name: str = "slope"
    constant: bool = False

    def test_error_at(self, alpha: float) -> float:
        return self.at_one * alpha


def test_alpha_l_is_the_crossing_of_the_linear_layer(diagram):
    crossing = diagram.crossing("linear positional")
    assert crossing.transition == diagram.alpha_l
    assert crossing.transition.between == ("semantic", "linear positional")
    assert str(crossing) == str(diagram.alpha_l)


def test_a_baseline_of_the_model_is_as_good_as_its_name(diagram):
    given = diagram.crossing(linear_positional(diagram.model)).transition
    assert given.alpha == pytest.approx(diagram.alpha_l.alpha, abs=1e-9)


@pytest.mark.parametrize("alpha", [1.4, 2.0, 2.9])
@pytest.mark.parametrize("make", [Level, lambda error: Slope(error / 1.0)], ids=["constant", "proportional"])
def test_the_crossing_is_where_it_was_made_to_be(diagram, alpha, make):
    error = diagram.branches["semantic"].at(alpha).test_error
    baseline = make(error if make is Level else error / alpha)
    transition = diagram.crossing(baseline).transition
    assert abs(transition.alpha - alpha) < max(3 * transition.error, 1e-4)
    assert transition.between == ("semantic", baseline.name)


def test_a_jump_of_the_test_error_is_at_alpha_c(diagram):
    before, after = (point.test_error for point in diagram.alpha_c.points)
    crossing = diagram.crossing(Level(0.5 * (before + after))).transition
    assert crossing.alpha == diagram.alpha_c.alpha
    # The best positional layer lies between the two, at omega = 0.3.
    assert diagram.crossing("best positional attention").transition.alpha == diagram.alpha_c.alpha


def test_what_is_never_or_always_beaten_says_so(diagram):
    always = diagram.crossing(Level(1.0))
    assert always.transition is None
    assert always.from_start
    assert "where the search began" in always.reason
    never = diagram.crossing("Bayes-optimal")
    assert never.transition is None
    assert not never.from_start
    assert "never beats Bayes-optimal" in str(never)


def test_attention_never_beats_the_bayes_optimal_learner(diagram):
    best = BASELINES["Bayes-optimal"](diagram.model)
    for branch in diagram.branches.values():
        for alpha, error in zip(branch.alpha[branch.distinct], branch.test_error[branch.distinct], strict=True):
            assert error > best.test_error_at(float(alpha))


def test_unknown_names_are_refused(diagram):
    with pytest.raises(ValueError, match=r"baseline must be one of 'linear positional'.*got 'quadratic'"):
        diagram.crossing("quadratic")
    with pytest.raises(ValueError, match="got 'quadratic'"):
        diagram.plot(["quadratic"])
    with pytest.raises(ValueError, match="the string 'linear positional'"):
        diagram.plot("linear positional")


def test_figures_draw_lines_and_curves(diagram):
    names = ["linear positional", "best positional attention", "Bayes-optimal"]
    plain, rich = (figure.axes[2].get_lines() for figure in (diagram.plot([]), diagram.plot(names)))
    assert len(rich) == len(plain) + 3
    best = BASELINES["Bayes-optimal"](diagram.model)
    # It depends on alpha, and is drawn as a curve whatever the grid.
    curve = next(line for line in rich if len(line.get_xdata()) > 100 and line.get_color() == "black")
    alpha = curve.get_xdata()
    assert (alpha[0], alpha[-1]) == (diagram.alpha[0], diagram.alpha[-1])
    np.testing.assert_array_equal(curve.get_ydata(), [best.test_error_at(float(value)) for value in alpha])


def test_reports_list_baselines(diagram, tmp_path):
    positional = best_positional_attention(diagram.model)
    names = ["linear positional", positional, "uniform attention"]
    diagram.report(tmp_path, formats=("markdown",), baselines=names, parts=("baselines", "transitions"))
    lines = (tmp_path / "report.md").read_text().splitlines()
    rows = [
        line for line in lines if line.startswith("| ") and ("attention |" in line or "linear positional |" in line)
    ]
    assert any("best positional attention" in row and f"{positional.test_error:.6g}" in row for row in rows)
    assert any("uniform attention" in row and "the lower end on" in row for row in rows)
    assert any("linear positional" in row and "1.49227" in row for row in rows)


@pytest.mark.slow
def test_along_the_line_of_a_baseline_the_test_errors_are_equal(diagram_02):
    level = "best positional attention"
    line = solve_transition_line(diagram_02.model, level, "omega", (0.1, 0.25), points=4, diagram=diagram_02)
    expected = [BASELINES[level](replace(diagram_02.model, omega=omega)).test_error for omega in line.parameter]
    np.testing.assert_allclose(line.test_error[:, 0], expected, rtol=1e-4)
    # The global minimum passes this baseline by its jump at alpha_c, where the semantic solution is better already.
    assert diagram_02.crossing(level).transition.alpha == diagram_02.alpha_c.alpha
    assert np.all(line.metastable)
    assert np.all(line.alpha < 1.1)
