"""Diagrams with steps: what was asked for, the empty and the interrupted one, drawn, shown and kept."""

import pickle
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from replica import AttentionModel
from replica.common.errors import UnreadableFile
from saddle import (
    BrokenSymmetryPoint,
    ComplexityCurve,
    GridRule,
    JumpLineRule,
    PhaseDiagram,
    SolvedPoint,
    SolverError,
    StepDiagram,
    StepStability,
    load_steps,
    save_steps,
    solve_phase_diagram,
    steps_dataset,
    transition_with_steps,
)
from saddle.diagram.steps import step_contents
from saddle.output.files.classic_netcdf import read_classic
from saddle.output.files.sealing import sealed

KEPT = Path(__file__).parents[2] / "data" / "steps_1.nc"
RULE = GridRule(nodes=10, spacing=0.9, reach=4.8)


@pytest.fixture(scope="module")
def diagram():
    model = AttentionModel.paper(omega=0.3)
    return solve_phase_diagram(model, alpha=(1.0, 2.0), points=3, tolerance=1e-2, progress=False)


@pytest.fixture(scope="module")
def stepped() -> StepDiagram:
    """What ``solved(diagram)`` found once: solving takes half a minute, and its file must go on being read."""
    found = load_steps(KEPT)
    assert isinstance(found, StepDiagram)
    return found


def solved(diagram: PhaseDiagram) -> StepDiagram:
    return diagram.with_steps(alpha=[1.25, 1.5], branches=["positional", "semantic"], rule=RULE)


def assert_kept(result, folder) -> None:
    """A result is what its file and its pickle hold."""
    path = folder / "steps.nc"
    save_steps(result, path)
    found = load_steps(path)
    assert type(found) is type(result)
    assert found == result
    assert repr(found) == repr(result)
    assert pickle.loads(pickle.dumps(result)) == result


def changed(path, change) -> None:
    """Change a file's Dataset, and seal it again."""
    sealed(change(read_classic(path.read_bytes()))).to_netcdf(path, engine="scipy", format="NETCDF3_64BIT")


@pytest.mark.slow
def test_points_are_those_that_are_solved_alone(diagram, stepped):
    solved_now = solved(diagram)
    assert solved_now.complete
    first, second = solved_now.branches["positional"]
    assert isinstance(first, BrokenSymmetryPoint)
    alone = diagram.branches["positional"].at(1.5, steps=1, rule=RULE)
    assert isinstance(second, BrokenSymmetryPoint)
    assert second.free_entropy == pytest.approx(alone.free_entropy, abs=alone.free_entropy_error)
    # No gap is resolved there: the replica-symmetric solution.
    assert all(isinstance(point, SolvedPoint) for point in solved_now.branches["semantic"])
    # What is kept is what is found, within the errors of both.
    for now, kept in zip((first, second), stepped.branches["positional"], strict=True):
        assert isinstance(kept, BrokenSymmetryPoint)
        error = now.free_entropy_error + kept.free_entropy_error
        assert now.free_entropy == pytest.approx(kept.free_entropy, abs=error)


@pytest.mark.slow
def test_a_point_with_steps_is_that_of_the_branch_with_steps(diagram):
    branch, rule = diagram.branches["positional"], JumpLineRule(roughness=30.0)
    (expected,) = branch.with_steps([1.5], rule=rule)
    assert isinstance(expected, BrokenSymmetryPoint)
    assert branch.at(1.5, steps=1, rule=rule) == expected
    assert branch.at([1.5], 1, rule=rule) == (expected,)
    # No step is replica symmetry.
    assert branch.at(1.5, 0) == branch.at(1.5) == branch.at([1.5], steps=0)[0]
    assert branch.at(np.empty(0), 1) == ()
    for arguments, said in (
        ({"steps": -1}, "steps must be"),
        ({"steps": 1.5}, "steps must be"),
        ({"rule": rule}, "rule belongs to steps"),
        ({"alpha": -1.0, "steps": 1}, "alpha must be"),
    ):
        with pytest.raises(ValueError, match=said):
            branch.at(**({"alpha": 1.5} | arguments))
    with pytest.raises(SolverError, match="it begins at"):
        branch.at(0.01, steps=1)


