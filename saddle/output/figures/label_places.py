"""Where labels stand: beside their own curves, on no curve, on no other label, inside the axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.text import Text
from scipy.spatial import KDTree

__all__ = ["CurveLabel", "drawn_points", "place_labels", "spread"]

# Lengths in points. Between a label and any curve; from a label to its own curve; between points of a sampled line.
CLEAR, GAPS, STEP = 1.5, (2.0, 5.0, 9.0, 14.0), 1.5
# Places along a curve that are tried.
TRIED = 120
# Cost in points of another curve as near as its own, of the length of a panel away from its end, and of nothing else.
CONFUSED, FAR_FROM_THE_END = 60.0, 12.0


@dataclass(frozen=True)
class CurveLabel:
    """A text, its colour, and the curve it belongs to, in data coordinates (k, 2)."""

    text: str
    colour: str
    curve: np.ndarray


def _dense(path: np.ndarray, step: float) -> np.ndarray:
    """Return points (k, 2) along a polygon, no further apart than a step; nan separates its parts."""
    parts = [path[:1]]
    for first, last in pairwise(path):
        length = float(np.hypot(*(last - first)))
        if np.isfinite(length):
            count = min(int(length / step) + 1, 10_000)
            parts.append(first + np.linspace(0.0, 1.0, count + 1)[1:, None] * (last - first))
        else:
            parts.append(last[None])
    points = np.concatenate(parts)
    return points[np.all(np.isfinite(points), axis=1)]


def drawn_points(axes: Axes) -> list[np.ndarray]:
    """Return points of everything that is drawn as a line or a marker, in pixels, one array (k, 2) per artist."""
    box, step = axes.bbox, STEP * axes.figure.dpi / 72.0
    found = []
    for line in axes.get_lines():
        xy = np.column_stack([np.asarray(x, dtype=float) for x in line.get_data()])
        if not len(xy):
            continue
        path = line.get_transform().transform(xy)
        # What lies far outside is cut, lest it be sampled.
        path = np.clip(path, [box.x0 - 50.0, box.y0 - 50.0], [box.x1 + 50.0, box.y1 + 50.0])
        isolated = line.get_linestyle() in ("None", "none", "", " ")
        found.append(path[np.all(np.isfinite(path), axis=1)] if isolated else _dense(path, step))
    for collection in axes.collections:
        if isinstance(collection, PathCollection):
            offsets = np.ma.filled(np.ma.asarray(collection.get_offsets(), dtype=float), np.nan)
            found.append(collection.get_offset_transform().transform(offsets))
    return [points[np.all(np.isfinite(points), axis=1)] for points in found if len(points)]


def _distances(boxes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return about how far each of b boxes (x0, y0, x1, y1) is from k points, (b,); infinite if there are none."""
    if not len(points):
        return np.full(len(boxes), np.inf)
    x, y = (np.linspace(boxes[:, k], boxes[:, k + 2], count) for k, count in ((0, 7), (1, 3)))
    places = np.stack(np.broadcast_arrays(x[:, None], y[None]), axis=-1)
    return np.min(KDTree(points).query(places)[0], axis=(0, 1))


def _hit(boxes: np.ndarray, points: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Return whether a box (x0, y0, x1, y1) of b within an area holds one of k points, (b,), to a pixel."""
    x0, y0, x1, y1 = area
    shape = (int(x1 - x0) + 3, int(y1 - y0) + 3)
    counts = np.zeros(shape, dtype=int)
    places = np.floor(points - [x0, y0]).astype(int) + 1
    inside = np.all((places >= 0) & (places < shape), axis=1)
    np.add.at(counts, tuple(places[inside].T), 1)
    total = np.pad(counts.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    a, b = (np.clip(np.floor(boxes[:, k] - (x0, y0)[k]).astype(int) + 1, 0, shape[k]) for k in (0, 1))
    c, d = (np.clip(np.floor(boxes[:, k + 2] - (x0, y0)[k]).astype(int) + 2, 0, shape[k]) for k in (0, 1))
    return total[c, d] - total[a, d] - total[c, b] + total[a, b] > 0


def _candidates(curve: np.ndarray, width: float, height: float, unit: float) -> np.ndarray:
    """Return boxes (b, 4) of a text around places along a curve, all in pixels."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
    even = np.linspace(0.0, along[-1], TRIED)
    places = np.column_stack([np.interp(even, along, curve[:, k]) for k in (0, 1)])
    boxes = []
    for gap in GAPS:
        for side in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)):
            half = np.array([width, height]) / 2
            centre = places + np.array(side) * (gap * unit + half)
            boxes.append(np.column_stack([centre - half, centre + half]))
    return np.concatenate(boxes)


