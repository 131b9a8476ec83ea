"""Shared fixtures: one kernel and one solved diagram per test session."""

from __future__ import annotations

import pytest
from hypothesis import Phase, settings

from replica import AttentionModel
from saddle import LineRule, PhaseDiagram, solve_phase_diagram
from saddle.kernel.kernel import Kernel, load_kernel

# Examples are whole solves: shrinking a failure would take longer than finding it.
settings.register_profile(
    "default", deadline=None, derandomize=True, print_blob=True, phases=(Phase.explicit, Phase.generate)
)
settings.load_profile("default")

COARSE = LineRule.for_tolerance(5e-3)


@pytest.fixture(scope="session")
def kernel() -> Kernel:
    return load_kernel()


@pytest.fixture(scope="session")
def coarse_rule() -> LineRule:
    """A rule good to half a per cent: for laws that hold on any rule."""
    return COARSE


@pytest.fixture(scope="session")
def diagram() -> PhaseDiagram:
    """The default diagram: the paper's model at omega = 0.3."""
    return solve_phase_diagram(AttentionModel.paper(omega=0.3))


@pytest.fixture(scope="session")
def diagram_02() -> PhaseDiagram:
    return solve_phase_diagram(AttentionModel.paper(omega=0.2))