def test_the_positional_branch_loses(stepped):
    # Its ground state lies higher than replica symmetry says, so that the semantic one takes over earlier.
    moved = stepped.transitions["alpha_c"]
    assert moved.shift == pytest.approx(-4.2e-4, abs=2.5e-4)
    assert moved.error < 2e-3
    assert "positional broken; semantic symmetric" in repr(moved)
    assert f"shift = {moved.shift:.2e} +- {moved.shift_error:.1e}" in repr(moved)
    assert moved.shift_error == moved.error + moved.symmetric.error
    assert stepped.transitions["alpha_l"].shift_error == 0.0
    assert f"{moved.symmetric.alpha:.6f} +- {moved.symmetric.error:.1e}" in repr(stepped)
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


@pytest.mark.measurement
def test_two_steps_move_a_transition_on_and_are_kept(diagram, tmp_path):
    coarse = GridRule(nodes=6, spacing=1.2, reach=4.8)
    two = diagram.with_steps(2, alpha=[1.5], branches=["positional"], rule=coarse)
    (point,) = two.branches["positional"]
    assert isinstance(point, BrokenSymmetryPoint)
    assert point.steps == 2
    moved = two.transitions["alpha_c"]
    assert moved.steps == 2
    # On from where one step has it, -4.3(4)e-4, by what is left of 1e-6 of free entropies: little, and known.
    assert moved.shift == pytest.approx(-4.3e-4, abs=1e-4 + moved.error)
    assert moved.error < 2e-4
    assert isinstance(moved.points[0], BrokenSymmetryPoint)
    assert moved.points[0].steps == 2
    assert two.transitions["alpha_l"].shift == 0.0
    assert_kept(two, tmp_path)
    two.plot().clear()
    (text,) = two.report(tmp_path, formats=["markdown"], parts=["steps"])[:1]
    assert "with 2 steps" in text.read_text()
    with pytest.raises(ValueError, match="need a GridRule"):
        transition_with_steps(diagram, "alpha_c", 2, rule=JumpLineRule())


def test_an_empty_one_is_drawn_shown_and_kept(diagram, tmp_path):
    empty = StepDiagram(diagram, 1, np.array([1.5]), {}, {}, {})
    assert (empty.to_dataset().sizes["branch"], empty.to_dataset().sizes["alpha"]) == (0, 1)
    assert "1 step of" in repr(empty)
    assert empty._repr_html_()
    empty.plot().clear()
    assert_kept(empty, tmp_path)
    assert len(empty.to_dataframe()) == 0
    assert empty.report(tmp_path, formats=["markdown"], parts=["steps"])


def test_an_interruption_keeps_what_there_is(diagram, monkeypatch, tmp_path):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(step_contents, "broken_or_none", interrupted)
    found = diagram.with_steps(alpha=[1.5], branches=["positional"], rule=RULE)
    assert not found.complete
    assert found.branches == {"positional": (None,)}
    assert "(interrupted)" in repr(found)
    assert np.all(np.isnan(found.to_dataset()["free_entropy"]))
    found.plot().clear()
    assert_kept(found, tmp_path)
    (text,) = found.report(tmp_path, formats=["markdown"], parts=["steps"])[:1]
    assert "The computation was interrupted." in text.read_text()


def test_every_result_is_read_back(stepped, tmp_path):
    broken, symmetric = stepped.branches["positional"][0], stepped.branches["semantic"][0]
    assert isinstance(symmetric, SolvedPoint)
    assert_kept(stepped, tmp_path)
    assert_kept(broken, tmp_path)
    assert_kept(stepped.transitions["alpha_c"], tmp_path)
    assert_kept(ComplexityCurve((broken, stepped.branches["positional"][1]), broken, ((3.0, "lost"),)), tmp_path)
    assert_kept(ComplexityCurve((broken,), None, complete=False), tmp_path)
    assert_kept(ComplexityCurve((), None, complete=False), tmp_path)


def test_what_is_not_known_and_rules_of_two_kinds_are_kept(stepped, tmp_path):
    first, second = stepped.branches["positional"]
    unknown = replace(first, rule=JumpLineRule(), stability=StepStability((), "grids are too coarse"))
    assert_kept(unknown, tmp_path)
    assert_kept(ComplexityCurve((unknown, second), None), tmp_path)
    mixed = replace(stepped, branches={"positional": (unknown, second)})
    assert_kept(mixed, tmp_path)
    assert str(mixed.to_dataset()["stability_unknown"].values[0, 0]) == "grids are too coarse"
    (text,) = mixed.report(tmp_path, formats=["markdown"], parts=["steps"])[:1]
    assert "not known" in text.read_text()


