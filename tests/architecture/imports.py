"""Who imports whom: every import in the sources, also those in functions and those for annotations alone."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

__all__ = ["ROOMS", "ROOT", "children", "circle", "module_graph", "modules", "other_imports", "sibling_graph"]

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("replica", "baselines", "saddle", "validation")


def modules() -> dict[str, Path]:
    """Return all modules of the four rooms, packages without their ``__init__``, which only export."""
    found = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).glob("**/*.py")):
            if path.name != "__init__.py":
                found[".".join(path.relative_to(ROOT).with_suffix("").parts)] = path
    return found


@cache
def _trees() -> Mapping[str, ast.Module]:
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in modules().items()}


def _imported(tree: ast.Module) -> Iterable[str]:
    """Yield what is imported anywhere in a module, ``from package import module`` as ``package.module``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def module_graph() -> Mapping[str, frozenset[str]]:
    """Return the modules and packages of the rooms that every module imports."""
    known = modules()
    graph = {}
    for name, tree in _trees().items():
        found = set()
        for other in _imported(tree):
            if other.split(".")[0] in ROOMS:
                found.add(other if other in known else other.rpartition(".")[0] or other)
        graph[name] = frozenset(found - {name})
    return graph


def other_imports(module: str) -> frozenset[str]:
    """Return the names of the libraries that a module imports."""
    return frozenset(other.split(".")[0] for other in _imported(_trees()[module])) - set(ROOMS)


def children(folder: str) -> dict[str, set[str]]:
    """Return the modules under every entry of a folder."""
    found: dict[str, set[str]] = {}
    for module in module_graph():
        if module.startswith(f"{folder}."):
            found.setdefault(module.removeprefix(f"{folder}.").split(".")[0], set()).add(module)
    return found


def sibling_graph(folder: str) -> dict[str, set[str]]:
    """Return which entries of a folder import which others, through whatever lies below them."""
    entries = children(folder)
    graph: dict[str, set[str]] = {}
    for entry, modules in entries.items():
        imported = {other for module in modules for other in module_graph()[module] if other.startswith(f"{folder}.")}
        graph[entry] = {other.removeprefix(f"{folder}.").split(".")[0] for other in imported} & set(entries) - {entry}
    return graph


def circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Return a circle in a graph, or an empty list."""
    state: dict[str, bool] = {}

    def visit(name: str, path: list[str]) -> list[str]:
        state[name] = True
        for other in sorted(graph.get(name, ())):
            if state.get(other):
                return [*path, name, other]
            if other not in state and (found := visit(other, [*path, name])):
                return found
        state[name] = False
        return []

    for name in sorted(graph):
        if name not in state and (found := visit(name, [])):
            return found
    return []
