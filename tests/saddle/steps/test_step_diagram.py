"""Diagrams with steps: what was asked for, the empty and the interrupted one, drawn, shown and kept."""

import pickle

import numpy as np
import pytest

from replica import AttentionModel
from saddle import (
    BrokenSymmetryPoint,
    GridRule,
    SolvedPoint,
    StepDiagram,
    solve_phase_diagram,
    transition_with_steps,
)
from saddle.diagram.steps import step_contents

RULE = GridRule(nodes=10, spacing=0.9, reach=4.8)


@pytest.fixture(scope="module")
def diagram():
    model = AttentionModel.paper(omega=0.3)
    return solve_phase_diagram(model, alpha=(1.0, 2.0), points=3, tolerance=1e-2, progress=False)


@pytest.fixture(scope="module")
def stepped(diagram):
    return diagram.with_steps(alpha=[1.25, 1.5], branches=["positional", "semantic"], rule=RULE)


def test_points_are_those_that_are_solved_alone(diagram, stepped):
    assert stepped.complete
    first, second = stepped.branches["positional"]
    assert isinstance(first, BrokenSymmetryPoint)
    (alone,) = diagram.branches["positional"].with_steps(1.5, rule=RULE)
    assert isinstance(second, BrokenSymmetryPoint)
    assert second.free_entropy == pytest.approx(alone.free_entropy, abs=alone.free_entropy_error)
    # No gap is resolved there: the replica-symmetric solution.
    assert all(isinstance(point, SolvedPoint) for point in stepped.branches["semantic"])


def test_the_positional_branch_loses(stepped):
    # Its ground state lies higher than replica symmetry says, so that the semantic one takes over earlier.
    moved = stepped.transitions["alpha_c"]
    assert moved.shift == pytest.approx(-4.2e-4, abs=2.5e-4)
    assert moved.error < 2e-3
    assert "positional broken; semantic symmetric" in repr(moved)
    assert stepped.transitions["alpha_l"].shift == 0.0


def test_the_dataset_has_every_point(stepped):
    data = stepped.to_dataset()
    assert (data.sizes["branch"], data.sizes["alpha"]) == (2, 2)
    assert np.all(data["solution"].sel(branch="positional") == 2)
    assert np.all(data["self_overlap_0"].sel(branch="positional") < data["self_overlap_1"].sel(branch="positional"))
    assert np.all(np.isnan(data["parisi_parameter_1"].sel(branch="semantic")))
    assert data["transition_solution_alpha"][0] == stepped.transitions["alpha_c"].alpha


def test_it_is_drawn_shown_and_kept(stepped):
    figure = stepped.plot()
    try:
        markers = [line for axes in figure.axes for line in axes.get_lines() if line.get_marker() == "D"]
        drawn = sum(len(line.get_xdata()) for line in markers)
        # Overlaps of each branch, losses, test errors.
        assert drawn == 3 * 4
    finally:
        figure.clear()
    assert pickle.loads(pickle.dumps(stepped)) == stepped
    assert "2 of 2 points solved" in repr(stepped)
    assert "alpha_c" in stepped._repr_html_()


def test_an_empty_one_is_drawn_and_shown(diagram):
    empty = StepDiagram(diagram, 1, np.array([1.5]), {}, {}, {})
    assert (empty.to_dataset().sizes["branch"], empty.to_dataset().sizes["alpha"]) == (0, 1)
    assert "1 step of" in repr(empty)
    assert empty._repr_html_()
    empty.plot().clear()


def test_an_interruption_keeps_what_there_is(diagram, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(step_contents, "broken_or_none", interrupted)
    found = diagram.with_steps(alpha=[1.5], branches=["positional"], rule=RULE)
    assert not found.complete
    assert found.branches == {"positional": (None,)}
    assert "(interrupted)" in repr(found)
    assert np.all(np.isnan(found.to_dataset()["free_entropy"]))
    found.plot().clear()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"steps": 0}, "steps"),
        ({"alpha": [2.0, 1.0]}, "alpha must be positive, finite and increasing"),
        ({"alpha": []}, "alpha must be positive"),
        ({"branches": ["sematic"]}, "branches must be a sequence of names among"),
        ({"branches": "semantic"}, "branches must be a sequence of names among"),
    ],
)
def test_bad_input_is_named(diagram, arguments, said):
    with pytest.raises(ValueError, match=said):
        diagram.with_steps(**arguments)


@pytest.mark.parametrize("name", ["alpha_x", "agnostic -> positional"])
def test_transitions_that_have_no_steps_are_named(diagram, name):
    with pytest.raises(ValueError, match=name):
        transition_with_steps(diagram, name)
