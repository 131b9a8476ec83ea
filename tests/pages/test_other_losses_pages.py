"""The pages on regression, phase_retrieval, a committee and label_noise: their code, tables and scripts."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from replica import AttentionModel
from saddle import LineRule, StateEvolution
from tests.oracles.known_logistic import logistic_by_label_average
from tests.oracles.known_regression import pseudo_huber
from tests.oracles.known_results import ridge
from tests.pages.page_code import DOCS, disagreement, run_page
from tests.pages.page_tables import script, table, with_error
from validation import INTO_THE_BASIN, TrainingLoss, draw_teacher_data, simulate_runs
from validation.simulation.functions.layers import attention_weights


@pytest.mark.slow
def test_regression_prints_what_the_page_shows():
    (block,) = run_page("docs/examples/regression.md")
    assert block.shown is not None
    assert disagreement(block.printed, block.shown) is None


def test_the_table_of_regression_holds_what_is_known():
    rows = table("regression.md", "known")
    oracles = {
        "ridge": (ridge(2.0, 0.1, 0.49), 1e-6),
        "pseudo-Huber": (pseudo_huber(2.0, 0.05, 0.5), 4e-6),
        "logistic": (logistic_by_label_average(2.0, 0.1, 0.0), 5e-5),
    }
    for (name, _, *solved), (_, _, *shown) in zip(rows[::2], rows[1::2], strict=True):
        truth, close = oracles.pop(name)
        expected = truth.array()[[0, 2, 1, 3, 4]]
        np.testing.assert_allclose(np.array(shown, float), expected, rtol=0, atol=2e-6)
        # Half of the last digit shown is rounding.
        np.testing.assert_allclose(np.array(solved, float), expected, rtol=close, atol=5.1e-7)
    assert not oracles


@pytest.mark.slow
def test_phase_retrieval_prints_the_transitions_of_the_page():
    (block,) = run_page("docs/examples/phase_retrieval.md")
    assert block.shown is not None
    assert disagreement(block.printed, block.shown) is None


@pytest.mark.parametrize("page", ["regression.md", "phase_retrieval.md"])
def test_runs_from_the_teacher_agree_with_theory_on_the_page(page):
    """The page's deviations follow from its means, errors and theory; starts that know nothing may disagree."""
    text = (DOCS / "examples" / page).read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w -]+) \| ([\d.]+) \| (\$.*?) \| (.+) \|$", text, flags=re.M)
    assert len(rows) >= 48
    for word, *_, cells in rows:
        *_, limit, theory, deviation = cells.split(" | ")
        mean, error = with_error(limit)
        # Student's t shrinks it a little; rounding counts where errors have two digits.
        assert abs((abs(mean) - float(theory)) / error - float(deviation)) < 0.7 or word == "small weights"
        if word != "small weights":
            assert abs(float(deviation)) < 3.0


# --------------------------------------------------------------------------------------------------- a committee


@pytest.mark.slow
def test_columns_of_a_committee_are_alike_at_few_samples_and_specialise_at_many():
    """On a rougher rule than the page's; from states that know which column is which."""
    committee = script("committee")
    evolution = StateEvolution(committee.committee(), LineRule.for_tolerance(1e-3))
    q, v, theta = (np.array([[a, b], [b, a]]) for a, b in ((0.5, 0.2), (2.3, -2.0), (0.6, 0.2)))
    many = committee.fixed_point(evolution, committee.vector(q, v, theta), 4.0, committee.exchanged_together)
    rows = {row[0]: row for row in table("committee.md", "solutions")}
    assert committee.specialisation(many) == pytest.approx(float(rows["4"][3]), rel=0.03)
    assert many.train_loss == pytest.approx(float(rows["4"][2]), rel=0.005)
    q, v, theta = (np.array([[a, b], [b, a]]) for a, b in ((0.2, 0.12), (6.0, -5.0), (0.27, 0.23)))
    few = committee.fixed_point(evolution, committee.vector(q, v, theta), 1.0, committee.exchanged_together)
    assert abs(committee.specialisation(few)) < 1e-3
    assert few.train_loss == pytest.approx(float(rows["1"][1]), rel=0.005)


