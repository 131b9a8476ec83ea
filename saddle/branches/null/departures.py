"""Where along alpha Q = 0 is a solution, and where other solutions leave it.

dF/du falls into blocks there. In m and theta an eigenvalue passes through zero where solutions that know position or
meaning begin. In q and in V it has the same eigenvalues, and they stay positive: where the least one vanishes V has a
fold, the training loss's Hessian at Q = 0 loses its gap, Q = 0 is no solution any more and agnostic ones take over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from replica.common.errors import InvalidArgument
from replica.symmetry.families import AGNOSTIC, family_of
from saddle.branches.null.channel import NEVER
from saddle.branches.null.solution import NullProblem, evaluation_at
from saddle.state_evolution.state_evolution import StateEvolution

__all__ = ["NullDeparture", "NullInterval", "null_departures", "null_reach"]

# Values of alpha at which Q = 0 is looked at before anything is bisected; every so manyth of them first: between two
# where it is no solution the rest is not looked at.
SCAN, STRIDE = 25, 4
# Relative width at which bisection ends, and what roots are solved to.
BISECTED, SOLVED = 1e-5, 1e-10
# Near a fold the square of the least eigenvalue is linear in alpha: below this an end may be one.
NEAR_FOLD = 0.1
# Eigenvalues that vanish within this relative distance of one another do so together.
TOGETHER = 1e-7
# An end by escape is as sharp as it stays when teacher's fields a hundred times less rare are let in.
RARER = 1e-2


@dataclass(frozen=True)
class NullInterval:
    """A range of alpha over which Q = 0 is a solution.

    Attributes
    ----------
    low, high
        Its ends.
    low_end, high_end
        What ends it: ``"range"`` asked for, ``"fold"`` of V, or ``"escape"`` of samples to another minimum.
    low_error, high_error
        Errors of the ends; zero for those of the range asked for.
    """

    low: float
    high: float
    low_end: str
    high_end: str
    low_error: float
    high_error: float


@dataclass(frozen=True)
class NullDeparture:
    """Where solutions of another family begin on the solution Q = 0.

    Attributes
    ----------
    alpha, error
        Where, and how well that is known.
    leaves
        Family of the solutions that begin there, by what they overlap with: mixed where symmetries do not tell position
        from meaning.
    unknown
        Name of the order parameter that is largest, in natural units, in ``direction``.
    direction
        Right null vector of dF/du, (n,), of unit length in natural units.
    dimension
        Number of eigenvalues that vanish together.
    unstable_above
        Whether Q = 0 is unstable, or no solution, above ``alpha``; otherwise below.
    """

    alpha: float
    error: float
    leaves: str
    unknown: str
    direction: np.ndarray
    dimension: int
    unstable_above: bool


@dataclass(frozen=True)
class _End:
    """An end of an interval, and the unknowns of V there."""

    alpha: float
    unknowns: np.ndarray
    kind: str
    error: float


@dataclass(frozen=True)
class _Follower:
    """Q = 0 over alpha, one value after the other."""

    problem: NullProblem
    never: float = NEVER

    @property
    def best_rule(self) -> np.ndarray:
        return self.problem.channel.nodes.weights

    def stays(self, unknowns: np.ndarray) -> bool:
        """Whether z = 0 is the global minimiser for all teacher's fields that are met."""
        return self.problem.escape(self.problem.entries(unknowns)) <= self.never

    def bisected(
        self, inside: float, outside: float, guess: np.ndarray, escape: bool
    ) -> tuple[float, float, np.ndarray]:
        """Bisect for where V has no solution any more, or if ``escape``, where it lets samples escape.

        Returns alpha inside and outside, and V inside.
        """
        while abs(outside - inside) > BISECTED * inside:
            middle = 0.5 * (inside + outside)
            found = self.problem.susceptibility(middle, guess, thorough=False)
            if found is None or (escape and not self.stays(found)):
                outside = middle
            else:
                inside, guess = middle, found
        return inside, outside, guess

    def least(self, unknowns: np.ndarray, alpha: float) -> float:
        """Return the least eigenvalue of dF/du in V."""
        here = self.problem.linearize(unknowns, alpha, self.problem.evolution.prior, self.best_rule)
        return float(np.min(np.linalg.eigvals(here.jacobian).real))

    def fold(self, inside: float, outside: float, unknowns: np.ndarray) -> tuple[float, np.ndarray] | None:
        """Return where V has a fold between two values of alpha, and V next to it; None if it has none."""
        value = self.least(unknowns, inside) ** 2
        if value > NEAR_FOLD**2:
            return None
        # A second point as far away on the inner side; then ever closer, always inside.
        other = inside - (outside - inside)
        found = self.problem.susceptibility(other, unknowns, thorough=False)
        if found is None:
            return None
        other_value, goal = self.least(found, other) ** 2, inside
        for _ in range(40):
            before, slope = goal, (value - other_value) / (inside - other)
            goal = inside - value / slope
            if not abs(goal - inside) <= 2.0 * abs(outside - inside) or abs(goal - before) < SOLVED * abs(goal):
                break
            closer = goal - 0.2 * (goal - inside)
            found = self.problem.susceptibility(closer, unknowns, thorough=False)
            if found is None:
                break
            other, other_value = inside, value
            inside, unknowns, value = closer, found, self.least(found, closer) ** 2
        return (goal, unknowns) if abs(goal - outside) <= 2.0 * BISECTED * outside else None

    def end(self, inside: float, beyond: float, unknowns: np.ndarray) -> _End:
        """Return the end of an interval between an alpha inside and one beyond."""
        alpha, outside, found = self.bisected(inside, beyond, unknowns, escape=False)
        fold = self.fold(alpha, outside, found)
        if fold is not None and self.stays(fold[1]):
            return _End(*fold, "fold", self._fold_error(*fold) + 10.0 * SOLVED * fold[0])
        alpha, _, found = self.bisected(inside, outside, unknowns, escape=True)
        looser, _, _ = replace(self, never=self.never / RARER).bisected(alpha, outside, found, escape=True)
        return _End(alpha, found, "escape", abs(looser - alpha) + BISECTED * alpha)

    def _fold_error(self, alpha: float, unknowns: np.ndarray) -> float:
        """Propagate differences of embedded rules: what is seen by the left null vector moves alpha."""
        problem = self.problem
        here = evaluation_at(problem, problem.state_of(unknowns, alpha))
        free = list(problem.sector.free)
        left, values, _ = np.linalg.svd(here.full_jacobian[np.ix_(free, free)])
        left = left[:, values < 2.0 * values[-1] + SOLVED]
        normal = left @ (left.T @ here.alpha_derivative[free])
        shifts = -here.residual_differences[:, free] @ normal / (normal @ here.alpha_derivative[free])
        return float(problem.channel.nodes.error(shifts))

    def odd_spectrum(
        self, unknowns: np.ndarray, alpha: float, block: list[int], rule: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return eigenvalues of dF/du in a block of m and theta, ascending, and eigenvectors in natural units."""
        problem, space = self.problem, self.problem.space
        rule, prior = self.best_rule if rule is None else rule, problem.evolution.prior
        response = problem.linearize(unknowns, alpha, prior, rule).response
        conjugates = np.zeros(space.size)
        values, _ = problem.channel.susceptibility_average(response, rule)
        conjugates[list(space.of_kind("susceptibility"))] = alpha * values
        outer = prior.overlap_derivatives(conjugates)[np.ix_(space.odd, space.odd)]
        jacobian = np.eye(len(space.odd)) - alpha * outer @ problem.channel.odd_derivatives(response, rule)
        at = [space.odd.index(i) for i in block]
        units = problem.units(problem.entries(unknowns))[block]
        eigenvalues, vectors = map(np.real, np.linalg.eig(jacobian[np.ix_(at, at)] * units / units[:, None]))
        order = np.argsort(eigenvalues)
        return eigenvalues[order], vectors[:, order]


def _checked(low: float, high: float) -> tuple[float, float]:
    if not (np.isfinite(low) and np.isfinite(high) and 0.0 < low < high):
        raise InvalidArgument(f"a range of alpha must be positive and ascending, got ({low!r}, {high!r})")
    return float(low), float(high)


def _scan(follower: _Follower, low: float, high: float) -> list[tuple[float, np.ndarray | None]]:
    """Return values of alpha over a range, and V at each where Q = 0 is a solution."""
    values = np.clip(np.geomspace(low, high, SCAN), low, high).tolist()
    known: dict[int, np.ndarray | None] = {}
    guess = None
    for k in range(0, SCAN, STRIDE):
        known[k] = follower.problem.susceptibility(values[k], guess)
        guess = guess if known[k] is None else known[k]
    for k in range(SCAN):
        below, above = k // STRIDE * STRIDE, -(-k // STRIDE) * STRIDE
        if k not in known:
            near = [x for x in (known[k - 1], known[above]) if x is not None]
            beyond = known[below] is None and known[above] is None
            known[k] = None if beyond else follower.problem.susceptibility(values[k], near[0] if near else None)
    scan = [(alpha, known[k]) for k, alpha in enumerate(values)]
    stay: list[np.ndarray] = []
    solved = {k: unknowns for k, (_, unknowns) in enumerate(scan) if unknowns is not None}
    for k, unknowns in sorted(solved.items(), key=lambda item: -np.max(item[1])):
        if any(_holds(follower.problem, unknowns, larger) for larger in stay):
            continue
        if follower.stays(unknowns):
            stay.append(unknowns)
        else:
            scan[k] = (values[k], None)
    return scan


def _intervals(follower: _Follower, low: float, high: float) -> list[tuple[_End, list[tuple[float, np.ndarray]], _End]]:
    """Return the ends of every interval in which Q = 0 is a solution, and the points scanned between them."""
    if follower.problem.obstacle:
        return []
    scan = _scan(follower, low, high)
    found = []
    first, inside = None, []
    for k, (alpha, unknowns) in enumerate(scan):
        if unknowns is None:
            continue
        if first is None:
            start = scan[k - 1][0] if k else None
            first = _End(alpha, unknowns, "range", 0.0) if start is None else follower.end(alpha, start, unknowns)
            inside = []
        inside.append((alpha, unknowns))
        if k + 1 == len(scan):
            found.append((first, inside, _End(alpha, unknowns, "range", 0.0)))
        elif scan[k + 1][1] is None:
            found.append((first, inside, follower.end(alpha, scan[k + 1][0], unknowns)))
            first = None
    return found


def _holds(problem: NullProblem, unknowns: np.ndarray, larger: np.ndarray) -> bool:
    """Return whether z = 0 is a global minimiser at some V because it is at a larger one, whose penalty is smaller."""
    difference = problem.channel.block(problem.entries(larger - unknowns))
    return bool(np.linalg.eigvalsh(difference)[0] >= 0.0)


def null_reach(evolution: StateEvolution, low: float, high: float) -> tuple[NullInterval, ...]:
    """Return where in a range of alpha Q = 0 is a solution.

    Intervals that fit between neighbours of seven values of alpha, evenly spaced in their logarithm, may not be seen.

    Parameters
    ----------
    evolution
        The equations; the rule plays no part.
    low, high
        Ends of the range, 0 < low < high.

    Raises
    ------
    InvalidArgument
        If the range is not positive and ascending.
    """
    found = _intervals(_Follower(NullProblem(evolution)), *_checked(low, high))
    return tuple(NullInterval(a.alpha, b.alpha, a.kind, b.kind, a.error, b.error) for a, _, b in found)


def null_departures(evolution: StateEvolution, low: float, high: float) -> tuple[NullDeparture, ...]:
    """Return where in a range of alpha other solutions begin on Q = 0, by ascending alpha.

    Parameters
    ----------
    evolution
        The equations; the rule plays no part.
    low, high
        Ends of the range, 0 < low < high.

    Raises
    ------
    InvalidArgument
        If the range is not positive and ascending.
    """
    follower = _Follower(NullProblem(evolution))
    problem = follower.problem
    found: list[NullDeparture] = []
    blocks: list[list[int]] = []
    for first, inside, last in _intervals(follower, *_checked(low, high)):
        blocks = blocks or _odd_blocks(problem)
        points = [(first.alpha, first.unknowns), *inside, (last.alpha, last.unknowns)]
        points = [point for k, point in enumerate(points) if k == 0 or point[0] > points[k - 1][0]]
        for block in blocks:
            spectra = [follower.odd_spectrum(unknowns, alpha, block)[0] for alpha, unknowns in points]
            for (lower, upper), (before, after) in zip(pairwise(points), pairwise(spectra), strict=True):
                for k in np.flatnonzero(before * after < 0.0):
                    found.append(_odd_departure(follower, block, int(k), lower, upper))
        found += [_agnostic_departure(problem, end, end is last) for end in (first, last) if end.kind == "fold"]
    distinct: list[NullDeparture] = []
    for departure in sorted(found, key=lambda x: x.alpha):
        same = next(
            (x for x in distinct if x.leaves == departure.leaves and departure.alpha - x.alpha < TOGETHER * x.alpha),
            None,
        )
        if same is None:
            distinct.append(departure)
        else:
            distinct[distinct.index(same)] = replace(same, dimension=same.dimension + departure.dimension)
    return tuple(distinct)


def _odd_blocks(problem: NullProblem) -> list[list[int]]:
    """Return the blocks of m and theta into which symmetries divide dF/du at Q = 0."""
    odd = set(problem.space.odd)
    blocks = {tuple(i for i in problem.space.block_of(problem.sector, index) if i in odd) for index in odd}
    return [list(block) for block in sorted(blocks)]


def _odd_departure(
    follower: _Follower,
    block: list[int],
    index: int,
    lower: tuple[float, np.ndarray],
    upper: tuple[float, np.ndarray],
) -> NullDeparture:
    """Solve for the zero of an eigenvalue of a block between two points."""
    from scipy.optimize import brentq

    problem, space, nodes = follower.problem, follower.problem.space, follower.problem.channel.nodes
    unknowns = lower[1]

    def eigenvalue(alpha: float, rule: np.ndarray | None = None) -> float:
        nonlocal unknowns
        # At the ends, where there may be a fold, V is known and not solved for.
        known = next((v for at, v in (lower, upper) if at == alpha and rule is None), None)
        found = problem.susceptibility(alpha, unknowns, rule) if known is None else known
        if found is None:
            return np.nan
        unknowns = found
        return float(follower.odd_spectrum(found, alpha, block, rule)[0][index])

    root: Any = brentq(eigenvalue, lower[0], upper[0], xtol=SOLVED * lower[0])
    alpha = float(root)
    here = eigenvalue(alpha)
    _, vectors = follower.odd_spectrum(unknowns, alpha, block)
    step = 1e-4 * (upper[0] - lower[0])
    slope = (eigenvalue(min(alpha + step, upper[0])) - eigenvalue(max(alpha - step, lower[0]))) / (
        min(alpha + step, upper[0]) - max(alpha - step, lower[0])
    )
    differences = np.array([eigenvalue(alpha, rule) - here for rule in nodes.embedded])
    error = float(nodes.error(differences / slope)) + 10.0 * SOLVED * alpha
    vector = vectors[:, index] / np.linalg.norm(vectors[:, index])
    vector *= np.sign(vector[np.argmax(np.abs(vector))])
    largest = block[int(np.argmax(np.abs(vector)))]
    direction = np.zeros(space.size)
    direction[block] = vector * problem.units(problem.entries(unknowns))[block]
    leaves = family_of((space.quantities[i] for i in np.flatnonzero(direction)), space.layout)
    return NullDeparture(alpha, error, leaves, space.quantities[largest].name, direction, 1, bool(slope < 0.0))


def _agnostic_departure(problem: NullProblem, end: _End, unstable_above: bool) -> NullDeparture:
    """Return the departure at a fold of V: there dF/du in q is singular as well."""
    space = problem.space
    here = evaluation_at(problem, problem.state_of(end.unknowns, end.alpha))
    entries = list(space.of_kind("self_overlap"))
    units = here.full_units[entries]
    _, values, right = np.linalg.svd(here.full_jacobian[np.ix_(entries, entries)] * units / units[:, None])
    right = right[values < 2.0 * values[-1] + SOLVED]
    # The null vector that is a covariance: of several, the one closest to equal columns.
    alike = np.array([1.0 if space.quantities[i].positive else 0.0 for i in entries])
    vector = right.T @ (right @ alike)
    vector /= np.linalg.norm(vector)
    direction = np.zeros(space.size)
    direction[entries] = vector * units
    largest = entries[int(np.argmax(vector))]
    return NullDeparture(
        end.alpha, end.error, AGNOSTIC, space.quantities[largest].name, direction, len(right), unstable_above
    )
