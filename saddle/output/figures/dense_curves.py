"""Curves as they are drawn: a branch's own curve, dense along its length, through its grid points and bifurcations.

Between nodes and grid points it is interpolated along its length, and next to a bifurcation as the square root that it
is there. What the grid holds is kept exactly, and ends lie where the transitions were located.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from saddle.branches.branch import Branch
from saddle.branches.branch_curve import BranchCurve
from saddle.output.figures.stability_parts import located_bifurcations, stability_parts
from saddle.transitions.transition import Transition, TransitionPoint

if TYPE_CHECKING:
    from saddle.diagram.contents import DiagramContents

__all__ = ["DenseCurve", "Stretch", "dense_curve", "drawn_range"]

# Longest chord, compared with the range of alpha and with the size of every number along the branch.
CHORD, MOST_CHORDS = 0.012, 24
# Where the range begins below this part of its end, zero is part of the figure.
NEAR_ZERO = 0.05
# A transition on a finer rule may lie so far from a curve's end, compared with alpha and with the numbers there.
ALPHA_APART, NUMBERS_APART = 0.03, 0.1


class Stretch(NamedTuple):
    """Points of a drawn curve that are stable, or not, or of which that is not known (None)."""

    points: slice
    stable: bool | None


@dataclass(frozen=True)
class DenseCurve:
    """Points along a branch as they are drawn, k of them by increasing alpha, for n order parameters.

    Attributes
    ----------
    alpha
        Sample complexities, (k,).
    states
        Order parameters, (k, n); nan where nothing is known between two points of the grid.
    train_loss, test_error
        Training loss per dimension and test error per token, (k,).
    stretches
        Its parts of one stability, each of which begins where the one before ends.
    ends
        The transitions at which it begins and ends; None where it does not, or beyond the range.
    """

    alpha: np.ndarray
    states: np.ndarray
    train_loss: np.ndarray
    test_error: np.ndarray
    stretches: tuple[Stretch, ...]
    ends: tuple[Transition | None, Transition | None]


def drawn_range(diagram: DiagramContents) -> tuple[float, float]:
    """Return the range of alpha that a figure shows: that of the grid, and zero where this is near."""
    low, high = float(diagram.alpha[0]), float(diagram.alpha[-1])
    if low == high:
        return 0.9 * low, 1.1 * high
    return (0.0 if low < NEAR_ZERO * high else low), high


def dense_curve(diagram: DiagramContents, branch: Branch) -> DenseCurve | None:
    """Return a branch as it is drawn within the range of a figure; None if nothing of it lies there."""
    path = _Path.of(branch)
    if path is None:
        return None
    first, last = (_ending(diagram, branch, path, end) for end in (0, 1))
    path = path.ending(0, first).ending(1, last)
    low, high = drawn_range(diagram)
    parts = stability_parts(diagram, branch, float(path.alpha[0]), float(path.alpha[-1]))
    path = path.through([low, high, *(part.high for part in parts[:-1])]).within(low, high)
    if not path.alpha.size:
        return None
    alpha, numbers = path.sampled(high - low)
    stretches = []
    for part in parts:
        points = np.flatnonzero((part.low <= alpha) & (alpha <= part.high))
        if points.size:
            stretches.append(Stretch(slice(int(points[0]), int(points[-1]) + 1), part.stable))
    ends = (
        first if first is not None and alpha[0] == first.alpha else None,
        last if last is not None and alpha[-1] == last.alpha else None,
    )
    return DenseCurve(alpha, numbers[:, :-2], numbers[:, -2], numbers[:, -1], tuple(stretches), ends)


def _numbers(states: np.ndarray, train_loss: np.ndarray, test_error: np.ndarray) -> np.ndarray:
    """Return what is drawn of k points as a table (k, n + 2)."""
    return np.column_stack([states, train_loss, test_error])


def _numbers_of(point: TransitionPoint) -> np.ndarray:
    return np.array([*point.order_parameters, -point.free_entropy, point.test_error])


def _followed(branch: Branch) -> BranchCurve | None:
    """Return a branch's curve, if it knows more than the grid."""
    curve = branch.curve
    return None if curve is None or len(curve.alpha) < 2 or np.all(np.isin(curve.alpha, branch.alpha)) else curve


