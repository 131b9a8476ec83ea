"""What a user chooses as LaTeX of symbols: names that exist, LaTeX that is whole, macros whose look is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from replica.common.checked_arguments import quoted
from replica.common.errors import InvalidArgument
from replica.reports.typesetting.checked_latex import checked_latex
from replica.reports.typesetting.macros import Macro, macro_alone
from replica.reports.typesetting.mathml import unknown_commands

__all__ = ["UsedMacros", "checked_names", "used_macros"]


def checked_names(
    latex_names: Mapping[str, str] | None,
    parameters: Mapping[str, str],
    stems: Mapping[str, str],
    letters: Mapping[str, str],
) -> dict[str, str]:
    """Return LaTeX by the names of the table and of a model's own parameters.

    Raises
    ------
    InvalidArgument
        If a name is none or comes twice, or a piece of LaTeX is broken.
    """
    if not isinstance(latex_names, Mapping | None):
        raise InvalidArgument(f"latex_names must map names to LaTeX, got {quoted(latex_names)}")
    chosen: dict[str, str] = {}
    for given, latex in (latex_names or {}).items():
        name = given if given in stems or given in parameters else letters.get(given)
        if name is None:
            known = ", ".join([*sorted(stems), *parameters])
            raise InvalidArgument(f"latex_names: no quantity is called {given!r}; choose from {known}")
        if name in chosen:
            raise InvalidArgument(f"latex_names: {given!r} names {name} a second time, as {latex!r}")
        chosen[name] = checked_latex("latex_names", latex, given)
    return chosen


@dataclass(frozen=True)
class UsedMacros:
    """The macros in chosen names.

    Attributes
    ----------
    commands
        All of them, in order.
    alone
        Names that are one macro of which nothing is said, with its command and the number of its arguments.
    """

    commands: tuple[str, ...]
    alone: Mapping[str, tuple[str, int]]


def used_macros(chosen: Mapping[str, str], known: Mapping[str, Macro]) -> UsedMacros:
    """Return the macros in chosen names.

    Raises
    ------
    InvalidArgument
        If what was said of a macro is of no use, or nothing was said where it must be.
    """
    commands: dict[str, str] = {}
    alone: dict[str, tuple[str, int]] = {}
    for name, latex in chosen.items():
        single = macro_alone(latex)
        for command in unknown_commands(latex):
            if command not in known and (single is None or command in commands):
                also = f"is in {commands[command]!r}, too" if command in commands else "is a part of it"
                raise InvalidArgument(
                    f"latex_names: {latex!r} for {name!r} cannot be shown outside of LaTeX, for {command} {also}; say "
                    f"what it looks like, macros={{r'{command}': r'...'}}, or check its spelling"
                )
            commands.setdefault(command, name)
        if single is not None and single[0] not in known:
            alone[name] = single
        elif single is not None and single[1] < known[single[0]].arguments:
            raise InvalidArgument(f"latex_names: {latex!r} for {name!r} lacks an argument of {single[0]}")
    unused = [x for x in known if x not in commands]
    if unused:
        raise InvalidArgument(f"macros: {unused[0]!r} is in none of latex_names, so that it would change nothing")
    return UsedMacros(tuple(commands), alone)
