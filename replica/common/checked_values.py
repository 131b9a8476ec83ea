"""Conversions of a model's numbers and matrices to plain values, with errors that quote the offending value."""

from __future__ import annotations

from typing import Any

from replica.common.checked_arguments import checked_integer, checked_items, checked_number, quoted
from replica.common.errors import InvalidModel

__all__ = ["coefficients", "count", "finite_number", "positive", "real_matrix", "square_matrix"]

# Squares and fourth powers of a model's numbers enter the equations, and must be numbers themselves.
LARGEST_NUMBER, SMALLEST_POSITIVE = 1e60, 1e-60


def finite_number(name: str, value: Any) -> float:
    """Return ``value`` as a float whose fourth power is finite, or say what is wrong with it."""
    return checked_number(name, value, -LARGEST_NUMBER, LARGEST_NUMBER, error=InvalidModel)


def positive(name: str, value: Any) -> float:
    """Return ``value`` as a positive float whose fourth power is neither zero nor infinite."""
    number = finite_number(name, value)
    if number <= 0.0:
        raise InvalidModel(f"{name} must be positive, got {number!r}")
    if number < SMALLEST_POSITIVE:
        raise InvalidModel(f"{name} must be at least {SMALLEST_POSITIVE:g}, got {number!r}")
    return number


def real_matrix(name: str, rows: Any, shape: tuple[int, int]) -> tuple[tuple[float, ...], ...]:
    """Return ``rows`` as a tuple of tuples of finite floats of a given shape."""
    what = f"a {shape[0]} x {shape[1]} matrix"
    listed = _rows(name, rows, what, max(shape))
    if len(listed) != shape[0] or any(len(row) != shape[1] for row in listed):
        raise InvalidModel(f"{name} must be {what}, got {quoted(rows)}")
    return tuple(
        tuple(finite_number(f"{name}[{i}][{j}]", entry) for j, entry in enumerate(row)) for i, row in enumerate(listed)
    )


def _rows(name: str, rows: Any, what: str, most: int) -> list[list[Any]]:
    """Return a matrix's rows as lists, of whatever lengths up to ``most``."""
    # SymPy's matrices are sequences of entries, but say what their rows are.
    outer = checked_items(name, rows.tolist() if hasattr(rows, "tolist") else rows, what, most=most, error=InvalidModel)
    try:
        return [checked_items(name, row, what, most=most, error=InvalidModel) for row in outer]
    except InvalidModel:
        raise InvalidModel(f"{name} must be {what}, got {quoted(rows)}") from None


def square_matrix(name: str, rows: Any, least: int, largest: int) -> tuple[tuple[float, ...], ...]:
    """Return ``rows`` as a square tuple of tuples of finite floats, one row per token."""
    what = f"a square matrix, one row per token, with {least} to {largest} rows"
    listed = _rows(name, rows, what, largest)
    size = len(listed)
    if not least <= size <= largest:
        raise InvalidModel(f"{name} must have {least} to {largest} rows, one per token, got {quoted(rows)}")
    if any(len(row) != size for row in listed):
        raise InvalidModel(f"{name} must be a {size} x {size} matrix, as wide as it has rows, got {quoted(rows)}")
    return real_matrix(name, listed, (size, size))


def coefficients(name: str, values: Any, size: int) -> tuple[float, ...]:
    """Return ``values`` as a tuple of ``size`` finite floats, not all zero."""
    what = f"a sequence of {size} coefficients, one per token"
    listed = checked_items(name, values, what, most=size, error=InvalidModel)
    if len(listed) != size:
        raise InvalidModel(f"{name} must be {what}, got {quoted(values)}")
    numbers = tuple(finite_number(f"{name}[{i}]", value) for i, value in enumerate(listed))
    if not any(numbers):
        raise InvalidModel(
            f"{name} must not vanish, got only zeros: without encodings position is invisible, and there is neither an "
            "overlap m nor a positional solution; give them any size, such as (0.1, -0.1)"
        )
    return numbers


def count(name: str, value: Any, least: int, largest: int) -> int:
    """Return ``value`` as an integer in a range, or say what is wrong with it."""
    return checked_integer(name, value, least, largest, error=InvalidModel)
