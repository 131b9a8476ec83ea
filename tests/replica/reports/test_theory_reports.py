"""Reports of derivations alone, for models that no solver need know: compiled, the same every time."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sympy as sp

from replica import AttentionModel, MultiIndexModel, Spectrum, derive, softmax_attention
from replica.quantities.structure import ModelStructure
from tests.saddle.output.test_report_files import compiled_log

NEEDS_TEX = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")

MODELS = {
    "rank two": ModelStructure(2, 2),
    "two variances, warm softmax": AttentionModel(
        0.3,
        spectrum=Spectrum.isotropic(0.2, 0.3),
        attention=softmax_attention(sp.Symbol("kappa")),
        parameters={"kappa": 2.0},
    ),
    "any encodings": AttentionModel(0.0, sequence_length=3, positional_gram=[[1, 0.2, 0], [0.2, 1, 0], [0, 0, 0]]),
    "logistic": MultiIndexModel(
        loss=lambda z, y: sp.log(1 + sp.exp(-y[0] * z[0])), regularization=0.1, outputs=lambda h, _: [sp.sign(h[0])]
    ),
}


@NEEDS_TEX
@pytest.mark.parametrize("name", MODELS)
def test_report_of_a_model_compiles_without_overfull_boxes(name, tmp_path: Path):
    paths = derive(MODELS[name]).report(tmp_path, ("latex", "markdown", "html"), latex_names={"q": "Q_0"})
    assert {"report.tex", "equations.tex", "derivation.tex", "report.md", "report.html"} <= {x.name for x in paths}
    assert "Overfull" not in compiled_log(tmp_path, "report")


@NEEDS_TEX
def test_fragments_are_read_by_a_paper_of_two_columns(tmp_path: Path):
    derive(AttentionModel.paper()).report(tmp_path, ("latex",), prefix="att", line_width=21.0)
    (tmp_path / "paper.tex").write_text(
        r"\documentclass[twocolumn,10pt]{article}\usepackage{amsmath}\begin{document}"
        r"\input{equations}\appendix\input{derivation} As eq.~\eqref{eq:att-saddle-q} says.\end{document}"
    )
    log = compiled_log(tmp_path, "paper")
    assert "Reference `eq" not in log
    assert not [x for x in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log) if float(x) > 1.0]


def test_reports_are_the_same_every_time(tmp_path: Path):
    model = MODELS["rank two"]
    for name in ("first", "second"):
        derive(model).report(tmp_path / name)
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes(), path.name


def test_misuse_is_refused_before_anything_is_written(tmp_path: Path):
    with pytest.raises(ValueError, match="'docx'"):
        derive(AttentionModel.paper()).report(tmp_path / "report", ("docx",))
    assert not (tmp_path / "report").exists()


def test_reports_and_code_do_not_depend_on_the_order_of_hashes(tmp_path: Path):
    program = (
        "import sys; from replica import derive; from replica.code.source import generate_source\n"
        "from replica.model.attention_model import ModelStructure\n"
        "d = derive(ModelStructure(2, 2)); d.report(sys.argv[1], ('latex', 'html'))\n"
        "print(generate_source(d.saddle_system).digest)"
    )
    digests = set()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True,
        )  # fmt: skip
        digests.add(done.stdout)
    assert len(digests) == 1
    for path in (tmp_path / "1").iterdir():
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes(), path.name
