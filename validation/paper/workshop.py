"""What the figures of the paper are made from: diagrams, lines and training runs, each computed once and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from replica import AttentionModel
from replica.common.by_value import exact_text
from replica.common.progress import progress_bar
from saddle import PhaseDiagram, SolveSettings, TransitionLine, solve_phase_diagram, solve_transition_line
from validation.comparison.compare import TheoryComparison, compare_with_theory
from validation.paper.settings import FIRST_SEED, PaperSettings
from validation.simulation.execution import Execution
from validation.simulation.run_grid import simulate_runs
from validation.simulation.training import INTO_THE_BASIN

__all__ = ["Workshop"]


@dataclass(frozen=True)
class Workshop:
    """Computes what figures need, and keeps it in a folder, so that a second start goes on from the first.

    Attributes
    ----------
    settings
        How much is computed.
    folder
        Diagrams are kept here, and training runs in a folder ``runs`` below it.
    executor
        Where diagrams, lines and training runs are computed, with one thread each; None for this process.
    threads
        Threads of the solver without an executor; 0 for one per core.
    progress
        Show progress bars on standard error.
    """

    settings: PaperSettings
    folder: Path
    executor: Executor | None = None
    threads: int = 0
    progress: bool = False

    def prepare(self, models: Iterable[AttentionModel]) -> None:
        """Solve the phase diagrams of models that are not kept yet, on the executor.

        Raises
        ------
        KeyboardInterrupt
            If solving one was interrupted: half a diagram is of no use here.
        """
        missing = {model: self._path(model) for model in models if not self._path(model).exists()}
        if self.executor is None:
            for model, path in missing.items():
                _solve(model, path, self.settings, self.threads, self.progress)
            return
        # One thread each: there are about as many of them at a time as cores.
        futures = [self.executor.submit(_solve, *pair, self.settings, 1, False) for pair in missing.items()]
        self._wait(futures, "solving")

    def diagram(self, model: AttentionModel) -> PhaseDiagram:
        """Return a model's phase diagram, solved or read.

        Raises
        ------
        KeyboardInterrupt
            If solving it was interrupted.
        """
        path = self._path(model)
        self.prepare([model])
        try:
            return PhaseDiagram.load(path)
        except ValueError:
            # From another version, or not whole: made anew.
            path.unlink()
        self.prepare([model])
        return PhaseDiagram.load(path)

    def lines(self, diagrams: Sequence[PhaseDiagram], transitions: Sequence[str]) -> dict[str, TransitionLine]:
        """Return lines of transitions over the omegas of some diagrams, each started from one that has it.

        Those that no diagram has, or that could not be followed, are left out.

        Raises
        ------
        KeyboardInterrupt
            If following one was interrupted.
        """
        starts = {}
        for name in transitions:
            having = [diagram for diagram in diagrams if name in diagram.transitions]
            if having:
                starts[name] = having[len(having) // 2].model
        omegas = [diagram.attention_model.omega for diagram in diagrams]
        tasks = [(self._path(model), name, (min(omegas), max(omegas))) for name, model in starts.items()]
        if self.executor is None:
            found = [_follow(*task, self.settings, self.threads, self.progress) for task in tasks]
        else:
            futures = [self.executor.submit(_follow, *task, self.settings, 1, False) for task in tasks]
            found = self._wait(futures, "following lines")
        if not all(line.complete for line in found):
            raise KeyboardInterrupt
        return {name: line for name, line in zip(starts, found, strict=True) if len(line)}

    @property
    def _execution(self) -> Execution:
        return Execution(executor=self.executor, folder=self.folder / "runs", progress=self.progress)

    def _path(self, model: AttentionModel) -> Path:
        """Return where a model's diagram is kept."""
        told = exact_text((model, self.settings.alpha, self.settings.points, self.settings.tolerance))
        return self.folder / f"diagram_{hashlib.sha256(told.encode()).hexdigest()[:16]}.nc"

    def _wait(self, futures: Sequence[Future[Any]], what: str) -> list[Any]:
        """Return the results of futures in order, with a progress bar; what has not begun is cancelled on Ctrl-C."""
        try:
            with progress_bar(len(futures), self.progress and bool(futures), what, "task") as bar:
                for _ in as_completed(futures):
                    bar.update()
        finally:
            for future in futures:
                future.cancel()
        return [future.result() for future in futures]

    def comparison(
        self,
        diagram: PhaseDiagram,
        alphas: Sequence[float],
        seeds: int,
        *,
        dimensions: Iterable[int] | None = None,
    ) -> TheoryComparison:
        """Return training runs of a diagram's model beside it.

        Raises
        ------
        KeyboardInterrupt
            If the runs were interrupted; those that are finished are kept.
        """
        compared = compare_with_theory(
            diagram, alphas, dimensions=dimensions or (self.settings.dimension,), seeds=_seeds(seeds),
            training=INTO_THE_BASIN, spherical_teacher=True, execution=self._execution,
        )  # fmt: skip
        if not compared.complete:
            raise KeyboardInterrupt
        return compared

    def runs(self, model: AttentionModel, alphas: Sequence[float], dimension: int, seeds: int) -> xr.Dataset:
        """Return training runs of a model, dimensions (start, dimension, alpha, seed).

        Raises
        ------
        KeyboardInterrupt
            If they were interrupted; those that are finished are kept.
        """
        runs, complete = simulate_runs(
            model, alphas, dimensions=(dimension,), seeds=_seeds(seeds),
            training=INTO_THE_BASIN, spherical_teacher=True, execution=self._execution,
        )  # fmt: skip
        if not complete:
            raise KeyboardInterrupt
        return runs


def _solve(model: AttentionModel, path: Path, settings: PaperSettings, threads: int, progress: bool) -> None:
    """Solve a phase diagram and keep it."""
    solved = solve_phase_diagram(
        model, settings.alpha, points=settings.points, tolerance=settings.tolerance, threads=threads, progress=progress
    )
    if not solved.complete:
        raise KeyboardInterrupt
    solved.save(path)


def _follow(
    path: Path, transition: str, between: tuple[float, float], settings: PaperSettings, threads: int, progress: bool
) -> TransitionLine:
    """Follow a transition over omega from a diagram that is kept."""
    start = PhaseDiagram.load(path)
    return solve_transition_line(
        start.model, transition, "omega", between, points=settings.line_points, diagram=start,
        settings=SolveSettings(settings.tolerance, threads=threads, progress=progress),
    )  # fmt: skip


def _seeds(count: int) -> range:
    return range(FIRST_SEED, FIRST_SEED + count)
