"""Time how the cost grows with the accuracy asked for, the number of tokens and the rank (docs/performance.md)."""

from __future__ import annotations

import time

import numpy as np
import pytest

from replica import AttentionModel
from replica.quantities.names import order_parameters
from replica.quantities.structure import ModelStructure
from saddle import LineRule, StateEvolution
from saddle.averages.minimiser_starts import minimiser_starts
from saddle.averages.rules.sobol import SobolRule
from tests.oracles.minimiser_kernels import minimiser

PAPER = AttentionModel.paper()
MIXED = np.array([0.0706, 0.1318, 22.24, 0.0582])


@pytest.mark.parametrize("tolerance", [1e-2, 1e-3, 1e-4, 1e-5, 1e-6])
def test_cost_of_accuracy(benchmark, tolerance):
    exact = StateEvolution(PAPER, LineRule.for_tolerance(1e-7)).channel.averages(MIXED).conjugates
    channel = StateEvolution(PAPER, LineRule.for_tolerance(tolerance), threads=1).channel
    averages = channel.averages(MIXED)
    benchmark.group = "residual with Jacobian, mixed state, one core"
    benchmark.extra_info |= {
        "lines": len(averages.outer.nodes),
        "relative error": float(np.max(np.abs(averages.conjugates / exact - 1.0))),
        "estimated": averages.relative_error,
    }
    benchmark.pedantic(lambda: channel.averages(MIXED), rounds=5, warmup_rounds=1)


@pytest.mark.parametrize(("length", "rank"), [(2, 1), (2, 2), (3, 1), (3, 2), (4, 1)])
def test_cost_of_a_minimisation(benchmark, tmp_path_factory, length, rank):
    structure, count = ModelStructure(length, rank), 16_000
    functions = minimiser(structure, tmp_path_factory.mktemp("kernels"))
    generator = np.random.default_rng(0)
    fields = 0.3 * generator.normal(size=(count, length * rank))
    h = 0.5 * generator.normal(size=(count, length))
    attention = np.exp(h[:, :, None] * h[:, None, :])
    targets = (attention / attention.sum(axis=2, keepdims=True)).reshape(count, -1)
    guesses = np.tile(minimiser_starts(length, rank)[0], (count, 1))
    # Of the parameters only sigma, the second, enters the loss once the target's entries are given.
    parameters, quantities = np.full(3 + length**2 + length, 0.5), order_parameters(structure.layout)
    # Only the susceptibility matters.
    state = np.array([20.0 * (x.kind == "susceptibility" and x.indices[0] == x.indices[1]) for x in quantities])
    out = np.empty((count, length * rank + 2))
    start = time.perf_counter()
    functions.proximal_points(range(count), fields, targets, guesses, state, parameters, out)
    benchmark.extra_info["seconds to compile"] = time.perf_counter() - start
    benchmark.group = "one minimum from a cold start, one core"
    benchmark.pedantic(
        lambda: functions.proximal_points(range(count), fields, targets, guesses, state, parameters, out), rounds=5
    )
    benchmark.extra_info["ns per minimum"] = 1e9 * benchmark.stats.stats.median / count
    benchmark.extra_info["starts of a global search"] = len(minimiser_starts(length, rank))
    assert np.mean(out[:, -1]) > 0.999


@pytest.mark.parametrize("points", [64, 512, 4096])
def test_three_tokens(benchmark, points):
    matrix = ((0.6, 0.2, 0.2), (0.2, 0.6, 0.2), (0.2, 0.2, 0.6))
    model = AttentionModel.paper(positional_matrix=matrix, positional_encoding=(1.0, 0.0, -1.0))
    channel = StateEvolution(model, SobolRule(points=points), threads=2).channel
    averages = channel.averages(MIXED)
    benchmark.group = "three tokens, residual with Jacobian, two cores"
    benchmark.extra_info |= {"lines": len(averages.outer.nodes), "standard error": averages.relative_error}
    benchmark.pedantic(lambda: channel.averages(MIXED), rounds=3)
