"""What many functions are told together is one value: none is told more than a reader holds in mind."""

import ast

import pytest

from tests.architecture.imports import ROOT

MOST_PARAMETERS = 8


def _told(function):
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return [argument.arg for argument in named if argument is not None and argument.arg not in ("self", "cls")]


@pytest.mark.parametrize("path", sorted((ROOT / "validation").rglob("*.py")), ids=lambda path: path.stem)
def test_functions_have_few_parameters(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert len(_told(node)) <= MOST_PARAMETERS, f"{node.name} has {', '.join(_told(node))}"
            assert node.args.kwarg is None, f"{node.name} lets keywords through that it does not name"
