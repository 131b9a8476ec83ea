"""Find where a line's minimiser jumps: third part of the line rule's numerics (see ``minima.py``).

Between scan points that continuation does not connect, or whose rivals may cross unseen in between, both minima
are followed and their energies' tie is found (Newton safeguarded by bisection). A line without jumps is broken
where its minimiser moves fastest.
"""

from __future__ import annotations

import math
from collections import namedtuple
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from saddle.kernel.numerics._preamble import LANES, N_FIELDS, ROW_S, ROW_VALUE, call, compiled, inlined
    from saddle.kernel.numerics.minima import (
        SAME_POINT,
        WIDTH,
        Memory,
        apart,
        assign,
        copy_point,
        copy_row,
        put,
        rows_apart,
        search,
        solve,
        take,
    )

# What is averaged along a line: the integrands of the residual with their derivatives in the state, derivatives in
# the model's parameters, or what the replicon eigenvalue needs.
STATE_AVERAGES, PARAMETER_SLOPES, REPLICON = 0, 1, 2
# Integral of (f (1 - f))^2 over x, where f = 1/(1 + exp(x)) is the Gibbs weight of one of two tied minima.
SMOOTHED_JUMP = 1.0 / 6.0
MAX_JUMPS = 16
SMOOTH = 1.2
SOFT_ROUNDS = 3
# The replicon's integrand has a peak of height 1/width there, which must be found to less than its width.
SHARPEST_ROUNDS = 12
# A break farther out than this, where next to no weight lies, must not draw all nodes to itself.
CORE = 4.0
# A line with jumps is broken once more where the minimiser may move this many times faster than where it is slowest.
SHARP = 4.0
# A warm start is a linear prediction, which is not trusted farther than this.
LARGEST_PREDICTION = 0.2
INVERSE_SQRT_TWO_PI = 1.0 / math.sqrt(2.0 * math.pi)
# Relative difference of the energies' slopes that is rounding: then the line lies in the surface of the jump.
PARALLEL = 1e-9

# Single points of a search for jumps.
N_POINTS = 10

# A minimum at one end of a bracket: where on the line, z*, and its speed there.
End = namedtuple("End", "s z speed")
# Where a line is broken, with the minimum on either side and its derivative along the line.
Breaks = namedtuple("Breaks", "s left right left_tangent right_tangent")


@compiled
def n_averages(sizes):
    """How many averages there are: conjugates per alpha, envelope, loss at z*, test error, odd blocks."""
    return sizes.state + 3 + sizes.odd


@compiled
def n_replicon(sizes):
    """How many entries the replicon's form has on and above the diagonal, on those of q on and above its own."""
    return sizes.self_overlaps * (sizes.self_overlaps + 1) // 2


@compiled
def excess(distance, step, speed_x, speed_y):
    """How many times farther a minimiser has moved than the lower of its largest possible speeds at either end.

    Up to SMOOTH the minimiser may have moved without a jump. Beyond, the interval must be halved, until it is
    smooth or a jump is pinned down.
    """
    return max(0.0, distance - SAME_POINT) / (step * min(speed_x, speed_y))


