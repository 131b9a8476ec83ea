"""What a kernel module defines before the hand-written numerics, as these see it.

There is no module of this name at run time: ``saddle.kernel.text`` writes the functions that SymPy derived, wraps
those of many nodes in loops over lanes, and appends the texts of ``saddle/line_*.py``, so that one
self-contained module is compiled and cached.

A function over lanes reads and writes rows of the workspace ``work``: what differs from lane to lane; from
``line``, what a line's nodes share (common modes, teacher fields, target entries and their slopes); ``state`` holds
the order parameters. Rows start at the constants ROW_*: point z, field w, target T, line coordinate s, the guess a lane
started from, value and upper Hessian of the objective, Newton's step, how much of it is tried, its slope, whether
the lane is done, a quadrature weight, and output.
"""

from collections.abc import Callable

import numpy as np

Floats = np.ndarray
Count = int | np.integer

LANES: int
N_FIELDS: int
N_TARGETS: int
N_ODD: int
N_PARAMETERS: int
N_STATE: int
N_SELF_OVERLAPS: int
RANK: int
GROUPS: tuple[int, ...]
N_CONSTANTS: int
FIRST_TARGET: int
WORK_SIZE: int
ROW_Z: int
ROW_W: int
ROW_T: int
ROW_S: int
ROW_GUESS: int
ROW_VALUE: int
ROW_HESSIAN: int
ROW_STEP: int
ROW_SCALE: int
ROW_DESCENT: int
ROW_DONE: int
ROW_WEIGHT: int
ROW_OUT: int

def compiled(function: Callable) -> Callable: ...
def inlined(function: Callable) -> Callable: ...
def entry_point(function: Callable) -> Callable: ...
def exponential(x: float) -> float: ...
def fill_constants(outer: Floats, parameters: Floats, line: Floats) -> None: ...
def newton_sweep(count: Count, work: Floats, state: Floats, parameters: Floats) -> int: ...
def local_fields(count: Count, work: Floats, line: Floats, state: Floats, parameters: Floats) -> None: ...
def along_line(count: Count, work: Floats, line: Floats, state: Floats, parameters: Floats) -> None: ...
def node_averages(count: Count, work: Floats, line: Floats, state: Floats, parameters: Floats) -> None: ...
def jump_terms(count: Count, work: Floats, line: Floats, state: Floats, parameters: Floats) -> None: ...
def node_parameter_averages(count: Count, work: Floats, line: Floats, state: Floats, parameters: Floats) -> None: ...
def jump_parameter_terms(count: Count, work: Floats, line: Floats, state: Floats, parameters: Floats) -> None: ...
def node_replicon(count: Count, work: Floats, line: Floats, state: Floats, parameters: Floats) -> None: ...
def jump_replicon_terms(count: Count, work: Floats, line: Floats, state: Floats, parameters: Floats) -> None: ...
