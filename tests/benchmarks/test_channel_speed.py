"""Time the channel average and its parts: ``pytest tests/benchmarks --benchmark-only -o addopts=''``.

What a figure means stands in docs/performance.md. Accuracies are measured beside the times (``extra_info``), so that
no figure stands without its error.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from replica import AttentionModel
from saddle import LineRule, StateEvolution
from saddle.averages.parameters import parameter_vector

PAPER = AttentionModel.paper()
STATES = {
    "mixed": (0.0706, 0.1318, 22.24, 0.0582),
    "positional": (0.05001, 0.25857, 11.036, 0.0),
    "semantic": (0.0817, 0.0, 18.3, 0.118),
    "agnostic": (0.0765, 0.0, 28.03, 0.0),
}


@pytest.fixture(scope="module")
def exact() -> dict[str, np.ndarray]:
    """Conjugates per alpha on a rule good to 1e-6."""
    fine = StateEvolution(PAPER, LineRule.for_tolerance(1e-6)).channel
    return {name: fine.averages(np.array(state)).conjugates for name, state in STATES.items()}


@pytest.mark.parametrize("tolerance", [1e-4, 1e-5])
@pytest.mark.parametrize("name", STATES)
def test_residual_with_jacobian_on_one_core(benchmark, exact, name, tolerance):
    evolution = StateEvolution(PAPER, LineRule.for_tolerance(tolerance), threads=1)
    state = np.array(STATES[name])
    here = evolution.evaluate(state, 1.25)
    used = exact[name] != 0.0
    error = float(np.max(np.abs(here.averages.conjugates / exact[name] - 1.0)[used]))
    benchmark.group = f"residual with Jacobian, one core, tolerance {tolerance:g}"
    benchmark.extra_info |= {
        "relative error of the worst conjugate": error,
        "estimated": here.averages.relative_error,
        "lines": len(here.averages.outer.nodes),
        "proximal points integrated over": here.averages.points,
    }
    benchmark.pedantic(lambda: evolution.evaluate(state, 1.25), rounds=15, warmup_rounds=2)
    benchmark.extra_info["ns per proximal point, all included"] = (
        1e9 * benchmark.stats.stats.median / here.averages.points
    )
    assert error < 1.2 * tolerance


def proximal_problems(count: int = 64_000) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Fields, targets and starts as along a line: neighbours start from each other's minimum."""
    kernel = StateEvolution(PAPER).channel.kernel
    generator = np.random.default_rng(0)
    parameters, V = parameter_vector(PAPER), 20.0
    fields, targets = np.empty((count, 2)), np.empty((count, 4))
    for k in range(0, count, 32):
        h = generator.normal(size=2) * PAPER.sigma
        s = np.linspace(-2.0, 2.0, 32)
        centre, spread = 0.3 * generator.normal(size=2), 0.2
        fields[k : k + 32] = centre + spread * np.stack([s, -s], axis=1)
        targets[k : k + 32] = kernel.module.target_matrix(*h, parameters)
    state = np.array([0.1, 0.0, V, 0.0])
    found, guesses = np.empty((count, 4)), np.tile([0.7, -0.7], (count, 1))
    kernel.lines.proximal_points(range(count), fields, targets, guesses, state, parameters, found)
    guesses = found[:, :2].reshape(-1, 32, 2)
    guesses = np.concatenate([guesses[:, 1:], guesses[:, -1:]], axis=1).reshape(count, 2)
    return fields, targets, np.ascontiguousarray(guesses), V


@pytest.fixture(scope="module")
def problems():
    return proximal_problems()


@pytest.fixture(scope="module")
def compiled_c(tmp_path_factory):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source, library = Path(__file__).with_name("newton.c"), tmp_path_factory.mktemp("c") / "newton.so"
    subprocess.run([compiler, "-O3", "-shared", "-fPIC", str(source), "-o", str(library), "-lm"], check=True)
    minimise = ctypes.CDLL(str(library)).minimise
    array = np.ctypeslib.ndpointer(dtype=float, flags="C_CONTIGUOUS")
    minimise.argtypes = [ctypes.c_long, array, array, array, ctypes.c_double, ctypes.c_double, array]
    minimise.restype = None
    return minimise


def run_kernel(problems, out):
    fields, targets, guesses, V = problems
    lines = StateEvolution(PAPER).channel.kernel.lines
    state = np.array([0.1, 0.0, V, 0.0])
    lines.proximal_points(range(len(fields)), fields, targets, guesses, state, parameter_vector(PAPER), out)


@pytest.mark.parametrize("start", ["warm", "cold"])
@pytest.mark.parametrize("code", ["kernel", "C"])
def test_proximal_point_on_one_core(benchmark, problems, compiled_c, code, start):
    fields, targets, guesses, V = problems
    if start == "cold":
        guesses = np.ascontiguousarray(np.tile([0.7, -0.7], (len(fields), 1)))
    chosen = (fields, targets, guesses, V)
    out, other = np.empty((len(fields), 4)), np.empty((len(fields), 4))

    def run_c(result):
        compiled_c(len(fields), fields, targets, guesses, V, PAPER.sigma, result)

    run_kernel(chosen, out)
    run_c(other)
    # The same iteration: a start next to a watershed may go either way by rounding, no more.
    assert np.mean(np.abs(out[:, 2] - other[:, 2]) > 1e-12) < 1e-3
    assert np.all(out[:, 3] == 1.0)
    benchmark.group = f"{len(fields)} proximal points, {start} start, one core"
    benchmark.pedantic((lambda: run_kernel(chosen, out)) if code == "kernel" else lambda: run_c(other), rounds=9)
    benchmark.extra_info["ns per proximal point"] = 1e9 * benchmark.stats.stats.median / len(fields)


LOAD = """
import time, numba, numpy
start = time.perf_counter()
from saddle.kernel.kernel import load_kernel
kernel = load_kernel()
from replica.model.attention_model import AttentionModel
from saddle.averages.rules.lattice import LineRule
from saddle.state_evolution.state_evolution import StateEvolution
evolution = StateEvolution(AttentionModel.paper(), LineRule.for_tolerance(0.1), 1)
evolution.evaluate(numpy.array([0.08, 0.1, 20.0, 0.05]), 1.0)
print(time.perf_counter() - start)
"""


def test_loading_a_cached_kernel_in_a_new_process(benchmark):
    """Beyond importing Numba: import, load, and a first residual with Jacobian on a rule of few lines."""

    def load() -> float:
        done = subprocess.run([sys.executable, "-c", LOAD], check=True, capture_output=True, text=True)
        return float(done.stdout)

    load()
    times = [load() for _ in range(7)]
    benchmark.extra_info["seconds beyond importing numba, median of 7"] = float(np.median(times))
    benchmark.pedantic(load, rounds=3)
