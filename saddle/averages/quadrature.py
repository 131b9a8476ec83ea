"""Quadrature rules: the outer nodes of the Gaussian integral, and the orders of the line rule inside.

The Gaussian average runs over standard normal directions: teacher fields, common modes, and the line, which is
done last and exactly (panels between jumps; see ``saddle.kernel.numerics.average``). Two rules for the outer
directions:

- :class:`LineRule`, a lattice, for the three outer directions of two tokens. Averages along lines are smooth in
  the outer variables but for weak singularities where jumps are born, so that a lattice's uniform spacing serves
  as well as Gaussian nodes, and sublattices of it give error estimates for nothing;
- :class:`SobolRule`, scrambled Sobol points, for more directions, with a standard error from independent scrambles.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from replica.common.checked_arguments import checked_instance, checked_integer, checked_number, positive_number
from replica.common.errors import InvalidArgument

__all__ = [
    "EXCHANGE",
    "EXCHANGE_WITH_REVERSAL",
    "JOINT_REVERSAL",
    "TEACHER_REVERSAL",
    "LineOrders",
    "LineRule",
    "OuterNodes",
    "OuterRule",
    "SignedPermutation",
    "SobolRule",
]

LARGEST_ORDER = 64
# Errors fall by ten when the teacher fields' spacing falls by this.
PER_DECADE = 1.6
# What the default rule is meant for; others follow from it by the law of its errors.
REFERENCE_TOLERANCE = 1e-4
FIELD_SCALE = 0.5
# As far as rules are refined, and what may be asked for at most.
LARGEST_SOBOL, MOST_SOBOL, MOST_SCRAMBLES = 2**16, 2**24, 4096
MOST_SCAN_POINTS = 10_000
TOLERANCES, SPACINGS = (1e-7, 0.3), (0.02, 2.5)

SignedPermutation = tuple[tuple[int, int], ...]
"""A map of coordinates: for each new coordinate, the old one's index and a sign."""

TEACHER_REVERSAL: SignedPermutation = ((0, -1), (1, -1), (2, 1))
JOINT_REVERSAL: SignedPermutation = ((0, -1), (1, -1), (2, -1))
EXCHANGE: SignedPermutation = ((1, 1), (0, 1), (2, 1))
EXCHANGE_WITH_REVERSAL: SignedPermutation = ((1, -1), (0, -1), (2, -1))


