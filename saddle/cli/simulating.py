"""The commands ``simulate`` and ``paper``, which train students."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from replica.common.own_packages import require_own_packages
from replica.common.progress import progress_bar
from saddle.cli.group import DEBUG, stop
from saddle.cli.options import (
    CACHE,
    PATH,
    PROGRESS,
    ModelOptions,
    TrainingOptions,
    WorkOptions,
    gathered,
    shown,
    use_cache,
)
from saddle.cli.printing import Printed, PrintOptions, files_printed

if TYPE_CHECKING:
    from validation import Comparison

__all__ = ["paper", "simulate"]

COLUMNS = (
    "name", "signed", "mean", "standard_error", "theory", "theory_error", "allowance", "deviation",
    "deviation_beyond_allowance",
)  # fmt: skip


@click.command()
@gathered("chosen", ModelOptions)
@click.option("--alpha", type=float, default=1.5, show_default=True, help="Sample complexity n/d.")
@gathered("training", TrainingOptions)
@click.option(
    "--start",
    type=click.Choice(["semantic", "positional", "positional-informed"]),
    multiple=True,
    help="Informed start; may be given several times.  [default: semantic, and positional if there are encodings]",
)
@gathered("printing", PrintOptions)
@gathered("work", WorkOptions)
@DEBUG
def simulate(
    chosen: ModelOptions, alpha: float, training: TrainingOptions, start: tuple[str, ...], printing: PrintOptions,
    work: WorkOptions,
) -> None:  # fmt: skip
    """Print theory and gradient descent side by side at one alpha and d, for any model."""
    from saddle.branches.branch import find_point
    from saddle.state_evolution.state_evolution import StateEvolution

    require_own_packages("validation")
    from validation import Prediction, Training, compare_at, comparison_table
    from validation.simulation.starts import require_start

    model = chosen.model()
    start = start or (("semantic", "positional") if model.encoding_matrix.shape[1] else ("semantic",))
    for name in start:
        require_start(model, name)
    use_cache(work.cache)
    evolution = StateEvolution(model, threads=work.threads)
    settings = Training(steps=training.steps, learning_rate=training.learning_rate, polish=training.polish)
    done: list[Comparison] = []
    try:
        for name in start:
            # Where symmetries do not tell families apart, the sector that holds all of them is the last.
            sectors, family = [sector.name for sector in evolution.sectors], name.split("-")[0]
            point = find_point(evolution, family if family in sectors else sectors[-1], alpha)
            with progress_bar(training.seeds, work.shown, f"{name} start", "run") as bar:
                comparison = compare_at(
                    model, Prediction.of_point(point), name, training.dimension, training.all_seeds,
                    training=settings, spherical_teacher=training.spherical_teacher, progress=lambda _: bar.update(),
                )  # fmt: skip
            done.append(comparison)
            if printing.for_people:
                click.echo(comparison_table(comparison))
    finally:
        # One document, also of what an interrupt or an error left.
        if done and not printing.for_people:
            printing.show(_printed(done, complete=len(done) == len(start)))


def _printed(done: Sequence[Comparison], *, complete: bool) -> Printed:
    """Return comparisons as a document or as rows."""
    from validation import comparison_table

    def rows() -> list[list[Any]]:
        table: list[list[Any]] = [["start", "alpha", "dimension", "seeds", "quantity", *COLUMNS[1:]]]
        for one in done:
            place = [one.start, one.sample_complexity, one.dimension, len(one.runs)]
            table += [[*place, *(getattr(quantity, name) for name in COLUMNS)] for quantity in one.quantities]
        return table

    def document() -> dict[str, Any]:
        return {"result": "comparisons", "complete": complete, "model": done[0].model.to_dict(),
                "comparisons": [_document(one) for one in done]}  # fmt: skip

    return Printed(lambda: "\n".join(map(comparison_table, done)), document, rows)


def _document(one: Comparison) -> dict[str, Any]:
    quantities = [
        {**{name: getattr(quantity, name) for name in COLUMNS}, "values": quantity.values.tolist()}
        for quantity in one.quantities
    ]
    return {
        "start": one.start,
        "alpha": one.sample_complexity,
        "dimension": one.dimension,
        "seeds": len(one.runs),
        "quantities": quantities,
    }


@click.command()
@click.option("--quick", is_flag=True, help="Coarse curves and small simulations: two minutes instead of half an hour.")
@click.option(
    "--figure",
    "figures",
    type=click.Choice(["overview", "phase_maps", "second_matrix", "slices", "scaling"]),
    multiple=True,
    help="Only this figure; may be given several times.",
)
@click.option("--workers", type=click.IntRange(min=0), default=0, help="Processes; 0 for one per core.")
@CACHE
@click.option(
    "--output", type=PATH, default="attention-phase-paper", show_default=True, help="Folder for figures and results."
)
@PROGRESS
@gathered("printing", PrintOptions)
@DEBUG
def paper(
    quick: bool, figures: tuple[str, ...], workers: int, cache: str | None, output: str, progress: bool | None,
    printing: PrintOptions,
) -> None:  # fmt: skip
    """Draw the theory figures of arXiv:2402.03902 anew, with error bars and simulations.

    What was computed is kept in the output folder: an interrupted command goes on from there.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    require_own_packages("validation")
    from validation.paper import FIGURES, FULL, QUICK, reproduce_paper

    use_cache(cache)
    # NOTE: not by fork, which a process with threads of the solver should not do.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers or None, mp_context=spawn) as executor:
        try:
            written = reproduce_paper(
                output, QUICK if quick else FULL, figures=figures or tuple(FIGURES), executor=executor,
                progress=shown(progress),
            )  # fmt: skip
        except KeyboardInterrupt:
            stop("interrupted: finished figures are there; the same command goes on")
    printing.show(files_printed(written))
