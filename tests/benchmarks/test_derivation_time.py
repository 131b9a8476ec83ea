"""Time the derivation and the text of the code, in a new process on one core: ``--benchmark-only``."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

STRUCTURES = {"paper": "", "three tokens": "3", "rank two": "2, 2"}
PROGRAM = """
from replica.code.source import generate_source
from replica.equations.free_entropy import build_free_entropy
from replica.equations.saddle_system import derive_saddle_system
from replica.quantities.structure import ModelStructure
from saddle.kernel.text import kernel_source
system = derive_saddle_system(build_free_entropy(ModelStructure({arguments})))
print(len(generate_source(system).text.splitlines()), len(kernel_source(system).splitlines()))
"""


def _on_one_core() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


@pytest.mark.benchmark(group="derivation and code generation")
@pytest.mark.parametrize("name", STRUCTURES)
def test_derivation_and_code_generation(benchmark, name):
    program = PROGRAM.format(arguments=STRUCTURES[name])

    def derive() -> str:
        done = subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True, preexec_fn=_on_one_core
        )
        return done.stdout

    printed = benchmark.pedantic(derive, rounds=3, iterations=1, warmup_rounds=0)
    functions, _ = map(int, printed.split())
    assert functions < {"paper": 400}.get(name, 1000)