@compiled
def tie(problem, left, right, guess, u, v):
    """Find where the minimum that is global at the left end ties with the one that is global at the right end.

    Writes the two minima there to u and v. Returns s, their energy, and whether the minimiser really jumps in
    between (it may only have moved fast).
    """
    work = problem.work
    out = problem.sizes.row_out
    x, y = problem.memory.x, problem.memory.y
    low, speed_x, high, speed_y = left.s, left.speed, right.s, right.speed
    assign(x, left.z)
    assign(y, right.z)
    s = guess if low < guess < high else 0.5 * (low + high)
    value = 0.0
    assign(u, x)
    assign(v, y)
    for _ in range(200):
        # Each minimum is followed from where it was last, or from its end of the bracket.
        put(work, np.int64(0), s, u)
        put(work, np.int64(1), s, v)
        total = solve(work, np.int64(2), problem)
        call(problem.functions.along_line, total, work, problem)
        take(work, np.int64(0), u)
        take(work, np.int64(1), v)
        e_u, e_v = work[ROW_VALUE], work[ROW_VALUE + 1]
        speed = out + (N_FIELDS + 1) * LANES
        value = min(e_u, e_v)
        if apart(u, v) < SAME_POINT:
            # One minimum has ceased to exist (or both are one): keep the half in which the point moves too far.
            too_far_left = excess(apart(u, x), s - low, speed_x, work[speed])
            too_far_right = excess(apart(v, y), high - s, work[speed + 1], speed_y)
            if max(too_far_left, too_far_right) <= SMOOTH or high - low < 1e-13:
                return s, value, False
            if too_far_left > too_far_right:
                high, speed_y = s, work[speed + 1]
                assign(y, v)
            else:
                low, speed_x = s, work[speed]
                assign(x, u)
            s = 0.5 * (low + high)
            assign(u, x)
            assign(v, y)
            continue
        difference = e_u - e_v
        slope = work[out + N_FIELDS * LANES] - work[out + N_FIELDS * LANES + 1]
        if difference < 0.0:
            low, speed_x = s, work[speed]
            assign(x, u)
        else:
            high, speed_y = s, work[speed + 1]
            assign(y, v)
        step = -difference / slope if slope > 0.0 else math.inf
        if abs(step) < 1e-13 or high - low < 1e-13:
            return s, value, True
        proposal = s + step
        if low < proposal < high:
            if abs(step) < 1e-6:
                # Newton's last step: what it leaves is of second order. The minima move along.
                for j in range(N_FIELDS):
                    u[j] += step * work[out + j * LANES]
                    v[j] += step * work[out + j * LANES + 1]
                return proposal, value, True
            s = proposal
        else:
            s = 0.5 * (low + high)
    return s, value, True


@compiled
def add_break(problem, s, u, v, breaks, n_breaks):
    """Record a break in order, with the derivatives on either side; leave both in lanes 0 and 1; return its index."""
    work = problem.work
    put(work, np.int64(0), s, u)
    put(work, np.int64(1), s, v)
    total = solve(work, np.int64(2), problem)
    call(problem.functions.along_line, total, work, problem)
    k, out = n_breaks, problem.sizes.row_out
    while k > 0 and breaks.s[k - 1] > s:
        breaks.s[k] = breaks.s[k - 1]
        copy_row(breaks.left, k, breaks.left, k - 1)
        copy_row(breaks.right, k, breaks.right, k - 1)
        copy_row(breaks.left_tangent, k, breaks.left_tangent, k - 1)
        copy_row(breaks.right_tangent, k, breaks.right_tangent, k - 1)
        k -= 1
    breaks.s[k] = s
    copy_point(breaks.left, k, u)
    copy_point(breaks.right, k, v)
    for j in range(N_FIELDS):
        breaks.left_tangent[k, j] = work[out + j * LANES]
        breaks.right_tangent[k, j] = work[out + j * LANES + 1]
    return k


@compiled
def add_jump_terms(problem, s, mode, row):
    """Add to the derivatives what a moving jump contributes: the integrand's drop times velocity times density.

    The minima on either side stand in lanes 0 and 1.
    """
    work, sizes = problem.work, problem.sizes
    n_variables, first = sizes.state, n_averages(sizes)
    if mode == PARAMETER_SLOPES:
        n_variables, first = sizes.parameters, np.int64(0)
    call(problem.functions.jump_terms, np.int64(WIDTH), work, problem)
    # The energies stay tied while the jump moves: d(E_left - E_right) = 0.
    slope = sizes.row_out + sizes.state * LANES
    crossing = work[slope] - work[slope + 1]
    if abs(crossing) <= PARALLEL * (abs(work[slope]) + abs(work[slope + 1])):
        return
    density = INVERSE_SQRT_TWO_PI * math.exp(-0.5 * s * s)
    for k in range(n_variables):
        at = slope + (1 + k) * LANES
        velocity = -(work[at] - work[at + 1]) / crossing
        for j in range(sizes.state):
            drop = work[sizes.row_out + j * LANES] - work[sizes.row_out + j * LANES + 1]
            row[first + n_variables * j + k] += density * velocity * drop


