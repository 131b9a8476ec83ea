"""Shared fixtures: one kernel and one solved diagram per test session, whatever the number of its processes."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from threadpoolctl import threadpool_limits

from replica import AttentionModel
from replica.common.files import write_atomically
from saddle import LineRule, PhaseDiagram, solve_phase_diagram
from saddle.kernel.kernel import Kernel, load_kernel

# Examples are whole solves: shrinking a failure would take longer than finding it.
settings.register_profile(
    "default", deadline=None, derandomize=True, print_blob=True, phases=(Phase.explicit, Phase.generate)
)
settings.load_profile("default")

COARSE = LineRule.for_tolerance(5e-3)

# Files that take longest, quick and slow tests counted: they are begun first, so that no process is left alone with
# one of them. Of two processes one begins with kernels, the other with what needs none, since both would compile the
# same ones; so do files that share the kernel of a rarer structure not stand beside each other.
LONGEST = (
    "tests/saddle/diagram/test_phase_diagram.py",
    "tests/saddle/reference/test_reference_error.py",
    "tests/replica/checks/test_verification.py",
    "tests/replica/hierarchy/test_derivation.py",
    "tests/saddle/diagram/test_general_solver.py",
    "tests/saddle/diagram/test_lines_in_plane.py",
    "tests/saddle/averages/test_replicon_general.py",
    "tests/pages/test_page_code.py",
    "tests/saddle/diagram/test_transition_lines.py",
    "tests/properties/test_mapped_models.py",
    "tests/saddle/diagram/test_asking_regressions.py",
    "tests/pages/test_tokens_and_rank_pages.py",
    "tests/saddle/doors/test_bad_inputs.py",
    "tests/validation/paper/test_paper.py",
    "tests/saddle/output/test_report_files.py",
    "tests/saddle/testing/test_laws.py",
    "tests/saddle/sweeps/test_solve_many.py",
    "tests/saddle/branches/test_null_solution.py",
    "tests/saddle/transitions/test_events.py",
    "tests/pages/test_spectra_and_attention_pages.py",
    "tests/properties/test_askings.py",
    "tests/saddle/sweeps/test_phase_map.py",
    "tests/saddle/output/test_sealed_files.py",
    "tests/saddle/doors/test_command.py",
    "tests/saddle/averages/test_replicon.py",
    "tests/properties/test_solver.py",
    "tests/pages/test_notebooks.py",
    "tests/pages/test_docstrings.py",
)


def pytest_configure(config: pytest.Config) -> None:
    """Give each of several test processes a core and one BLAS thread: more threads would wait for each other."""
    if hasattr(config, "workerinput"):
        _keep_to_one_core(int(config.workerinput["workerid"].removeprefix("gw")))
        threadpool_limits(1, user_api="blas")
        # For libraries that are loaded later, and processes that are started.
        os.environ.update(OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")


def _keep_to_one_core(number: int) -> None:
    """Make solves, which take a thread per core that they may use, take one."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[number % len(cores)]})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, in the order of the list."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.split("::")[0], len(places)))


@pytest.fixture(scope="session")
def kernel() -> Kernel:
    return load_kernel()


@pytest.fixture(scope="session")
def coarse_rule() -> LineRule:
    """A rule good to half a per cent: for laws that hold on any rule."""
    return COARSE


@pytest.fixture(scope="session")
def solved_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[float], PhaseDiagram]:
    """Return the default diagram of an omega, solved by the first of all test processes that needs it.

    That a pickled diagram is what it was, and solves as it did, is a test (``saddle/diagram/test_copies.py``).
    """
    folder = tmp_path_factory.getbasetemp()
    # Processes of one session have folders of their own in one.
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder

    def solve(omega: float) -> PhaseDiagram:
        path, claim = folder / f"diagram_{omega}.pickle", folder / f"diagram_{omega}.claimed"
        try:
            claim.touch(exist_ok=False)
        except FileExistsError:
            return _read(path, omega)
        try:
            found = solve_phase_diagram(AttentionModel.paper(omega=omega))
        except BaseException:
            claim.unlink()
            raise
        write_atomically(path, pickle.dumps(found))
        return found

    return solve


def _read(path: Path, omega: float, patience: float = 120.0) -> PhaseDiagram:
    """Return what another process solves, or solve it here where that process was lost."""
    last = time.monotonic() + patience
    while time.monotonic() < last:
        if path.is_file():
            return pickle.loads(path.read_bytes())
        time.sleep(0.1)
    return solve_phase_diagram(AttentionModel.paper(omega=omega))


@pytest.fixture(scope="session")
def diagram(solved_once: Callable[[float], PhaseDiagram]) -> PhaseDiagram:
    """The default diagram: the paper's model at omega = 0.3."""
    return solved_once(0.3)


@pytest.fixture(scope="session")
def diagram_02(solved_once: Callable[[float], PhaseDiagram]) -> PhaseDiagram:
    return solved_once(0.2)
