"""Report files of a solved diagram: whole, the same every time, compiled, and checked against the kernel."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from replica import AttentionModel, derive_saddle_system
from saddle import LineRule, PhaseDiagram, Sector, solve_phase_diagram
from saddle.output.report_check import check_equations

NEEDS_TEX = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
EVERYTHING = ("latex", "markdown", "html", *(("pdf",) if shutil.which("pdflatex") else ()))


@pytest.fixture(scope="module")
def small() -> PhaseDiagram:
    rule = LineRule.for_tolerance(5e-3)
    return solve_phase_diagram(AttentionModel.paper(omega=0.3), (1.0, 1.6), points=4, rule=rule)


@pytest.fixture(scope="module")
def folder(small, tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("report")
    paths = small.report(target, EVERYTHING)
    assert sorted(paths) == sorted(target.iterdir())
    return target


def compiled_log(folder: Path, name: str) -> str:
    for _ in range(2):
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"{name}.tex"],
            cwd=folder, capture_output=True, check=False,
        )  # fmt: skip
    log = (folder / f"{name}.log").read_text(errors="replace")
    assert done.returncode == 0, log[-2000:]
    return log


def test_files_of_every_format(folder):
    names = {path.name for path in folder.iterdir()}
    assert {"report.tex", "equations.tex", "derivation.tex", "report.md", "report.html", "references.bib"} <= names
    assert {"phase_diagram.pdf", "phase_diagram.svg"} <= names
    assert ("report.pdf" in names) == ("pdf" in EVERYTHING)


def test_results_are_in_every_text(folder, small):
    for name in ("report.tex", "report.md", "report.html"):
        text = (folder / name).read_text(encoding="utf-8")
        assert f"{small.alpha_c.alpha:.5f}" in text
        assert f"{small.linear_baseline.test_error:.8g}" in text
    bibliography = (folder / "references.bib").read_text(encoding="utf-8")
    cited = set(re.findall(r"\\cite\{([^}]*)\}", (folder / "report.tex").read_text(encoding="utf-8")))
    assert (
        cited
        == set(re.findall(r"@\w+\{([^,]*),", bibliography))
        == {"cui2024phase", "attention-phase", "sobol1967", "price1958"}
    )


@pytest.mark.slow
def test_the_same_diagram_gives_the_same_bytes(folder, small, tmp_path):
    small.report(tmp_path, EVERYTHING)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name


def test_html_needs_nothing_else(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    sources = re.findall(r'src="([^"]{0,40})', text)
    assert sources == ["data:image/svg+xml;base64,PD94bWwgdmVyc2l"[:40]]
    # No picture's code, which has backslashes and addresses of its own.
    visible = re.sub(r'src="[^"]*"', "", text)
    assert "\\" not in visible
    assert "$" not in visible
    assert "<script" not in visible
    assert "http" not in re.sub(r'href="[^"]*"|xmlns="[^"]*"|>https?://[^<]*<', "", visible)


@NEEDS_TEX
def test_document_compiles_without_overfull_boxes(folder, tmp_path):
    for name in ("report.tex", "phase_diagram.pdf"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    log = compiled_log(tmp_path, "report")
    assert "Overfull" not in log
    assert "undefined" not in log
    assert "multiply" not in log


@NEEDS_TEX
def test_fragment_compiles_in_an_article_with_amsmath_alone(folder, tmp_path):
    (tmp_path / "equations.tex").write_bytes((folder / "equations.tex").read_bytes())
    (label,) = re.findall(r"eq:attention-[0-9a-f]{6}-free-entropy", (tmp_path / "equations.tex").read_text())
    body = rf"\section{{Theory}}\input{{equations}}By \eqref{{{label}}}, \nocite{{*}}."
    source = rf"\documentclass{{article}}\usepackage{{amsmath}}\begin{{document}}{body}\end{{document}}"
    (tmp_path / "paper.tex").write_text(source)
    log = compiled_log(tmp_path, "paper")
    assert "Overfull" not in log
    assert "Reference" not in log


@pytest.mark.slow
@NEEDS_TEX
def test_fragment_fits_a_paper_of_two_columns(small, tmp_path):
    small.report(tmp_path, ("latex",), line_width=21)
    body = r"\input{equations}\nocite{*}"
    size = r"\usepackage{amsmath}\setlength{\columnsep}{10mm}\usepackage[margin=19mm]{geometry}\sloppy"
    source = rf"\documentclass[twocolumn]{{article}}{size}\begin{{document}}{body}\end{{document}}"
    (tmp_path / "paper.tex").write_text(source)
    assert "Overfull" not in compiled_log(tmp_path, "paper")


@pytest.mark.slow
@NEEDS_TEX
def test_chosen_names_compile(small, tmp_path):
    names = {
        "theta": r"\vartheta_{\mathrm{sem}}",
        "self_overlap": "Q_{s}",
        "student_weights": r"\mathsf{W}",
        "local_field": "u",
    }
    small.report(tmp_path, ("latex", "html"), latex_names=names, prefix="si:a")
    text = (tmp_path / "report.tex").read_text(encoding="utf-8")
    assert r"\theta" not in text
    assert r"\label{eq:si:a-moreau}" in text
    assert "Overfull" not in compiled_log(tmp_path, "report")


@pytest.mark.parametrize("sector", [Sector.POSITIONAL, Sector.SEMANTIC, Sector.MIXED])
def test_printed_equations_agree_with_the_kernel(small, sector):
    point = small.branches[sector.name].at(1.2)
    checks = check_equations(derive_saddle_system(), point)
    vanishing = {Sector.POSITIONAL: r"\theta", Sector.SEMANTIC: "m"}.get(sector)
    names = [check.name for check in checks]
    assert len(names) == (11 if vanishing is None else 9)
    assert vanishing not in names
    for check in checks:
        assert check.difference < 1e-12, check
        if check.quadrature is not None:
            assert check.quadrature < 0.5, check


def test_a_wrong_equation_would_be_seen(small):
    system = derive_saddle_system()
    x, value = next(iter(system.conjugate_equations.items()))
    system.conjugate_equations[x] = value.xreplace({value.args[0]: value.args[0]}) * 2
    wrong = {check.name: check for check in check_equations(system, small.branches["semantic"].at(1.2))}
    assert wrong[r"\hat{q}"].difference == pytest.approx(1.0)
    assert wrong[r"\hat{V}"].difference < 1e-12


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        ({"formats": ("latex", "docx")}, "docx"),
        ({"formats": ()}, r"\(\)"),
        ({"prefix": "a_b"}, "a_b"),
        ({"line_width": 7}, "7"),
        ({"latex_names": {"theta": r"x_{\notacommand}"}}, "notacommand"),
        ({"latex_names": {"theta": "%"}}, "comments out"),
        ({"parts": ("transitions", "nonsense")}, "nonsense.*baselines, transitions, figure, check"),
        ({"parts": ()}, r"parts must name.*\(\)"),
        ({"macros": {r"\Qself": "Q"}}, "would change nothing"),
    ],
)
def test_choices_that_cannot_be_met_are_refused_before_anything_is_written(small, tmp_path, arguments, quoted):
    with pytest.raises(ValueError, match=quoted):
        small.report(tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_missing_pdflatex_is_named(small, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="texlive-latex-base"):
        small.report(tmp_path / "out", ("pdf",))
    assert not (tmp_path / "out").exists()
