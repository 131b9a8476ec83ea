"""The files of a report in the formats that were asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from replica.common.checked_arguments import checked_items, checked_number, quoted
from replica.common.errors import InvalidArgument
from replica.reports.formats.bibliography import Publication, bibtex
from replica.reports.formats.html import html_document
from replica.reports.formats.latex import latex_document, latex_fragment
from replica.reports.formats.markdown import markdown_document
from replica.reports.formats.pdf import compiled_pdf, require_pdflatex
from replica.reports.passages import Passage
from replica.reports.typesetting.line_breaking import LINE_WIDTH
from replica.reports.typesetting.naming import Naming

__all__ = ["DEFAULT_FORMATS", "FORMATS", "checked_choices", "documents"]

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
    what = f"a sequence of {', '.join(FORMATS)}"
    chosen = (formats,) if isinstance(formats, str) else tuple(checked_items("formats", formats, what))
    for name in chosen:
        if not isinstance(name, str) or name not in FORMATS:
            raise InvalidArgument(
                f"formats: no report can be written as {quoted(name)}; choose from {', '.join(FORMATS)}"
            )
    if not chosen:
        raise InvalidArgument(f"formats must name at least one of {', '.join(FORMATS)}, got {formats!r}")
    if (
        not isinstance(prefix, str)
        or not prefix
        or not all(c.isascii() and (c.isalnum() or c in "-:.") for c in prefix)
    ):
        raise InvalidArgument(f"prefix must consist of letters, digits, '-', ':' and '.', got {quoted(prefix)}")
    line_width = checked_number("line_width", line_width)
    if not LEAST_WIDTH <= line_width <= LINE_WIDTH:
        raise InvalidArgument(f"line_width must lie between {LEAST_WIDTH:g} and {LINE_WIDTH:g} ems, got {line_width!r}")
    if "pdf" in chosen:
        require_pdflatex()
    return chosen, Naming.of(latex_names)


def documents(
    title: str,
    passages: Sequence[Passage],
    fragments: Mapping[str, Sequence[Passage]],
    formats: Sequence[str],
    prefix: str,
    publications: Sequence[Publication],
    line_width: float = LINE_WIDTH,
    figures: Mapping[str, bytes] | None = None,
) -> dict[str, bytes]:
    r"""Return the content of every file by its name.

    Parameters
    ----------
    title, passages
        The whole report.
    fragments
        Parts of it to be read by ``\input`` in a paper, by the names of their files.
    formats
        Of :data:`FORMATS`.
    prefix
        Of the labels of equations.
    publications
        What is cited.
    line_width
        What a line of an equation may take, in ems.
    figures
        Files of the figures by their names, a PDF and an SVG for each.
    """
    pictures = dict(figures or {})
    files: dict[str, bytes] = {}
    document = latex_document(title, passages, prefix, publications, line_width)
    if "latex" in formats:
        files["report.tex"] = document.encode()
        for name, part in fragments.items():
            files[name] = latex_fragment(title, part, prefix, line_width).encode()
        files |= {name: content for name, content in pictures.items() if name.endswith(".pdf")}
    if "markdown" in formats:
        files["report.md"] = markdown_document(title, passages, publications).encode()
        files |= {name: content for name, content in pictures.items() if name.endswith(".svg")}
    if "html" in formats:
        images = {name.removesuffix(".svg"): x for name, x in pictures.items() if name.endswith(".svg")}
        files["report.html"] = html_document(title, passages, publications, images).encode()
    if "pdf" in formats:
        files["report.pdf"] = compiled_pdf(document, {k: x for k, x in pictures.items() if k.endswith(".pdf")})
    files["references.bib"] = bibtex(publications).encode()
    return files
