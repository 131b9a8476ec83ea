"""Diagrams of losses other than attention's against training: agreement, names, verdicts, copies, the command."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from click.testing import CliRunner

from saddle import Branch, PhaseDiagram, solve_phase_diagram
from saddle.cli import main
from tests.models.multi_index import PHASE_RETRIEVAL, PSEUDO_HUBER, RIDGE
from validation import INTO_THE_BASIN, Execution, Prediction, compare_at, compare_with_theory
from validation.comparison.figures import plot_sizes
from validation.comparison.run_statistics import statistics_of_runs
from validation.comparison.theory_points import start_family, theory_point
from validation.comparison.verdict import disagreements
from validation.simulation.compared import compared_names

MODELS = {"ridge": RIDGE, "pseudo-Huber": PSEUDO_HUBER, "phase retrieval": PHASE_RETRIEVAL}
QUICK = replace(INTO_THE_BASIN, steps=100, test_samples=4000)
# What the family that knows the teacher may be called.
KNOWING = {"semantic", "teacher"}
NAMES = ("self_overlap", "semantic_overlap", "train_loss", "test_error")


@cache
def solved(name: str) -> PhaseDiagram:
    interval = (0.05, 4.0) if name == "phase retrieval" else (1.0, 3.0)
    return solve_phase_diagram(MODELS[name], interval, points=3, progress=False)


def knowing(diagram: PhaseDiagram) -> Branch:
    (found,) = (branch for name, branch in diagram.branches.items() if name in KNOWING)
    return found


@pytest.fixture(scope="module")
def ridge():
    return compare_with_theory(solved("ridge"), (1.0, 2.5), dimensions=(50, 100), seeds=8, training=QUICK)


@pytest.mark.parametrize(("name", "seeds"), [("ridge", 8), pytest.param("pseudo-Huber", 24, marks=pytest.mark.slow)])
def test_regression_agrees_with_theory_from_any_start(name, seeds):
    """Extrapolated in 1/d; the seeds were chosen before anything was seen."""
    comparison = compare_with_theory(
        solved(name), (1.5, 3.0), starts=("semantic", "uninformed"), dimensions=(60, 120),
        seeds=range(700, 700 + seeds), training=QUICK,
    )  # fmt: skip
    assert comparison.agrees, comparison.verdict()
    # A comparison that could not fail would be none.
    largest = comparison.statistics.isel(dimension=-1)
    assert float((largest["standard_error"] / largest["theory"]).max()) < 0.06
    # Convex losses have one minimum, whatever the start.
    runs = comparison.runs["train_loss"]
    np.testing.assert_allclose(runs.sel(start="uninformed"), runs.sel(start="semantic"), rtol=1e-8)


@pytest.mark.slow
def test_phase_retrieval_agrees_with_theory_above_its_jump():
    comparison = compare_with_theory(
        solved("phase retrieval"), (2.0, 3.0), dimensions=(100, 200, 400), seeds=range(700, 712), training=QUICK
    )
    assert list(comparison.runs["start"].values) == ["semantic"]
    assert {point.branch for point in comparison.points.values()} <= KNOWING
    assert comparison.agrees, comparison.verdict()


def test_what_knows_nothing_is_compared_with_what_attracts():
    """Weights that know nothing of the teacher are a minimum below the pitchfork at 2.49, and none above."""
    diagram = solved("phase retrieval")
    layout = diagram.model.structure.layout
    assert [start_family(layout, x) for x in ("random", "uninformed", "semantic")] == ["agnostic"] * 2 + ["semantic"]
    below, above = (theory_point(diagram, "random", alpha) for alpha in (2.0, 3.0))
    assert (below.branch, below.exists, below.stable) == ("agnostic", True, True)
    assert above.branch in KNOWING
    assert (above.exists, above.stable) == (True, True)
    assert below.values["semantic_overlap"] == 0.0
    # Before the fold at 1.33 there is nothing that knows the teacher.
    assert not theory_point(diagram, "semantic", 1.0).exists
    only = compare_with_theory(diagram, (1.0,), dimensions=(40,), seeds=2, training=QUICK)
    assert "theory has no semantic solution here (it has merged with the agnostic one" in only.verdict()
    # Regression has no solution but one, whatever a start knows.
    point = theory_point(solved("ridge"), "random", 1.5)
    assert point.branch in KNOWING
    assert point.exists


def test_a_wrong_theory_is_found_out(ridge):
    """Training with noise of deviation 0.7 against the theory of 0.5."""
    other = solve_phase_diagram(
        replace(MODELS["ridge"], parameters={"noise": 0.5}), (1.0, 3.0), points=3, progress=False
    )
    wrong = compare_with_theory(other, (2.5,), dimensions=(100,), seeds=8, training=QUICK)
    right = replace(wrong, runs=ridge.runs.sel(alpha=[2.5], dimension=[100]))
    assert not np.allclose(right.runs["train_loss"], wrong.runs["train_loss"], rtol=0.1)
    swapped = replace(right, statistics=statistics_of_runs(right.runs, right.points, right.layout))
    assert {x.quantity for x in disagreements(swapped)} >= {"train_loss", "test_error"}
    assert "disagrees: semantic start, alpha = 2.5: training loss" in swapped.verdict()


def test_names_tables_figures_and_copies_are_the_models(ridge):
    assert compared_names(ridge.layout) == NAMES
    assert tuple(ridge.statistics["quantity"].values) == NAMES
    lines = ridge.table().splitlines()
    assert len(lines) == 1 + 3 * 2 * len(NAMES)
    assert len(ridge.plot().axes) == len(plot_sizes(ridge, 1.0).axes) == len(NAMES) + 1
    assert ridge.verdict().startswith("8 seeds, d = 50, 100, extrapolated in 1/d.\nsemantic start against the ")
    again = pickle.loads(pickle.dumps(ridge))
    assert again == ridge
    assert again.verdict() == ridge.verdict()
    assert "starts" in ridge._repr_html_()


def test_runs_are_kept_and_go_on(ridge, tmp_path):
    arguments = {"dimensions": (50, 100), "seeds": 8, "training": QUICK, "execution": Execution(folder=tmp_path)}
    part = compare_with_theory(solved("ridge"), (2.5,), **arguments)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    whole = compare_with_theory(solved("ridge"), (1.0, 2.5), **arguments)
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    assert whole == ridge
    assert part.runs.identical(whole.runs.sel(alpha=[2.5]))


def test_one_point_is_compared_with_its_own_prediction():
    diagram = solved("pseudo-Huber")
    point = knowing(diagram).at(2.0)
    prediction = Prediction.of_point(point)
    assert tuple(prediction.values) == NAMES
    assert prediction.errors["train_loss"] == point.error["free_entropy"]
    q, _, theta = point.evaluation.state
    assert (prediction.values["self_overlap"], prediction.values["semantic_overlap"]) == (q, theta)
    compared = compare_at(MODELS["pseudo-Huber"], prediction, "semantic", 100, range(8), training=QUICK)
    assert compared.largest_deviation < 5.0
    with pytest.raises(ValueError, match="without encodings, got 'positional'"):
        compare_at(MODELS["pseudo-Huber"], prediction, "positional", 100, range(8), training=QUICK)


def test_starts_along_encodings_that_are_not_there_are_refused_before_any_run():
    with pytest.raises(ValueError, match="without encodings, got 'positional-informed'"):
        compare_with_theory(solved("ridge"), (1.0,), starts=("semantic", "positional-informed"))


def test_the_command_simulates_a_models_file(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(MODELS["ridge"].to_dict()))
    arguments = ["simulate", "--model", str(path), "--dimension", "60", "--steps", "50", "--polish", "--seeds", "3"]
    told = CliRunner().invoke(main, [*arguments, "--quiet"])
    assert told.exit_code == 0, told.output
    assert "start semantic, alpha = 1.5, d = 60, 3 seeds" in told.output
    assert all(name in told.output for name in NAMES)
    assert "positional" not in told.output
    (one,) = json.loads(CliRunner().invoke(main, [*arguments, "--json"]).stdout)["comparisons"]
    assert [x["name"] for x in one["quantities"]] == list(NAMES)
    theory = {x["name"]: x["theory"] for x in one["quantities"]}
    known = knowing(solved("ridge")).at(1.5)
    assert theory["train_loss"] == pytest.approx(known.train_loss, rel=1e-3)
    refused = CliRunner().invoke(main, [*arguments, "--start", "positional"])
    assert refused.exit_code == 2
    assert "without encodings, got 'positional'" in refused.output
