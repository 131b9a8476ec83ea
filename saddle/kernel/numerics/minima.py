"""Minima of the Moreau objective, several lanes at a time: first part of the line rule's numerics.

The files ``minima.py``, ``scan.py``, ``jumps.py`` and ``average.py`` make one module, their texts one after the other,
which is compiled once for all models (see ``saddle.kernel.text``). They contain numerics only: no equation of a model.
What SymPy derived for one is called through addresses, and how many fields and order parameters it has are numbers.
What stands before them in that module, ``saddle/kernel/numerics/_preamble.pyi`` documents.
"""

from __future__ import annotations

import math
from collections import namedtuple
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from saddle.kernel.numerics._preamble import (
        FIELD_STRIDE,
        LANES,
        N_FIELDS,
        ROW_DESCENT,
        ROW_DONE,
        ROW_GUESS,
        ROW_S,
        ROW_SCALE,
        ROW_STEP,
        ROW_VALUE,
        ROW_W,
        ROW_WEIGHT,
        ROW_Z,
        call,
        compiled,
        entry_point,
    )

WIDTH = 8  # lanes that one instruction may take
CHUNK = 40  # lanes that are minimised until all are done
# A minimiser moved by less than this between two routes is the same minimiser.
SAME_POINT = 1e-6
# Squared local fields beyond which the field itself is one more start, and beyond which attention is so
# saturated that minima lie where one token's attention changes sides (measured: docs/performance.md).
LARGE_FIELD = 0.5
SATURATED_FIELD = 2.0
# Positions on a line beyond which next to no weight lies.
FAR_OUT = 4.0

# NOTE: counters start as np.int64(0), not 0: a literal argument has a type of its own in Numba, for which every
# function called with it would be compiled once more.

# ``sizes`` and ``functions`` are those of a model (see ``saddle.kernel.model_tuples``).
# The objective that is minimised.
Objective = namedtuple("Objective", "sizes functions state parameters line")
# What all nodes of a line share. ``spare`` is a second workspace, for a search while lanes are in use; ``memory`` has
# room for single points.
Problem = namedtuple("Problem", "sizes functions state parameters line work spare starts memory")
# Points in use at the same time, (fields,) each; the field of a search, (1, fields); brackets of a search for
# jumps; what a jump adds to the replicon's form.
Memory = namedtuple("Memory", "point probe start field x y u v third step linear bracket brackets")


@compiled
def apart(x, y):
    """Distance of two points."""
    total = 0.0
    for j in range(N_FIELDS):
        total += (x[j] - y[j]) ** 2
    return math.sqrt(total)


@compiled
def assign(target, source):
    """Copy a vector."""
    for j in range(source.size):
        target[j] = source[j]


@compiled
def copy_point(table, k, z):
    """Copy a point to a row of a table."""
    for j in range(N_FIELDS):
        table[k, j] = z[j]


@compiled
def put(work, lane, s, z):
    """Let a lane start at the point z, at s on the line."""
    work[ROW_S + lane] = s
    for j in range(N_FIELDS):
        work[ROW_Z + j * FIELD_STRIDE + lane] = z[j]
        work[ROW_GUESS + j * FIELD_STRIDE + lane] = z[j]


@compiled
def put_row(work, lane, s, table, k):
    """Let a lane start at row k of a table of points; a view of it would cost more than the copy."""
    work[ROW_S + lane] = s
    for j in range(N_FIELDS):
        work[ROW_Z + j * FIELD_STRIDE + lane] = table[k, j]
        work[ROW_GUESS + j * FIELD_STRIDE + lane] = table[k, j]


@compiled
def rows_apart(table, k, other, i):
    """Distance of row k of a table from row i of another."""
    total = 0.0
    for j in range(N_FIELDS):
        total += (table[k, j] - other[i, j]) ** 2
    return math.sqrt(total)


@compiled
def copy_row(target, i, table, k):
    """Copy row k of one table to row i of another."""
    for j in range(N_FIELDS):
        target[i, j] = table[k, j]


@compiled
def take(work, lane, z):
    """Copy a lane's point to z."""
    for j in range(N_FIELDS):
        z[j] = work[ROW_Z + j * FIELD_STRIDE + lane]


@compiled
def padded(work, count, sizes):
    """Fill up with copies of the last lane to whole vectors; return the number of lanes."""
    total = (count + WIDTH - 1) // WIDTH * WIDTH
    for lane in range(count, total):
        work[ROW_WEIGHT + lane] = 0.0
        work[ROW_S + lane] = work[ROW_S + count - 1]
        for j in range(N_FIELDS):
            work[ROW_Z + j * FIELD_STRIDE + lane] = work[ROW_Z + j * FIELD_STRIDE + count - 1]
            work[ROW_W + j * FIELD_STRIDE + lane] = work[ROW_W + j * FIELD_STRIDE + count - 1]
        for j in range(sizes.targets):
            at = sizes.row_t + j * LANES
            work[at + lane] = work[at + count - 1]
    return total


@compiled
def minimise(work, count, objective):
    """Minimise the Moreau objective in the first ``count`` lanes (whole vectors) from where they stand."""
    sweeps = objective.functions.newton_sweeps
    for lane in range(count):
        work[ROW_SCALE + lane] = 0.0
        work[ROW_DESCENT + lane] = 0.0
        work[ROW_DONE + lane] = 0.0
        work[ROW_VALUE + lane] = math.inf
        for j in range(N_FIELDS):
            work[ROW_STEP + j * FIELD_STRIDE + lane] = 0.0
    for first in range(0, count, CHUNK):
        call(sweeps, min(CHUNK, count - first), work[first:], objective)


