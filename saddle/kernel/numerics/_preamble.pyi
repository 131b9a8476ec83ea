"""What stands before the hand-written numerics in their module, as these see it.

There is no module of this name at run time: ``saddle.kernel.text`` writes it, and appends the texts of this folder, so
that one self-contained module is compiled and cached.

A model's functions over lanes read and write rows of a workspace: what differs from lane to lane. Rows start at the
constants ROW_*: line coordinate s, value of the objective, how much of a step is tried, its slope, whether the lane is
done, a quadrature weight; then, FIELD_STRIDE apart for each field, point z, the guess it started from, field w, and
Newton's step. The target's entries and the output stand where ``Sizes.row_t`` and ``Sizes.row_out`` say. A line's array
holds what its nodes share (common modes, teacher fields, target entries and their slopes).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

Count = int | np.integer

LANES: int
N_FIELDS: int
FIELD_STRIDE: int
ROW_Z: int
ROW_W: int
ROW_S: int
ROW_GUESS: int
ROW_VALUE: int
ROW_STEP: int
ROW_SCALE: int
ROW_DESCENT: int
ROW_DONE: int
ROW_WEIGHT: int

def compiled(function: Callable) -> Callable: ...
def inlined(function: Callable) -> Callable: ...
def entry_point(function: Callable) -> Callable: ...
def call(address: int, count: Count, work: np.ndarray, problem: Any) -> int: ...
