r"""Second derivatives of the Moreau envelope on grids of local fields, and its kinks: where proximal points jump.

Away from kinks the derivative follows the minimum that a proximal point lies in, by differences of slopes at fields
close by. Between two neighbouring points there is a kink if the minimum of one, followed to the other, lies above the
minimum there. The slope then jumps by D, and :math:`\int(\partial^2 M_T)^2\,dw` of the envelope at a small temperature
T is :math:`|D|^3/(6T)` across the kink (theory notes, section 9).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from saddle.averages.moreau_envelope import EnvelopeTable
from saddle.state_evolution.steps.excess_on_grids import FieldGrid

__all__ = ["FieldCurvature", "field_curvature"]

# Share of the law below which a point does not matter, and displacement for differences of slopes, in fields' units.
NEGLIGIBLE, DISPLACEMENT = 1e-12, 1e-4
# A minimum that lies above another by less than this, relative to it, is the same one.
SAME_VALUE = 1e-9
# Grid points that are handed on at a time.
BLOCK = 400_000


@dataclass(frozen=True)
class FieldCurvature:
    r"""Averages over a law of the fields, with :math:`H = \partial^2 M`.

    Attributes
    ----------
    regular
        :math:`E H_{ab}^2` away from kinks, (L, L).
    kinks
        T times what kinks add to it at a small temperature T, (L, L).
    jumps, failures
        Numbers of neighbours with a kink between them, and of points where the minimum was not followed.
    """

    regular: np.ndarray
    kinks: np.ndarray
    jumps: int
    failures: int


@dataclass(frozen=True)
class _Points:
    """Some of a grid's points: fields and proximal points (n, L), targets, values of the objective (n,)."""

    fields: np.ndarray
    points: np.ndarray
    targets: np.ndarray
    values: np.ndarray


def field_curvature(table: EnvelopeTable, grid: FieldGrid, law: np.ndarray) -> FieldCurvature:
    """Average squares of second derivatives over a law of the fields, weights (N, n, ..., n) of the grid's points."""
    length = grid.axes.shape[1]
    spacing = float(grid.axes[0, 0, 1] - grid.axes[0, 0, 0])
    groups = list(table.model.structure.layout.groups)
    inverses = 1.0 / grid.susceptibility[groups]
    matters = np.flatnonzero(law > NEGLIGIBLE)
    regular, kinks, count, failures = np.zeros((length, length)), np.zeros((length, length)), 0, 0
    for places in _blocks(matters):
        hessians = _hessians(table, grid, _points(table, grid, places), inverses)
        failed = np.isnan(hessians).any(axis=(1, 2))
        failures += int(failed.sum())
        regular += np.einsum("n,nab->ab", law.ravel()[places][~failed], hessians[~failed] ** 2)
    for axis in range(length):
        for places in _blocks(matters):
            left, right = _neighbours(law, places, axis)
            if not left.size:
                continue
            jumps, place = _jumps(table, grid, _points(table, grid, left), _points(table, grid, right), inverses)
            mean = (1.0 - place) * law.ravel()[left] + place * law.ravel()[right]
            size = np.sqrt(np.sum(jumps**2, axis=1))
            there = size > 0.0
            count += int(there.sum())
            # A surface of area dS is crossed |n_a| dS / h^(L-1) times along axis a, and the squares of n add up to 1.
            across = np.abs(jumps[there, axis]) / size[there] * mean[there] / spacing / (6.0 * size[there])
            squares = jumps[there] ** 2
            kinks += np.einsum("n,na,nb->ab", across, squares, squares)
    return FieldCurvature(regular, kinks, count, failures)


def _blocks(places: np.ndarray) -> Iterator[np.ndarray]:
    for first in range(0, len(places), BLOCK):
        yield places[first : first + BLOCK]


def _neighbours(law: np.ndarray, places: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points that have a next one along a token's axis, and these."""
    stride = law.strides[axis + 1] // law.itemsize
    inside = (places // stride) % law.shape[axis + 1] + 1 < law.shape[axis + 1]
    return places[inside], places[inside] + stride


def _points(table: EnvelopeTable, grid: FieldGrid, places: np.ndarray) -> _Points:
    length = grid.axes.shape[1]
    indices = np.unravel_index(places, grid.values.shape)
    fields = np.stack([grid.axes[indices[0], token, indices[token + 1]] for token in range(length)], axis=1)
    targets = grid.targets[indices[0]]
    return _Points(fields, grid.proximal_points.reshape(-1, length)[places], targets, -grid.values.ravel()[places])


def _followed(
    table: EnvelopeTable, grid: FieldGrid, fields: np.ndarray, targets: np.ndarray, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return values and places (n, L) of the minima at fields (n, L) that starts lead to."""
    values, points = table.from_starts(
        fields[:, :, None], targets, grid.susceptibility[:, None, None], starts[:, :, None]
    )
    return values, points[:, :, 0]


def _hessians(table: EnvelopeTable, grid: FieldGrid, here: _Points, inverses: np.ndarray) -> np.ndarray:
    """Return second derivatives (n, L, L) along the minimum that each point lies in; nan where it was lost."""
    length = here.fields.shape[1]
    found = np.empty((len(here.fields), length, length))
    for token in range(length):
        step = DISPLACEMENT * (np.arange(length) == token)
        moved = [
            _followed(table, grid, here.fields + sign * step, here.targets, here.points)[1] - sign * step
            for sign in (1.0, -1.0)
        ]
        # The slope of M is (w - z) / V.
        found[:, :, token] = -inverses * (moved[0] - moved[1]) / (2.0 * DISPLACEMENT)
    return 0.5 * (found + found.transpose(0, 2, 1))


def _jumps(
    table: EnvelopeTable, grid: FieldGrid, left: _Points, right: _Points, inverses: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much the slope jumps between neighbours, (n, L), zero where it does not, and where between them.

    Close to where it is born, a minimum may be lost before the next point: what is known on one side counts there.
    """
    forth, onwards = _followed(table, grid, right.fields, right.targets, left.points)
    back, backwards = _followed(table, grid, left.fields, left.targets, right.points)
    # How far one well lies above the other; nan where it could not be followed.
    excess = [np.nan_to_num(back - left.values), np.nan_to_num(forth - right.values)]
    known = [x > SAME_VALUE * np.abs(y.values) for x, y in zip(excess, (left, right), strict=True)]
    both = known[0] & known[1]
    place = np.where(both, excess[0] / np.where(both, excess[0] + excess[1], 1.0), np.where(known[0], 0.0, 1.0))
    apart = (1.0 - place)[:, None] * (backwards - left.points) + place[:, None] * (right.points - onwards)
    return np.where((known[0] | known[1])[:, None], inverses * np.nan_to_num(apart), 0.0), place
