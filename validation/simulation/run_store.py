"""Many training runs: on any executor, kept as they finish, and not repeated when asked for again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from replica.common.by_value import ShortText, exact_text
from replica.common.files import prepare_folder, write_atomically
from replica.quantities.layout import Layout
from replica.quantities.loss_structure import LossStructure
from replica.quantities.solvable_model import Model
from validation.simulation.compared import compared_names, compared_values
from validation.simulation.simulate import simulate
from validation.simulation.training import AS_PUBLISHED, Training

__all__ = ["RunRecord", "RunTask", "collect_runs", "recorded_names", "run_task"]

# Part of every key: to be raised when a change of the simulator, or of a default of training, changes its results.
FORMAT = 1


def recorded_names(layout: Layout) -> tuple[str, ...]:
    """Return what is kept of a run, by name."""
    return (*compared_names(layout), "gradient_norm", "test_error_standard_error")


@dataclass(frozen=True, repr=False)
class RunTask(ShortText):
    """One training run, with all that its result depends on.

    Attributes
    ----------
    model, start, alpha, dimension, seed, training, spherical_teacher
        See :func:`~validation.simulation.simulate.simulate`.
    """

    model: Model
    start: str
    alpha: float
    dimension: int
    seed: int
    training: Training = AS_PUBLISHED
    spherical_teacher: bool = False

    @property
    def key(self) -> str:
        """Digest of everything that the result depends on: the name under which it is kept."""
        place = (_model_text(self.model), self.start, repr(float(self.alpha)), self.dimension, self.seed)
        told = (FORMAT, *place, self._settings)
        return hashlib.sha256(repr(told).encode()).hexdigest()[:32]

    @property
    def _settings(self) -> tuple[tuple[str, object], ...]:
        """Pairs that say how the run is made; what is left at its default is left out, but for the method.

        So a setting that training gets later leaves the keys of runs without it as they are.
        """
        chosen = {entry.name: getattr(self.training, entry.name) for entry in fields(Training)
                  if getattr(self.training, entry.name) != entry.default}  # fmt: skip
        told = {"method": self.training.method, **chosen, "spherical_teacher": self.spherical_teacher}
        return tuple(sorted(told.items()))


def _model_text(model: Model) -> str:
    """Return all that a model is: of a loss that was written what files hold, for its own text is rounded."""
    if isinstance(model.structure, LossStructure):
        return json.dumps(model.to_dict(), sort_keys=True)
    return exact_text(model)


@dataclass(frozen=True)
class RunRecord:
    """What is kept of a run.

    Attributes
    ----------
    values
        By :func:`recorded_names`: what is compared, the gradient's norm and the standard error of the test error;
        nan in all if the run failed.
    outcome
        "finished", or in words why there is no result.
    """

    values: Mapping[str, float]
    outcome: str = "finished"


def run_task(task: RunTask) -> RunRecord:
    """Run one task, on one thread, so that its result depends neither on the executor nor on what else runs."""
    names = recorded_names(task.model.structure.layout)
    # A run that diverges overflows first, and says so in its outcome.
    with threadpool_limits(limits=1), np.errstate(over="ignore", invalid="ignore"):
        try:
            run = simulate(
                task.model, task.start, task.alpha, task.dimension, task.seed,
                training=task.training, spherical_teacher=task.spherical_teacher,
            )  # fmt: skip
        except FloatingPointError as failure:
            return RunRecord(dict.fromkeys(names, float("nan")), str(failure))
    found = compared_values(run)
    return RunRecord({name: float(found[name] if name in found else getattr(run, name)) for name in names})


def collect_runs(
    tasks: Sequence[RunTask],
    *,
    executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
    report: Callable[[], object] = lambda: None,
) -> dict[RunTask, RunRecord]:
    """Run tasks, and return what is finished.

    Parameters
    ----------
    tasks
        What to run.
    executor
        Any :class:`concurrent.futures.Executor`; without one, runs follow each other in this process.
    folder
        Where each run is kept as it finishes. Those that are there already are read instead of run.
    report
        Called after every run.

    Returns
    -------
    dict
        Records by task; after Ctrl-C, of the tasks that were finished.

    Raises
    ------
    ValueError
        If the folder cannot be written.
    """
    kept = None if folder is None else prepare_folder(folder)
    records: dict[RunTask, RunRecord] = {}
    missing = []
    for task in dict.fromkeys(tasks):
        found = None if kept is None else _read(kept / f"{task.key}.json", recorded_names(task.model.structure.layout))
        if found is None:
            missing.append(task)
        else:
            records[task] = found
            report()
    try:
        for task, record in _finished(missing, executor):
            records[task] = record
            if kept is not None:
                content = {"task": exact_text(task), "values": dict(record.values), "outcome": record.outcome}
                write_atomically(kept / f"{task.key}.json", json.dumps(content, indent=1))
            report()
    except KeyboardInterrupt:
        pass
    return records


def _finished(tasks: Sequence[RunTask], executor: Executor | None) -> Iterator[tuple[RunTask, RunRecord]]:
    """Yield tasks and their records as they finish; what has not begun is cancelled if the caller stops."""
    if executor is None:
        for task in tasks:
            yield task, run_task(task)
        return
    futures: dict[Future[RunRecord], RunTask] = {executor.submit(run_task, task): task for task in tasks}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        for future in futures:
            future.cancel()


def _read(path: Path, names: Sequence[str]) -> RunRecord | None:
    """Return a kept record; None where there is none, or not a whole one."""
    try:
        content = json.loads(path.read_text())
        values = {name: float(content["values"][name]) for name in names}
        return RunRecord(values, str(content["outcome"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
