"""What the scripts of this folder write into pages: numbers with errors, tables, and texts between markers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

__all__ = ["fill", "table", "with_error"]


def with_error(mean: float, error: float) -> str:
    """Render a number with its standard error, which gets two digits, in brackets."""
    digits = max(0, 1 - int(np.floor(np.log10(error)))) if error > 0 else 6
    return f"{mean:.{digits}f}({round(error * 10**digits)})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Render a Markdown table."""
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *rows])


def fill(page: Path, name: str, text: str) -> None:
    """Put a text between a page's markers of one name; raises ValueError if the page has none."""
    pattern = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- end -->)", flags=re.DOTALL)
    old = page.read_text(encoding="utf-8")
    if not pattern.search(old):
        raise ValueError(f"{page.name} has no markers for {name!r}")
    page.write_text(pattern.sub(lambda found: f"{found[1]}\n{text.strip()}\n\n{found[2]}", old), encoding="utf-8")
