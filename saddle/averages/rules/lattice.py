"""A lattice for up to three outer directions, as those of two tokens.

The Gaussian average runs over standard normal directions: teacher fields, common modes, and the line, which is done
last and exactly (panels between jumps; see ``saddle.kernel.numerics.average``). Averages along lines are smooth in the
outer variables but for weak singularities where jumps are born, so that a lattice's uniform spacing serves as well as
Gaussian nodes, and sublattices of it give error estimates for nothing.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

import numpy as np

from replica.common.checked_arguments import checked_instance, checked_number, positive_number
from replica.common.errors import InvalidArgument
from saddle.averages.rules.line_orders import (
    PER_DECADE,
    REFERENCE_TOLERANCE,
    SPACINGS,
    TOLERANCES,
    LineOrders,
    read_only,
)
from saddle.averages.rules.orbits import orbits
from saddle.averages.rules.outer import OuterNodes, SignedPermutation

__all__ = ["MOST_DIRECTIONS", "MOST_ROWS", "LineRule"]


# Coordinates are x = t + STRETCH t^3 with t on a lattice: finest where jumps are born, wider in the tails.
TEACHER_STRETCH, COMMON_STRETCH = 0.05, 0.03
STRETCH = np.array([TEACHER_STRETCH, TEACHER_STRETCH, COMMON_STRETCH])
STRETCH.setflags(write=False)
MOST_DIRECTIONS = 3
# Nodes of the box around a lattice, each a row of a few numbers: some gigabytes. The finest rule that a tolerance of
# 1e-6 may lead to has 16 million for two tokens.
MOST_ROWS = 1 << 25
# Embedded rules: every second node in the teacher fields (a checkerboard, sqrt(2) times the spacing) and in the
# common mode (twice the spacing), and the lattice without its outermost shell. The differences from the lattice
# overestimate its error; factors measured on the paper's models at random states (docs/trust.md, which says how much
# less it covers for others), for which the estimate
# covers the true error in 19 of 20 cases and exceeds it five- to tenfold in the median.
FACTORS = (0.25, 0.03, 0.15)
# Where directions are not alike, every third and every fifth node in each field alone: two, since differences of one
# pass zero where errors do not. Of a function with a pole at a distance d from the real axis a rule of spacing h errs
# by exp(-2 pi d/h), every third node by the cube root of that, so that factors fall with the spacing: below the second
# number, so many decades when errors fall by one as the third one says (measured: error functions three times as steep
# as fields vary, of a field, and of noise).
APART_FACTORS = {3: (0.08, 0.44, 1.0), 5: (0.11, 0.53, 1.5)}
SHELL = 0.4
# On lattices coarser than this one's the differences no longer follow the law, and cover less: by as much as errors
# themselves should have grown (measured on 80 random models at 137 solutions, docs/trust.md).
ROUGH_SPACING = 0.59


@functools.lru_cache(maxsize=64)
def _lattice(
    spacings: tuple[float, float],
    counts: tuple[int, int],
    reach: float,
    generators: tuple[SignedPermutation, ...],
    alike: bool,
) -> OuterNodes:
    """Return the nodes for so many teacher fields and common modes, and the spacings of either.

    ``alike`` says whether the two teacher fields of two tokens may share an embedded rule.
    """
    # Codes: 2 i + 1 in a teacher field, so that no node has h* = 0; 2 k in the common mode. Mirror images of a node
    # have opposite codes, and, of two teacher fields, belong to the same sublattice.
    fields, dimension = counts[0], sum(counts)
    spacing, stretch = (np.repeat(np.array(pair), counts) for pair in (spacings, (TEACHER_STRETCH, COMMON_STRETCH)))
    largest = [int(reach / h) + 1 for h in spacing]
    rows = math.prod(2 * n + 2 for n in largest[:fields]) * math.prod(2 * n + 1 for n in largest[fields:])
    if rows > MOST_ROWS:
        raise InvalidArgument(
            f"a lattice may have {MOST_ROWS} nodes at most, got {rows} at spacings {spacings} up to {reach}: give a "
            "LineRule of larger spacings, or a SobolRule"
        )
    axes = [np.arange(-2 * n - 1, 2 * n + 2, 2) for n in largest[:fields]]
    axes += [np.arange(-2 * n, 2 * n + 1, 2) for n in largest[fields:]]
    codes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, dimension)
    t = 0.5 * spacing * codes
    x = t + stretch * t**3
    radius = np.sqrt(np.sum(x**2, axis=1))
    inside = radius <= reach
    codes, t, x, radius = codes[inside], t[inside], x[inside], radius[inside]

    chosen, multiplicity = orbits(codes, generators)
    density = np.exp(-0.5 * np.sum(x**2, axis=1)) / (2.0 * np.pi) ** (0.5 * dimension)
    weights = density * np.prod(spacing) * np.prod(1.0 + 3.0 * stretch * t**2, axis=1) * multiplicity
    every_second = [2.0 * weights * (place % 2 == 0) for place in codes[:, fields:].T // 2]
    rough: float | list[float] = _roughness(spacings[0])
    if alike and counts == (2, 1):
        embedded = [2.0 * weights * ((codes[:, 0] + codes[:, 1]) // 2 % 2 == 0)]
        factors = FACTORS
    else:
        # A checkerboard sees nothing that varies along one direction alone, as it may with noise. Every second node of
        # a field is every second of the others mirrored, whose average may be the same by symmetry; not so every third
        # and fifth.
        embedded = [n * weights * (place % (2 * n) == n) for n in APART_FACTORS for place in codes[:, :fields].T]
        factors = [_apart_factor(n, spacings[0]) for n in APART_FACTORS for _ in range(fields)]
        rough = [1.0] * len(factors) + [rough] * (dimension - fields + 1)
        factors += [*FACTORS[1:2] * (dimension - fields), FACTORS[2]]
    embedded += [*every_second, weights * (radius <= reach - SHELL)]
    return OuterNodes(
        nodes=read_only(x[chosen]),
        weights=read_only(weights[chosen]),
        embedded=read_only(np.array(embedded)[:, chosen]),
        factors=read_only(np.array(factors) * np.array(rough)),
    )


def _roughness(teacher_spacing: float) -> float:
    """Return by how much more a rough lattice errs than its embedded rules' differences say."""
    return 10.0 ** max(0.0, math.log(teacher_spacing / ROUGH_SPACING) / math.log(PER_DECADE))


