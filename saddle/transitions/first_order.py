"""First-order transitions: where two solutions have equal free entropy.

One search finds all of them: the difference of two branches' free entropies is followed along both curves, every
change of its sign is a bracket, and the equations of both solutions and of equal Phi are solved from there. A bracket
that cannot be located is reported, unresolved, with an error that covers it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from saddle.averages.channel_averages import ChannelAverages
from saddle.branches.branch_curve import OnCurve
from saddle.branches.curve_solving import solve_on_curve
from saddle.branches.null.on_rule import null_averages, null_shift
from saddle.branches.null.solution import NULL_FAMILY
from saddle.branches.search.solution_identity import ERRORS_APART, distance
from saddle.continuation.outcomes import SolverError
from saddle.state_evolution.evaluation import StateEvaluation
from saddle.transitions.equations import EqualFreeEntropies
from saddle.transitions.found import Found, by_alpha
from saddle.transitions.global_minimum import APART, first_to_leave, highest, sample_places
from saddle.transitions.sharpening import FLOOR, LocatedTransition, locate
from saddle.transitions.transition import Transition, point_of, transition_points

__all__ = ["FirstOrder", "find_alpha_c", "find_first_order", "rough_crossings", "told_from_births"]

# Distance in natural units below which two solutions count as one, and within which a solution is on its curve.
ALIKE, ON_CURVE = 1e-3, 0.1
# Relative difference of solved free entropies that has a sign.
SIGNIFICANT = 1e-8
HALVINGS = 40
# Changes of sign of two branches that interpolation cannot tell apart, at which both are solved.
MOST_SOLVED = 3
# Relative difference of free entropies that no rule in use gets wrong.
CLEARLY = 3e-3


@dataclass(frozen=True)
class FirstOrder:
    """All that was found.

    Attributes
    ----------
    of_the_minimum
        Where the global minimum jumps, between the branch below and the branch above.
    between_attractors
        Where a positional and a semantic branch that attract have equal free entropy, whether or not a third branch
        has a larger one.
    """

    of_the_minimum: Found
    between_attractors: Found


@dataclass(frozen=True)
class _Bracket:
    """Values of alpha between which the difference Phi_second - Phi_first changes its sign."""

    low: float
    high: float
    rises: bool


def rough_crossings(branches: Sequence[OnCurve], low: float, high: float) -> list[tuple[float, bool]]:
    """Return where interpolated free entropies of two branches are equal, and whether no other is larger there."""
    known = [branch for branch in branches if branch.curve is not None]
    found = []
    for first, second in combinations(known, 2):
        for bracket in _brackets(first, second, low, high):
            found.append((_interpolated(first, second, bracket), _is_lowest(known, first, second, bracket)))
    return sorted(found)


def find_first_order(branches: Sequence[OnCurve], low: float, high: float) -> FirstOrder:
    """Find where the global minimum jumps from one branch to another, and where positional and semantic are equal.

    Parameters
    ----------
    branches
        All that were found; those without a curve are left out.
    low, high
        Range of alpha searched.

    Returns
    -------
    FirstOrder
        Where the minimum passes continuously from one branch to another, at a pitchfork, there is none.

    Notes
    -----
    Theory notes in docs/, section 10.
    """
    known = [branch for branch in branches if branch.curve is not None]
    jumps: list[Transition] = []
    attractors: list[Transition] = []
    for first, second in combinations(known, 2):
        families = {first.family, second.family}
        competing = families == {"positional", "semantic"} and first.attracting and second.attracting
        for bracket in _brackets(first, second, low, high):
            lowest = _is_lowest(known, first, second, bracket)
            if not (competing or lowest):
                continue
            transition = _transition(first, second, bracket)
            if transition is None:
                continue
            jumps += [transition] if lowest else []
            attractors += [transition] if competing else []
    return FirstOrder(by_alpha(jumps), by_alpha(attractors))


def told_from_births(found: FirstOrder, bifurcations: Found) -> FirstOrder:
    """Return first-order transitions without those that are a pitchfork between the same branches, to its error.

    Where a rule does not show how a nearly vertical branch begins, it does not show either by how little its minimum
    jumps, if at all: the pitchfork, with its error, is what is known.
    """
    births = [t for t in bifurcations.transitions if t.kind == "pitchfork"]

    def told(jumps: Found) -> Found:
        return by_alpha(
            jump
            for jump in jumps.transitions
            if not any(set(t.between) == set(jump.between) and abs(t.alpha - jump.alpha) <= t.error for t in births)
        )

    return FirstOrder(told(found.of_the_minimum), told(found.between_attractors))


def find_alpha_c(found: FirstOrder, branches: Sequence[OnCurve], low: float, high: float) -> Found:
    """Find the first transition between positional and semantic, or the reason in words why there is none.

    Parameters
    ----------
    found
        All first-order transitions.
    branches
        All branches.
    low, high
        Range of alpha asked for.
    """
    first = found.between_attractors.first
    if first is not None:
        if low <= first.alpha <= high:
            return Found((first,))
        return Found(reason=f"it lies outside of the range asked for, at alpha = {first.alpha:.5f}")
    attracting = {
        family: [b for b in branches if b.family == family and b.curve is not None and b.attracting]
        for family in ("positional", "semantic")
    }
    missing = [family for family, own in attracting.items() if not own]
    if missing:
        return Found(reason=f"no {' and no '.join(missing)} branch that attracts was found")
    pairs = [(a, b) for a in attracting["positional"] for b in attracting["semantic"]]
    compared = [ahead for a, b in pairs if (ahead := _ahead(a, b)) is not None]
    if not compared:
        return Found(reason="no positional and semantic branch that attract exist at the same alpha")
    if len(set(compared)) == 1:
        return Found(reason=f"the {compared[0]} branch has the larger free entropy wherever both were found")
    return Found(reason="the free entropies of positional and semantic branches change order on no pair of branches")


def _ahead(first: OnCurve, second: OnCurve) -> str | None:
    """Return the family of the branch with the larger free entropy wherever both exist; None if they never do."""
    places, difference = _differences(first, second, 0.0, np.inf)
    if len(places) == 0:
        return None
    return second.family if difference[int(np.argmax(np.abs(difference)))] > 0.0 else first.family


def _differences(first: OnCurve, second: OnCurve, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Return values of alpha at which both branches exist, and there Phi_second - Phi_first, interpolated."""
    assert first.curve is not None
    assert second.curve is not None
    low = max(low, first.curve.reach[0], second.curve.reach[0])
    high = min(high, first.curve.reach[1], second.curve.reach[1])
    if not low < high:
        return np.zeros(0), np.zeros(0)
    places = sample_places([first, second], low, high)
    phi = highest([first, second], places)
    return places, phi[1] - phi[0]


