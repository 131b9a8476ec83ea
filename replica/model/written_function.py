"""A function of symbols, kept as the expressions it returned: it compares, pickles and shows what it computes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import sympy as sp

from replica.common.errors import InvalidModel

__all__ = ["WrittenFunction"]


@dataclass(frozen=True)
class WrittenFunction:
    """What a user's function of two lists of symbols returned when it was called on them.

    Attributes
    ----------
    arguments
        The symbols of either list.
    values
        Expressions in these symbols, and in others.
    single
        Whether one expression is returned, and not the list of them.
    function
        The user's function, which may take lists of other lengths; a pickle does not hold it.
    """

    arguments: tuple[tuple[sp.Symbol, ...], tuple[sp.Symbol, ...]]
    values: tuple[sp.Expr, ...]
    single: bool = False
    function: Callable[..., Any] | None = field(default=None, compare=False)

    def __call__(self, first: Iterable[Any], second: Iterable[Any]) -> Any:
        """Return the expressions with other arguments in the symbols' places.

        Raises
        ------
        InvalidModel
            If there are more or fewer of them, and the user's function is not known.
        """
        lists, wanted = (tuple(first), tuple(second)), tuple(map(len, self.arguments))
        if tuple(map(len, lists)) != wanted:
            if self.function is not None:
                return self.function(first, second)
            raise InvalidModel(f"{self!r} was read back and takes {wanted} arguments, got {tuple(map(len, lists))}")
        given = dict(zip((*self.arguments[0], *self.arguments[1]), (*lists[0], *lists[1]), strict=True))
        values = [value.xreplace(given) for value in self.values]
        return values[0] if self.single else values

    def __reduce__(self) -> tuple[Callable[..., WrittenFunction], tuple[Any, ...]]:
        return WrittenFunction, (self.arguments, self.values, self.single)

    def __repr__(self) -> str:
        names = ", ".join(str(x) for part in self.arguments for x in part)
        shown = ", ".join(map(str, self.values))
        return f"<({names}) -> {shown if self.single else f'[{shown}]'}>"

    def made_by(self, function: Any) -> WrittenFunction:
        """Return the same with the function it is of, which may be one of these itself."""
        return replace(self, function=function.function if isinstance(function, WrittenFunction) else function)
