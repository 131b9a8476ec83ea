"""The jump-resolving line rule: Gaussian averages over a proximal point that jumps.

This file is compiled as part of a generated kernel (see ``saddle.kernel_text``): its text follows the functions
that SymPy wrote and the loops over lanes, which ``saddle/_generated.pyi`` documents. It contains numerics only:
no equation of the model, and nothing that depends on the number of fields.

For fixed teacher fields h* and common modes a, the local fields run along the line w(s). The proximal point
z*(s), the *global* minimiser of the Moreau objective, is smooth in s but for isolated jumps. A line is done in
four steps, each of which minimises in many lanes at once:

1. scan: minima on a coarse grid of s, by multi-start and by continuation from either neighbour; the lowest is
   the minimiser, the next lowest its rival;
2. jumps: between scan points that continuation does not connect, or whose rivals may cross unseen in between,
   follow both minima and find where their energies tie (Newton safeguarded by bisection);
3. a line without jumps is broken where its minimiser moves fastest instead;
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
    from saddle._generated import (
        FIRST_TARGET,
        LANES,
        N_CONSTANTS,
        N_FIELDS,
        N_PARAMETERS,
        N_TARGETS,
        ROW_DESCENT,
        ROW_DONE,
        ROW_GUESS,
        ROW_OUT,
        ROW_S,
        ROW_SCALE,
        ROW_STEP,
        ROW_T,
        ROW_VALUE,
        ROW_W,
        ROW_WEIGHT,
        ROW_Z,
        WORK_SIZE,
        along_line,
        compiled,
        entry_point,
        fill_constants,
        inlined,
        jump_parameter_terms,
        jump_terms,
        local_fields,
        newton_sweep,
        node_averages,
        node_parameter_averages,
    )

N_STATE = 4
# Four conjugates per alpha, envelope, loss at z*, test error, two odd blocks.
N_AVERAGES = 9
# Conjugates per alpha and test error are differentiated in the state; these and the envelope in the parameters.
# Three counts follow in a row: jumps, failures, proximal points integrated over.
N_STATE_DERIVATIVES = (N_STATE + 1) * N_STATE
MAX_JUMPS = 16
WIDTH = 8  # lanes that one instruction may take
CHUNK = 40  # lanes that are minimised until all are done
NEWTON_SWEEPS = 100
SOFT_ROUNDS = 3
# Nodes near a break at s_0 are spaced as (s - s_0) ~ x^3, which makes a cusp's cube root smooth.
GRADING = 3
# Farther from its break than this, in standard deviations, a panel is plain.
GRADED_REACH = 7.0
# A minimiser moved by less than this between two routes is the same minimiser.
SAME_POINT = 1e-6
SMOOTH = 1.2
# Squared local fields beyond which the field itself is one more start, and beyond which attention is so
# saturated that minima lie where one token's attention changes sides (measured: docs/performance.md).
LARGE_FIELD = 0.5
SATURATED_FIELD = 2.0
FAR_OUT = 4.0
# A warm start is a linear prediction, which is not trusted farther than this; a minimiser that moved farther
# from it is looked for globally.
LARGEST_PREDICTION = 0.2
LARGEST_SURPRISE = 0.25
INVERSE_SQRT_TWO_PI = 1.0 / math.sqrt(2.0 * math.pi)

# NOTE: counters start as np.int64(0), not 0: a literal argument has a type of its own in Numba, for which every
# function called with it would be compiled once more.

# What all nodes of a line share. ``spare`` is a second workspace, for a search while lanes are in use.
Problem = namedtuple("Problem", "work spare line state parameters starts")
# Minima on the scan grid. ``from_left`` is the minimum reached from the left neighbour's, and so on.
Scan = namedtuple("Scan", "s z tangent energy slope speed rival rival_energy rival_slope from_left from_right owner")
# Where a line is broken, with the minimum on either side and its derivative along the line.
Breaks = namedtuple("Breaks", "s left right left_tangent right_tangent")
# Orders of a graded and a plain piece; Gauss-Legendre tables.
Pieces = namedtuple("Pieces", "orders nodes weights")


@compiled
def apart(x, y):
    """Distance of two points."""
    total = 0.0
    for j in range(N_FIELDS):
        total += (x[j] - y[j]) ** 2
    return math.sqrt(total)


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
        work[ROW_Z + j * LANES + lane] = z[j]
        work[ROW_GUESS + j * LANES + lane] = z[j]


@compiled
def put_row(work, lane, s, table, k):
    """Let a lane start at row k of a table of points; a view of it would cost more than the copy."""
    work[ROW_S + lane] = s
    for j in range(N_FIELDS):
        work[ROW_Z + j * LANES + lane] = table[k, j]
        work[ROW_GUESS + j * LANES + lane] = table[k, j]


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
        z[j] = work[ROW_Z + j * LANES + lane]


@compiled
def padded(work, count):
    """Fill up with copies of the last lane to whole vectors; return the number of lanes."""
    total = (count + WIDTH - 1) // WIDTH * WIDTH
    for lane in range(count, total):
        work[ROW_WEIGHT + lane] = 0.0
        work[ROW_S + lane] = work[ROW_S + count - 1]
        for j in range(N_FIELDS):
            work[ROW_Z + j * LANES + lane] = work[ROW_Z + j * LANES + count - 1]
            work[ROW_W + j * LANES + lane] = work[ROW_W + j * LANES + count - 1]
        for j in range(N_TARGETS):
            work[ROW_T + j * LANES + lane] = work[ROW_T + j * LANES + count - 1]
    return total


@compiled
def minimise(work, count, state, parameters):
    """Minimise the Moreau objective in the first ``count`` lanes (whole vectors) from where they stand."""
    for lane in range(count):
        work[ROW_SCALE + lane] = 0.0
        work[ROW_DESCENT + lane] = 0.0
        work[ROW_DONE + lane] = 0.0
        work[ROW_VALUE + lane] = math.inf
        for j in range(N_FIELDS):
            work[ROW_STEP + j * LANES + lane] = 0.0
    for first in range(0, count, CHUNK):
        lanes, chunk = min(CHUNK, count - first), work[first:]
        for _ in range(NEWTON_SWEEPS):
            if newton_sweep(lanes, chunk, state, parameters) == 0:
                break


@compiled
def solve(work, count, problem):
    """Place lanes on the line and minimise; return the number of lanes, padded to whole vectors."""
    total = padded(work, count)
    local_fields(total, work, problem.line, problem.state, problem.parameters)
    minimise(work, total, problem.state, problem.parameters)
    return total


@compiled
def number_of_starts(work, lane, starts):
    """How many starts a global search from a lane's field needs.

    Far out on a line, where next to no weight lies, the field itself is enough besides the given starts.
    """
    squared = 0.0
    for j in range(N_FIELDS):
        squared += work[ROW_W + j * LANES + lane] ** 2
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
    """Find the lowest minimum at s, by multi-start and from z; write it to z, return value and success."""
    work = problem.spare
    put(work, np.int64(0), s, z)
    local_fields(np.int64(1), work, problem.line, problem.state, problem.parameters)
    field, start = np.empty((1, N_FIELDS)), np.empty(N_FIELDS)
    for j in range(N_FIELDS):
        field[0, j] = work[ROW_W + j * LANES]
    count = np.int64(1)
    for k in range(number_of_starts(work, 0, problem.starts)):
        fill_start(k, problem.starts, field, 0, start)
        put(work, count, s, start)
        count += 1
    solve(work, count, problem)
    best, value = -1, math.inf
    for lane in range(count):
        candidate = work[ROW_VALUE + lane]
        if work[ROW_DONE + lane] == 1.0 and candidate < value - 1e-14 * abs(candidate):
            best, value = lane, candidate
    if best >= 0:
        take(work, best, z)
    return value, best >= 0


@inlined
def offer(work, lane, scan, point):
    """Let a lane's minimum compete at a scan point; return whether it is the lowest so far."""
    value = work[ROW_VALUE + lane]
    improved = False
    if work[ROW_DONE + lane] == 1.0 and value < scan.rival_energy[point]:
        distance = 0.0
        for j in range(N_FIELDS):
            distance += (work[ROW_Z + j * LANES + lane] - scan.z[point, j]) ** 2
        other = distance > SAME_POINT * SAME_POINT
        if value < scan.energy[point] - 1e-14 * abs(value):
            improved = True
            if other:
                scan.rival_energy[point] = scan.energy[point]
                for j in range(N_FIELDS):
                    scan.rival[point, j] = scan.z[point, j]
            scan.energy[point] = value
            for j in range(N_FIELDS):
                scan.z[point, j] = work[ROW_Z + j * LANES + lane]
        elif other:
            scan.rival_energy[point] = value
            for j in range(N_FIELDS):
                scan.rival[point, j] = work[ROW_Z + j * LANES + lane]
    return improved


