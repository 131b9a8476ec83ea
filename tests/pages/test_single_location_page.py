"""The page on single-location regression: what softmax and linear weights can reach, its solutions, its runs."""

from __future__ import annotations

import contextlib
import io
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from saddle import SobolRule, StateEvolution, solve_point
from tests.models.multi_index import single_location
from tests.pages.page_code import BLOCK, DOCS, disagreement, run_page
from tests.pages.page_tables import table, with_error
from validation import INTO_THE_BASIN, simulate_runs

PAGE = "docs/examples/single_location.md"
TEXT = (DOCS / "examples" / "single_location.md").read_text(encoding="utf-8")
# As the page's table of solutions lists them, and as the solver does.
COLUMNS = {"self_overlap_11": 0, "self_overlap_22": 1, "positional_overlap_1": 2, "semantic_overlap_2": 3}
ORDER = ("self_overlap_11", "self_overlap_22", "positional_overlap_1", "susceptibility_11", "susceptibility_22",
         "semantic_overlap_2")  # fmt: skip
# Near the solutions of the table, which does not list the susceptibilities.
SUSCEPTIBILITIES = {2.0: (5.90, 1.86), 6.0: (2.92, 0.284)}

# Of three tokens at alpha = 6, in the same order.
START_OF_THREE = (2.450, 1.280, 1.255, 2.349, 0.335, 1.103)


@pytest.fixture(scope="module")
def population() -> dict[str, Any]:
    """What the page defines before it solves, after a look at what it prints there."""
    names: dict[str, Any] = {}
    (_, model), (_, first), (_, risks), (_, second) = BLOCK.findall(TEXT)[:4]
    for code, shown in ((model, first), (risks, second)):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(code, PAGE, "exec"), names)
        assert disagreement(output.getvalue(), shown) is None
    return names


def test_the_model_of_the_page_is_that_of_the_tests(population):
    assert population["model"] == single_location(2.0)


@pytest.mark.parametrize("strength", [0.4, 1.3, 2.2])
def test_softmax_weights_are_best_where_they_are_the_posterior(population, strength):
    """The risk is stationary at |k| = strength, |v| = 1, and any other student's is larger."""
    risk, bayes = population["softmax_risk"], np.array([strength, 1.0])
    step = 1e-5
    slopes = [(risk(bayes + step * x, strength) - risk(bayes - step * x, strength)) / (2 * step) for x in np.eye(2)]
    np.testing.assert_allclose(slopes, 0.0, atol=1e-6)
    for other in np.random.default_rng(0).uniform((-1.0, 0.2), (4.0, 2.0), size=(50, 2)):
        assert risk(other, strength) >= risk(bayes, strength)


def test_softmax_of_three_tokens_is_bayesian_too():
    """By drawing tokens in full, 30 directions: its error is 1 - E sum p^2, p from the densities of whole tokens."""
    random, strength, samples = np.random.default_rng(1), 1.6, 40_000
    place, tokens = random.integers(3, size=samples), random.normal(size=(samples, 3, 30))
    tokens[np.arange(samples), place, 0] += strength
    means = np.zeros((3, 3, 30))
    means[range(3), range(3), 0] = strength
    logs = np.stack([-((tokens - mean) ** 2).sum((1, 2)) / 2 for mean in means], axis=1)
    posterior = np.exp(logs - logs.max(1, keepdims=True))
    posterior /= posterior.sum(1, keepdims=True)
    weights = np.exp(strength * tokens[:, :, 0])
    weights /= weights.sum(1, keepdims=True)
    np.testing.assert_allclose(weights, posterior, rtol=1e-9)
    h = tokens[:, :, 1]
    errors = (h[np.arange(samples), place] - (weights * h).sum(1)) ** 2 - 1 + (weights**2).sum(1)
    assert abs(errors.mean()) < 4 * errors.std() / math.sqrt(samples)


@pytest.mark.parametrize("tokens", [2, 3])
def test_linear_weights_leave_what_the_page_says(tokens):
    """Least squares on all quadratic forms of a token, summed over tokens: without and with the sum of tokens."""
    random, strength, samples = np.random.default_rng(2), 1.5, 200_000
    place, (u, h, w) = random.integers(tokens, size=samples), random.normal(size=(3, samples, tokens))
    u[np.arange(samples), place] += strength
    forms = np.column_stack([x.sum(1) for x in (u * h, u * w, h * w, u**2, h**2, w**2)])
    y = h[np.arange(samples), place]
    linear = tokens / (tokens + strength**2)
    shifted = tokens * (tokens - 1) / (tokens**2 + (tokens - 1) * strength**2)
    for features, expected in ((forms, linear), (np.column_stack([forms, h.sum(1), u.sum(1)]), shifted)):
        residual = (y - features @ np.linalg.lstsq(features, y, rcond=None)[0]) ** 2
        assert abs(residual.mean() - expected) < 4 * residual.std() / math.sqrt(samples)


