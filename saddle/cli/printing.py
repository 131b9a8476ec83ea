"""What commands print: text, one strict JSON document, or one CSV table; nothing else then reaches standard output."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from replica.common.errors import InvalidArgument
from replica.common.version import library_version

__all__ = ["PrintOptions", "Printed", "files_printed"]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


@dataclass(frozen=True)
class Printed:
    """A result in every form, each made only when it is asked for.

    Attributes
    ----------
    text
        Returns a table for people.
    document
        Returns what is in the JSON document, beside the version.
    rows
        Returns rows of the CSV table, the first one with the columns' names.
    """

    text: Callable[[], str]
    document: Callable[[], Mapping[str, Any]]
    rows: Callable[[], Sequence[Sequence[Any]]]


@dataclass(frozen=True)
class PrintOptions:
    """The form in which a command prints its result."""

    as_json: bool
    as_csv: bool

    def __post_init__(self) -> None:
        """Refuse both at once."""
        if self.as_json and self.as_csv:
            raise InvalidArgument("--json and --csv exclude each other, got both")

    @staticmethod
    def options() -> tuple[Decorator, ...]:
        """Return the options, in the order of the help."""
        return (
            click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else."),
            click.option("--csv", "as_csv", is_flag=True, help="Print one CSV table, and nothing else."),
        )

    @property
    def for_people(self) -> bool:
        """Whether text is printed."""
        return not (self.as_json or self.as_csv)

    def show(self, result: Printed) -> None:
        """Print a result in the form that was asked for."""
        if self.as_json:
            document = {"software": f"attention-phase {library_version()}", **result.document()}
            click.echo(json.dumps(_strict(document), indent=2, allow_nan=False))
        elif self.as_csv:
            table = io.StringIO()
            csv.writer(table, lineterminator="\n").writerows([_strict(row) for row in result.rows()])
            click.echo(table.getvalue(), nl=False)
        else:
            click.echo(result.text())

    def tell(self, said: str) -> None:
        """Say something that is no result: where a program reads, on standard error."""
        click.echo(said, err=not self.for_people)


def _strict(value: Any) -> Any:
    """Return plain values with None for what is no finite number, which JSON does not know."""
    if isinstance(value, Mapping):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def files_printed(paths: Sequence[object]) -> Printed:
    """Return files that were written, in every form."""
    names = [str(path) for path in paths]
    return Printed(
        lambda: "\n".join(names),
        lambda: {"result": "files", "complete": True, "files": names},
        lambda: [["file"], *([name] for name in names)],
    )
