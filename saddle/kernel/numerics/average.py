"""The jump-resolving line rule: Gaussian averages over a proximal point that jumps.

This is the last part of the line rule's numerics (see ``minima.py`` for how it is compiled).

For fixed teacher fields h* and common modes a, the local fields run along the line w(s). The proximal point
z*(s), the *global* minimiser of the Moreau objective, is smooth in s but for isolated jumps. A line is done in
four steps, each of which minimises in many lanes at once:

1. scan: minima on a coarse grid of s, by multi-start and by continuation from either neighbour; the lowest is
   the minimiser, the next lowest its rival;
2. jumps: between scan points that continuation does not connect, or whose rivals may cross unseen in between,
   follow both minima and find where their energies tie (Newton safeguarded by bisection);
3. a line is also broken where its minimiser moves fastest without a jump, if it moves fast;
4. integrate: Gauss-Legendre on the panels between breaks, graded towards the breaks. The derivative of the
   average is the average of the derivative plus, per jump, the integrand's drop times the jump's velocity
   (Leibniz).
"""

from __future__ import annotations

import math
from collections import namedtuple
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from saddle.kernel.numerics._generated import (
        FIRST_TARGET,
        LANES,
        N_CONSTANTS,
        N_FIELDS,
        N_PARAMETERS,
        N_STATE,
        N_TARGETS,
        ROW_DONE,
        ROW_GUESS,
        ROW_OUT,
        ROW_S,
        ROW_T,
        ROW_WEIGHT,
        ROW_Z,
        WORK_SIZE,
        compiled,
        entry_point,
        fill_constants,
        inlined,
        node_averages,
        node_parameter_averages,
        node_replicon,
    )
    from saddle.kernel.numerics.jumps import (
        INVERSE_SQRT_TWO_PI,
        MAX_JUMPS,
        N_AVERAGES,
        N_REPLICON,
        PARAMETER_SLOPES,
        REPLICON,
        SHARPEST_ROUNDS,
        SOFT_ROUNDS,
        add_softest_point,
        break_line,
        new_breaks,
        new_memory,
        predict,
        softest_scan_point,
    )
    from saddle.kernel.numerics.minima import WIDTH, Problem, minimise, put, search, solve, take
    from saddle.kernel.numerics.scan import new_scan, scan_line

# Conjugates per alpha and test error are differentiated in the state; these and the envelope in the parameters.
# Three counts follow in a row: jumps, failures, proximal points integrated over.
N_STATE_DERIVATIVES = (N_STATE + 1) * N_STATE
# Farther from its break than this, in standard deviations, a panel is plain.
GRADED_REACH = 5.5
# A minimiser that moved farther from its prediction is looked for globally.
LARGEST_SURPRISE = 0.25

# Orders of a graded and a plain piece; Gauss-Legendre tables.
Pieces = namedtuple("Pieces", "orders nodes weights")


@compiled
def finish_nodes(problem, count, mode, row):
    """Minimise at the nodes in the first lanes, and add their integrands to ``row``; return the failures."""
    work = problem.work
    total = solve(work, count, problem)
    failures = 0
    point = problem.memory.probe
    for lane in range(count):
        moved = 0.0
        for j in range(N_FIELDS):
            moved += (work[ROW_Z + j * LANES + lane] - work[ROW_GUESS + j * LANES + lane]) ** 2
        if work[ROW_DONE + lane] == 1.0 and moved < LARGEST_SURPRISE**2:
            continue
        # The warm start was poor, so it may have led to another minimum.
        take(work, lane, point)
        _, found = search(problem, work[ROW_S + lane], point)
        failures += 0 if found else 1
        put(work, lane, work[ROW_S + lane], point)
        work[ROW_DONE + lane] = 0.0
    restart = False
    for lane in range(count):
        restart = restart or work[ROW_DONE + lane] == 0.0
    if restart:
        minimise(work, total, problem.state, problem.parameters)
    if mode == REPLICON:
        n_values = N_REPLICON
        node_replicon(total, work, problem.line, problem.state, problem.parameters)
    elif mode == PARAMETER_SLOPES:
        n_values = (N_STATE + 2) * N_PARAMETERS
        node_parameter_averages(total, work, problem.line, problem.state, problem.parameters)
    else:
        n_values = N_AVERAGES + N_STATE_DERIVATIVES
        node_averages(total, work, problem.line, problem.state, problem.parameters)
    for j in range(n_values):
        # Eight partial sums: the order is fixed, and a vector's width.
        s_0 = s_1 = s_2 = s_3 = s_4 = s_5 = s_6 = s_7 = 0.0
        at = ROW_OUT + j * LANES
        for lane in range(0, total, WIDTH):
            s_0 += work[ROW_WEIGHT + lane] * work[at + lane]
            s_1 += work[ROW_WEIGHT + lane + 1] * work[at + lane + 1]
            s_2 += work[ROW_WEIGHT + lane + 2] * work[at + lane + 2]
            s_3 += work[ROW_WEIGHT + lane + 3] * work[at + lane + 3]
            s_4 += work[ROW_WEIGHT + lane + 4] * work[at + lane + 4]
            s_5 += work[ROW_WEIGHT + lane + 5] * work[at + lane + 5]
            s_6 += work[ROW_WEIGHT + lane + 6] * work[at + lane + 6]
            s_7 += work[ROW_WEIGHT + lane + 7] * work[at + lane + 7]
        row[j] += ((s_0 + s_1) + (s_2 + s_3)) + ((s_4 + s_5) + (s_6 + s_7))
    return failures


