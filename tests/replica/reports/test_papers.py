"""Equations in someone's paper: fragments in the classes that physicists use, two models beside each other, macros."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from replica import AttentionModel, ModelStructure, derive
from tests.saddle.output.test_report_files import compiled_log

NEEDS_TEX = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
MODELS = {"one": AttentionModel.paper(), "two": ModelStructure(2, 2)}
PAPERS = {
    "article": r"\documentclass[twocolumn]{article}\usepackage{amsmath}",
    "revtex4-2": r"\documentclass[aps,pre,reprint]{revtex4-2}\usepackage{amsmath,amssymb}",
    "beamer": r"\documentclass{beamer}",
}
# Of a class that may be missing, and of what it is built on.
FILES = {"article": [], "revtex4-2": ["revtex4-2.cls"], "beamer": ["beamer.cls", "pgfmath.sty"]}


@pytest.fixture(scope="module")
def fragments(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("paper")
    for name, model in MODELS.items():
        derive(model).report(folder / name, ("latex",), latex_names={"q": r"\Qself"}, line_width=21.0)
    return folder


def labels(path: Path) -> set[str]:
    return set(re.findall(r"\\label\{([^}]*)\}", path.read_text(encoding="utf-8")))


def test_two_models_share_no_label(fragments):
    files = [fragments / name / file for name in MODELS for file in ("equations.tex", "derivation.tex")]
    found = [labels(path) for path in files]
    assert min(map(len, found)) > 10
    assert len(set().union(*found)) == sum(map(len, found))


@NEEDS_TEX
@pytest.mark.parametrize("kind", PAPERS)
def test_fragments_of_two_models_compile_in_one_paper(kind, fragments, tmp_path):
    for file in FILES[kind]:
        if subprocess.run(["kpsewhich", file], capture_output=True, check=False).returncode != 0:
            pytest.skip(f"needs {file} for {kind}")
    body = r"\input{one-equations}\input{two-equations}\input{one-derivation}"
    for name in MODELS:
        for part in ("equations", "derivation"):
            shutil.copy(fragments / name / f"{part}.tex", tmp_path / f"{name}-{part}.tex")
    if kind == "beamer":
        body = rf"\begin{{frame}}[allowframebreaks]{body}\end{{frame}}"
    macro = r"\newcommand{\Qself}{Q_{\mathrm{s}}}"
    (tmp_path / "paper.tex").write_text(rf"{PAPERS[kind]}{macro}\begin{{document}}{body}\end{{document}}")
    log = compiled_log(tmp_path, "paper")
    assert "multiply" not in log
    assert "Reference `eq" not in log
    assert not [x for x in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log) if float(x) > 1.0]
    # Lists of equations go on over pages and columns.
    assert not [x for x in re.findall(r"Overfull \\vbox \(([\d.]+)pt", log) if float(x) > 60.0]


@NEEDS_TEX
def test_a_report_with_macros_compiles_on_its_own(tmp_path):
    names = {"q": r"\Qself", "V": r"\resp{2}", "theta": r"\bm{t}", "m": r"\d"}
    macros = {r"\resp": "R_{#1}", r"\d": r"\mathsf{d}"}
    paths = derive(MODELS["one"]).report(tmp_path, ("latex", "html"), names, macros=macros, parts=("saddle point",))
    assert {path.name for path in paths} == {"report.tex", "equations.tex", "report.html"}
    assert "\\" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Overfull" not in compiled_log(tmp_path, "report")
