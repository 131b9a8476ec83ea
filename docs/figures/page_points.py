"""Means of training runs as a page's table has them, so that its figure can be drawn anew without training anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from replica.quantities.layout import Layout

__all__ = ["PagePoints", "points_of_page"]

CELL = re.compile(r"(-?\d+)(?:\.(\d+))?\((\d+)\)")
SIZE = re.compile(r"d = (\d+)")


@dataclass(frozen=True)
class PagePoints:
    """What figures draw of a comparison: means and standard errors, (start, dimension, alpha, quantity)."""

    layout: Layout
    statistics: xr.Dataset


def points_of_page(
    page: Path, marker: str, layout: Layout, labels: Mapping[str, tuple[str, float]], starts: Mapping[str, str]
) -> PagePoints:
    """Read the table between a page's markers of one name.

    Parameters
    ----------
    page, marker
        Where it stands.
    layout
        Of the model's order parameters.
    labels
        Quantity and unit by what the table's third column says.
    starts
        Start by the first word of its first column.

    Raises
    ------
    ValueError
        If the page has no such markers, or the table another quantity.
    """
    block = re.search(rf"<!-- {re.escape(marker)} -->\n(.*?)<!-- end -->", page.read_text(encoding="utf-8"), re.DOTALL)
    if block is None:
        raise ValueError(f"{page.name} has no markers for {marker!r}")
    head, _, *rows = [line.strip("| ").split(" | ") for line in block[1].splitlines() if line.startswith("|")]
    sizes = {place: int(found[1]) for place, cell in enumerate(head) if (found := SIZE.search(cell))}
    values: dict[tuple[str, int, float, str], tuple[float, float]] = {}
    for row in rows:
        if row[2] not in labels:
            raise ValueError(f"{page.name} has a row for {row[2]!r}; known are {', '.join(labels)}")
        name, unit = labels[row[2]]
        for place, size in sizes.items():
            mean, error = _number(row[place])
            values[starts[row[0].split()[0]], size, float(row[1].rstrip("*")), name] = (unit * mean, unit * error)
    axes = [sorted({key[k] for key in values}, key=str if k in (0, 3) else float) for k in range(4)]
    numbers = np.full((*map(len, axes), 2), np.nan)
    for key, pair in values.items():
        numbers[tuple(axis.index(one) for axis, one in zip(axes, key, strict=True))] = pair
    names = ("start", "dimension", "alpha", "quantity")
    columns = {name: (names, numbers[..., k]) for k, name in enumerate(("mean", "standard_error"))}
    return PagePoints(layout, xr.Dataset(columns, coords=dict(zip(names, axes, strict=True))))


def _number(text: str) -> tuple[float, float]:
    """Return a mean and its standard error, of "0.0469(50)"."""
    found = CELL.fullmatch(text)
    if found is None:
        raise ValueError(f"no number with an error: {text!r}")
    digits = found[2] or ""
    mean = float(f"{found[1]}.{digits}" if digits else found[1])
    return mean, int(found[3]) * 10.0 ** -len(digits)
