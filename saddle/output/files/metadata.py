"""What a results file says of itself as a whole, by the names of the CF conventions."""

from __future__ import annotations

import datetime
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from replica.common.errors import UnwritableFile
from replica.common.version import library_version
from replica.quantities.loss_structure import LossStructure
from replica.quantities.structure import ModelStructure
from saddle.diagram.provenance import Provenance

if TYPE_CHECKING:
    from saddle.output.files.file_schema import Variable

__all__ = ["REFERENCE", "circumstances", "description", "with_own_normalisation"]

CONVENTIONS = "CF-1.11"
EPOCH = "SOURCE_DATE_EPOCH"
LONGEST_COMMAND = 1000
REFERENCE = (
    "H. Cui, F. Behrens, F. Krzakala and L. Zdeborová, A phase transition between positional and semantic learning in "
    "a solvable model of dot-product attention, NeurIPS 2024, arXiv:2402.03902."
)
"""The model and its theory."""

# What tables of columns say in words of attention, and what they say of any other loss.
PER_SAMPLE = "2/L times the mean loss of a new sample of L vectors"
OF_OTHER_LOSSES = {
    "per token and dimension, (1/(dL)) E|y - yhat|^2": PER_SAMPLE,
    "per token and dimension": PER_SAMPLE,
    "summed over a group's tokens": "summed over a sample's vectors of equal covariance",
    "branches, or branch and baseline, that the transition is between": "branches that the transition is between",
}


def description(
    title: str, provenance: Provenance, structure: ModelStructure | LossStructure | None = None
) -> dict[str, str]:
    """Return the attributes that follow from results alone, whenever they are written.

    Parameters
    ----------
    title
        What it is, in a line.
    provenance
        Where it comes from, as far as that is known.
    structure
        Of the models; by default attention's.
    """
    version = provenance.versions.get("attention-phase", "of unknown version")
    asked = ", ".join(f"{name} = {value}" for name, value in provenance.settings.items())
    return {
        "Conventions": CONVENTIONS,
        "title": title,
        "source": f"saddle-point equations of the replica theory, solved by attention-phase {version}",
        "references": f"{'' if isinstance(structure, LossStructure) else f'{REFERENCE} '}Software: attention-phase.",
        "settings": asked or "not known",
    }


def with_own_normalisation(
    variables: Mapping[str, Variable], structure: ModelStructure | LossStructure
) -> dict[str, Variable]:
    """Return variables as they are, but with the test error of losses other than attention's explained as theirs is."""
    if not isinstance(structure, LossStructure):
        return dict(variables)
    return {
        name: (dims, values, {key: _own(text) for key, text in attributes.items()})
        for name, (dims, values, attributes) in variables.items()
    }


def _own(text: object) -> object:
    for usual, other in OF_OTHER_LOSSES.items():
        text = text.replace(usual, other) if isinstance(text, str) else text
    return text


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
