"""Results compare by value: arrays entry by entry, a nan equal to a nan; copies are read-only as their originals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

import numpy as np

from replica.common.html_table import html_table

__all__ = ["ByValue", "ShortText", "exact_text", "same", "shortened"]


# Entries of an array, and characters of anything else, that are shown.
FEW, LONGEST = 8, 80
# Characters of a value that is shown whole.
MOST = 1000


class ByValue:
    """What a frozen dataclass with arrays inherits, itself declared with ``eq=False, repr=False``.

    Two are equal if they are of one class and all fields that are compared are the same (see :func:`same`). Pickles
    and copies hold the fields and nothing that was computed from them and kept; their arrays are read-only. Shown are
    short fields, and of long ones how long they are.
    """

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return self is other or _same_fields(self, other)

    def __hash__(self) -> int:
        return hash((type(self).__qualname__, *(_digest(value) for value in _compared(self).values())))

    def __repr__(self) -> str:
        return _joined(self, {x.name: _shown(getattr(self, x.name)) for x in _fields(self) if x.repr})

    def __getstate__(self) -> dict[str, Any]:
        return {x.name: _plain(getattr(self, x.name)) for x in _fields(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({name: _protected(value) for name, value in state.items()})


class _Proxied(dict[str, Any]):
    """A read-only view of a mapping, which does not pickle, on its way."""


def same(first: Any, second: Any) -> bool:
    """Return whether two values are the same: arrays of one shape entry by entry, a nan equal to a nan.

    Mappings are compared by key, lists and tuples entry by entry, dataclasses of one class field by field.
    """
    if first is second:
        return True
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return _same_arrays(first, second)
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple) and type(first) is type(second):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, float) and isinstance(second, float) and first != first:
        return second != second
    if type(first) is type(second) and not isinstance(first, ByValue) and _by_fields(first):
        return _same_fields(first, second)
    return bool(first == second)


class ShortText:
    """What a frozen dataclass of settings inherits, itself declared with ``repr=False``.

    Its text is what its constructor takes, so that it can be evaluated, as long as that is short; of one that would be
    long, long fields stand in angle brackets, which no Python takes for the value. Notebooks show a table of them.
    """

    def __repr__(self) -> str:
        return _joined(self, dict(_texts(self)))

    def _repr_html_(self) -> str:
        return html_table(type(self).__name__, _texts(self))


def exact_text(value: Any) -> str:
    """Return all that a :class:`ShortText` holds, as its constructor is written, and of other values their text."""
    if isinstance(value, ShortText):
        return _joined(value, {x.name: exact_text(getattr(value, x.name)) for x in _fields(value) if x.repr})
    if type(value) is tuple:
        return f"({', '.join(map(exact_text, value))}{',' if len(value) == 1 else ''})"
    return repr(value)


def _texts(value: Any) -> list[tuple[str, str]]:
    shown = [(x.name, getattr(value, x.name)) for x in _fields(value) if x.repr]
    text = exact_text if len(exact_text(value)) <= MOST else _shown
    return [(name, text(entry)) for name, entry in shown]


def _joined(value: Any, texts: Mapping[str, str]) -> str:
    return f"{type(value).__name__}({', '.join(f'{name}={text}' for name, text in texts.items())})"


def shortened(text: str, most: int = 110) -> str:
    """Return a text of one line, cut if it is long."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 4]} ..."


def _same_arrays(first: Any, second: Any) -> bool:
    if not (isinstance(first, np.ndarray) and isinstance(second, np.ndarray)) or first.shape != second.shape:
        return False
    numeric = first.dtype.kind in "fc" and second.dtype.kind in "fc"
    return bool(np.array_equal(first, second, equal_nan=numeric))


def _by_fields(value: Any) -> bool:
    """Whether a value is compared by the equality that ``dataclass`` writes, which fails at arrays."""
    parameters = getattr(value, "__dataclass_params__", None)
    return parameters is not None and bool(parameters.eq)


def _fields(value: Any) -> tuple[Any, ...]:
    return fields(value)


def _compared(value: Any) -> dict[str, Any]:
    return {x.name: getattr(value, x.name) for x in _fields(value) if x.compare}


def _same_fields(first: Any, second: Any) -> bool:
    return all(same(value, getattr(second, name)) for name, value in _compared(first).items())


def _digest(value: Any) -> int:
    """Return a hash that is the same for values that are the same."""
    if isinstance(value, np.ndarray):
        return hash((value.shape, *(None if entry != entry else entry for entry in value.ravel().tolist())))
    if isinstance(value, Mapping):
        return hash(frozenset((key, _digest(entry)) for key, entry in value.items()))
    if isinstance(value, list | tuple):
        return hash((len(value), *map(_digest, value)))
    if isinstance(value, float) and value != value:
        return 0
    if not isinstance(value, ByValue) and _by_fields(value):
        return hash((type(value).__qualname__, *(_digest(entry) for entry in _compared(value).values())))
    return hash(value)


def _shown(value: Any) -> str:
    """Return a value's text, or in words what it is if that would be long."""
    if isinstance(value, np.ndarray) and value.size > FEW:
        return f"<array of {' x '.join(map(str, value.shape))}>"
    if isinstance(value, np.ndarray):
        return np.array2string(value, precision=6, separator=", ").replace("\n", "")
    text = repr(value)
    if len(text) <= LONGEST:
        return text
    if isinstance(value, str):
        return f"<{len(value)} characters>"
    count = f" of {len(value)}" if isinstance(value, Mapping | list | tuple) else ""
    return f"<{type(value).__name__}{count}>"


def _plain(value: Any) -> Any:
    return _Proxied(value) if isinstance(value, MappingProxyType) else value


def _protected(value: Any) -> Any:
    """Make arrays read-only, also those in a mapping or a tuple, and a view of a mapping that was one."""
    if isinstance(value, np.ndarray):
        value.setflags(write=False)
    elif isinstance(value, _Proxied):
        return MappingProxyType({key: _protected(entry) for key, entry in value.items()})
    elif isinstance(value, Mapping):
        for entry in value.values():
            _protected(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            _protected(entry)
    return value