def test_a_file_has_the_replica_symmetric_diagram_too(stepped, tmp_path):
    path = tmp_path / "new" / "steps.nc"
    stepped.save(path)
    found = StepDiagram.load(path)
    assert isinstance(found.diagram, PhaseDiagram)
    assert found.diagram.alpha_c == stepped.diagram.alpha_c
    with pytest.raises(UnreadableFile, match="format"):
        PhaseDiagram.load(path)
    save_steps(stepped.transitions["alpha_c"], path)
    with pytest.raises(UnreadableFile, match="it holds a StepTransition"):
        StepDiagram.load(path)


def test_datasets_say_what_they_hold(stepped):
    for result in (stepped, stepped.branches["positional"][0], stepped.transitions["alpha_c"]):
        data = steps_dataset(result)
        assert data.attrs["Conventions"].startswith("CF-")
        assert data.attrs["title"]
        for name, variable in data.variables.items():
            assert variable.attrs["units"] == "1", name
            assert name == "order_parameter" or variable.attrs["long_name"]
    data = stepped.to_dataset()
    assert data["replicon_regular"].dims == ("branch", "alpha", "level")
    point = stepped.branches["positional"][1]
    here = data.sel(branch="positional", alpha=1.5)
    assert here["energy"] == point.energy
    assert here["complexity_error"] == point.complexity_error
    np.testing.assert_array_equal(here["jump_strength"], [x.jump_strength for x in point.stability.replicons])
    assert dict(zip(data["transition"].values, data["transition_alpha"].values, strict=True)) == {
        name: one.alpha for name, one in stepped.transitions.items()
    }


def test_a_table_has_a_row_per_branch_and_alpha(stepped):
    table = stepped.to_dataframe()
    assert list(table.branch) == ["positional", "positional", "semantic", "semantic"]
    assert list(table.solution) == ["broken", "broken", "replica_symmetric", "replica_symmetric"]
    row = table.iloc[1]
    point = stepped.branches["positional"][1]
    assert row.parisi_parameter_1 == point.state.parisi[0]
    assert row.replicon_regular_0 == point.stability.replicons[0].regular
    assert row.jump_strength_1 == point.stability.replicons[1].jump_strength


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data.assign_attrs(result="curve"), "result must be one of"),
        (lambda data: data.assign_attrs(steps=0), "steps must be"),
        (lambda data: data.drop_vars("jump_strength"), "jump_strength"),
        (lambda data: data.assign(parisi_parameter_1=np.nan * data["parisi_parameter_1"]), "finite numbers"),
        (lambda data: data.assign(solution=1 + data["solution"]), "solution"),
        (lambda data: data.assign_attrs(rules="[]"), "as many rules"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(stepped, tmp_path, change, said):
    path = tmp_path / "point.nc"
    save_steps(stepped.branches["positional"][0], path)
    changed(path, change)
    with pytest.raises(UnreadableFile, match=said):
        load_steps(path)


def test_what_is_no_result_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match="result must be a result of steps"):
        save_steps("positional", tmp_path / "steps.nc")


def test_a_report_says_what_errors_cover(stepped, tmp_path):
    written = stepped.report(tmp_path, formats=["markdown", "latex"], parts=["transitions", "steps", "figure"])
    text = next(x for x in written if x.name == "report.md").read_text()
    assert "## Beyond replica symmetry" in text
    assert "what more steps would change they do not cover" in text
    assert f"${stepped.transitions['alpha_c'].alpha:.3f}" in text
    assert r"$-\infty$" in text
    assert r"semantic at $\alpha = 1.25$" in text
    assert "Diamonds" in text
    # Every number of its tables but the alpha that was asked for has an error.
    section = text.partition("## Beyond replica symmetry")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    solved = [row for row in rows if row[0] in ("positional", "semantic")]
    located = [row for row in rows if "alpha" in row[0] and "$" in row[1] and "with" not in row[1]]
    assert len(solved) == len(located) == 2
    numbers = [x for row in solved for x in ", ".join(row[2:]).split(", ")]
    numbers += [x for row in located for x in row[1:] if x != "none"]
    assert len(numbers) == 2 * 6 + 2 * 2 + 1
    assert all(re.fullmatch(r"\$(-?[\d.]+\(\d+\)|-\\infty)\$", x) for x in numbers), numbers
    # The replica-symmetric diagram's own report has no such part.
    with pytest.raises(ValueError, match="steps"):
        stepped.diagram.report(tmp_path, parts=["steps"])


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
