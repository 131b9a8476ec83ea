"""The page of published numbers: its tables hold the package's data and, for some entries, what the code gives."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from replica import AttentionModel
from validation import published_gradient_descent, published_rule_deviation, published_theory, published_transitions

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reproduction.md").read_text(encoding="utf-8").replace("−", "-")
PAPER = AttentionModel.paper(omega=0.3)
TABLES = {
    name: [[cell.strip() for cell in line.strip("|").split("|")] for line in text.strip().splitlines()[2:]]
    for name, text in re.findall(r"<!-- table ([\w.-]+) -->\n(.*?)<!-- end -->", PAGE, flags=re.DOTALL)
}


def number(cell: str) -> float:
    return float(re.match(r"[-+]?[\d.]+", cell).group())  # pyright: ignore[reportOptionalMemberAccess]


def test_every_table_is_filled():
    assert set(TABLES) == {
        "transitions", "crossing", "curves", "curve-summary",
        "descent-0.3", "descent-0.2", "descent-summary", "scaling",
    }  # fmt: skip
    assert min(len(rows) for rows in TABLES.values()) >= 4


def test_transitions_are_those_published_and_their_differences_follow():
    published = published_transitions()
    for omega, *cells in TABLES["transitions"]:
        for name, (value, ours, difference) in zip(("alpha_c", "alpha_l"), (cells[:3], cells[3:]), strict=True):
            expected = published[name].sel(omega=float(omega)).item()
            assert (value == "") == np.isnan(expected)
            if value:
                assert float(value) == pytest.approx(expected, abs=6e-5)
                assert number(difference) == pytest.approx(100 * (float(value) / float(ours) - 1), abs=0.1)


@pytest.mark.parametrize("omega", ["0.3", "0.2"])
def test_descent_is_what_was_published(omega):
    rows = TABLES[f"descent-{omega}"]
    assert len(rows) == 18
    for start, alpha, _, _, loss, theory, deviation, *_ in rows:
        data = published_gradient_descent(AttentionModel.paper(omega=float(omega)), start)
        here = data.sel(alpha=float(alpha), method="nearest")
        assert number(loss) == pytest.approx(1000 * here.train_loss.item(), rel=6e-3)
        z = (here.train_loss.item() - float(theory) / 1000) / here.train_loss_standard_error.item()
        assert float(deviation) == pytest.approx(z, abs=0.06)


def test_curves_are_what_was_published_and_what_the_rule_gives():
    rows = [row for row in TABLES["curves"] if row[0] == "positional"]
    data = published_theory(PAPER, "positional")
    for _, alpha, q, m, v, phi, error in rows:
        here = data.sel(alpha=float(alpha), method="nearest")
        assert number(q) == pytest.approx(here.self_overlap.item(), rel=1e-3)
        assert number(m) == pytest.approx(here.positional_overlap.item(), rel=1e-3)
        assert number(v) == pytest.approx(here.susceptibility.item(), rel=1e-3)
        assert number(phi) == pytest.approx(1000 * here.free_entropy.item(), abs=1e-4)
        assert number(error) == pytest.approx(1000 * here.test_error.item(), abs=1e-4)
    found = published_rule_deviation(PAPER, "positional", [float(rows[3][1])])
    on_page = [float(cell.split("→")[1].rstrip(" %")) for cell in rows[3][2:]]
    names = ["self_overlap", "positional_overlap", "susceptibility", "free_entropy", "test_error"]
    assert on_page == pytest.approx(100 * found.deviation.sel(quantity=names).values.ravel(), abs=0.006)