@inlined
def scan_starts(problem, scan):
    """Multi-start at every scan point."""
    work = problem.work
    n_scan = scan.s.size
    fields, counts = np.empty((n_scan, N_FIELDS)), np.empty(n_scan, np.int64)
    point = np.empty(N_FIELDS)
    for first in range(0, n_scan, LANES):
        last = min(first + LANES, n_scan)
        for k in range(first, last):
            work[ROW_S + k - first] = scan.s[k]
        local_fields(last - first, work, problem.line, problem.state, problem.parameters)
        for k in range(first, last):
            counts[k] = number_of_starts(work, k - first, problem.starts)
            for j in range(N_FIELDS):
                fields[k, j] = work[ROW_W + j * LANES + k - first]
    scan.energy[:] = math.inf
    scan.rival_energy[:] = math.inf
    scan.z[:] = 0.0
    scan.rival[:] = 0.0
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
                        scan.from_left[target, j] = work[ROW_Z + j * LANES + i]
                    else:
                        scan.from_right[target, j] = work[ROW_Z + j * LANES + i]
                better = offer(work, i, scan, target)
                improved = improved or better
            lane = np.int64(0)
    return improved


@inlined
def differentiate_scan(problem, scan):
    """Fill the derivatives along the line of the minimiser and of both energies."""
    work, n_scan = problem.work, scan.s.size
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
            along_line(total, work, problem.line, problem.state, problem.parameters)
            for i in range(0, lane, 2):
                point = scan.owner[i]
                for j in range(N_FIELDS):
                    scan.tangent[point, j] = work[ROW_OUT + j * LANES + i]
                scan.slope[point] = work[ROW_OUT + N_FIELDS * LANES + i]
                scan.speed[point] = work[ROW_OUT + (N_FIELDS + 1) * LANES + i]
                scan.rival_slope[point] = work[ROW_OUT + N_FIELDS * LANES + i + 1]
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


