"""Reports of steps of replica-symmetry breaking: defined symbols, fitting lines, refused names."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from replica import AttentionModel, Spectrum, derive_broken_symmetry
from replica.common.errors import InvalidArgument
from tests.saddle.output.test_report_files import compiled_log

NEEDS_TEX = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
MODELS = {
    "paper": AttentionModel.paper(),
    "two variances": AttentionModel(0.3, spectrum=Spectrum.isotropic(0.2, 0.3)),
    "two columns": AttentionModel(0.3, rank=2),
}


@NEEDS_TEX
@pytest.mark.parametrize(
    ("name", "steps"),
    [
        pytest.param(name, steps, marks=[pytest.mark.slow] if name == "two columns" else [])
        for name in MODELS
        for steps in (0, 1, 2)
    ],
)
def test_a_report_compiles_without_overfull_boxes(name, steps, tmp_path: Path):
    broken = derive_broken_symmetry(MODELS[name], steps)
    paths = broken.report(tmp_path, ("latex", "markdown", "html"), latex_names={"q": "Q_0"})
    assert {x.name for x in paths} == {"report.tex", f"steps-{steps}.tex", "report.md", "report.html"}
    assert "Overfull" not in compiled_log(tmp_path, "report")


def test_letters_of_levels_are_defined_once(tmp_path: Path):
    derive_broken_symmetry(MODELS["paper"], 2).report(tmp_path, ("markdown",))
    text = (tmp_path / "report.md").read_text()
    for letter in (r"q_{j}", r"\hat{q}_{j}", "y_{j}", r"\Delta_{j}", r"\varphi_{j}", "u_{j}", r"\chi_{j}", "B_{j}"):
        assert text.count(f"| ${letter}$ |") == 1, letter
    assert "output of the target" not in text


@pytest.mark.parametrize(("steps", "function"), [(0, r"\mathcal{M}"), (1, r"\varphi_{1}")])
def test_whether_levels_split_is_printed(steps, function, tmp_path: Path):
    derive_broken_symmetry(MODELS["paper"], steps).report(tmp_path, ("markdown",))
    text = (tmp_path / "report.md").read_text()
    section = text.partition("Stability of every level")[2]
    for token in (1, 2):
        assert rf"\delta_{{0}}(\partial_{{w_{{{token}}}}}^{{2}}{function})^{{2}}" in section.replace(" ", "")
    assert rf"2\delta_{{0}}(\partial_{{w_{{1}}}}\partial_{{w_{{2}}}}{function})^{{2}}" in section.replace(" ", "")
    assert section.count(r"\sigma^{4}") == steps + 1


def test_names_that_stand_for_something_else_are_refused(tmp_path: Path):
    broken = derive_broken_symmetry(MODELS["paper"])
    with pytest.raises(InvalidArgument, match="free entropy of a block"):
        broken.report(tmp_path / "report", ("latex",), latex_names={"q": r"\varphi"})
    with pytest.raises(InvalidArgument, match="'sectors'"):
        broken.report(tmp_path / "report", ("latex",), parts=["sectors"])
    assert not (tmp_path / "report").exists()


def test_parts_are_written_alone(tmp_path: Path):
    broken = derive_broken_symmetry(MODELS["paper"])
    for part, other in (("symbols", "Derivation"), ("derivation", "Symbols")):
        broken.report(tmp_path / part, ("markdown",), parts=[part])
        assert f"# {other}" not in (tmp_path / part / "report.md").read_text()


def test_reports_are_the_same_every_time(tmp_path: Path):
    for name in ("first", "second"):
        derive_broken_symmetry(MODELS["two variances"]).report(tmp_path / name)
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes(), path.name