def _brackets(first: OnCurve, second: OnCurve, low: float, high: float) -> list[_Bracket]:
    """Return where the difference of free entropies changes its sign, by increasing alpha.

    Where interpolation cannot tell, both branches are solved. Next to a point where one is born on the other the
    difference has one sign: there is no bracket.
    """
    places, difference = _differences(first, second, low, high)
    if len(places) < 2:
        return []
    # Losses may vanish on one of them, as at Q = 0.
    scale = np.max(np.abs(highest([first, second], places)), axis=0)
    rough = np.abs(difference) <= APART * scale
    rough = _without_births(first, second, places, rough, difference)
    # Solved only where interpolation changes its sign: elsewhere the sign does not matter.
    turns = np.flatnonzero(difference[:-1] * difference[1:] < 0.0)
    wanted = sorted({int(k) for turn in turns[:MOST_SOLVED] for k in (turn, turn + 1) if rough[k]})
    difference[rough] = np.where(np.isin(np.flatnonzero(rough), wanted), difference[rough], 0.0)
    for k in wanted:
        solved = _solved_difference(first, second, float(places[k]))
        difference[k] = solved if solved is not None and abs(solved) > SIGNIFICANT * scale[k] else 0.0
    signed = [int(k) for k in np.flatnonzero(difference)]
    runs: list[list[int]] = [signed[:1]]
    for a, b in pairwise(signed):
        if difference[a] * difference[b] < 0.0:
            runs.append([])
        runs[-1].append(b)
    # Where one branch is born on the other their difference begins at zero, and its first sign may be the rule's error.
    told = [
        not _connected(first, second) or _exceeds_its_error(first, second, places, difference, scale, run)
        for run in runs
    ]
    found = []
    for k, (before, after) in enumerate(pairwise(runs)):
        if told[k] and told[k + 1]:
            low, high = float(places[before[-1]]), float(places[after[0]])
            found.append(_Bracket(low, high, bool(difference[after[0]] > 0.0)))
    return found


