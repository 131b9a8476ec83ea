"""How a diagram is asked for does not matter: range, grid, direction, tolerance. (Mapped models: in the file beside.)

Three models, twice each, and sixteen more as a measurement; ``tests.campaigns.askings`` asks many.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings

from replica import AttentionModel
from saddle import PhaseDiagram
from saddle.testing import Asking, askings, assert_agree, paper_like_models, wide_models
from saddle.testing.agreement import phase_changes
from tests.campaigns.laws import broken_laws, not_survived

# Four points of [0.1, 2.5], at a tolerance of a per cent.
COARSE = Asking()
# Of the phases below and above a change, where they meet.
EDGES = (lambda phase: phase.high, lambda phase: phase.low)


def said_of_faint_weights(diagram: PhaseDiagram) -> set[str]:
    """What the laws say of phases that are not known because no rule shows the few samples that escape from Q = 0.

    That is a limit of the method, and is said (docs/trust.md); anything else that is not known is a defect.
    """
    curves = [branch.curve for branch in diagram.branches.values() if branch.curve is not None]
    escapes = [edge.alpha for curve in curves for edge in curve.ends if edge.kind == "escape"]
    texts = set()
    for phase in diagram.phases:
        if phase.branch is None and any(
            f"escape from Q = 0 at alpha = {alpha:.5g}," in phase.reason for alpha in escapes
        ):
            texts.add(f"no minimum: none is known from alpha = {phase.low:.7g} to {phase.high:.7g}")
            for change in phase_changes(diagram):
                if change.alpha in (phase.low, phase.high):
                    below, above = (next(p.branch for p in diagram.phases if edge(p) == change.alpha) for edge in EDGES)
                    texts.add(
                        f"unexplained: from {below!r} to {above!r} near alpha = {change.alpha:.7g} without a transition"
                    )
    return texts


def check_two_askings(model: AttentionModel, asking: Asking) -> None:
    first, second = COARSE.solve(model), asking.solve(model)
    assert_agree(first, second)
    for diagram in (first, second):
        assert set(broken_laws(diagram, 1e-2)) - said_of_faint_weights(diagram) == set()
    with tempfile.TemporaryDirectory() as folder:
        assert not_survived(second, Path(folder)) == []


@settings(max_examples=1, derandomize=True)
@given(model=paper_like_models(1), asking=askings())
def test_two_askings_about_a_model_like_the_papers(model, asking):
    check_two_askings(model, asking)


@pytest.mark.slow
@settings(max_examples=2, derandomize=True)
@given(model=wide_models(2), asking=askings())
def test_two_askings_about_any_model(model, asking):
    check_two_askings(model, asking)


# Further ones: what is drawn depends on a test's name.
@pytest.mark.measurement
@settings(max_examples=8, derandomize=True)
@given(model=paper_like_models(1), asking=askings())
def test_two_askings_about_other_models_like_the_papers(model, asking):
    check_two_askings(model, asking)


@pytest.mark.measurement
@settings(max_examples=8, derandomize=True)
@given(model=wide_models(2), asking=askings())
def test_two_askings_about_many_models(model, asking):
    check_two_askings(model, asking)
