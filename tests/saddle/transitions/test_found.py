"""What a search for transitions returns: in order, first, within a range, or nothing and the reason."""

from __future__ import annotations

import pickle

import pytest

from saddle.transitions.baseline_crossing import Crossing
from saddle.transitions.found import Found, by_alpha
from saddle.transitions.transition import Transition

ALPHAS = (1.5, 0.7, 2.0)
SOME = by_alpha(Transition(alpha, 1e-5, "pitchfork", ("agnostic", "semantic")) for alpha in ALPHAS)
NONE = Found(reason="no solution is known")


def test_transitions_are_ordered():
    assert [t.alpha for t in SOME.transitions] == sorted(ALPHAS)
    assert SOME.first is not None
    assert SOME.first.alpha == min(ALPHAS)


@pytest.mark.parametrize(("low", "high", "count"), [(0.7, 2.0, 3), (0.8, 2.0, 2), (0.7, 1.4, 1), (2.1, 3.0, 0)])
def test_a_range_holds_its_ends(low, high, count):
    assert len(SOME.within(low, high)) == count


def test_nothing_has_no_first_and_a_reason():
    assert (NONE.first, NONE.transitions, NONE.within(0.0, 10.0)) == (None, (), ())
    assert NONE.reason


@pytest.mark.parametrize("found", [SOME, NONE], ids=["some", "none"])
def test_a_crossing_says_what_was_found(found):
    crossing = Crossing("uniform", found)
    assert (crossing.transition, crossing.reason) == (found.first, found.reason)
    assert str(crossing) == (found.reason or str(found.first))
    assert pickle.loads(pickle.dumps(crossing)) == crossing