def _apart_factor(every: int, teacher_spacing: float) -> float:
    """Return the factor of a rule of every third, or fifth, node in one field."""
    factor, finest, power = APART_FACTORS[every]
    return factor * 10.0 ** min(0.0, power * math.log(teacher_spacing / finest) / math.log(PER_DECADE))


@dataclass(frozen=True)
class LineRule:
    """The jump-resolving line rule on a lattice of outer nodes, for up to four Gaussian dimensions: two tokens, say.

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
            Numbers of directions: at most three together, and at least one of the first.
        generators
            Maps of (h*, a) that leave the integrands invariant, up to signs that average to zero.
        alike
            Whether averages are as rough along one of two teacher fields as along the other, as those of attention
            are. If so, one embedded rule coarsens both together; else each is coarsened by itself, since what varies
            along one alone, noise for instance, a rule that coarsens both together does not see.

        Raises
        ------
        ValueError
            If there are more directions, or so many nodes that they would fill the memory.
        """
        if teacher_fields < 1 or teacher_fields + common_modes > MOST_DIRECTIONS:
            raise InvalidArgument(
                f"a lattice has at most {MOST_DIRECTIONS} directions, got {teacher_fields} teacher fields and "
                f"{common_modes} common modes: use a SobolRule for more"
            )
        spacings, counts = (self.teacher_spacing, self.common_spacing), (teacher_fields, common_modes)
        return _lattice(spacings, counts, self.reach, generators, alike)
