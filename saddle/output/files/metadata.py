"""What a results file says of itself as a whole, by the names of the CF conventions."""

from __future__ import annotations

import datetime
import os
import shlex
import sys
from pathlib import Path

from replica.common.errors import UnwritableFile
from replica.common.version import library_version
from saddle.diagram.provenance import Provenance

__all__ = ["REFERENCE", "circumstances", "description"]

CONVENTIONS = "CF-1.11"
EPOCH = "SOURCE_DATE_EPOCH"
LONGEST_COMMAND = 1000
REFERENCE = (
    "H. Cui, F. Behrens, F. Krzakala and L. Zdeborová, A phase transition between positional and semantic learning in "
    "a solvable model of dot-product attention, NeurIPS 2024, arXiv:2402.03902."
)
"""The model and its theory."""


def description(title: str, provenance: Provenance) -> dict[str, str]:
    """Return the attributes that follow from results alone, whenever they are written.

    Parameters
    ----------
    title
        What it is, in a line.
    provenance
        Where it comes from, as far as that is known.
    """
    version = provenance.versions.get("attention-phase", "of unknown version")
    asked = ", ".join(f"{name} = {value}" for name, value in provenance.settings.items())
    return {
        "Conventions": CONVENTIONS,
        "title": title,
        "source": f"saddle-point equations of the replica theory, solved by attention-phase {version}",
        "references": f"{REFERENCE} Software: attention-phase.",
        "settings": asked or "not known",
    }


def circumstances() -> dict[str, str]:
    """Return the attributes that say when, how and by which version a file is written.

    Raises
    ------
    ValueError
        If the environment variable SOURCE_DATE_EPOCH, which is the time where it is set, is no time.
    """
    script, *arguments = getattr(sys, "argv", None) or [""]
    command = shlex.join([Path(script).name, *arguments])[:LONGEST_COMMAND]
    # Arguments need be no text.
    command = command.encode(errors="backslashreplace").decode().replace("\0", "")
    software, created = f"attention-phase {library_version()}", _now().isoformat(timespec="seconds")
    return {
        "software": software,
        "created": created,
        "command": command,
        "history": f"{created}: written by {software}{': ' if command else ''}{command}",
    }


def _now() -> datetime.datetime:
    """Return the time, or that which makes files reproducible: https://reproducible-builds.org/specs/."""
    given = os.environ.get(EPOCH)
    if given is None:
        return datetime.datetime.now(datetime.UTC)
    try:
        return datetime.datetime.fromtimestamp(int(given), datetime.UTC)
    except (ValueError, OverflowError, OSError):
        raise UnwritableFile(f"{EPOCH} must be a number of seconds since 1970, got {given!r:.40}") from None
