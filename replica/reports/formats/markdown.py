"""Reports as Markdown, with mathematics as GitHub renders it."""

from __future__ import annotations

from collections.abc import Sequence

from replica.common.version import library_version
from replica.reports.formats.bibliography import CITATION, Publication
from replica.reports.formats.latex import EQUATION_REFERENCE
from replica.reports.passages import Equation, Figure, Heading, Paragraph, Passage, Table
from replica.reports.typesetting.tokens import in_mathematics

__all__ = ["markdown_document"]

# Markdown takes a backslash before punctuation for its own; a bar would end a table's cell.
_SAFE = ((r"\,", r"\thinspace "), (r"\;", r"\thickspace "), (r"\{", r"\lbrace "), (r"\}", r"\rbrace "), (r"\!", ""),
         ("|", r"\vert "), ("<", r"\lt "), (">", r"\gt "), ("*", r"\ast "))  # fmt: skip


def _mathematics(latex: str) -> str:
    for unsafe, safe in _SAFE:
        latex = latex.replace(unsafe, safe)
    return latex


def _text(text: str, equations: Sequence[str], keys: Sequence[str]) -> str:
    def outside(plain: str) -> str:
        plain = EQUATION_REFERENCE.sub(lambda found: f"({equations.index(found[1]) + 1})", plain)
        return CITATION.sub(lambda found: f"[[{keys.index(found[1]) + 1}]](#references)", plain).replace("|", r"\|")

    return in_mathematics(text, _mathematics, outside)


def _equation(passage: Equation, number: int) -> str:
    lines = [r"\quad " * line.indent + _mathematics(line.text) for line in passage.lines]
    left = _mathematics(passage.left)
    if len(lines) == 1:
        return f"$$\n{left} {lines[0]} \\tag{{{number}}}\n$$"
    body = " \\\\\n&".join(lines)
    return f"$$\n\\begin{{aligned}}\n{left} &{body}\n\\end{{aligned}} \\tag{{{number}}}\n$$"


def markdown_document(title: str, passages: Sequence[Passage], publications: Sequence[Publication]) -> str:
    """Return passages as one Markdown file; figures are SVG files beside it."""
    equations = [passage.label for passage in passages if isinstance(passage, Equation)]
    keys = [publication.key for publication in publications]
    parts = [f"# {title}"]
    number = 0
    for passage in passages:
        match passage:
            case Heading(text, level):
                parts.append(f"{'#' * (level + 1)} {text}")
            case Paragraph(text):
                parts.append(_text(text, equations, keys))
            case Equation():
                number += 1
                parts.append(_equation(passage, number))
            case Table(header, rows, caption):
                table = ["| " + " | ".join(_text(cell, equations, keys) for cell in header) + " |",
                         "|" + " --- |" * len(header)]  # fmt: skip
                table += ["| " + " | ".join(_text(cell, equations, keys) for cell in row) + " |" for row in rows]
                parts += [_text(caption, equations, keys)] if caption else []
                parts.append("\n".join(table))
            case Figure(stem, caption):
                plain = caption.replace("$", "").replace("[", "(").replace("]", ")").replace("\\", "")
                parts += [f"![{plain}]({stem}.svg)", f"*Figure.* {_text(caption, equations, keys)}"]
    if publications:
        parts.append("## References")
        listed = [
            f"{k}. {x.text.replace('@version@', library_version())}" + (f" <{x.link}>" if x.link else "")
            for k, x in enumerate(publications, 1)
        ]
        parts.append("\n".join(listed))
    return "\n\n".join(parts) + "\n"
