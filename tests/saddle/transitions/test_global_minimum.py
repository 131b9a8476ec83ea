"""The global minimum read off curves: it changes where it should, and is not known where its branch is lost."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from saddle.branches.branch_curve import BranchCurve, CurveEnd
from saddle.diagram.minimum_continuity import without_jumps
from saddle.transitions.global_minimum import find_phases
from saddle.transitions.transition import Transition

LOW, HIGH = 0.1, 4.0


@dataclass(frozen=True)
class Line:
    """A branch whose training loss is given as a function of alpha, with its derivative; it solves no equations."""

    name: str
    curve: BranchCurve
    sector: Any = None
    evolution: Any = None
    attracting: bool = True

    @property
    def family(self) -> str:
        return self.name


def line(name, loss, slope, reach=(LOW, HIGH), ends=("bound", "bound"), partners=("", "")):
    alpha = np.linspace(reach[0], reach[1], 20)
    curve = BranchCurve(
        alpha=alpha,
        states=np.ones((20, 1)),
        tangents=np.ones((20, 2)),
        free_entropy=-loss(alpha),
        average_envelope=slope(alpha),
        test_error=alpha,
        test_error_derivative=np.ones(20),
        ends=(CurveEnd(ends[0], reach[0], partners[0]), CurveEnd(ends[1], reach[1], partners[1])),
    )
    return Line(name, curve)


PARENT = line("agnostic", lambda a: a, np.ones_like)


def child(name, birth, gain, end=HIGH, ends=("pitchfork", "bound"), partners=("agnostic", "")):
    """Return a branch that leaves the parent at some alpha and gains on it with the square of the distance."""
    return line(
        name,
        lambda a: a - gain * (a - birth) ** 2,
        lambda a: 1.0 - 2.0 * gain * (a - birth),
        (birth, end),
        ends,
        partners,
    )


def pitchfork(alpha, name):
    return Transition(alpha, 1e-6, "pitchfork", ("agnostic", name))


BIRTH = pitchfork(1.0, "semantic")


def said(phases):
    return [(phase.branch, round(phase.low, 6), round(phase.high, 6)) for phase in phases]


def test_the_parent_is_the_minimum_between_two_children():
    # One ends where it joins the parent again, before the other one is born.
    first = line(
        "positional",
        lambda a: a - (a - 1.0) * (1.5 - a),
        lambda a: 1.0 - (2.5 - 2.0 * a),
        (1.0, 1.5),
        ("pitchfork", "pitchfork"),
        ("agnostic", "agnostic"),
    )
    second = child("semantic", 1.55, 0.1)
    found = find_phases(
        [PARENT, first, second],
        [pitchfork(x, n) for x, n in ((1.0, "positional"), (1.5, "positional"), (1.55, "semantic"))],
        LOW,
        HIGH,
    )
    assert said(found) == [
        ("agnostic", LOW, 1.0), ("positional", 1.0, 1.5), ("agnostic", 1.5, 1.55), ("semantic", 1.55, HIGH)
    ]  # fmt: skip


def test_a_child_is_the_minimum_from_its_birth_on_however_slowly_it_gains():
    found = find_phases([PARENT, child("semantic", 1.0, 1e-4)], [pitchfork(1.0, "semantic")], LOW, HIGH)
    assert said(found) == [("agnostic", LOW, 1.0), ("semantic", 1.0, HIGH)]


@pytest.mark.parametrize("searched", [(0.1, 2.5, 4.0), (0.1, 4.0)])
def test_where_the_minimum_is_lost_it_is_not_known(searched):
    lost = child("semantic", 1.0, 0.2, end=2.0, ends=("pitchfork", "lost"))
    branches = [PARENT, lost]
    phases = without_jumps(find_phases(branches, [BIRTH], LOW, HIGH), branches, [BIRTH], searched)
    until = min(a for a in searched if a > 2.0)
    expected = [("agnostic", LOW, 1.0), ("semantic", 1.0, 2.0), (None, 2.0, until), ("agnostic", until, HIGH)]
    assert said(phases) == [phase for phase in expected if phase[1] < phase[2]]
    assert "could not be followed beyond alpha = 2" in phases[2].reason


def test_where_the_minimum_appears_from_nowhere_it_is_not_known_before():
    found = line("semantic", lambda a: 0.9 * a, lambda a: 0.9 * np.ones_like(a), (2.0, HIGH), ("fold", "bound"))
    branches = [PARENT, found]
    phases = without_jumps(find_phases(branches, [], LOW, HIGH), branches, [], (LOW, 1.0, HIGH))
    assert said(phases) == [("agnostic", LOW, 1.0), (None, 1.0, 2.0), ("semantic", 2.0, HIGH)]


def test_continuous_phases_stay_what_they_are():
    branches = [PARENT, child("semantic", 1.0, 0.2)]
    phases = find_phases(branches, [BIRTH], LOW, HIGH)
    assert without_jumps(phases, branches, [BIRTH], (LOW, HIGH)) == phases


def test_beside_an_escape_from_null_it_is_said_why_nothing_is_known():
    beyond = line("other", lambda a: a, np.ones_like, (2.0, HIGH), ("escape", "bound"))
    unknown, known = find_phases([beyond], [], LOW, HIGH)
    assert said([unknown, known]) == [(None, LOW, 2.0), ("other", 2.0, HIGH)]
    assert "too small to be followed" in unknown.reason
    assert "alpha = 2" in unknown.reason
    # Where they escape is known to an error, and the curve ends there to within it.
    curve = beyond.curve
    ends = (replace(curve.ends[0], alpha=2.0 * (1.0 - 1e-4)), curve.ends[1])
    (beside, _) = find_phases([replace(beyond, curve=replace(curve, ends=ends))], [], LOW, HIGH)
    assert "samples escape from Q = 0 at alpha = 1.9998" in beside.reason
    lost = line("other", lambda a: a, np.ones_like, (2.0, HIGH), ("lost", "bound"))
    assert "escape" not in find_phases([lost], [], LOW, HIGH)[0].reason


def test_between_two_curves_that_do_not_meet_nothing_is_known():
    below = line("agnostic", lambda a: a, np.ones_like, (LOW, 1.0), ("bound", "faint"))
    above = line("other", lambda a: a, np.ones_like, (2.0, HIGH), ("escape", "bound"))
    found = find_phases([below, above], [], LOW, HIGH)
    assert said(found) == [("agnostic", LOW, 1.0), (None, 1.0, 2.0), ("other", 2.0, HIGH)]
    assert "too small to be followed" in found[1].reason
