r"""The Moreau envelope along straight lines of local fields: where its minimiser jumps, and polynomials in between.

Minus the envelope is, up to a parabola, a supremum of affine functions of the field, hence convex. So the tangents at
the two ends of a stretch meet inside it, and where they meet lies ever closer to a jump: that is how jumps are found,
with no search but that for global minima.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

__all__ = ["EnvelopeLines", "envelope_lines"]

# Change of the proximal point between neighbouring points of a line above which a jump is looked for, and how often
# a stretch is divided; a jump is a change that remains.
SUSPECT, DIVISIONS, REMAINS = 0.06, 6, 0.5
# Stretches shorter than this, relative to the spacing, are straight.
SHORT = 1e-5
# Coordinates that are looked up at a time: what they need fits the processor's caches.
BLOCK = 16_384


@dataclass(frozen=True)
class EnvelopeLines:
    """Minus the envelope and its slopes along R lines, piecewise polynomials of their coordinate s.

    Attributes
    ----------
    start, spacing, cells
        The lines' common points: start + k spacing, k = 0 ... cells.
    coefficients
        (R cells + 2 J, F, 4): ascending powers of the coordinate in a cell, in units of the spacing, for F functions:
        minus the envelope, and its slope in every token. After the cells come those with jumps, left and right of it,
        the latter from the cell's end.
    jump_of_cell
        (R cells,): number of a cell's jump, or -1.
    jumps
        Where they are, (J,).
    jumps_of_line
        Jumps of every line in rising order, (R, most), filled up with infinity.
    """

    start: float
    spacing: float
    cells: int
    coefficients: np.ndarray
    jump_of_cell: np.ndarray
    jumps: np.ndarray
    jumps_of_line: np.ndarray

    @cached_property
    def _powers(self) -> np.ndarray:
        """The coefficients power by power, (4, F, R cells + 2 J): neighbouring nodes then read neighbouring numbers."""
        return np.ascontiguousarray(np.moveaxis(self.coefficients, (2, 1), (0, 1)))

    def at(self, lines: np.ndarray, s: np.ndarray) -> np.ndarray:
        """Return the functions at coordinates s (n,) of lines (n,), as (F, n)."""
        found = np.empty((self.coefficients.shape[1], len(s)))
        for first in range(0, len(s), BLOCK):
            own = slice(first, first + BLOCK)
            found[:, own] = self._at(lines[own], s[own])
        return found

    def _at(self, lines: np.ndarray, s: np.ndarray) -> np.ndarray:
        scaled = (s - self.start) / self.spacing
        cell = np.clip(scaled.astype(np.int64), 0, self.cells - 1)
        row = lines * self.cells + cell
        u = np.clip(scaled - cell, 0.0, 1.0)
        jump = self.jump_of_cell[row]
        there = np.flatnonzero(jump >= 0)
        if there.size:
            number = jump[there]
            right = s[there] > self.jumps[number]
            row[there] = len(self.jump_of_cell) + 2 * number + right
            u[there] -= right
        value = self._powers[3].take(row, axis=1)
        for power in (2, 1, 0):
            value *= u
            value += self._powers[power].take(row, axis=1)
        return value


def envelope_lines(
    search: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]],
    direction: np.ndarray,
    lines: int,
    reach: float,
    spacing: float,
) -> EnvelopeLines:
    """Tabulate the envelope.

    Parameters
    ----------
    search
        Given numbers of lines (n,) and coordinates (n,), returns minus the envelope (n,), proximal points (n, L) and
        slopes (n, L) of minus the envelope in the fields.
    direction
        By how much the fields grow with the coordinate, (L,).
    lines
        Number R of lines.
    reach
        Lines go from -reach to reach.
    spacing
        Of the points, at most.
    """
    cells = 2 * int(np.ceil(reach / spacing))
    s = np.linspace(-reach, reach, cells + 1)
    h = s[1] - s[0]
    owner = np.repeat(np.arange(lines), cells + 1)
    F, z, g = search(owner, np.tile(s, lines))
    shape = (lines, cells + 1)
    F, z, g = F.reshape(shape), z.reshape(*shape, -1), g.reshape(*shape, -1)
    r, k = np.nonzero(np.max(np.abs(np.diff(z, axis=1)), axis=2) > SUSPECT)
    low = _End(s[k], F[r, k], z[r, k], g[r, k], direction)
    high = _End(s[k + 1], F[r, k + 1], z[r, k + 1], g[r, k + 1], direction)
    first = np.max(np.abs(high.z - low.z), axis=1)
    for _ in range(DIVISIONS):
        middle = low.meets(high)
        # Where both ends have met the jump there is nothing left to divide.
        active = np.flatnonzero(high.s - low.s > 1e-9 * h)
        if active.size == 0:
            break
        there = _End(middle[active], *search(r[active], middle[active]), direction)
        nearer = np.sum((there.z - low.z[active]) ** 2, axis=1) < np.sum((there.z - high.z[active]) ** 2, axis=1)
        low.replace(active[nearer], there, nearer)
        high.replace(active[~nearer], there, ~nearer)
    kept = np.max(np.abs(high.z - low.z), axis=1) > np.maximum(REMAINS * first, SUSPECT)
    r, k, low, high = r[kept], k[kept], low.of(kept), high.of(kept)
    at = low.meets(high)
    low, high = low.moved(at), high.moved(at)
    smooth = np.ones((lines, cells), dtype=bool)
    smooth[r, k] = False
    along = g @ direction
    values = np.concatenate([F[:, :, None], g], axis=2)
    before, after = _slopes(values, smooth, h)
    before[:, :, 0] = after[:, :, 0] = along
    table = _hermite(values[:, :-1], after[:, :-1] * h, values[:, 1:], before[:, 1:] * h)
    own = np.full(lines * cells, -1)
    own[r * cells + k] = np.arange(len(r))
    left = _piece(values[r, k], before[r, k], low, (at - s[k]) / h, h)
    right = _piece(values[r, k + 1], after[r, k + 1], high, (at - s[k + 1]) / h, h)
    pieces = np.stack([left, right], axis=1).reshape(-1, *left.shape[1:])
    return EnvelopeLines(
        float(s[0]),
        float(h),
        cells,
        np.concatenate([table.reshape(-1, *table.shape[2:]), pieces]),
        own,
        at,
        _per_line(r, at, lines),
    )


@dataclass
class _End:
    """Ends of stretches: coordinate, minus the envelope, proximal point, slopes."""

    s: np.ndarray
    F: np.ndarray
    z: np.ndarray
    g: np.ndarray
    direction: np.ndarray

    @property
    def along(self) -> np.ndarray:
        return self.g @ self.direction

    def meets(self, high: _End) -> np.ndarray:
        """Return where the tangents at both ends meet; the middle where they are parallel."""
        length = high.s - self.s
        rise = high.along - self.along
        # Tangents F_l + a_l x = F_h - a_h (l - x): x = (F_h - a_h l - F_l) / (a_l - a_h).
        share = (self.F - high.F + high.along * length) / np.where(rise * length == 0.0, 1.0, rise * length)
        share = np.where((share > 0.0) & (share < 1.0), share, 0.5)
        return self.s + share * length

    def replace(self, places: np.ndarray, there: _End, chosen: np.ndarray) -> None:
        self.s[places], self.F[places] = there.s[chosen], there.F[chosen]
        self.z[places], self.g[places] = there.z[chosen], there.g[chosen]

    def of(self, kept: np.ndarray) -> _End:
        return _End(self.s[kept], self.F[kept], self.z[kept], self.g[kept], self.direction)

    def moved(self, at: np.ndarray) -> _End:
        """Return the ends moved along their tangents to the jump."""
        return _End(at, self.F + self.along * (at - self.s), self.z, self.g, self.direction)


def _slopes(values: np.ndarray, smooth: np.ndarray, h: float) -> tuple[np.ndarray, np.ndarray]:
    """Return derivatives at points (R, n, F) from neighbours that no jump separates: as a cell's end, and its start."""
    step = np.diff(values, axis=1) / h
    ok = smooth[:, :, None]
    none = np.zeros_like(values[:, :1])
    zero = np.zeros_like(ok[:, :1])
    back, forth = np.concatenate([none, step], axis=1), np.concatenate([step, none], axis=1)
    back_ok, forth_ok = np.concatenate([zero, ok], axis=1), np.concatenate([ok, zero], axis=1)
    # The step before the one before, and after the one after: one-sided parabolas.
    back2, back2_ok = np.concatenate([none, back[:, :-1]], axis=1), np.concatenate([zero, back_ok[:, :-1]], axis=1)
    forth2, forth2_ok = np.concatenate([forth[:, 1:], none], axis=1), np.concatenate([forth_ok[:, 1:], zero], axis=1)
    central = 0.5 * (back + forth)
    from_back = np.where(back2_ok, 1.5 * back - 0.5 * back2, back)
    from_forth = np.where(forth2_ok, 1.5 * forth - 0.5 * forth2, forth)
    both = back_ok & forth_ok
    before = np.where(both, central, np.where(back_ok, from_back, 0.0))
    after = np.where(both, central, np.where(forth_ok, from_forth, 0.0))
    return before, after


