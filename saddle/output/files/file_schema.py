"""What a results file must hold: a table of its variables, and the types of its attributes.

A variable is a row of a table of :class:`Column`: its dimensions, what is said about it in the file, and what its
values must be. Files are checked against the table when they are read, and when they are written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from replica.common.errors import UnreadableFile
from saddle.output.files.json_values import from_plain, to_plain

__all__ = ["Attribute", "Column", "Contents", "attributes_to_json", "variable_of"]

KINDS = {"number": "f", "integer": "iu", "text": "UO"}


@dataclass(frozen=True)
class Column:
    """A variable of a results file.

    Attributes
    ----------
    name, dims
        Name and dimensions.
    long_name
        What it is, for people and figures.
    normalisation
        What it is divided by; everything is dimensionless.
    symbol
        Its LaTeX, where it has one.
    kind
        "number", "integer" or "text".
    values
        What numbers must be: "finite"; "stored", finite where the file says that a solution is stored and nan
        elsewhere; "there", the same but anything elsewhere; "known", nan elsewhere and where not known; "error", that
        and not negative; "any".
    since
        First version of the format that has it.
    comment
        What else a reader must know.
    """

    name: str
    dims: tuple[str, ...]
    long_name: str
    normalisation: str = ""
    symbol: str = ""
    kind: str = "number"
    values: str = "any"
    since: int = 0
    comment: str = ""

    @property
    def attributes(self) -> dict[str, str]:
        """What the file says about it."""
        said = {
            "long_name": self.long_name,
            "units": "1" if self.kind == "number" else "",
            "normalisation": self.normalisation,
            "symbol": self.symbol,
            "comment": self.comment,
        }
        return {name: text for name, text in said.items() if text}


def variable_of(column: Column, values: Any) -> tuple[tuple[str, ...], np.ndarray, dict[str, str]]:
    """Return a column with its values as xarray takes it."""
    dtype = {"number": float, "integer": None, "text": str}[column.kind]
    return column.dims, np.asarray(values, dtype=dtype), column.attributes


@dataclass(frozen=True)
class Attribute:
    """An attribute of a results file that is kept as JSON.

    Attributes
    ----------
    name
        Its name, and that of the field that it is the value of.
    hint
        Its type; see :func:`saddle.output.files.json_values.from_plain`.
    since
        First version of the format that has it.
    default
        Its value in earlier ones.
    """

    name: str
    hint: Any
    since: int = 0
    default: Any = None


def attributes_to_json(table: Iterable[Attribute], source: object) -> dict[str, str]:
    """Return the attributes of a table as JSON texts, their values taken from an object's fields."""
    return {row.name: json.dumps(to_plain(getattr(source, row.name))) for row in table}


@dataclass(frozen=True)
class Contents:
    """What a results file holds, of which nothing is believed before it is checked.

    Attributes
    ----------
    data
        The file's Dataset.
    version
        Version of its format.
    """

    data: xr.Dataset
    version: int

    def json(self, name: str, hint: Any) -> Any:
        """Return an attribute that is kept as JSON, of a type that ``json_values.from_plain`` knows."""
        text = self.data.attrs.get(name)
        if not isinstance(text, str):
            raise UnreadableFile(f"the attribute {name!r} is missing or no text")
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            raise UnreadableFile(f"the attribute {name!r} is no JSON: {text[:40]!r}") from None
        return from_plain(hint, value, name)

    def read(self, table: Iterable[Attribute]) -> dict[str, Any]:
        """Return the attributes of a table by name; an early file lacks those that came later."""
        return {row.name: row.default if self.version < row.since else self.json(row.name, row.hint) for row in table}

    def number(self, name: str) -> float:
        """Return an attribute that is a number."""
        value = self.data.attrs.get(name)
        if not isinstance(value, int | float):
            raise UnreadableFile(f"the attribute {name!r} is missing or no number")
        return float(value)

    def values(self, name: str) -> np.ndarray:
        """Return the values of a variable."""
        return np.array(self.data[name].values)

    def texts(self, name: str) -> list[str]:
        """Return the values of a variable of texts along one dimension."""
        return [str(x) for x in self.data[name].values]

    def check(self, table: Iterable[Column], stored: np.ndarray | None = None) -> None:
        """Compare the variables with a table.

        Parameters
        ----------
        table
            Those that there must be. Others are ignored.
        stored
            Where solutions are stored, for columns that depend on it; its dimensions are the first of theirs.
        """
        for column in table:
            if self.version >= column.since:
                self._check(column, stored)

    def _check(self, column: Column, stored: np.ndarray | None) -> None:
        where = f"the variable {column.name!r}"
        if column.name not in self.data.variables:
            raise UnreadableFile(f"{where} is missing")
        variable = self.data.variables[column.name]
        if variable.dims != column.dims:
            raise UnreadableFile(f"{where} must have the dimensions {column.dims}, got {variable.dims}")
        if variable.dtype.kind not in KINDS[column.kind]:
            raise UnreadableFile(f"{where} must hold {column.kind}s, got {variable.dtype}")
        if column.kind == "number":
            _check_numbers(column, where, variable.values, stored)


def _check_numbers(column: Column, where: str, values: np.ndarray, stored: np.ndarray | None) -> None:
    if column.values == "finite":
        if not np.all(np.isfinite(values)):
            raise UnreadableFile(f"{where} must be finite")
    elif column.values != "any":
        assert stored is not None, column
        if column.values != "there" and not np.all(np.isnan(values[~stored])):
            raise UnreadableFile(f"{where} must be nan where no solution is stored")
        if column.values in ("stored", "there") and not np.all(np.isfinite(values[stored])):
            raise UnreadableFile(f"{where} must be finite where a solution is stored")
        if column.values == "error" and np.any(values[stored] < 0.0):
            raise UnreadableFile(f"{where} must not be negative")
