"""How the command ends: 130 at any interrupt, one line for what the user can mend, a traceback for a bug."""

from __future__ import annotations

import dataclasses
import errno
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

from baselines import linear_positional
from replica import AttentionModel
from saddle import LineRule, PhaseDiagram, TransitionLines, solve_phase_diagram
from saddle.cli import INTERRUPTED, main
from saddle.diagram.contents import GENERAL_BASELINES
from saddle.diagram.lines.line import empty_line

PAPER = AttentionModel.paper()


def run(*arguments: str):
    return CliRunner().invoke(main, [*arguments])


def raising(error: BaseException) -> Callable[..., Any]:
    def function(*_: Any, **__: Any) -> Any:
        raise error

    return function


def ended_by_interrupt(result) -> bool:
    assert "Aborted" not in result.output
    assert "Traceback" not in result.output
    return result.exit_code == INTERRUPTED and "interrupted" in result.stderr


@pytest.fixture(scope="module")
def solved() -> PhaseDiagram:
    return solve_phase_diagram(PAPER, (1.0, 1.6), points=4, tolerance=2e-2)


@pytest.fixture
def quick(monkeypatch, solved):
    """Let the command 'solve' what is solved already, and draw nothing."""
    monkeypatch.setattr("saddle.phase_diagram.solve_phase_diagram", lambda *_, **__: solved)
    monkeypatch.setattr(PhaseDiagram, "plot", lambda *_, **__: Figure())
    return monkeypatch


