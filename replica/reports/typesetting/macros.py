r"""Macros of the user's paper in chosen names: passed on to LaTeX, written out everywhere else.

A macro is a command that is not shown outside of LaTeX, such as ``\Qself``. What it looks like may be given; a name
that is one macro falls back to the library's own symbol.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from replica.common.checked_arguments import quoted
from replica.common.errors import InvalidArgument
from replica.reports.typesetting.checked_latex import checked_latex
from replica.reports.typesetting.greek import in_commands
from replica.reports.typesetting.mathml import unknown_commands
from replica.reports.typesetting.tokens import group_end, join, tokenise

__all__ = ["Macro", "checked_macros", "macro_alone", "written_out"]

_ARGUMENT = re.compile(r"#([1-9])")


@dataclass(frozen=True)
class Macro:
    r"""A command of the user's.

    Attributes
    ----------
    command
        With its backslash.
    body
        What it looks like, with ``#1`` for its first argument.
    arguments
        How many it takes.
    given
        Whether the user said what it looks like; if not, it is the library's symbol.
    """

    command: str
    body: str
    arguments: int = 0
    given: bool = True

    @property
    def definition(self) -> str:
        """A line of a preamble, for a document that stands alone."""
        count = f"[{self.arguments}]" if self.arguments else ""
        provided = rf"\providecommand{{{self.command}}}{count}{{{self.body}}}"
        # Where LaTeX itself has such a command (\d is an accent), the paper's is meant.
        return f"{provided}\n\\renewcommand{{{self.command}}}{count}{{{self.body}}}" if self.given else provided


def checked_macros(macros: Mapping[str, str] | None) -> dict[str, Macro]:
    """Return what the user says of macros.

    Raises
    ------
    InvalidArgument
        If one is no command or one of LaTeX's own, or what it looks like is broken or shown by LaTeX only.
    """
    if not isinstance(macros, Mapping | None):
        raise InvalidArgument(f"macros must map commands to what they look like, got {quoted(macros)}")
    found = {}
    for command, body in (macros or {}).items():
        if not isinstance(command, str) or not re.fullmatch(r"\\[A-Za-z]+", command):
            raise InvalidArgument(rf"macros: {quoted(command)} is no command, a backslash and letters like '\\Qself'")
        if not unknown_commands(f"{command} x"):
            raise InvalidArgument(f"macros: {command!r} is LaTeX's own command, which needs no explanation")
        plain = _ARGUMENT.sub("x", body) if isinstance(body, str) else body
        checked_latex("macros", plain, command)
        unknown = unknown_commands(plain)
        if unknown:
            raise InvalidArgument(
                f"macros: {body!r} for {command!r} uses {unknown[0]!r}, which only LaTeX can show; write it out"
            )
        numbers = {int(x) for x in _ARGUMENT.findall(body)}
        if numbers != set(range(1, len(numbers) + 1)):
            raise InvalidArgument(f"macros: {body!r} for {command!r} leaves out an argument below #{max(numbers)}")
        found[command] = Macro(command, in_commands(" ".join(body.split())), len(numbers))
    return found


def macro_alone(latex: str) -> tuple[str, int] | None:
    """Return the command and its number of arguments if a name is one macro and nothing else."""
    tokens = tokenise(latex)
    while tokens and tokens[0] == "{" and group_end(tokens, 0) == len(tokens):
        tokens = tokens[1:-1]
    unknown = unknown_commands(latex)
    if not tokens or unknown != tokens[:1]:
        return None
    k, count = 1, 0
    while k < len(tokens) and tokens[k] == "{":
        k, count = group_end(tokens, k), count + 1
    return (tokens[0], count) if k == len(tokens) else None


def written_out(latex: str, macros: Mapping[str, Macro]) -> str:
    """Return LaTeX with macros replaced by what they look like."""
    return join(_written_out(tokenise(latex), macros))


def _written_out(tokens: Sequence[str], macros: Mapping[str, Macro]) -> list[str]:
    result: list[str] = []
    k = 0
    while k < len(tokens):
        macro = macros.get(tokens[k])
        k += 1
        if macro is None:
            result.append(tokens[k - 1])
            continue
        arguments = []
        for _ in range(macro.arguments):
            end = group_end(list(tokens), k)
            inside = tokens[k + 1 : end - 1] if end - k > 1 else tokens[k:end]
            arguments.append(_written_out(inside, macros))
            k = end
        body = tokenise(macro.body)
        j = 0
        while j < len(body):
            if body[j] == "#":
                result += arguments[int(body[j + 1]) - 1]
                j += 1
            else:
                result.append(body[j])
            j += 1
    return result
