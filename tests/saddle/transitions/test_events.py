"""Events of the user's own: those that are transitions lie where these are, and what has none says why."""

from __future__ import annotations

import math

import numpy as np
import pytest

from replica import AttentionModel, InvalidArgument
from saddle import (
    Event,
    PhaseDiagram,
    SolveSettings,
    replicon_event,
    solve_phase_diagram,
    solve_transition_line,
    solve_transition_lines,
)
from saddle.transitions.events import replica_margin

ROUGH = SolveSettings(tolerance=5e-3, progress=False)


def overlap_difference(point) -> float:
    return point.order_parameters["semantic_overlap"] - point.order_parameters["positional_overlap"]


def test_equal_free_entropies_are_the_first_order_transition(diagram):
    event = Event("equal Phi", lambda a, b: a.free_entropy - b.free_entropy, ["positional", "semantic"])
    (found,) = diagram.locate(event).transitions
    assert found.kind == "event"
    assert found.between == ("positional", "semantic")
    assert abs(found.alpha - diagram.alpha_c.alpha) < diagram.alpha_c.error
    for own, known in zip(found.points, diagram.alpha_c.points, strict=True):
        np.testing.assert_allclose(own.order_parameters, known.order_parameters, rtol=1e-4, atol=1e-6)


def test_the_baselines_test_error_is_alpha_l(diagram):
    level = diagram.linear_baseline
    event = Event("linear", lambda point: point.test_error - level.test_error_at(point.alpha), ["semantic"])
    (found,) = diagram.locate(event).transitions
    assert abs(found.alpha - diagram.alpha_l.alpha) < diagram.alpha_l.error


def test_an_event_is_where_its_function_vanishes(diagram):
    """Solved again at the alpha that is stated, on the branches' rule, the function is zero to the error's worth."""
    event = Event("theta = m", overlap_difference, ["mixed"])
    (found,) = diagram.locate(event).transitions
    low, here, high = (
        overlap_difference(diagram.branches["mixed"].at(found.alpha + shift)) for shift in (-1e-3, 0.0, 1e-3)
    )
    assert abs(here) < abs(high - low) / 2e-3 * 3.0 * found.error + 1e-9
    assert low * high < 0.0


def test_jumps_have_faded_where_replica_symmetry_is_said_to_hold(diagram):
    (found,) = diagram.locate(replicon_event("semantic")).transitions
    branch = diagram.branches["semantic"]
    assert replica_margin(branch.at(found.alpha - 3.0 * found.error)) < 0.0
    assert replica_margin(branch.at(found.alpha + 3.0 * found.error)) > 0.0
    stable = branch.alpha[branch.replica_stable]
    assert stable.min() > found.alpha - 3.0 * found.error


def test_where_there_is_none_it_says_why(diagram):
    always = diagram.locate(Event("never", lambda point: 1.0 + point.test_error, ["semantic"]))
    assert always.transitions == ()
    assert "positive wherever it is defined" in always.reason
    undefined = diagram.locate(Event("undefined", lambda point: math.nan, ["semantic"]))
    assert "defined at no point" in undefined.reason
    empty = solve_phase_diagram(diagram.model, (0.02, 0.04), points=2, tolerance=1e-2, progress=False)
    apart = empty.locate(Event("apart", lambda point: point.test_error, ["semantic"]))
    assert "range" in apart.reason or "no point" in apart.reason


def test_a_jump_of_the_function_is_bracketed_and_not_resolved(diagram):
    (found,) = diagram.locate(Event("step", lambda point: 1.0 if point.alpha > 1.3 else -1.0, ["semantic"])).transitions
    assert not found.resolved
    assert found.bracket[0] <= 1.3 <= found.bracket[1]
    assert found.points == ()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("", abs, ["semantic"]), "name must be"),
        (("x", 3, ["semantic"]), "function must take"),
        (("x", abs, []), "one or two"),
        (("x", abs, ["a", "b", "c"]), "one or two"),
        (("x", abs, "semantic"), "branches must be"),
    ],
)
def test_what_is_no_event_is_refused(arguments, said):
    with pytest.raises(InvalidArgument, match=said):
        Event(*arguments)


def test_bad_events_of_a_diagram_are_refused(diagram):
    with pytest.raises(InvalidArgument, match="'nowhere'"):
        diagram.locate(Event("x", abs, ["nowhere"]))
    with pytest.raises(InvalidArgument, match="event must be"):
        diagram.locate("alpha_c")
    with pytest.raises(InvalidArgument, match="must return a number"):
        diagram.locate(Event("x", lambda point: "much", ["semantic"]))
    with pytest.raises(InvalidArgument, match="'x' twice"):
        solve_transition_lines(diagram.model, transitions=[Event("x", abs, ["semantic"]), Event("x", min, ["mixed"])])


@pytest.mark.slow
def test_lines_of_events_agree_with_diagrams(diagram: PhaseDiagram):
    """Continued from omega = 0.3, an event lies where a diagram at another omega has it."""
    event = Event("test error of 0.002", lambda point: point.test_error - 0.002, ["semantic"])
    line = solve_transition_line(diagram.model, event, "omega", (0.28, 0.3), points=2, settings=ROUGH)
    assert line.kind == "event"
    there = solve_phase_diagram(AttentionModel.paper(omega=0.28), points=4, tolerance=5e-3, progress=False)
    (found,) = there.locate(event).transitions
    assert line.at(0.28) == pytest.approx(found.alpha, abs=found.error)


@pytest.mark.slow
def test_lines_over_entries_of_the_positional_matrix_are_mirror_images():
    """Renaming the tokens and reversing the encodings maps A_11 to A_22."""
    first, second = (
        solve_transition_line(
            AttentionModel.paper(), "alpha_c", f"positional_matrix_{ij}", (0.55, 0.6), points=2, settings=ROUGH
        )
        for ij in ("11", "22")
    )
    np.testing.assert_allclose(first.alpha, second.alpha, rtol=1e-10)
