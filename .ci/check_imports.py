"""Check that imports between the rooms go one way only, and that no module imports itself in a circle."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ALLOWED = {
    "replica": set(),
    "baselines": {"replica"},
    "saddle": {"baselines", "replica"},
    "validation": {"saddle", "baselines", "replica"},
}
# The command may look anywhere, inside its functions.
LAZY_EXCEPTION = ("saddle", "cli")
# Only these modules of the solver know where equations come from; the model and its names are everybody's.
DERIVATION = {"free_energy", "saddle_equations", "code_generation", "gaussian_average", "channel_coordinates"}
MEETS_DERIVATION = {"kernel", "kernel_text", "phase_diagram", "report_check", "report_content", "report_writing"}
# The slow second route to solutions evaluates the derivation's own expressions.
MEETS_DERIVATION_FOLDERS = {"reference"}


def imported_modules(tree: ast.AST, *, top_level_only: bool) -> list[str]:
    """Return the names of modules imported, leaving out those for type checking only."""
    found: list[str] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append(node.module or "")
        elif (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)) or (
            top_level_only and isinstance(node, ast.FunctionDef)
        ):
            continue
        else:
            found += imported_modules(node, top_level_only=top_level_only)
    return found


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return a circle of modules, or an empty list."""
    state: dict[str, int] = {}

    def visit(name: str, path: list[str]) -> list[str]:
        state[name] = 1
        for other in sorted(graph.get(name, ())):
            if state.get(other) == 1:
                return [*path, name, other]
            if other not in state and (found := visit(other, [*path, name])):
                return found
        state[name] = 2
        return []

    for name in sorted(graph):
        if name not in state and (found := visit(name, [])):
            return found
    return []


def main(root: Path) -> int:
    """Check every file of the four rooms; print what is wrong and return the number of complaints."""
    complaints, graph = [], {}
    for room, allowed in ALLOWED.items():
        for path in sorted((root / room).glob("**/*.py")):
            module = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
            tree = ast.parse(path.read_text(encoding="utf-8"))
            lazy = (room, path.stem) == LAZY_EXCEPTION
            for name in imported_modules(tree, top_level_only=lazy):
                other = name.split(".")[0]
                if other in ALLOWED and other != room and other not in allowed:
                    complaints.append(f"{path}: {room} must not import {name}")
                known = name.split(".")[-1]
                meets = path.stem in MEETS_DERIVATION or path.parent.name in MEETS_DERIVATION_FOLDERS
                if room == "saddle" and known in DERIVATION and not meets:
                    complaints.append(f"{path}: only {sorted(MEETS_DERIVATION)} may import {name}")
                if room == "replica" and other == "numba":
                    complaints.append(f"{path}: replica must not know Numba")
            if path.name != "__init__.py":
                graph[module] = {n for n in imported_modules(tree, top_level_only=True) if n.split(".")[0] in ALLOWED}
    if found := circle(graph):
        complaints.append("circle of imports: " + " -> ".join(found))
    for complaint in complaints:
        print(complaint)
    return len(complaints)


if __name__ == "__main__":
    sys.exit(1 if main(Path(__file__).resolve().parent.parent) else 0)
