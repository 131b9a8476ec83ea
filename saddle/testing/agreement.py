"""Two askings about one model, compared: what one saw and the other denies, in words.

Only what a user sees of a diagram is read, so that any two diagrams of one model can be compared, however they were
solved. The first word of every contradiction, up to the colon, is its kind: one of ``KINDS``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from saddle.diagram.contents import DiagramContents
from saddle.transitions.transition import Transition

__all__ = ["KINDS", "STATED", "allowance", "contradictions", "few", "label_of", "phase_changes"]

KINDS = (
    "complete", "alpha_c", "alpha_l", "first_order", "bifurcations", "names", "phases", "branches", "values", "phi"
)  # fmt: skip
BASELINE = "linear positional"

# What two askings may differ by: three times the sum of what they state, and this, relatively.
STATED, RELATIVE = 3.0, 1e-4
# A transition so much of its error, and relatively so near, to the end of a range may be seen or not.
EDGE_ERRORS, EDGE = 10.0, 1e-3
# Values of alpha at which free entropies are compared: of the global minimum, and of every branch.
COMPARED, COMPARED_OF_BRANCH = 4, 2


class _Change(NamedTuple):
    """Where a diagram says that the global minimum changes, and how well it knows."""

    alpha: float
    slack: float
    explained: bool


def allowance(*transitions: Transition) -> float:
    """Return by how much transitions may differ that are one: three times what resolved ones state, once others."""
    stated = sum((STATED if t.resolved else 1.0) * t.error for t in transitions)
    return stated + RELATIVE * max(t.alpha for t in transitions)


def contradictions(first: DiagramContents, second: DiagramContents) -> list[str]:
    """Return in words what two diagrams of one model disagree on wherever both can see it; none if they agree.

    Parameters
    ----------
    first, second
        Solved for the same model; ranges of alpha, grids, directions and rules may differ.

    Notes
    -----
    Transitions are the same if they differ by at most three times the sum of their errors and 1e-4 of alpha (once
    their errors where they are not resolved). One of the first diagram must be there in the second if it lies within
    the second's range by ten of its errors and 1e-3 of alpha. Of ``alpha_c`` and ``alpha_l``, which are the first of
    their kind in the range, an earlier one is no contradiction if only one range can see it.
    """
    unfinished = [word for word, diagram in (("first", first), ("second", second)) if not diagram.complete]
    if unfinished:
        return [f"complete: the {' and the '.join(unfinished)} was interrupted"]
    low, high = _overlap(first, second)
    if not low < high:
        return []
    found: list[str] = []
    for here, there, words in ((first, second, ("first", "second")), (second, first, ("second", "first"))):
        found += _denied_alpha_c(here, there, words)
        found += _denied_alpha_l(here, there, words)
        found += _denied_transitions(here, there, words)
        found += _denied_branches(here, there, words)
        found += _other_minimum(here, there, words)
    return list(dict.fromkeys([*found, *_other_phases(first, second)]))


def label_of(diagram: DiagramContents, transition: Transition) -> str:
    """Return the name under which a diagram lists a transition."""
    return next((name for name, t in diagram.transitions.items() if t == transition), "unnamed")


def phase_changes(diagram: DiagramContents) -> list[_Change]:
    """Return where the phases change; a change that no transition explains is known to the grid only."""
    found = []
    for phase in diagram.phases[:-1]:
        alpha = phase.high
        here = [t for t in diagram.transitions.values() if abs(t.alpha - alpha) <= 1e-9 * alpha]
        if here:
            found.append(_Change(alpha, max(allowance(t) for t in here), True))
        else:
            k = int(np.clip(np.searchsorted(diagram.alpha, alpha), 1, len(diagram.alpha) - 1))
            found.append(_Change(alpha, float(diagram.alpha[k] - diagram.alpha[k - 1]), False))
    return found


def _overlap(first: DiagramContents, second: DiagramContents) -> tuple[float, float]:
    return max(float(d.alpha[0]) for d in (first, second)), min(float(d.alpha[-1]) for d in (first, second))


def _inside(diagram: DiagramContents, transition: Transition) -> bool:
    """Whether a diagram's range holds a transition without doubt."""
    margin = EDGE_ERRORS * transition.error + EDGE * transition.alpha
    return diagram.alpha[0] + margin < transition.alpha < diagram.alpha[-1] - margin


def _same(one: Transition, other: Transition) -> bool:
    return abs(one.alpha - other.alpha) <= allowance(one, other)


def _said(transition: Transition) -> str:
    doubt = "" if transition.resolved else ", not resolved"
    between = " / ".join(transition.between)
    return f"{transition.kind} ({between}) at {transition.alpha:.7g} +- {transition.error:.1e}{doubt}"


