"""No function takes so many parameters that nobody can say which belong together: options are values."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.imports import ROOMS, ROOT

MOST = 8
# Compiled code takes arrays, not values: a record would have to be taken apart in every call.
KERNELS, MOST_IN_KERNELS = "saddle/kernel/numerics/", 10


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> int:
    given = function.args
    names = [x.arg for x in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def _too_long(tree: ast.Module, most: int) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and _parameters(node) > most:
            yield getattr(node, "name", "lambda")


def _all_too_long() -> set[str]:
    found = set()
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            place = path.relative_to(ROOT).as_posix()
            most = MOST_IN_KERNELS if place.startswith(KERNELS) else MOST
            found |= {f"{place}: {name}" for name in _too_long(ast.parse(path.read_text(encoding="utf-8")), most)}
    return found


def test_no_function_takes_more_than_eight_parameters():
    assert not _all_too_long()


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("def f(a, b, c): ...", ["f"]),
        ("def f(a, /, b, *, c): ...", ["f"]),
        ("class A:\n    def f(self, a, b): ...\n    async def g(self, a, b, c): ...", ["g"]),
        ("f = lambda a, b, c=1: a", ["lambda"]),
        ("def f(a, b, *rest, **others):\n    def g(a, b, c): ...", ["g"]),
    ],
)
def test_parameters_of_every_kind_are_counted(code, names):
    assert list(_too_long(ast.parse(code), 2)) == names


@pytest.mark.parametrize("path", sorted((ROOT / "validation").rglob("*.py")), ids=lambda path: path.stem)
def test_no_keyword_of_a_simulation_is_let_through_without_a_name(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            assert node.args.kwarg is None, node.name
