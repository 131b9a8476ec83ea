"""Between the models of a map: surfaces of transitions, and regions whose borders are those transitions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import PchipInterpolator

if TYPE_CHECKING:
    from saddle.sweeps.map_contents import MapContents
    from saddle.transitions.transition import Transition

__all__ = ["family_depths", "finer_axis", "finer_surface", "line_surface", "near_models"]

# Points per interval of the grid.
FINE = 24
# Logarithm of alpha where no model has a border.
DEEPEST = 10.0
# Family, and where it is the global minimum from and to.
_Range = tuple[str, float, float]


def finer_axis(values: np.ndarray) -> np.ndarray:
    """Return values with :data:`FINE` points in each interval, (FINE * (n - 1) + 1,); those given are among them."""
    pieces = [np.linspace(low, high, FINE, endpoint=False) for low, high in pairwise(values)]
    return np.concatenate([*pieces, values[-1:]])


def finer_surface(axes: tuple[np.ndarray, np.ndarray], surface: np.ndarray) -> np.ndarray:
    """Return a surface on the finer axes: smooth, through all its values, without new extrema along an axis.

    Where a value is nan, so is all that lies between it and its neighbours; of a cell with three values, the triangle
    between them is there.

    Parameters
    ----------
    axes
        Values of both parameters, (n,) and (k,).
    surface
        Of (n, k).
    """
    known = np.isfinite(surface)
    if not known.any():
        return np.full([len(finer_axis(axis)) for axis in axes], np.nan)
    filled = continued(axes, surface)
    along_first = PchipInterpolator(axes[0], filled, axis=0)(finer_axis(axes[0]))
    fine = PchipInterpolator(axes[1], along_first, axis=1)(finer_axis(axes[1]))
    return np.where(_covered(known), fine, np.nan)


def continued(axes: tuple[np.ndarray, np.ndarray], surface: np.ndarray) -> np.ndarray:
    """Return a surface without nan: continued linearly, so that no slope of what is known depends on where it ends."""
    filled = surface.copy()
    while np.isnan(filled).any():
        guesses = []
        for axis, table in ((axes[0], filled), (axes[1], filled.T)):
            for way in (1, -1):
                x, y = axis[::way], table[::way]
                guess = np.full(y.shape, np.nan)
                slope = (y[1:-1] - y[:-2]) / np.diff(x)[:-1, None]
                guess[2:] = y[1:-1] + slope * np.diff(x)[1:, None]
                # Next to a single value there is no slope.
                guess[1:] = np.where(np.isnan(guess[1:]), y[:-1], guess[1:])
                guesses.append(guess[::way] if table is filled else guess[::way].T)
        stacked = np.stack(guesses)
        counts = np.isfinite(stacked).sum(axis=0)
        mean = np.nansum(stacked, axis=0) / np.maximum(counts, 1)
        filled = np.where(np.isnan(filled) & (counts > 0), mean, filled)
    return filled


def _covered(known: np.ndarray) -> np.ndarray:
    """Return which fine points lie between known values, (FINE * (n - 1) + 1, FINE * (k - 1) + 1)."""
    covered = np.zeros([FINE * (count - 1) + 1 for count in known.shape], dtype=bool)
    u = np.linspace(0.0, 1.0, FINE + 1)
    for i in range(known.shape[0] - 1):
        for j in range(known.shape[1] - 1):
            corners = known[i : i + 2, j : j + 2]
            # Distance from each corner along both edges, in cells.
            away = [[np.add.outer(u if not a else 1 - u, u if not b else 1 - u) for b in (0, 1)] for a in (0, 1)]
            missing = np.argwhere(~corners)
            here = np.full((FINE + 1, FINE + 1), len(missing) < 2)
            for a, b in missing[: len(missing) < 2]:
                here &= away[a][b] >= 1.0
            covered[FINE * i : FINE * (i + 1) + 1, FINE * j : FINE * (j + 1) + 1] |= here
    return covered


def line_surface(solved: MapContents, name: str, drawn: tuple[str, ...]) -> np.ndarray:
    """Return alpha of a transition, (n, k); nan where there is none.

    One model may give the transition another name than its neighbours, since names say which solutions there are
    besides. So where a name is missing, a transition of the same kind between the same families is taken, if there is
    just one that is not drawn by its own name.
    """
    surface = solved.transition(name)[0]
    alike = {_sort(x) for one in solved.sweep.diagrams if (x := one.transitions.get(name)) is not None}
    for place, one in enumerate(solved.sweep):
        if one.diagram is None or name in one.diagram.transitions:
            continue
        others = [
            x.alpha
            for other, x in one.diagram.transitions.items()
            if other not in drawn and x.resolved and _sort(x) in alike
        ]
        if len(others) == 1:
            surface.flat[place] = others[0]
    return surface


def _sort(transition: Transition) -> tuple[str, tuple[str, ...]]:
    return transition.kind, tuple(name.split()[0] for name in transition.between)


def family_depths(solved: MapContents, alpha: float) -> dict[str, np.ndarray]:
    r"""Return how deep one alpha lies in each family's range, (n, k) by name; "" is what is not known.

    For the global minimum that is the least of :math:`|\log\alpha - \log\alpha_b|` over the borders :math:`\alpha_b` of
    its range; for others, minus their distance from their own range, at most that of the minimum from its nearest
    border. So two families that meet at a transition have opposite depths near it, which vanish where the transition's
    own surface has this alpha.
    """
    phases = [() if one.diagram is None else one.diagram.phases for one in solved.sweep]
    named = [[("" if x.branch is None else x.branch.split()[0], x.low, x.high) for x in row] for row in phases]
    names = sorted({name for row in named for name, *_ in row})
    depths = {name: _depths(solved, named, name, alpha) for name in names}
    deepest = np.nanmax(np.stack([*depths.values(), np.full(solved.shape, -np.inf)]), axis=0)
    known = np.isfinite(deepest)
    return {name: np.where(known, np.fmax(depth, -deepest), np.nan) for name, depth in depths.items()}


def _depths(solved: MapContents, rows: Sequence[Sequence[_Range]], name: str, alpha: float) -> np.ndarray:
    """Return the depth in one family's ranges, (n, k); nan where it has none."""
    borders = np.full((2, *solved.shape), np.nan)
    ends = np.full((2, *solved.shape), np.nan)
    for place, row in enumerate(rows):
        own = [(low, high) for family, low, high in row if family == name]
        if own:
            # Of several, the one that alpha lies in, or is nearest to.
            low, high = max(own, key=lambda one: min(alpha / one[0], one[1] / alpha))
            borders[0].flat[place], borders[1].flat[place] = np.log(low), np.log(high)
            if low == row[0][1]:
                borders[0].flat[place], ends[0].flat[place] = np.nan, np.log(low)
            if high == row[-1][2]:
                borders[1].flat[place], ends[1].flat[place] = np.nan, np.log(high)
    # Where the range ends with what was solved, its border is further out: where neighbours' borders point to.
    for border, end, beyond, furthest in zip(borders, ends, (np.fmin, np.fmax), (-DEEPEST, DEEPEST), strict=True):
        guess = continued(solved.values, border) if np.isfinite(border).any() else np.full(solved.shape, furthest)
        open_ended = np.isfinite(end)
        border[open_ended] = beyond(guess, end)[open_ended]
    return np.minimum(np.log(alpha) - borders[0], borders[1] - np.log(alpha))


def near_models(depth: np.ndarray) -> np.ndarray:
    """Return which fine points lie in a cell with a corner where a family is the global minimum."""
    near = np.zeros([FINE * (count - 1) + 1 for count in depth.shape], dtype=bool)
    for i, j in np.argwhere(depth > 0.0):
        near[max(0, FINE * (i - 1)) : FINE * (i + 1) + 1, max(0, FINE * (j - 1)) : FINE * (j + 1) + 1] = True
    return near
