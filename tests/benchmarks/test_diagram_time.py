"""Time the default diagram and four lines of transitions, warm, in one process: ``--benchmark-only``."""

from __future__ import annotations

import pytest

from replica import AttentionModel
from saddle import solve_phase_diagram, solve_transition_lines

FOUR = ("alpha_c", "alpha_l", "agnostic -> semantic", "semantic -> mixed")


@pytest.mark.benchmark(group="phase diagrams")
@pytest.mark.parametrize("omega", [0.3, 0.2])
def test_default_diagram(benchmark, omega):
    model = AttentionModel.paper(omega=omega)
    diagram = benchmark.pedantic(lambda: solve_phase_diagram(model), rounds=5, iterations=1, warmup_rounds=1)
    assert {"agnostic", "positional", "semantic", "mixed"} <= set(diagram.branches)
    assert diagram.alpha_c is not None
    assert diagram.alpha_l is not None


@pytest.mark.benchmark(group="lines of transitions")
def test_four_lines_of_forty_points(benchmark):
    model = AttentionModel.paper()
    lines = benchmark.pedantic(
        lambda: solve_transition_lines(model, transitions=FOUR), rounds=3, iterations=1, warmup_rounds=0
    )
    assert all(len(line) >= 40 for line in lines.lines.values())