def _connected(first: OnCurve, second: OnCurve) -> bool:
    """Whether one of two branches is born on the other."""
    return any(
        end.connected and end.partner == other.name
        for branch, other in ((first, second), (second, first))
        if branch.curve is not None
        for end in branch.curve.ends
    )


def _exceeds_its_error(
    first: OnCurve,
    second: OnCurve,
    places: np.ndarray,
    difference: np.ndarray,
    scale: np.ndarray,
    run: Sequence[int],
) -> bool:
    """Whether a difference of one sign, over places next to each other, is clearly larger than the rule's error."""
    if not run:
        return False
    largest = max(run, key=lambda k: abs(difference[k]) / scale[k])
    if abs(difference[largest]) > CLEARLY * scale[largest]:
        return True
    pair = _solved_pair(first, second, float(places[largest]))
    if pair is None:
        return False
    # Both are integrated on one lattice, so that their errors go together.
    direction = first_to_leave((first, second))
    averages = [
        _averages_on_the_rule(branch, here, direction) for branch, here in zip((first, second), pair, strict=True)
    ]
    if any(own is None for own in averages):
        return False
    rows = [own.differences[:, own.columns.envelope] for own in averages if own is not None]
    outer = next(own.outer for own in averages if own is not None)
    error = pair[0].alpha * float(outer.error(rows[1] - rows[0]))
    # Solved it may be another than interpolated between nodes.
    return _difference_of(first, second, pair) * np.sign(difference[largest]) > ERRORS_APART * error


def _averages_on_the_rule(
    branch: OnCurve, here: StateEvaluation, direction: tuple[float, ...]
) -> ChannelAverages | None:
    if branch.family != NULL_FAMILY:
        return here.averages
    return null_averages(branch.evolution, tuple(map(float, here.state)), direction)


def _difference_of(first: OnCurve, second: OnCurve, pair: tuple[StateEvaluation, StateEvaluation]) -> float:
    """Return Phi_second - Phi_first as the branches' rule has it."""
    direction = first_to_leave((first, second))
    phi = [
        here.free_entropy - here.alpha * null_shift(branch.evolution, here.state, here.averages.envelope, direction)
        if branch.family == NULL_FAMILY
        else here.free_entropy
        for branch, here in zip((first, second), pair, strict=True)
    ]
    return phi[1] - phi[0]


def _without_births(
    first: OnCurve, second: OnCurve, places: np.ndarray, rough: np.ndarray, difference: np.ndarray
) -> np.ndarray:
    """Return which places are still to be solved; next to where one branch is born on the other none is.

    There both are one to within what a rule can tell, and a sign would be that of its error.
    """
    still = rough.copy()
    for branch, other in ((first, second), (second, first)):
        assert branch.curve is not None
        for end in branch.curve.ends:
            if not (end.connected and end.partner == other.name):
                continue
            order = np.argsort(np.abs(places - end.alpha))
            for k in order:
                if not rough[k]:
                    break
                still[k], difference[k] = False, 0.0
    return still


def _solved_pair(first: OnCurve, second: OnCurve, alpha: float) -> tuple[StateEvaluation, StateEvaluation] | None:
    """Solve both branches at one alpha; None where one of them is not found."""
    found = [
        None if branch.curve is None else solve_on_curve(branch.evolution, branch.sector, branch.curve, alpha)
        for branch in (first, second)
    ]
    return None if found[0] is None or found[1] is None else (found[0][0], found[1][0])


def _solved_difference(first: OnCurve, second: OnCurve, alpha: float) -> float | None:
    """Return Phi_second - Phi_first at one alpha, solved; None where one of them is not found."""
    pair = _solved_pair(first, second, alpha)
    return None if pair is None else _difference_of(first, second, pair)


