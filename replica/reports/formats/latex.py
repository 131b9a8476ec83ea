r"""Reports as LaTeX: a fragment for ``\input``, which needs amsmath only, and a standalone document."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence

from replica.common.version import library_version
from replica.reports.formats.bibliography import CITATION, Publication
from replica.reports.passages import Equation, Figure, Heading, Line, Paragraph, Passage, Table
from replica.reports.typesetting.line_breaking import LINE_WIDTH
from replica.reports.typesetting.tokens import in_mathematics
from replica.reports.typesetting.widths import text_width, typeset_width

__all__ = ["latex_document", "latex_fragment"]

# In ems of the document's small font: its text, and the space between two columns.
WIDEST_TABLE, COLUMN_SPACE = 44.0, 1.2

EQUATION_REFERENCE = re.compile(r"\{eq:([\w-]+)\}")
_MARKERS = re.compile(r"(\{(?:eq|cite):[\w-]+\})")

_HEAD = r"""\documentclass[11pt]{article}
\usepackage[utf8]{inputenc}
\usepackage[a4paper,margin=25mm]{geometry}
\usepackage{amsmath,amssymb}
\usepackage{array,graphicx,longtable}
\usepackage[hidelinks]{hyperref}
\ifdefined\pdftrailerid\pdftrailerid{}\fi
\ifdefined\pdfsuppressptexinfo\pdfsuppressptexinfo=-1\fi
\setlength{\emergencystretch}{3em}
\allowdisplaybreaks
\renewcommand{\arraystretch}{1.2}
@macros@\title{@title@}
\author{}
\date{}
\begin{document}
\maketitle
"""

_FRAGMENT_HEAD = r"""% @title@
% To be read by \input in an article, REVTeX or a frame of beamer; needs amsmath. Labels begin with eq:@prefix@-,
% citations are in references.bib. Without amssymb, averages are bold instead of blackboard bold.
@macros@\providecommand{\mathbb}[1]{\mathbf{#1}}
\begingroup\allowdisplaybreaks\setlength{\emergencystretch}{3em}
"""

_SPECIAL = {"%": r"\%", "&": r"\&", "#": r"\#", "_": r"\_", "<": "$<$", ">": "$>$", "{": r"\{", "}": r"\}",
            "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}  # fmt: skip


def _text(text: str, prefix: str) -> str:
    """Return text with special characters escaped outside of mathematics, and markers as commands."""

    def outside(plain: str) -> str:
        parts = _MARKERS.split(plain)
        shown = []
        for part in parts:
            if found := CITATION.fullmatch(part):
                shown.append(rf"\cite{{{found[1]}}}")
            elif found := EQUATION_REFERENCE.fullmatch(part):
                shown.append(rf"\eqref{{eq:{prefix}-{found[1]}}}")
            else:
                shown.append("".join(_SPECIAL.get(c, c) for c in part))
        # A citation stays on the line of the word before it.
        return "".join(shown).replace(r" \cite", r"~\cite").replace(r" \eqref", r"~\eqref")

    return in_mathematics(text, lambda x: x, outside)


def _line(line: Line) -> str:
    return r"\quad " * line.indent + line.text


def _label(passage: Equation, prefix: str) -> str:
    return rf"\label{{eq:{prefix}-{passage.label}}}"


def _equation(passage: Equation, prefix: str) -> str:
    lines = [_line(line) for line in passage.lines]
    if len(lines) == 1:
        return f"\\begin{{equation}}\n{_label(passage, prefix)}\n  {passage.left} {lines[0]}\n\\end{{equation}}"
    body = " \\\\\n  &".join(lines)
    return (
        f"\\begin{{equation}}\n{_label(passage, prefix)}\n\\begin{{split}}\n  {passage.left} &{body}\n\\end{{split}}\n"
        "\\end{equation}"
    )


def _equations(passages: Sequence[Equation], prefix: str, width: float) -> str:
    """Return equations that follow each other: aligned at their relations, if that leaves them narrow enough."""
    widest_left = max(typeset_width(passage.left) for passage in passages)
    widest_line = max(line.indent + typeset_width(line.text) for passage in passages for line in passage.lines)
    if len(passages) == 1 or widest_left + widest_line > width or not all(passage.left for passage in passages):
        return "\n".join(_equation(passage, prefix) for passage in passages)
    rows = []
    for passage in passages:
        *first, last = [_line(line) for line in passage.lines]
        shown = "".join(rf"{line} \nonumber \\" + "\n  &" for line in first)
        rows.append(f"  {passage.left} &{shown}{last} {_label(passage, prefix)}")
    return "\\begin{align}\n" + " \\\\\n".join(rows) + "\n\\end{align}"


def _columns(passage: Table) -> str:
    """Return the columns of a table: as wide as they are, or the widest in lines if they are too wide together."""
    widths = [max(_text_width(row[k]) for row in (passage.header, *passage.rows)) for k in range(len(passage.header))]
    available = WIDEST_TABLE - COLUMN_SPACE * len(widths)
    if sum(widths) <= available:
        return "l" * len(widths)
    widest = widths.index(max(widths))
    share = max(0.2, 0.99 * (available - sum(widths) + widths[widest]) / WIDEST_TABLE)
    lines = rf">{{\raggedright\arraybackslash}}p{{{share:.2f}\linewidth}}"
    return "".join(lines if k == widest else "l" for k in range(len(widths)))


def _text_width(cell: str) -> float:
    """Return about how wide a cell is, in ems."""
    plain = re.sub(r"\$[^$]*\$", "", cell)
    return text_width(plain) + sum(typeset_width(latex) for latex in re.findall(r"\$([^$]*)\$", cell))


def _table(passage: Table, prefix: str) -> str:
    rows = "\n".join(" & ".join(_text(cell, prefix) for cell in row) + r" \\" for row in passage.rows)
    head = " & ".join(_text(cell, prefix) for cell in passage.header) + r" \\ \hline"
    caption = _text(passage.caption, prefix) + "\n\n" if passage.caption else ""
    table = "\n".join([rf"\begin{{longtable}}{{{_columns(passage)}}}", r"\hline", head, r"\endhead", rows, r"\hline",
                       r"\end{longtable}"])  # fmt: skip
    return f"{caption}{{\\small\n{table}}}"


def _listed(passage: Table, prefix: str) -> str:
    """Return a table of two columns as a sentence, for where no table should float."""
    return "; ".join(": ".join(_text(cell, prefix) for cell in row) for row in passage.rows) + "."


def _figure(passage: Figure, prefix: str) -> str:
    return (
        "\\begin{figure}[htbp]\n\\centering\n"
        rf"\includegraphics[width=\linewidth]{{{passage.stem}.pdf}}"
        f"\n\\caption{{{_text(passage.caption, prefix)}}}\n\\end{{figure}}"
    )


def _passage(passage: Passage, prefix: str) -> str:
    match passage:
        case Paragraph():
            return _text(passage.text, prefix)
        case Equation():
            return _equation(passage, prefix)
        case Table():
            return _table(passage, prefix)
        case Figure():
            return _figure(passage, prefix)
        case Heading():
            return rf"\{'sub' * (passage.level - 1)}section{{{_text(passage.text, prefix)}}}"


def _joined(passages: Sequence[Passage], prefix: str, width: float, shown: Callable[[Passage], str]) -> str:
    """Join passages; an equation that its paragraph leads to belongs to the same paragraph in TeX, too."""
    text = ""
    for kind, group in itertools.groupby(enumerate(passages), lambda item: isinstance(item[1], Equation)):
        members = list(group)
        if kind:
            first = members[0][0]
            follows = first > 0 and isinstance(passages[first - 1], Paragraph)
            text += ("\n" if follows else "\n\n") + _equations(
                [x for _, x in members if isinstance(x, Equation)], prefix, width
            )
        else:
            text += "\n\n" + "\n\n".join(shown(passage) for _, passage in members)
    return text.strip()


def latex_fragment(
    title: str, passages: Sequence[Passage], prefix: str, width: float = LINE_WIDTH, macros: Sequence[str] = ()
) -> str:
    """Return passages as a fragment without preamble, sections, floats: headings begin paragraphs.

    ``macros`` are the user's commands that it uses, and the paper has to define.
    """

    def shown(passage: Passage) -> str:
        match passage:
            case Heading(text, level):
                # Slides have no \paragraph.
                space, font = (r"\par\medskip", "bf") if level == 1 else (r"\par\smallskip", "it")
                return rf"{space}\noindent\text{font}{{{_text(text, prefix)}.}}"
            case Table():
                return _listed(passage, prefix)
        return _passage(passage, prefix)

    own = f"% It uses commands of your own: {', '.join(macros)}.\n" if macros else ""
    head = _FRAGMENT_HEAD.replace("@title@", title).replace("@prefix@", prefix).replace("@macros@", own)
    body = re.sub(r"(\\noindent\\text(?:bf|it)\{[^\n]*\.\})\n\n", r"\1\n", _joined(passages, prefix, width, shown))
    return f"{head}\n{body}\n\\endgroup\n"


def latex_document(
    title: str, passages: Sequence[Passage], prefix: str, publications: Sequence[Publication],
    width: float = LINE_WIDTH, definitions: Sequence[str] = (),
) -> str:  # fmt: skip
    """Return passages as a document that compiles on its own, with its references in it.

    ``definitions`` are lines of its preamble.
    """
    own = "".join(f"{line}\n" for line in definitions)
    parts = [
        _HEAD.replace("@macros@", own).replace("@title@", _text(title, prefix)),
        _joined(passages, prefix, width, lambda x: _passage(x, prefix)),
    ]
    if publications:
        entries = [rf"\bibitem{{{x.key}}} {_reference(x, prefix)}" for x in publications]
        parts.append("\n".join([r"\begin{thebibliography}{9}", *entries, r"\end{thebibliography}"]))
    return "\n".join([*parts, r"\end{document}"]) + "\n"


def _reference(publication: Publication, prefix: str) -> str:
    text = _text(publication.text.replace("@version@", library_version()), prefix)
    return rf"{text} \url{{{publication.link}}}" if publication.link else text