def _read_only(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array


@functools.lru_cache(maxsize=1)
def legendre_tables() -> tuple[np.ndarray, np.ndarray]:
    """Return Gauss-Legendre nodes and weights of every order n, in row n of two padded tables."""
    nodes = np.zeros((LARGEST_ORDER + 1, LARGEST_ORDER))
    weights = np.zeros_like(nodes)
    for order in range(1, LARGEST_ORDER + 1):
        nodes[order, :order], weights[order, :order] = np.polynomial.legendre.leggauss(order)
    return _read_only(nodes), _read_only(weights)


@dataclass(frozen=True)
class LineOrders:
    """Orders of the jump-resolving rule along a line.

    Parameters
    ----------
    scan_points
        Points per line at which the global minimiser is searched.
    graded_nodes, plain_nodes
        Gauss-Legendre nodes of a piece of the line graded towards a break, and of a plain one. They do not
        depend on the piece's length, so that the rule stays smooth in the order parameters.
    extent
        Half-length of the line, in standard deviations.
    """

    scan_points: int = 12
    graded_nodes: int = 18
    plain_nodes: int = 12
    extent: float = 6.0

    def __post_init__(self) -> None:
        """Convert to plain numbers and validate."""
        orders = {"scan_points": (3, MOST_SCAN_POINTS), "graded_nodes": (1, LARGEST_ORDER),
                  "plain_nodes": (1, LARGEST_ORDER)}  # fmt: skip
        for name, (least, most) in orders.items():
            object.__setattr__(self, name, checked_integer(name, getattr(self, name), least, most))
        object.__setattr__(self, "extent", checked_number("extent", self.extent, 1.0, 12.0))

    @classmethod
    def for_tolerance(cls, tolerance: float) -> LineOrders:
        """Return orders whose own error is meant to be a tenth of a relative tolerance of the averages.

        Met by the root mean square over the paper's lines; a line in a thousand may by itself be worse.

        Raises
        ------
        ValueError
            If the tolerance does not lie in [1e-7, 0.3].
        """
        tolerance = checked_number("tolerance", tolerance, *TOLERANCES)
        return cls().refined(REFERENCE_TOLERANCE / tolerance)

    def refined(self, factor: float) -> LineOrders:
        """Return orders whose errors are expected to be smaller by a factor (larger, if it is below one)."""
        decades = math.log10(positive_number("factor", factor))
        return replace(
            self,
            graded_nodes=max(8, min(LARGEST_ORDER, round(self.graded_nodes + 5 * decades))),
            plain_nodes=max(6, min(LARGEST_ORDER, round(self.plain_nodes + 4 * decades))),
            extent=max(5.0, min(9.0, self.extent + 0.4 * decades)),
        )

    def for_field_scale(self, scale: float) -> LineOrders:
        """Return the orders with as many more points along a line as local fields of this size need.

        Softmax attention varies over fields of order one half, whatever the standard deviation of the local
        field, in units of which the line is measured.
        """
        factor = math.ceil(scale / FIELD_SCALE)
        if factor <= 1:
            return self
        return replace(
            self,
            scan_points=min(120, factor * self.scan_points),
            graded_nodes=min(LARGEST_ORDER, factor * self.graded_nodes),
            plain_nodes=min(LARGEST_ORDER, factor * self.plain_nodes),
        )

    @cached_property
    def scan(self) -> np.ndarray:
        """Scan points along the line, (scan_points,)."""
        return _read_only(np.linspace(-self.extent, self.extent, self.scan_points))

    @cached_property
    def piece_orders(self) -> np.ndarray:
        """Number of Gauss-Legendre nodes of a graded and of a plain piece, (2,)."""
        return _read_only(np.array([self.graded_nodes, self.plain_nodes]))


@dataclass(frozen=True)
class OuterNodes:
    """Outer nodes of a rule, one per line.

    Attributes
    ----------
    nodes
        Standard normal coordinates (n, dimension): teacher fields in units of their standard deviation, then
        common modes.
    weights
        Weights (n,); they sum to one up to what lies beyond the rule's reach.
    embedded
        Weights (k, n) of k rules on the same nodes, whose differences from the rule estimate its error.
    factors
        What the absolute differences are multiplied with, (k,); None if the embedded rules are independent
        replicas whose mean is the rule, so that their scatter gives a standard error.
    """

    nodes: np.ndarray
    weights: np.ndarray
    embedded: np.ndarray
    factors: np.ndarray | None

    def error(self, differences: np.ndarray) -> np.ndarray:
        """Combine differences (k, ...) of embedded rules from the rule into an error (...)."""
        if self.factors is None:
            replicas = len(differences)
            return np.sqrt(np.sum(differences**2, axis=0) / (replicas * (replicas - 1)))
        return np.tensordot(self.factors, np.abs(differences), axes=1)


class OuterRule(Protocol):
    """What the channel needs of a rule."""

    @property
    def line(self) -> LineOrders:
        """Orders along the line."""
        ...

    @property
    def noise(self) -> float:
        """Size, in natural units, of steps of averages that are not worth resolving: far below the rule's error."""
        ...

    def refined(self, factor: float = 10.0) -> OuterRule:
        """Return a rule whose errors are expected to be smaller by a factor."""
        ...

    def coarsened(self) -> OuterRule:
        """Return a rule ten times less accurate."""
        ...

    def sibling(self) -> OuterRule:
        """Return a rule of the same accuracy whose lines are scanned at other points."""
        ...

    def outer(self, teacher_fields: int, common_modes: int, generators: tuple[SignedPermutation, ...]) -> OuterNodes:
        """Return outer nodes for so many directions, equivalent ones under the generators only once."""
        ...


def _group(generators: tuple[SignedPermutation, ...]) -> set[SignedPermutation]:
    """Return the group that some signed permutations generate."""
    identity: SignedPermutation = ((0, 1), (1, 1), (2, 1))
    group: set[SignedPermutation] = {identity}
    frontier: list[SignedPermutation] = [identity]
    while frontier:
        element = frontier.pop()
        for generator in generators:
            product: SignedPermutation = tuple((element[k][0], element[k][1] * sign) for k, sign in generator)
            if product not in group:
                group.add(product)
                frontier.append(product)
    return group


# Coordinates are x = t + STRETCH t^3 with t on a lattice: finest where jumps are born, wider in the tails.
STRETCH = np.array([0.05, 0.05, 0.03])
STRETCH.setflags(write=False)
# Embedded rules: every second node in the teacher fields (a checkerboard, sqrt(2) times the spacing) and in the
# common mode (twice the spacing), and the lattice without its outermost shell. The differences from the lattice
# overestimate its error; factors measured on the paper's models at random states (docs/trust.md, which says how much
# less it covers for others), for which the estimate
# covers the true error in 19 of 20 cases and exceeds it five- to tenfold in the median.
FACTORS = (0.25, 0.03, 0.15)
SHELL = 0.4
# On lattices coarser than this one's the differences no longer follow the law, and cover less: by as much as errors
# themselves should have grown (measured on 80 random models at 137 solutions, docs/trust.md).
ROUGH_SPACING = 0.59


@functools.lru_cache(maxsize=64)
def _lattice(
    teacher_spacing: float, common_spacing: float, reach: float, generators: tuple[SignedPermutation, ...]
) -> OuterNodes:
    # Codes: 2 i + 1 in a teacher field, so that no node has h* = 0; 2 k in the common mode. Mirror images of a node
    # have opposite codes, and belong to the same sublattice.
    spacing = np.array([teacher_spacing, teacher_spacing, common_spacing])
    largest = [int(reach / h) + 1 for h in spacing]
    axes = [np.arange(-2 * n - 1, 2 * n + 2, 2) for n in largest[:2]] + [
        np.arange(-2 * largest[2], 2 * largest[2] + 1, 2)
    ]
    codes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    t = 0.5 * spacing * codes
    x = t + STRETCH * t**3
    radius = np.sqrt(np.sum(x**2, axis=1))
    inside = radius <= reach
    codes, t, x, radius = codes[inside], t[inside], x[inside], radius[inside]

    size = 4 * max(largest) + 5

    def label(code: np.ndarray) -> np.ndarray:
        return ((code[:, 0] + size) * 2 * size + code[:, 1] + size) * 2 * size + code[:, 2]

    images = np.array([label(np.stack([sign * codes[:, k] for k, sign in g], axis=-1)) for g in _group(generators)])
    images.sort(axis=0)
    multiplicity = 1 + np.sum(np.diff(images, axis=0) > 0, axis=0)
    chosen = images[0] == label(codes)

    density = np.exp(-0.5 * np.sum(x**2, axis=1)) / (2.0 * np.pi) ** 1.5
    weights = density * np.prod(spacing) * np.prod(1.0 + 3.0 * STRETCH * t**2, axis=1) * multiplicity
    embedded = [
        2.0 * weights * (((codes[:, 0] + codes[:, 1]) // 2) % 2 == 0),
        2.0 * weights * ((codes[:, 2] // 2) % 2 == 0),
        weights * (radius <= reach - SHELL),
    ]
    return OuterNodes(
        nodes=_read_only(x[chosen]),
        weights=_read_only(weights[chosen]),
        embedded=_read_only(np.array(embedded)[:, chosen]),
        factors=_read_only(np.array(FACTORS) * _roughness(teacher_spacing)),
    )


def _roughness(teacher_spacing: float) -> float:
    """Return by how much more a rough lattice errs than its embedded rules' differences say."""
    return 10.0 ** max(0.0, math.log(teacher_spacing / ROUGH_SPACING) / math.log(PER_DECADE))


@dataclass(frozen=True)
class LineRule:
    """The jump-resolving line rule on a lattice of outer nodes, for two tokens.

    Parameters
    ----------
    teacher_spacing, common_spacing
        Spacing of the lattice at the origin, in standard deviations, in the teacher fields and in the common
        mode; it widens outwards. The error sits almost entirely in the teacher fields.
    reach
        Radius within which nodes are kept, in standard deviations.
    line
        Orders along the line.
    """

    teacher_spacing: float = 0.38
    common_spacing: float = 0.58
    reach: float = 5.5
    line: LineOrders = LineOrders()

    def __post_init__(self) -> None:
        """Convert to plain numbers and validate."""
        for name, low, high in (("teacher_spacing", *SPACINGS), ("common_spacing", *SPACINGS), ("reach", 1.0, 9.0)):
            object.__setattr__(self, name, checked_number(name, getattr(self, name), low, high))
        checked_instance("line", self.line, LineOrders, "LineOrders")

    @classmethod
    def for_tolerance(cls, tolerance: float) -> LineRule:
        """Return the rule expected to give every conjugate to a relative tolerance, by the law that errors follow.

        Measured on the paper's model (docs/performance.md): the errors fall by ten when the teacher fields'
        spacing falls by 1.6 and the common mode's by 1.25. What an evaluation actually attains is its own error
        estimate; see ``saddle.diagram.rule_choice``.

        Raises
        ------
        ValueError
            If the tolerance does not lie in [1e-7, 0.3].
        """
        tolerance = checked_number("tolerance", tolerance, *TOLERANCES)
        return cls().refined(REFERENCE_TOLERANCE / tolerance)

    @property
    def rough(self) -> bool:
        """Whether it is so coarse that its embedded rules' differences have to be multiplied to cover its error."""
        return self.teacher_spacing > ROUGH_SPACING

    @property
    def noise(self) -> float:
        """Of rounding: steps of 1e-7, where a line's jump is just being born, are rare."""
        return 1e-10

    def refined(self, factor: float = 10.0) -> LineRule:
        """Return a rule whose errors are expected to be smaller by a factor (larger, if it is below one).

        No rule is finer or coarser than any may be.
        """
        decades = math.log10(positive_number("factor", factor))
        return LineRule(
            teacher_spacing=float(np.clip(self.teacher_spacing / PER_DECADE**decades, *SPACINGS)),
            common_spacing=float(np.clip(self.common_spacing / 1.25**decades, *SPACINGS)),
            reach=min(9.0, max(3.5, self.reach + 0.5 * decades)),
            line=self.line.refined(factor),
        )

    def sibling(self) -> LineRule:
        """Return a rule of the same accuracy whose lines are scanned at other points."""
        return replace(self, line=replace(self.line, scan_points=self.line.scan_points + 1))

    def coarsened(self) -> LineRule:
        """Return a rule ten times less accurate, for warming up."""
        return self.refined(0.1)

    def outer(self, teacher_fields: int, common_modes: int, generators: tuple[SignedPermutation, ...]) -> OuterNodes:
        """Return one outer node per orbit of a symmetry group, with the orbit's weight.

        Parameters
        ----------
        teacher_fields, common_modes
            Numbers of directions: two and one.
        generators
            Maps of (h*_1, h*_2, a) that leave the integrands invariant, up to signs that average to zero.

        Raises
        ------
        ValueError
            If there are other directions.
        """
        if (teacher_fields, common_modes) != (2, 1):
            raise InvalidArgument(
                f"the lattice has 2 teacher fields and 1 common mode, got {teacher_fields} and {common_modes}: "
                "use a SobolRule for more tokens"
            )
        return _lattice(self.teacher_spacing, self.common_spacing, self.reach, generators)


@functools.lru_cache(maxsize=16)
def _sobol(points: int, scrambles: int, seed: int, dimension: int) -> OuterNodes:
    from scipy.special import ndtri
    from scipy.stats import qmc

    seeds = np.random.SeedSequence(seed).spawn(scrambles)
    uniform = [qmc.Sobol(dimension, scramble=True, rng=np.random.default_rng(s)).random(points) for s in seeds]
    nodes = ndtri(np.clip(np.concatenate(uniform), 1e-16, 1.0 - 1e-16))
    embedded = np.kron(np.eye(scrambles), np.full(points, 1.0 / points))
    weights = np.full(points * scrambles, 1.0 / (points * scrambles))
    return OuterNodes(_read_only(nodes), _read_only(weights), _read_only(embedded), None)


@dataclass(frozen=True)
class SobolRule:
    """The jump-resolving line rule on scrambled Sobol points, for any number of tokens.

    Parameters
    ----------
    points
        Points of each scramble, a power of two.
    scrambles
        Independent scrambles, at least two; their scatter gives the standard error.
    seed
        Seed of the scrambles.
    line
        Orders along the line.
    """

    points: int = 512
    scrambles: int = 4
    seed: int = 0
    line: LineOrders = LineOrders(scan_points=9, graded_nodes=11, plain_nodes=9, extent=5.5)

    def __post_init__(self) -> None:
        """Convert to plain integers and validate."""
        points = checked_integer("points", self.points, 2, MOST_SOBOL)
        if points & (points - 1):
            raise InvalidArgument(f"points must be a power of two, at least 2, got {points!r}")
        scrambles = checked_integer("scrambles", self.scrambles, 0, MOST_SCRAMBLES)
        if scrambles < 2:
            raise InvalidArgument(f"scrambles must be at least 2, or there is no error estimate; got {scrambles!r}")
        checked = {"points": points, "scrambles": scrambles, "seed": checked_integer("seed", self.seed, 0)}
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        checked_instance("line", self.line, LineOrders, "LineOrders")

    @property
    def noise(self) -> float:
        """Of a line's jump that comes or goes, which has an appreciable share of so few lines."""
        return 1e-5

    def refined(self, factor: float = 10.0) -> SobolRule:
        """Return a rule whose standard error is expected to be smaller by a factor: errors fall about as 1/points."""
        wanted = max(2, 2 ** round(math.log2(self.points) + math.log2(positive_number("factor", factor))))
        return replace(self, points=min(wanted, LARGEST_SOBOL))

    def sibling(self) -> SobolRule:
        """Return a rule of the same accuracy whose lines are scanned at other points."""
        return replace(self, line=replace(self.line, scan_points=self.line.scan_points + 1))

    def coarsened(self) -> SobolRule:
        """Return a rule with fewer points, for warming up."""
        return self.refined(0.1)

    def outer(self, teacher_fields: int, common_modes: int, generators: tuple[SignedPermutation, ...]) -> OuterNodes:
        """Return all points of all scrambles; symmetries, which are none of a Sobol sequence, are not used."""
        del generators
        return _sobol(self.points, self.scrambles, self.seed, teacher_fields + common_modes)
