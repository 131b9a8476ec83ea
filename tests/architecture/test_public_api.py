"""What the page on the API lists is what the packages export, and nothing public lies deeper."""

import importlib
import re
from dataclasses import fields

import pytest

from tests.architecture.imports import ROOT

PACKAGES = ("replica", "baselines", "saddle", "saddle.reference", "saddle.continuation", "saddle.testing", "validation")
LISTED = re.findall(
    r"^\.\. (?:auto(?:class|function|exception|data)|data):: (\S+)$",
    (ROOT / "docs/api.md").read_text(encoding="utf-8"),
    re.M,
)


def _exported(package):
    return {f"{package}.{name}" for name in importlib.import_module(package).__all__}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_page_lists_what_a_package_exports(package):
    assert {name for name in LISTED if name.rpartition(".")[0] == package} == _exported(package)


def test_nothing_public_lies_deeper():
    assert {name.rpartition(".")[0] for name in LISTED} == set(PACKAGES)
    assert len(LISTED) == len(set(LISTED))


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_exported_is_there_and_documented(package):
    module = importlib.import_module(package)
    assert list(module.__all__) == sorted(module.__all__) or package == "baselines"
    for name in module.__all__:
        value = getattr(module, name)
        assert name in dir(module)
        # A mapping has no text of its own; the page has it from the source.
        assert value.__doc__ or name == "BASELINES", name


@pytest.mark.parametrize(("package", "door"), [
    ("replica", "Derivation"),
    ("saddle", "PhaseDiagram"),
    ("saddle", "TransitionLines"),
    ("validation", "TheoryComparison"),
])  # fmt: skip
def test_doors_say_what_they_hold(package, door):
    value = getattr(importlib.import_module(package), door)
    assert value.__doc__ == value.__mro__[1].__doc__
    assert all(field.name in value.__doc__ for field in fields(value)), door
    assert f":: {package}.{door}\n   :inherited-members:" in (ROOT / "docs/api.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("package", ["replica", "baselines", "saddle", "validation"])
def test_packages_are_typed(package):
    assert (ROOT / package / "py.typed").exists()


def test_pages_import_public_names_only():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
    for page in pages:
        for module in re.findall(r"^from (\S+) import", page.read_text(encoding="utf-8"), re.M):
            if module.split(".")[0] in ("replica", "baselines", "saddle", "validation"):
                assert module in PACKAGES, f"{page.name} imports from {module}"


def test_no_name_hides_a_module():
    # ``from package import name`` would give whichever was imported first.
    for package in set(PACKAGES) - {"baselines"}:  # which imports all that it exports, so that it is always the same
        folder = ROOT / package.replace(".", "/")
        modules = {entry.name.removesuffix(".py") for entry in folder.iterdir()}
        assert not modules & set(importlib.import_module(package).__all__)
