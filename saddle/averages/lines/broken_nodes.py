"""Nodes along lines of local fields that are broken, or graded, where the proximal point jumps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from saddle.averages.lines.jump_line_rule import JumpLineRule

__all__ = ["REACH", "WINDOW", "BrokenNodes", "inner_nodes", "outer_nodes"]

# How far lines go, in standard deviations of the outer fields; how far a step goes, in its own, of which a weight
# exp(y F) may shift it by some.
REACH, WINDOW = 5.0, 7.5
# Ends of panels beside a jump, in standard deviations of the step; the widest panel of all, in those of the outer
# fields; jumps of neighbouring lines that are closer than this, in those of the step, count as one that moves.
PANELS, WIDEST, TOGETHER = (1.5, 3.5, 7.0), 1.2, 3.0


@dataclass(frozen=True)
class BrokenNodes:
    """Nodes: the number of what they belong to, in rising order, their coordinates and weights, (n,) each."""

    owner: np.ndarray
    s: np.ndarray
    weights: np.ndarray


def _legendre(count: int) -> tuple[np.ndarray, np.ndarray]:
    x, w = np.polynomial.legendre.leggauss(count)
    return 0.5 * (1.0 + x), 0.5 * w


def outer_nodes(jumps: np.ndarray, width: float, rule: JumpLineRule) -> BrokenNodes:
    """Return nodes of a standard normal coordinate, graded towards jumps.

    Parameters
    ----------
    jumps
        Of all lines that a step leads to from each of n lines, (n, k); infinity is none.
    width
        Standard deviation of a step along the lines.
    """
    owner, low, high = [], [], []
    for line, known in enumerate(jumps):
        edges = _panels(np.sort(known[np.abs(known) < REACH]), width)
        counts = np.maximum(1, np.ceil(np.diff(edges) / WIDEST).astype(int))
        # Each panel in so many equal parts.
        part = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        ends = np.append(part * np.repeat(np.diff(edges) / counts, counts) + np.repeat(edges[:-1], counts), edges[-1])
        low.append(ends[:-1])
        high.append(ends[1:])
        owner.append(np.full(len(ends) - 1, line))
    start, length = np.concatenate(low), np.concatenate(high) - np.concatenate(low)
    x, w = _legendre(rule.panel_nodes)
    s = (start[:, None] + length[:, None] * x).ravel()
    weights = (length[:, None] * w).ravel() * np.exp(-0.5 * s**2) / np.sqrt(2.0 * np.pi)
    return BrokenNodes(np.repeat(np.concatenate(owner), len(x)), s, weights)


def _panels(jumps: np.ndarray, width: float) -> np.ndarray:
    """Return the ends of a line's panels."""
    edges = [-REACH, REACH]
    if jumps.size:
        for group in np.split(jumps, np.flatnonzero(np.diff(jumps) > TOGETHER * width) + 1):
            first, last = float(group[0]), float(group[-1])
            middle = 0.5 * (first + last)
            edges += [middle] if last - first < 2.0 * width else [first, middle, last]
            edges += [x for panel in PANELS for x in (first - panel * width, last + panel * width)]
    inside = np.unique([x for x in edges if -REACH <= x <= REACH])
    return inside[np.concatenate([[True], np.diff(inside) > 1e-12])]


def inner_nodes(jumps: np.ndarray, means: np.ndarray, width: float, rule: JumpLineRule) -> BrokenNodes:
    """Return nodes of normal coordinates of given means, between jumps; the weights of each sum to one.

    Parameters
    ----------
    jumps
        Of the line of each, (n, k), infinity being none.
    means, width
        Means (n,) and the standard deviation.
    """
    reach = WINDOW * width
    broken = np.any(np.abs(jumps - means[:, None]) < reach, axis=1)
    plain, cut = np.flatnonzero(~broken), np.flatnonzero(broken)
    x, w = np.polynomial.hermite_e.hermegauss(rule.nodes)
    owner, s, weights = [np.repeat(plain, len(x))], [(means[plain, None] + width * x).ravel()], [w / w.sum()]
    weights = [np.tile(w / w.sum(), len(plain))]
    if cut.size:
        middle = means[cut, None]
        ends = np.clip(jumps[cut], middle - reach, middle + reach)
        edges = np.sort(np.concatenate([middle - reach, middle, middle + reach, ends], axis=1), axis=1)
        row, column = np.nonzero(np.diff(edges, axis=1) > 1e-9 * width)
        low, length = edges[row, column], edges[row, column + 1] - edges[row, column]
        x, w = _legendre(rule.piece_nodes)
        at = low[:, None] + length[:, None] * x
        density = length[:, None] * w * np.exp(-0.5 * ((at - middle[row]) / width) ** 2)
        density /= np.bincount(row, density.sum(axis=1), len(cut))[row, None]
        owner.append(np.repeat(cut[row], len(x)))
        s.append(at.ravel())
        weights.append(density.ravel())
    number = np.concatenate(owner)
    order = np.argsort(number, kind="stable")
    return BrokenNodes(number[order], np.concatenate(s)[order], np.concatenate(weights)[order])
