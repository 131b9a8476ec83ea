"""Diagrams in a folder, each under a name that says all that it depends on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from replica.common.errors import AttentionPhaseError
from replica.common.version import library_version
from replica.quantities.solvable_model import Model
from saddle.diagram.solve_arguments import SolveArguments
from saddle.kernel.key import structure_key
from saddle.phase_diagram import PhaseDiagram

__all__ = ["DiagramStore"]


@dataclass(frozen=True)
class DiagramStore:
    """A folder of diagrams that were asked for in one way.

    Attributes
    ----------
    folder
        The folder, which exists.
    """

    folder: Path

    def path(self, model: Model, arguments: SolveArguments) -> Path:
        """Return where a model's diagram lies: neither threads nor progress are part of the name."""
        asked = arguments._replace(threads=0, progress=False)
        made = library_version(), structure_key(model.structure)
        told = json.dumps([made, model.to_dict(), repr(asked)], sort_keys=True)
        return self.folder / f"{hashlib.sha256(told.encode()).hexdigest()[:32]}.nc"

    def read(self, model: Model, arguments: SolveArguments) -> PhaseDiagram | None:
        """Return a diagram that was kept; None where there is none, or not a whole one."""
        path = self.path(model, arguments)
        if not path.is_file():
            return None
        try:
            diagram = PhaseDiagram.load(path)
        except AttentionPhaseError:
            return None
        return diagram if diagram.model == model and diagram.complete else None

    def keep(self, diagram: PhaseDiagram, arguments: SolveArguments) -> None:
        """Write a diagram, if it is complete.

        Raises
        ------
        ValueError
            If the file cannot be written.
        """
        if diagram.complete:
            diagram.save(self.path(diagram.model, arguments))
