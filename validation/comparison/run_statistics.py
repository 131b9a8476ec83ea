r"""Means over seeds, their standard errors and distance from theory, and their extrapolation in 1/d.

Overlaps m and theta are defined up to a sign. Where theory says that one differs from zero, runs enter by magnitude.
Where it vanishes they enter with their signs: the magnitude of a fluctuation about zero has the mean
:math:`\sqrt{2/\pi}` times its standard deviation, which published means of magnitudes contain. Singular values, of
overlaps that are matrices, have no sign: where theory says that one vanishes, what their mean exceeds the largest that
fluctuations of their spread explain counts as the deviation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr

from replica.quantities.layout import Layout
from replica.quantities.overlap_invariants import single_overlaps
from validation.comparison.theory_points import TheoryPoint
from validation.simulation.compared import VANISHING, chance_ratio, compared_names, signless_overlaps

__all__ = ["extrapolate", "significance", "statistics_of_runs"]

# Of a normal deviate of 37: beyond, tails are no numbers any more.
SMALLEST_TAIL = 1e-300


def significance(deviation: Any, freedom: Any) -> NDArray[np.float64]:
    """Return the normal deviate that is as unlikely as a deviation under Student's t.

    A mean over four seeds lies three estimated standard errors off with a probability of 6 per cent, not 0.3.

    Parameters
    ----------
    deviation
        Deviations in estimated standard errors, any shape.
    freedom
        Degrees of freedom of the estimate, broadcast against it.
    """
    deviation = np.asarray(deviation, dtype=np.float64)
    tail = np.maximum(stdtr(freedom, -np.abs(deviation)), SMALLEST_TAIL)
    return np.copysign(-ndtri(tail), deviation)


def statistics_of_runs(
    runs: xr.Dataset, points: Mapping[tuple[str, float], TheoryPoint], layout: Layout | None = None
) -> xr.Dataset:
    """Return means over the seeds and their distance from theory.

    Parameters
    ----------
    runs
        Variables by :func:`~validation.simulation.compared.compared_names`, dimensions (start, dimension, alpha, seed).
    points
        Theory by (start, alpha).
    layout
        Index ranges of the model's order parameters; by default those of the paper's kind.

    Returns
    -------
    xarray.Dataset
        Dimensions (start, dimension, alpha, quantity); variables ``mean``, ``standard_error``, ``theory``,
        ``theory_error``, ``deviation`` (in standard errors), ``significance`` (the same as a normal deviate),
        ``magnitude`` (mean of the magnitudes), ``magnitude_by_chance`` (what that is expected to be for a normal
        variable of mean zero), ``without_sign`` (whether this is a singular value that vanishes in theory) and
        ``count`` of seeds with a result. nan where there is no theory or fewer than two
        seeds.
    """
    layout = layout or Layout()
    names = list(compared_names(layout))
    values = xr.concat([runs[name] for name in names], dim="quantity").assign_coords(quantity=names)
    values = values.transpose("start", "dimension", "alpha", "quantity", "seed")
    theory = np.full(values.shape[:-1], math.nan)
    errors = theory.copy()
    for i, start in enumerate(runs["start"].values):
        for j, alpha in enumerate(runs["alpha"].values):
            point = points[str(start), float(alpha)]
            for k, name in enumerate(names):
                theory[i, :, j, k] = point.values.get(name, math.nan)
                errors[i, :, j, k] = point.errors.get(name, math.nan)
    ambiguous = np.isin(names, single_overlaps(layout))
    magnitude = ambiguous & (np.abs(theory) >= VANISHING)
    numbers = np.where(magnitude[..., None], np.abs(values.values), values.values)
    theory = np.where(magnitude, np.abs(theory), theory)
    count = np.sum(np.isfinite(numbers), axis=-1)
    enough = np.where(count > 1, count, 2)
    present = np.where(np.isfinite(numbers), numbers, 0.0)
    mean = np.where(count > 1, present.sum(axis=-1) / enough, math.nan)
    squares = np.where(np.isfinite(numbers), (numbers - mean[..., None]) ** 2, 0.0).sum(axis=-1)
    spread = np.where(count > 1, np.sqrt(squares / (enough - 1)), math.nan)
    error = spread / np.sqrt(enough)
    without_sign = np.isin(names, signless_overlaps(layout)) & (np.abs(theory) < VANISHING)
    # What does not need it divides by one.
    ratio = np.array([chance_ratio(layout, name) if name in signless_overlaps(layout) else 1.0 for name in names])
    with np.errstate(divide="ignore", invalid="ignore"):
        beyond = _beyond_chance(mean / spread, ratio, enough)
        deviation = np.where(without_sign, beyond, (mean - theory) / error)
    magnitudes = np.where(np.isfinite(numbers), np.abs(numbers), 0.0).sum(axis=-1) / enough
    dims = ("start", "dimension", "alpha", "quantity")
    columns = {
        "mean": mean,
        "standard_error": error,
        "theory": theory,
        "theory_error": errors,
        "deviation": deviation,
        "significance": significance(deviation, enough - 1),
        "magnitude": np.where(count > 1, magnitudes, math.nan),
        "magnitude_by_chance": np.where(without_sign, ratio, math.sqrt(2 / math.pi)) * spread,
        "without_sign": without_sign,
        "count": count,
    }
    coords = {name: values.coords[name].values for name in dims}
    return xr.Dataset({name: (dims, column) for name, column in columns.items()}, coords=coords)


def _beyond_chance(found: NDArray[Any], ratio: NDArray[Any], count: NDArray[Any]) -> NDArray[Any]:
    """Return by how many standard errors a mean over a standard deviation exceeds what chance explains, or zero.

    The relative variance of the mean is ``1/(ratio^2 count)``, that of the standard deviation about ``1/(2 count)``.
    Of the square root of the ratio, because it is closer to normal: with 3 to 12 seeds 0.1 to 0.5 per cent of pure
    chance lie beyond three in Student's t.
    """
    difference = 2.0 * (np.sqrt(found) - np.sqrt(ratio)) * np.sqrt(count)
    return np.maximum(difference / np.sqrt(1.0 / ratio + ratio / 2.0), 0.0)


def extrapolate(statistics: xr.Dataset) -> xr.Dataset:
    """Fit a + b/d to the means over the seeds, by weighted least squares.

    Singular values that vanish in theory fall as 1/sqrt(d) if theory is right: of these the numbers of the largest
    size are kept, with slope zero.

    Returns
    -------
    xarray.Dataset
        Dimensions (start, alpha, quantity); variables ``mean`` and ``standard_error`` of a, ``slope`` b and its
        ``slope_error``, ``chi_squared`` of the fit, and ``theory``, ``theory_error``, ``deviation``,
        ``significance``, ``count`` as in :func:`statistics_of_runs`.
    """
    ordered = statistics.transpose("start", "alpha", "quantity", "dimension")
    means, errors = ordered["mean"].values, ordered["standard_error"].values
    inverse = 1.0 / ordered["dimension"].values.astype(float)
    weights = 1.0 / errors**2
    total, first, second = (np.sum(weights * inverse**power, axis=-1) for power in (0, 1, 2))
    determinant = total * second - first**2
    ordinate, moment = np.sum(weights * means, axis=-1), np.sum(weights * means * inverse, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        limit = (second * ordinate - first * moment) / determinant
        slope = (total * moment - first * ordinate) / determinant
        limit_error, slope_error = np.sqrt(second / determinant), np.sqrt(total / determinant)
        residual = (means - limit[..., None] - slope[..., None] * inverse) / errors
        theory = ordered["theory"].values[..., -1]
        deviation = (limit - theory) / limit_error
    kept = ordered["without_sign"].values[..., -1]
    limit, limit_error = (np.where(kept, x[..., -1], y) for x, y in ((means, limit), (errors, limit_error)))
    slope, slope_error = (np.where(kept, 0.0, x) for x in (slope, slope_error))
    deviation = np.where(kept, ordered["deviation"].values[..., -1], deviation)
    counts = ordered["count"].values
    freedom = np.maximum(1, np.where(kept, counts[..., -1] - 1, counts.sum(axis=-1) - ordered.sizes["dimension"]))
    columns = {
        "mean": limit,
        "standard_error": limit_error,
        "slope": slope,
        "slope_error": slope_error,
        "chi_squared": np.where(kept, math.nan, np.sum(residual**2, axis=-1)),
        "theory": theory,
        "theory_error": ordered["theory_error"].values[..., -1],
        "deviation": deviation,
        "significance": significance(deviation, freedom),
        "count": counts.sum(axis=-1),
    }
    dims = ("start", "alpha", "quantity")
    coords = {name: ordered.coords[name].values for name in dims}
    return xr.Dataset({name: (dims, column) for name, column in columns.items()}, coords=coords)