STAGES = {
    "rule": "saddle.diagram.solving.rule_for_range",
    "equations": "saddle.diagram.solving.StateEvolution",
    "baseline": "saddle.diagram.solving.linear_positional",
    "folder": "replica.common.files.prepare_folder",
    "model": "replica.model.attention_model.checked_fields",
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("command", ["solve", "lines", "report", "simulate"])
def test_an_interrupt_before_anything_is_solved(command, stage, tmp_path, monkeypatch):
    monkeypatch.setattr(STAGES[stage], raising(KeyboardInterrupt()))
    monkeypatch.setattr("saddle.StateEvolution.evaluate", raising(KeyboardInterrupt()))
    monkeypatch.setattr("saddle.transition_lines.TransitionLines.plot", lambda _: Figure())
    output = () if command == "simulate" else ("--output", str(tmp_path))
    result = run(command, "--quiet", *output)
    assert ended_by_interrupt(result), (result.output, result.exception)
    assert not list(tmp_path.glob("report*"))
    assert not list(tmp_path.glob("*.tmp")) + list(tmp_path.glob("*.part*"))


def test_an_interrupt_while_solving_leaves_a_table_and_partial_results(tmp_path, monkeypatch):
    monkeypatch.setattr("saddle.diagram.solving._locate", raising(KeyboardInterrupt()))
    monkeypatch.setattr(PhaseDiagram, "plot", lambda *_, **__: Figure())
    arguments = ("--alpha", "1", "1.6", "--points", "3", "--tolerance", "2e-2", "--quiet", "--threads", "1")
    result = run("solve", "--output", str(tmp_path), *arguments)
    assert ended_by_interrupt(result), result.output
    assert "linear positional baseline" in result.stdout
    assert not PhaseDiagram.load(tmp_path / "phase_diagram.nc").complete
    assert (tmp_path / "phase_diagram.png").is_file()


def test_an_interrupt_while_saving_comes_after_the_table(tmp_path, quick):
    quick.setattr(PhaseDiagram, "save", raising(KeyboardInterrupt()))
    result = run("solve", "--output", str(tmp_path))
    assert ended_by_interrupt(result)
    assert "alpha_c" in result.stdout
    assert not list(tmp_path.iterdir())


def test_an_interrupt_while_drawing_comes_after_table_and_results(tmp_path, quick):
    quick.setattr(PhaseDiagram, "plot", raising(KeyboardInterrupt()))
    result = run("solve", "--output", str(tmp_path))
    assert ended_by_interrupt(result)
    assert "alpha_c" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["phase_diagram.nc"]
    assert str(tmp_path / "phase_diagram.nc") in result.stdout
    assert "figure" not in result.stdout


def test_an_interrupt_while_a_figure_is_written_leaves_no_half_of_it(tmp_path, quick):
    quick.setattr(Figure, "savefig", raising(KeyboardInterrupt()))
    assert ended_by_interrupt(run("solve", "--output", str(tmp_path)))
    assert [path.name for path in tmp_path.iterdir()] == ["phase_diagram.nc"]


def test_an_interrupt_while_a_report_is_made(tmp_path, quick):
    quick.setattr(PhaseDiagram, "report", raising(KeyboardInterrupt()))
    assert ended_by_interrupt(run("report", "--output", str(tmp_path)))


def test_no_report_is_written_of_a_solve_that_was_interrupted(tmp_path, quick, solved):
    partial = dataclasses.replace(solved, complete=False)
    quick.setattr("saddle.phase_diagram.solve_phase_diagram", lambda *_, **__: partial)
    quick.setattr(PhaseDiagram, "report", raising(AssertionError("no report was to be written")))
    result = run("report", "--output", str(tmp_path))
    assert ended_by_interrupt(result)
    assert "alpha_c" in result.stdout


def test_interrupted_lines_are_a_table_and_partial_results(tmp_path, monkeypatch):
    line = empty_line("alpha_c", PAPER, "omega", "the computation was interrupted", complete=False)
    lines = TransitionLines(PAPER, "omega", (0.1, 0.4), {"alpha_c": line}, complete=False)
    monkeypatch.setattr("saddle.transition_lines.solve_transition_lines", lambda *_, **__: lines)
    monkeypatch.setattr(TransitionLines, "plot", lambda _: Figure())
    result = run("lines", "--output", str(tmp_path))
    assert ended_by_interrupt(result)
    assert "no alpha_c" in result.stdout
    assert not TransitionLines.load(tmp_path / "lines_omega.nc").complete


def test_simulations_that_were_finished_are_printed(monkeypatch):
    from validation import compare_at

    started = []

    def second_time(*arguments: Any, **settings: Any) -> Any:
        started.append(arguments[2])
        if len(started) == 2:
            raise KeyboardInterrupt
        return compare_at(*arguments, **settings)

    monkeypatch.setattr("validation.compare_at", second_time)
    result = run("simulate", "--dimension", "20", "--steps", "5", "--quiet")
    assert ended_by_interrupt(result)
    assert started == ["semantic", "positional"]
    assert "start semantic" in result.stdout
    assert "start positional" not in result.stdout


def one_line(result) -> str:
    assert result.exit_code == 2, result.output
    said = result.stderr.strip().splitlines()
    assert len(said) == 1, said
    return said[0]


def test_a_full_disk_is_one_line_after_the_table(tmp_path, quick):
    full = OSError(errno.ENOSPC, "No space left on device", "phase_diagram.nc")
    quick.setattr("xarray.Dataset.to_netcdf", raising(full))
    result = run("solve", "--output", str(tmp_path))
    assert "No space left on device: 'phase_diagram.nc'" in one_line(result)
    assert "alpha_c" in result.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "bug", [ValueError("zip() argument 2 is longer"), KeyError("x"), TypeError("x"), MemoryError()]
)
def test_a_bug_shows_its_traceback_after_the_table(bug, tmp_path, quick):
    quick.setattr(PhaseDiagram, "plot", raising(bug))
    result = run("solve", "--output", str(tmp_path))
    # What is not handled is what Python shows a traceback of.
    assert result.exception is bug
    assert result.exit_code == 1
    assert "alpha_c" in result.stdout
    assert (tmp_path / "phase_diagram.nc").is_file()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--learning-rate", "1000"], "learning_rate must be below 2/lambda = 200"),
        (["--learning-rate", "nan"], "learning_rate"),
        (["--learning-rate", "-1"], "learning_rate"),
        (["--dimension", "0"], "dimension"),
        (["--steps", "-1"], "steps"),
        (["--alpha", "inf"], "alpha"),
        (["--regularization", "1e300"], "regularization"),
        (["--positional-matrix", "1e300 1; 1 1"], "positional_matrix"),
    ],
)
def test_simulations_that_cannot_be_are_refused_by_name(arguments, named, monkeypatch):
    result = run("simulate", "--quiet", *arguments)
    assert named in one_line(result)
    assert not result.stdout


def test_a_general_model_s_report_has_the_baselines_that_take_it(tmp_path, monkeypatch):
    model = AttentionModel(0.0, rank=2)
    diagram = PhaseDiagram(model, np.array([0.5, 1.0]), {}, None, None, (), linear_positional(model), {}, LineRule())
    asked = []
    monkeypatch.setattr(PhaseDiagram, "load", classmethod(lambda cls, path: diagram))
    monkeypatch.setattr("saddle.output.report.write_report", lambda *given: asked.append(given) or [])
    assert run("report", "--results", "general.nc", "--output", str(tmp_path)).exit_code == 0
    assert asked[0][0] is diagram
    assert asked[0][-1] == GENERAL_BASELINES
