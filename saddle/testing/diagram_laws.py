"""Laws that one diagram obeys by itself, as sentences on what breaks them; the first word, up to the colon, is the law.

Two routes to one number each: the training loss against Phi, dPhi/dalpha against -E[M], dPhi/du against zero, residuals
anew; and that everything is told: a phase is known, its end is a transition, what is missing has a reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from baselines import BASELINES
from saddle.branches.branch import Branch
from saddle.branches.null.solution import NULL_FAMILY
from saddle.continuation.newton import OutsideDomain
from saddle.diagram.contents import DiagramContents
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.testing.agreement import STATED, few, phase_changes
from saddle.transitions.transition import Transition

__all__ = ["missing_names", "slope_mismatch", "told_laws", "value_laws"]

# Of alpha: half the width of differences in alpha.
HALF_WIDTH = 5e-3
# Of a natural unit: half the width of differences in the order parameters.
STEP = 1e-3
# Between the two routes to the training loss, and what is stored and found again, relatively.
ROUTES = 1e-6
# Of residuals in natural units.
RESIDUAL = 1e-6


def told_laws(diagram: DiagramContents) -> Iterator[str]:
    """Yield what is not told: phases, ends of phases, reasons, names of branches."""
    yield from _unknown_phases(diagram)
    yield from _unexplained_changes(diagram)
    yield from _silent(diagram)
    yield from _unknown_names(diagram)


def value_laws(diagram: DiagramContents, tolerance: float, places: int | None = None) -> Iterator[str]:
    """Yield which of a diagram's numbers disagree with another route to them.

    Parameters
    ----------
    diagram
        What was solved.
    tolerance
        Relative accuracy of its averages: slopes of Phi may be off by three times that.
    places
        How many points and intervals of every branch are looked at, spread evenly; all by default.
    """
    evolution = StateEvolution(diagram.model, diagram.rule, 1)
    for name, branch in diagram.branches.items():
        yield from _other_loss(name, branch)
        if branch.family != NULL_FAMILY:
            yield from _residuals(name, branch, evolution, places)
            yield from _not_stationary(name, branch, evolution, tolerance)
        yield from _slopes(name, branch, tolerance, places)


def _unknown_phases(diagram: DiagramContents) -> Iterator[str]:
    for phase in diagram.phases:
        if phase.branch is None:
            yield f"no minimum: none is known from alpha = {phase.low:.7g} to {phase.high:.7g}"


def _unexplained_changes(diagram: DiagramContents) -> Iterator[str]:
    for change, (below, above) in zip(phase_changes(diagram), _neighbours(diagram), strict=True):
        if not change.explained:
            yield f"unexplained: from {below!r} to {above!r} near alpha = {change.alpha:.7g} without a transition"


def _neighbours(diagram: DiagramContents) -> list[tuple[str | None, str | None]]:
    names = [phase.branch for phase in diagram.phases]
    return list(pairwise(names))


def _silent(diagram: DiagramContents) -> Iterator[str]:
    for name in diagram.special_names:
        if getattr(diagram, name) is None and not diagram.reasons.get(name):
            yield f"reasons: no {name}, and no word why"


def _unknown_names(diagram: DiagramContents) -> Iterator[str]:
    """Yield branches that others name and that are not there, and those that stand under another one's name."""
    for transition in dict.fromkeys((*diagram.transitions.values(), *diagram.everywhere)):
        for name in missing_names(transition, diagram):
            yield f"names: there is no branch {name!r} for the {transition}"
    for name, branch in diagram.branches.items():
        if branch.name != name:
            yield f"names: under {name!r} stands the branch {branch.name!r}"
        for end in branch.curve.ends if branch.curve is not None else ():
            if end.partner and end.partner not in diagram.branches:
                yield f"names: {name!r} ends at a {end.kind} on {end.partner!r}, which is no branch"


def missing_names(transition: Transition, diagram: DiagramContents) -> list[str]:
    """Return the branches that a transition names and that are not there.

    Also those that are born at a pitchfork and were not followed: the transition then names their family.
    """
    known = {*diagram.branches, *(BASELINES if transition.kind == "baseline-crossing" else ())}
    return [name for name in transition.between if name not in known]


