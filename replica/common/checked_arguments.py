"""Checks of what users pass: one plain value comes back, or one error that names the argument and quotes the value.

Nothing is converted that could have meant something else: a text is no number, a truth value no count, a mapping or a
set no sequence, and a complex number keeps no real part. NumPy's and SymPy's numbers, fractions and arrays of one
number are numbers.
"""

from __future__ import annotations

import itertools
import math
import numbers
import operator
import os
from collections.abc import Collection, Iterable, Mapping, Set
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from replica.common.errors import InvalidArgument

__all__ = [
    "checked_choice", "checked_flag", "checked_function", "checked_instance", "checked_integer", "checked_items",
    "checked_names", "checked_number", "checked_pair", "checked_path", "positive_number", "quoted",
]  # fmt: skip

Kind = TypeVar("Kind")

# A message is one line: of what is longer, the beginning tells enough.
LONGEST_QUOTATION = 200
# Nobody means more, and what never ends must not be read to its end.
MOST_ITEMS = 1_000_000


def quoted(value: object) -> str:
    """Return a value as errors show it: its ``repr`` on one line, cut if it is long."""
    try:
        shown = " ".join(repr(value).split())
    except Exception:  # noqa: BLE001  whatever a stranger's repr raises, the error is about something else
        # Integers of thousands of digits have none, either.
        return f"a value of type {type(value).__name__}"
    return shown if len(shown) <= LONGEST_QUOTATION else f"{shown[:LONGEST_QUOTATION]}..."


def _scalar(value: Any) -> Any:
    """Return what an array of no dimension holds, and anything else as it is."""
    # NumPy's scalars have a shape, too, and are numbers already.
    if getattr(value, "shape", None) == () and not isinstance(value, np.generic) and hasattr(value, "item"):
        return value.item()
    return value


def checked_number(
    name: str, value: Any, low: float = -math.inf, high: float = math.inf, *, error: type = InvalidArgument
) -> float:
    """Return ``value`` as a finite float between two bounds, which are allowed.

    Raises
    ------
    InvalidArgument
        (or ``error``) if it is no real number, not finite, too large for a float, or out of bounds.
    """
    plain = _scalar(value)
    if isinstance(plain, bool | np.bool_) or not isinstance(plain, numbers.Real | Decimal):
        raise error(f"{name} must be a real number, got {quoted(value)}")
    try:
        number = float(plain)
    except OverflowError:
        raise error(f"{name} must be a number that a float can hold, got {quoted(value)}") from None
    if not math.isfinite(number):
        raise error(f"{name} must be finite, got {quoted(value)}")
    if number == 0.0 and plain != 0:
        raise error(f"{name} must be zero or a number that a float can tell from it, got {quoted(value)}")
    if not low <= number <= high:
        raise error(f"{name} must {_between(low, high)}, got {quoted(value)}")
    return number


def _between(low: float, high: float) -> str:
    if math.isinf(high):
        return f"be at least {low:g}"
    return f"be at most {high:g}" if math.isinf(low) else f"lie in [{low:g}, {high:g}]"


def positive_number(name: str, value: Any, *, error: type = InvalidArgument) -> float:
    """Return ``value`` as a positive finite float; raises as :func:`checked_number`."""
    plain = _scalar(value)
    finite = not isinstance(plain, float | np.floating) or math.isfinite(plain)
    if not finite or not checked_number(name, plain, error=error) > 0.0:
        raise error(f"{name} must be positive and finite, got {quoted(value)}")
    return float(plain)


def checked_integer(
    name: str, value: Any, least: int, most: int | None = None, *, error: type = InvalidArgument
) -> int:
    """Return ``value`` as an integer between two bounds, which are allowed.

    Raises
    ------
    InvalidArgument
        (or ``error``) if it is no integer (a truth value is none, nor is 3.0), or out of bounds.
    """
    plain = _scalar(value)
    try:
        number = operator.index(plain)
    except TypeError:
        number = None
    if number is None or isinstance(plain, bool | np.bool_):
        raise error(f"{name} must be an integer, got {quoted(value)}")
    if most is None and number < least:
        raise error(f"{name} must be an integer of at least {least}, got {quoted(value)}")
    if most is not None and not least <= number <= most:
        raise error(f"{name} must lie between {least} and {most}, got {quoted(value)}")
    return number


