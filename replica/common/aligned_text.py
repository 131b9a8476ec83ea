"""Tables in plain text, for terminals."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["aligned"]


def aligned(rows: Sequence[Sequence[str]], *, right_from: int | None = None, underlined: bool = False) -> list[str]:
    r"""Return rows of cells as lines of columns.

    Parameters
    ----------
    rows
        The first are the columns' names.
    right_from
        First of the columns that are flush right; by default none are.
    underlined
        Whether a rule stands below the first row.

    Examples
    --------
    >>> print(*aligned([("name", "alpha"), ("alpha_c", "1.5")], right_from=1), sep="\n")
    name     alpha
    alpha_c    1.5
    """
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    right = len(widths) if right_from is None else right_from
    lines = [
        "  ".join(
            cell.rjust(width) if k >= right else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    if underlined:
        lines.insert(1, "  ".join("-" * width for width in widths))
    return lines
