"""Where a diagram comes from: software, equations, what was asked, and how long each stage took."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from replica.common.by_value import ByValue
from replica.common.version import library_version
from replica.quantities.solvable_model import Model
from saddle.diagram.solve_arguments import SolveArguments
from saddle.kernel.key import structure_key, versions

__all__ = ["Provenance", "provenance_of"]


@dataclass(frozen=True, eq=False, repr=False)
class Provenance(ByValue):
    """Where a diagram comes from; empty for one that was read from an early file.

    Attributes
    ----------
    versions
        Of this library ("attention-phase"), of Python, and of what the kernel is derived and compiled with.
    digest
        Key of the compiled equations: of the model's structure, of all that derives and prints them, and of versions.
    settings
        What was asked, as text: alpha, points, sweep, tolerance, threads, rule (the one that was chosen is the
        diagram's own).
    seconds
        By stage, as ``logging.getLogger("attention_phase")`` tells them; of an interrupted solve, those that ended.
        They differ from run to run, and are not compared.
    """

    versions: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        made = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        asked = ", ".join(f"{name} = {value}" for name, value in self.settings.items())
        spent = ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in self.seconds.items())
        rows = {"made with": made, "equations": self.digest, "asked": asked, "stages": spent}
        return "\n".join(f"{name}: {text or 'not known'}" for name, text in rows.items())


def provenance_of(model: Model, arguments: SolveArguments, seconds: Mapping[str, float]) -> Provenance:
    """Return where a diagram comes from that was just solved.

    Parameters
    ----------
    model, arguments
        What was solved, and how it was asked for.
    seconds
        By stage.
    """
    # Whether a bar was shown changes nothing.
    asked = {name: json.dumps(value) for name, value in arguments._replace(rule=None)._asdict().items()}
    asked["rule"] = repr(arguments.rule)
    del asked["progress"]
    return Provenance(
        {"attention-phase": library_version(), **versions()},
        structure_key(model.structure),
        asked,
        dict(seconds),
    )
