"""The page of known results: its code runs and prints what it says, and its tables hold the oracles' values."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from tests.oracles.known_logistic import logistic_by_label_average
from tests.oracles.known_results import Atom, ridge, ridge_in_spectrum

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "known_results.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL))
TWO_ATOMS = (Atom(2.0, 0.3, 0.4), Atom(0.5, 0.7, 1.5))


def test_code_prints_what_the_page_says():
    names: dict[str, object] = {}
    blocks = re.findall(r"```(python|text)\n(.*?)```", PAGE, flags=re.DOTALL)
    printed = ""
    for kind, text in blocks:
        if kind == "python":
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(text, "known_results.md", "exec"), names)
            printed = output.getvalue()
        else:
            assert printed == text
    assert {kind for kind, _ in blocks} == {"python", "text"}


@pytest.mark.parametrize(
    ("section", "oracle"),
    [
        ("Ridge regression", ridge),
        ("Two eigenvalues", lambda *case: ridge_in_spectrum(*case, TWO_ATOMS)),
        ("Logistic regression", logistic_by_label_average),
    ],
)
def test_tables_hold_the_closed_forms(section, oracle):
    rows = re.findall(r"^\| (\d.*) \|$", SECTIONS[section], flags=re.MULTILINE)
    assert len(rows) >= 3
    for row in rows:
        alpha, penalty, noise, training_loss, test_error, _ = (x.strip() for x in row.split("|"))
        expected = oracle(float(alpha), float(penalty), float(noise))
        assert float(training_loss) == pytest.approx(expected.training_loss, abs=1e-10)
        assert float(test_error) == pytest.approx(expected.test_error, abs=1e-10)
