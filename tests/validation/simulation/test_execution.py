"""How many runs are carried out is one value, checked when it is made."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from replica import AttentionModel
from replica.common.errors import InvalidArgument
from validation import Execution, simulate_runs


def test_without_arguments_runs_are_made_here_and_nothing_is_kept():
    execution = Execution()
    assert (execution.executor, execution.folder, execution.progress) == (None, None, False)


def test_it_holds_what_it_is_given():
    with ThreadPoolExecutor(1) as executor:
        execution = Execution(executor=executor, folder="runs", progress=True)
        assert execution.executor is executor
    assert (execution.folder, execution.progress) == (Path("runs"), True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"executor": 2}, "executor must be an Executor or None, got 2"),
        ({"executor": map}, "executor must be an Executor or None, got <class 'map'>"),
        ({"folder": ""}, "folder must be a path, got ''"),
        ({"folder": 3}, "folder must be a path, got 3"),
        ({"progress": 1}, "progress must be True or False, got 1"),
        ({"progress": None}, "progress must be True or False, got None"),
    ],
)
def test_misuse_is_refused_when_it_is_made(arguments, said):
    with pytest.raises(InvalidArgument, match=said):
        Execution(**arguments)


@pytest.mark.parametrize("execution", [None, "runs", {"folder": "runs"}])
def test_what_is_no_execution_is_refused(execution):
    with pytest.raises(InvalidArgument, match=r"execution must be an Execution, .* got"):
        simulate_runs(AttentionModel.paper(), (1.0,), execution=execution)
