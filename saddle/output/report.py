"""Write the report of a solved diagram: equations from SymPy, results from the solver, in every format asked for."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from baselines import BASELINES, Baseline
from replica.common.checked_arguments import checked_path
from replica.common.errors import InvalidArgument
from replica.common.files import prepare_folder, write_files
from replica.common.numeric_errors import numpy_defaults
from replica.derivation import derive
from replica.reports.content.equation_report import equation_report
from replica.reports.formats.bibliography import cited
from replica.reports.formats.documents import DEFAULT_FORMATS, checked_choices, documents
from replica.reports.typesetting.line_breaking import LINE_WIDTH
from replica.reports.typesetting.naming import Naming
from saddle.output.report_content import (
    FIGURE_STEM,
    baseline_passages,
    check_passages,
    figure_passages,
    transition_passages,
)

if TYPE_CHECKING:
    from saddle.diagram.contents import DiagramContents

__all__ = ["write_report"]

TITLE = "Replica theory of dot-product attention"


def _figures(
    diagram: DiagramContents, baselines: Sequence[Baseline], naming: Naming, kinds: Iterable[str]
) -> dict[str, bytes]:
    """Draw the diagram as files of some kinds, by their suffix; the same diagram gives the same bytes."""
    import matplotlib

    from saddle.output.figures.diagram_figure import plot_phase_diagram
    from saddle.output.figures.figure_request import FigureRequest

    # Two by two, with the legend in the place of the fourth, for the width of a page.
    page = FigureRequest(panels=(2, 2), size=(7.4, 6.4))
    figures = {}
    for kind in kinds:
        buffer = io.BytesIO()
        # Dates would differ from run to run, and so would the random names of an SVG's parts.
        date = {"pdf": "CreationDate", "svg": "Date"}[kind]
        # Nor should the settings of the process around us show.
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update({"svg.hashsalt": "attention-phase", "pdf.fonttype": 42})
            figure = plot_phase_diagram(diagram, baselines, page, latex=naming.rename)
            try:
                figure.savefig(buffer, format=kind, metadata={date: None})
            except ValueError as error:
                if not naming.chosen:
                    raise
                chosen = ", ".join(map(repr, naming.chosen.values()))
                reason = " ".join(str(error).split())
                raise InvalidArgument(f"latex_names: the figure cannot show one of {chosen}: {reason}") from None
        figures[kind] = buffer.getvalue()
    return figures


@numpy_defaults
def write_report(
    diagram: DiagramContents,
    folder: str | os.PathLike[str],
    formats: Sequence[str] = DEFAULT_FORMATS,
    latex_names: Mapping[str, str] | None = None,
    prefix: str = "attention",
    line_width: float = LINE_WIDTH,
    baselines: Sequence[str | Baseline] = tuple(BASELINES),
) -> list[Path]:
    """Write the report to a folder and return the paths of its files.

    Everything is made before anything is written. See :meth:`saddle.PhaseDiagram.report` for the parameters.

    Raises
    ------
    ValueError
        If a format, a name, the prefix or a baseline is refused, pdflatex is missing or fails, or the folder cannot be
        written.
    """
    chosen, naming = checked_choices(formats, latex_names, prefix, line_width)
    checked_path("folder", folder)
    compared = diagram.made_baselines(baselines)
    target = prepare_folder(folder)
    derivation = derive(diagram.model)
    system = derivation.saddle_system
    theory = equation_report(derivation, naming, line_width)
    listed = baseline_passages(diagram, compared)
    results = [*listed, *transition_passages(diagram), *figure_passages(diagram), *check_passages(diagram, system)]
    passages = theory.with_results(results, naming)
    publications = cited(passages)
    kinds = [*(["pdf"] if {"latex", "pdf"} & {*chosen} else []), *(["svg"] if {"markdown", "html"} & {*chosen} else [])]
    figures = {f"{FIGURE_STEM}.{kind}": x for kind, x in _figures(diagram, compared, naming, kinds).items()}
    files = documents(TITLE, passages, theory.fragments(naming), chosen, prefix, publications, line_width, figures)
    return write_files(target, files)