@compiled
def add_jump_strength(problem, s, row):
    """Add what a jump, smoothed by a temperature T, contributes to the replicon's form, times T.

    The second derivatives of the envelope are then those of a step of its slopes, so that the form is the square of
    a linear one. The minima on either side stand in lanes 0 and 1.
    """
    work, sizes = problem.work, problem.sizes
    out, rank, size = sizes.row_out, sizes.rank, sizes.self_overlaps
    call(problem.functions.jump_terms, np.int64(WIDTH), work, problem)
    crossing = abs(work[out] - work[out + 1])
    if crossing <= PARALLEL * (abs(work[out]) + abs(work[out + 1])):
        return
    step, linear = problem.memory.step, problem.memory.linear
    for j in range(size):
        linear[j] = 0.0
    for j in range(N_FIELDS):
        step[j] = work[out + (j + 1) * LANES] - work[out + (j + 1) * LANES + 1]
    for token in range(N_FIELDS // rank):
        at = sizes.groups[token] * rank * (rank + 1) // 2
        for i in range(rank):
            for j in range(i, rank):
                linear[at] += (1.0 if i == j else 2.0) * step[token * rank + i] * step[token * rank + j]
                at += 1
    density = INVERSE_SQRT_TWO_PI * math.exp(-0.5 * s * s)
    at = n_replicon(sizes)
    for a in range(size):
        for b in range(a, size):
            row[at] += SMOOTHED_JUMP * density * linear[a] * linear[b] / crossing
            at += 1


@compiled
def find_jumps(problem, low, high, guess, breaks, n_breaks, mode, row):
    """Find the jumps between two ends; return the number of breaks so far and success."""
    # Brackets still to be searched: s, speed and z at either end.
    size = 2 + N_FIELDS
    stack, bracket = problem.memory.brackets, problem.memory.bracket
    u, v, third = problem.memory.u, problem.memory.v, problem.memory.third
    left, right = bracket[:size], bracket[size:]
    stack[0, 0], stack[0, 1], stack[0, size], stack[0, size + 1] = low.s, low.speed, high.s, high.speed
    assign(stack[0, 2:size], low.z)
    assign(stack[0, size + 2 :], high.z)
    depth, complete = 1, True
    for _ in range(4 * MAX_JUMPS):
        if depth == 0:
            break
        depth -= 1
        assign(bracket, stack[depth])
        ends = End(left[0], left[2:], left[1]), End(right[0], right[2:], right[1])
        s, value, real = tie(problem, ends[0], ends[1], guess, u, v)
        guess = math.nan
        if not real:
            continue
        assign(third, u)
        best, found = search(problem, s, third)
        if (
            found
            and best < value - 1e-11 * (1e-3 + abs(value))
            and apart(third, u) > SAME_POINT
            and apart(third, v) > SAME_POINT
            and depth + 2 <= stack.shape[0]
        ):
            # A third minimum lies below the tie: two jumps, one on either side.
            put(problem.spare, np.int64(0), s, third)
            solve(problem.spare, np.int64(1), problem)
            call(problem.functions.along_line, np.int64(1), problem.spare, problem)
            speed = problem.spare[problem.sizes.row_out + (N_FIELDS + 1) * LANES]
            assign(stack[depth, :size], left)
            stack[depth, size], stack[depth, size + 1] = s, speed
            assign(stack[depth, size + 2 :], third)
            depth += 1
            stack[depth, 0], stack[depth, 1] = s, speed
            assign(stack[depth, 2:size], third)
            assign(stack[depth, size:], right)
            depth += 1
        elif n_breaks < MAX_JUMPS:
            add_break(problem, s, u, v, breaks, n_breaks)
            n_breaks += 1
            if mode == REPLICON:
                add_jump_strength(problem, s, row)
            else:
                add_jump_terms(problem, s, mode, row)
        else:
            complete = False
    return n_breaks, complete and depth == 0


@compiled
def where_rivals_may_cross(scan, k):
    """Where a rival may undercut the minimiser between scan points k - 1 and k, though at neither; or nan.

    The gap between rival and minimiser is followed along its tangent from either end. Where the gap is convex, as
    next to a crossing and back, it lies above both.
    """
    if scan.rival_energy[k - 1] == math.inf or scan.rival_energy[k] == math.inf:
        return math.nan
    gap_low = scan.rival_energy[k - 1] - scan.energy[k - 1]
    gap_high = scan.rival_energy[k] - scan.energy[k]
    down = scan.rival_slope[k - 1] - scan.slope[k - 1]
    up = scan.rival_slope[k] - scan.slope[k]
    length = scan.s[k] - scan.s[k - 1]
    if down >= 0.0 or up <= 0.0:
        return math.nan
    # Intersection of the two tangents.
    t = (gap_high - gap_low - up * length) / (down - up)
    if not 0.0 < t < length or gap_low + down * t > 0.0:
        return math.nan
    return scan.s[k - 1] + t


@compiled
def guess_of_tie(scan, k):
    """Where minimiser and rival would change places between scan points k - 1 and k if their gap were linear."""
    gap_low = scan.rival_energy[k - 1] - scan.energy[k - 1]
    gap_high = scan.rival_energy[k] - scan.energy[k]
    if not gap_low + gap_high < math.inf:
        return math.nan
    return scan.s[k - 1] + (scan.s[k] - scan.s[k - 1]) * gap_low / (gap_low + gap_high + 1e-300)


@inlined
def break_line(problem, scan, breaks, mode, row):
    """Find all jumps of a line; return their number and the number of intervals where the search failed."""
    n_breaks, failures = np.int64(0), 0
    point, probe = problem.memory.point, problem.memory.probe
    for k in range(1, scan.s.size):
        low, high = scan.s[k - 1], scan.s[k]
        moved = rows_apart(scan.z, k, scan.z, k - 1)
        connected = (
            rows_apart(scan.from_left, k, scan.z, k) < SAME_POINT
            and rows_apart(scan.from_right, k - 1, scan.z, k - 1) < SAME_POINT
            # NOTE: a continued minimiser that ends at the global one may have fallen off its own branch.
            and excess(moved, high - low, scan.speed[k - 1], scan.speed[k]) <= SMOOTH
        )
        if connected:
            s = where_rivals_may_cross(scan, k)
            if math.isnan(s):
                continue
            # Is the minimiser continued from the left still the global one there?
            put(problem.work, np.int64(0), s, scan.z[k - 1])
            solve(problem.work, np.int64(1), problem)
            take(problem.work, np.int64(0), point)
            assign(probe, point)
            _, found = search(problem, s, probe)
            if not found or apart(point, probe) < SAME_POINT:
                continue
            put(problem.work, np.int64(0), s, probe)
            total = solve(problem.work, np.int64(1), problem)
            call(problem.functions.along_line, total, problem.work, problem)
            speed = problem.work[problem.sizes.row_out + (N_FIELDS + 1) * LANES]
            before, after = End(low, scan.z[k - 1], scan.speed[k - 1]), End(s, probe, speed)
            n_breaks, complete = find_jumps(problem, before, after, math.nan, breaks, n_breaks, mode, row)
            failures += 0 if complete else 1
            low, speed_low, guess = s, speed, math.nan
            assign(point, probe)
        else:
            assign(point, scan.z[k - 1])
            speed_low = scan.speed[k - 1]
            guess = guess_of_tie(scan, k)
        before, after = End(low, point, speed_low), End(high, scan.z[k], scan.speed[k])
        n_breaks, complete = find_jumps(problem, before, after, guess, breaks, n_breaks, mode, row)
        failures += 0 if complete else 1
    return n_breaks, failures


@compiled
def predict(s, at, z, tangent, k, point):
    """Continue row k of a table of minima linearly, not farther than a prediction is worth."""
    length = 0.0
    for j in range(N_FIELDS):
        length += tangent[k, j] ** 2
    length = math.sqrt(length) * abs(s - at)
    factor = (s - at) * (1.0 if length <= LARGEST_PREDICTION else LARGEST_PREDICTION / length)
    for j in range(N_FIELDS):
        point[j] = z[k, j] + factor * tangent[k, j]


@compiled
def softest_scan_point(scan, breaks, n_breaks):
    """Return the scan point near a line's centre, with no jump next to it, where the minimiser may move fastest.

    Returns -1 if there is none, or if there are jumps near the centre and the minimiser moves smoothly elsewhere.
    """
    centre, central, slowest = -1, False, math.inf
    for i in range(n_breaks):
        central = central or abs(breaks.s[i]) < CORE
    for k in range(1, scan.s.size - 1):
        slowest = min(slowest, scan.speed[k])
        clear = abs(scan.s[k]) < CORE
        for i in range(n_breaks):
            clear = clear and abs(breaks.s[i] - scan.s[k]) > scan.s[1] - scan.s[0]
        if clear and (centre < 0 or scan.speed[k] > scan.speed[centre]):
            centre = k
    if central and centre >= 0 and scan.speed[centre] < SHARP * slowest:
        return -1
    return centre


@inlined
def add_softest_point(problem, scan, breaks, n_breaks, centre, rounds):
    """Break a line where its minimiser may move fastest, next to scan point ``centre``."""
    work = problem.work
    low, high = scan.s[centre - 1], scan.s[centre + 1]
    point = problem.memory.point
    speed = problem.sizes.row_out + (N_FIELDS + 1) * LANES
    best = 0
    for _ in range(rounds):
        spacing = (high - low) / (WIDTH + 1)
        for lane in range(WIDTH):
            s = low + (lane + 1) * spacing
            nearest = centre - 1 if s < 0.5 * (scan.s[centre - 1] + scan.s[centre]) else centre
            nearest = centre + 1 if s > 0.5 * (scan.s[centre] + scan.s[centre + 1]) else nearest
            predict(s, scan.s[nearest], scan.z, scan.tangent, nearest, point)
            put(work, lane, s, point)
        solve(work, np.int64(WIDTH), problem)
        call(problem.functions.along_line, np.int64(WIDTH), work, problem)
        best = 0
        for lane in range(1, WIDTH):
            if work[speed + lane] > work[speed + best]:
                best = lane
        low, high = work[ROW_S + best] - spacing, work[ROW_S + best] + spacing
    s = 0.5 * (low + high)
    if 0 < best < WIDTH - 1:
        # Vertex of the parabola through the three highest points, so that the break moves smoothly.
        left, middle, right = work[speed + best - 1], work[speed + best], work[speed + best + 1]
        bend = left - 2.0 * middle + right
        if bend < 0.0:
            s += 0.25 * (high - low) * (left - right) / bend
    take(work, best, point)
    k = add_break(problem, s, point, point, breaks, n_breaks)
    # The minimum moved from the best lane's s to the vertex.
    take(work, np.int64(0), point)
    copy_point(breaks.left, k, point)
    copy_point(breaks.right, k, point)


@inlined
def memory_of(vectors, numbers, brackets, self_overlaps):
    """Room for single points and for the brackets of a search for jumps, from tables that are large enough.

    Takes the first ``N_POINTS`` rows of ``vectors``.
    """
    return Memory(
        vectors[0],
        vectors[1],
        vectors[2],
        vectors[3:4],
        vectors[4],
        vectors[5],
        vectors[6],
        vectors[7],
        vectors[8],
        vectors[9],
        numbers[:self_overlaps],
        numbers[self_overlaps : self_overlaps + 2 * (2 + N_FIELDS)],
        brackets,
    )


@inlined
def breaks_of(vectors, numbers):
    """Tables of a line's breaks."""
    n = MAX_JUMPS
    return Breaks(numbers[:n], vectors[:n], vectors[n : 2 * n], vectors[2 * n : 3 * n], vectors[3 * n : 4 * n])
