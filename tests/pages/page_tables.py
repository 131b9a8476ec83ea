"""Tables of pages between markers, the numbers with errors in them, and the scripts that fill them."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from types import ModuleType

from tests.pages.page_code import DOCS

__all__ = ["script", "table", "with_error"]

NUMBER = re.compile(r"(-?\d+(?:\.(\d+))?)\((\d+)\)")


def script(name: str) -> ModuleType:
    """Import one of the scripts that fill pages."""
    folder = str(DOCS / "figures")
    sys.path.insert(0, folder)
    try:
        return import_module(name)
    finally:
        sys.path.remove(folder)


def table(page: str, marker: str) -> list[list[str]]:
    """Return the rows of the first table between markers, without its head."""
    text = (DOCS / "examples" / page).read_text(encoding="utf-8")
    block = re.search(rf"<!-- {marker} -->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert block is not None
    rows = re.findall(r"^\| (.+) \|$", block[1], flags=re.M)
    return [[cell.strip() for cell in row.split(" | ")] for row in rows[2:]]


def with_error(text: str) -> tuple[float, float]:
    """Read a number with its error in brackets."""
    found = NUMBER.fullmatch(text)
    assert found is not None, text
    return float(found[1]), int(found[3]) * 10.0 ** -len(found[2] or "")
