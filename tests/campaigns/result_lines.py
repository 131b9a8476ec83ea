"""Results of a campaign as lines of JSON: written as they come, and read again to go on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

__all__ = ["append_line", "read_lines"]


def append_line(path: Path, line: dict[str, Any]) -> None:
    """Append one line as a whole; several processes may."""
    with path.open("ab") as file:
        file.write((json.dumps(line) + "\n").encode())
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return what was written; a last line that was cut short is not there, and is taken off the file."""
    if not path.exists():
        return []
    found, whole = [], 0
    text = path.read_bytes()
    for raw in text.splitlines(keepends=True):
        if not raw.endswith(b"\n"):
            break
        found.append(json.loads(raw))
        whole += len(raw)
    if whole < len(text):
        os.truncate(path, whole)
    return found
