"""Many models: the same diagrams wherever they are solved, kept, resumed, and failures as data."""

from __future__ import annotations

import multiprocessing
import pickle
import warnings
from concurrent.futures import Executor, Future, ProcessPoolExecutor

import pytest

from replica import AttentionModel, DerivationError, MultiIndexModel
from saddle import (
    LineRule,
    ModelSweep,
    PhaseDiagram,
    SolveSettings,
    StateEvolution,
    SweptModel,
    solve_many,
    solve_phase_diagram,
)  # fmt: skip
from saddle.sweeps import solving
from saddle.sweeps.model_sweep import INTERRUPTED
from saddle.sweeps.store import DiagramStore

MODELS = [AttentionModel.paper(omega=omega) for omega in (0.2, 0.3)]
ASKED = {"alpha": (1.0, 1.6), "points": 3, "settings": SolveSettings(tolerance=2e-2), "progress": False}


def solve_alone(model: AttentionModel) -> PhaseDiagram:
    return solve_phase_diagram(model, ASKED["alpha"], points=ASKED["points"], tolerance=2e-2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("diagrams")


@pytest.fixture(scope="module")
def swept(folder) -> ModelSweep:
    return solve_many([*MODELS, MODELS[0]], folder=folder, **ASKED)


class Now(Executor):
    """Does at once what it is given, and sends it on a way through bytes as a pool would."""

    def __init__(self, broken: tuple[int, ...] = ()) -> None:
        self.broken, self.given = broken, 0

    def submit(self, function, /, *arguments, **named):
        future: Future = Future()
        self.given += 1
        if self.given - 1 in self.broken:
            future.set_exception(RuntimeError("a worker was lost"))
        else:
            function, arguments = pickle.loads(pickle.dumps((function, arguments)))
            future.set_result(pickle.loads(pickle.dumps(function(*arguments, **named))))
        return future


@pytest.fixture
def unsolvable(monkeypatch):
    """Nothing may be solved."""

    def refuse(model, **arguments):
        raise AssertionError(f"{model} is solved again")

    monkeypatch.setattr(solving, "solve_phase_diagram", refuse)


def test_every_model_has_its_own_diagram_in_the_order_given(swept):
    assert swept.complete
    assert len(swept) == 3
    assert [one.model for one in swept] == [*MODELS, MODELS[0]]
    assert swept[1].diagram == solve_alone(MODELS[1])
    assert swept[0] == swept[2]
    assert swept[0] != swept[1]
    assert swept.failures == {}
    assert swept[1:].diagrams == (swept[1].diagram, swept[2].diagram)
    assert repr(swept) == "<ModelSweep: 3 of 3 models solved>"
    assert str(swept) == "3 of 3 models solved"
    assert len(repr(swept[0])) < 1000


@pytest.mark.slow
def test_processes_find_the_same(swept):
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert solve_many([*MODELS, MODELS[0]], executor=pool, **ASKED) == swept


@pytest.mark.slow
def test_a_cluster_of_two_workers_finds_the_same(swept, tmp_path):
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=str(tmp_path)
    )
    with cluster, distributed.Client(cluster) as client:
        assert solve_many([*MODELS, MODELS[0]], executor=client.get_executor(), **ASKED) == swept


def test_a_second_call_reads_what_the_first_kept(swept, folder, unsolvable):
    assert len(list(folder.iterdir())) == 2
    assert solve_many([*MODELS, MODELS[0]], folder=folder, **ASKED) == swept
    # Threads and progress change no number.
    settings = SolveSettings(tolerance=2e-2, threads=1)
    assert solve_many(MODELS, folder=folder, **{**ASKED, "settings": settings}) == swept[:2]


def test_what_was_asked_otherwise_or_is_damaged_is_solved_again(swept, folder, tmp_path, unsolvable):
    again = solve_many(MODELS, folder=folder, **{**ASKED, "points": 4})
    assert all("is solved again" in why for why in again.failures.values())
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes()[:-8])
    assert len(solve_many(MODELS, folder=tmp_path, **ASKED).failures) == 2


def test_a_model_that_fails_is_data(swept, monkeypatch):
    def fail_at_first(model, **arguments):
        if model == MODELS[0]:
            raise ZeroDivisionError("nothing to divide by")
        return swept[1].diagram

    monkeypatch.setattr(solving, "solve_phase_diagram", fail_at_first)
    found = solve_many(MODELS, **ASKED)
    assert found.failures == {0: "ZeroDivisionError: nothing to divide by"}
    assert found.diagrams == (swept[1].diagram,)
    assert not found.complete
    assert str(found).splitlines() == ["1 of 2 models solved", "model 0: ZeroDivisionError: nothing to divide by"]


