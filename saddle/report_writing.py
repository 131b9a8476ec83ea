"""Write the report of a solved diagram: equations from SymPy, results from the solver, in every format asked for."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from replica.free_energy import build_free_entropy
from replica.reports.assembly import equation_report
from replica.reports.bibliography import bibtex, cited
from replica.reports.equation_content import DerivationStep
from replica.reports.html import html_document
from replica.reports.latex import latex_document, latex_fragment
from replica.reports.line_breaking import LINE_WIDTH
from replica.reports.markdown import markdown_document
from replica.reports.naming import Naming
from replica.reports.pdf import compiled_pdf, require_pdflatex
from replica.saddle_equations import derive_saddle_system
from saddle.cache_folder import write_atomically
from saddle.report_content import FIGURE_STEM, baseline_blocks, check_blocks, figure_blocks, transition_blocks
from saddle.reporting import prepare_folder

if TYPE_CHECKING:
    from saddle.phase_diagram import PhaseDiagram

__all__ = ["DEFAULT_FORMATS", "FORMATS", "checked_choices", "write_report"]

TITLE = "Replica theory of dot-product attention"
FORMATS = ("latex", "markdown", "html", "pdf")
DEFAULT_FORMATS = ("latex", "markdown", "html")
# The widest part that cannot be broken has to fit: one fraction of a channel equation.
LEAST_WIDTH = 20.0


def checked_choices(
    formats: Sequence[str], latex_names: Mapping[str, str] | None, prefix: str, line_width: float = LINE_WIDTH
) -> tuple[tuple[str, ...], Naming]:
    """Return formats and names if they can be used, before anything is computed.

    Raises
    ------
    ValueError
        If not; the message quotes what is refused.
    """
    chosen = (formats,) if isinstance(formats, str) else tuple(formats)
    for name in chosen:
        if name not in FORMATS:
            raise ValueError(f"no report can be written as {name!r}; choose from {', '.join(FORMATS)}")
    if not chosen:
        raise ValueError(f"formats must name at least one of {', '.join(FORMATS)}, got {formats!r}")
    if not prefix or not all(c.isascii() and (c.isalnum() or c in "-:.") for c in prefix):
        raise ValueError(f"prefix must consist of letters, digits, '-', ':' and '.', got {prefix!r}")
    if not LEAST_WIDTH <= line_width <= LINE_WIDTH:
        raise ValueError(f"line_width must lie between {LEAST_WIDTH:g} and {LINE_WIDTH:g} ems, got {line_width!r}")
    if "pdf" in chosen:
        require_pdflatex()
    return chosen, Naming.of(latex_names)


def _figures(diagram: PhaseDiagram, naming: Naming, kinds: Iterable[str]) -> dict[str, bytes]:
    """Draw the diagram as files of some kinds, by their suffix; the same diagram gives the same bytes."""
    import matplotlib

    from saddle.plotting import plot_phase_diagram

    figures = {}
    for kind in kinds:
        buffer = io.BytesIO()
        # Dates would differ from run to run, and so would the random names of an SVG's parts.
        date = {"pdf": "CreationDate", "svg": "Date"}[kind]
        with matplotlib.rc_context({"svg.hashsalt": "attention-phase", "pdf.fonttype": 42}):
            figure = plot_phase_diagram(diagram, latex=naming.rename, square=True)
            try:
                figure.savefig(buffer, format=kind, metadata={date: None})
            except ValueError as error:
                if not naming.chosen:
                    raise
                chosen = ", ".join(map(repr, naming.chosen.values()))
                reason = " ".join(str(error).split())
                raise ValueError(f"latex_names: the figure cannot show one of {chosen}: {reason}") from None
        figures[kind] = buffer.getvalue()
    return figures


def write_report(
    diagram: PhaseDiagram,
    folder: str | os.PathLike[str],
    formats: Sequence[str] = DEFAULT_FORMATS,
    latex_names: Mapping[str, str] | None = None,
    prefix: str = "attention",
    line_width: float = LINE_WIDTH,
    derivation: Iterable[DerivationStep] | None = None,
) -> list[Path]:
    """Write the report to a folder and return the paths of its files.

    Everything is made before anything is written. See :meth:`saddle.PhaseDiagram.report` for the parameters;
    ``derivation`` holds the steps to show, if any.

    Raises
    ------
    ValueError
        If a format, a name or the prefix is refused, pdflatex is missing or fails, or the folder cannot be written.
    """
    chosen, naming = checked_choices(formats, latex_names, prefix, line_width)
    target = prepare_folder(folder)
    system = derive_saddle_system(build_free_entropy(diagram.model.structure))
    theory = equation_report(system, diagram.model.parameter_values(), naming, derivation, line_width)
    baseline = baseline_blocks(diagram)
    results = [*baseline, *transition_blocks(diagram), *figure_blocks(diagram), *check_blocks(diagram, system)]
    blocks = theory.with_results(results, naming)
    publications = cited(blocks)
    kinds = [*(["pdf"] if {"latex", "pdf"} & {*chosen} else []), *(["svg"] if {"markdown", "html"} & {*chosen} else [])]
    figures = _figures(diagram, naming, kinds)
    files: dict[str, bytes] = {}
    document = latex_document(TITLE, blocks, prefix, publications, line_width)
    if "latex" in chosen:
        files["report.tex"] = document.encode()
        files["equations.tex"] = latex_fragment(TITLE, theory.theory_only(naming), prefix, line_width).encode()
    if "markdown" in chosen:
        files["report.md"] = markdown_document(TITLE, blocks, publications).encode()
    if "html" in chosen:
        files["report.html"] = html_document(TITLE, blocks, publications, {FIGURE_STEM: figures["svg"]}).encode()
    if "pdf" in chosen:
        files["report.pdf"] = compiled_pdf(document, {f"{FIGURE_STEM}.pdf": figures["pdf"]})
    if "latex" in chosen:
        files[f"{FIGURE_STEM}.pdf"] = figures["pdf"]
    if "markdown" in chosen:
        files[f"{FIGURE_STEM}.svg"] = figures["svg"]
    files["references.bib"] = bibtex(publications).encode()
    for name, content in files.items():
        write_atomically(target / name, content)
    return [target / name for name in files]
