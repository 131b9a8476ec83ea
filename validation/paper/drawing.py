"""Pieces that several figures of the paper share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from numpy.typing import NDArray

from baselines import uniform_attention
from replica.symmetry.sectors import Sector
from saddle import PhaseDiagram
from saddle.output.figures.dense_curves import DenseCurve, dense_curve
from saddle.output.figures.styles import BRANCH_COLOURS

__all__ = [
    "ALPHA_LABEL", "DIVERGING", "LOSS_STARTS", "CompetingFamilies", "centred_norm", "grid_of_alpha",
    "losses_apart_of_runs", "mean_and_error",
]  # fmt: skip

Numbers = NDArray[np.float64]

ALPHA_LABEL = r"sample complexity $\alpha = n/d$"
LOSS_STARTS = ("semantic", "positional-informed")

DIVERGING = LinearSegmentedColormap.from_list(
    "semantic-positional", [BRANCH_COLOURS["semantic"], "#ffffff", BRANCH_COLOURS["positional"]]
)
"""From semantic to positional through white, in the colours of the branches."""


@dataclass(frozen=True, eq=False)
class CompetingFamilies:
    """What competes for the global minimum at each alpha of a grid: a solution with theta alone, and one with m alone.

    Of several solutions the one of lowest training loss. Where there is none, the agnostic one, which has neither
    overlap, stands in its place, and so it does where it is lower than both. Where no solution with weights is known
    at all, they vanish: Q = 0 is always stationary, and is the minimum where regularization is strong enough.

    Attributes
    ----------
    alpha
        Where, (n,).
    semantic_loss, positional_loss, semantic_error, positional_error
        Training loss and test error of both, (n,); nan where only the other is known.
    """

    alpha: Numbers
    semantic_loss: Numbers
    positional_loss: Numbers
    semantic_error: Numbers
    positional_error: Numbers

    @classmethod
    def of(cls, diagram: PhaseDiagram) -> CompetingFamilies:
        """Collect them on a diagram's grid."""
        stored = {
            name: (np.where(branch.stored, branch.train_loss, np.nan), branch.test_error)
            for name, branch in diagram.branches.items()
        }
        return cls._at(diagram, diagram.alpha, stored)

    @classmethod
    def along(cls, diagram: PhaseDiagram) -> CompetingFamilies:
        """Collect them along curves as figures draw them, from bifurcation to bifurcation."""
        curves = {name: dense_curve(diagram, branch) for name, branch in diagram.branches.items()}
        drawn = {name: curve for name, curve in curves.items() if curve is not None}
        alpha = np.unique(np.concatenate([diagram.alpha, *(curve.alpha for curve in drawn.values())]))

        def at(curve: DenseCurve, values: Numbers) -> Numbers:
            return np.interp(alpha, curve.alpha, values, left=np.nan, right=np.nan)

        return cls._at(diagram, alpha, {n: (at(c, c.train_loss), at(c, c.test_error)) for n, c in drawn.items()})

    @classmethod
    def _at(
        cls, diagram: PhaseDiagram, alpha: Numbers, values: Mapping[str, tuple[Numbers, Numbers]]
    ) -> CompetingFamilies:
        """Return what competes, of losses and errors of branches by name, (n,) each; nan where one is not."""
        # Attention with Q = 0 is uniform, and costs alpha times half the squared error of all tokens.
        uniform = uniform_attention(diagram.attention_model).test_error
        without_weights = alpha * diagram.attention_model.sequence_length / 2 * uniform
        losses, errors = {}, {}
        for sector in (Sector.SEMANTIC, Sector.POSITIONAL):
            nothing = np.full(len(alpha), np.nan)
            own = [values[n] for n in values if diagram.branches[n].sector in (sector, Sector.AGNOSTIC)]
            own.append((nothing, nothing))
            loss = np.array([np.where(np.isnan(loss), np.inf, loss) for loss, _ in own])
            error = np.array([error for _, error in own])
            best = np.argmin(loss, axis=0), np.arange(loss.shape[1])
            known = np.isfinite(loss[best])
            losses[sector] = np.where(known, loss[best], np.nan)
            errors[sector] = np.where(known, error[best], np.nan)
        vanish = np.isnan(losses[Sector.SEMANTIC]) & np.isnan(losses[Sector.POSITIONAL])
        return cls(
            alpha,
            *(np.where(vanish, without_weights, losses[sector]) for sector in (Sector.SEMANTIC, Sector.POSITIONAL)),
            *(np.where(vanish, uniform, errors[sector]) for sector in (Sector.SEMANTIC, Sector.POSITIONAL)),
        )

    @property
    def losses_apart(self) -> Numbers:
        """Training loss of the semantic solution minus that of the positional one."""
        return self.semantic_loss - self.positional_loss

    @property
    def lowest_error(self) -> Numbers:
        """Test error of the one with the lower training loss."""
        semantic = (self.semantic_loss < self.positional_loss) | np.isnan(self.positional_loss)
        return np.where(semantic, self.semantic_error, self.positional_error)

    @property
    def lowest_error_path(self) -> tuple[Numbers, Numbers]:
        """The same as a path, alpha and test error, (k,) each: upright where the losses cross."""
        apart, error = self.losses_apart, self.lowest_error
        alphas, errors = [self.alpha[:1]], [error[:1]]
        for k in range(1, len(self.alpha)):
            if apart[k - 1] * apart[k] < 0.0:
                part = apart[k - 1] / (apart[k - 1] - apart[k])
                sides = (self.semantic_error, self.positional_error)
                there = [x[k - 1] + part * (x[k] - x[k - 1]) for x in (sides if apart[k - 1] < 0.0 else sides[::-1])]
                alphas.append(np.repeat(self.alpha[k - 1] + part * (self.alpha[k] - self.alpha[k - 1]), 2))
                errors.append(np.array(there))
            alphas.append(self.alpha[k : k + 1])
            errors.append(error[k : k + 1])
        return np.concatenate(alphas), np.concatenate(errors)


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
