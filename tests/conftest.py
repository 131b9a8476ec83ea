"""Shared fixtures: one kernel and one solved diagram per test session."""

from __future__ import annotations

import os

import pytest
from hypothesis import Phase, settings
from threadpoolctl import threadpool_limits

from replica import AttentionModel
from saddle import LineRule, PhaseDiagram, solve_phase_diagram
from saddle.kernel.kernel import Kernel, load_kernel

# Examples are whole solves: shrinking a failure would take longer than finding it.
settings.register_profile(
    "default", deadline=None, derandomize=True, print_blob=True, phases=(Phase.explicit, Phase.generate)
)
settings.load_profile("default")

COARSE = LineRule.for_tolerance(5e-3)

# Files that take a minute or more: they are begun first, so that no process is left alone with one of them.
LONGEST = (
    "tests/properties/test_mapped_models.py",
    "tests/properties/test_askings.py",
    "tests/pages/test_tokens_and_rank_pages.py",
    "tests/saddle/diagram/test_transition_lines.py",
    "tests/saddle/diagram/test_lines_in_plane.py",
    "tests/saddle/diagram/test_asking_regressions.py",
    "tests/saddle/diagram/test_phase_diagram.py",
    "tests/saddle/branches/test_null_solution.py",
    "tests/saddle/doors/test_command.py",
    "tests/pages/test_page_code.py",
    "tests/pages/test_spectra_and_attention_pages.py",
    "tests/saddle/averages/test_replicon.py",
    "tests/properties/test_solver.py",
    "tests/validation/paper/test_paper.py",
)


def pytest_configure(config: pytest.Config) -> None:
    """Give each of several test processes one BLAS thread: more would wait for each other, and burn the cores."""
    if hasattr(config, "workerinput"):
        threadpool_limits(1, user_api="blas")
        # For libraries that are loaded later, and processes that are started.
        os.environ.update(OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")


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
def diagram() -> PhaseDiagram:
    """The default diagram: the paper's model at omega = 0.3."""
    return solve_phase_diagram(AttentionModel.paper(omega=0.3))


@pytest.fixture(scope="session")
def diagram_02() -> PhaseDiagram:
    return solve_phase_diagram(AttentionModel.paper(omega=0.2))
