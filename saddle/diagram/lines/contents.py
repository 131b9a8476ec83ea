"""Several lines of transitions over one parameter, as found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from replica.common.by_value import ByValue, shortened
from replica.common.html_table import html_table
from replica.quantities.solvable_model import Model
from saddle.diagram.lines.columns import PhaseColumn
from saddle.diagram.lines.line import TransitionLine
from saddle.diagram.lines.plane import ParameterPlane
from saddle.diagram.provenance import Provenance

__all__ = ["LinesContents"]

UNFINISHED = "interrupted: not all was computed"


@dataclass(frozen=True, eq=False, repr=False)
class LinesContents(ByValue):
    """Lines of transitions over one parameter of a model, or at one alpha over two.

    Attributes
    ----------
    model
        The model; ``over`` replaces one of its parameters.
    over, between
        Name of the parameter, of two the first, and its range.
    lines
        By name; one without points says why in its ``reason``.
    complete
        False after an interruption.
    columns
        Which branch is the global minimum over alpha, from audited diagrams at a few values of the parameter; none in
        a plane.
    provenance
        Versions, a digest of the equations, what was asked, and seconds by stage; lines are compared without.
    plane
        Of lines at one alpha, the second parameter, its range and that alpha; otherwise None.
    """

    model: Model
    over: str
    between: tuple[float, float]
    lines: Mapping[str, TransitionLine]
    complete: bool = True
    columns: tuple[PhaseColumn, ...] = ()
    provenance: Provenance = field(default=Provenance(), compare=False)
    plane: ParameterPlane | None = None

    def __repr__(self) -> str:
        unfinished = [] if self.complete else [UNFINISHED]
        return "\n  ".join([self._heading, shortened(repr(self.model)), *unfinished, *map(repr, self.lines.values())])

    def _repr_html_(self) -> str:
        unfinished = [] if self.complete else [("", UNFINISHED)]
        lines = [(name, shortened(line.summary, 300)) for name, line in self.lines.items()]
        return html_table(self._heading, [("model", shortened(repr(self.model))), *unfinished, *lines])

    @property
    def _heading(self) -> str:
        other = "" if self.plane is None else f" and {self.plane}"
        return f"{type(self).__name__} over {self.over} = {self.between[0]:.6g} to {self.between[1]:.6g}{other}"
