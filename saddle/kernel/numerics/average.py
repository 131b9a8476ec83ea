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
    from saddle.kernel.numerics._preamble import (
        FIELD_STRIDE,
        LANES,
        N_FIELDS,
        ROW_DONE,
        ROW_GUESS,
        ROW_S,
        ROW_WEIGHT,
        ROW_Z,
        call,
        compiled,
        entry_point,
        inlined,
    )
    from saddle.kernel.numerics.jumps import (
        INVERSE_SQRT_TWO_PI,
        MAX_JUMPS,
        N_POINTS,
        PARAMETER_SLOPES,
        REPLICON,
        SHARPEST_ROUNDS,
        SOFT_ROUNDS,
        add_softest_point,
        break_line,
        breaks_of,
        memory_of,
        n_averages,
        n_replicon,
        predict,
        softest_scan_point,
    )
    from saddle.kernel.numerics.minima import WIDTH, Problem, minimise, put, search, solve, take
    from saddle.kernel.numerics.scan import scan_line, scan_of

# Farther from its break than this, in standard deviations, a panel is plain.
GRADED_REACH = 5.5
# A minimiser that moved farther from its prediction is looked for globally.
LARGEST_SURPRISE = 0.25

# Orders of a graded and a plain piece; Gauss-Legendre tables.
Pieces = namedtuple("Pieces", "orders nodes weights")


@compiled
def n_integrands(sizes, mode):
    """How many functions are averaged.

    Conjugates per alpha and test error are differentiated in the state; these and the envelope in the parameters.
    """
    if mode == REPLICON:
        return n_replicon(sizes)
    if mode == PARAMETER_SLOPES:
        return (sizes.state + 2) * sizes.parameters
    return n_averages(sizes) + (sizes.state + 1) * sizes.state


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
            moved += (work[ROW_Z + j * FIELD_STRIDE + lane] - work[ROW_GUESS + j * FIELD_STRIDE + lane]) ** 2
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
        minimise(work, total, problem)
    call(problem.functions.integrands, total, work, problem)
    for j in range(n_integrands(problem.sizes, mode)):
        # Eight partial sums: the order is fixed, and a vector's width.
        s_0 = s_1 = s_2 = s_3 = s_4 = s_5 = s_6 = s_7 = 0.0
        at = problem.sizes.row_out + j * LANES
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


@inlined
def begin_line(problem, outer):
    """Fill what the nodes of a line share."""
    sizes = problem.sizes
    call(problem.functions.fill_constants, np.int64(1), outer, problem)
    for j in range(sizes.targets):
        target, at = problem.line[sizes.first_target + j], sizes.row_t + j * LANES
        for lane in range(LANES):
            problem.work[at + lane] = target
            problem.spare[at + lane] = target


@entry_point
def average_lines(model, lines, outer, state, parameters, rule, room, mode, rows):
    """Average along lines of the outer rule; line k fills ``rows[k]`` and nothing else.

    ``model`` is a pair of sizes and functions, ``lines`` the first and the last line. ``outer[k]`` holds the common
    modes and the teacher fields of line k, ``rule`` the points of a scan, the starts of a search, the orders of a
    panel's pieces, and Gauss-Legendre nodes and weights, ``room`` the tables of :func:`room_for`. A row holds, by
    ``mode``,

    - STATE_AVERAGES: the averages and the derivatives of the conjugates and of the test error in the state;
    - PARAMETER_SLOPES: the derivatives of the conjugates, of the test error and of the envelope in the model's
      parameters, average after average;
    - REPLICON: the upper triangle of the replicon's form where z* is smooth, and the same of the jumps.

    Three counts follow: jumps, failures, proximal points integrated over.
    """
    sizes, functions = model
    first, last = lines
    scan_points, starts, orders, nodes, weights = rule
    work, vectors, numbers, integers, brackets = room
    n, size, extra = scan_points.size, sizes.work_size, sizes.self_overlaps + 2 * (2 + N_FIELDS)
    memory = memory_of(vectors[6 * n :], numbers[5 * n :], brackets, sizes.self_overlaps)
    problem = Problem(
        sizes, functions, state, parameters, work[2 * size :], work[:size], work[size : 2 * size], starts, memory
    )
    scan = scan_of(scan_points, vectors, numbers, integers)
    breaks = breaks_of(vectors[6 * n + N_POINTS :], numbers[5 * n + extra :])
    pieces = Pieces(orders, nodes, weights)
    for k in range(first, last):
        begin_line(problem, outer[k])
        row = rows[k]
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


def room_for(sizes, n):
    """Return the tables that averages along lines of ``n`` scan points need."""
    extra = sizes.self_overlaps + 2 * (2 + N_FIELDS)
    return (
        np.zeros(2 * sizes.work_size + sizes.constants),
        np.empty((6 * n + N_POINTS + 4 * MAX_JUMPS, N_FIELDS)),
        np.empty(5 * n + extra + MAX_JUMPS),
        np.empty(LANES + n, np.int64),
        np.empty((2 * MAX_JUMPS, 2 * (2 + N_FIELDS))),
    )
