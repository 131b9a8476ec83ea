"""Where solutions were looked for that no branch leads to, and with what result.

"None" is a claim: the audit says what it rests on. A search finds solutions that attract state evolution from its
starts; it proves no absence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from saddle.averages.rules.rule_arguments import is_lattice
from saddle.branches.branch_curve import OnCurve
from saddle.branches.search.seeking import Sought
from saddle.branches.search.solution_identity import ERRORS_APART, distance
from saddle.transitions.first_order import rough_crossings
from saddle.transitions.global_minimum import highest

__all__ = ["Audit", "AuditPoint", "audit_places", "audited"]

# Distance in natural units within which a solution lies on a branch's interpolated curve.
ON_CURVE, ON_NOISY_CURVE = 0.05, 0.15
# Transitions closer to each other than this, relatively, have no place of their own between them.
TOO_CLOSE = 0.02
# Relative distance from a first-order transition at which both of its sides are looked at.
BESIDE = 0.02
# Relative width of a gap between the ends of two curves that is none: as near as ends are known.
UNREACHED = 1e-5


@dataclass(frozen=True)
class AuditPoint:
    """A search at one alpha.

    Attributes
    ----------
    alpha
        Where.
    starts, converged
        Number of starts, and of those that led to a solution.
    new
        Number of solutions found that no branch passed then.
    missing
        In words, solutions with a larger free entropy than every branch that is stored now: branches that could not be
        followed.
    """

    alpha: float
    starts: int
    converged: int
    new: int
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Audit:
    """All searches for solutions that belong to no branch.

    Attributes
    ----------
    points
        By increasing alpha.
    complete
        False if it was interrupted, or never made.
    unknown
        Ranges of alpha, of the range asked for, in which no solution at all is known: whether there is a ground state
        was not found out.
    obstacle
        In words, why the training loss has no minimum at any alpha; "" if nothing is known to speak against one.
    unseen
        In words, solutions that it cannot look for; "" if there are none of which that is known.
    """

    points: tuple[AuditPoint, ...] = ()
    complete: bool = False
    unknown: tuple[tuple[float, float], ...] = ()
    obstacle: str = ""
    unseen: str = ""

    @property
    def passed(self) -> bool:
        """Whether it was completed, a solution is known at every alpha, and none of larger free entropy is missing.

        Where some solutions cannot be looked for, it never is.
        """
        found = not (self.unknown or self.obstacle or self.unseen)
        return self.complete and found and not any(point.missing for point in self.points)

    @property
    def alphas(self) -> tuple[float, ...]:
        """Where it looked."""
        return tuple(point.alpha for point in self.points)

    @property
    def starts(self) -> int:
        """Number of all starts."""
        return sum(point.starts for point in self.points)

    def missing_between(self, low: float, high: float) -> str:
        """Return in words what is missing in a range of alpha; "" if nothing is known to be."""
        said = [text for point in self.points if low <= point.alpha <= high for text in point.missing]
        return "; ".join(said)

    def __str__(self) -> str:
        if self.obstacle:
            return self.obstacle
        if not self.points:
            return "not audited"
        places = ", ".join(f"{alpha:.4g}" for alpha in self.alphas)
        missing = [text for point in self.points for text in point.missing]
        result = "; ".join(missing) if missing else "no solution of larger free entropy is missing"
        unfinished = "" if self.complete else " (interrupted)"
        unknown = f"; {self.said_unknown}" if self.unknown else ""
        unseen = f"; {self.unseen}" if self.unseen else ""
        return f"{self.starts} starts at alpha = {places}: {result}{unknown}{unseen}{unfinished}"

    @property
    def said_unknown(self) -> str:
        """Where no solution is known, in words; "" if one is everywhere."""
        ranges = " and ".join(f"{low:.5g} to {high:.5g}" for low, high in self.unknown)
        return f"no solution is known for alpha = {ranges}" if ranges else ""


def audit_places(
    branches: Sequence[OnCurve], special: Sequence[float], searched: Sequence[float], low: float, high: float
) -> list[float]:
    """Return values of alpha at which solutions are still to be looked for.

    One between any two neighbouring transitions, where none was searched yet, so that both sides of every transition
    are looked at, and both sides of every first-order transition close to it.

    Parameters
    ----------
    branches
        All that were found.
    special
        Values of alpha of pitchforks and folds.
    searched
        Where solutions were looked for already.
    low, high
        Interval of alpha.
    """
    crossings = [alpha for alpha, lowest in rough_crossings(branches, low, high) if lowest]
    places = [alpha * factor for alpha in crossings for factor in (1.0 - BESIDE, 1.0 + BESIDE)]
    edges = np.array(sorted({low, high, *crossings, *(float(a) for a in special if low < a < high)}))
    done = [*searched, *places]
    for first, last in pairwise(edges):
        if last > first * (1.0 + TOO_CLOSE) and not any(first <= alpha <= last for alpha in done):
            places.append(float(np.sqrt(first * last)))
    near = [alpha for alpha in places if all(abs(alpha - other) > 0.25 * BESIDE * other for other in searched)]
    return [alpha for alpha in near if low <= alpha <= high]


def audited(
    branches: Sequence[OnCurve], searches: Sequence[Sought], complete: bool, asked: tuple[float, float]
) -> Audit:
    """Return what became of all searches, now that branches are what they are, over the range asked for."""
    points = []
    for sought in sorted(searches, key=lambda one: one.alpha):
        missing = []
        top = float(np.max(highest(branches, np.array([sought.alpha])), initial=-np.inf))
        for found in sought.new:
            here = found.evaluation
            margin = ERRORS_APART * here.free_entropy_error + 1e-6 * abs(here.free_entropy)
            if here.free_entropy <= top + margin or _on_a_branch(branches, here.state, sought.alpha):
                continue
            missing.append(
                f"a {found.sector.family} solution with Phi = {here.free_entropy:.6g} at alpha = {sought.alpha:.5g} "
                "that could not be followed"
            )
        points.append(AuditPoint(sought.alpha, sought.starts, sought.converged, len(sought.new), tuple(missing)))
    return Audit(tuple(points), complete, _unknown(branches, *asked))


def _unknown(branches: Sequence[OnCurve], low: float, high: float) -> tuple[tuple[float, float], ...]:
    """Return the parts of a range of alpha that no branch reaches."""
    found, reached = [], low
    for first, last in sorted(branch.curve.reach for branch in branches if branch.curve is not None):
        if first > reached * (1.0 + UNREACHED) and first > low:
            found.append((reached, min(first, high)))
        reached = max(reached, last)
        if reached >= high:
            break
    if reached < high * (1.0 - UNREACHED):
        found.append((reached, high))
    return tuple((a, b) for a, b in found if a < b)


def _on_a_branch(branches: Sequence[OnCurve], state: np.ndarray, alpha: float) -> bool:
    for branch in branches:
        if branch.curve is not None and branch.curve.reaches(alpha):
            space, variances = branch.evolution.space, branch.evolution.channel.variances
            exact = is_lattice(branch.evolution.rule)
            closeness = ON_CURVE if exact else ON_NOISY_CURVE
            if distance(space, variances, state, branch.curve.state(alpha)[0]) < closeness:
                return True
    return False
