"""Folders and files of reports: written whole or not at all."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path

from replica.common.checked_arguments import checked_path
from replica.common.errors import UnwritableFile

__all__ = ["prepare_folder", "write_atomically", "write_files"]


def prepare_folder(folder: str | os.PathLike[str]) -> Path:
    """Return an output folder that exists and can be written.

    Raises
    ------
    ValueError
        If it cannot be made or written, or is no path.
    """
    path = checked_path("folder", folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise UnwritableFile(f"cannot write to the folder {str(path)!r}: {error.strerror}") from None
    return path


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that no reader ever sees half of it."""
    data = content.encode() if isinstance(content, str) else content
    # NOTE: not by ``tempfile``, whose files no other user may read: a cache may be filled by one for many.
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_files(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write files by their names and return their paths."""
    for name, content in files.items():
        write_atomically(folder / name, content)
    return [folder / name for name in files]