@inlined
def integrate(problem, pieces, scan, breaks, n_breaks, mode, row):
    """Integrate along a line; return the number of failures and of nodes."""
    work, n_scan = problem.work, scan.s.size
    spacing = scan.s[1] - scan.s[0]
    point = problem.memory.point
    lane, failures, n_nodes = np.int64(0), 0, 0
    # Two panels per break, one on either side; between two breaks they meet in the middle. Each is graded next
    # to its break and plain beyond.
    for panel in range(2 * n_breaks):
        k = panel // 2
        at, left = breaks.s[k], panel % 2 == 0
        if left:
            far = scan.s[0] if k == 0 else 0.5 * (breaks.s[k - 1] + at)
        else:
            far = scan.s[n_scan - 1] if k == n_breaks - 1 else 0.5 * (at + breaks.s[k + 1])
        # Scan points inside the panel, from which its nodes may start warm. One that lies on the break itself may
        # belong to the other side.
        inside_first = math.ceil((min(at, far) - scan.s[0]) / spacing + (-1e-6 if left else 1e-6))
        inside_last = math.floor((max(at, far) - scan.s[0]) / spacing + (-1e-6 if left else 1e-6))
        inside_first, inside_last = max(0, inside_first), min(n_scan - 1, inside_last)
        edge = far if abs(far - at) <= GRADED_REACH else at + math.copysign(GRADED_REACH, far - at)
        for piece in range(2):
            graded = piece == 0
            start, end = (at, edge) if graded else (edge, far)
            length = abs(end - start)
            if length <= 0.0:
                continue
            order = pieces.orders[piece]
            for i in range(order):
                fraction = 0.5 * (1.0 + pieces.nodes[order, i])
                s = start + (end - start) * fraction
                weight = 0.5 * pieces.weights[order, i] * length
                if graded:
                    # Nodes near a break at s_0 are spaced as (s - s_0) ~ x^3: a cusp's cube root becomes smooth.
                    square = fraction * fraction
                    s = start + (end - start) * (fraction * square)
                    weight = weight * 3.0 * square
                weight *= INVERSE_SQRT_TWO_PI * math.exp(-0.5 * s * s)
                nearest = max(inside_first, min(inside_last, math.floor((s - scan.s[0]) / spacing + 0.5)))
                if inside_first <= inside_last and abs(scan.s[nearest] - s) < abs(at - s):
                    predict(s, scan.s[nearest], scan.z, scan.tangent, nearest, point)
                elif left:
                    predict(s, at, breaks.left, breaks.left_tangent, k, point)
                else:
                    predict(s, at, breaks.right, breaks.right_tangent, k, point)
                put(work, lane, s, point)
                work[ROW_WEIGHT + lane] = weight
                lane += 1
                n_nodes += 1
                if lane == LANES:
                    failures += finish_nodes(problem, lane, mode, row)
                    lane = np.int64(0)
    if lane > 0:
        failures += finish_nodes(problem, lane, mode, row)
    return failures, n_nodes


@compiled
def average_line(problem, scan, breaks, pieces, mode, row):
    """Average along one line; fill ``row`` with what ``mode`` asks for, then three counts."""
    for j in range(row.size):
        row[j] = 0.0
    failures = scan_line(problem, scan)
    n_jumps, missed = break_line(problem, scan, breaks, mode, row)
    n_breaks = n_jumps
    centre = softest_scan_point(scan, breaks, n_jumps)
    if centre >= 0 and n_jumps < MAX_JUMPS:
        rounds = SHARPEST_ROUNDS if mode == REPLICON else SOFT_ROUNDS
        add_softest_point(problem, scan, breaks, n_jumps, centre, rounds)
        n_breaks += 1
    failed, n_nodes = integrate(problem, pieces, scan, breaks, n_breaks, mode, row)
    row[row.size - 3] = n_jumps
    row[row.size - 2] = failures + missed + failed
    row[row.size - 1] = n_nodes


@compiled
def average_block(first, last, outer, problem, scan, breaks, pieces, mode, rows):
    """Average along lines ``first`` to ``last``."""
    for k in range(first, last):
        fill_constants(outer[k], problem.parameters, problem.line)
        for j in range(N_TARGETS):
            for lane in range(LANES):
                problem.work[ROW_T + j * LANES + lane] = problem.line[FIRST_TARGET + j]
                problem.spare[ROW_T + j * LANES + lane] = problem.line[FIRST_TARGET + j]
        average_line(problem, scan, breaks, pieces, mode, rows[k])


@entry_point
def average_lines(first, last, outer, state, parameters, scan_points, starts, tables, mode, rows):
    """Average along lines ``first`` to ``last`` of the outer rule; line k fills ``rows[k]`` and nothing else.

    ``outer[k]`` holds the common modes and the teacher fields of line k, ``tables`` the orders of a panel's pieces
    and Gauss-Legendre nodes and weights. A row holds, by ``mode``,

    - STATE_AVERAGES: the averages and the derivatives of the conjugates and of the test error in the state;
    - PARAMETER_SLOPES: the derivatives of the conjugates, of the test error and of the envelope in the model's
      parameters, average after average;
    - REPLICON: the upper triangle of the replicon's form where z* is smooth, and the same of the jumps.

    Three counts follow: jumps, failures, proximal points integrated over.
    """
    work, spare, line = np.zeros(WORK_SIZE), np.zeros(WORK_SIZE), np.empty(N_CONSTANTS)
    problem = Problem(work, spare, line, state, parameters, starts, new_memory())
    average_block(first, last, outer, problem, new_scan(scan_points), new_breaks(), Pieces(*tables), mode, rows)
