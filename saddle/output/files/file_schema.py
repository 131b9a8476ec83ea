"""What a results file must hold: a table of its variables, and the types of its attributes.

A variable is a row of a table of :class:`Column`: its dimensions, what is said about it in the file, and what its
values must be. Files are checked against the table when they are read, and when they are written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from replica.common.errors import UnreadableFile
from saddle.output.files.json_values import from_plain, to_json

__all__ = ["Attribute", "Column", "Contents", "Variable", "attributes_to_json", "variable_of"]

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
    flags
        Of integers that stand for something: every value, and what it means in one word.
    ancillary
        Names of the variables that say more of the same values: of their error, or of how far they hold.
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
    flags: tuple[tuple[int, str], ...] = ()
    ancillary: tuple[str, ...] = ()

    @property
    def attributes(self) -> dict[str, Any]:
        """What the file says about it, by the names of the CF conventions where these have one."""
        said = {
            "long_name": self.long_name,
            "units": "1",
            "normalisation": self.normalisation,
            "symbol": self.symbol,
            "comment": self.comment,
            "ancillary_variables": " ".join(self.ancillary),
            "flag_meanings": " ".join(meaning for _, meaning in self.flags),
        }
        found: dict[str, Any] = {name: text for name, text in said.items() if text}
        return found | ({"flag_values": np.array([k for k, _ in self.flags], dtype=np.int8)} if self.flags else {})


Variable = tuple[tuple[str, ...], np.ndarray, dict[str, Any]]
"""Dimensions, values and attributes, as xarray takes them."""


def variable_of(column: Column, values: Any, shape: tuple[int, ...] | None = None) -> Variable:
    """Return a column with its values as xarray takes it; the shape need be given only where there may be none."""
    dtype = {"number": float, "integer": np.int8 if column.flags else None, "text": str}[column.kind]
    found = np.asarray(values, dtype=dtype)
    return column.dims, found if shape is None else found.reshape(shape), column.attributes


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
    return {row.name: to_json(getattr(source, row.name)) for row in table}


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

    def check_derived(self, variables: Mapping[str, Variable], since: int) -> None:
        """Refuse a file whose variables that follow from the rest are not what follows from the rest.

        Parameters
        ----------
        variables
            What they must be, by name.
        since
            First version of the format that has them.
        """
        for name, (dims, expected, _) in variables.items() if self.version >= since else ():
            if name not in self.data.variables:
                raise UnreadableFile(f"the variable {name!r} is missing")
            found = self.data.variables[name]
            values = np.asarray(found.values)
            alike = (values.dtype.kind in "f") == (expected.dtype.kind in "f")
            if found.dims != dims or not alike or not np.array_equal(values, expected, values.dtype.kind == "f"):
                raise UnreadableFile(f"the variable {name!r} contradicts the rest of the file")

    def _check(self, column: Column, stored: np.ndarray | None) -> None:
        where = f"the variable {column.name!r}"
        if column.name not in self.data.variables:
            raise UnreadableFile(f"{where} is missing")
        variable = self.data.variables[column.name]
        if variable.dims != column.dims:
            raise UnreadableFile(f"{where} must have the dimensions {column.dims}, got {variable.dims}")
        if variable.dtype.kind not in KINDS[column.kind]:
            raise UnreadableFile(f"{where} must hold {column.kind}s, got {variable.dtype}")
        if column.flags and not np.all(np.isin(variable.values, [k for k, _ in column.flags])):
            known = ", ".join(f"{k} ({meaning})" for k, meaning in column.flags)
            raise UnreadableFile(f"{where} must hold {known} and nothing else")
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
