"""Scan a line for minima of the Moreau objective: second part of the line rule's numerics (see ``minima.py``).

At each scan point the lowest minimum found, by multi-start and by continuation from either neighbour, is the
minimiser z*, and the next lowest its rival.
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
        ROW_DONE,
        ROW_S,
        ROW_VALUE,
        ROW_W,
        ROW_Z,
        call,
        inlined,
    )
    from saddle.kernel.numerics.minima import SAME_POINT, fill_start, number_of_starts, put, put_row, solve

# Minima on the scan grid. ``from_left`` is the minimum reached from the left neighbour's, and so on; ``owner`` says
# which scan point a lane works for.
Scan = namedtuple(
    "Scan",
    "s z tangent energy slope speed rival rival_energy rival_slope from_left from_right owner fields counts",
)


@inlined
def offer(work, lane, scan, point):
    """Let a lane's minimum compete at a scan point; return whether it is the lowest so far."""
    value = work[ROW_VALUE + lane]
    improved = False
    if work[ROW_DONE + lane] == 1.0 and value < scan.rival_energy[point]:
        distance = 0.0
        for j in range(N_FIELDS):
            distance += (work[ROW_Z + j * FIELD_STRIDE + lane] - scan.z[point, j]) ** 2
        other = distance > SAME_POINT * SAME_POINT
        if value < scan.energy[point] - 1e-14 * abs(value):
            improved = True
            if other:
                scan.rival_energy[point] = scan.energy[point]
                for j in range(N_FIELDS):
                    scan.rival[point, j] = scan.z[point, j]
            scan.energy[point] = value
            for j in range(N_FIELDS):
                scan.z[point, j] = work[ROW_Z + j * FIELD_STRIDE + lane]
        elif other:
            scan.rival_energy[point] = value
            for j in range(N_FIELDS):
                scan.rival[point, j] = work[ROW_Z + j * FIELD_STRIDE + lane]
    return improved


@inlined
def scan_starts(problem, scan):
    """Multi-start at every scan point."""
    work = problem.work
    n_scan = scan.s.size
    fields, counts, point = scan.fields, scan.counts, problem.memory.point
    for first in range(0, n_scan, LANES):
        last = min(first + LANES, n_scan)
        for k in range(first, last):
            work[ROW_S + k - first] = scan.s[k]
        call(problem.functions.local_fields, last - first, work, problem)
        for k in range(first, last):
            counts[k] = number_of_starts(work, k - first, problem.starts)
            for j in range(N_FIELDS):
                fields[k, j] = work[ROW_W + j * FIELD_STRIDE + k - first]
    for k in range(n_scan):
        scan.energy[k] = scan.rival_energy[k] = math.inf
        for j in range(N_FIELDS):
            scan.z[k, j] = scan.rival[k, j] = 0.0
    lane = np.int64(0)
    for k in range(n_scan):
        for start in range(counts[k]):
            fill_start(start, problem.starts, fields, k, point)
            put(work, lane, scan.s[k], point)
            scan.owner[lane] = k
            lane += 1
            if lane == LANES or (k == n_scan - 1 and start == counts[k] - 1):
                solve(work, lane, problem)
                for i in range(lane):
                    offer(work, i, scan, scan.owner[i])
                lane = np.int64(0)


@inlined
def continue_scan(problem, scan):
    """Continue every scan point's minimiser to its neighbours; return whether a lower minimum was found."""
    work, n_scan = problem.work, scan.s.size
    improved, lane = False, np.int64(0)
    for k in range(1, n_scan):
        # Even owner: point k from the left; odd: point k - 1 from the right.
        put_row(work, lane, scan.s[k], scan.z, k - 1)
        put_row(work, lane + 1, scan.s[k - 1], scan.z, k)
        scan.owner[lane], scan.owner[lane + 1] = 2 * k, 2 * k - 1
        lane += 2
        if lane + 2 > LANES or k == n_scan - 1:
            solve(work, lane, problem)
            for i in range(lane):
                target = scan.owner[i] // 2
                for j in range(N_FIELDS):
                    if scan.owner[i] % 2 == 0:
                        scan.from_left[target, j] = work[ROW_Z + j * FIELD_STRIDE + i]
                    else:
                        scan.from_right[target, j] = work[ROW_Z + j * FIELD_STRIDE + i]
                better = offer(work, i, scan, target)
                improved = improved or better
            lane = np.int64(0)
    return improved


@inlined
def differentiate_scan(problem, scan):
    """Fill the derivatives along the line of the minimiser and of both energies."""
    work, n_scan = problem.work, scan.s.size
    out = problem.sizes.row_out
    lane = np.int64(0)
    for k in range(n_scan):
        put_row(work, lane, scan.s[k], scan.z, k)
        if scan.rival_energy[k] < math.inf:
            put_row(work, lane + 1, scan.s[k], scan.rival, k)
        else:
            put_row(work, lane + 1, scan.s[k], scan.z, k)
        scan.owner[lane] = k
        lane += 2
        if lane + 2 > LANES or k == n_scan - 1:
            total = solve(work, lane, problem)
            call(problem.functions.along_line, total, work, problem)
            for i in range(0, lane, 2):
                point = scan.owner[i]
                for j in range(N_FIELDS):
                    scan.tangent[point, j] = work[out + j * LANES + i]
                scan.slope[point] = work[out + N_FIELDS * LANES + i]
                scan.speed[point] = work[out + (N_FIELDS + 1) * LANES + i]
                scan.rival_slope[point] = work[out + N_FIELDS * LANES + i + 1]
            lane = np.int64(0)


@inlined
def scan_line(problem, scan):
    """Find the minimiser at every scan point; return the number of points where that failed."""
    scan_starts(problem, scan)
    for _ in range(3):
        if not continue_scan(problem, scan):
            break
    differentiate_scan(problem, scan)
    failures = 0
    for k in range(scan.s.size):
        failures += 0 if scan.energy[k] < math.inf else 1
    return failures


@inlined
def scan_of(s, vectors, numbers, integers):
    """Tables of a line's scan, to be filled line after line."""
    n = s.size
    return Scan(
        s,
        vectors[:n],
        vectors[n : 2 * n],
        numbers[:n],
        numbers[n : 2 * n],
        numbers[2 * n : 3 * n],
        vectors[2 * n : 3 * n],
        numbers[3 * n : 4 * n],
        numbers[4 * n : 5 * n],
        vectors[3 * n : 4 * n],
        vectors[4 * n : 5 * n],
        integers[:LANES],
        vectors[5 * n : 6 * n],
        integers[LANES : LANES + n],
    )