@compiled
def solve(work, count, problem):
    """Place lanes on the line and minimise; return the number of lanes, padded to whole vectors."""
    total = padded(work, count, problem.sizes)
    call(problem.functions.local_fields, total, work, problem)
    minimise(work, total, problem)
    return total


@compiled
def number_of_starts(work, lane, starts):
    """How many starts a global search from a lane's field needs.

    Far out on a line, where next to no weight lies, the field itself is enough besides the given starts.
    """
    squared = 0.0
    for j in range(N_FIELDS):
        squared += work[ROW_W + j * FIELD_STRIDE + lane] ** 2
    if squared > SATURATED_FIELD and abs(work[ROW_S + lane]) < FAR_OUT:
        return starts.shape[0] + 2 * N_FIELDS + 1
    return starts.shape[0] + (1 if squared > LARGE_FIELD else 0)


@compiled
def fill_start(k, starts, fields, i, z):
    """Write the k-th start of a global search at the field in row i of a table.

    After the given starts, for large fields, where attention is saturated: minima may lie next to the field, or
    where one token's attention changes sides.
    """
    given = starts.shape[0]
    for j in range(N_FIELDS):
        z[j] = starts[k, j] if k < given else fields[i, j]
    if given < k <= given + N_FIELDS:
        z[k - given - 1] = 0.0
    elif k > given + N_FIELDS:
        z[k - given - N_FIELDS - 1] *= -0.3


@compiled
def search(problem, s, z):
    """Find the lowest minimum at s, by multi-start and from z; write it to z, return value and success.

    There may be more starts than lanes: as many as fit are tried at a time.
    """
    work = problem.spare
    put(work, np.int64(0), s, z)
    call(problem.functions.local_fields, np.int64(1), work, problem)
    field, start = problem.memory.field, problem.memory.start
    for j in range(N_FIELDS):
        field[0, j] = work[ROW_W + j * FIELD_STRIDE]
    count = number_of_starts(work, 0, problem.starts)
    lane, found, value = np.int64(1), False, math.inf
    # The first lane is z itself.
    for k in range(-1, count):
        if k >= 0:
            fill_start(k, problem.starts, field, 0, start)
            put(work, lane, s, start)
            lane += 1
        if lane == LANES or k == count - 1:
            solve(work, lane, problem)
            for i in range(lane):
                candidate = work[ROW_VALUE + i]
                if work[ROW_DONE + i] == 1.0 and candidate < value - 1e-14 * abs(candidate):
                    found, value = True, candidate
                    take(work, i, z)
            lane = np.int64(0)
    return value, found


@entry_point
def proximal_points(model, lines, fields, targets, guesses, state, parameters, work, out):
    """Minima from a start each: fields, guesses (n, fields), targets (n, targets); z, value, success in ``out``.

    ``model`` is a pair of sizes and functions, ``lines`` the first and the last row, ``work`` a workspace of zeros
    with a point behind it. Only the susceptibility of ``state`` matters.
    """
    sizes, functions = model
    first, last = lines
    # No line's constants take part.
    objective = Objective(sizes, functions, state, parameters, state)
    for begin in range(first, last, LANES):
        count = min(LANES, last - begin)
        for lane in range(count):
            for j in range(N_FIELDS):
                work[ROW_W + j * FIELD_STRIDE + lane] = fields[begin + lane, j]
                work[ROW_Z + j * FIELD_STRIDE + lane] = guesses[begin + lane, j]
            for j in range(sizes.targets):
                work[sizes.row_t + j * LANES + lane] = targets[begin + lane, j]
        minimise(work, padded(work, count, sizes), objective)
        for lane in range(count):
            for j in range(N_FIELDS):
                out[begin + lane, j] = work[ROW_Z + j * FIELD_STRIDE + lane]
            out[begin + lane, N_FIELDS] = work[ROW_VALUE + lane]
            out[begin + lane, N_FIELDS + 1] = work[ROW_DONE + lane]


@entry_point
def global_minima(model, lines, fields, targets, starts, state, parameters, work, out):
    """Find the lowest minimum by multi-start: fields (n, fields), targets (n, targets).

    Row i of ``out``: z, value, success. For ``model``, ``lines`` and ``work`` see :func:`proximal_points`.
    """
    sizes, functions = model
    first, last = lines
    # Behind the workspace there is room for a point.
    point = work[sizes.work_size :]
    objective = Objective(sizes, functions, state, parameters, state)
    for i in range(first, last):
        for j in range(N_FIELDS):
            work[ROW_W + j * FIELD_STRIDE] = fields[i, j]
        count = number_of_starts(work, 0, starts)
        out[i, N_FIELDS], out[i, N_FIELDS + 1] = math.inf, 0.0
        # There may be more starts than lanes.
        for begin in range(0, count, LANES):
            lanes = min(LANES, count - begin)
            for lane in range(lanes):
                fill_start(begin + lane, starts, fields, i, point)
                put(work, lane, 0.0, point)
                for j in range(N_FIELDS):
                    work[ROW_W + j * FIELD_STRIDE + lane] = fields[i, j]
                for j in range(sizes.targets):
                    work[sizes.row_t + j * LANES + lane] = targets[i, j]
            minimise(work, padded(work, lanes, sizes), objective)
            for lane in range(lanes):
                value = work[ROW_VALUE + lane]
                if work[ROW_DONE + lane] == 1.0 and value < out[i, N_FIELDS] - 1e-14 * abs(value):
                    for j in range(N_FIELDS):
                        out[i, j] = work[ROW_Z + j * FIELD_STRIDE + lane]
                    out[i, N_FIELDS], out[i, N_FIELDS + 1] = value, 1.0
