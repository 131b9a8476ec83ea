"""The folder that a command writes to: made before what takes time, and gone again if nothing came of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["output_folder"]


@contextmanager
def output_folder(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Make a folder, or raise an error of the library; afterwards, take away what was made and stayed empty."""
    from replica.common.files import prepare_folder

    path = Path(folder)
    made = [one for one in (path, *path.parents) if not one.exists()]
    prepared = prepare_folder(folder)
    try:
        yield prepared
    finally:
        for one in made:
            try:
                one.rmdir()
            except OSError:
                # It holds something.
                break
