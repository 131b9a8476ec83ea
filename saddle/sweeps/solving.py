"""Solve many models, on any executor."""

from __future__ import annotations

import contextlib
import itertools
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future, as_completed
from dataclasses import dataclass
from typing import Any

from replica.common.checked_arguments import checked_instance, checked_items, quoted
from replica.common.errors import AttentionPhaseError, InvalidArgument, UnwritableFile
from replica.common.files import prepare_folder
from replica.common.progress import checked_progress, progress_bar
from replica.quantities.solvable_model import Model, require_model
from saddle.branches.search.informed_starts import informed_states
from saddle.diagram.solve_arguments import SolveArguments, checked_solve
from saddle.diagram.solve_settings import SolveSettings
from saddle.phase_diagram import PhaseDiagram, solve_phase_diagram
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.sweeps.model_sweep import INTERRUPTED, ModelSweep, SweptModel
from saddle.sweeps.store import DiagramStore

__all__ = ["solve_many"]

DEFAULT = SolveSettings()


@dataclass(frozen=True)
class _Task:
    """One model and how it is asked for."""

    model: Model
    arguments: SolveArguments


def solve_many(
    models: Sequence[Model],
    alpha: Sequence[float] = (0.01, 3.0),
    *,
    points: int | Sequence[float] = 48,
    settings: SolveSettings = DEFAULT,
    executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> ModelSweep:
    """Solve the phase diagrams of many models.

    Parameters
    ----------
    models
        The models, of any structures; several that are equal are solved once.
    alpha, points
        As for :func:`saddle.solve_phase_diagram`.
    settings
        Tolerance, rule and threads; the others do not matter here. On an executor every model is solved on one thread.
    executor
        Any :class:`concurrent.futures.Executor`: a process pool, Dask's ``Client.get_executor()``, mpi4py's
        ``MPIPoolExecutor``. Without one, models are solved here, one after the other. Results do not depend on it.
    folder
        Where each diagram is kept as it is finished. Those that are there already are read instead of solved, so that
        a second call goes on where one was stopped. None keeps nothing.
    progress
        Show a progress bar on standard error; None shows it in a terminal or a notebook, but not in a log.

    Returns
    -------
    ModelSweep
        For every model a diagram, or in words why there is none. After Ctrl-C, what was finished.

    Raises
    ------
    ValueError
        If an argument is none of its kind or out of range, a rule does not fit a model, or the folder cannot be
        written. Nothing is solved then.

    Notes
    -----
    Kernels are derived and compiled here, once per structure, before models are handed out: processes on this machine
    find them in the cache. A worker on another machine has a cache of its own, and compiles its first model of each
    structure.

    A line of transitions (:func:`saddle.solve_transition_line`) says more about one parameter in less time than a
    sweep over it; a sweep is for models that no line connects, and for whole diagrams.

    Examples
    --------
    >>> from replica import AttentionModel
    >>> models = [AttentionModel.paper(omega=omega) for omega in (0.2, 0.3)]
    >>> sweep = solve_many(models, (0.5, 2.0), points=3, settings=SolveSettings(tolerance=1e-2))
    >>> [f"{one.diagram.alpha_c.alpha:.2f}" for one in sweep]
    ['0.95', '1.25']
    """
    checked_instance("settings", settings, SolveSettings, "a SolveSettings, such as SolveSettings(tolerance=1e-3)")
    if executor is not None:
        checked_instance("executor", executor, Executor, "an Executor or None")
    shown = checked_progress(progress)
    threads = settings.threads if executor is None else 1
    tasks = [
        _Task(model, _checked(place, model, alpha, points, settings, threads))
        for place, model in enumerate(checked_items("models", models, "a sequence of models"))
    ]
    store = None if folder is None else DiagramStore(prepare_folder(folder))
    solved: dict[_Task, SweptModel] = {}
    with progress_bar(len(set(tasks)), shown, "models", "model") as bar:
        try:
            missing = []
            for task in dict.fromkeys(tasks):
                known = None if store is None else store.read(task.model, task.arguments)
                if known is None:
                    missing.append(task)
                else:
                    solved[task] = SweptModel(task.model, known)
                    bar.update()
            for task, one in _finished(missing, executor):
                solved[task] = one
                if store is not None and one.diagram is not None:
                    store = _kept(store, one.diagram, task.arguments)
                bar.update()
                if one.diagram is not None and not one.diagram.complete and executor is None:
                    # A solve ends at Ctrl-C with what it has, and does not raise.
                    break
        except KeyboardInterrupt:
            pass
    return ModelSweep(tuple(solved.get(task, SweptModel(task.model, None, INTERRUPTED)) for task in tasks))


def _checked(place: int, model: Any, alpha: Any, points: Any, settings: SolveSettings, threads: int) -> SolveArguments:
    try:
        require_model(model, "the compiled solver")
    except InvalidArgument as error:
        raise InvalidArgument(f"models[{place}]: {error}") from None
    return checked_solve(model, alpha, points, "down", settings.tolerance, settings.rule, threads)


def _kept(store: DiagramStore, diagram: PhaseDiagram, arguments: SolveArguments) -> DiagramStore | None:
    """Keep a diagram; where that fails, say so, and try no more: what is solved is returned all the same."""
    try:
        store.keep(diagram, arguments)
    except UnwritableFile as error:
        warnings.warn(f"diagrams are no longer kept: {error}", RuntimeWarning, stacklevel=3)
        return None
    return store


def _solve(task: _Task) -> SweptModel:
    """Solve one model; what fails is data."""
    arguments = task.arguments._asdict()
    try:
        diagram = solve_phase_diagram(task.model, **arguments)
    except Exception as failure:  # noqa: BLE001  one model's bug must not end the others
        return SweptModel(task.model, None, f"{type(failure).__name__}: {failure}")
    return SweptModel(task.model, diagram)


def _finished(tasks: Sequence[_Task], executor: Executor | None) -> Iterator[tuple[_Task, SweptModel]]:
    """Yield tasks and what became of them as they finish; what has not begun is cancelled if the caller stops."""
    if executor is None:
        for task in tasks:
            yield task, _solve(task)
        return
    _compile(tasks)
    futures: dict[Future[SweptModel], _Task] = {}
    try:
        for task in tasks:
            futures[executor.submit(_solve, task)] = task
    except RuntimeError as error:
        for future in futures:
            future.cancel()
        raise InvalidArgument(f"executor must take work, but {quoted(executor)} does not: {error}") from None
    try:
        for future in as_completed(futures):
            yield futures[future], _result(futures[future], future)
    finally:
        for future in futures:
            future.cancel()


def _result(task: _Task, future: Future[SweptModel]) -> SweptModel:
    """Return a worker's result, or in words what became of the worker."""
    try:
        return future.result()
    except (Exception, CancelledError) as failure:  # noqa: BLE001  whatever an executor raises for a lost worker
        return SweptModel(task.model, None, f"{type(failure).__name__}: {failure}")


def _compile(tasks: Sequence[_Task]) -> None:
    """Derive and compile the kernel of every structure, so that no two workers do."""
    for model in {task.model.structure: task.model for task in tasks}.values():
        evolution = StateEvolution(model, threads=1)
        # What cannot be derived or evaluated fails again where it is solved, and is data there.
        with contextlib.suppress(AttentionPhaseError):
            for state in itertools.islice(informed_states(evolution, evolution.sectors[-1]), 1):
                _ = evolution.evaluate(state, 1.0).free_entropy
