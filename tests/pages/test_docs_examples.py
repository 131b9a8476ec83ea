"""The code on the pages on baselines, the derivation and general models runs, and prints what these pages show."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
# How far two routes deviate is rounding, which differs between machines; that it is allowed ("ok") is compared.
DEVIATION = re.compile(r"^(ok  |FAIL) \S+", flags=re.M)


@pytest.mark.parametrize(
    "page",
    [
        "baselines.md",
        "derivation.md",
        *(pytest.param(x, marks=pytest.mark.slow) for x in ("general_models.md", "examples/classes.md")),
    ],
)
def test_code_prints_what_the_page_shows(page):
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", (DOCS / page).read_text(encoding="utf-8"), flags=re.M | re.S)
    assert {kind for kind, _ in blocks} == {"python", "text"}
    names: dict[str, object] = {}
    printed = ""
    for kind, text in blocks:
        if kind == "python":
            assert not printed, f"{page} does not show what was printed before:\n{text}"
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(text, page, "exec"), names)
            printed = output.getvalue()
        else:
            assert DEVIATION.sub(r"\1", printed) == DEVIATION.sub(r"\1", text)
            printed = ""
    assert not printed


def test_every_step_is_on_the_page():
    from replica import AttentionModel, derive

    text = (DOCS / "derivation.md").read_text(encoding="utf-8")
    headings = {x.lower() for x in re.findall(r"^### (.+)$", text, flags=re.M)}
    steps = {step.name.lower() for step in derive(AttentionModel.paper()).steps}
    assert steps <= headings
    for path in re.findall(r"`((?:replica|tests)/[\w/]+\.py)`", text):
        assert (DOCS.parent / path).exists(), path
