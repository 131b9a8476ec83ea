"""Values as JSON and back, by the types that dataclasses declare: what is read fits its type, or is refused.

JSON knows no nan and no infinity: they are the texts "NaN", "Infinity" and "-Infinity", as in Protocol Buffers. Python
would write them without quotes, and other languages refuse the whole.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from replica.common.errors import UnreadableFile

__all__ = ["from_plain", "to_json", "to_plain"]

NO_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def to_json(value: Any) -> str:
    """Return a value as JSON, and nothing else: any reader of JSON takes it."""
    return json.dumps(_spelled(to_plain(value)), allow_nan=False)


def to_plain(value: Any) -> Any:
    """Return dataclasses, mappings, sequences, arrays and members of enumerations as plain values, also nan."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return [to_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _spelled(value: Any) -> Any:
    """Return plain values with words for what JSON knows no number for."""
    if isinstance(value, dict):
        return {key: _spelled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_spelled(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0.0 else "-Infinity"
    return value


def from_plain(hint: Any, value: Any, where: str) -> Any:
    """Return the value of a type that :func:`to_plain` wrote.

    Parameters
    ----------
    hint
        bool, int, float, str, None, a dataclass, an enumeration, or tuple, Mapping, ``|`` of these. Fields of a
        dataclass that are missing take their defaults.
    value
        What JSON held.
    where
        What it is, for messages.

    Raises
    ------
    ValueError
        If the value is of another type.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (types.UnionType, Union):
        return _first_that_fits(arguments, value, where)
    if origin is tuple:
        return _tuple(arguments, value, where)
    if origin is not None and issubclass(origin, Mapping):
        if isinstance(value, dict):
            return {key: from_plain(arguments[1], item, f"{where}[{key!r:.40}]") for key, item in value.items()}
    elif dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _dataclass(hint, value, where)
    elif isinstance(hint, type) and issubclass(hint, enum.Enum):
        if isinstance(value, str) and value in hint.__members__:
            return hint[value]
    elif hint is float and type(value) in (int, float):
        return _float(value, where)
    elif hint is float and isinstance(value, str) and value in NO_NUMBERS:
        return NO_NUMBERS[value]
    elif type(value) is (types.NoneType if hint is None else hint):
        return value
    raise UnreadableFile(f"{where} must be {getattr(hint, '__name__', hint)}, got {value!r:.60}")


def _float(value: float, where: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise UnreadableFile(f"{where} must be a number within floating point's reach") from None


def _first_that_fits(hints: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and types.NoneType in hints:
        return None
    others = [hint for hint in hints if hint is not types.NoneType]
    for hint in others[:-1]:
        try:
            return from_plain(hint, value, where)
        except UnreadableFile:
            continue
    return from_plain(others[-1], value, where)


def _tuple(hints: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise UnreadableFile(f"{where} must be a list, got {value!r:.60}")
    if len(hints) == 2 and hints[1] is Ellipsis:
        hints = (hints[0],) * len(value)
    if len(value) != len(hints):
        raise UnreadableFile(f"{where} must have {len(hints)} entries, got {len(value)}")
    return tuple(from_plain(hints[k], item, f"{where}[{k}]") for k, item in enumerate(value))


def _dataclass(hint: type, value: Any, where: str) -> Any:
    fields = {field.name: field for field in dataclasses.fields(hint)}
    if not isinstance(value, dict):
        raise UnreadableFile(f"{where} must be a {hint.__name__}, got {value!r:.60}")
    unknown = [name for name in value if name not in fields]
    needed = {
        name
        for name, x in fields.items()
        if x.default is dataclasses.MISSING and x.default_factory is dataclasses.MISSING
    }
    missing = sorted(needed - set(value))
    if unknown or missing:
        raise UnreadableFile(f"{where} has {'no' if missing else 'the unknown'} entry {(missing or unknown)[0]!r:.40}")
    hints = get_type_hints(hint)
    read = {name: from_plain(hints[name], item, f"{where}.{name}") for name, item in value.items()}
    try:
        return hint(**read)
    except ValueError as error:
        raise UnreadableFile(f"{where}: {error}") from None