@compiled
def excess(distance, step, speed_x, speed_y):
    """How many times farther a minimiser has moved than the lower of its largest possible speeds at either end.

    Up to SMOOTH the minimiser may have moved without a jump. Beyond, the interval must be halved, until it is
    smooth or a jump is pinned down.
    """
    return max(0.0, distance - SAME_POINT) / (step * min(speed_x, speed_y))


@compiled
def tie(problem, low, x, speed_x, high, y, speed_y, guess, u, v):
    """Find where the minimum x, global at ``low``, ties with the minimum y, global at ``high``.

    Writes the two minima there to u and v. Returns s, their energy, and whether the minimiser really jumps in
    between (it may only have moved fast).
    """
    work = problem.work
    s = guess if low < guess < high else 0.5 * (low + high)
    value = 0.0
    x, y = x.copy(), y.copy()
    u[:] = x
    v[:] = y
    for _ in range(200):
        # Each minimum is followed from where it was last, or from its end of the bracket.
        put(work, np.int64(0), s, u)
        put(work, np.int64(1), s, v)
        total = solve(work, np.int64(2), problem)
        along_line(total, work, problem.line, problem.state, problem.parameters)
        take(work, np.int64(0), u)
        take(work, np.int64(1), v)
        e_u, e_v = work[ROW_VALUE], work[ROW_VALUE + 1]
        speed = ROW_OUT + (N_FIELDS + 1) * LANES
        value = min(e_u, e_v)
        if apart(u, v) < SAME_POINT:
            # One minimum has ceased to exist (or both are one): keep the half in which the point moves too far.
            left = excess(apart(u, x), s - low, speed_x, work[speed])
            right = excess(apart(v, y), high - s, work[speed + 1], speed_y)
            if max(left, right) <= SMOOTH or high - low < 1e-13:
                return s, value, False
            if left > right:
                high, speed_y = s, work[speed + 1]
                y[:] = v
            else:
                low, speed_x = s, work[speed]
                x[:] = u
            s = 0.5 * (low + high)
            u[:] = x
            v[:] = y
            continue
        difference = e_u - e_v
        slope = work[ROW_OUT + N_FIELDS * LANES] - work[ROW_OUT + N_FIELDS * LANES + 1]
        if difference < 0.0:
            low, speed_x = s, work[speed]
            x[:] = u
        else:
            high, speed_y = s, work[speed + 1]
            y[:] = v
        step = -difference / slope if slope > 0.0 else math.inf
        if abs(step) < 1e-13 or high - low < 1e-13:
            return s, value, True
        proposal = s + step
        if low < proposal < high:
            if abs(step) < 1e-6:
                # Newton's last step: what it leaves is of second order. The minima move along.
                for j in range(N_FIELDS):
                    u[j] += step * work[ROW_OUT + j * LANES]
                    v[j] += step * work[ROW_OUT + j * LANES + 1]
                return proposal, value, True
            s = proposal
        else:
            s = 0.5 * (low + high)
    return s, value, True


