"""The one place that says which version of this library runs."""

from __future__ import annotations

import functools

__all__ = ["library_version"]


@functools.cache
def library_version() -> str:
    """Return the version of this library that is installed, or "0+unknown" if it was not installed."""
    from importlib import metadata

    try:
        return metadata.version("attention-phase")
    except metadata.PackageNotFoundError:
        return "0+unknown"