def _why(diagram: DiagramContents, name: str) -> str:
    return diagram.reasons.get(name, "without a reason")


def _denied_alpha_c(here: DiagramContents, there: DiagramContents, words: tuple[str, str]) -> Iterator[str]:
    mine, other = here.alpha_c, there.alpha_c
    if mine is None or not _inside(there, mine):
        return
    if other is None:
        yield f"alpha_c: {words[0]} {_said(mine)}; {words[1]} none, {_why(there, 'alpha_c')!r}"
    elif _same(mine, other):
        if mine.between != other.between:
            yield f"names: alpha_c is {_said(mine)} to the {words[0]}, {_said(other)} to the {words[1]}"
    elif other.alpha > mine.alpha or _inside(here, other):
        yield f"alpha_c: {words[0]} {_said(mine)}; {words[1]} {_said(other)}"


def _denied_alpha_l(here: DiagramContents, there: DiagramContents, words: tuple[str, str]) -> Iterator[str]:
    mine, other = here.alpha_l, there.alpha_l
    if mine is None or not _inside(there, mine):
        return
    if other is None:
        # Who looks from further below may see the baseline beaten there, and not again for the first time here.
        if there.alpha[0] < here.alpha[0] and there.crossing(BASELINE).from_start:
            return
        yield f"alpha_l: {words[0]} {_said(mine)}; {words[1]} none, {_why(there, 'alpha_l')!r}"
    elif _same(mine, other):
        if mine.between != other.between and not _next_to_change(mine, here, there):
            yield f"names: alpha_l is {_said(mine)} to the {words[0]}, {_said(other)} to the {words[1]}"
    elif other.alpha > mine.alpha or _inside(here, other):
        yield f"alpha_l: {words[0]} {_said(mine)}; {words[1]} {_said(other)}"


def _next_to_change(transition: Transition, *diagrams: DiagramContents) -> bool:
    """Whether the global minimum changes so near that either branch's name will do."""
    changes = [change for diagram in diagrams for change in phase_changes(diagram)]
    return any(abs(c.alpha - transition.alpha) <= c.slack + allowance(transition) for c in changes)


def _denied_transitions(here: DiagramContents, there: DiagramContents, words: tuple[str, str]) -> Iterator[str]:
    """Yield what is said against jumps of the global minimum and bifurcations, which are matched by place and kind."""
    for kind, mine, others in (
        ("first_order", here.first_order, there.first_order),
        ("bifurcations", here.bifurcations, there.bifurcations),
    ):
        for transition in mine:
            if not _inside(there, transition):
                continue
            near = [t for t in others if t.kind == transition.kind and _same(t, transition)]
            if not near:
                elsewhere = [_said(t) for t in others if label_of(there, t) == label_of(here, transition)]
                yield (
                    f"{kind}: {words[0]} {label_of(here, transition)!r}, {_said(transition)}; {words[1]} "
                    + ("; ".join(elsewhere) if elsewhere else "none of its kind there")
                )
                continue
            named = [t for t in near if t.between == transition.between]
            if not named:
                yield f"names: {_said(transition)} to the {words[0]} is {_said(near[0])} to the {words[1]}"
                continue
            label, labels = label_of(here, transition), sorted({label_of(there, t) for t in named})
            # A jump that only one of them calls alpha_c is reported as that.
            if label not in labels and "alpha_c" not in (label, *labels):
                yield (
                    f"names: {_said(transition)} is listed as {label!r} by the {words[0]}, as {labels[0]!r} by the "
                    f"{words[1]}"
                )
            yield from _other_character(transition, named, words)


def _other_character(mine: Transition, others: Sequence[Transition], words: tuple[str, str]) -> Iterator[str]:
    """Yield what a bifurcation is not to both: the overlap that becomes critical, and on which side."""
    if mine.unstable_to not in {t.unstable_to for t in others}:
        yield f"bifurcations: {_said(mine)} is of {mine.unstable_to!r}; to the {words[1]} of {others[0].unstable_to!r}"
    known = {t.criticality for t in others} - {"unknown"}
    if mine.criticality != "unknown" and known and mine.criticality not in known:
        yield f"bifurcations: {_said(mine)} is {mine.criticality}; to the {words[1]} {sorted(known)[0]}"


