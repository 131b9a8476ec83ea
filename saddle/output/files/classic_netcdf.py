"""Read a netCDF file of the classic format from its bytes, believing nothing that they do not bear out.

Results files are written by xarray and SciPy and can be read by these. SciPy's reader takes a file's word for sizes and
places, so that a damaged header ends in any exception or in memory for a terabyte; here every size is compared with
what there is before anything is made.

Source: the NetCDF Classic Format Specification (Unidata), versions 1 and 2, without records.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from replica.common.errors import UnreadableFile

__all__ = ["MAGIC", "read_classic"]

MAGIC = (b"CDF\x01", b"CDF\x02")
DIMENSION, VARIABLE, ATTRIBUTE = 0x0A, 0x0B, 0x0C
CHARACTERS = 2
TYPES = {1: ">i1", CHARACTERS: "S1", 3: ">i2", 4: ">i4", 5: ">f4", 6: ">f8"}
# What says how values are stored, and nothing about them.
STORAGE_ATTRIBUTES = frozenset({"_FillValue", "_Encoding", "coordinates"})


@dataclass(frozen=True)
class _Variable:
    name: str
    dimensions: tuple[int, ...]
    attributes: dict[str, Any]
    kind: int
    begin: int


def read_classic(content: bytes) -> xr.Dataset:
    """Return what a file holds; characters become text along their last dimension.

    Raises
    ------
    ValueError
        If the bytes are no such file.
    """
    if content[:4] not in MAGIC:
        raise UnreadableFile("it is no netCDF file of the classic format")
    header = _Header(content)
    if header.count():
        raise UnreadableFile("it has records")
    dimensions = [(header.name(), header.count()) for _ in header.listed(DIMENSION)]
    attributes = header.attributes()
    variables = [header.variable(len(dimensions)) for _ in header.listed(VARIABLE)]
    names = [name for name, _ in dimensions]
    if len(set(names)) != len(names) or len({x.name for x in variables}) != len(variables):
        raise UnreadableFile("names occur twice")
    read = {x.name: _values(content, header.place, x, dimensions) for x in variables}
    try:
        return xr.Dataset(read, attrs=attributes)
    except ValueError as error:
        raise UnreadableFile(" ".join(str(error).split())) from None


class _Header:
    """A place in a file's header, which moves on as it is read."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._offset_size = 4 * content[3]
        self.place = 4

    def _bytes(self, count: int) -> bytes:
        """Return the next bytes, of which there are whole words."""
        end = self.place + count
        padded = end + -count % 4
        if padded > len(self._content):
            raise UnreadableFile("it ends within its header")
        if any(self._content[end:padded]):
            raise UnreadableFile("there is something between the parts of its header")
        taken, self.place = self._content[self.place : end], padded
        return taken

    def count(self, size: int = 4) -> int:
        return int.from_bytes(self._bytes(size), "big")

    def listed(self, tag: int) -> range:
        found, count = self.count(), self.count()
        if found != (tag if count else 0) and not (found == tag and count == 0):
            raise UnreadableFile(f"a list in its header has the tag {found}, not {tag}")
        # Every entry takes eight bytes at least.
        if 8 * count > len(self._content) - self.place:
            raise UnreadableFile(f"a list in its header has {count} entries, more than fit")
        return range(count)

    def text(self) -> str:
        try:
            return self._bytes(self.count()).decode()
        except UnicodeDecodeError:
            raise UnreadableFile("a text in its header is no text") from None

    def name(self) -> str:
        name = self.text()
        if not name.isprintable() or not name or "/" in name:
            raise UnreadableFile(f"{name[:40]!r} is no name")
        return name

    def kind(self) -> int:
        kind = self.count()
        if kind not in TYPES:
            raise UnreadableFile(f"there is no type of number {kind}")
        return kind

    def attributes(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for _ in self.listed(ATTRIBUTE):
            name, kind = self.name(), self.kind()
            if name in found:
                raise UnreadableFile(f"the attribute {name!r} occurs twice")
            found[name] = self.text() if kind == CHARACTERS else self._numbers(np.dtype(TYPES[kind]))
        return {name: value for name, value in found.items() if name not in STORAGE_ATTRIBUTES}

    def _numbers(self, kind: np.dtype) -> Any:
        values = np.frombuffer(self._bytes(self.count() * kind.itemsize), kind)
        native = values.astype(kind.newbyteorder("="))
        return native[0].item() if native.size == 1 else native

    def variable(self, dimensions: int) -> _Variable:
        name = self.name()
        count = self.count()
        if 4 * count > len(self._content) - self.place:
            raise UnreadableFile(f"the variable {name!r} has {count} dimensions, more than fit")
        own = tuple(self.count() for _ in range(count))
        if any(index >= dimensions for index in own) or len(set(own)) != len(own):
            raise UnreadableFile(f"the variable {name!r} has dimensions that there are not")
        attributes, kind = self.attributes(), self.kind()
        self.count()  # its size, which follows from its dimensions
        return _Variable(name, own, attributes, kind, self.count(self._offset_size))


def _values(content: bytes, end: int, variable: _Variable, dimensions: list[tuple[str, int]]) -> Any:
    """Return names of dimensions, values and attributes of a variable, which stands behind the header's end."""
    names = [dimensions[index][0] for index in variable.dimensions]
    shape = [dimensions[index][1] for index in variable.dimensions]
    dtype = np.dtype(TYPES[variable.kind])
    size = math.prod(shape) * dtype.itemsize
    if size and not end <= variable.begin <= len(content) - size:
        raise UnreadableFile(f"the variable {variable.name!r} has {size} bytes, of which some are missing")
    values = np.frombuffer(content, dtype, math.prod(shape), variable.begin if size else 0).reshape(shape)
    if variable.kind != CHARACTERS:
        return names, values.astype(dtype.newbyteorder("=")), variable.attributes
    if not shape:
        raise UnreadableFile(f"the variable {variable.name!r} has no length of text")
    return names[:-1], _texts(variable.name, values), variable.attributes


def _texts(name: str, characters: np.ndarray) -> np.ndarray:
    """Return characters (..., n) as texts (...)."""
    *shape, length = characters.shape
    joined = np.ascontiguousarray(characters).view(f"S{length}") if characters.size else np.zeros(shape, "S1")
    try:
        texts = [x.decode() for x in joined.ravel().tolist()]
    except UnicodeDecodeError:
        raise UnreadableFile(f"the variable {name!r} holds something that is no text") from None
    return np.array(texts, dtype=str).reshape(shape)
