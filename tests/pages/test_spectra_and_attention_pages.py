"""The pages on unequal variances, a power law and other attention: their code, transitions and experiments."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from replica import AttentionModel, Spectrum, SpectrumAtom
from saddle import Outcome, solve_phase_diagram
from tests.models.linear_mixture import linear_mixture
from validation import INTO_THE_BASIN, compare_with_theory
from validation.comparison.theory_points import theory_point
from validation.simulation.coordinates import model_coordinates, sampled_model

PAGES = Path(__file__).resolve().parents[2] / "docs" / "examples"
CALL = re.compile(r"solve_phase_diagram\((\w+)[^)]*\)")
TRANSITION = re.compile(r"^(.+) at alpha = ([\d.]+) \+- ([\d.e+-]+)$", flags=re.M)
POWER_LAW = AttentionModel(omega=0.3, spectrum=Spectrum.power_law(0.5, tokens=2, largest=3.0))


@cache
def run(page: str, settings: str) -> tuple[list[str], dict[str, Any]]:
    """Return what each of a page's blocks prints, its diagrams solved with other settings, and what they define."""
    names: dict[str, Any] = {}
    printed = []
    for block in re.findall(r"^```python\n(.*?)^```$", (PAGES / page).read_text(encoding="utf-8"), flags=re.M | re.S):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(CALL.sub(rf"solve_phase_diagram(\1{settings})", block), page, "exec"), names)
        printed.append(output.getvalue())
    return printed, names


def transitions(text: str) -> list[tuple[str, float, float]]:
    return [(name, float(alpha), float(error)) for name, alpha, error in TRANSITION.findall(text)]


ROUGHLY = {
    "unequal_variances.md": ", alpha=(2.1, 2.4), points=3, tolerance=2e-2",
    "power_law.md": ", alpha=(0.1, 0.8), points=6, tolerance=5e-3",
    "linear_attention.md": ", alpha=(0.8, 1.0), points=3, tolerance=2e-2",
}


@pytest.mark.slow
@pytest.mark.parametrize("page", ROUGHLY)
def test_code_runs_and_finds_transitions_of_the_page(page):
    printed, _ = run(page, ROUGHLY[page])
    found = transitions("".join(printed))
    shown = transitions((PAGES / page).read_text(encoding="utf-8"))
    # Thresholds that are close together may be missed, others not: every model has one in its range.
    assert len(found) >= sum(text.count("first-order") + text.count("fold") for text in printed) >= 1
    for name, alpha, _ in found:
        # Rough settings: a per cent or two. That every name is on the page says that branches keep their names.
        assert any(name == other and abs(alpha / there - 1) < 0.02 for other, there, _ in shown), (name, alpha)


@pytest.mark.measurement
@pytest.mark.parametrize("page", ["unequal_variances.md", "power_law.md", "linear_attention.md"])
def test_code_prints_the_transitions_of_the_page(page):
    text = (PAGES / page).read_text(encoding="utf-8")
    printed, _ = run(page, "")
    shown = transitions(text)
    again = transitions("".join(printed))
    # The page on linear attention uses a finer rule than the default one here.
    pairs = [(one, other) for one in again for other in shown if abs(one[1] - other[1]) < 3 * (one[2] + other[2])]
    assert len(again) == len(shown) == len(pairs)
    assert {one[0].split(" (")[0] for one, _ in pairs} == {other[0].split(" (")[0] for _, other in pairs}


def test_pitchfork_past_a_fold_belongs_to_the_piece_that_it_is_on():
    _, names = run("power_law.md", ROUGHLY["power_law.md"])
    diagram = names["diagram"]
    born = next(t for t in diagram.bifurcations if t.between[1] == "mixed")
    # m = 0.044 there: the stable positional solution has 0.21, the one past the fold this.
    assert born.between[0] == "positional from fold"
    m = {name: abs(diagram.branches[name].at(born.alpha).order_parameters["positional_overlap"])
         for name in ("positional", "positional from fold")}  # fmt: skip
    assert m["positional from fold"] == pytest.approx(abs(born.points[0].order_parameters[1]), rel=0.05)
    assert m["positional"] > 3 * m["positional from fold"]