def _denied_branches(here: DiagramContents, there: DiagramContents, words: tuple[str, str]) -> Iterator[str]:
    """Yield branches that exist at two grid points of one diagram and not in between in the other, or are others."""
    for name, branch in here.branches.items():
        own = np.flatnonzero(branch.distinct)
        stretches = [(k, k + 1) for k in own[:-1] if branch.distinct[k + 1]]
        spanned = [
            j for j, alpha in enumerate(there.alpha)
            if any(branch.alpha[a] <= alpha <= branch.alpha[b] for a, b in stretches)
        ]  # fmt: skip
        if not spanned:
            continue
        other = there.branches.get(name)
        missing = [j for j in spanned if other is None or not other.distinct[j]]
        if missing:
            low, high = float(there.alpha[missing[0]]), float(there.alpha[missing[-1]])
            why = "is not known" if other is None else f"is {other.outcome[missing[0]].value!r}"
            yield f"branches: {name!r} of the {words[0]} {why} to the {words[1]} for alpha from {low:.7g} to {high:.7g}"
        if other is not None:
            present = [j for j in spanned if other.distinct[j]]
            yield from _other_values(here, there, name, few(present, COMPARED_OF_BRANCH), words)


def _other_values(
    here: DiagramContents, there: DiagramContents, name: str, places: Sequence[int], words: tuple[str, str]
) -> Iterator[str]:
    for j in places:
        alpha = float(there.alpha[j])
        known = float(there.branches[name].free_entropy[j]), float(there.branches[name].error["free_entropy"][j])
        mine = _free_entropy(here, name, alpha)
        if isinstance(mine, str):
            yield f"values: {name!r} of the {words[0]} has no solution at {alpha:.7g}: {mine}"
        elif _differ(mine, known):
            yield (
                f"values: Phi of {name!r} at {alpha:.7g} is {mine[0]:.9g} +- {mine[1]:.1e} to the {words[0]}, "
                f"{known[0]:.9g} +- {known[1]:.1e} to the {words[1]}"
            )


def _free_entropy(diagram: DiagramContents, name: str, alpha: float) -> tuple[float, float] | str:
    """Return Phi of a branch at any alpha and its error, or why it is not there."""
    if name not in diagram.branches:
        return "no such branch"
    try:
        point = diagram.branches[name].at(alpha)
    except ValueError as failure:
        return str(failure)
    return point.free_entropy, point.error["free_entropy"]


def _differ(one: tuple[float, float], other: tuple[float, float]) -> bool:
    stated = STATED * float(np.nansum([one[1], other[1]]))
    return not abs(one[0] - other[0]) <= stated + RELATIVE * abs(other[0])


def few(places: Sequence[int], count: int) -> list[int]:
    """Return so many of some places, spread evenly."""
    if len(places) <= count:
        return list(places)
    return [places[int(k)] for k in np.linspace(0, len(places) - 1, count).round()]


def _other_minimum(here: DiagramContents, there: DiagramContents, words: tuple[str, str]) -> Iterator[str]:
    """Yield where the lowest training loss of one diagram is not that of the other, by Phi itself."""
    low, high = _overlap(here, there)
    shared = [j for j, alpha in enumerate(there.alpha) if low <= alpha <= high and there.global_minimum[j] is not None]
    for j in few(shared, COMPARED):
        alpha = float(there.alpha[j])
        if any(abs(change.alpha - alpha) <= change.slack for change in phase_changes(here)):
            continue
        name = next(phase.branch for phase in here.phases if phase.low <= alpha <= phase.high)
        if name is None:
            continue  # the phases say so
        theirs = there.global_minimum[j]
        assert theirs is not None
        best = there.branches[theirs]
        known = float(best.free_entropy[j]), float(best.error["free_entropy"][j])
        mine = _free_entropy(here, name, alpha)
        if isinstance(mine, str):
            yield f"phi: the {words[0]}'s global minimum {name!r} has no solution at {alpha:.7g}: {mine}"
        elif _differ(mine, known):
            yield (
                f"phi: the global minimum at {alpha:.7g} is {name!r} with Phi = {mine[0]:.9g} +- {mine[1]:.1e} to the "
                f"{words[0]}, {theirs!r} with {known[0]:.9g} +- {known[1]:.1e} to the {words[1]}"
            )


def _other_phases(first: DiagramContents, second: DiagramContents) -> Iterator[str]:
    """Yield stretches of alpha, beyond the errors of every change, to which two diagrams give other phases."""
    low, high = _overlap(first, second)
    doubtful = sorted((c.alpha - c.slack, c.alpha + c.slack) for d in (first, second) for c in phase_changes(d))
    certain, start = [], low
    for begin, end in doubtful:
        if begin > start:
            certain.append((start, min(begin, high)))
        start = max(start, end)
    certain.append((start, high))
    for begin, end in certain:
        if end <= begin:
            continue
        middle = 0.5 * (begin + end)
        names = [next(p.branch for p in d.phases if p.low <= middle <= p.high) for d in (first, second)]
        if names[0] != names[1]:
            yield f"phases: from {begin:.7g} to {end:.7g} the first has {names[0]!r}, the second {names[1]!r}"