@pytest.mark.slow
def test_a_committee_that_is_trained_from_its_teacher_agrees_with_the_page():
    """Other data sets than the page's; a singular value that vanishes in theory is not among them."""
    committee = script("committee")
    rows = {row[2]: float(row[3]) for row in table("committee.md", "runs") if row[0] == "4"}
    runs, complete = simulate_runs(
        committee.committee(), (4.0,), starts=("semantic",), dimensions=(150,), seeds=range(6),
        training=replace(INTO_THE_BASIN, test_samples=4000), spherical_teacher=True,
    )  # fmt: skip
    assert complete
    for name, symbol in committee.SYMBOLS.items():
        values = runs[name].values.ravel()
        error = values.std(ddof=1) / math.sqrt(values.size)
        assert abs(values.mean() - rows[symbol]) < 4 * error + 0.02 * rows[symbol], name
        assert error < 0.15 * rows[symbol]


def test_specialisation_begins_where_the_page_says():
    """The square of the table's specialisation over alpha, extrapolated to zero by a line and by a parabola."""
    rows = [(float(row[3]) ** 2, float(row[0])) for row in table("committee.md", "solutions") if row[-1]]
    squares, alphas = np.array(rows[:3]).T
    ends = [np.polyval(np.polyfit(squares[: k + 1], alphas[: k + 1], k), 0.0) for k in (1, 2)]
    text = (DOCS / "examples" / "committee.md").read_text(encoding="utf-8")
    said = re.search(r"\\alpha_s = ([\d.]+)\$ \(a parabola", text)
    assert said is not None
    assert float(said[1]) == pytest.approx(ends[1], abs=0.006)
    assert abs(ends[0] - ends[1]) < 0.1


# --------------------------------------------------------------------------------------------------- label noise


def test_noisy_labels_are_those_written_out():
    noisy = script("label_noise")
    generator = np.random.default_rng(0)
    data = draw_teacher_data(AttentionModel.paper(), 8, 2.0, generator)
    noise, student = generator.standard_normal(data.tokens.shape), generator.standard_normal(8)
    loss = noisy.NoisyLabels(TrainingLoss.of(data), noise, 0.7)
    labels = np.einsum("ijn,jnd->ind", data.targets, data.tokens) + 0.7 * noise
    weights = attention_weights(loss.plain.preactivations(student))
    outputs = np.einsum("ijn,jnd->ind", weights, data.tokens + data.encodings[:, None])
    written = np.sum((labels - outputs) ** 2) / 16 + 0.005 * student @ student
    assert loss.value(student) == pytest.approx(written, rel=1e-12)
    differences = [(loss.value(student + x) - loss.value(student - x)) / 2e-5 for x in 1e-5 * np.eye(8)]
    np.testing.assert_allclose(loss.gradient(student), differences, atol=1e-8)


def test_what_label_noise_changes_is_of_order_one_over_d():
    """On the page's numbers, times d: one number per row, within their errors, and in proportion to the variance."""
    per_variance: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for minimum, deviation, quantity, *cells in table("label_noise.md", "changes"):
        values, errors = np.array([with_error(cell) for cell in cells]).T
        mean = np.average(values, weights=errors**-2)
        assert np.sum(((values - mean) / errors) ** 2) < 16.0, (minimum, deviation, quantity)
        at_largest = with_error(cells[-1])
        scale = float(deviation) ** 2
        per_variance.setdefault((minimum, quantity), []).append((at_largest[0] / scale, at_largest[1] / scale))
    losses = [per_variance[minimum, "training loss"] for minimum in ("semantic", "positional")]
    for (first, error), *others in losses:
        assert all(abs(first - other) < 3 * math.hypot(error, more) for other, more in others)
        assert first < -3 * error


@pytest.mark.slow
def test_label_noise_changes_what_the_page_says():
    noisy = script("label_noise")
    found = np.array([noisy.minima(100, seed, "semantic", (0.0, 1.0)) for seed in range(6)])
    change = 100 * (found[:, 1, 3] - found[:, 0, 3])
    row = next(row for row in table("label_noise.md", "changes") if row[:3] == ["semantic", "1", "training loss"])
    mean, _ = with_error(row[3])
    assert abs(change.mean() - mean) < 4 * change.std(ddof=1) / math.sqrt(6)


def test_every_script_says_where_its_page_is():
    for name in ("committee", "label_noise", "other_losses"):
        assert Path(script(name).DOCS).resolve() == DOCS.resolve()