@compiled
def add_break(problem, s, u, v, breaks, n_breaks):
    """Record a break, keeping breaks in order, with the derivatives on either side; leave both in lanes 0 and 1."""
    work = problem.work
    put(work, np.int64(0), s, u)
    put(work, np.int64(1), s, v)
    total = solve(work, np.int64(2), problem)
    along_line(total, work, problem.line, problem.state, problem.parameters)
    k = n_breaks
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
        breaks.left_tangent[k, j] = work[ROW_OUT + j * LANES]
        breaks.right_tangent[k, j] = work[ROW_OUT + j * LANES + 1]


@compiled
def add_jump_terms(problem, s, by_parameters, row):
    """Add to the derivatives what a moving jump contributes: the integrand's drop times velocity times density.

    The minima on either side stand in lanes 0 and 1.
    """
    work = problem.work
    count = np.int64(WIDTH)
    if by_parameters:
        n_variables, first = N_PARAMETERS, 0
        jump_parameter_terms(count, work, problem.line, problem.state, problem.parameters)
    else:
        n_variables, first = N_STATE, N_AVERAGES
        jump_terms(count, work, problem.line, problem.state, problem.parameters)
    # The energies stay tied while the jump moves: d(E_left - E_right) = 0.
    slope = ROW_OUT + N_STATE * LANES
    crossing = work[slope] - work[slope + 1]
    if crossing == 0.0:
        return
    density = INVERSE_SQRT_TWO_PI * math.exp(-0.5 * s * s)
    for k in range(n_variables):
        at = slope + (1 + k) * LANES
        velocity = -(work[at] - work[at + 1]) / crossing
        for j in range(N_STATE):
            drop = work[ROW_OUT + j * LANES] - work[ROW_OUT + j * LANES + 1]
            row[first + n_variables * j + k] += density * velocity * drop


@compiled
def find_jumps(problem, low, x, speed_x, high, y, speed_y, guess, breaks, n_breaks, by_parameters, row):
    """Find the jumps between ``low`` and ``high``; return the number of breaks so far and success."""
    # Brackets still to be searched: s, speed and z at either end.
    size = 2 + N_FIELDS
    stack = np.empty((2 * MAX_JUMPS, 2 * size))
    u, v, third = np.empty(N_FIELDS), np.empty(N_FIELDS), np.empty(N_FIELDS)
    stack[0, 0], stack[0, 1], stack[0, size], stack[0, size + 1] = low, speed_x, high, speed_y
    stack[0, 2:size] = x
    stack[0, size + 2 :] = y
    depth, complete = 1, True
    for _ in range(4 * MAX_JUMPS):
        if depth == 0:
            break
        depth -= 1
        left, right = stack[depth, :size].copy(), stack[depth, size:].copy()
        s, value, real = tie(
            problem, left[0], left[2:], left[1], right[0], right[2:], right[1], guess, u, v
        )  # fmt: skip
        guess = math.nan
        if not real:
            continue
        third[:] = u
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
            along_line(np.int64(1), problem.spare, problem.line, problem.state, problem.parameters)
            speed = problem.spare[ROW_OUT + (N_FIELDS + 1) * LANES]
            stack[depth, :size] = left
            stack[depth, size], stack[depth, size + 1] = s, speed
            stack[depth, size + 2 :] = third
            depth += 1
            stack[depth, 0], stack[depth, 1] = s, speed
            stack[depth, 2:size] = third
            stack[depth, size:] = right
            depth += 1
        elif n_breaks < MAX_JUMPS:
            add_break(problem, s, u, v, breaks, n_breaks)
            n_breaks += 1
            add_jump_terms(problem, s, by_parameters, row)
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
def break_line(problem, scan, breaks, by_parameters, row):
    """Find all jumps of a line; return their number and the number of intervals where the search failed."""
    n_breaks, failures = np.int64(0), 0
    point, probe = np.empty(N_FIELDS), np.empty(N_FIELDS)
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
            probe[:] = point
            _, found = search(problem, s, probe)
            if not found or apart(point, probe) < SAME_POINT:
                continue
            put(problem.work, np.int64(0), s, probe)
            total = solve(problem.work, np.int64(1), problem)
            along_line(total, problem.work, problem.line, problem.state, problem.parameters)
            speed = problem.work[ROW_OUT + (N_FIELDS + 1) * LANES]
            n_breaks, complete = find_jumps(
                problem, low, scan.z[k - 1], scan.speed[k - 1], s, probe, speed, math.nan,
                breaks, n_breaks, by_parameters, row,
            )  # fmt: skip
            failures += 0 if complete else 1
            low, point[:], speed_low, guess = s, probe, speed, math.nan
        else:
            point[:] = scan.z[k - 1]
            speed_low = scan.speed[k - 1]
            guess = guess_of_tie(scan, k)
        n_breaks, complete = find_jumps(
            problem, low, point, speed_low, high, scan.z[k], scan.speed[k], guess,
            breaks, n_breaks, by_parameters, row,
        )  # fmt: skip
        failures += 0 if complete else 1
    return n_breaks, failures


