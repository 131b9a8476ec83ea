"""Write the report of a solved diagram: equations from SymPy, results from the solver, in every format asked for."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from baselines import BASELINES, Baseline
from replica.common.checked_arguments import checked_path
from replica.common.files import prepare_folder, write_files
from replica.common.numeric_errors import numpy_defaults
from replica.derivation import derive
from replica.quantities.loss_structure import LossStructure
from replica.reports.content.equation_report import PARTS, equation_report
from replica.reports.formats.choices import ReportOptions
from replica.reports.formats.documents import ReportText, documents
from replica.reports.passages import Passage
from replica.reports.typesetting.naming import Naming
from saddle.output.report_content import (
    FIGURE_STEM,
    baseline_passages,
    check_passages,
    figure_passages,
    transition_passages,
)
from saddle.output.steps.step_passages import step_passages

if TYPE_CHECKING:
    from saddle.diagram.contents import DiagramContents
    from saddle.diagram.steps.step_contents import StepContents

__all__ = ["ReportOptions", "write_report"]

TITLES = {True: "Replica theory of a multi-index model", False: "Replica theory of dot-product attention"}


RESULT_PARTS = ("baselines", "transitions", "figure", "check")
"""What a report of a diagram has besides the equations, in order."""

STEP_PARTS = ("baselines", "transitions", "steps", "figure", "check")
"""The same of a diagram with steps of replica-symmetry breaking."""


def _drawable(naming: Naming) -> Naming:
    """Return names that a figure can show: a symbol that it cannot is the library's."""
    from matplotlib.mathtext import MathTextParser

    parser = MathTextParser("path")
    kept = dict(naming.chosen)
    for name, latex in naming.chosen.items():
        try:
            parser.parse(f"${latex}$")
        except ValueError:
            del kept[name]
    found = Naming(kept, naming.parameters)
    found.require_distinct("in the figure, which cannot show all of LaTeX, ")
    return found


def _figures(
    diagram: DiagramContents,
    baselines: Sequence[Baseline],
    naming: Naming,
    kinds: Iterable[str],
    steps: StepContents | None = None,
) -> dict[str, bytes]:
    """Draw the diagram as files of some kinds, by their suffix; the same diagram gives the same bytes."""
    import matplotlib

    from saddle.output.figures.diagram_figure import plot_phase_diagram
    from saddle.output.figures.figure_request import FigureRequest
    from saddle.output.figures.steps_figure import draw_steps

    # Two by two, with the legend in the place of the fourth, for the width of a page.
    page = FigureRequest(panels=(2, 2), size=(7.4, 6.4))
    figures = {}
    shown = _drawable(naming.plain)
    for kind in kinds:
        buffer = io.BytesIO()
        # Dates would differ from run to run, and so would the random names of an SVG's parts.
        date = {"pdf": "CreationDate", "svg": "Date"}[kind]
        # Nor should the settings of the process around us show.
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update({"svg.hashsalt": "attention-phase", "pdf.fonttype": 42})
            figure = plot_phase_diagram(diagram, baselines, page, latex=shown.rename)
            if steps is not None:
                draw_steps(steps, figure, page)
            figure.savefig(buffer, format=kind, metadata={date: None})
        figures[kind] = buffer.getvalue()
    return figures


@numpy_defaults
def write_report(
    diagram: DiagramContents,
    folder: str | os.PathLike[str],
    options: ReportOptions,
    baselines: Sequence[str | Baseline] = tuple(BASELINES),
    steps: StepContents | None = None,
) -> list[Path]:
    """Write the report to a folder and return the paths of its files.

    Everything is made before anything is written. See :meth:`saddle.PhaseDiagram.report` for the parameters; ``steps``
    are solutions of the same diagram with steps of replica-symmetry breaking, which the report then has, too.

    Raises
    ------
    ValueError
        If an option or a baseline is refused, pdflatex is missing or fails, or the folder cannot be written.
    """
    derivation = derive(diagram.model)
    parts = RESULT_PARTS if steps is None else STEP_PARTS
    choices = options.checked(derivation, (*PARTS, *parts))
    checked_path("folder", folder)
    compared = diagram.made_baselines(baselines)
    target = prepare_folder(folder)
    theory, unnamed = equation_report(derivation, choices.naming, choices.line_width), Naming.of(None)
    written: dict[str, Callable[[], list[Passage]]] = {
        "baselines": lambda: baseline_passages(diagram, compared),
        "transitions": lambda: transition_passages(diagram),
        "steps": lambda: [] if steps is None else step_passages(steps, "transitions" in choices.parts),
        "figure": lambda: figure_passages(diagram, steps),
        "check": lambda: check_passages(diagram, derivation.saddle_system),
    }
    results = [x for part in parts if part in choices.parts for x in written[part]()]
    passages = theory.with_results(results, unnamed, choices.parts)
    drawn = {**dict.fromkeys(("latex", "pdf"), "pdf"), **dict.fromkeys(("markdown", "html"), "svg")}
    kinds = sorted({drawn[x] for x in choices.formats}) if "figure" in choices.parts else []
    drawn_files = _figures(diagram, compared, choices.naming, kinds, steps)
    figures = {f"{FIGURE_STEM}.{kind}": x for kind, x in drawn_files.items()}
    title = TITLES[isinstance(diagram.model.structure, LossStructure)]
    text = ReportText(title, passages, theory.fragments(unnamed, choices.parts), figures)
    return write_files(target, documents(text, choices))
