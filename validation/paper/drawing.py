"""Pieces that several figures of the paper share."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from numpy.typing import NDArray

from replica.sectors import Sector
from saddle import PhaseDiagram
from saddle.drawing import BRANCH_COLOURS

__all__ = [
    "ALPHA_LABEL", "DIVERGING", "LOSS_STARTS", "centred_norm", "grid_of_alpha", "losses_apart", "losses_apart_of_runs",
    "mean_and_error",
]  # fmt: skip

ALPHA_LABEL = r"sample complexity $\alpha = n/d$"
LOSS_STARTS = ("semantic", "positional-informed")

DIVERGING = LinearSegmentedColormap.from_list(
    "semantic-positional", [BRANCH_COLOURS["semantic"], "#ffffff", BRANCH_COLOURS["positional"]]
)
"""From semantic to positional through white, in the colours of the branches."""


def losses_apart(diagram: PhaseDiagram) -> NDArray[np.float64]:
    """Return the lowest training loss with theta alone minus the lowest with m alone, on the grid, (n,).

    That is, of semantic and of positional solutions. Where there is none the agnostic one, which has neither, stands
    in its place; where that is lower than both, the difference is zero. nan where none is known.
    """
    lowest = {}
    for sector in (Sector.SEMANTIC, Sector.POSITIONAL):
        losses = [
            np.where(branch.stored, branch.train_loss, np.inf)
            for branch in diagram.branches.values()
            if branch.sector in (sector, Sector.AGNOSTIC)
        ]
        least = np.min(losses, axis=0)
        lowest[sector] = np.where(np.isfinite(least), least, np.nan)
    return lowest[Sector.SEMANTIC] - lowest[Sector.POSITIONAL]


def losses_apart_of_runs(runs: xr.Dataset) -> xr.DataArray:
    """Return the same of training runs, each pair of which has the same data; dimension ``start`` goes."""
    loss = runs["train_loss"]
    return loss.sel(start=LOSS_STARTS[0]) - loss.sel(start=LOSS_STARTS[1])


def mean_and_error(values: xr.DataArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return means over the seeds and their standard errors; the other dimensions keep their order."""
    count = values.count("seed")
    return values.mean("seed").values, (values.std("seed", ddof=1) / np.sqrt(count)).values


def centred_norm(values: NDArray[np.float64]) -> TwoSlopeNorm:
    """Return a norm of colours that has white at zero and reaches as far on both sides."""
    reach = float(np.nanmax(np.abs(values)))
    return TwoSlopeNorm(0.0, -reach, reach)


def grid_of_alpha(axes: Axes, highest: float) -> None:
    """Give a panel over alpha its label, range and grid."""
    axes.set_xlabel(ALPHA_LABEL)
    axes.set_xlim(0.0, highest)
    axes.grid(alpha=0.25, linewidth=0.5)