@inlined
def add_softest_point(problem, scan, breaks):
    """Break a line without jumps where its minimiser may move fastest."""
    work, n_scan = problem.work, scan.s.size
    centre = 1
    for k in range(2, n_scan - 1):
        if scan.speed[k] > scan.speed[centre]:
            centre = k
    low, high = scan.s[centre - 1], scan.s[centre + 1]
    point = np.empty(N_FIELDS)
    speed = ROW_OUT + (N_FIELDS + 1) * LANES
    best = 0
    for _ in range(SOFT_ROUNDS):
        spacing = (high - low) / (WIDTH + 1)
        for lane in range(WIDTH):
            s = low + (lane + 1) * spacing
            nearest = centre - 1 if s < 0.5 * (scan.s[centre - 1] + scan.s[centre]) else centre
            nearest = centre + 1 if s > 0.5 * (scan.s[centre] + scan.s[centre + 1]) else nearest
            predict(s, scan.s[nearest], scan.z, scan.tangent, nearest, point)
            put(work, lane, s, point)
        solve(work, np.int64(WIDTH), problem)
        along_line(np.int64(WIDTH), work, problem.line, problem.state, problem.parameters)
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
    add_break(problem, s, point, point, breaks, np.int64(0))
    # The minimum moved from the best lane's s to the vertex.
    take(work, np.int64(0), point)
    copy_point(breaks.left, 0, point)
    copy_point(breaks.right, 0, point)


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
def finish_nodes(problem, count, by_parameters, row):
    """Minimise at the nodes in the first lanes, and add their integrands to ``row``; return the failures."""
    work = problem.work
    total = solve(work, count, problem)
    failures = 0
    point = np.empty(N_FIELDS)
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
    if by_parameters:
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
def integrate(problem, pieces, scan, breaks, n_breaks, by_parameters, row):
    """Integrate along a line; return the number of failures and of nodes."""
    work, n_scan = problem.work, scan.s.size
    spacing = scan.s[1] - scan.s[0]
    point = np.empty(N_FIELDS)
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
            start, end, grading = (at, edge, GRADING) if piece == 0 else (edge, far, 1)
            length = abs(end - start)
            if length <= 0.0:
                continue
            order = pieces.orders[piece]
            for i in range(order):
                fraction = 0.5 * (1.0 + pieces.nodes[order, i])
                s = start + (end - start) * fraction**grading
                weight = 0.5 * pieces.weights[order, i] * length * grading * fraction ** (grading - 1)
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
                    failures += finish_nodes(problem, lane, by_parameters, row)
                    lane = np.int64(0)
    if lane > 0:
        failures += finish_nodes(problem, lane, by_parameters, row)
    return failures, n_nodes


@inlined
def average_line(problem, scan, breaks, pieces, by_parameters, row):
    """Average along one line; fill ``row``: averages (or derivatives in the parameters), then three counts."""
    row[:] = 0.0
    failures = scan_line(problem, scan)
    n_jumps, missed = break_line(problem, scan, breaks, by_parameters, row)
    if n_jumps == 0:
        add_softest_point(problem, scan, breaks)
    failed, n_nodes = integrate(problem, pieces, scan, breaks, max(1, n_jumps), by_parameters, row)
    row[row.size - 3] = n_jumps
    row[row.size - 2] = failures + missed + failed
    row[row.size - 1] = n_nodes