def place_labels(axes: Axes, labels: Sequence[CurveLabel]) -> list[Text]:
    """Write labels beside their curves; one that has no room is left out.

    The figure's layout must be settled, and limits of the axes set: places are found in pixels, and kept in data.
    """
    unit, area = axes.figure.dpi / 72.0, axes.bbox
    drawn, taken, written = drawn_points(axes), [], []
    everything = np.concatenate(drawn) if drawn else np.zeros((0, 2))
    for label in labels:
        text = axes.text(0.5, 0.5, label.text, color=label.colour, transform=axes.transAxes, ha="center", va="center",
                         fontsize="small", zorder=4)  # fmt: skip
        extent = text.get_window_extent()
        curve = axes.transData.transform(label.curve)
        lowest, highest = np.array(area.min) - 1.0, np.array(area.max) + 1.0
        inside = np.all(np.isfinite(curve) & (lowest <= curve) & (curve <= highest), axis=1)
        place = None if np.count_nonzero(inside) < 2 else _best(
            curve[inside], everything, taken, (extent.width, extent.height), (np.array(area.extents), unit)
        )  # fmt: skip
        if place is None:
            text.remove()
            continue
        taken.append(place)
        centre = axes.transData.inverted().transform((place[:2] + place[2:]) / 2)
        text.set_transform(axes.transData)
        text.set_position((float(centre[0]), float(centre[1])))
        written.append(text)
    return written


def _best(
    curve: np.ndarray, everything: np.ndarray, taken: Sequence[np.ndarray], size: tuple[float, float],
    area: tuple[np.ndarray, float],
) -> np.ndarray | None:  # fmt: skip
    """Return the best free box for a label of a size, (4,) in pixels; None if there is none."""
    (x0, y0, x1, y1), unit = area
    boxes = _candidates(curve, *size, unit)
    clear = CLEAR * unit
    free = (
        (boxes[:, 0] >= x0 + 2 * clear)
        & (boxes[:, 1] >= y0 + 2 * clear)
        & (boxes[:, 2] <= x1 - 2 * clear)
        & (boxes[:, 3] <= y1 - 2 * clear)
    )
    for other in taken:
        apart = (boxes[:, 0] > other[2] + 2 * clear) | (boxes[:, 2] < other[0] - 2 * clear)
        apart |= (boxes[:, 1] > other[3] + clear) | (boxes[:, 3] < other[1] - clear)
        free &= apart
    boxes = boxes[free]
    if not len(boxes):
        return None
    boxes = boxes[~_hit(boxes + np.array([-clear, -clear, clear, clear]), everything, area[0])]
    if not len(boxes):
        return None
    own_points = _dense(curve, STEP * unit)
    # Of other curves, what is not this one's own line.
    others = everything[KDTree(own_points).query(everything)[0] > 2.0 * STEP * unit]
    own, other = _distances(boxes, own_points), _distances(boxes, others)
    confused = np.clip(2.0 * own / np.maximum(other, 1e-9) - 1.0, 0.0, 1.0)
    from_end = (x1 - boxes[:, 2]) / (x1 - x0)
    return boxes[int(np.argmin(own / unit + CONFUSED * confused + FAR_FROM_THE_END * from_end))]


def spread(centres: Sequence[float], widths: Sequence[float], low: float, high: float) -> list[float] | None:
    """Return centres of intervals of some widths that do not overlap and lie between two bounds, near the wanted ones.

    None if they do not fit. The wanted centres must not decrease.
    """
    if sum(widths) > high - low:
        return None
    placed: list[float] = []
    for centre, width in zip(centres, widths, strict=True):
        least = low + width / 2 if not placed else placed[-1] + widths[len(placed) - 1] / 2 + width / 2
        placed.append(max(centre, least))
    limit = high
    for k in range(len(placed) - 1, -1, -1):
        placed[k] = min(placed[k], limit - widths[k] / 2)
        limit = placed[k] - widths[k] / 2
    return placed