# ------------------------------------------------------------------------------------------------ finite samples


STATE: dict[str, float] = dict(zip(ORDER, (1.3, 1.2, 0.85, 3.8, 0.52, 1.07), strict=True))


def averages(shares: tuple[float, float], *, turned: bool = False):
    """Return the channel's averages at a state near the page's at alpha = 4, on a rough rule."""
    model = single_location(2.0, shares)
    if turned:
        model = replace(model, classes=model.classes[::-1])
    evolution = StateEvolution(model, SobolRule(points=128))
    return evolution.channel.averages(vector(evolution, STATE))


def vector(evolution: StateEvolution, values: dict[str, float]) -> np.ndarray:
    return np.array([values.get(one.name, 0.0) for one in evolution.space.quantities])


def moreau_objective(values: dict[str, float], samples: int, seed: int) -> tuple[float, float]:
    """Average the Moreau objective by drawing fields; all of it is minimised by hand but the scores' difference u.

    Of k only u counts, at (u - u_0)^2 / 4V_11; with weights p, 1 - p of it, the minimum over v's fields is
    r^2 / 2(1 + V_22 (p^2 + (1 - p)^2)) with the residual r = y - p w_12 - (1 - p) w_22.
    """
    random = np.random.default_rng(seed)
    q1, q2, m, V1, V2, theta = (values[name] for name in ORDER)
    score, fields, h, noise = (
        random.normal(size=samples),
        *random.normal(size=(2, samples, 2)),
        random.normal(size=samples),
    )
    fields, h = math.sqrt(q2) * fields, theta / math.sqrt(q2) * fields + math.sqrt(1 - theta**2 / q2) * h
    # Tokens are renamed so that the first is the marked one.
    start, y = 2.0 * m + math.sqrt(2 * q1) * score, h[:, 0] + 0.3 * noise
    lowest = np.full(samples, np.inf)
    for u in np.linspace(-25.0, 25.0, 1501):
        p = 1 / (1 + math.exp(-u))
        residual = y - p * fields[:, 0] - (1 - p) * fields[:, 1]
        value = (u - start) ** 2 / (4 * V1) + residual**2 / (2 * (1 + V2 * (p**2 + (1 - p) ** 2)))
        np.minimum(lowest, value, out=lowest)
    return float(lowest.mean()), float(lowest.std() / math.sqrt(samples))


@pytest.mark.slow
def test_averages_over_classes_are_those_of_drawn_fields():
    found = averages((0.5, 0.5))
    drawn, error = moreau_objective(STATE, 40_000, 3)
    assert found.envelope_error < 0.05 * found.envelope
    assert abs(found.envelope - drawn) < 4 * math.hypot(error, found.envelope_error)


@pytest.mark.slow
def test_places_may_be_exchanged():
    """In the list of classes to rounding; their shares to the rule's error, for its points treat tokens differently."""
    one, turned, other = averages((0.3, 0.7)), averages((0.3, 0.7), turned=True), averages((0.7, 0.3))
    np.testing.assert_allclose(turned.conjugates, one.conjugates, rtol=1e-9, atol=1e-12)
    assert abs(one.envelope - other.envelope) < 4 * math.hypot(one.envelope_error, other.envelope_error)
    assert one.envelope != other.envelope


@pytest.mark.slow
@pytest.mark.parametrize("alpha", SUSCEPTIBILITIES)
def test_solutions_of_the_page_are_found_on_a_rougher_rule(alpha):
    row = next(row for row in table("single_location.md", "solutions") if float(row[0]) == alpha)
    shown = {name: with_error(row[1 + k]) for name, k in COLUMNS.items()}
    start = {name: value for name, (value, _) in shown.items()}
    start |= dict(zip(("susceptibility_11", "susceptibility_22"), SUSCEPTIBILITIES[alpha], strict=True))
    evolution = StateEvolution(single_location(2.0), SobolRule(points=128))
    point = solve_point(evolution, evolution.sectors[0], vector(evolution, start), alpha)
    assert point.stable
    for name, (value, error) in shown.items():
        assert abs(point.order_parameters[name] - value) < 4 * math.hypot(point.error[name], error) + 0.03 * value, name
    for value, own, cell in ((point.train_loss, "free_entropy", row[5]), (2 * point.test_error, "test_error", row[6])):
        shown_value, error = with_error(cell)
        assert abs(value - shown_value) < 4 * math.hypot(2 * point.error[own], error)


