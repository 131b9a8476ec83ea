"""What a report consists of, whatever its format: a sequence of passages.

Text is plain, with mathematics between dollar signs, references to equations as ``{eq:label}`` and to publications as
``{cite:key}``. Mathematics is LaTeX in the table's own letters; ``naming`` turns them into the user's.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

__all__ = ["Equation", "Figure", "Heading", "Line", "Paragraph", "Passage", "Table"]


@dataclass(frozen=True)
class Heading:
    """A section's title; level 2 is a subsection."""

    text: str
    level: int = 1


@dataclass(frozen=True)
class Paragraph:
    """Text with inline mathematics between dollar signs."""

    text: str


@dataclass(frozen=True)
class Line:
    """One line of a displayed equation, and by how many steps it is indented behind the relation."""

    text: str
    indent: int = 0


@dataclass(frozen=True)
class Equation:
    """A displayed equation, numbered and labelled.

    Attributes
    ----------
    label
        Label without the report's prefix.
    left
        Left side; if empty, the first line is a left side too wide to stand beside its right side.
    lines
        The right side, line by line, beginning with its relation.
    symbols
        Free symbols of the SymPy objects printed.
    """

    label: str
    left: str
    lines: tuple[Line, ...]
    symbols: frozenset[sp.Symbol] = frozenset()


@dataclass(frozen=True)
class Table:
    """A table with a header row; cells are text with inline mathematics."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


@dataclass(frozen=True)
class Figure:
    """A figure stored beside the report under a stem, in one file per kind of report."""

    stem: str
    caption: str


Passage = Heading | Paragraph | Equation | Table | Figure
