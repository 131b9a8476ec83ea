"""Time whole phase diagrams of models unlike the paper's, warm (docs/performance.md): ``--benchmark-only``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sympy as sp

from replica import AttentionModel, Spectrum, softmax_attention
from saddle import LineRule, SobolRule, solve_phase_diagram
from tests.models.linear_mixture import linear_mixture

PAPER = AttentionModel.paper
ALIKE = [[0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [0.15, 0.15, 0.7]]


TWO_TOKENS: dict[str, Callable[[], AttentionModel]] = {
    "omega 0": lambda: PAPER(0.0),
    "omega 0.2": lambda: PAPER(0.2),
    "omega 0.3": PAPER,
    "omega 0.45": lambda: PAPER(0.45),
    "sigma 0.3": lambda: PAPER(sigma=0.3),
    "sigma 0.9": lambda: PAPER(sigma=0.9),
    "sigma 1.5": lambda: PAPER(sigma=1.5),
    "sigma 2": lambda: PAPER(sigma=2.0),
    "lambda 0.1": lambda: PAPER(regularization=0.1),
    "lambda 0.001": lambda: PAPER(regularization=0.001),
    "second matrix": lambda: PAPER(positional_matrix=[[0.3, 0.7], [0.8, 0.2]]),
    "encodings (1, -0.5)": lambda: PAPER(positional_encoding=(1, -0.5)),
    "Gram matrix": lambda: AttentionModel(0.3, positional_gram=[[1, 0.3], [0.3, 1]]),
    "kappa 2": lambda: AttentionModel(0.3, attention=softmax_attention(sp.Symbol("kappa")), parameters={"kappa": 2}),
    "linear": linear_mixture,
    "unequal variances": lambda: AttentionModel(0.3, spectrum=[{"weight": 1.0, "eigenvalues": (0.25, 0.16)}]),
    "power law": lambda: AttentionModel(0.3, spectrum=Spectrum.power_law(0.5, tokens=2, largest=3.0)),
}
LARGER: dict[str, Callable[[], AttentionModel]] = {
    "three tokens": lambda: AttentionModel(0.3, positional_encoding=(1, 1, -1), positional_matrix=ALIKE),
    "rank two": lambda: PAPER(0.3, rank=2),
}


def timed(benchmark: Any, model: AttentionModel, warm: Any, rounds: int, **settings: Any) -> None:
    solve_phase_diagram(model, (0.1, 1.0), points=3, rule=warm)
    diagram = benchmark.pedantic(lambda: solve_phase_diagram(model, **settings), rounds=rounds)
    assert diagram.complete
    benchmark.extra_info |= {name: str(transition) for name, transition in diagram.transitions.items()}


@pytest.mark.parametrize("tolerance", [1e-2, 2e-3])
@pytest.mark.parametrize("name", TWO_TOKENS)
def test_two_tokens(benchmark, name, tolerance):
    benchmark.group = f"whole diagrams of two tokens, tolerance {tolerance:g}"
    timed(benchmark, TWO_TOKENS[name](), LineRule.for_tolerance(0.1), 3, tolerance=tolerance)


@pytest.mark.parametrize("name", LARGER)
def test_larger_models(benchmark, name):
    benchmark.group = "whole diagrams, default Sobol points"
    timed(benchmark, LARGER[name](), SobolRule(points=8, scrambles=2), 1)
