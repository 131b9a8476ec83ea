"""The phase diagrams that lines start from: each solved once, for all lines of a call."""

from __future__ import annotations

from saddle.branches.line_parameters import line_parameters
from saddle.diagram.contents import DiagramContents
from saddle.diagram.lines.request import LineRequest
from saddle.diagram.solving import solve_contents

__all__ = ["FEW_POINTS", "StartDiagrams"]

# What is wanted of these diagrams, transitions and phases, is read off the curves; the grid is not looked at.
FEW_POINTS = 2


class StartDiagrams:
    """Diagrams at values of a line's parameter, solved when first asked for.

    Parameters
    ----------
    request
        What is asked for.
    given
        A diagram that is solved already.
    """

    def __init__(self, request: LineRequest, given: DiagramContents | None = None) -> None:
        self.request, self.solved = request, dict[float, DiagramContents]()
        if given is not None:
            self.solved[line_parameters(given.model)[request.over]] = given
        self.own = request.own if given is None else next(iter(self.solved))

    def at(self, value: float, *, progress: bool = False) -> DiagramContents:
        """Return the diagram at a value of the parameter; with a progress bar of its own, where no other is shown."""
        if value not in self.solved:
            how = self.request.arguments._replace(points=FEW_POINTS, progress=progress)
            self.solved[value] = solve_contents(self.request.model_at(value), how)
        return self.solved[value]
