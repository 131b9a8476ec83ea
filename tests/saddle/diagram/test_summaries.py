"""What a terminal shows of results: short, and what matters."""

from __future__ import annotations

import dataclasses

import numpy as np

from replica.common.by_value import shortened
from saddle import PhaseDiagram, TransitionLines
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
