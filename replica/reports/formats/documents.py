"""The files of a report in the formats that were asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from replica.reports.formats.bibliography import bibtex, cited
from replica.reports.formats.choices import ReportChoices
from replica.reports.formats.html import html_document
from replica.reports.formats.latex import latex_document, latex_fragment
from replica.reports.formats.markdown import markdown_document
from replica.reports.formats.pdf import compiled_pdf
from replica.reports.passages import Passage

__all__ = ["ReportText", "documents"]


@dataclass(frozen=True)
class ReportText:
    r"""What a report says, in the library's letters.

    Attributes
    ----------
    title, passages
        The whole report.
    fragments
        Parts of it to be read by ``\input`` in a paper, by the names of their files.
    figures
        Files of the figures by their names, a PDF and an SVG for each.
    """

    title: str
    passages: Sequence[Passage]
    fragments: Mapping[str, Sequence[Passage]]
    figures: Mapping[str, bytes] = field(default_factory=dict)


def documents(text: ReportText, choices: ReportChoices) -> dict[str, bytes]:
    """Return the content of every file by its name, with the user's letters."""
    naming, formats, figures = choices.naming, choices.formats, text.figures
    publications = cited(text.passages)
    files: dict[str, bytes] = {}

    def named(passages: Sequence[Passage], latex: bool) -> list[Passage]:
        return [(naming if latex else naming.plain).rename_passage(x) for x in passages]

    prefix, width = choices.prefix, choices.line_width
    document = latex_document(
        text.title, named(text.passages, latex=True), prefix, publications, width, naming.definitions
    )
    plain = named(text.passages, latex=False)
    if "latex" in formats:
        files["report.tex"] = document.encode()
        for name, part in text.fragments.items():
            shown = named(part, latex=True)
            files[name] = latex_fragment(text.title, shown, prefix, width, tuple(naming.macros)).encode()
        files |= {name: content for name, content in figures.items() if name.endswith(".pdf")}
    if "markdown" in formats:
        files["report.md"] = markdown_document(text.title, plain, publications).encode()
        files |= {name: content for name, content in figures.items() if name.endswith(".svg")}
    if "html" in formats:
        images = {name.removesuffix(".svg"): x for name, x in figures.items() if name.endswith(".svg")}
        files["report.html"] = html_document(text.title, plain, publications, images).encode()
    if "pdf" in formats:
        files["report.pdf"] = compiled_pdf(document, {k: x for k, x in figures.items() if k.endswith(".pdf")})
    if publications:
        files["references.bib"] = bibtex(publications).encode()
    return files
