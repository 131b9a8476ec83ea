"""The command: one line and exit status 2 for misuse, files that are whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from saddle import PhaseDiagram, TransitionLines
from saddle.cli import main
from saddle.kernel.cache_folder import CACHE_VARIABLE

QUICK = ["--alpha", "1.0", "1.6", "--points", "5", "--quiet"]


def run(*arguments: str):
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        (["--sigma", "0"], "0.0"),
        (["--regularization", "-1"], "-1.0"),
        (["--omega", "1.2"], "1.2"),
        (["--positional-matrix", "1 2 3; 4 5 6"], "2 x 2"),
        (["--positional-matrix", "1 nan; 4 5"], "nan"),
        (["--positional-matrix", "a b; c d"], "a b; c d"),
        (["--alpha", "-1", "2"], "-1.0"),
        (["--alpha", "0", "2"], "0.0"),
        (["--alpha", "2", "1"], "2.0 to 1.0"),
        (["--alpha", "1", "1"], "1.0 to 1.0"),
        (["--points", "1"], "1"),
    ],
)
def test_misuse_is_one_line_and_status_two(arguments, quoted, tmp_path):
    result = run("solve", "--output", str(tmp_path / "out" / "inside"), *arguments)
    assert result.exit_code == 2
    assert len(result.output.strip().splitlines()) == 1
    assert quoted in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--output", "--cache"])
def test_a_folder_that_cannot_be_written(option, tmp_path, monkeypatch):
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    obstacle = tmp_path / "file"
    obstacle.write_text("in the way")
    target = str(obstacle / "folder")
    arguments = ["solve", option, target, *QUICK]
    if option == "--cache":
        arguments += ["--output", str(tmp_path / "out")]
    result = run(*arguments)
    assert result.exit_code == 2
    assert target in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert obstacle.read_text() == "in the way"
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    """What the command printed, and the folder it wrote, which it made."""
    output = tmp_path_factory.mktemp("solved") / "results"
    return run("solve", "--output", str(output), *QUICK), output


def test_solve_writes_a_figure_and_results_that_load(solved):
    result, output = solved
    assert result.exit_code == 0, result.output
    assert "alpha_c" in result.output
    assert "first-order" in result.output
    assert {path.name for path in output.iterdir()} == {"phase_diagram.nc", "phase_diagram.png"}
    assert (output / "phase_diagram.png").read_bytes().startswith(b"\x89PNG")
    loaded = PhaseDiagram.load(output / "phase_diagram.nc")
    assert loaded.alpha_c is not None
    assert f"{loaded.alpha_c.alpha:.5f}" in result.output


def test_solve_says_what_replica_symmetry_does(solved):
    result, _ = solved
    assert "positional: broken at every point" in result.output


LINES = ["--between", "0.29", "0.31", "--points", "2", "--alpha", "1.0", "1.6", "--tolerance", "5e-3", "--quiet"]


@pytest.mark.slow
def test_lines_writes_a_figure_and_results_that_load(tmp_path):
    output = tmp_path / "results"
    result = run("lines", "--output", str(output), *LINES)
    assert result.exit_code == 0, result.output
    assert {path.name for path in output.iterdir()} == {"lines_omega.nc", "lines_omega.png"}
    assert (output / "lines_omega.png").read_bytes().startswith(b"\x89PNG")
    loaded = TransitionLines.load(output / "lines_omega.nc")
    assert len(loaded.lines["alpha_c"]) == 2
    # Its pitchforks lie outside the range in which lines are started.
    assert loaded.lines["agnostic -> semantic"].reason in result.output


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        (["--between", "0.5", "0.1"], "0.5 to 0.1"),
        (["--between", "-0.5", "0.1"], "-0.5"),
        (["--points", "1"], "1"),
        (["--tolerance", "7"], "7.0"),
    ],
)
def test_misuse_of_lines_is_one_line_and_status_two(arguments, quoted, tmp_path):
    output = tmp_path / "out"
    result = run("lines", "--output", str(output), *arguments)
    assert result.exit_code == 2
    assert len(result.output.strip().splitlines()) == 1
    assert quoted in result.output
    assert not output.exists() or not list(output.iterdir())


@pytest.fixture(scope="module")
def results(solved) -> Path:
    result, output = solved
    assert result.exit_code == 0
    return output / "phase_diagram.nc"


def test_report_writes_the_formats_asked_for(results, tmp_path):
    names = ["--latex-name", r"theta=\vartheta", "--latex-name", "semantic_overlap_conjugate=t"]
    chosen = ["--format", "latex", "--format", "markdown", "--prefix", "mine", *names]
    result = run("report", "--results", str(results), "--output", str(tmp_path), *chosen)
    assert result.exit_code == 0, result.output
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {
        "report.tex",
        "equations.tex",
        "derivation.tex",
        "report.md",
        "references.bib",
        "phase_diagram.pdf",
        "phase_diagram.svg",
    }
    assert all(str(tmp_path / name) in result.output for name in written)
    assert r"\label{eq:mine-free-entropy}" in (tmp_path / "equations.tex").read_text(encoding="utf-8")
    assert r"\vartheta t" in (tmp_path / "equations.tex").read_text(encoding="utf-8").replace("{", "").replace("}", "")


@pytest.mark.slow
def test_report_takes_steps_of_replica_symmetry_breaking(results, tmp_path):
    chosen = ["--format", "markdown", "--steps", "1", "--latex-name", r"self_overlap=Q_{\mathrm{s}}"]
    result = run("report", "--results", str(results), "--output", str(tmp_path), *chosen)
    assert result.exit_code == 0, result.output
    page = tmp_path / "steps-1" / "report.md"
    assert str(page) in result.output
    assert "Nested averages" in page.read_text(encoding="utf-8")
    refused = run("report", "--results", str(results), "--output", str(tmp_path / "other"), "--steps", "-1")
    assert refused.exit_code == 2


def test_report_takes_macros_and_parts(results, tmp_path):
    chosen = ["--format", "latex", "--format", "markdown", "--part", "symbols", "--part", "saddle point"]
    macro = ["--latex-name", r"self_overlap=\Qself", "--macro", r"\Qself=Q_{\mathrm{s}}"]
    result = run("report", "--results", str(results), "--output", str(tmp_path), *chosen, *macro)
    assert result.exit_code == 0, result.output
    assert r"\Qself" in (tmp_path / "report.tex").read_text(encoding="utf-8")
    page = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert r"\Qself" not in page
    assert r"Q_{\mathrm{s}}" in page
    assert "Free entropy" not in page


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        (["--latex-name", "theta"], "theta"),
        (["--latex-name", "nonsense=x"], "nonsense"),
        (["--latex-name", "theta=q"], "self_overlap and semantic_overlap"),
        (["--latex-name", "theta=a", "--latex-name", "theta=b"], "twice"),
        (["--prefix", "a b"], "a b"),
        (["--macro", "x"], "--macro must be MACRO=LATEX"),
        (["--part", "nonsense"], "nonsense"),
    ],
)
def test_misuse_of_report_is_one_line_and_status_two(arguments, quoted, tmp_path):
    output = tmp_path / "out"
    result = run("report", "--output", str(output), *arguments)
    assert result.exit_code == 2
    assert len(result.output.strip().splitlines()) == 1
    assert quoted in result.output
    assert not output.exists()


def test_report_of_something_else_is_refused(tmp_path):
    (tmp_path / "kept").mkdir()
    for output in ("made", "kept"):
        result = run("report", "--results", str(tmp_path / "missing.nc"), "--output", str(tmp_path / output))
        assert result.exit_code == 2
        assert "missing.nc" in result.output
    # What was there stays, although it is empty.
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_simulate_prints_theory_beside_simulation():
    result = run("simulate", "--dimension", "120", "--steps", "300", "--quiet", "--start", "semantic")
    assert result.exit_code == 0, result.output
    for word in ("theory", "self_overlap", "train_loss", "test_error", "0.0939"):
        assert word in result.output


def test_simulate_refuses_an_impossible_alpha():
    result = run("simulate", "--alpha", "-1", "--quiet")
    assert result.exit_code == 2
    assert "-1" in result.output
