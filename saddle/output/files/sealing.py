"""A seal on a Dataset: a digest over all that it holds, kept in an attribute, so that no change of it goes unseen.

The digest is of names, dimensions, values and attributes, not of a file's bytes: a Dataset keeps its seal when it is
read and written by other software. What tells only of how a file came about is not part of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from replica.common.errors import UnreadableFile

__all__ = ["CIRCUMSTANCES", "SEAL", "check_seal", "digest_of", "sealed"]

SEAL = "sha256"
"""The attribute that holds the digest."""

CIRCUMSTANCES = ("created", "command", "history")
"""Attributes that the digest leaves out: the same results at another time are the same results."""


def sealed(data: xr.Dataset) -> xr.Dataset:
    """Return a Dataset with its digest as an attribute."""
    return data.assign_attrs({SEAL: digest_of(data)})


def check_seal(data: xr.Dataset) -> None:
    """Refuse a Dataset that was changed after it was sealed, or never was.

    Raises
    ------
    ValueError
        If the digest is missing or another one.
    """
    if SEAL not in data.attrs:
        raise UnreadableFile(f"its seal, the attribute {SEAL!r}, is missing")
    if data.attrs[SEAL] != digest_of(data):
        raise UnreadableFile("it was changed or damaged after it was written: its content does not fit its seal")


def digest_of(data: xr.Dataset) -> str:
    """Return the digest of all that a Dataset holds, in hexadecimal digits."""
    told = hashlib.sha256()
    for part in _parts(data):
        # Lengths, so that no shift of bytes between neighbours goes unseen.
        told.update(len(part).to_bytes(8, "big") + part)
    return told.hexdigest()


def _parts(data: xr.Dataset) -> Iterator[bytes]:
    yield from _attributes({k: v for k, v in data.attrs.items() if k not in (SEAL, *CIRCUMSTANCES)})
    for name in sorted(map(str, data.variables)):
        variable = data.variables[name]
        yield repr((name, variable.dims, variable.shape)).encode()
        yield from _values(variable.values)
        yield from _attributes(variable.attrs)


def _attributes(attributes: Any) -> Iterator[bytes]:
    yield str(len(attributes)).encode()
    for name in sorted(attributes):
        value = attributes[name]
        yield str(name).encode()
        # A list of one number is read back as a number.
        yield from _values(np.atleast_1d(np.asarray(value)))


def _values(values: np.ndarray) -> Iterator[bytes]:
    """Yield values in a form that does not depend on how wide a file stores them."""
    if values.dtype.kind in "biu":
        yield b"integers"
        yield values.astype("<i8").tobytes()
    elif values.dtype.kind == "f":
        yield b"numbers"
        yield values.astype("<f8").tobytes()
    else:
        yield b"texts"
        yield repr([str(x) for x in values.ravel()]).encode()