def _other_loss(name: str, branch: Branch) -> Iterator[str]:
    gap = np.abs(branch.train_loss + branch.free_entropy)[branch.distinct]
    bound = ROUTES * np.abs(branch.free_entropy)[branch.distinct]
    if np.any(~(gap <= bound)):
        yield f"loss: the two routes to the training loss of {name!r} differ by up to {np.max(gap):.1e}"


def _residuals(name: str, branch: Branch, evolution: StateEvolution, places: int | None) -> Iterator[str]:
    """Yield points whose residual, or Phi, is another when it is evaluated anew."""
    for k in _some(np.flatnonzero(branch.distinct), places):
        alpha = float(branch.alpha[k])
        try:
            here = evolution.evaluate(branch.states[k], alpha)
        except OutsideDomain as failure:
            yield f"residual: {name!r} at alpha = {alpha:.7g} is no state of the model: {failure}"
            continue
        size = float(np.max(np.abs(here.full_residual / here.full_units)))
        if not size <= RESIDUAL:
            yield f"residual: {name!r} at alpha = {alpha:.7g} is no solution: its largest residual is {size:.1e}"
        elif not abs(here.free_entropy - branch.free_entropy[k]) <= ROUTES * abs(here.free_entropy):
            yield (
                f"phi: {name!r} at alpha = {alpha:.7g} has Phi = {here.free_entropy:.9g}, "
                f"and {branch.free_entropy[k]:.9g} is stored"
            )


def _not_stationary(name: str, branch: Branch, evolution: StateEvolution, tolerance: float) -> Iterator[str]:
    """Yield order parameters in which Phi is not stationary, at the middle of a branch.

    As soon as alpha dE[M]/du is compensated by what else depends on u, what is left is the rule's error.
    """
    own = np.flatnonzero(branch.distinct)
    if not own.size:
        return
    k = own[len(own) // 2]
    alpha, state = float(branch.alpha[k]), branch.states[k]
    try:
        here = evolution.evaluate(state, alpha)
        for index, quantity in enumerate(evolution.space.quantities):
            shift = np.zeros(len(state))
            shift[index] = STEP * here.full_units[index]
            up, down = (evolution.evaluate(state + sign * shift, alpha) for sign in (1.0, -1.0))
            slope = (up.free_entropy - down.free_entropy) / (2.0 * STEP)
            scale = alpha * abs(here.averages.envelope)
            if not abs(slope) <= STATED * tolerance * scale:
                yield (
                    f"stationary: Phi of {name!r} at alpha = {alpha:.7g} is not stationary in {quantity.name}: its "
                    f"slope is {slope / scale:.1e} of alpha E[M] per natural unit"
                )
    except OutsideDomain:
        return


def _slopes(name: str, branch: Branch, tolerance: float, places: int | None) -> Iterator[str]:
    for k in _some(np.flatnonzero(branch.distinct[:-1] & branch.distinct[1:]), places):
        middle = 0.5 * float(branch.alpha[k] + branch.alpha[k + 1])
        half = min(HALF_WIDTH * middle, 0.25 * float(branch.alpha[k + 1] - branch.alpha[k]))
        try:
            mismatch = slope_mismatch(branch, middle, half)
        except ValueError as failure:
            yield f"between: {name!r} has no solution at alpha = {middle:.7g}, between two of its points: {failure}"
            continue
        if not abs(mismatch) <= STATED * tolerance:
            yield f"slope: dPhi/dalpha of {name!r} at {middle:.7g} is not -E[M], by {mismatch:.1e} of it"


def _some(places: Sequence[int] | np.ndarray, count: int | None) -> list[int]:
    return [int(k) for k in (places if count is None else few(list(places), count))]


def slope_mismatch(branch: Branch, alpha: float, half: float) -> float:
    """Return by what part dPhi/dalpha differs from -E[M], over an interval around an alpha.

    Raises
    ------
    ValueError
        If the branch has no solution at its ends.
    """
    low, high = branch.at(alpha - half), branch.at(alpha + half)
    slope = (high.free_entropy - low.free_entropy) / (2.0 * half)
    envelope = 0.5 * (low.evaluation.averages.envelope + high.evaluation.averages.envelope)
    return slope / envelope + 1.0