@dataclass(frozen=True)
class _Path:
    """Known points of a branch, and how to go from one to the next.

    Attributes
    ----------
    branch, curve
        The branch, and its curve if there is one.
    alpha, numbers
        Where, (k,), and what is drawn there, (k, n + 2).
    on_curve
        The values of alpha at which the curve has these points, (k,): others than ``alpha`` only at bifurcations,
        whose place is better known than the curve's.
    roots
        Whether it begins, and ends, as a square root.
    """

    branch: Branch
    curve: BranchCurve | None
    alpha: np.ndarray
    numbers: np.ndarray
    on_curve: np.ndarray
    roots: tuple[bool, bool]

    @classmethod
    def of(cls, branch: Branch) -> _Path | None:
        """Return the points of the grid and the nodes of the curve; None if there are none."""
        own, curve = branch.distinct, _followed(branch)
        alpha = branch.alpha[own]
        numbers = _numbers(branch.states[own], branch.train_loss[own], branch.test_error[own])
        roots = (False, False)
        if curve is not None:
            new = ~np.isin(curve.alpha, alpha)
            nodes = _numbers(curve.states, -curve.free_entropy, curve.test_error)[new]
            order = np.argsort(np.concatenate([alpha, curve.alpha[new]]))
            alpha = np.concatenate([alpha, curve.alpha[new]])[order]
            numbers = np.concatenate([numbers, nodes])[order]
            low, high = (end.connected or end.kind == "fold" for end in curve.ends)
            roots = (low, high)
        return cls(branch, curve, alpha, numbers, alpha, roots) if alpha.size else None

    def ending(self, end: int, transition: Transition | None) -> _Path:
        """Return the path with a transition at its lower (0) or higher (1) end, in the place of the curve's own."""
        if transition is None:
            return self
        kept = self.alpha > transition.alpha if end == 0 else self.alpha < transition.alpha
        if self.curve is not None and self.alpha[-end] == self.curve.alpha[-end]:
            kept[-end] = False
        own = self.on_curve[-end] if self.curve is not None else transition.alpha
        alpha, numbers, on_curve = (
            np.concatenate([known[kept], there] if end else [there, known[kept]])
            for known, there in (
                (self.alpha, np.array([transition.alpha])),
                (self.numbers, _numbers_of(transition.points[0])[None]),
                (self.on_curve, np.array([own])),
            )
        )
        roots = (self.roots[0] or end == 0, self.roots[1] or end == 1)
        return _Path(self.branch, self.curve, alpha, numbers, on_curve, roots)

    def through(self, places: Sequence[float]) -> _Path:
        """Return the path with more points, at those values of alpha that lie between its ends."""
        path = self
        for place in places:
            if not path.alpha[0] < place < path.alpha[-1] or place in path.alpha:
                continue
            k = int(np.searchsorted(path.alpha, place))
            t = (place - path.alpha[k - 1]) / (path.alpha[k] - path.alpha[k - 1])
            on_curve = path.on_curve[k - 1] + t * (path.on_curve[k] - path.on_curve[k - 1])
            path = _Path(
                path.branch,
                path.curve,
                np.insert(path.alpha, k, place),
                np.insert(path.numbers, k, path.between(k - 1, np.array([t]))[0], axis=0),
                np.insert(path.on_curve, k, on_curve),
                path.roots,
            )
        return path

    def within(self, low: float, high: float) -> _Path:
        """Return the part between two values of alpha."""
        kept = (low <= self.alpha) & (self.alpha <= high)
        if not kept.any():
            return _Path(self.branch, self.curve, self.alpha[kept], self.numbers[kept], self.on_curve[kept], self.roots)
        roots = (self.roots[0] and bool(kept[0]), self.roots[1] and bool(kept[-1]))
        return _Path(self.branch, self.curve, self.alpha[kept], self.numbers[kept], self.on_curve[kept], roots)

    def between(self, k: int, parts: np.ndarray) -> np.ndarray:
        """Interpolate between points k and k + 1, at parts of the way in alpha (c,): numbers (c, n + 2)."""
        first, last = self.numbers[k], self.numbers[k + 1]
        t = parts[:, None]
        a, b = self.on_curve[k], self.on_curve[k + 1]
        if self.curve is not None and self.curve.reaches(a) and self.curve.reaches(b):
            there = np.array([_on_curve(self.curve, a + part * (b - a)) for part in (0.0, *parts, 1.0)])
            return there[1:-1] + (1.0 - t) * (first - there[0]) + t * (last - there[-1])
        gap = (self.branch.alpha > self.alpha[k]) & (self.branch.alpha < self.alpha[k + 1])
        if np.any(gap):
            # The grid has a point there, at which the branch was not found.
            return np.full((len(parts), len(first)), np.nan)
        straight = first + t * (last - first)
        if k == 0 and self.roots[0]:
            return np.where(first == 0.0, np.sqrt(t) * last, straight)
        if k == len(self.alpha) - 2 and self.roots[1]:
            return np.where(last == 0.0, np.sqrt(1.0 - t) * first, straight)
        return straight

    def sampled(self, width: float) -> tuple[np.ndarray, np.ndarray]:
        """Return values of alpha (k,) and numbers (k, n + 2) along the path, dense enough for a figure of a width."""
        sizes = _sizes(self.numbers)
        alphas, numbers = [self.alpha[:1]], [self.numbers[:1]]
        for k in range(len(self.alpha) - 1):
            step = np.nan_to_num(np.abs(self.numbers[k + 1] - self.numbers[k]) / sizes)
            chords = max((self.alpha[k + 1] - self.alpha[k]) / width, float(step.max())) / CHORD
            even = np.linspace(0.0, 1.0, int(np.clip(np.ceil(chords), 1, MOST_CHORDS)) + 1)[1:-1]
            if k == 0 and self.roots[0]:
                even = even**2
            elif k == len(self.alpha) - 2 and self.roots[1]:
                even = 1.0 - (1.0 - even) ** 2
            if even.size:
                alphas.append(self.alpha[k] + even * (self.alpha[k + 1] - self.alpha[k]))
                numbers.append(self.between(k, even))
            alphas.append(self.alpha[k + 1 : k + 2])
            numbers.append(self.numbers[k + 1 : k + 2])
        return np.concatenate(alphas), np.concatenate(numbers)