def checked_flag(name: str, value: Any) -> bool:
    """Return ``value`` as a bool; raises InvalidArgument unless it is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise InvalidArgument(f"{name} must be True or False, got {quoted(value)}")
    return bool(value)


def checked_choice(name: str, value: Any, choices: Iterable[str]) -> str:
    """Return a name that is one of some; raises InvalidArgument, listing them, if it is not."""
    known = list(choices)
    if not isinstance(value, str) or value not in known:
        raise InvalidArgument(f"{name} must be one of {', '.join(map(repr, known))}, got {quoted(value)}")
    return str(value)


def checked_items(
    name: str, value: Any, what: str = "a sequence", *, most: int = MOST_ITEMS, error: type = InvalidArgument
) -> list[Any]:
    """Return what an iterable holds, in its order.

    Raises
    ------
    InvalidArgument
        (or ``error``) saying that the argument must be ``what``, if it is a text, a mapping, a set (whose order says
        nothing) or no iterable, or if it holds more than ``most``.
    """
    if isinstance(value, np.ndarray) and value.ndim:
        # Rows of a masked array or of a matrix are not what they seem.
        return value.tolist()
    if isinstance(value, str | bytes | bytearray | Mapping | Set) or getattr(value, "shape", None) == ():
        raise error(f"{name} must be {what}, got {quoted(value)}")
    try:
        found = list(itertools.islice(iter(value), most + 1))
    except TypeError:
        raise error(f"{name} must be {what}, got {quoted(value)}") from None
    if len(found) > most:
        raise error(f"{name} must be {what}, with no more than {most} entries, got {quoted(value)}")
    return found


def checked_pair(name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> tuple[float, float]:
    """Return ``value`` as a lowest and a highest number between two bounds, which are allowed.

    Raises
    ------
    InvalidArgument
        If it is no pair of finite numbers within the bounds, the second above the first.
    """
    pair = checked_items(name, value, "a pair (lowest, highest)", most=2)
    if len(pair) != 2:
        raise InvalidArgument(f"{name} must be a pair (lowest, highest), got {quoted(value)}")
    first, second = (checked_number(f"{name}[{k}]", x, low, high) for k, x in enumerate(pair))
    if not first < second:
        raise InvalidArgument(f"{name} must increase from lowest to highest, got {first!r} to {second!r}")
    return first, second


def checked_instance(name: str, value: Any, kind: type[Kind], what: str) -> Kind:
    """Return ``value`` if it is of a kind; raises InvalidArgument, saying that it must be ``what``, if not."""
    if not isinstance(value, kind):
        raise InvalidArgument(f"{name} must be {what}, got {quoted(value)}")
    return value


def checked_function(name: str, value: Any, *, optional: bool = True) -> Any:
    """Return a function, or None where that is allowed; raises InvalidArgument for anything else."""
    if not callable(value) and not (optional and value is None):
        raise InvalidArgument(f"{name} must be a function{' or None' * optional}, got {quoted(value)}")
    return value


def checked_path(name: str, value: Any) -> Path:
    """Return ``value`` as a path.

    Raises
    ------
    InvalidArgument
        If it is no text or path, or is one that no file can have.
    """
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(path, str) or not path or "\0" in path:
        raise InvalidArgument(f"{name} must be a path, got {quoted(value)}")
    return Path(path)


def checked_names(name: str, value: Any, choices: Collection[str]) -> tuple[str, ...]:
    """Return names that are all among some; raises InvalidArgument otherwise, also for a single text."""
    listed = checked_items(name, value, "a sequence of names")
    return tuple(checked_choice(f"{name}[{k}]", x, choices) for k, x in enumerate(listed))