@pytest.mark.slow
def test_training_on_other_data_agrees_with_the_page():
    row = next(row for row in table("single_location.md", "solutions") if row[0] == "6")
    runs, complete = simulate_runs(
        single_location(2.0), (6.0,), starts=("mixed",), dimensions=(150,), seeds=range(6),
        training=replace(INTO_THE_BASIN, test_samples=4000), spherical_teacher=True,
    )  # fmt: skip
    assert complete
    for name, cell in (("positional_overlap", row[3]), ("semantic_overlap", row[4]), ("train_loss", row[5])):
        values = runs[name].values.ravel()
        value, error = with_error(cell)
        spread = values.std(ddof=1) / math.sqrt(values.size)
        assert abs(values.mean() - value) < 4 * math.hypot(spread, error) + 0.01 * value, name
        assert spread < 0.1 * value


def test_runs_of_the_page_agree_with_its_solutions():
    """Deviations follow from the numbers beside them, and those of runs that begin informed are within three."""
    rows = table("single_location.md", "runs")
    assert len(rows) >= 24
    for alpha, _, theory, informed, deviation, *_ in rows:
        (value, error), (mean, spread) = with_error(theory), with_error(informed)
        assert (mean - value) / math.hypot(error, spread) == pytest.approx(float(deviation), abs=0.3), alpha
        assert abs(float(deviation)) < 3.0


def test_runs_of_more_tokens_agree_with_their_solutions():
    rows = table("single_location.md", "tokens")
    assert {row[0] for row in rows} == {"3", "4", "5"}
    for tokens, alpha, name, theory, informed, deviation in rows:
        (value, error), (mean, spread) = with_error(theory), with_error(informed)
        assert (mean - value) / math.hypot(error, spread) == pytest.approx(float(deviation), abs=0.3), (tokens, name)
        assert abs(float(deviation)) < 3.0, alpha


@pytest.mark.slow
def test_three_tokens_are_solved_on_a_rougher_rule():
    rows = [row for row in table("single_location.md", "tokens") if row[:2] == ["3", "6"]]
    start: dict[str, float] = dict(zip(ORDER, START_OF_THREE, strict=True))
    evolution = StateEvolution(single_location(2.0, [1 / 3] * 3), SobolRule(points=128))
    point = solve_point(evolution, evolution.sectors[0], vector(evolution, start), 6.0)
    assert 3 * point.test_error == pytest.approx(with_error(rows[-1][3])[0], abs=4 * 3 * point.error["test_error"])
    for name, row in (("positional_overlap_1", rows[1]), ("semantic_overlap_2", rows[2])):
        value, error = with_error(row[3])
        assert abs(point.order_parameters[name] - value) < 4 * math.hypot(point.error[name], error) + 0.01 * value


@pytest.mark.slow
def test_columns_of_linear_attention_are_of_one_length():
    """Their product alone counts for the loss, and the penalty is least where they are equal."""
    evolution = StateEvolution(single_location(2.0, linear=True), SobolRule(points=256))
    (sector,) = (x for x in evolution.sectors if x.broken == evolution.sectors[-1].broken[::3])
    start: dict[str, float] = dict(zip(ORDER, (0.458, 0.406, 0.551, 0.239, 0.0963, 0.607), strict=True))
    point = solve_point(evolution, sector, vector(evolution, start), 8.0)
    found = point.order_parameters
    assert found["self_overlap_11"] == pytest.approx(found["self_overlap_22"], rel=1e-6)
    assert found["positional_overlap_1"] == pytest.approx(0.534, abs=0.015)
    assert 2 * point.test_error == pytest.approx(0.631, abs=4 * 2 * point.error["test_error"])


@pytest.mark.slow
def test_the_page_prints_what_it_shows():
    for block in run_page(PAGE):
        assert block.shown is not None
        assert disagreement(block.printed, block.shown) is None