def _is_lowest(known: Sequence[OnCurve], first: OnCurve, second: OnCurve, bracket: _Bracket) -> bool:
    """Whether no other branch has a larger free entropy where two branches' are equal, by more than interpolation."""
    middle = np.array([_interpolated(first, second, bracket)])
    phi = highest(known, middle)[:, 0]
    own = max(highest([first, second], middle)[:, 0])
    return bool(own >= np.max(phi) - APART * abs(own))


def _interpolated(first: OnCurve, second: OnCurve, bracket: _Bracket) -> float:
    """Return where interpolated free entropies are equal."""
    low, high = bracket.low, bracket.high
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        phi = highest([first, second], np.array([middle]))[:, 0]
        below = (phi[1] < phi[0]) == bracket.rises
        low, high = (middle, high) if below else (low, middle)
    return 0.5 * (low + high)


def _transition(first: OnCurve, second: OnCurve, bracket: _Bracket) -> Transition | None:
    """Locate equal free entropies in a bracket; None if both solutions are one there."""
    below, above = (first, second) if bracket.rises else (second, first)
    located = _located(below, above, _interpolated(first, second, bracket), bracket)
    names, ends = (below.name, above.name), (bracket.low, bracket.high)
    if located is not None:
        points = transition_points(located)
        return Transition(located.alpha, located.error, "first-order", names, bracket=ends, points=points)
    low, high = _narrowed(first, second, bracket)
    middle, width = 0.5 * (low + high), 0.5 * (high - low)
    solved = _solved_pair(below, above, middle)
    if solved is None:
        error = 0.5 * (bracket.high - bracket.low)
        return Transition(middle, max(error, FLOOR), "first-order", names, resolved=False, bracket=ends)
    # What the rule's error of both free entropies moves equal ones by.
    uncertain = sum(here.free_entropy_error for here in solved)
    slope = abs(solved[0].averages.envelope - solved[1].averages.envelope)
    error = (
        width + uncertain / slope if slope * (bracket.high - bracket.low) > uncertain else bracket.high - bracket.low
    )
    points = tuple(point_of(here) for here in solved)
    # Q = 0 has no equations to solve together with others': there halving is the location.
    resolved = NULL_FAMILY in (below.family, above.family) and width <= FLOOR
    return Transition(middle, max(error, FLOOR), "first-order", names, resolved=resolved, bracket=ends, points=points)


def _located(below: OnCurve, above: OnCurve, alpha: float, bracket: _Bracket) -> LocatedTransition | None:
    """Solve both saddle-point equations and equal Phi; None if that fails or leads away from both branches."""
    assert below.curve is not None
    assert above.curve is not None
    evolution = below.evolution
    states = [curve.state(alpha)[0] for curve in (below.curve, above.curve)]
    free = [state[list(branch.sector.free)] for state, branch in zip(states, (below, above), strict=True)]
    if NULL_FAMILY in (below.family, above.family):
        return None
    try:
        located = locate(EqualFreeEntropies(below.sector, above.sector), evolution, np.concatenate([*free, [alpha]]))
    except SolverError:
        return None
    # On the branches' own rule, that is; sharpening may move it out of so small a bracket.
    if not bracket.low - located.error <= located.y[-1] <= bracket.high + located.error:
        return None
    space, variances = evolution.space, evolution.channel.variances
    solved = [here.state for here in located.evaluations]
    if distance(space, variances, *solved) < ALIKE:
        return None
    away = [distance(space, variances, *pair) for pair in zip(states, solved, strict=True)]
    return located if max(away) < ON_CURVE else None


def _narrowed(first: OnCurve, second: OnCurve, bracket: _Bracket) -> tuple[float, float]:
    """Halve a bracket by solving both branches, as far as that goes."""
    low, high = bracket.low, bracket.high
    while high - low > FLOOR:
        middle = 0.5 * (low + high)
        difference = _solved_difference(first, second, middle)
        if difference is None:
            break
        low, high = (middle, high) if (difference < 0.0) == bracket.rises else (low, middle)
    return low, high
