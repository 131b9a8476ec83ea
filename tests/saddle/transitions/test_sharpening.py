"""What a finer rule says of a transition is an answer, or is refused."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from saddle import Outcome, SolverError
from saddle.transitions.sharpening import sharpen


class TurningLine:
    """A made-up line of transitions p = 1/4 - (alpha - a)^2, which turns back at alpha = a.

    On the coarse rule a = 2.5; the finer one has its turn at a parameter lower by ``shift``.
    """

    kind, sectors, trusted = "made-up", (), 1.0

    def __init__(self, shift: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shift = shift
        monkeypatch.setattr("saddle.transitions.sharpening.evaluations_of", lambda detail: ())
        monkeypatch.setattr("saddle.transitions.sharpening._embedded_error", lambda *_: 0.0)

    def system(self, evolution, over):
        return self

    def values(self, y: np.ndarray) -> tuple[np.ndarray, object]:
        alpha, parameter = y
        return np.array([0.25 - self.shift - (alpha - 2.5) ** 2 - parameter]), ()

    def sharpened(self, alpha: float):
        evolution = SimpleNamespace(rule=SimpleNamespace(refined=lambda: None), with_rule=lambda rule: None)
        y = np.array([alpha, 0.25 - (alpha - 2.5) ** 2])
        return sharpen(self, evolution, y, np.array([[-2.0 * (alpha - 2.5), -1.0]]), ("alpha", "omega"))


@pytest.mark.parametrize("alpha", [2.0, 3.0])
def test_away_from_its_turn_a_line_moves_a_little(alpha, monkeypatch):
    located = TurningLine(1e-4, monkeypatch).sharpened(alpha)
    expected = 2.5 + np.copysign(np.sqrt(0.25 - 1e-4), alpha - 2.5)
    assert located.alpha == pytest.approx(expected, abs=1e-6)
    assert abs(located.alpha - expected) < located.error < 1e-3


@pytest.mark.parametrize("alpha", [2.5 - 1e-5, 2.5 + 1e-5, 2.5])
def test_at_its_turn_a_line_is_not_sharpened_into_nonsense(alpha, monkeypatch):
    """The finer rule has no transition there: the chord leads anywhere, once to alpha = -9.7 +- 12.3."""
    with pytest.raises(SolverError) as caught:
        TurningLine(1e-4, monkeypatch).sharpened(alpha)
    assert caught.value.outcome in (Outcome.MAX_STEPS, Outcome.SINGULAR)
    assert "near alpha = 2." in str(caught.value)
