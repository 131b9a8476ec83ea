"""Reports of equations: what is printed is what was derived, fits the page, and defines its symbols."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
import sympy as sp

from replica import AttentionModel, MultiIndexModel, Spectrum, derive, linear_attention
from replica.algebra.gaussian_average import GaussianAverage
from replica.quantities import symbols
from replica.quantities.structure import ModelStructure
from replica.reports.content.definitions import Glossary
from replica.reports.content.equation_content import derivation_passages, sector_equations
from replica.reports.content.equation_report import equation_report
from replica.reports.formats.bibliography import bibtex, cited
from replica.reports.formats.html import html_document
from replica.reports.formats.latex import latex_document, latex_fragment
from replica.reports.formats.markdown import markdown_document
from replica.reports.passages import Equation, Heading, Line, Paragraph, Table
from replica.reports.typesetting.line_breaking import LINE_WIDTH, broken
from replica.reports.typesetting.mathml import inline_mathematics
from replica.reports.typesetting.naming import Naming
from replica.reports.typesetting.printing import ReportPrinter
from replica.reports.typesetting.tokens import canonical, tokenise
from replica.reports.typesetting.widths import typeset_width
from replica.symmetry.sectors import PAPER_SECTORS
from tests.oracles.latex_values import latex_value

DERIVATION = derive(AttentionModel.paper())
SYSTEM = DERIVATION.saddle_system
PLAIN = Naming.of(None)
PRINTER = ReportPrinter()
NEEDS_TEX = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")


OTHERS = {
    "three tokens": AttentionModel(0.3, positional_matrix=np.eye(3), positional_encoding=(1, 0, -1)),
    "rank two": ModelStructure(2, 2),
    "two variances": AttentionModel(0.3, spectrum=Spectrum.isotropic(0.2, 0.3)),
    "linear attention, two teachers": AttentionModel(0.3, attention=linear_attention(), teacher_rank=2),
    "ridge": MultiIndexModel(
        loss=lambda z, y: (y[0] - z[0]) ** 2 / 2,
        regularization=0.1,
        outputs=lambda h, noise: [h[0] + sp.Symbol("kappa") * noise[0]],
        noise=1,
        parameters={"kappa": 0.2},
    ),
}
ALL = {"paper": DERIVATION} | {name: derive(model) for name, model in OTHERS.items()}


def report_passages(latex_names=None, derivation=DERIVATION):
    naming = Naming.of(latex_names)
    return equation_report(derivation, naming).with_results([], naming)


def averaged_functions():
    """Every right-hand side that the report prints, averages by their integrands."""
    found = {f"overlap {x}": value for x, value in SYSTEM.overlap_equations.items()}
    found |= {f"average {x}": SYSTEM.conjugate_integrand(x) for x in SYSTEM.conjugate_equations}
    for sector in PAPER_SECTORS:
        _, overlaps, conjugates = sector_equations(SYSTEM, sector)
        found |= {f"{sector.name} {x}": value for x, value in overlaps.items()}
        for x, value in conjugates.items():
            (average,) = value.atoms(GaussianAverage)
            found[f"{sector.name} {x}"] = average.integrand
    phi = SYSTEM.free_entropy
    return found | {
        "trace": phi.trace_term,
        "prior": phi.prior_term,
        "quadratic": phi.channel.objective - phi.channel.loss,
    }


@pytest.mark.parametrize("name", averaged_functions())
def test_printed_equations_have_the_value_of_what_was_derived(name):
    expression = averaged_functions()[name]
    generator = random.Random(name)
    values = {x: generator.uniform(0.3, 1.7) for x in expression.free_symbols}
    by_latex = {"".join(tokenise(PRINTER.names[x])): value for x, value in values.items()}
    _, lines = broken("x", PRINTER.doprint(expression))
    printed = "".join(line.text for line in lines).removeprefix("=")
    assert latex_value(printed, by_latex) == pytest.approx(float(expression.xreplace(values)), rel=1e-12)


def random_expression(generator: random.Random, depth: int = 3):
    """Sums, products, quotients and powers of symbols that the table knows."""
    if depth == 0 or generator.random() < 0.15:
        return generator.choice([*PRINTER.names][:20]) * generator.choice(
            [1, -1, 2, sp.Rational(1, 2), sp.Rational(-3, 2)]
        )
    parts = [random_expression(generator, depth - 1) for _ in range(generator.randint(2, 5))]
    kind = generator.randrange(4)
    if kind == 0:
        return sp.Add(*parts)
    if kind == 1:
        return sp.Mul(*parts)
    return parts[0] / (parts[1] + 7) if kind == 2 else (parts[0] + parts[1]) ** 2


@pytest.mark.parametrize("seed", range(60))
def test_random_expressions_are_printed_right_and_broken_to_fit(seed):
    generator = random.Random(seed)
    expression = random_expression(generator)
    values = {x: generator.uniform(0.5, 1.5) for x in expression.free_symbols}
    by_latex = {"".join(tokenise(PRINTER.names[x])): value for x, value in values.items()}
    left, lines = broken(r"\hat{q}", PRINTER.doprint(expression))
    printed = "".join(line.text for line in lines).removeprefix("=")
    assert latex_value(printed, by_latex) == pytest.approx(float(expression.xreplace(values)), rel=1e-9, abs=1e-12)
    widths = [line.indent + typeset_width(line.text) for line in lines]
    assert max(widths) + typeset_width(left) <= LINE_WIDTH
    # As few lines as can be: no two neighbours would fit on one.
    for first, second in pairwise(lines):
        assert first.indent + typeset_width(first.text) + typeset_width(second.text) + 1.3 > LINE_WIDTH * 0.5


@NEEDS_TEX
def test_widths_err_on_the_wide_side(tmp_path):
    pieces = [line.text for passage in report_passages() if isinstance(passage, Equation) for line in passage.lines]
    pieces += [
        r"\frac{\hat{\theta}^{2}}{2}",
        r"\sum_{\mu=1}^{n} w_{1}",
        r"\vartheta_{s}^{2}",
        r"\sqrt{q V}+\lambda_{1}",
    ]
    boxes = "\n".join(rf"\setbox0\hbox{{$\displaystyle {x}$}}\typeout{{WIDTH \the\wd0}}" for x in pieces)
    source = r"\documentclass{article}\usepackage{amsmath,amssymb}\begin{document}" + boxes + r"\end{document}"
    (tmp_path / "w.tex").write_text(source)
    subprocess.run(["pdflatex", "-interaction=batchmode", "w.tex"], cwd=tmp_path, capture_output=True, check=True)
    measured = [float(x) / 10.0 for x in re.findall(r"WIDTH ([\d.]+)pt", (tmp_path / "w.log").read_text())]
    assert len(measured) == len(pieces)
    for piece, width in zip(pieces, measured, strict=True):
        assert width <= typeset_width(piece) + 0.3, piece
        assert typeset_width(piece) <= 1.35 * width + 1.0, piece


@pytest.mark.parametrize("name", ALL)
def test_definitions_are_those_of_the_symbols_used_and_no_others(name):
    report = equation_report(ALL[name])
    body = (*report.model, *report.derivation, *report.equations, *report.parameters)
    definitions = report.glossary.used(body)
    shown = {x for passage in body if isinstance(passage, Equation) for x in passage.symbols}
    assert {report.glossary.entries[k] for k in report.glossary.of_symbols(shown)} <= set(definitions)
    # In the other direction: whatever is defined occurs in an equation, a sentence or another definition.
    text = " ".join(
        " ".join([passage.left, *(line.text for line in passage.lines)]) if isinstance(passage, Equation)
        else f"{passage.text}" if isinstance(passage, Paragraph)
        else " ".join(cell for row in passage.rows for cell in row) if isinstance(passage, Table) else ""
        for passage in body
    )  # fmt: skip
    for entry in definitions:
        meanings = " ".join(other.meaning for other in definitions if other is not entry)
        places = "".join(canonical(tokenise(f"{text} {meanings}")))
        assert "".join(canonical(tokenise(entry.stem))) in places, entry
    assert not any(entry.stem == "W" for entry in definitions)


@pytest.mark.parametrize("name", ALL)
def test_no_letter_of_an_equation_lacks_a_definition(name):
    passages = report_passages(derivation=ALL[name])
    (table,) = [x for x in passages if isinstance(x, Table) and x.header[0] == "symbol"]
    cells = [cell.strip("$") for cell, _ in table.rows]
    members = [x.strip() for cell in cells for x in re.split(r",|\\dots", cell) if x.strip()]
    families = {re.sub(r"(\^\{\(\d\)\})?(_\{[\dij]+\})?$", "", "".join(canonical(tokenise(x)))) for x in members}
    stems = sorted(families, key=len, reverse=True)
    for passage in passages:
        if not isinstance(passage, Equation):
            continue
        text = "".join(canonical(tokenise(" ".join([passage.left, *(line.text for line in passage.lines)]))))
        text = re.sub(r"\\(operatorname|mathrm)\{\w+\}", "", text)
        for stem in stems:
            text = text.replace(stem, "")
        text = re.sub(r"\\[A-Za-z]+", "", text)
        # Indices of sums and tokens, of replicas, Euler's number.
        assert set(re.findall(r"[A-Za-z]", text)) <= set("ijkle" + "ab"), (passage.label, text)


@pytest.mark.parametrize(
    ("names", "quoted"),
    [
        ({"nonsense": "x"}, "nonsense"),
        ({"theta": r"\vartheta_{"}, r"\\vartheta_{"),
        ({"theta": ""}, "''"),
        ({"theta": "$t$"}, r"\$t\$"),
        ({"theta": "t_"}, "t_"),
        ({"theta": "q"}, "self_overlap and semantic_overlap"),
        ({"theta": "t", "semantic_overlap": "u"}, "second time"),
        ({"theta": "u", "self_overlap": " u "}, "would both be printed as 'u'"),
        ({"susceptibility": r"\mathcal{M}"}, "envelope"),
        ({"theta": r"\alpha"}, "alpha"),
    ],
)
def test_names_that_cannot_be_used_are_refused(names, quoted):
    with pytest.raises(ValueError, match=quoted):
        Naming.of(names)


def test_names_reach_hats_indices_and_text():
    naming = Naming.of({"theta": r"\vartheta", "self_overlap": "Q_s", "positional_encoding": "r", "V": "q"})
    assert naming.rename(r"\hat{\theta}^2 + q_{aa}") == r"\hat{\vartheta}^{2}+{Q_s}_{aa}"
    assert naming.rename(r"c_1 V \hat V h^\star_l") == r"r_{1}q\hat{q}h^{\star}_{l}"
    assert naming.rename_text("theta $\\theta$ and q") == "theta $\\vartheta$ and q"
    assert Naming.of({"q": "m", "m": "q"}).rename("q+m") == "m+q"


def test_chosen_names_replace_the_letters_everywhere():
    passages = report_passages({"semantic_overlap": r"\vartheta", "alpha": "a_n", "local_field": "u"})
    fragments = equation_report(DERIVATION, Naming.of({"theta": r"\vartheta"})).fragments(
        Naming.of({"theta": r"\vartheta"})
    )
    texts = [latex_document("T", passages, "p", ()), markdown_document("T", passages, cited(passages))]
    for text in (*texts, *(latex_fragment("T", part, "p") for part in fragments.values())):
        assert r"\vartheta" in text
        assert r"\hat{\vartheta}" in text
        assert r"\theta" not in text
    for text in texts:
        assert r"\alpha" not in text
        assert "w_{1}" not in text
    assert "&#x003B8;" not in html_document("T", passages, cited(passages), {})


@dataclass(frozen=True)
class Displayed:
    label: str
    left: object
    right: object


@dataclass(frozen=True)
class Step:
    name: str
    title: str
    text: str
    equations: tuple[Displayed, ...]


def test_steps_of_a_derivation_are_rendered_with_line_breaking():
    q, m = (x.symbol for x in symbols.ORDER_PARAMETERS[:2])
    long = sp.Add(*(q**k * m ** (12 - k) / (q + k + 1) for k in range(1, 12)))
    action = Displayed("action", r"\mathbb{E} Z^s", r"\int \prod_{a=1}^s dQ_a\, e^{-\frac{\beta\lambda}{2} |Q_a|^2}")
    limits = (Displayed("long", q, long), Displayed("m", m, q**2))
    steps = (
        Step("replicas", "Replicated action", r"With $s$ replicas of the student,", (action,)),
        Step("limit", "Zero temperature", r"As $\beta \to \infty$,", limits),
    )
    passages = derivation_passages(steps, PRINTER)
    assert [x.text for x in passages if isinstance(x, Heading)] == [
        "Derivation",
        "Replicated action",
        "Zero temperature",
    ]
    equations = {x.label: x for x in passages if isinstance(x, Equation)}
    assert set(equations) == {"replicas-action", "limit-long", "limit-m"}
    assert len(equations["limit-long"].lines) >= 2
    assert equations["limit-m"].lines == (Line("=q^{2}"),)
    assert derivation_passages((), PRINTER) == []
    assert "eq:x-limit-long" in latex_document("T", passages, "x", ())
    html_document("T", passages, (), {})


def test_a_symbol_without_a_definition_is_refused():
    with pytest.raises(ValueError, match="stray"):
        Glossary().used([Equation("x", "x", (Line("= stray"),), frozenset({sp.Symbol("stray")}))])


def test_report_of_three_tokens():
    passages = report_passages(derivation=ALL["three tokens"])
    text = markdown_document("Report", passages, cited(passages))
    for expected in ("$L = 3$", "T_{33}", "c_{3}", "z^{\\star}_{3}", "A_{13}"):
        assert expected in text


@pytest.mark.parametrize("name", ALL)
def test_no_equation_is_wider_than_a_line(name):
    for passage in report_passages(derivation=ALL[name]):
        if isinstance(passage, Equation):
            for line in passage.lines:
                assert line.indent + typeset_width(line.text) + typeset_width(passage.left) <= LINE_WIDTH, passage.label


def test_html_is_one_file_of_valid_mathml():
    passages = report_passages()
    text = html_document("Report", passages, cited(passages), {})
    formulas = re.findall(r"<math.*?</math>", text, re.DOTALL)
    assert len(formulas) > 100
    for formula in formulas:
        ElementTree.fromstring(formula)
        assert "merror" not in formula
    assert "\\" not in text
    assert "$" not in text
    assert "<script" not in text
    outside = re.sub(r'href="[^"]*"|xmlns="[^"]*"|>https?://[^<]*<', "", text)
    assert "http" not in outside
    assert "url(" not in outside
    # Every link within the page has its target.
    for target in re.findall(r'href="#([^"]*)"', text):
        assert f'id="{target}"' in text


def test_what_mathml_cannot_show_is_refused():
    with pytest.raises(ValueError, match=r"unknowncommand"):
        inline_mathematics(r"q + \unknowncommand")


def test_markdown_has_mathematics_that_github_renders():
    passages = report_passages()
    text = markdown_document("Report", passages, cited(passages))
    assert text.count("$$") % 2 == 0
    for formula in re.findall(r"\$\$(.*?)\$\$|\$([^$]+)\$", text, re.DOTALL):
        joined = "".join(formula)
        # Backslashes before punctuation are Markdown's own, but for line breaks.
        assert not re.search(r"(?<!\\)\\[^A-Za-z\\\s]", joined), joined
        assert joined.count("{") == joined.count("}")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert all(line.count("|") in (3, 4) for line in rows)


def test_fragment_has_labels_and_no_preamble():
    text = latex_fragment("Report", equation_report(DERIVATION).fragments(PLAIN)["equations.tex"], "mine")
    for forbidden in (
        r"\documentclass",
        r"\usepackage",
        r"\section",
        r"\begin{document}",
        r"\begin{figure}",
        "tabular",
    ):
        assert forbidden not in text
    labels = re.findall(r"\\label\{([^}]*)\}", text)
    assert len(labels) == len(set(labels)) > 25
    assert all(label.startswith("eq:mine-") for label in labels)


def test_bibliography_holds_what_is_cited():
    publications = cited(report_passages())
    assert [x.key for x in publications] == ["cui2024phase", "price1958"]
    assert "2402.03902" in bibtex(publications)
    with pytest.raises(ValueError, match="nobody2030"):
        cited([Paragraph("as said {cite:nobody2030}")])
