"""Tables as HTML, for notebooks: plain and escaped, in the colours of whatever page they are shown on."""

from __future__ import annotations

import html
from collections.abc import Sequence

__all__ = ["html_table"]

# Notebooks would set text flush right, as numbers.
ALIGNED = 'style="text-align: left"'


def html_table(heading: str, rows: Sequence[Sequence[str]], columns: Sequence[str] = ()) -> str:
    """Return a heading and rows of cells as an HTML table.

    Parameters
    ----------
    heading
        What the table shows, a line of text.
    rows
        Cells as plain text, which is escaped; the first one of a row is its name.
    columns
        Names of the columns; by default they have none.

    Examples
    --------
    >>> html_table("a < b", [("alpha", "1.5")]).replace(ALIGNED, "...")
    '<table><caption>a &lt; b</caption><tbody><tr><th ...>alpha</th><td ...>1.5</td></tr></tbody></table>'
    """
    # NOTE: no colours and no script: the page around knows whether it is dark, and may allow no script.
    head = f"<thead><tr>{''.join(map(_header, columns))}</tr></thead>" if columns else ""
    body = "".join(f"<tr>{_header(row[0])}{''.join(map(_cell, row[1:]))}</tr>" for row in rows)
    return f"<table><caption>{_escaped(heading)}</caption>{head}<tbody>{body}</tbody></table>"


def _header(text: str) -> str:
    return f"<th {ALIGNED}>{_escaped(text)}</th>"


def _cell(text: str) -> str:
    return f"<td {ALIGNED}>{_escaped(text)}</td>"


def _escaped(text: str) -> str:
    # A dollar would begin mathematics in a notebook.
    return html.escape(text).replace("$", "&#36;")
