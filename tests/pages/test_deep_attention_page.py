"""The page deep_attention: its code, its tables, and laws of two layers of attention."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy as sp

from replica import softmax
from saddle import SobolRule, StateEvolution, find_point
from tests.pages.page_code import disagreement, run_page
from tests.pages.page_tables import script, table, with_error
from validation import INTO_THE_BASIN, Prediction, compare_at

PAGE = "deep_attention.md"


def written(h: np.ndarray, skip: float = 1.0) -> np.ndarray:
    """Return the attention of both layers on fields (..., tokens, columns), written without the library."""

    def rows(logits: np.ndarray) -> np.ndarray:
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return weights / weights.sum(axis=-1, keepdims=True)

    first, second = h[..., 0], h[..., 1]
    mixed = np.einsum("...ij,...j->...i", rows(first[..., :, None] * first[..., None, :]), second) + skip * second
    return rows(mixed[..., :, None] * mixed[..., None, :])


def printed(h: np.ndarray, skip: float = 1.0) -> np.ndarray:
    """Return what the script's expressions are at fields (tokens, columns)."""
    values = script("deep_attention").two_layers(sp.Matrix(h)).subs(sp.Symbol("skip"), skip)
    return np.array(values.doit().evalf(), dtype=float)


def solved() -> dict[tuple[str, str], dict[str, tuple[float, float]]]:
    """Return the page's solutions by what they know and alpha; what vanishes by symmetry has no error."""
    names = ("q_11", "q_22", "theta_11", "theta_22", "train_loss", "test_error")
    return {
        (row[0], row[1]): {
            name: (0.0, 0.0) if cell == "0" else with_error(cell) for name, cell in zip(names, row[2:], strict=True)
        }
        for row in table(PAGE, "solutions")
    }


def test_the_layers_are_those_written_out_and_know_no_signs_of_columns():
    h = np.random.default_rng(0).standard_normal((2, 2))
    np.testing.assert_allclose(printed(h), written(h), atol=1e-12)
    for signs in ((-1, 1), (1, -1), (-1, -1)):
        np.testing.assert_allclose(printed(h * np.array(signs)), written(h), atol=1e-12)
    assert np.abs(printed(h[:, ::-1]) - written(h)).max() > 0.01


def test_a_strong_skip_leaves_one_layer():
    """With (h_1, h_2 / c) all that depends on the first column is of order 1 / c."""
    h = np.random.default_rng(1).standard_normal((2, 2))
    one = np.array(softmax(sp.Matrix(h[:, 1:] * h[:, 1:].T)).doit().evalf(), dtype=float)
    rest = [np.abs(printed(h * np.array([1, 1 / c]), c) - one).max() for c in (100.0, 1000.0)]
    assert 1e-5 < rest[1] < 1e-2
    assert rest[0] / rest[1] == pytest.approx(10, rel=0.1)


def test_test_errors_are_those_of_fields_with_the_overlaps_of_the_page():
    """By Monte Carlo over students and teachers of the table's order parameters."""
    generator, count = np.random.default_rng(2), 200_000
    for where, numbers in solved().items():
        teacher, noise = generator.standard_normal((2, count, 2, 2))
        theta, q = (np.array([numbers[f"{x}_11"][0], numbers[f"{x}_22"][0]]) for x in ("theta", "q"))
        student = theta * teacher + np.sqrt(q - theta**2) * noise
        errors = np.sum((written(student) - written(teacher)) ** 2, axis=(1, 2)) / 2
        value, uncertain = numbers["test_error"]
        assert abs(1e3 * errors.mean() - value) < 4e3 * errors.std() / math.sqrt(count) + 2 * uncertain, where


def test_the_deviations_of_the_page_follow_from_its_numbers_and_are_below_three():
    rows = table(PAGE, "runs")
    assert len(rows) >= 12
    for *_, mean, theory, deviation in rows:
        (value, error), (expected, uncertain) = with_error(mean), with_error(theory)
        assert (value - expected) / math.hypot(error, uncertain) == pytest.approx(float(deviation), abs=0.15)
        assert abs(float(deviation)) < 3.0


@pytest.mark.slow
def test_the_page_prints_what_it_shows():
    (block,) = run_page(f"docs/examples/{PAGE}")
    assert block.shown is not None
    assert disagreement(block.printed, block.shown) is None


@pytest.mark.slow
def test_both_layers_are_found_again_and_trained():
    """On a rougher rule than the page's, other scrambles, and other data sets of another size."""
    model = script("deep_attention").deep_attention()
    point = find_point(StateEvolution(model, SobolRule(points=64, seed=5)), "teacher-12 3", 3.0)
    numbers = solved()["informed", "3"]
    own = {"train_loss": point.error["free_entropy"], "test_error": point.error["test_error"]}
    for name, error in own.items():
        value, uncertain = numbers[name]
        assert abs(1e3 * getattr(point, name) - value) < 4 * math.hypot(1e3 * error, uncertain)
    compared = compare_at(
        model, Prediction.of_point(point), "semantic", 120, range(6), training=INTO_THE_BASIN, spherical_teacher=True
    )
    for quantity in compared.quantities:
        allowed = 4 * math.hypot(quantity.standard_error, quantity.theory_error) + 0.05 * quantity.theory
        assert abs(quantity.mean - quantity.theory) < allowed, quantity.name
