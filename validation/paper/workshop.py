"""What the figures of the paper are made from: diagrams, lines and training runs, each computed once and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from replica import AttentionModel
from saddle import PhaseDiagram, TransitionLine, solve_phase_diagram, solve_transition_line
from validation.paper.settings import FIRST_SEED, PaperSettings
from validation.run_grid import simulate_runs
from validation.theory_comparison import TheoryComparison, compare_with_theory

__all__ = ["Workshop"]

SIMULATED = {"method": "l-bfgs", "spherical_teacher": True}


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
        Where training runs are done; None for this process.
    threads
        Threads of the solver; 0 for one per core.
    progress
        Show progress bars on standard error.
    """

    settings: PaperSettings
    folder: Path
    executor: Executor | None = None
    threads: int = 0
    progress: bool = False

    def diagram(self, model: AttentionModel) -> PhaseDiagram:
        """Return a model's phase diagram, solved or read.

        Raises
        ------
        KeyboardInterrupt
            If solving it was interrupted: half a diagram is of no use here.
        """
        settings = self.settings
        told = repr((model, settings.alpha, settings.points, settings.tolerance))
        path = self.folder / f"diagram_{hashlib.sha256(told.encode()).hexdigest()[:16]}.nc"
        if path.exists():
            try:
                return PhaseDiagram.load(path)
            except ValueError:
                # From another version, or not whole: made anew.
                path.unlink()
        solved = solve_phase_diagram(
            model, settings.alpha, points=settings.points, tolerance=settings.tolerance, threads=self.threads,
            progress=self.progress,
        )  # fmt: skip
        if not solved.complete:
            raise KeyboardInterrupt
        solved.save(path)
        return solved

    def line(self, diagrams: Sequence[PhaseDiagram], transition: str) -> TransitionLine | None:
        """Return the line of a transition over the omegas of some diagrams, started from one that has it, or None.

        Raises
        ------
        KeyboardInterrupt
            If following it was interrupted.
        """
        having = [diagram for diagram in diagrams if transition in diagram.transitions]
        if not having:
            return None
        omegas = [diagram.model.omega for diagram in diagrams]
        settings, start = self.settings, having[len(having) // 2]
        line = solve_transition_line(
            start.model, transition, "omega", (min(omegas), max(omegas)), points=settings.line_points, diagram=start,
            tolerance=settings.tolerance, threads=self.threads, progress=self.progress,
        )  # fmt: skip
        if not line.complete:
            raise KeyboardInterrupt
        return line if len(line) else None

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
            executor=self.executor, folder=self.folder / "runs", progress=self.progress, **SIMULATED,
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
            model, alphas, dimensions=(dimension,), seeds=_seeds(seeds), executor=self.executor,
            folder=self.folder / "runs", progress=self.progress, **SIMULATED,
        )  # fmt: skip
        if not complete:
            raise KeyboardInterrupt
        return runs


def _seeds(count: int) -> range:
    return range(FIRST_SEED, FIRST_SEED + count)
