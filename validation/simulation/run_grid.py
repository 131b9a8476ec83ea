"""Training runs over starts, sizes, sample complexities and seeds, as one labelled array."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from replica.common.checked_arguments import (
    checked_flag,
    checked_integer,
    checked_items,
    positive_number,
    quoted,
)
from replica.common.errors import InvalidArgument
from replica.common.numeric_errors import numpy_defaults
from replica.common.progress import progress_bar
from replica.quantities.solvable_model import Model
from validation.simulation.execution import IN_THIS_PROCESS, Execution, checked_execution
from validation.simulation.run_store import RunTask, collect_runs, recorded_names
from validation.simulation.starts import STARTS, require_start, usual_starts
from validation.simulation.teacher import positive_integer, require_model
from validation.simulation.training import AS_PUBLISHED, Training, checked_training

__all__ = ["simulate_runs"]

MOST_SEEDS = 10**6
# The arguments that the axes come from.
ARGUMENTS = {"start": "starts", "dimension": "dimensions", "alpha": "alphas", "seed": "seeds"}


@numpy_defaults
def simulate_runs(
    model: Model,
    alphas: Iterable[float],
    *,
    starts: Sequence[str] | None = None,
    dimensions: Iterable[int] = (1000,),
    seeds: int | Iterable[int] = 4,
    training: Training = AS_PUBLISHED,
    spherical_teacher: bool = False,
    execution: Execution = IN_THIS_PROCESS,
) -> tuple[xr.Dataset, bool]:
    """Train at every combination of start, size, alpha and seed.

    Parameters
    ----------
    model
        The model.
    alphas, starts, dimensions, seeds, execution
        See :func:`~validation.comparison.compare.compare_with_theory`.
    training, spherical_teacher
        See :func:`~validation.simulation.simulate.simulate`.

    Returns
    -------
    (xarray.Dataset, bool)
        Dimensions (start, dimension, alpha, seed); a variable per name in
        :func:`~validation.simulation.compared.compared_names` of the model's layout, besides ``gradient_norm``,
        ``test_error_standard_error`` and ``outcome``; nan where a run is missing or failed. And whether all runs were
        made: False after Ctrl-C.

    Raises
    ------
    ValueError
        If an argument is out of range; the message quotes it.
    """
    require_model(model)
    axes = _checked(alphas, usual_starts(model) if starts is None else starts, dimensions, seeds)
    for start in axes["start"]:
        require_start(model, start)
    checked_training(training)
    checked_flag("spherical_teacher", spherical_teacher)
    checked_execution(execution)
    tasks = [
        RunTask(model, start, alpha, dimension, seed, training, spherical_teacher)
        for start, dimension, alpha, seed in product(*axes.values())
    ]
    with progress_bar(len(tasks), execution.progress, "simulating", "run") as bar:
        records = collect_runs(tasks, executor=execution.executor, folder=execution.folder, report=bar.update)
    found = [records.get(task) for task in tasks]
    names = recorded_names(model.structure.layout)
    columns: dict[str, list[Any]] = {
        name: [math.nan if record is None else record.values[name] for record in found] for name in names
    }
    columns["outcome"] = ["missing" if record is None else record.outcome for record in found]
    shape = tuple(len(axis) for axis in axes.values())
    variables = {name: (tuple(axes), np.array(column).reshape(shape)) for name, column in columns.items()}
    return xr.Dataset(variables, coords=axes), None not in found


def _checked(
    alphas: Iterable[float], starts: Sequence[str], dimensions: Iterable[int], seeds: int | Iterable[int]
) -> dict[str, list[Any]]:
    """Return the axes in order, after checking what would otherwise fail after minutes."""
    if isinstance(starts, str):
        raise InvalidArgument(f"starts must be a sequence of names, got the string {starts!r}")
    starts = checked_items("starts", starts, "a sequence of names")
    for start in starts:
        if not isinstance(start, str) or start not in STARTS:
            raise InvalidArgument(f"starts may be {', '.join(map(repr, STARTS))}, got {quoted(start)}")
    values = sorted(positive_number("alphas", alpha) for alpha in checked_items("alphas", alphas))
    listed = checked_items("dimensions", dimensions, "a sequence of integers")
    sizes = sorted(positive_integer("dimensions", dimension) for dimension in listed)
    if hasattr(seeds, "__index__") and getattr(seeds, "ndim", 0) == 0:
        chosen = list(range(checked_integer("seeds", seeds, 2, MOST_SEEDS)))
    else:
        given = checked_items("seeds", seeds, "the number of seeds, or a sequence of integers")
        chosen = [checked_integer(f"seeds[{k}]", seed, 0) for k, seed in enumerate(given)]
    if len(chosen) < 2 or len(set(chosen)) != len(chosen) or min(chosen) < 0:
        raise InvalidArgument(
            f"seeds must be two or more distinct non-negative integers, or their number, got {quoted(seeds)}"
        )
    axes = {"start": starts, "dimension": sizes, "alpha": values, "seed": chosen}
    for name, axis in axes.items():
        if not axis or len(set(axis)) != len(axis):
            raise InvalidArgument(f"{ARGUMENTS[name]}: every {name} must be given once, and at least one, got {axis!r}")
    return axes
