"""Comparing simulations with theory: averages over seeds, deviations, the table, and theory itself."""

import dataclasses
import math
import pickle

import numpy as np
import pytest

from replica import AttentionModel
from validation import INTO_THE_BASIN, Comparison, Prediction, Training, compare_at, comparison_table, simulate
from validation.simulation.compared import COMPARED

PAPER = AttentionModel.paper(omega=0.3)
GUESS = {
    "self_overlap": 0.1,
    "positional_overlap": -0.2,
    "semantic_overlap": 0.0,
    "train_loss": 0.003,
    "test_error": 0.002,
}
ERRORS = {name: 1e-5 * (k + 1) for k, name in enumerate(GUESS)}


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    prediction = Prediction(1.0, GUESS, ERRORS, {"train_loss": 0.04})
    return compare_at(PAPER, prediction, "positional", 40, [3, 1, 2], training=Training(steps=40))


def test_comparison_averages_over_seeds(comparison):
    runs = [simulate(PAPER, "positional", 1.0, 40, seed, training=Training(steps=40)) for seed in (3, 1, 2)]
    assert [quantity.name for quantity in comparison.quantities] == list(COMPARED)
    for name in ("self_overlap", "train_loss", "test_error"):
        values = np.array([getattr(run, name) for run in runs])
        np.testing.assert_array_equal(comparison[name].values, values)
        assert comparison[name].mean == pytest.approx(values.mean())
        assert comparison[name].standard_error == pytest.approx(np.std(values, ddof=1) / math.sqrt(3))
    magnitudes = comparison["positional_overlap"]
    assert magnitudes.theory == 0.2
    np.testing.assert_array_equal(magnitudes.values, [abs(run.positional_overlap) for run in runs])
    vanishing = comparison["semantic_overlap"]
    assert vanishing.signed
    np.testing.assert_array_equal(vanishing.values, [run.semantic_overlap for run in runs])


def test_deviations_are_counted_in_standard_errors(comparison):
    quantity = dataclasses.replace(comparison["train_loss"], mean=3.0, theory=5.0, standard_error=0.5, allowance=0.75)
    assert quantity.deviation == -4.0
    assert quantity.deviation_beyond_allowance == -2.5
    assert dataclasses.replace(quantity, allowance=2.5).deviation_beyond_allowance == 0.0
    assert dataclasses.replace(quantity, standard_error=0.0).deviation == -math.inf
    assert comparison["train_loss"].allowance == 0.001
    assert comparison["test_error"].allowance == 0.0
    worst = max(abs(entry.deviation_beyond_allowance) for entry in comparison.quantities)
    assert comparison.largest_deviation == worst
    with pytest.raises(KeyError, match="susceptibility"):
        comparison["susceptibility"]


def test_comparisons_at_one_point_are_values(comparison):
    again = pickle.loads(pickle.dumps(comparison))
    assert again == comparison
    assert hash(again) == hash(comparison)
    assert again != dataclasses.replace(comparison, dimension=41)
    assert len(repr(comparison)) < 600
    prediction = Prediction(1.0, GUESS, ERRORS)
    assert pickle.loads(pickle.dumps(prediction)) == prediction != Prediction(1.1, GUESS, ERRORS)


def test_table_holds_every_number(comparison):
    heading, columns, *rows = comparison_table(comparison).splitlines()
    assert "positional" in heading
    assert "d = 40" in heading
    assert "3 seeds" in heading
    assert columns.split()[0] == "quantity"
    labels = ["self_overlap", "|positional_overlap|", "semantic_overlap", "train_loss", "test_error"]
    assert [row.split()[0] for row in rows] == labels
    for row, quantity in zip(rows, comparison.quantities, strict=True):
        printed = [float(word) for word in row.split()[1:]]
        expected = [quantity.mean, quantity.standard_error, quantity.theory]
        assert printed[:3] == pytest.approx(expected, rel=1e-5)
        assert printed[3] == pytest.approx(quantity.theory_error, rel=0.05)
        assert printed[4] == pytest.approx(quantity.allowance, rel=1e-5)
        deviations = [quantity.deviation, quantity.deviation_beyond_allowance]
        assert printed[5:] == pytest.approx(deviations, abs=0.006)


@pytest.mark.parametrize(
    ("changes", "quoted"),
    [
        ({"prediction": Prediction(1.0, {"self_overlap": 0.1})}, "test_error"),
        ({"prediction": Prediction(1.0, GUESS, {}, {"susceptibility": 1.0})}, "susceptibility"),
        ({"prediction": GUESS}, "self_overlap"),
        ({"training": {"steps": 1}}, "steps"),
        ({"spherical_teacher": 1}, "1"),
        ({"seeds": [1]}, r"\[1\]"),
        ({"seeds": [1, 1]}, r"\[1, 1\]"),
    ],
)
def test_impossible_comparisons_are_refused(changes, quoted):
    arguments = {"prediction": Prediction(1.0, GUESS), "seeds": [1, 2], "training": Training(steps=1)} | changes
    with pytest.raises(ValueError, match=quoted):
        compare_at(PAPER, start="semantic", dimension=10, **arguments)


# Solutions of the saddle-point equations at alpha = 2 (theory notes, section 7); test errors are per token.
# The allowances are the coefficients of 1/d measured at alpha = 1.5 and d = 250, 500, 1000 (polished runs,
# spherical teachers), plus two standard errors.
SOLUTIONS = {
    "semantic": {
        "self_overlap": 0.11483,
        "positional_overlap": 0.0,
        "semantic_overlap": 0.15817,
        "train_loss": 0.0035905,
        "test_error": 0.001404,
    },
    "positional": {
        "self_overlap": 0.0511,
        "positional_overlap": 0.2582,
        "semantic_overlap": 0.0,
        "train_loss": 0.004513,
        "test_error": 0.0034735,
    },
}
ALLOWANCES = {
    "semantic": {"self_overlap": 1.05, "semantic_overlap": 1.05, "train_loss": 0.037, "test_error": 0.035},
    "positional": {"self_overlap": 0.8, "positional_overlap": 1.3, "train_loss": 0.053, "test_error": 0.018},
}


@pytest.mark.slow
@pytest.mark.parametrize("start", ["semantic", "positional"])
def test_descent_reaches_the_predicted_minimum(start):
    comparison = compare_at(
        PAPER,
        Prediction(2.0, SOLUTIONS[start], allowance_coefficients=ALLOWANCES[start]),
        start,
        400,
        range(8),
        training=INTO_THE_BASIN,
        spherical_teacher=True,
    )
    report = comparison_table(comparison)
    assert comparison.largest_deviation < 4, report
    assert max(run.gradient_norm for run in comparison.runs) < 1e-6, report
    # The allowance must not make the test vacuous: the other minimum's losses lie far outside it.
    other = SOLUTIONS["positional" if start == "semantic" else "semantic"]
    for name in ("train_loss", "test_error"):
        distance = abs(comparison[name].mean - other[name]) - comparison[name].allowance
        assert distance > 4 * comparison[name].standard_error, report
