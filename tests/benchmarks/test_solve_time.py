"""Time the whole command, cold and warm: ``pytest tests/benchmarks --benchmark-only``.

Cold is a first run ever: empty kernel cache, so SymPy and compilation are included. Warm finds the compiled
kernel in the cache. Both start a new process.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from saddle.kernel.cache_folder import CACHE_VARIABLE

COMMAND = [sys.executable, "-c", "from saddle.cli import main; main()", "solve", "--quiet"]


def solve(cache, output) -> None:
    environment = {**os.environ, CACHE_VARIABLE: str(cache)}
    subprocess.run([*COMMAND, "--output", str(output)], env=environment, check=True, capture_output=True)


@pytest.mark.benchmark(group="attention-phase solve")
def test_cold(benchmark, tmp_path):
    fresh = iter(range(100))
    benchmark.pedantic(lambda: solve(tmp_path / f"cache{next(fresh)}", tmp_path / "out"), rounds=2, iterations=1)


@pytest.mark.benchmark(group="attention-phase solve")
def test_warm(benchmark, tmp_path):
    cache = tmp_path / "cache"
    benchmark.pedantic(lambda: solve(cache, tmp_path / "out"), rounds=3, iterations=1, warmup_rounds=1)