def test_a_kernel_that_cannot_be_derived_is_data(swept, monkeypatch):
    def refuse(self):
        raise DerivationError("no symmetry")

    monkeypatch.setattr(StateEvolution, "channel", property(refuse))
    found = solve_many(MODELS, executor=Now(), **ASKED)
    assert set(found.failures) == {0, 1}
    assert "no symmetry" in found.failures[0]


def test_sweeps_are_values(swept):
    failed = ModelSweep((*swept, SweptModel(MODELS[0], None, "ValueError: no")))
    for sweep in (swept, failed, ModelSweep(())):
        again = pickle.loads(pickle.dumps(sweep))
        assert again == sweep
        assert hash(again) == hash(sweep)
        assert str(again) == str(sweep)


def test_a_lost_worker_is_data(swept, monkeypatch):
    monkeypatch.setattr(solving, "_compile", lambda tasks: None)
    monkeypatch.setattr(solving, "solve_phase_diagram", lambda model, **arguments: swept[0].diagram)
    found = solve_many(MODELS, executor=Now(broken=(1,)), **ASKED)
    assert found.failures == {1: "RuntimeError: a worker was lost"}
    assert found[0] == swept[0]


def test_an_interruption_keeps_what_is_finished(swept, tmp_path, monkeypatch):
    def interrupt_at_second(model, **arguments):
        if model == MODELS[1]:
            raise KeyboardInterrupt
        return swept[0].diagram

    monkeypatch.setattr(solving, "solve_phase_diagram", interrupt_at_second)
    found = solve_many(MODELS, folder=tmp_path, **ASKED)
    assert found[0] == swept[0]
    assert found.failures == {1: INTERRUPTED}
    assert len(list(tmp_path.iterdir())) == 1


def test_an_incomplete_diagram_ends_the_sweep_and_is_not_kept(swept, tmp_path, monkeypatch):
    import dataclasses

    partial = dataclasses.replace(swept[0].diagram, complete=False)
    monkeypatch.setattr(solving, "solve_phase_diagram", lambda model, **arguments: partial)
    found = solve_many(MODELS, folder=tmp_path, **ASKED)
    assert found[0].diagram == partial
    assert found.failures == {1: INTERRUPTED}
    assert not found.complete
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_a_warning(swept, tmp_path, monkeypatch):
    from replica.common.errors import UnwritableFile

    def refuse(self, diagram, arguments):
        raise UnwritableFile("no space left")

    monkeypatch.setattr(DiagramStore, "keep", refuse)
    monkeypatch.setattr(solving, "solve_phase_diagram", lambda model, **arguments: swept[0].diagram)
    with pytest.warns(RuntimeWarning, match="no space left") as told:
        found = solve_many(MODELS, folder=tmp_path, **ASKED)
    assert len(told) == 1
    assert len(found.diagrams) == 2


def test_no_models_are_no_error(tmp_path):
    assert solve_many([], folder=tmp_path, **ASKED) == ModelSweep(())
    assert solve_many([], **ASKED).complete


def test_nothing_is_printed_where_there_is_no_terminal_unless_asked(swept, folder, capfd):
    solve_many(MODELS, folder=folder, **{**ASKED, "progress": None})
    assert capfd.readouterr() == ("", "")
    solve_many(MODELS, folder=folder, **{**ASKED, "progress": True})
    printed = capfd.readouterr()
    assert (printed.out, "\r" in printed.err) == ("", False)
    assert printed.err.splitlines()[-1].startswith("models: 2 of 2 model")


CLOSED = ProcessPoolExecutor(1)
CLOSED.shutdown()
LINEAR = MultiIndexModel(lambda z, y: (y[0] - z[0]) ** 2 / 2, 0.1)


@pytest.mark.parametrize(
    ("changes", "quoted"),
    [
        ({"models": MODELS[0]}, "models must be a sequence"),
        ({"models": "paper"}, "'paper'"),
        ({"models": [MODELS[0], 3]}, r"models\[1\].*3"),
        ({"models": [LINEAR, None]}, r"models\[1\]"),
        ({"alpha": (2.0, 1.0)}, "2.0"),
        ({"points": 1}, "1"),
        ({"settings": {"tolerance": 1e-2}}, "settings"),
        ({"executor": "dask"}, "'dask'"),
        ({"executor": CLOSED}, "executor must take work"),
        ({"folder": 3}, "3"),
        ({"progress": 1}, "1"),
        ({"models": [AttentionModel.paper(rank=2)], "settings": SolveSettings(rule=LineRule())}, "rule"),
    ],
)
def test_misuse_raises_at_once(changes, quoted, monkeypatch):
    monkeypatch.setattr(solving, "_solve", lambda task: pytest.fail("something was solved"))
    monkeypatch.setattr(solving, "_compile", lambda tasks: None)
    with warnings.catch_warnings(), pytest.raises(ValueError, match=quoted):
        solve_many(**{"models": MODELS, **ASKED, **changes})


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="file"):
        solve_many(MODELS, folder=tmp_path / "file", **ASKED)
