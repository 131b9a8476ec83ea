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
        The symbols of either list; their names say which token and column they belong to.
    values
        Expressions in these symbols, and in others.
    single
        Whether one expression is returned, and not the list of them.
    function
        The user's function, which is called on all other arguments; a pickle does not hold it.
    """

    arguments: tuple[tuple[sp.Symbol, ...], tuple[sp.Symbol, ...]]
    values: tuple[sp.Expr, ...]
    single: bool = False
    function: Callable[..., Any] | None = field(default=None, compare=False)

    def __call__(self, first: Iterable[Any], second: Iterable[Any]) -> Any:
        """Return the expressions, or what the user's function returns of other arguments.

        Raises
        ------
        InvalidModel
            If the arguments are others, and the user's function is not known.
        """
        if (tuple(first), tuple(second)) == self.arguments:
            return self.values[0] if self.single else list(self.values)
        if self.function is None:
            raise InvalidModel(
                f"{self!r} was read back without the function that wrote it, and cannot be called on "
                f"{[*first, *second]}; give the function again"
            )
        return self.function(first, second)

    def __reduce__(self) -> tuple[Callable[..., WrittenFunction], tuple[Any, ...]]:
        return WrittenFunction, (self.arguments, self.values, self.single)

    def __deepcopy__(self, memo: dict[int, Any]) -> WrittenFunction:
        return self

    def __repr__(self) -> str:
        names = ", ".join(str(x) for part in self.arguments for x in part)
        shown = ", ".join(map(str, self.values))
        return f"<({names}) -> {shown if self.single else f'[{shown}]'}>"

    def made_by(self, function: Any) -> WrittenFunction:
        """Return the same with the function it is of, which may be one of these itself."""
        return replace(self, function=function.function if isinstance(function, WrittenFunction) else function)
