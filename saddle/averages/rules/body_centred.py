"""A body-centred lattice for more than three outer directions, as those of three tokens.

Two cubic lattices, each at the centres of the other's cells, are as good as one with three times as many nodes in five
directions: a smooth average errs by the shortest waves that vanish on all nodes, and for these the waves' lattice, of
points whose sum is even, is the densest packing there is. It is mapped to itself by all reversals, and either
of its halves is a rule, too, which tells its error.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass, replace

import numpy as np

from replica.common.checked_arguments import checked_instance, checked_number, positive_number
from replica.common.errors import InvalidArgument
from saddle.averages.rules.line_orders import TOLERANCES, LineOrders, read_only
from saddle.averages.rules.orbits import orbits
from saddle.averages.rules.outer import OuterNodes, SignedPermutation

__all__ = ["BodyCentredRule"]

# Coordinates are x = t + STRETCH t^3 with t on the lattice, as those of a cubic one.
STRETCH = 0.05
# Measured at solutions of three tokens and of two columns (docs/performance.md): errors fall by ten when spacings fall
# by the first number, and what lies beyond the reach by as much when that grows by the second. Common modes may be as
# much rougher as the third says.
PER_DECADE, REACH_PER_DECADE, COMMON_RATIO = 1.4, 0.6, 1.4
REFERENCE_TOLERANCE = 3e-3
SPACINGS, REACHES = (0.3, 3.0), (1.0, 9.0)
# As far as rules are refined: some hundred thousand lines.
FINEST = 0.5
MOST_DIRECTIONS, MOST_NODES = 9, 1 << 21
# Of embedded rules: one of the two cubic lattices, checkerboards in teacher fields and in common modes (each kind on
# average), and the lattice without its outermost shell. Calibrated at random states, where the estimate covers the true
# error in 19 of 20 cases and is sevenfold in the median (docs/numerics.md).
HALF_FACTOR, BOARD_FACTORS, SHELL_FACTOR, SHELL = 0.03, (0.08, 0.14), 0.12, 0.4


@functools.lru_cache(maxsize=64)
def _nodes(
    spacings: tuple[float, float], counts: tuple[int, int], reach: float, generators: tuple[SignedPermutation, ...]
) -> OuterNodes:
    """Return the nodes for so many teacher fields and common modes, and the spacings of either."""
    spacing = np.repeat(np.array(spacings), counts)
    # In halves of a spacing: all even on one cubic lattice, all odd on the other.
    codes = np.concatenate([_within(spacing, reach, odd) for odd in (False, True)])
    t = 0.5 * spacing * codes
    x = _stretched(t)
    chosen, multiplicity = orbits(codes, generators)
    codes, t, x, multiplicity = codes[chosen], t[chosen], x[chosen], multiplicity[chosen]
    squares = np.sum(x**2, axis=1)
    density = np.exp(-0.5 * squares) / (2.0 * np.pi) ** (0.5 * len(spacing))
    weights = 0.5 * density * np.prod(spacing) * np.prod(1.0 + 3.0 * STRETCH * t**2, axis=1) * multiplicity

    centred = codes[:, 0] % 2
    halves = [2.0 * weights * (centred == 0)]
    factors, own = [HALF_FACTOR], codes // 2
    for factor, directions in zip(BOARD_FACTORS, (range(counts[0]), range(counts[0], sum(counts))), strict=True):
        # Checkerboards in two directions alike: of four ways to halve a lattice those that reversals map to themselves.
        boards = [(own[:, i] + own[:, j]) % 2 for i, j in itertools.combinations(directions, 2)]
        boards += [(board + centred) % 2 for board in boards]
        halves += [2.0 * weights * (board == 0) for board in boards]
        factors += [factor / len(boards) for _ in boards]
    return OuterNodes(
        nodes=read_only(x),
        weights=read_only(weights),
        embedded=read_only(np.array([*halves, weights * (squares <= (reach - SHELL) ** 2)])),
        factors=read_only(np.array([*factors, SHELL_FACTOR])),
    )


def _stretched(t: np.ndarray) -> np.ndarray:
    return t + STRETCH * t**3


def _within(spacing: np.ndarray, reach: float, odd: bool) -> np.ndarray:
    """Return the codes of one of the two cubic lattices within the reach, (n, dimension), direction by direction."""
    codes, squares = np.zeros((1, 0), dtype=int), np.zeros(1)
    # A little more, so that rounding does not part a node on the edge from its images.
    most = (1.0 + 1e-12) * reach**2
    for step in spacing:
        largest = int(2.0 * reach / step) + 2
        axis = np.arange(-2 * largest + odd, 2 * largest + 1, 2)
        further = _stretched(0.5 * step * axis) ** 2
        order = np.argsort(further, kind="stable")
        counts = np.searchsorted(further[order], most - squares, side="right")
        total = int(counts.sum())
        if total > MOST_NODES:
            raise InvalidArgument(
                f"a body-centred lattice may have {MOST_NODES} nodes at most, got {total} in the first directions at "
                f"spacings {tuple(map(float, spacing))} up to {reach}: give a BodyCentredRule of larger spacings, or a "
                "SobolRule"
            )
        rows = np.repeat(np.arange(len(counts)), counts)
        columns = order[np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)]
        codes, squares = np.column_stack([codes[rows], axis[columns]]), squares[rows] + further[columns]
    return codes


@dataclass(frozen=True)
class BodyCentredRule:
    """The jump-resolving line rule on a body-centred lattice, for three tokens and rank one.

    Parameters
    ----------
    teacher_spacing, common_spacing
        Spacing at the origin of either of the two cubic lattices, in standard deviations, in the teacher fields and in
        the common modes; it widens outwards.
    reach
        Radius within which nodes are kept, in standard deviations.
    line
        Orders along the line.

    Examples
    --------
    >>> rule = BodyCentredRule()
    >>> len(rule.outer(3, 2, ()).nodes) < 6000
    True
    """

    teacher_spacing: float = 1.0
    common_spacing: float = COMMON_RATIO
    reach: float = 5.2
    line: LineOrders = LineOrders.for_tolerance(1e-3)

    def __post_init__(self) -> None:
        """Convert to plain numbers and validate."""
        for name, (low, high) in (("teacher_spacing", SPACINGS), ("common_spacing", SPACINGS), ("reach", REACHES)):
            object.__setattr__(self, name, checked_number(name, getattr(self, name), low, high))
        checked_instance("line", self.line, LineOrders, "LineOrders")

    @classmethod
    def for_tolerance(cls, tolerance: float) -> BodyCentredRule:
        """Return the rule expected to give every conjugate to a relative tolerance, by the law that errors follow.

        No rule is finer than some hundred thousand lines; what an evaluation attains is its own error estimate.

        Raises
        ------
        ValueError
            If the tolerance does not lie in [1e-7, 0.3].
        """
        tolerance = checked_number("tolerance", tolerance, *TOLERANCES)
        return cls().refined(REFERENCE_TOLERANCE / tolerance)

    @property
    def noise(self) -> float:
        """Of a line's jump that comes or goes, which has an appreciable share of so few lines."""
        return 1e-5

    def refined(self, factor: float = 10.0) -> BodyCentredRule:
        """Return a rule whose errors are expected to be smaller by a factor (larger, if it is below one)."""
        decades = math.log10(positive_number("factor", factor))
        # A rule that is finer than rules are refined stays as it is.
        finest = min(self.teacher_spacing, FINEST)
        wanted = max(finest, min(SPACINGS[1], self.teacher_spacing / PER_DECADE**decades))
        attained = math.log(self.teacher_spacing / wanted) / math.log(PER_DECADE)
        return BodyCentredRule(
            teacher_spacing=wanted,
            common_spacing=max(SPACINGS[0], min(SPACINGS[1], self.common_spacing / PER_DECADE**attained)),
            reach=min(REACHES[1], max(3.5, self.reach + REACH_PER_DECADE * attained)),
            line=self.line.refined(factor),
        )

    def sibling(self) -> BodyCentredRule:
        """Return a rule of the same accuracy whose lines are scanned at other points."""
        return replace(self, line=replace(self.line, scan_points=self.line.scan_points + 1))

    def coarsened(self) -> BodyCentredRule:
        """Return a rule ten times less accurate, for warming up."""
        return self.refined(0.1)

    def outer(
        self,
        teacher_fields: int,
        common_modes: int,
        generators: tuple[SignedPermutation, ...],
        *,
        alike: bool = True,
    ) -> OuterNodes:
        """Return one outer node per orbit of a symmetry group, with the orbit's weight.

        Parameters
        ----------
        teacher_fields, common_modes
            Numbers of directions: at most nine together, and at least one of the first.
        generators
            Reversals of all teacher fields, of all common modes, or of both: what maps the lattice and its embedded
            rules to themselves.
        alike
            Has no effect: embedded rules are those of directions that are alike.

        Raises
        ------
        ValueError
            If there are more directions, or so many nodes that they would fill the memory.
        """
        del alike
        if teacher_fields < 1 or teacher_fields + common_modes > MOST_DIRECTIONS:
            raise InvalidArgument(
                f"a body-centred lattice has at most {MOST_DIRECTIONS} directions, got {teacher_fields} teacher fields "
                f"and {common_modes} common modes: use a SobolRule for more"
            )
        spacings, counts = (self.teacher_spacing, self.common_spacing), (teacher_fields, common_modes)
        return _nodes(spacings, counts, self.reach, generators)
