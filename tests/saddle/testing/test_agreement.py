"""The comparison of two askings reports what is planted, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from saddle import Phase
from saddle.testing.agreement import KINDS, contradictions
from tests.saddle.testing.hand_made import HandMade, HandMadeBranch, paper_by_hand

TRUTH = paper_by_hand()


def kinds(first: HandMade, second: HandMade) -> set[str]:
    """Return the kinds of contradiction, which do not depend on who is asked first."""
    found, back = (
        {text.split(":")[0] for text in contradictions(*pair)} for pair in ((first, second), (second, first))
    )
    assert found == back <= set(KINDS)
    return found


@pytest.mark.parametrize(
    "other",
    [
        paper_by_hand(),
        paper_by_hand(0.5, 2.0, 2),
        paper_by_hand(0.01, 20.0, 30),
        paper_by_hand(1.24, 1.27, 3),
        paper_by_hand(1.3, 1.4, 4),
        paper_by_hand(1.6, 6.0, 7),
        paper_by_hand(0.01, 0.05, 2),
        # Seen differently by less than what both state.
        paper_by_hand(shift=5e-5),
        # Ranges that share nothing, or one point.
        paper_by_hand(4.0, 5.0),
        paper_by_hand(3.0, 5.0),
    ],
)
def test_askings_that_agree(other):
    assert kinds(TRUTH, other) == set()


def test_missing_alpha_c():
    blind = TRUTH.with_changes(alpha_c=None, reasons={"alpha_c": "nothing seen"})
    (text,) = contradictions(TRUTH, blind)
    assert text.startswith("alpha_c: first first-order (positional / semantic) at 1.25")
    assert text.endswith("second none, 'nothing seen'")
    assert kinds(TRUTH, blind) == {"alpha_c"}


def test_missing_jump():
    assert "first_order" in kinds(TRUTH, TRUTH.with_changes(first_order=()))


@pytest.mark.parametrize("shift", [3e-4, -3e-4, 0.05])
def test_shifted_transitions(shift):
    moved = paper_by_hand(shift=shift)
    assert kinds(TRUTH, moved) >= {"alpha_c", "alpha_l", "first_order", "bifurcations", "phases"}


def test_what_is_not_resolved_is_compared_within_what_it_states():
    pitchfork = TRUTH.bifurcations[1]

    def guess(alpha: float, error: float) -> HandMade:
        guessed = replace(pitchfork, alpha=alpha, error=error, resolved=False)
        return TRUTH.with_changes(bifurcations=(TRUTH.bifurcations[0], guessed))

    assert kinds(TRUTH, guess(0.729, 0.01)) == set()
    assert kinds(TRUTH, guess(0.7312, 0.01)) == {"bifurcations"}
    # A resolved one may be three of its errors away.
    resolved = replace(pitchfork, alpha=0.729, error=0.0035)
    assert kinds(TRUTH, TRUTH.with_changes(bifurcations=(TRUTH.bifurcations[0], resolved))) == set()


def test_missing_bifurcation_is_found_from_both_sides():
    blind = TRUTH.with_changes(bifurcations=TRUTH.bifurcations[:1])
    assert kinds(TRUTH, blind) == {"bifurcations"}
    # But not by who cannot see it.
    assert kinds(paper_by_hand(0.8, 2.0), blind) == set()


def test_next_to_the_end_of_a_range_a_transition_may_be_seen_or_not():
    near = 0.72 * (1.0 - 5e-4)
    seeing, blind = paper_by_hand(near, 2.0), paper_by_hand(near, 2.0).with_changes(bifurcations=())
    assert kinds(TRUTH, seeing) == kinds(TRUTH, blind) == set()


def test_other_character_of_a_bifurcation():
    def with_last(**changes: str) -> HandMade:
        return TRUTH.with_changes(bifurcations=(TRUTH.bifurcations[0], replace(TRUTH.bifurcations[1], **changes)))

    assert kinds(TRUTH, with_last(criticality="subcritical")) == {"bifurcations"}
    assert kinds(TRUTH, with_last(criticality="unknown")) == set()
    assert kinds(TRUTH, with_last(unstable_to="m")) == {"bifurcations"}
    assert kinds(TRUTH, with_last(kind="fold")) == {"bifurcations"}


def renamed(diagram: HandMade, old: str, new: str) -> HandMade:
    """Return a diagram with another name for a branch, in every place."""
    branches = {
        new if name == old else name: replace(b, name=new) if name == old else b for name, b in diagram.branches.items()
    }

    def change(t):
        return t and replace(t, between=tuple(new if name == old else name for name in t.between))

    return diagram.with_changes(
        branches=branches,
        phases=tuple(replace(p, branch=new) if p.branch == old else p for p in diagram.phases),
        alpha_c=change(diagram.alpha_c),
        alpha_l=change(diagram.alpha_l),
        first_order=tuple(map(change, diagram.first_order)),
        bifurcations=tuple(map(change, diagram.bifurcations)),
    )


def test_renamed_branch():
    assert kinds(TRUTH, renamed(TRUTH, "positional", "positional 2")) == {"names", "phases", "branches"}
    # A branch of no phase.
    extra = HandMadeBranch("mixed", TRUTH.alpha, (0.9, 2.0), -1.0, -1.0)
    more = TRUTH.with_changes(branches={**TRUTH.branches, "mixed": extra})
    assert kinds(TRUTH, TRUTH) == set()
    assert kinds(more, renamed(more, "mixed", "mixed 2")) == {"branches"}
    assert kinds(more, TRUTH) == {"branches"}


def test_other_label():
    labelled = TRUTH.with_changes(labels={"agnostic -> semantic (2)": TRUTH.bifurcations[1]})
    assert kinds(TRUTH, labelled) == set()  # listed under both
    only = HandMadeLabels(**{name: getattr(TRUTH, name) for name in TRUTH.__dataclass_fields__})
    assert kinds(TRUTH, only) == {"names"}


class HandMadeLabels(HandMade):
    """The same with a number after the names of bifurcations."""

    @property
    def transitions(self):
        return {f"{k} (2)" if "->" in k else k: t for k, t in super().transitions.items()}


def test_same_name_for_another_solution():
    low, *others = TRUTH.branches.values()
    changed = dict(zip(TRUTH.branches, (replace(low, value=-0.00031), *others), strict=True))
    assert "values" in kinds(TRUTH, TRUTH.with_changes(branches=changed))


def test_missing_lower_minimum():
    without = {name: b for name, b in TRUTH.branches.items() if name != "positional"}
    ends = (Phase("agnostic", 0.01, 1.0), Phase("semantic", 1.0, 3.0))
    blind = TRUTH.with_changes(branches=without, phases=ends)
    found = kinds(TRUTH, blind)
    assert {"phi", "phases", "branches"} <= found
    # Also if it does not say which phases there are.
    assert "phi" in kinds(TRUTH, TRUTH.with_changes(branches=without))


def test_unknown_minimum():
    nothing = TRUTH.with_changes(phases=(Phase(None, 0.01, 3.0),))
    assert kinds(TRUTH, nothing) == {"phases"}


def test_change_of_phase_without_transition_is_known_to_the_grid():
    jump = TRUTH.phases[1].high
    k = int(np.searchsorted(TRUTH.alpha, jump))
    half_way = 0.5 * float(TRUTH.alpha[k - 1] + TRUTH.alpha[k])
    first, second, third = TRUTH.phases
    guessed = TRUTH.with_changes(phases=(first, replace(second, high=half_way), replace(third, low=half_way)))
    assert kinds(TRUTH, guessed) == set()


def test_first_of_several_crossings():
    earlier = replace(TRUTH.alpha_l, alpha=0.3)
    below = paper_by_hand(0.01, 3.0).with_changes(alpha_l=earlier)
    above = paper_by_hand(0.5, 3.0)
    assert kinds(below, above) == set()
    # Who looks at both must name the first.
    assert kinds(below, TRUTH) == {"alpha_l"}
    # Beaten from the lower end of the longer range on, then not, then again.
    beaten = TRUTH.with_changes(alpha_l=None, from_start=True)
    assert kinds(beaten, above) == set()
    assert kinds(beaten, TRUTH) == {"alpha_l"}


def test_interrupted_diagrams_are_not_compared():
    assert kinds(TRUTH, TRUTH.with_changes(complete=False, alpha_c=None)) == {"complete"}
