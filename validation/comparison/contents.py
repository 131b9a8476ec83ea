"""A phase diagram against gradient descent: overlaps and losses at several alpha, from several starts and sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from replica.common.by_value import ByValue, same, shortened
from replica.common.html_table import html_table
from replica.quantities.layout import Layout
from saddle import PhaseDiagram
from validation.comparison.theory_points import TheoryPoint
from validation.simulation.training import Training

__all__ = ["AGREEMENT", "ComparisonContents"]

AGREEMENT = 3.0
"""Significance, as a normal deviate, from which on a difference counts as a disagreement."""
# Values of alpha that are shown.
FEW = 8


@dataclass(frozen=True, eq=False, repr=False)
class ComparisonContents(ByValue):
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
    training
        How the runs were trained.
    complete
        False if the comparison was interrupted: what is there is valid, but not all.
    """

    diagram: PhaseDiagram
    points: Mapping[tuple[str, float], TheoryPoint]
    runs: xr.Dataset
    statistics: xr.Dataset
    extrapolated: xr.Dataset | None
    training: Training
    complete: bool

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ComparisonContents):
            return NotImplemented
        # Statistics follow from runs and theory.
        return self.runs.identical(other.runs) and same(self._apart_from_tables, other._apart_from_tables)

    def __hash__(self) -> int:
        return hash((self.diagram, self.training, self.complete, *self.runs.sizes.items()))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {', '.join(text for _, text in self._rows)}>"

    def _repr_html_(self) -> str:
        return html_table(type(self).__name__, [("model", shortened(repr(self.diagram.model))), *self._rows])

    @property
    def _apart_from_tables(self) -> tuple[object, ...]:
        return self.diagram, self.points, self.training, self.complete

    @property
    def _rows(self) -> list[tuple[str, str]]:
        """What was compared, and how much of it lies within three standard errors, in words."""
        judged = self.judged["significance"]
        there = [judged.sel(start=start, alpha=alpha) for (start, alpha), point in self.points.items() if point.exists]
        far = np.abs(np.array([x.values for x in there]))
        known = far[np.isfinite(far)]
        agreeing = f"{np.sum(known <= AGREEMENT)} of {len(known)} quantities within {AGREEMENT:g} standard errors"
        alphas = ", ".join(f"{alpha:g}" for alpha in self.runs["alpha"].values[:FEW])
        more = len(self.runs["alpha"]) - FEW
        return [
            ("starts", ", ".join(map(str, self.runs["start"].values))),
            ("alpha", f"alpha = {alphas}" + (f" and {more} more" if more > 0 else "")),
            ("d", f"d = {', '.join(str(d) for d in self.runs['dimension'].values)}"),
            ("seeds", f"{self.runs.sizes['seed']} seeds"),
            ("agreement", agreeing + ("" if self.complete else ", interrupted")),
        ]

    @property
    def layout(self) -> Layout:
        """Index ranges of the order parameters, which name what is compared."""
        return self.diagram.model.structure.layout

    @property
    def judged(self) -> xr.Dataset:
        """What is held against theory: the extrapolation where there is one, otherwise the largest size."""
        return self.statistics.isel(dimension=-1) if self.extrapolated is None else self.extrapolated
