"""The pages of worked examples: their code runs and finds what they print; one simulated point for each model."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest

from replica import AttentionModel
from replica.quantities.overlap_invariants import overlap_invariants
from saddle import StateEvolution, find_point, solve_phase_diagram
from saddle.averages.rules.sobol import SobolRule
from validation import INTO_THE_BASIN, Prediction, Training, compare_at, compare_with_theory, simulate
from validation.comparison.run_statistics import significance
from validation.comparison.theory_points import theory_point

DOCS = Path(__file__).resolve().parents[2] / "docs"
COARSE = "rule=SobolRule(points=64, scrambles=4)"
NUMBER = r"(\S.*?) at alpha = ([\d.]+) \+- ([\d.e+-]+)"
# What the quick run solves instead of the page's range, and what it must find there.
QUICK = {"three_tokens": ("(1.0, 1.4)", "first-order (positional / semantic)"),
         "rank_two": ("(1.2, 2.2)", "baseline-crossing (mixed / linear positional)")}  # fmt: skip


def blocks(page: str) -> list[tuple[str, str]]:
    text = (DOCS / "examples" / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(r"^```(python|text)\n(.*?)^```$", text, flags=re.M | re.S)


def printed(code: str) -> str:
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code, "page", "exec"), {"SobolRule": SobolRule})
    return output.getvalue()


def found(text: str) -> dict[str, list[tuple[float, float]]]:
    values: dict[str, list[tuple[float, float]]] = {}
    for name, alpha, error in re.findall(NUMBER, text):
        values.setdefault(name, []).append((float(alpha), float(error)))
    return values


@pytest.mark.slow
@pytest.mark.parametrize("page", ["three_tokens", "rank_two"])
def test_the_pages_code_finds_its_transition_on_a_coarse_rule(page):
    (_, code), (_, shown) = blocks(page)[:2]
    reach, name = QUICK[page]
    code = re.sub(r"alpha=\([\d., ]+\), points=24", f"alpha={reach}, points=4, {COARSE}", code)
    code = code.replace('diagram.reasons["alpha_l"]', "diagram.reasons")
    (alpha, error), (expected, fine) = found(printed(code))[name][0], found(shown)[name][0]
    assert error < 0.1
    assert abs(alpha - expected) < 3 * (error + fine)


@pytest.mark.measurement
@pytest.mark.parametrize("page", list(QUICK))
def test_the_pages_code_prints_what_it_shows(page):
    (_, code), (_, shown) = blocks(page)[:2]
    here, expected = found(printed(code)), found(shown)
    assert here.keys() == expected.keys()
    for name, rows in expected.items():
        for (alpha, error), (value, own) in zip(here[name], rows, strict=True):
            assert abs(alpha - value) <= error + own


@pytest.mark.slow
def test_a_mixed_start_is_compared_with_the_mixed_solution():
    model = AttentionModel.paper(omega=0.3, rank=2)
    diagram = solve_phase_diagram(model, alpha=(1.8, 2.2), points=3, rule=SobolRule(points=32, scrambles=4))
    point = theory_point(diagram, "mixed", 2.0)
    assert point.exists
    assert (point.branch, point.stable) == ("mixed", True)
    # Both overlaps differ from zero, and it is the best of all solutions.
    assert min(point.values["positional_overlap"], point.values["semantic_overlap"]) > 0.1
    assert all(point.values["train_loss"] <= branch.at(2.0).train_loss
               for branch in diagram.branches.values() if branch.distinct.all())  # fmt: skip
    comparison = compare_with_theory(
        diagram, (2.0,), starts=("mixed",), dimensions=(60,), seeds=2,
        training=replace(INTO_THE_BASIN, test_samples=50),
    )  # fmt: skip
    assert "mixed start against the mixed branch" in comparison.verdict()
    assert comparison.plot().axes


@pytest.mark.parametrize(
    ("model", "start", "alpha", "allowance"),
    [
        # Coefficients c of c/d: from the pages' means at d = 500 and 1000, of other data sets than here.
        (
            AttentionModel(omega=0.3, positional_encoding=(1, 1, -1),
                           positional_matrix=[[0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [0.15, 0.15, 0.7]]),
            "semantic", 1.5,
            {"self_overlap": 1.8, "semantic_overlap": 1.35, "train_loss": 0.28, "test_error": 0.145},
        ),
        (AttentionModel.paper(omega=0.3, rank=2), "mixed", 2.0,
         {"self_overlap_2": 0.25, "positional_overlap": 1.8, "train_loss": 0.05, "test_error": 0.02}),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "dimension",
    [pytest.param(500, marks=pytest.mark.slow), pytest.param(1000, marks=pytest.mark.measurement)],
)
def test_gradient_descent_agrees_within_three_standard_errors(model, start, alpha, allowance, dimension):
    # A rough diagram says which solution it is, a fine rule its numbers.
    diagram = solve_phase_diagram(
        model, alpha=(0.97 * alpha, 1.03 * alpha), points=3, rule=SobolRule(points=64, scrambles=4)
    )  # fmt: skip
    chosen = theory_point(diagram, start, alpha)
    assert (chosen.branch, chosen.stable) == (start, True)
    point = find_point(StateEvolution(model), start, alpha)
    assert point.stable
    assert all(abs(point.order_parameters[name] - value) < 0.1 * abs(value) + 1e-3
               for name, value in chosen.values.items() if name in point.order_parameters)  # fmt: skip
    overlaps = overlap_invariants(model.structure.layout, point.order_parameters)
    theory = {**overlaps, **point.order_parameters, "train_loss": point.train_loss, "test_error": point.test_error}
    comparison = compare_at(
        model, Prediction(alpha, theory, allowance_coefficients=allowance), start, dimension, range(300, 312),
        training=replace(INTO_THE_BASIN, dtype="float32"), spherical_teacher=True,
    )  # fmt: skip
    for quantity in comparison.quantities:
        # Standard errors are estimated from the seeds: a normal deviate, as verdicts have it.
        distance = float(significance(quantity.deviation_beyond_allowance, len(quantity.values) - 1))
        assert abs(distance) < 3.0, quantity.name
    assert comparison["train_loss"].standard_error < 0.03 * theory["train_loss"]


@pytest.mark.slow
def test_a_random_start_leads_to_the_mixed_minimum_however_long_it_stays_on_the_plateau():
    model = AttentionModel.paper(omega=0.3, rank=2)

    def trained(start, training: Training):
        return simulate(model, start, 2.0, 500, 7, training=replace(training, dtype="float32"), spherical_teacher=True)

    early = trained("random", Training(steps=1500))
    late = trained(early.student, Training(method="l-bfgs"))
    best = trained("mixed", INTO_THE_BASIN)
    assert early.train_loss > 1.15 * best.train_loss
    assert late.train_loss == pytest.approx(best.train_loss, rel=1e-5)
    assert late.invariants == pytest.approx(best.invariants, rel=1e-3)
