"""How a diagram is asked for does not matter: range, grid, direction, tolerance. (Mapped models: in the file beside.)

Twenty models, twice each; ``tests.campaigns.askings`` asks many.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from replica import AttentionModel
from saddle import PhaseDiagram, solve_phase_diagram
from tests.campaigns.agreement import contradictions
from tests.campaigns.laws import broken_laws, not_survived
from tests.properties.strategies import paper_like_models, wide_models

COARSE = 1e-2
UNKNOWN = ("no minimum:", "unexplained:")


@st.composite
def askings(draw: st.DrawFn) -> dict:
    """Draw a range that holds [0.7, 1.5] and a coarse grid."""
    return {
        "alpha": (draw(st.sampled_from([0.6, 0.2, 0.02])), draw(st.sampled_from([2.6, 1.6, 4.0]))),
        "points": draw(st.sampled_from([3, 2, 6])),
        "sweep": draw(st.sampled_from(["up", "down"])),
        "tolerance": draw(st.sampled_from([COARSE, 1e-3])),
    }


def asked(model: AttentionModel, **arguments) -> PhaseDiagram:
    return solve_phase_diagram(model, **arguments, threads=1)


def check_two_askings(model: AttentionModel, asking: dict) -> None:
    first, second = asked(model, alpha=(0.1, 2.5), points=4, tolerance=COARSE), asked(model, **asking)
    assert contradictions(first, second) == []
    for diagram in (first, second):
        # Weights too small for any rule are a limit of the method, and said to be (docs/trust.md).
        faint = any(phase.branch is None and "too small" in phase.reason for phase in diagram.all_phases)
        broken = [text for text in broken_laws(diagram, COARSE) if not (faint and text.startswith(UNKNOWN))]
        assert broken == []
    with tempfile.TemporaryDirectory() as folder:
        assert not_survived(second, Path(folder)) == []


@settings(max_examples=10, derandomize=True)
@given(model=paper_like_models(1), asking=askings())
def test_two_askings_about_a_model_like_the_papers(model, asking):
    check_two_askings(model, asking)


@settings(max_examples=10, derandomize=True)
@given(model=wide_models(2), asking=askings())
def test_two_askings_about_any_model(model, asking):
    check_two_askings(model, asking)
