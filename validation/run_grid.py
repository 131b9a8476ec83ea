"""Training runs over starts, sizes, sample complexities and seeds, as one labelled array."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from itertools import product
from typing import Any

import numpy as np
import xarray as xr
from tqdm import tqdm

from replica import AttentionModel
from replica.errors import InvalidArgument
from validation.run_store import RunTask, collect_runs, recorded_names
from validation.starts import STARTS
from validation.teacher import positive_integer

__all__ = ["simulate_runs"]


def simulate_runs(
    model: AttentionModel,
    alphas: Iterable[float],
    *,
    starts: Sequence[str] = ("semantic", "positional-informed"),
    dimensions: Iterable[int] = (1000,),
    seeds: int | Iterable[int] = 4,
    executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
    progress: bool = False,
    **settings: Any,
) -> tuple[xr.Dataset, bool]:
    """Train at every combination of start, size, alpha and seed.

    Parameters
    ----------
    model
        The model.
    alphas, starts, dimensions, seeds, executor, folder, progress
        See :func:`~validation.theory_comparison.compare_with_theory`.
    **settings
        Other keyword arguments of :func:`~validation.comparison.simulate`.

    Returns
    -------
    (xarray.Dataset, bool)
        Dimensions (start, dimension, alpha, seed); a variable per name in
        :func:`~validation.compared.compared_names` of the model's layout, besides ``gradient_norm``,
        ``test_error_standard_error`` and ``outcome``; nan where a run is missing or failed. And whether all runs were
        made: False after Ctrl-C.

    Raises
    ------
    ValueError
        If an argument is out of range; the message quotes it.
    """
    axes = _checked(alphas, starts, dimensions, seeds)
    pairs = tuple(sorted(settings.items()))
    tasks = [
        RunTask(model, start, alpha, dimension, seed, pairs)
        for start, dimension, alpha, seed in product(*axes.values())
    ]
    with tqdm(total=len(tasks), disable=not progress, desc="simulating", unit="run") as bar:
        records = collect_runs(tasks, executor=executor, folder=folder, report=bar.update)
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
    for start in starts:
        if start not in STARTS:
            raise InvalidArgument(f"starts may be {', '.join(map(repr, STARTS))}, got {start!r}")
    values = sorted(float(alpha) for alpha in alphas)
    for alpha in values:
        if not (math.isfinite(alpha) and alpha > 0):
            raise InvalidArgument(f"alphas must be positive and finite, got {alpha!r}")
    sizes = sorted(positive_integer("dimensions", dimension) for dimension in dimensions)
    chosen = list(range(seeds)) if isinstance(seeds, int) else [int(seed) for seed in seeds]
    if len(chosen) < 2 or len(set(chosen)) != len(chosen) or min(chosen) < 0:
        raise InvalidArgument(
            f"seeds must be two or more distinct non-negative integers, or their number, got {seeds!r}"
        )
    axes = {"start": list(starts), "dimension": sizes, "alpha": values, "seed": chosen}
    for name, axis in axes.items():
        if not axis or len(set(axis)) != len(axis):
            raise InvalidArgument(f"every {name} must be given once, and at least one, got {axis!r}")
    return axes
