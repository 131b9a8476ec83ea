"""Scrambled Sobol points, for more than three outer directions, with an error from independent scrambles."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

import numpy as np

from replica.common.checked_arguments import checked_instance, checked_integer, positive_number
from replica.common.errors import InvalidArgument
from saddle.averages.rules.line_orders import LineOrders, read_only
from saddle.averages.rules.outer import OuterNodes, SignedPermutation

__all__ = ["SobolRule"]

# As far as rules are refined, and what may be asked for at most.
LARGEST_SOBOL, MOST_SOBOL, MOST_SCRAMBLES = 2**16, 2**24, 4096


@functools.lru_cache(maxsize=16)
def _sobol(points: int, scrambles: int, seed: int, dimension: int) -> OuterNodes:
    from scipy.special import ndtri
    from scipy.stats import qmc

    seeds = np.random.SeedSequence(seed).spawn(scrambles)
    uniform = [qmc.Sobol(dimension, scramble=True, rng=np.random.default_rng(s)).random(points) for s in seeds]
    nodes = ndtri(np.clip(np.concatenate(uniform), 1e-16, 1.0 - 1e-16))
    embedded = np.kron(np.eye(scrambles), np.full(points, 1.0 / points))
    weights = np.full(points * scrambles, 1.0 / (points * scrambles))
    return OuterNodes(read_only(nodes), read_only(weights), read_only(embedded), None)


@dataclass(frozen=True)
class SobolRule:
    """The jump-resolving line rule on scrambled Sobol points, for any number of tokens.

    Parameters
    ----------
    points
        Points of each scramble, a power of two.
    scrambles
        Independent scrambles, at least two; their scatter gives the error, by Student's law.
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

    def outer(
        self,
        teacher_fields: int,
        common_modes: int,
        generators: tuple[SignedPermutation, ...],
        *,
        alike: bool = True,
    ) -> OuterNodes:
        """Return all points of all scrambles.

        Symmetries, which are none of a Sobol sequence, are not used, and independent scrambles see any roughness.
        """
        del generators, alike
        return _sobol(self.points, self.scrambles, self.seed, teacher_fields + common_modes)
