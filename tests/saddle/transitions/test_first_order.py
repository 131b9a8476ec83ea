"""Where the global minimum jumps from one branch to another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from replica import AttentionModel
from saddle import LineRule, PhaseDiagram, SolveSettings, solve_phase_diagram, solve_transition_line
from saddle.transitions.baseline_crossing import find_crossing


@pytest.fixture(scope="module")
def broad() -> PhaseDiagram:
    """Teacher fields so large that meaning is learned at once: no positional branch, and a jump from agnostic."""
    return solve_phase_diagram(AttentionModel.paper(sigma=1.5), (0.5, 2.0), points=6, rule=LineRule.for_tolerance(1e-3))


def test_alpha_c_is_the_only_jump_of_the_papers_model(diagram):
    assert diagram.first_order == (diagram.alpha_c,)


@pytest.mark.slow
def test_alpha_c_is_the_only_jump_at_a_smaller_omega(diagram_02):
    assert diagram_02.first_order == (diagram_02.alpha_c,)


def test_a_transition_is_where_it_was_found_though_a_finer_rule_moves_it(diagram):
    moved = replace(diagram.alpha_c, alpha=0.999 * diagram.alpha_c.bracket[0])
    low, high = diagram.alpha_c.bracket
    assert moved.within(low, high)
    assert not moved.within(0.9 * low, 0.99 * low)


def test_a_level_between_both_test_errors_is_crossed_at_the_jump(diagram):
    before, after = (point.test_error for point in diagram.alpha_c.points)
    crossing = diagram.crossing(_Level(0.5 * (before + after))).transition
    assert (crossing.alpha, crossing.error) == (diagram.alpha_c.alpha, diagram.alpha_c.error)
    assert crossing.between == ("semantic", "level")


@pytest.mark.slow
def test_the_agnostic_branch_jumps_to_the_semantic_one(broad):
    assert broad.alpha_c is None
    (jump,) = broad.first_order
    assert (jump.kind, jump.between) == ("first-order", ("agnostic", "semantic"))
    assert broad.transitions["agnostic / semantic"] is jump
    assert broad.phases[0].high == broad.phases[1].low == jump.alpha
    assert [phase.branch for phase in broad.phases] == ["agnostic", "semantic"]


@pytest.mark.slow
def test_free_entropies_are_equal_at_a_jump_and_their_slopes_are_not(broad):
    (jump,) = broad.first_order
    agnostic, semantic = jump.points
    # As far as the transition's error goes: iterations on the finer rule end at a part of it.
    assert agnostic.free_entropy == pytest.approx(semantic.free_entropy, rel=1e-4)
    assert agnostic.order_parameters[3] == 0.0 < 0.5 < semantic.order_parameters[3]
    # Second route: both branches, solved on either side on their own rule.
    excess = {}
    for alpha in (jump.alpha - 0.02, jump.alpha + 0.02):
        points = [broad.branches[name].at(alpha) for name in jump.between]
        excess[alpha] = points[1].free_entropy - points[0].free_entropy
    below, above = excess.values()
    assert below < 0.0 < above
    by_secant = jump.alpha - 0.02 - below * 0.04 / (above - below)
    assert by_secant == pytest.approx(jump.alpha, abs=2e-3)


@pytest.mark.slow
def test_the_linear_layer_is_beaten_at_the_jump(broad):
    (jump,) = broad.first_order
    before, after = (point.test_error for point in jump.points)
    assert after < broad.linear_baseline.test_error < before
    assert broad.alpha_l is not None
    assert (broad.alpha_l.alpha, broad.alpha_l.between) == (jump.alpha, ("semantic", "linear positional"))
    asked = float(broad.alpha[0]), float(broad.alpha[-1])
    without = find_crossing(list(broad.branches.values()), "linear positional", broad.all_phases, (), asked)
    assert without.transition is None or not without.transition.resolved


@pytest.mark.slow
def test_jumps_are_stored_and_reported(broad, tmp_path):
    broad.save(tmp_path / "diagram.nc")
    assert PhaseDiagram.load(tmp_path / "diagram.nc").first_order == broad.first_order
    broad.report(tmp_path / "report", ("markdown",), parts=("transitions",))
    assert "| agnostic / semantic | first-order |" in (tmp_path / "report" / "report.md").read_text()


# In CI lines of alpha_c are: against independent solves, and to their end (diagram/test_transition_lines.py).
@pytest.mark.measurement
def test_a_line_of_jumps_agrees_with_independent_solves_and_ends_where_they_become_continuous():
    model = AttentionModel.paper(sigma=1.2)
    settings = SolveSettings(tolerance=3e-3)
    line = solve_transition_line(
        model, "agnostic / semantic", over="sigma", between=(0.6, 1.5), points=6, settings=settings
    )
    assert line.parameter[-1] == pytest.approx(1.5)
    end = line.ends[0]
    assert end is not None
    assert end.kind == "an overlap vanishes"
    assert 0.7 < line.parameter[0] < 0.9
    (jump,) = solve_phase_diagram(replace(model, sigma=1.0), points=4, tolerance=3e-3).first_order
    assert abs(line.at(1.0) - jump.alpha) < 2 * (jump.error + float(np.max(line.error)))
    # Below its end the pitchfork is supercritical, and there is no jump.
    assert solve_phase_diagram(replace(model, sigma=0.7), points=4, tolerance=3e-3).first_order == ()


@pytest.mark.parametrize(("name", "low", "high"), [("agnostic", 0.0571, 0.05741), ("positional", 0.05745, 0.0748)])
def test_a_crossing_beside_a_continuous_transition_is_on_the_branch_that_is_there(diagram, name, low, high):
    # Between these two the grid has no point: the pitchfork from agnostic to positional is among them.
    assert np.any(np.diff(np.searchsorted(diagram.alpha, [0.0571, 0.0748])) == 0)
    branch = diagram.branches[name]
    middle = 0.5 * (low + high)
    level = branch.at(middle).test_error
    crossing = diagram.crossing(_Level(level)).transition
    assert crossing.between == (name, "level")
    assert crossing.alpha == pytest.approx(middle, rel=1e-3)


class _Level:
    """A constant test error."""

    name, constant = "level", True

    def __init__(self, error: float) -> None:
        self.test_error = error

    def test_error_at(self, alpha: float) -> float:
        return self.test_error
