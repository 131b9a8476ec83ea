"""The import contract: one direction between rooms and folders, no circles, small folders."""

import pytest

from tests.architecture.imports import ROOMS, ROOT, circle, module_graph, modules, other_imports, sibling_graph

# Lower ones first: each may import those before it.
LAYERS = {
    "replica": (
        "common", "quantities", "algebra", "covariances", "model", "equations", "code", "symmetry", "steps",
        "hierarchy", "theory", "checks", "reports", "derivation",
    ),
    "saddle": (
        "kernel", "continuation", "reference", "averages", "state_evolution", "branches", "transitions", "diagram",
        "output", "phase_diagram", "sweeps", "transition_lines", "cli", "__main__", "testing",
    ),
    "validation": ("simulation", "published", "message_passing", "minima", "comparison", "paper"),
}  # fmt: skip
MOST_ENTRIES = 14
# Besides models, quantities and symmetries, which are everybody's, these parts of the solver meet the derivation.
MEETS_DERIVATION = (
    "saddle.kernel.", "saddle.reference.", "saddle.output.", "saddle.branches.null.channel", "saddle.cli",
    "saddle.state_evolution.steps.",
)  # fmt: skip
DERIVATION = ("equations", "code", "algebra", "steps", "hierarchy", "theory", "checks", "reports", "derivation")


def _folders():
    packages = {module.rpartition(".")[0] for module in modules()}
    return sorted({".".join(name.split(".")[:k]) for name in packages for k in range(1, name.count(".") + 2)})


def test_rooms_import_one_way():
    for module, imported in module_graph().items():
        room = module.split(".")[0]
        for other in imported:
            # The command may look anywhere, inside its functions.
            if not module.startswith("saddle.cli."):
                assert ROOMS.index(other.split(".")[0]) <= ROOMS.index(room), f"{module} imports {other}"


def test_no_module_imports_itself_in_a_circle():
    assert circle(module_graph()) == []


@pytest.mark.parametrize("folder", _folders())
def test_entries_of_a_folder_import_one_way(folder):
    assert circle(sibling_graph(folder)) == []


@pytest.mark.parametrize("room", LAYERS)
def test_layers_import_those_below(room):
    order, graph = LAYERS[room], sibling_graph(room)
    assert set(order) == set(graph)
    for entry, imported in graph.items():
        above = {other for other in imported if order.index(other) > order.index(entry)}
        assert not above, f"{room}.{entry} imports {above}"


@pytest.mark.parametrize("folder", _folders())
def test_folders_are_small(folder):
    # What only says that a folder is a package, what it exports, or that it can be run, is no entry.
    others = {"__pycache__", "__init__.py", "__init__.pyi", "__main__.py", "py.typed"}
    entries = sorted({entry.name for entry in (ROOT / folder.replace(".", "/")).iterdir()} - others)
    assert len(entries) <= MOST_ENTRIES, entries


def test_nothing_but_tests_needs_what_is_for_tests():
    for module, imported in module_graph().items():
        if not module.startswith("saddle.testing."):
            assert not [other for other in imported if other.startswith("saddle.testing")], module
            assert "hypothesis" not in other_imports(module), module


def test_few_parts_of_the_solver_meet_the_derivation():
    for module, imported in module_graph().items():
        if module.startswith("saddle.") and not module.startswith(MEETS_DERIVATION):
            met = {other for other in imported if other.split(".")[0] == "replica" and other.split(".")[1:2]}
            met = {other for other in met if other.split(".")[1] in DERIVATION}
            assert not met, f"{module} imports {met}"


def test_the_derivation_knows_no_compiler():
    assert not [
        module for module in module_graph() if module.startswith("replica.") and "numba" in other_imports(module)
    ]


def test_the_contract_sees_deferred_imports_and_annotations():
    # The command imports in its functions; numerics only for annotations.
    assert "saddle.phase_diagram" in module_graph()["saddle.cli.solving"]
    assert "saddle.kernel.numerics.minima" in module_graph()["saddle.kernel.numerics.scan"]
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c", "a"]
