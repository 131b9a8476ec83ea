"""What a terminal shows of results: short, and what matters."""

from __future__ import annotations

import dataclasses
import pickle
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.figure import Figure

from replica.common.by_value import shortened
from saddle import ModelSweep, Outcome, PhaseDiagram, SweptModel, TransitionLines
from saddle.diagram.audit import Audit
from saddle.diagram.lines.line import empty_line


def test_a_diagram_is_at_most_twelve_lines(diagram):
    text = repr(diagram)
    lines = text.splitlines()
    assert len(lines) <= 12
    assert max(map(len, lines)) <= 302
    assert lines[0].startswith("PhaseDiagram of AttentionModel(omega=0.3,")
    for name, branch in diagram.branches.items():
        low, high = branch.curve.reach
        assert f"{name} {low:.4g} to {high:.4g}" in text
    for name in ("alpha_c", "alpha_l"):
        assert f"{name}: {diagram.transitions[name]}" in text
    for phase in diagram.phases:
        assert f"{phase.branch} {phase.low:.4g} to {phase.high:.4g}" in text
    shown = sum(f"{name}: {one}" in text for name, one in diagram.transitions.items())
    assert f"and {len(diagram.transitions) - shown} more" in text or shown == len(diagram.transitions)
    assert f"passed, {diagram.audit.starts} starts" in text
    assert repr(PhaseDiagram.of(diagram)) == text


def test_what_is_missing_is_said(diagram):
    nothing = dataclasses.replace(
        diagram, alpha_c=None, alpha_l=None, bifurcations=(), first_order=(), everywhere=(), audit=Audit(),
        complete=False, branches={name: dataclasses.replace(b, curve=None) for name, b in diagram.branches.items()},
    )  # fmt: skip
    text = repr(nothing)
    assert "interrupted" in text
    assert "no transitions in this range" in text
    assert "audit: none was made" in text
    assert "semantic none" in text
    assert "not known" in text
    audit = diagram.audit
    interrupted = dataclasses.replace(audit, complete=False)
    assert "audit: interrupted" in repr(dataclasses.replace(diagram, audit=interrupted))
    missing = dataclasses.replace(audit, points=(dataclasses.replace(audit.points[0], missing=("one",)),))
    assert "audit: solutions are missing" in repr(dataclasses.replace(diagram, audit=missing))


@pytest.mark.slow
def test_solutions_that_cannot_be_looked_for_leave_the_minimum_unknown(diagram, tmp_path):
    audit = dataclasses.replace(diagram.audit, unseen="units are not told apart")
    assert diagram.audit.passed
    assert not audit.passed
    assert str(audit) == f"{diagram.audit}; units are not told apart"
    blind = PhaseDiagram.of(dataclasses.replace(diagram, audit=audit))
    assert "audit: not passed, some solutions cannot be looked for, see .audit" in repr(blind)
    assert [(phase.branch, phase.reason) for phase in blind.phases] == [(None, "units are not told apart")]
    blind.save(tmp_path / "blind.nc")
    assert PhaseDiagram.load(tmp_path / "blind.nc").audit == audit
    folder = tmp_path / "report"
    blind.report(folder, formats=("markdown",))
    assert any("Units are not told apart." in path.read_text() for path in folder.glob("*.md"))
    assert blind.plot().axes


def test_parts_of_a_diagram_are_short(diagram):
    branch = diagram.branches["semantic"]
    point = branch.at(1.5)
    assert "48 points" in repr(branch)
    assert branch.origin in repr(branch)
    assert "semantic at alpha = 1.5" in repr(point)
    for name in ("semantic_overlap", "test_error", "free_entropy"):
        value = {**point.order_parameters, "test_error": point.test_error, "free_entropy": point.free_entropy}[name]
        assert f"{name} = {value:.6g} +- {point.error[name]:.1e}" in repr(point)
    assert "<array of" in repr(branch.curve)
    for one in (branch, point, branch.curve, point.evaluation, point.evaluation.averages, point.evolution):
        assert len(repr(one)) < 1200
        assert "\n" not in repr(one)
    assert len(repr(diagram.branches)) < 3000


def test_lines_are_short(diagram):
    none = empty_line("alpha_c", diagram.model, "omega", "there is none")
    assert repr(none) == "TransitionLine(alpha_c over omega: no point; there is none)"
    three = np.arange(3.0)
    some = dataclasses.replace(none, parameter=three, alpha=three, error=1e-5 * three, complete=False)
    text = "TransitionLine(alpha_c: 3 points, omega = 0 to 2, alpha = 0 to 2, errors up to 2.0e-05, interrupted)"
    assert repr(some) == text
    lines = TransitionLines(diagram.model, "omega", (0.1, 0.4), {"alpha_c": some, "alpha_l": none}, complete=False)
    heading, model, *rows = [row.strip() for row in repr(lines).splitlines()]
    assert heading == "TransitionLines over omega = 0.1 to 0.4"
    assert model.startswith("AttentionModel(omega=0.3")
    assert rows == ["interrupted: not all was computed", text, repr(none)]