def _hermite(a: np.ndarray, da: np.ndarray, b: np.ndarray, db: np.ndarray) -> np.ndarray:
    """Return cubics (..., 4) on [0, 1] of given values and slopes."""
    rise = b - a
    return np.stack([a, da, 3.0 * rise - 2.0 * da - db, da + db - 2.0 * rise], axis=-1)


def _piece(values: np.ndarray, slopes: np.ndarray, end: _End, u: np.ndarray, h: float) -> np.ndarray:
    """Return polynomials (J, F, 4) from a cell's border to its jump at u, in units of the spacing."""
    far = np.concatenate([end.F[:, None], end.g], axis=1)
    result = np.zeros((*values.shape, 4))
    safe = np.where(np.abs(u) < SHORT, 1.0, u)
    result[:, :, 0] = values
    # Minus the envelope: value and slope are known at both ends.
    cubic = _hermite(values[:, 0], slopes[:, 0] * h * safe, far[:, 0], end.along * h * safe)
    result[:, 0] = cubic / safe[:, None] ** np.arange(4)
    # Its slopes: a parabola.
    slope = slopes[:, 1:] * h
    result[:, 1:, 1] = slope
    result[:, 1:, 2] = (far[:, 1:] - values[:, 1:] - slope * safe[:, None]) / safe[:, None] ** 2
    short = np.abs(u) < SHORT
    result[short, :, 0] = far[short]
    result[short, :, 1:] = 0.0
    result[short, 0, 1] = end.along[short] * h
    return result


def _per_line(owner: np.ndarray, at: np.ndarray, lines: int) -> np.ndarray:
    order = np.lexsort((at, owner))
    owner, at = owner[order], at[order]
    place = np.arange(len(owner)) - np.searchsorted(owner, owner)
    result = np.full((lines, int(place.max()) + 1 if len(place) else 1), np.inf)
    result[owner, place] = at
    return result
