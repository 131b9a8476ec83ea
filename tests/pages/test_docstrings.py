"""Examples in docstrings: those of the front door are there, and all of them run and say what they show."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path
from typing import Any

import pytest

import baselines
import replica
import saddle
import validation
from replica import AttentionModel, MultiIndexModel, Spectrum, derive
from saddle import solve_phase_diagram, solve_transition_line
from saddle.continuation import explore
from validation import compare_with_theory, train_student

FRONT_DOOR = (
    AttentionModel, MultiIndexModel, Spectrum, derive, solve_phase_diagram, solve_transition_line, explore,
    baselines.linear_positional, compare_with_theory, train_student,
)  # fmt: skip
# Half a minute each.
SLOW = {"solve_many", "solve_transition_line", "sweep_dataset", "PhaseDiagram.plot", "compare_with_theory"}


def _examples() -> list[doctest.DocTest]:
    finder, found = doctest.DocTestFinder(exclude_empty=True), []
    for package in (replica, baselines, saddle, validation):
        root = Path(package.__path__[0])
        for path in sorted(root.rglob("*.py")):
            if ">>>" in path.read_text(encoding="utf-8"):
                name = ".".join((package.__name__, *path.relative_to(root).with_suffix("").parts))
                found += [test for test in finder.find(importlib.import_module(name)) if test.examples]
    return found


EXAMPLES = _examples()


def _marked(example: doctest.DocTest) -> Any:
    marks = [pytest.mark.slow] if example.name.endswith(tuple(f".{x}" for x in SLOW)) else []
    return pytest.param(example, id=example.name, marks=marks)


@pytest.mark.parametrize("example", [_marked(example) for example in EXAMPLES])
def test_an_example_shows_what_it_prints(example):
    reports: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=reports.append)
    assert not reports, "".join(reports)


@pytest.mark.parametrize("door", FRONT_DOOR, ids=lambda door: door.__name__)
def test_the_front_door_has_an_example(door):
    assert door.__name__ in {test.name.split(".")[-1] for test in EXAMPLES}
