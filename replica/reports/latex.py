r"""Reports as LaTeX: a fragment for ``\input``, which needs amsmath only, and a standalone document."""

from __future__ import annotations

import re
from collections.abc import Sequence

from replica.reports.bibliography import CITATION, Publication, library_version
from replica.reports.blocks import Block, Equation, Figure, Heading, Line, Paragraph, Table
from replica.reports.tokens import in_mathematics

__all__ = ["latex_document", "latex_fragment"]

EQUATION_REFERENCE = re.compile(r"\{eq:([\w-]+)\}")
_MARKERS = re.compile(r"(\{(?:eq|cite):[\w-]+\})")

_HEAD = r"""\documentclass[11pt]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage[a4paper,margin=25mm]{geometry}
\usepackage{amsmath,amssymb}
\usepackage{graphicx}
\usepackage[hidelinks]{hyperref}
\ifdefined\pdftrailerid\pdftrailerid{}\fi
\ifdefined\pdfsuppressptexinfo\pdfsuppressptexinfo=-1\fi
\setlength{\emergencystretch}{3em}
\allowdisplaybreaks
\title{@title@}
\author{}
\date{}
\begin{document}
\maketitle
"""

_FRAGMENT_HEAD = r"""% @title@
% To be read by \input; needs amsmath. Labels begin with eq:@prefix@-, citations are in references.bib.
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


def _equation(block: Equation, prefix: str) -> str:
    label = rf"\label{{eq:{prefix}-{block.label}}}"
    lines = [_line(line) for line in block.lines]
    if len(lines) == 1:
        return f"\\begin{{equation}}\n{label}\n  {block.left} {lines[0]}\n\\end{{equation}}"
    body = " \\\\\n  &".join(lines)
    return (
        f"\\begin{{equation}}\n{label}\n\\begin{{split}}\n  {block.left} &{body}\n\\end{{split}}\n\\end{{equation}}"
    )


def _table(block: Table, prefix: str) -> str:
    # Text columns that may be long share the width that is left by short ones.
    longest = [max(len(row[k]) for row in (block.header, *block.rows)) for k in range(len(block.header))]
    wide = [length > 38 for length in longest]
    share = (0.94 - sum(min(0.2, 0.014 * length + 0.03) for length, w in zip(longest, wide, strict=True) if not w))
    columns = "".join(
        rf"p{{{share / max(1, sum(wide)):.2f}\linewidth}}" if is_wide else "l" for is_wide in wide
    )
    rows = [" & ".join(_text(cell, prefix) for cell in row) + r" \\" for row in block.rows]
    head = " & ".join(_text(cell, prefix) for cell in block.header) + r" \\ \hline"
    caption = [_text(block.caption, prefix) + "\n"] if block.caption else []
    # Long tables must be able to go on on the next page; a group of rows at a time is plain LaTeX.
    parts = []
    for first in range(0, len(rows), 40):
        body = "\n".join([rf"\begin{{tabular}}{{{columns}}}", r"\hline", head, *rows[first : first + 40], r"\hline",
                          r"\end{tabular}"])  # fmt: skip
        parts.append("\\begin{center}\n\\small\n" + body + "\n\\end{center}")
    return "\n\n".join([*caption, *parts])


def _figure(block: Figure, prefix: str) -> str:
    return (
        "\\begin{figure}[htbp]\n\\centering\n"
        rf"\includegraphics[width=\linewidth]{{{block.stem}.pdf}}"
        f"\n\\caption{{{_text(block.caption, prefix)}}}\n\\end{{figure}}"
    )


def _block(block: Block, prefix: str) -> str:
    match block:
        case Paragraph():
            return _text(block.text, prefix)
        case Equation():
            return _equation(block, prefix)
        case Table():
            return _table(block, prefix)
        case Figure():
            return _figure(block, prefix)
        case Heading():
            return rf"\{'sub' * (block.level - 1)}section{{{_text(block.text, prefix)}}}"


def _joined(parts: Sequence[tuple[Block, str]]) -> str:
    """Join blocks; an equation that its paragraph leads to belongs to the same paragraph in TeX, too."""
    text = ""
    previous: Block | None = None
    for block, shown in parts:
        if text:
            text += "\n" if isinstance(block, Equation) and isinstance(previous, Paragraph | Equation) else "\n\n"
        text += shown
        previous = block
    return text


def latex_fragment(title: str, blocks: Sequence[Block], prefix: str) -> str:
    """Return blocks as a fragment without preamble and sections; headings become the beginnings of paragraphs."""
    parts = []
    for block in blocks:
        if isinstance(block, Heading):
            shown = rf"\{'paragraph' if block.level == 1 else 'subparagraph'}{{{_text(block.text, prefix)}.}}"
        else:
            shown = _block(block, prefix)
        parts.append((block, shown))
    head = _FRAGMENT_HEAD.replace("@title@", title).replace("@prefix@", prefix)
    return head + "\n" + _joined(parts) + "\n"


def latex_document(title: str, blocks: Sequence[Block], prefix: str, publications: Sequence[Publication]) -> str:
    """Return blocks as a document that compiles on its own, with its references in it."""
    parts = [_HEAD.replace("@title@", _text(title, prefix)), _joined([(b, _block(b, prefix)) for b in blocks])]
    if publications:
        entries = [rf"\bibitem{{{x.key}}} {_reference(x, prefix)}" for x in publications]
        parts.append("\n".join([r"\begin{thebibliography}{9}", *entries, r"\end{thebibliography}"]))
    return "\n".join([*parts, r"\end{document}"]) + "\n"


def _reference(publication: Publication, prefix: str) -> str:
    text = _text(publication.text.replace("@version@", library_version()), prefix)
    return rf"{text} \url{{{publication.link}}}" if publication.link else text
