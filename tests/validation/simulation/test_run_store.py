"""Many training runs: kept, not repeated, and the same on every executor."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from replica import AttentionModel
from validation import Training, simulate, simulate_runs
from validation.simulation.run_store import RunTask, collect_runs, run_task

MODEL = AttentionModel.paper(omega=0.3)
TRAINING = Training(method="l-bfgs", test_samples=200)


def tasks(count: int = 3) -> list[RunTask]:
    return [RunTask(MODEL, "semantic", 1.5, 40, seed, TRAINING, True) for seed in range(count)]


def test_a_record_holds_what_the_simulator_returns():
    record = run_task(tasks(1)[0])
    run = simulate(MODEL, "semantic", 1.5, 40, 0, training=TRAINING, spherical_teacher=True)
    assert record.outcome == "finished"
    for name, value in record.values.items():
        assert value == pytest.approx(getattr(run, name), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("pool", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_results_do_not_depend_on_the_executor(pool):
    alone = collect_runs(tasks())
    with pool(2) as executor:
        together = collect_runs(tasks(), executor=executor)
    assert together == alone


def test_kept_runs_are_read_and_only_the_missing_ones_made(tmp_path):
    first = collect_runs(tasks(2), folder=tmp_path)
    marked = tmp_path / f"{tasks(1)[0].key}.json"
    content = json.loads(marked.read_text())
    content["values"]["train_loss"] = 42.0
    marked.write_text(json.dumps(content))
    again = collect_runs(tasks(3), folder=tmp_path)
    assert again[tasks(1)[0]].values["train_loss"] == 42.0
    assert again[tasks(2)[1]] == first[tasks(2)[1]]
    assert len(list(tmp_path.glob("*.json"))) == 3


def test_half_a_file_is_not_read(tmp_path):
    task = tasks(1)[0]
    whole = collect_runs([task], folder=tmp_path)[task]
    (tmp_path / f"{task.key}.json").write_text('{"values": {"self_ov')
    assert collect_runs([task], folder=tmp_path)[task] == whole


@pytest.mark.parametrize(
    "change",
    [
        {"model": AttentionModel.paper(omega=0.31)},
        {"model": replace(MODEL, positional_matrix=[[0.5, 0.5], [0.5, 0.5]])},
        {"start": "positional"},
        {"alpha": 1.5 + 1e-15 * 4},
        {"dimension": 41},
        {"seed": 1},
        {"training": replace(TRAINING, method="adam")},
        {"training": replace(TRAINING, dtype="float32")},
        {"training": replace(TRAINING, polish=True)},
        {"training": replace(TRAINING, steps=3)},
        {"spherical_teacher": False},
    ],
)
def test_everything_that_changes_a_result_changes_its_key(change):
    task = tasks(1)[0]
    assert replace(task, **change).key != task.key


def test_the_same_run_has_one_key_however_it_is_asked_for():
    written_out = Training(method="l-bfgs", test_samples=200, learning_rate=None, gradient_tolerance=0, polish=False)
    assert replace(tasks(1)[0], training=written_out).key == tasks(1)[0].key
    keys = {replace(tasks(1)[0], training=Training(dtype=kind)).key for kind in ("float32", np.float32, np.dtype("f4"))}
    assert len(keys) == 1


def test_an_interruption_keeps_what_is_finished(tmp_path):
    counted = itertools.count(1)

    def stop_after_two() -> None:
        if next(counted) == 2:
            raise KeyboardInterrupt

    records = collect_runs(tasks(3), folder=tmp_path, report=stop_after_two)
    assert len(records) == 2
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_a_run_that_diverges_is_data():
    training = Training(learning_rate=500.0, steps=400, test_samples=50)
    runs, complete = simulate_runs(MODEL, (1.5,), starts=("semantic",), dimensions=(30,), seeds=2, training=training)
    assert complete
    assert np.isnan(runs["train_loss"]).all()
    assert all("diverged" in outcome for outcome in runs["outcome"].values.ravel())


def test_runs_are_labelled_by_what_they_are():
    training = Training(method="l-bfgs", test_samples=100)
    runs, complete = simulate_runs(
        MODEL, (2.0, 1.0), starts=("positional", "semantic"), dimensions=(40, 30), seeds=(7, 3), training=training,
    )  # fmt: skip
    assert complete
    assert runs["train_loss"].dims == ("start", "dimension", "alpha", "seed")
    assert runs["alpha"].values.tolist() == [1.0, 2.0]
    assert runs["dimension"].values.tolist() == [30, 40]
    alone = run_task(RunTask(MODEL, "semantic", 2.0, 30, 3, training))
    here = runs.sel(start="semantic", alpha=2.0, dimension=30, seed=3)
    assert float(here["train_loss"]) == alone.values["train_loss"]
    assert float(here["semantic_overlap"]) == alone.values["semantic_overlap"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"alphas": (1.0, -2.0)}, "-2.0"),
        ({"alphas": ()}, "alpha"),
        ({"alphas": (1.0, 1.0)}, "once"),
        ({"starts": "semantic"}, "the string 'semantic'"),
        ({"starts": ("teacher",)}, "'teacher'"),
        ({"dimensions": (0,)}, "0"),
        ({"seeds": 1}, "1"),
        ({"seeds": (2, 2)}, "distinct"),
        ({"seeds": (-1, 2)}, "-1"),
    ],
)
def test_misuse_is_refused_before_any_run(arguments, said):
    with pytest.raises(ValueError, match=said):
        simulate_runs(MODEL, **{"alphas": (1.0,), **arguments})