def test_branch_is_not_compared_with_where_it_was_not_found():
    _, names = run("power_law.md", ROUGHLY["power_law.md"])
    diagram = names["diagram"]
    branch = diagram.branches["positional"]
    assert theory_point(diagram, "positional-informed", 0.35).exists
    cut = [old if alpha > 0.6 else Outcome.LOST for old, alpha in zip(branch.outcome, branch.alpha, strict=True)]
    others = {name: one for name, one in diagram.branches.items() if name != "positional from fold"}
    others["positional"] = replace(branch, outcome=tuple(cut))
    lost = replace(diagram, branches=others)
    point = theory_point(lost, "positional-informed", 0.35)
    assert (point.branch, point.exists) == ("agnostic", False)
    assert theory_point(lost, "positional-informed", 0.7).exists


@pytest.mark.parametrize("dimension", [500, 1000])
def test_data_have_the_sampled_spectrum_exactly(dimension):
    sampled = sampled_model(POWER_LAW, 500)
    assert isinstance(sampled.spectrum, Spectrum)
    coordinates = model_coordinates(sampled, dimension)
    counts = np.array([part.stop - part.start for part in coordinates.ranges])
    np.testing.assert_array_equal(counts, np.round(dimension * sampled.spectrum.weights))
    np.testing.assert_allclose(counts / dimension, sampled.spectrum.weights, rtol=1e-14)
    assert sampled_model(sampled, 500) == sampled
    # What is rounded differs from the model's by less than a coordinate per atom.
    assert abs(np.subtract(sampled.spectrum.token_traces, POWER_LAW.spectrum.token_traces)).max() < 3.0 / 500


def test_sampled_model_of_other_kinds():
    assert sampled_model(AttentionModel.paper(), 10) == AttentionModel.paper()
    along = [[2.0, -2.0], [-2.0, 2.0]]
    atoms = (SpectrumAtom(0.5, (1.0, 1.0), positional_moments=along),
             SpectrumAtom(0.5, (0.1, 0.1), positional_moments=[[0.0, 0.0], [0.0, 0.0]]))  # fmt: skip
    uneven = AttentionModel(omega=0.3, spectrum=Spectrum(atoms))
    assert sampled_model(uneven, 10) == uneven
    with pytest.raises(ValueError, match="must average to the encodings' Gram matrix"):
        sampled_model(uneven, 11)


@pytest.mark.parametrize(
    ("model", "alpha"),
    [
        pytest.param(AttentionModel(omega=0.3, spectrum=Spectrum.isotropic(0.25, 0.16)), 2.5, marks=pytest.mark.slow),
        pytest.param(sampled_model(POWER_LAW, 500), 2.7, marks=pytest.mark.measurement),
        pytest.param(linear_mixture(), 2.0, marks=pytest.mark.measurement),
    ],
    ids=["unequal", "power law", "linear"],
)
def test_gradient_descent_agrees_within_three_standard_errors(model, alpha):
    diagram = solve_phase_diagram(model, alpha=(alpha - 0.1, alpha + 0.1), points=3)
    comparison = compare_with_theory(
        diagram, [alpha], starts=["semantic"], dimensions=(500, 1000), seeds=range(300, 305),
        training=replace(INTO_THE_BASIN, dtype="float32"),
    )  # fmt: skip
    assert comparison.points["semantic", alpha].replica_stable
    assert comparison.agrees, comparison.verdict()
    # A comparison that could not fail would be none: half of theta would be seen.
    judged = comparison.judged.sel(start="semantic", alpha=alpha)
    kept = [q for q in map(str, judged["quantity"].values) if q.startswith(("semantic", "self", "t"))]
    assert (judged["standard_error"] < 0.1 * judged["theory"]).sel(quantity=kept).all()
