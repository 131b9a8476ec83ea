"""Sweeps over the ranks of an MPI job, on both executors of mpi4py."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from replica import AttentionModel
from saddle import SolveSettings, solve_many

MODELS = [AttentionModel.paper(omega=omega) for omega in (0.2, 0.25, 0.3)]
# What a user would write, but that one model fails wherever it is solved: ranks that work import this file, too.
SCRIPT = """
import sys

from replica import AttentionModel
from saddle import SolveSettings, solve_many
from saddle.sweeps import solving

solve = solving.solve_phase_diagram


def solve_or_fail(model, **arguments):
    if model.omega == 0.25:
        raise ZeroDivisionError("nothing to divide by")
    return solve(model, **arguments)


solving.solve_phase_diagram = solve_or_fail


def main(pool):
    models = [AttentionModel.paper(omega=omega) for omega in (0.2, 0.25, 0.3)]
    settings = SolveSettings(tolerance=2e-2)
    print(solve_many(models, (1.0, 1.6), points=3, settings=settings, executor=pool, folder=sys.argv[1]))


if __name__ == "__main__":
"""
POOL = """
    from mpi4py.futures import MPIPoolExecutor

    with MPIPoolExecutor() as pool:
        main(pool)
"""
COMMUNICATOR = """
    from mpi4py import MPI
    from mpi4py.futures import MPICommExecutor

    with MPICommExecutor(MPI.COMM_WORLD, root=0) as pool:
        if pool is not None:  # the ranks that work have none
            main(pool)
"""
# Open MPI runs neither as root nor on fewer cores than ranks unless told so; others do not look at these.
ALLOWED = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}


@pytest.fixture(scope="module")
def launcher() -> str:
    pytest.importorskip("mpi4py", reason="mpi4py is not installed: pip install mpi4py mpich")
    beside = Path(sys.executable).with_name("mpiexec")
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    return found or pytest.skip("mpi4py is installed, but no MPI that has mpiexec: pip install mpich")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("started", "arguments"), [(POOL, ["-m", "mpi4py.futures"]), (COMMUNICATOR, [])], ids=["pool", "communicator"]
)
def test_two_ranks_solve_keep_and_fail_as_one_process_does(launcher, started, arguments, tmp_path, monkeypatch):
    script, kept = tmp_path / "sweep.py", tmp_path / "kept"
    script.write_text(SCRIPT + started)
    ran = subprocess.run(
        [launcher, "-n", "3", sys.executable, *arguments, str(script), str(kept)],
        capture_output=True, text=True, timeout=240, check=False, cwd=tmp_path, env={**os.environ, **ALLOWED},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["2 of 3 models solved", "model 1: ZeroDivisionError: nothing to divide by"]
    # What they kept is what is solved here: the second call reads it, and solves the model that failed.
    asked = {"alpha": (1.0, 1.6), "points": 3, "settings": SolveSettings(tolerance=2e-2)}
    resumed = solve_many(MODELS, folder=kept, **asked)
    assert len(list(kept.iterdir())) == 3
    assert resumed.complete
    assert resumed[2] == solve_many(MODELS[2:], **asked)[0]
