"""What stands in every workspace of lanes in the same place, whatever the model."""

from __future__ import annotations

import numpy as np

__all__ = ["FIELD_ROWS", "LANES", "SCALAR_ROWS", "field_rows", "rows_text", "scalar_row"]

LANES = 64
"""Lanes of a workspace; a multiple of the widest vector."""

SCALAR_ROWS = ("S", "VALUE", "SCALE", "DESCENT", "DONE", "WEIGHT")
"""Rows that stand first in every workspace, one each."""

FIELD_ROWS = ("Z", "GUESS", "W", "STEP")
"""Rows of which every field has one. They follow, field after field, so that their places do not depend on how many
fields there are."""


def scalar_row(name: str) -> int:
    """Return where a row begins of which there is one."""
    return SCALAR_ROWS.index(name) * LANES


def field_rows(name: str, fields: int) -> np.ndarray:
    """Return where the rows begin of which every field has one, (fields,)."""
    return (len(SCALAR_ROWS) + len(FIELD_ROWS) * np.arange(fields) + FIELD_ROWS.index(name)) * LANES


def rows_text() -> str:
    """Return the constants by which numerics address these rows."""
    lines = [f"LANES = {LANES}", f"FIELD_STRIDE = {len(FIELD_ROWS) * LANES}"]
    lines += [f"ROW_{name} = {scalar_row(name)}" for name in SCALAR_ROWS]
    lines += [f"ROW_{name} = {field_rows(name, 1)[0]}" for name in FIELD_ROWS]
    return "\n".join(lines) + "\n"