@inlined
def new_scan(s):
    """Tables of a line's scan, to be filled line after line."""
    n = s.size
    return Scan(
        s,
        np.empty((n, N_FIELDS)),
        np.empty((n, N_FIELDS)),
        np.empty(n),
        np.empty(n),
        np.empty(n),
        np.empty((n, N_FIELDS)),
        np.empty(n),
        np.empty(n),
        np.empty((n, N_FIELDS)),
        np.empty((n, N_FIELDS)),
        np.empty(LANES, np.int64),
    )


@inlined
def new_breaks():
    """Tables of a line's breaks."""
    return Breaks(
        np.empty(MAX_JUMPS),
        np.empty((MAX_JUMPS, N_FIELDS)),
        np.empty((MAX_JUMPS, N_FIELDS)),
        np.empty((MAX_JUMPS, N_FIELDS)),
        np.empty((MAX_JUMPS, N_FIELDS)),
    )


@entry_point
def average_lines(
    first, last, outer, state, parameters, scan_points, starts, orders, nodes, weights, by_parameters, rows
):  # fmt: skip
    """Average along lines ``first`` to ``last`` of the outer rule; line k fills ``rows[k]`` and nothing else.

    ``outer[k]`` holds the common modes and the teacher fields of line k. A row holds the averages and the
    derivatives of the first four and of the test error in the state; or, ``by_parameters``, the derivatives of the
    first four, of the test error and of the envelope in the model's parameters, average after average. Three counts
    follow: jumps, failures, proximal points integrated over.
    """
    problem = Problem(np.zeros(WORK_SIZE), np.zeros(WORK_SIZE), np.empty(N_CONSTANTS), state, parameters, starts)
    scan, breaks, pieces = new_scan(scan_points), new_breaks(), Pieces(orders, nodes, weights)
    for k in range(first, last):
        fill_constants(outer[k], parameters, problem.line)
        for j in range(N_TARGETS):
            for lane in range(LANES):
                problem.work[ROW_T + j * LANES + lane] = problem.line[FIRST_TARGET + j]
                problem.spare[ROW_T + j * LANES + lane] = problem.line[FIRST_TARGET + j]
        average_line(problem, scan, breaks, pieces, by_parameters, rows[k])


@entry_point
def proximal_points(first, last, fields, targets, guesses, state, parameters, out):
    """Minima from a start each: fields, guesses (n, N_FIELDS), targets (n, N_TARGETS); z, value, success in ``out``.

    Only the susceptibility of ``state`` matters.
    """
    work = np.zeros(WORK_SIZE)
    for begin in range(first, last, LANES):
        count = min(LANES, last - begin)
        for lane in range(count):
            for j in range(N_FIELDS):
                work[ROW_W + j * LANES + lane] = fields[begin + lane, j]
                work[ROW_Z + j * LANES + lane] = guesses[begin + lane, j]
            for j in range(N_TARGETS):
                work[ROW_T + j * LANES + lane] = targets[begin + lane, j]
        minimise(work, padded(work, count), state, parameters)
        for lane in range(count):
            for j in range(N_FIELDS):
                out[begin + lane, j] = work[ROW_Z + j * LANES + lane]
            out[begin + lane, N_FIELDS] = work[ROW_VALUE + lane]
            out[begin + lane, N_FIELDS + 1] = work[ROW_DONE + lane]


@entry_point
def global_minima(first, last, fields, targets, starts, state, parameters, out):
    """Find the lowest minimum by multi-start: fields (n, N_FIELDS), targets (n, N_TARGETS).

    Row i of ``out``: z, value, success.
    """
    work, point = np.zeros(WORK_SIZE), np.empty(N_FIELDS)
    for i in range(first, last):
        for j in range(N_FIELDS):
            work[ROW_W + j * LANES] = fields[i, j]
        count = number_of_starts(work, 0, starts)
        for lane in range(count):
            fill_start(lane, starts, fields, i, point)
            put(work, lane, 0.0, point)
            for j in range(N_FIELDS):
                work[ROW_W + j * LANES + lane] = fields[i, j]
            for j in range(N_TARGETS):
                work[ROW_T + j * LANES + lane] = targets[i, j]
        minimise(work, padded(work, count), state, parameters)
        out[i, N_FIELDS], out[i, N_FIELDS + 1] = math.inf, 0.0
        for lane in range(count):
            value = work[ROW_VALUE + lane]
            if work[ROW_DONE + lane] == 1.0 and value < out[i, N_FIELDS] - 1e-14 * abs(value):
                for j in range(N_FIELDS):
                    out[i, j] = work[ROW_Z + j * LANES + lane]
                out[i, N_FIELDS], out[i, N_FIELDS + 1] = value, 1.0
