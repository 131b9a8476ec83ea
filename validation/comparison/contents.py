"""A phase diagram against gradient descent: overlaps and losses at several alpha, from several starts and sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import xarray as xr

from replica.quantities.layout import Layout
from saddle import PhaseDiagram
from validation.comparison.theory_points import TheoryPoint

__all__ = ["ComparisonContents"]


@dataclass(frozen=True, eq=False)
class ComparisonContents:
    """Simulations beside theory.

    Attributes
    ----------
    diagram
        The theory.
    points
        What theory says, by start and alpha.
    runs
        Every run: dimensions (start, dimension, alpha, seed) and a variable per name in
        :func:`~validation.simulation.compared.compared_names` of the model's layout, besides ``gradient_norm``,
        ``test_error_standard_error`` and ``outcome``. nan where a run is missing or failed.
    statistics
        Over the seeds: dimensions (start, dimension, alpha, quantity), variables of
        :func:`~validation.comparison.run_statistics.statistics_of_runs`.
    extrapolated
        To d to infinity, from two sizes or more: dimensions (start, alpha, quantity), variables of
        :func:`~validation.comparison.run_statistics.extrapolate`; None for one size.
    complete
        False if the comparison was interrupted: what is there is valid, but not all.
    """

    diagram: PhaseDiagram
    points: Mapping[tuple[str, float], TheoryPoint]
    runs: xr.Dataset
    statistics: xr.Dataset
    extrapolated: xr.Dataset | None
    complete: bool

    @property
    def layout(self) -> Layout:
        """Index ranges of the order parameters, which name what is compared."""
        return self.diagram.model.structure.layout

    @property
    def judged(self) -> xr.Dataset:
        """What is held against theory: the extrapolation where there is one, otherwise the largest size."""
        return self.statistics.isel(dimension=-1) if self.extrapolated is None else self.extrapolated
