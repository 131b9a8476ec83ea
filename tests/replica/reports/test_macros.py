"""Macros of a paper in names: as they are in LaTeX, written out elsewhere; what would break TeX is refused."""

from __future__ import annotations

import re

import pytest

from replica import AttentionModel, Naming, derive
from replica.common.errors import InvalidArgument
from replica.reports.typesetting.checked_latex import checked_latex
from replica.reports.typesetting.mathml import unknown_commands

EQUATION = r"q^2 + \hat q_1 V"


@pytest.mark.parametrize(
    ("names", "macros", "latex", "plain", "definition"),
    [
        ({"q": r"\Qself"}, None, r"{\Qself}^{2}+\hat{\Qself}_{1}V", EQUATION, r"\providecommand{\Qself}{q}"),
        (
            {"q": r"\Qself"},
            {r"\Qself": r"Q_\mathrm{s}"},
            r"{\Qself}^{2}+\hat{\Qself}_{1}V",
            r"{Q_\mathrm{s}}^{2}+\hat{Q_\mathrm{s}}_{1}V",
            r"\renewcommand{\Qself}{Q_\mathrm{s}}",
        ),
        ({"V": r"\resp"}, {r"\resp": "R'"}, r"q^{2}+\hat{q}_{1}\resp", r"q^{2}+\hat{q}_{1}R'", r"{\resp}{R'}"),
        ({"V": r"\of{z}"}, {r"\of": "V_{#1}"}, r"q^{2}+\hat{q}_{1}\of{z}", r"q^{2}+\hat{q}_{1}V_{z}", "[1]{V_{#1}}"),
        ({"V": r"\of{z}"}, None, r"q^{2}+\hat{q}_{1}\of{z}", EQUATION, r"\providecommand{\of}[1]{V}"),
        (
            {"V": r"X_{\of z}"},
            {r"\of": "u_#1"},
            r"q^{2}+\hat{q}_{1}X_{\of z}",
            r"q^{2}+\hat{q}_{1}X_{u_z}",
            r"{\of}[1]",
        ),
        ({"q": "κ"}, None, r"\kappa^{2}+\hat{\kappa}_{1}V", r"\kappa^{2}+\hat{\kappa}_{1}V", ""),
        ({"V": r"\bm{V}"}, None, r"q^{2}+\hat{q}_{1}\bm{V}", r"q^{2}+\hat{q}_{1}\bm{V}", r"{\bm}[1]{\boldsymbol{#1}}"),
    ],
)
def test_macros_reach_latex_and_are_written_out_elsewhere(names, macros, latex, plain, definition):
    naming = Naming.of(names, macros)
    assert naming.rename(EQUATION) == latex
    assert naming.plain.rename(EQUATION) == plain
    assert not unknown_commands(naming.plain.rename(EQUATION))
    assert definition in "\n".join(naming.definitions)
    assert bool(definition) == bool(naming.definitions)


def test_a_conjugate_falls_back_to_the_hat_of_what_was_chosen():
    naming = Naming.of({"q_hat": r"\Qhat", "q": "u"})
    assert naming.definitions == (r"\providecommand{\Qhat}{\hat{u}}",)
    assert naming.plain.rename(r"\hat{q}") == r"\hat{u}"


@pytest.mark.parametrize(
    ("names", "macros", "quoted"),
    [
        ({"q": r"\ov{q}", "V": r"\ov{v}"}, None, r"\\ov is in 'self_overlap', too.*macros="),
        ({"q": r"Q_{\self}"}, None, r"\\self is a part of it.*check its spelling"),
        ({"q": r"\Qself", "V": "q"}, None, "written out or not known, self_overlap and susceptibility"),
        ({"q": r"\A"}, {r"\A": "V"}, "both be printed as 'V'"),
        ({"q": r"\A"}, {r"\A": r"\mu"}, "number of a sample"),
        ({"q": r"\A"}, {r"\A": r"\B"}, r"only LaTeX can show"),
        ({"q": r"\A"}, {r"\A": "x", r"\B": "y"}, r"'\\\\B' is in none of latex_names"),
        ({"q": r"\A"}, {r"\A": "#2"}, "below #2"),
        ({"q": r"\A"}, {r"\A": "#1"}, r"lacks an argument of \\A"),
        ({"q": r"\A"}, {r"\A": "b{"}, "counterpart"),
        ({"q": r"\A"}, {r"\A": 3}, "3 for"),
        ({"q": r"\A"}, {"A": "b"}, "'A' is no command"),
        ({"q": r"\A"}, {r"\frac": "b"}, "LaTeX's own"),
        ({"q": r"\A"}, "b", "must map commands"),
    ],
)
def test_macros_that_cannot_be_shown_are_refused(names, macros, quoted):
    with pytest.raises(InvalidArgument, match=quoted):
        Naming.of(names, macros)


BROKEN = {
    "%": "comments out", "a%b": "comments out", "$x$": "ends the formula", r"\$": "no symbol", "#1": "macro",
    "a&b": "column", r"a\\b": "line", "{": "counterpart", "a}b{": "counterpart", "q_": "counterpart",
    r"\left(q": "counterpart", "q\\": "counterpart", "a_1_2": "two subscripts", "a^1^2": "two superscripts",
    r"\hat": "lacks its argument", r"\frac{a}": "lacks an argument", r"\end{document}": "no symbol",
    r"\label{q}": "no symbol", r"\input{q}": "no symbol", "я": "no command", r"\1": "no command", "": "not empty",
    " ": "not empty", "a\0": "no command", "a^^M": "counterpart",
}  # fmt: skip


@pytest.mark.parametrize("latex", BROKEN)
def test_broken_latex_is_refused_with_its_reason(latex):
    with pytest.raises(InvalidArgument, match=f"latex_names: .*{BROKEN[latex]}") as refused:
        Naming.of({"theta": latex})
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("latex", [r"\%", r"\vartheta_{\mathrm{sem}}", r"\frac12", r"\boldsymbol{q}", "q'", r"a\ b"])
def test_whole_latex_is_taken(latex):
    assert checked_latex("latex_names", latex, "q") == latex


def test_reports_of_every_format_with_a_macro(tmp_path):
    model = AttentionModel.paper()
    derive(model).report(tmp_path, latex_names={"self_overlap": r"\Qself"}, parts=("model", "saddle point"))
    files = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert r"\providecommand{\Qself}{q}" in files["report.tex"].split(r"\begin{document}")[0]
    assert "commands of your own: \\Qself." in files["equations.tex"]
    assert r"\providecommand{\Qself}" not in files["equations.tex"]
    for name in ("report.tex", "equations.tex"):
        assert r"\hat{\Qself}" in files[name]
        assert not re.search(
            r"(?<![A-Za-z\\{])q(?![A-Za-z])", re.sub(r"%.*|\\label\{.*?\}|\{\\Qself\}\{q\}", "", files[name])
        )
    assert "\\" not in files["report.html"]
    assert "Qself" not in files["report.md"]
    assert r"\hat{q}" in files["report.md"]
