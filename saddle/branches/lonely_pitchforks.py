"""Look for the branches of pitchforks at which none is known.

A branch that is nearly vertical where it is born is not entered beside its pitchfork: on a rough rule averages step by
more than alpha changes along it. Further on it is a branch like any other, and is looked for there: on the side on
which the known branch is unstable, from that branch displaced along the kernel, and from informed states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from replica.symmetry.sectors import Sector
from saddle.branches.families import Families, follow
from saddle.branches.search.sector_solver import Result, evaluation_of, informed_solution, solve_state, vanished
from saddle.continuation.explored import TracedBranch
from saddle.continuation.outcomes import Outcome
from saddle.continuation.special_points.special_point import SpecialPoint, SpecialPointKind

__all__ = ["follow_from_lonely_pitchforks", "lonely_pitchforks"]

# Relative distances in alpha at which a branch is looked for, and how far from the known one, in natural units.
AWAY = (0.02, 0.06, 0.15)
AMPLITUDES = (0.5, 0.3)
# Relative distance in alpha from a pitchfork within which a branch of its sector is taken for its own.
ITS_OWN = 0.05


def lonely_pitchforks(families: Families) -> list[tuple[SpecialPoint, Sector]]:
    """Return the pitchforks at which no branch is known, and the sector of the branch that is missing.

    Parameters
    ----------
    families
        All curves that were found.

    Returns
    -------
    list of (SpecialPoint, Sector)
        In the order of the curves; without those that a symmetry maps to others, and those at the interval's ends.
    """
    space = families.problem.space
    met = {id(e) for branch in families.branches for e in branch.meets if e is not None and not _is_stub(branch, e)}
    found = []
    for branch in families.branches:
        for special in branch.special_points:
            if (
                special.kind is not SpecialPointKind.PITCHFORK
                or not special.resolved
                or special.block is None
                or id(special) in met
            ):
                continue
            sector = space.sector_of(set(branch.section.block.unknowns | special.block.unknowns))
            if sector in space.sectors and space.is_aligned(sector) and not _has_its_own(families, sector, special):
                found.append((special, sector))
    return found


def _has_its_own(families: Families, sector: Sector, special: SpecialPoint) -> bool:
    """Whether a curve of a sector passes next to a pitchfork, in alpha."""
    room = ITS_OWN * special.parameter
    reaches = [_reach(branch) for branch in families.of(sector) if not _is_stub(branch, special)]
    return any(low - room <= special.parameter <= high + room for low, high in reaches)


def _reach(branch: TracedBranch) -> tuple[float, float]:
    alphas = [float(point.y[-1]) for point in branch.curve.points]
    return min(alphas), max(alphas)


def _is_stub(branch: TracedBranch, special: SpecialPoint) -> bool:
    """Whether a curve was lost at once beside a pitchfork."""
    ends = zip(branch.meets, branch.curve.endings, strict=True)
    if not any(met is None and outcome is Outcome.STEP_TOO_SHORT for met, outcome in ends):
        return False
    return max(abs(alpha - special.parameter) for alpha in _reach(branch)) < ITS_OWN * special.parameter


def follow_from_lonely_pitchforks(families: Families, report: Callable[[str], object] = lambda what: None) -> Families:
    """Look for the branch of every lonely pitchfork at which none was looked for yet, and follow what is found.

    Parameters
    ----------
    families
        All curves that were found.
    report
        Called with what is being done.

    Returns
    -------
    Families
        With the new curves; after Ctrl-C marked incomplete. That nothing is found proves no absence.
    """
    while families.complete:
        tried = families.tried
        lonely = [(e, sector) for e, sector in lonely_pitchforks(families) if not any(e is one for one in tried)]
        if not lonely:
            break
        special, sector = lonely[0]
        families = replace(families, tried=(*tried, special))
        report(f"looking for what is born at alpha = {special.parameter:.3f}")
        try:
            found = next(_solutions(families, special, sector), None)
        except KeyboardInterrupt:
            return replace(families, complete=False)
        if found is not None:
            families = follow(families, *found, report)
    return families


def _solutions(families: Families, special: SpecialPoint, sector: Sector) -> Iterator[tuple[np.ndarray, float]]:
    """Yield solutions (n,) that break the symmetry of a pitchfork, each with its alpha."""
    low, high = families.bounds
    sides = (special.unstable_side,) if special.unstable_side else (1, -1)
    for alpha in (special.parameter * (1.0 + side * away) for away in AWAY for side in sides):
        for result in _attempts(families, special, sector, alpha) if low <= alpha <= high else ():
            if result is None or result.outcome is not Outcome.CONVERGED:
                continue
            here = evaluation_of(result)
            if not vanished(here, sector):
                yield here.state, alpha


def _attempts(families: Families, special: SpecialPoint, sector: Sector, alpha: float) -> Iterator[Result | None]:
    """Yield what Newton's method makes of the displaced branch, and of an informed state, at one alpha."""
    problem = families.problem
    kernel = special.kernel[:, 0] / np.linalg.norm(special.kernel[:, 0] / problem.units(special.x))
    for size in AMPLITUDES:
        yield solve_state(problem.evolution, sector, special.x + size * kernel, alpha)
    yield informed_solution(problem.evolution, sector, alpha, most=1)
