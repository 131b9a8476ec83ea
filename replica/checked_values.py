"""Conversions of what users pass to plain numbers, with errors that quote the offending value."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

from replica.errors import InvalidModel

__all__ = ["coefficients", "count", "finite_number", "real_matrix", "square_matrix"]


def finite_number(name: str, value: Any) -> float:
    """Return ``value`` as a finite float, or say what is wrong with it."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InvalidModel(f"{name} must be a real number, got {value!r}") from None
    if not math.isfinite(number):
        raise InvalidModel(f"{name} must be finite, got {number!r}")
    return number


def real_matrix(name: str, rows: Any, shape: tuple[int, int]) -> tuple[tuple[float, ...], ...]:
    """Return ``rows`` as a tuple of tuples of finite floats of a given shape."""
    try:
        listed = [list(row) for row in rows]
    except TypeError:
        listed = []
    if len(listed) != shape[0] or any(len(row) != shape[1] for row in listed):
        raise InvalidModel(f"{name} must be a {shape[0]} x {shape[1]} matrix, got {rows!r}")
    return tuple(
        tuple(finite_number(f"{name}[{i}][{j}]", entry) for j, entry in enumerate(row)) for i, row in enumerate(listed)
    )


def square_matrix(name: str, rows: Any, least: int, largest: int) -> tuple[tuple[float, ...], ...]:
    """Return ``rows`` as a square tuple of tuples of finite floats, one row per token."""
    try:
        listed = [list(row) for row in rows]
    except TypeError:
        raise InvalidModel(f"{name} must be a square matrix, one row per token, got {rows!r}") from None
    size = len(listed)
    if not least <= size <= largest:
        raise InvalidModel(f"{name} must have {least} to {largest} rows, one per token, got {rows!r}")
    if any(len(row) != size for row in listed):
        raise InvalidModel(f"{name} must be a {size} x {size} matrix, as wide as it has rows, got {rows!r}")
    return real_matrix(name, listed, (size, size))


def coefficients(name: str, values: Any, size: int) -> tuple[float, ...]:
    """Return ``values`` as a tuple of ``size`` finite floats, not all zero."""
    listed: Sequence[Any]
    try:
        listed = [*values]
    except TypeError:
        listed = []
    if len(listed) != size:
        raise InvalidModel(f"{name} must hold {size} coefficients, one per token, got {values!r}")
    numbers = tuple(finite_number(f"{name}[{i}]", value) for i, value in enumerate(listed))
    if not any(numbers):
        raise InvalidModel(f"{name} must not vanish: got only zeros, so position is invisible")
    return numbers


def count(name: str, value: Any, least: int, largest: int) -> int:
    """Return ``value`` as an integer in a range, or say what is wrong with it."""
    try:
        number = operator.index(value)
    except TypeError:
        raise InvalidModel(f"{name} must be an integer, got {value!r}") from None
    if not least <= number <= largest:
        raise InvalidModel(f"{name} must lie between {least} and {largest}, got {number!r}")
    return number
