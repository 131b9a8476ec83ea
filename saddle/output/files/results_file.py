"""Results files: netCDF of the classic format, sealed, written whole or not at all, and checked when they are read."""

from __future__ import annotations

import datetime
import os
import shlex
import stat
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import xarray as xr

from replica.common.checked_arguments import checked_path
from replica.common.errors import AttentionPhaseError, InvalidArgument, UnreadableFile, UnwritableFile
from replica.common.files import write_atomically
from replica.common.version import library_version
from saddle.output.files.classic_netcdf import MAGIC, read_classic
from saddle.output.files.file_schema import Contents
from saddle.output.files.sealing import SEAL, check_seal, sealed

__all__ = ["FileKind", "read_contents", "write_contents"]

LONGEST_COMMAND = 1000

Made = TypeVar("Made")


@dataclass(frozen=True)
class FileKind:
    """A kind of results file.

    Attributes
    ----------
    name
        Its format without the version, as in the attribute ``format``.
    what
        What such a file is, for messages.
    version
        The version that is written.
    oldest
        The oldest one that is read.
    sealed_since
        The first one whose files are sealed.
    """

    name: str
    what: str
    version: int
    oldest: int
    sealed_since: int

    @property
    def format(self) -> str:
        """The attribute ``format`` of what is written."""
        return f"{self.name} {self.version}"

    def version_of(self, data: xr.Dataset) -> int:
        """Return the version of a file's format, or refuse the file."""
        found = data.attrs.get("format")
        known = {f"{self.name} {k}": k for k in range(self.oldest, self.version + 1)}
        if isinstance(found, str) and found in known:
            return known[found]
        if isinstance(found, str) and found.startswith(f"{self.name} "):
            raise UnreadableFile(f"it has the format {found[:60]!r} of another version of attention-phase")
        raise UnreadableFile(f"it has the format {found!r:.60}")


def write_contents(
    data: xr.Dataset, kind: FileKind, path: str | os.PathLike[str], check: Callable[[Contents], object]
) -> None:
    """Seal a Dataset and write it to a file, whole or not at all.

    Parameters
    ----------
    data
        What the file is to hold, its format among the attributes. The library's version, the date and the command are
        added.
    kind
        The kind of file.
    path
        Where to; folders are made.
    check
        Called with what would be read back, before anything is written.

    Raises
    ------
    ValueError
        If the file cannot be written, or what it is to hold could not be read back.
    """
    target = _prepared(path)
    try:
        content = bytes(sealed(data.assign_attrs(_provenance())).to_netcdf(engine="scipy", format="NETCDF3_64BIT"))
        check(_checked(content, kind))
    except AttentionPhaseError as error:
        raise UnwritableFile(f"cannot write {str(target)!r}, which could not be read back: {error}") from None
    try:
        write_atomically(target, content)
    except OSError as error:
        raise UnwritableFile(f"cannot write {str(target)!r}: {error.strerror or error}") from None


def read_contents(path: str | os.PathLike[str], kind: FileKind, make: Callable[[Contents], Made]) -> Made:
    """Read a file of a kind and make something of it; its seal is checked, its variables and attributes are not.

    Parameters
    ----------
    path, kind
        The file.
    make
        Called with what the file holds.

    Raises
    ------
    ValueError
        If there is no such file, it is no such file, it was changed after it was written, or ``make`` refuses it.
    """
    target = _path(path)
    try:
        return make(_checked(_bytes(target), kind))
    except AttentionPhaseError as error:
        why = " ".join(str(error).split())
        raise UnreadableFile(f"cannot read {str(path)!r} as {kind.what}: {why}") from None


def _checked(content: bytes, kind: FileKind) -> Contents:
    data = read_classic(content)
    version = kind.version_of(data)
    # A damaged version must not make a seal go unread.
    if version >= kind.sealed_since or SEAL in data.attrs:
        check_seal(data)
    return Contents(data, version)


def _bytes(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableFile("it is no file")
        with path.open("rb") as file:
            # What is no netCDF file may be of any size.
            start = file.read(len(MAGIC[0]))
            return start + file.read() if start in MAGIC else start
    except OSError as error:
        raise UnreadableFile(str(error.strerror or error)) from None


def _path(path: str | os.PathLike[str]) -> Path:
    found = Path(checked_path("path", path))
    if "\0" in str(found):
        raise InvalidArgument(f"path must name a file, got {path!r}")
    return found


def _prepared(path: str | os.PathLike[str]) -> Path:
    """Return a file's path whose folder exists and can be written."""
    target = _path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise UnwritableFile(f"cannot write to the folder {str(target.parent)!r}: {error.strerror}") from None
    if target.is_dir():
        raise UnwritableFile(f"{str(target)!r} is a folder, but a file is to be written there")
    if target.exists() and not target.is_file():
        raise UnwritableFile(f"{str(target)!r} is no file that could be replaced")
    return target


def _provenance() -> dict[str, str]:
    script, *arguments = getattr(sys, "argv", None) or [""]
    command = shlex.join([Path(script).name, *arguments])[:LONGEST_COMMAND]
    return {
        "software": f"attention-phase {library_version()}",
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        # Arguments need be no text.
        "command": command.encode(errors="backslashreplace").decode().replace("\0", ""),
    }
