"""Everything that a campaign asks of one diagram, as sentences on what breaks it."""

from __future__ import annotations

import math
from pathlib import Path

from saddle import PhaseDiagram
from saddle.testing.diagram_laws import told_laws, value_laws
from saddle.testing.survival import losses_of
from saddle.testing.transition_laws import transition_laws

__all__ = ["broken_laws", "not_survived"]


def broken_laws(diagram: PhaseDiagram, tolerance: float) -> list[str]:
    """Return in words which laws a diagram breaks; the first word, up to the colon, is the law.

    Parameters
    ----------
    diagram
        What was solved.
    tolerance
        That it was asked for: slopes of Phi may be off by three times that, as its averages are about that good.
    """
    return [*told_laws(diagram), *value_laws(diagram, tolerance), *transition_laws(diagram)]


def not_survived(diagram: PhaseDiagram, folder: Path, *, with_report: bool = False) -> list[str]:
    """Return in words what a diagram does not survive of copies, plot, save, load, repr and, if asked for, report.

    A campaign goes on whatever one diagram does, so every exception is caught here.
    """
    found = list(losses_of(diagram))

    def attempt(what: str, action) -> None:
        try:
            action()
        except Exception as failure:  # noqa: BLE001
            found.append(f"{what}: {type(failure).__name__}: {failure}")

    def plot() -> None:
        from matplotlib import pyplot

        pyplot.close(diagram.plot())

    attempt("plot", plot)
    if with_report:
        attempt("report", lambda: diagram.report(folder / "report", formats=("markdown",)))
    assert all(math.isfinite(value) for value in diagram.alpha)
    return found