def _sizes(numbers: np.ndarray) -> np.ndarray:
    """Return the size of every number along a branch, (n + 2,), also where one is not known at some points."""
    return np.maximum(np.abs(np.nan_to_num(numbers)).max(axis=0), 1e-12)


def _on_curve(curve: BranchCurve, alpha: float) -> np.ndarray:
    at = np.array([alpha])
    return np.array([*curve.state(alpha)[0], -curve.free_entropies(at)[0], curve.test_errors(at)[0]])


def _ends_at(transition: Transition, branch: Branch, branches: Collection[str]) -> bool:
    """Whether a branch can begin or end at a transition, which may know its family alone."""
    if not transition.points or transition.kind == "branch point":
        return False
    named = transition.between if transition.kind == "fold" else transition.between[1:]
    return any(
        name in (branch.name, branch.family) or (name.split()[0] == branch.family and name not in branches)
        for name in named
    )


def _ending(diagram: DiagramContents, branch: Branch, path: _Path, end: int) -> Transition | None:
    """Return the transition that was located where a branch begins (0) or ends (1)."""
    own = [one for one in located_bifurcations(diagram) if _ends_at(one, branch, diagram.branches)]
    alpha = float(path.alpha[-end])
    if path.curve is None:
        # Only the grid knows the branch: it ends at a transition that lies between its last point and the next.
        place = int(np.searchsorted(branch.alpha, alpha)) + (1 if end else -1)
        beyond = float(branch.alpha[place]) if 0 <= place < branch.alpha.size else alpha
        near = [one for one in own if min(alpha, beyond) <= one.alpha <= max(alpha, beyond)]
    else:
        sizes = _sizes(path.numbers)
        near = [
            one
            for one in own
            if path.roots[end]
            and abs(one.alpha - alpha) <= max(ALPHA_APART * alpha, 10.0 * one.error)
            # With several columns, it may be an image of the one here.
            and np.all(np.abs(_numbers_of(one.points[0]) - path.numbers[-end]) <= NUMBERS_APART * sizes)
        ]
    return min(near, key=lambda one: (branch.name not in one.between, abs(one.alpha - alpha)), default=None)