def test_long_lines_are_cut():
    assert shortened("a  b\nc") == "a b c"
    assert shortened("x" * 200, 20) == "x" * 16 + " ..."


class Table(HTMLParser):
    """The cells of HTML in which every tag is closed in its order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        assert tag in {"table", "caption", "thead", "tbody", "tr", "th", "td"}
        self.open.append(tag)
        if tag in {"caption", "th", "td"}:
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        assert self.open[-1] in {"caption", "th", "td"}
        self.cells[-1] += data


def nothing_of(diagram: PhaseDiagram) -> PhaseDiagram:
    return dataclasses.replace(
        diagram, alpha_c=None, alpha_l=None, bifurcations=(), first_order=(), everywhere=(), branches={},
        audit=Audit(), complete=False, reasons={"interrupted": "so"},
    )  # fmt: skip


def test_a_notebook_shows_what_a_terminal_shows(diagram):
    for one in (diagram, nothing_of(diagram)):
        heading, *cells = Table(one._repr_html_()).cells
        first, *rows = [row.strip() for row in repr(one).splitlines()]
        assert heading == first
        told = [f"{name}: {text}" if name else text for name, text in zip(cells[::2], cells[1::2], strict=True)]
        assert told == rows


def test_parts_of_a_diagram_are_tables(diagram):
    branch = diagram.branches["semantic"]
    point = branch.at(1.5)
    _, *cells = Table(point._repr_html_()).cells
    assert cells[:3] == ["quantity", "value", "error"]
    for name, value, error in zip(cells[3::3], cells[4::3], cells[5::3], strict=True):
        assert f"{name} = {value} +- {error}" in repr(point)
    for cell in Table(branch._repr_html_()).cells[2::2]:
        assert cell in repr(branch)
    for name, one in diagram.transitions.items():
        assert f"{one.alpha:.5f}" in Table(one._repr_html_()).cells, name
        assert repr(one) == f"Transition({one})"
    nowhere = dataclasses.replace(branch, curve=None, outcome=(Outcome.ABSENT,) * branch.alpha.size)
    assert Table(nowhere._repr_html_()).cells == ["Branch: semantic", "points", "no point"]
    for one in (diagram, branch, point, diagram.transitions, diagram.bifurcations, diagram.phases, diagram.branches):
        assert len(repr(one)) < 2000


def test_names_are_escaped(diagram):
    name = 'a <b> & "c" $x$'
    branch = dataclasses.replace(diagram.branches["semantic"], name=name)
    odd = dataclasses.replace(diagram, branches={name: branch})
    line = empty_line(name, diagram.model, "omega", name)
    swept = SweptModel(diagram.model, None, name)
    for one in (odd, branch, line, TransitionLines(diagram.model, "omega", (0.1, 0.4), {name: line}), swept):
        assert any(name in cell for cell in Table(one._repr_html_()).cells)
        assert "<b>" not in one._repr_html_()
        # A notebook would set it as mathematics.
        assert "$" not in one._repr_html_()


def test_sweeps_and_lines_are_tables(diagram):
    members = (SweptModel(diagram.model, diagram), SweptModel(diagram.model, nothing_of(diagram)),
               SweptModel(diagram.model, None, "why <not>"))  # fmt: skip
    sweep = ModelSweep(members * 4)
    heading, *cells = Table(sweep._repr_html_()).cells
    assert heading == "ModelSweep: 8 of 12 models solved"
    both = {"alpha_c": diagram.alpha_c, "alpha_l": diagram.alpha_l}
    assert cells[1] == ", ".join(f"{name} = {one.alpha:.5f} +- {one.error:.1e}" for name, one in both.items())
    assert cells[3] == "no alpha_c, no alpha_l, interrupted"
    assert cells[5] == "why <not>"
    assert cells[-2:] == ["", "and 2 more"]
    assert len(Table(ModelSweep(())._repr_html_()).cells) == 1
    for one in members:
        assert len(repr(one)) < 500
        assert Table(one._repr_html_()).cells[0] == "SweptModel"
    three = np.arange(3.0)
    line = dataclasses.replace(
        empty_line("alpha_c", diagram.model, "omega", ""), parameter=three, alpha=three, error=three
    )
    lines = TransitionLines(diagram.model, "omega", (0.1, 0.4), {"alpha_c": line}, complete=False)
    cells = Table(lines._repr_html_()).cells
    assert cells[-2:] == ["alpha_c", line.summary]
    assert "interrupted: not all was computed" in cells
    assert line.summary in Table(line._repr_html_()).cells


def test_figures_know_their_picture(diagram):
    figure = diagram.plot()
    assert isinstance(figure, Figure)
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert b"IEND" in figure._repr_png_()[-12:]
    assert type(pickle.loads(pickle.dumps(figure))) is type(figure)
