"""The curve of a branch over all of the range in which it was followed: what a grid, and any alpha, is read off.

A branch has one solution per alpha between the two ends of its curve. Nodes hold solutions and, since Phi is
stationary, the exact slope dPhi/dalpha = -E[M]; free entropies between them are Hermite's cubic, and states are only
starts for Newton's method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.optimize import root_scalar

from replica.common.by_value import ByValue

if TYPE_CHECKING:
    from replica.symmetry.sectors import Sector
    from saddle.state_evolution.state_evolution import StateEvolution

__all__ = ["BranchCurve", "CurveEnd", "OnCurve"]

CONNECTED = ("pitchfork", "onset")
# Of a segment: nodes nearer to it than this part of its length would only amplify their errors.
LEAST_SPACING = 0.3


@dataclass(frozen=True)
class CurveEnd:
    """How a branch ends towards lower or higher alpha.

    Attributes
    ----------
    kind
        "pitchfork" or "onset" (it becomes one with the branch ``partner``), "fold" (it turns back into ``partner``),
        "bound" (the end of the range searched), "lost" (it could not be followed any further), "faint" (its weights
        fade away, and are too small to be known beyond), "interrupted", or for Q = 0 "escape" (of samples to another
        minimum).
    alpha
        Where, on the branches' own rule.
    partner
        Name of the other branch; "" if there is none, or it is not known.
    """

    kind: str
    alpha: float
    partner: str = ""

    @property
    def connected(self) -> bool:
        """Whether beyond it the branch has become one of higher symmetry."""
        return self.kind in CONNECTED

    def __str__(self) -> str:
        where = f"alpha = {self.alpha:.5g}"
        if self.connected:
            return f"{self.kind} on {self.partner or 'an unknown branch'} at {where}"
        if self.kind == "fold":
            return f"fold at {where}"
        said = {
            "bound": "end of the range searched",
            "lost": "could not be followed beyond",
            "faint": "weights too small to be followed beyond",
            "interrupted": "interrupted",
            "escape": "samples escape to another minimum beyond",
        }
        return f"{said.get(self.kind, self.kind)}, {where}"


@dataclass(frozen=True, eq=False, repr=False)
class BranchCurve(ByValue):
    """Solutions along a branch, by increasing alpha; m nodes, n order parameters.

    Attributes
    ----------
    alpha
        Sample complexities, strictly increasing, (m,). The first or last node is the bifurcation itself where one
        ends the curve.
    states
        Order parameters, (m, n).
    tangents
        Directions of increasing alpha, in order parameters and alpha, (m, n + 1); nan at a bifurcation.
    free_entropy, average_envelope
        Phi, and E[M] = -dPhi/dalpha, (m,).
    test_error, test_error_derivative
        Test error per token and its derivative in alpha, (m,); the latter nan at a bifurcation.
    ends
        How it ends at its lowest and its highest alpha.
    vanishing
        Indices of the order parameters that go to zero as a square root at each end.
    """

    alpha: np.ndarray
    states: np.ndarray
    tangents: np.ndarray
    free_entropy: np.ndarray
    average_envelope: np.ndarray
    test_error: np.ndarray
    test_error_derivative: np.ndarray
    ends: tuple[CurveEnd, CurveEnd]
    vanishing: tuple[tuple[int, ...], tuple[int, ...]] = field(default=((), ()))

    def __post_init__(self) -> None:
        """Make every array read-only."""
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    @property
    def reach(self) -> tuple[float, float]:
        """Lowest and highest alpha of the nodes."""
        return float(self.alpha[0]), float(self.alpha[-1])

    def reaches(self, alpha: float) -> bool:
        """Whether the branch was followed at a value of alpha."""
        low, high = self.reach
        return low * (1.0 - 1e-12) <= alpha <= high * (1.0 + 1e-12)

    def end_towards(self, alpha: float) -> CurveEnd:
        """Return the end that is nearer to a value of alpha: where the branch is not there any more, the one passed."""
        low, high = self.reach
        return self.ends[0 if abs(alpha - low) < abs(alpha - high) else 1]

    def fades(self, alpha: float) -> np.ndarray | None:
        """Return the state next to an onset that ends the segment which holds an alpha; None if none does."""
        if len(self.alpha) < 2 or not self.reaches(alpha):
            return None
        k, _ = self._place(alpha)
        for end, node in ((0, 0), (1, len(self.alpha) - 2)):
            if k == node and self.ends[end].kind == "onset":
                return self.states[k + 1 if end == 0 else k]
        return None

    def ending(
        self, end: int, how: CurveEnd, kept: np.ndarray, node: Mapping[str, object], vanishing: tuple[int, ...] = ()
    ) -> BranchCurve:
        """Return the curve with another end.

        Parameters
        ----------
        end
            0 for the lower one, 1 for the higher one.
        how
            The new end.
        kept
            Which nodes stay, (m,).
        node
            One more node there, by the names of this class; empty if there is none. Its tangent and the slope of its
            test error are not known.
        vanishing
            Indices of the order parameters that go to zero as a square root there.
        """
        unknown = {"tangents": np.full(self.tangents.shape[1], np.nan), "test_error_derivative": np.nan}
        columns = {f.name: getattr(self, f.name)[kept] for f in fields(self) if f.name not in ("ends", "vanishing")}
        for name, value in ({**unknown, **node} if node else {}).items():
            row = np.asarray(value, dtype=float)[None]
            columns[name] = np.concatenate([columns[name], row] if end else [row, columns[name]])
        ends, roots = list(self.ends), list(self.vanishing)
        ends[end], roots[end] = how, vanishing
        return BranchCurve(**columns, ends=(ends[0], ends[1]), vanishing=(roots[0], roots[1]))

    def _place(self, alpha: float) -> tuple[int, float]:
        """Return the segment that holds a value of alpha, and the part of it that lies below."""
        k = int(np.clip(np.searchsorted(self.alpha, alpha) - 1, 0, len(self.alpha) - 2))
        return k, float(np.clip((alpha - self.alpha[k]) / (self.alpha[k + 1] - self.alpha[k]), 0.0, 1.0))

    def free_entropies(self, alpha: np.ndarray) -> np.ndarray:
        """Interpolate Phi at values of alpha (k,); nan where the branch was not followed."""
        return self._cubic(np.asarray(alpha, dtype=float), self.free_entropy, -self.average_envelope)

    def test_errors(self, alpha: np.ndarray) -> np.ndarray:
        """Interpolate the test error at values of alpha (k,); nan where the branch was not followed."""
        alpha = np.asarray(alpha, dtype=float)
        secant = np.interp(alpha, self.alpha, self.test_error)
        smooth = self._cubic(alpha, self.test_error, self.test_error_derivative)
        # Beside a bifurcation the slope is not finite, or one-sided.
        outside = np.array([not self.reaches(float(a)) for a in alpha])
        return np.where(outside, np.nan, np.where(np.isfinite(smooth), smooth, secant))

    def _cubic(self, alpha: np.ndarray, values: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        found = np.full(alpha.shape, np.nan)
        for place, a in enumerate(alpha):
            if not self.reaches(float(a)):
                continue
            if len(self.alpha) == 1:
                found[place] = values[0]
                continue
            k, t = self._place(float(a))
            h = self.alpha[k + 1] - self.alpha[k]
            s = 1.0 - t
            found[place] = (
                s * s * (1.0 + 2.0 * t) * values[k]
                + t * t * (1.0 + 2.0 * s) * values[k + 1]
                + h * s * t * (s * slopes[k] - t * slopes[k + 1])
            )
        return found

    def state(self, alpha: float) -> tuple[np.ndarray, float]:
        """Return the interpolated state (n,) at an alpha within reach, and the length of its segment.

        The length is the largest change of an order parameter over the segment in units of its size there.
        """
        if len(self.alpha) == 1:
            return self.states[0].copy(), 0.0
        k, t = self._place(alpha)
        first, last = self.states[k], self.states[k + 1]
        size = np.maximum(np.maximum(np.abs(first), np.abs(last)), 1e-12)
        length = float(np.max(np.abs(last - first) / size))
        for end, node in ((0, 0), (1, len(self.alpha) - 2)):
            if k == node and self.ends[end].kind in (*CONNECTED, "fold") and np.any(np.isnan(self.tangents[-end])):
                return self._beside_an_end(k, t, end), length
        return self._hermite(k, alpha), length

    def _beside_an_end(self, k: int, t: float, end: int) -> np.ndarray:
        """Interpolate next to a bifurcation, from which distances grow as square roots of alpha's."""
        there, other = (self.states[k], self.states[k + 1])[:: -1 if end else 1]
        left = 1.0 - t if end else t
        state = there + (np.sqrt(left) if self.ends[end].kind == "fold" else left) * (other - there)
        roots = list(self.vanishing[end])
        state[roots] = np.sqrt(left) * other[roots]
        return state

    def _hermite(self, k: int, alpha: float) -> np.ndarray:
        """Interpolate along the curve, by Hermite's polynomial through two nodes, and one more on either side."""
        y = np.column_stack([self.states, self.alpha])
        units = np.maximum(np.abs(y[k : k + 2]).max(axis=0), 1e-12)
        scaled, slopes = (y - y[k]) / units, self.tangents / units
        lengths = np.linalg.norm(slopes, axis=1)
        t = (alpha - y[k, -1]) / (y[k + 1, -1] - y[k, -1])
        straight = y[k, :-1] + t * (y[k + 1, :-1] - y[k, :-1])
        if not np.all(np.isfinite(lengths[k : k + 2])) or np.any(lengths[k : k + 2] == 0.0):
            return straight
        # The coordinate is that along the mean of both tangents, in which the curve has no vertical slopes.
        row = slopes[k] / lengths[k] + slopes[k + 1] / lengths[k + 1]
        places, rates = scaled @ row, slopes @ row
        if not places[k + 1] > 0.0 or np.any(rates[k : k + 2] <= 0.0):
            return straight
        nodes = self._nodes_around(k, places, rates)
        # The polynomial's coefficients, from its values and slopes: few, in a coordinate of order one.
        x, powers = places[nodes, None] / places[k + 1], np.arange(2 * len(nodes))
        rows = np.vstack([x**powers, powers * x ** np.maximum(powers - 1, 0)])
        there = slopes[nodes] / rates[nodes, None] * places[k + 1]
        coefficients = np.linalg.solve(rows, np.vstack([scaled[nodes], there]))
        wanted = (alpha - y[k, -1]) / units[-1]

        def missed(place: float) -> float:
            return float(place**powers @ coefficients[:, -1]) - wanted

        if missed(0.0) * missed(1.0) >= 0.0:
            place = 0.0 if abs(missed(0.0)) < abs(missed(1.0)) else 1.0
        else:
            place = root_scalar(missed, bracket=(0.0, 1.0), method="brentq", xtol=1e-15).root
        return y[k, :-1] + units[:-1] * (place**powers @ coefficients[:, :-1])

    def _nodes_around(self, k: int, places: np.ndarray, rates: np.ndarray) -> list[int]:
        """Return a segment's two nodes and, on either side, the next that is not too close to it for a smooth curve."""
        chosen = [k, k + 1]
        apart = LEAST_SPACING * (places[k + 1] - places[k])
        for side in (-1, 1):
            inner = chosen[0] if side < 0 else chosen[-1]
            place = inner + side
            while 0 <= place < len(places) and rates[place] > 0.0:
                away = side * (places[place] - places[inner])
                if away > apart:
                    chosen = [place, *chosen] if side < 0 else [*chosen, place]
                    break
                if not away > 0.0:
                    break
                place += side
        return chosen


class OnCurve(Protocol):
    """A branch as those see it who look for transitions: its curve, and what it solves."""

    @property
    def name(self) -> str:
        """Of the branch."""
        ...

    @property
    def family(self) -> str:
        """First word of the name: what it attends by."""
        ...

    @property
    def sector(self) -> Sector:
        """Which order parameters are non-zero."""
        ...

    @property
    def evolution(self) -> StateEvolution:
        """The equations it solves."""
        ...

    @property
    def curve(self) -> BranchCurve | None:
        """Where it was followed; None if nothing is known of it."""
        ...

    @property
    def attracting(self) -> bool:
        """Whether state evolution within the sector is attracted to it."""
        ...
