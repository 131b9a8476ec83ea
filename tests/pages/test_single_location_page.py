"""The page on single-location regression: what softmax and linear weights can reach, its solutions, its runs."""

from __future__ import annotations

import contextlib
import io
import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from saddle import SobolRule, StateEvolution, solve_point
from tests.models.multi_index import single_location
from tests.pages.page_code import BLOCK, DOCS, disagreement, run_page
from validation import INTO_THE_BASIN, simulate_runs

PAGE = "docs/examples/single_location.md"
TEXT = (DOCS / "examples" / "single_location.md").read_text(encoding="utf-8")
# As the page's table of solutions lists them, and as the solver does.
COLUMNS = {"self_overlap_11": 0, "self_overlap_22": 1, "positional_overlap_1": 2, "semantic_overlap_2": 3}
NUMBER = re.compile(r"(-?\d+\.(\d+))\((\d+)\)")
# Near the solutions of the table, which does not list the susceptibilities.
SUSCEPTIBILITIES = {2.0: (5.90, 1.86), 6.0: (2.92, 0.284)}


def table(marker: str) -> list[list[str]]:
    block = re.search(rf"<!-- {marker} -->\n(.*?)<!-- end -->", TEXT, re.DOTALL)
    assert block is not None
    rows = re.findall(r"^\| (.+) \|$", block[1], flags=re.M)
    return [[cell.strip() for cell in row.split(" | ")] for row in rows[2:]]


def with_error(text: str) -> tuple[float, float]:
    found = NUMBER.fullmatch(text)
    assert found is not None, text
    return float(found[1]), int(found[3]) * 10.0 ** -len(found[2])


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
    np.testing.assert_allclose(slopes, 0.0, atol=1e-9)
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
