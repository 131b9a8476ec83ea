"""The jump-resolving line rule: Gaussian averages over a proximal point that jumps.

This file is compiled as part of a generated kernel (see ``saddle.kernel``): its text follows the functions
that SymPy wrote, whose signatures stand in ``saddle/_generated.pyi``. It contains numerics only: no equation
of the model.

For fixed teacher fields h* and common mode a, the local fields run along the line w(s). The proximal point
z*(s), the *global* minimiser of the Moreau objective, is smooth in s but for isolated jumps. A line is done in
three steps:

1. scan: the global minimiser on a coarse grid of s, by multi-start;
2. jumps: where continuing the minimiser from one scan point to the next leads to another minimum than the
   global one, follow both minima and find where their energies tie (Newton safeguarded by bisection);
3. integrate: Gauss-Legendre on each panel between jumps. The derivative of the average is the average of the
   derivative plus, per jump, the integrand's drop times the jump's velocity (Leibniz).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from saddle._generated import (
        channel_derivatives,
        channel_integrands,
        compiled,
        entry_point,
        envelope_slopes,
        local_fields,
        moreau_objective,
        target_matrix,
    )

N_STATE = 4
N_INTEGRANDS = 9
N_COLUMNS = N_INTEGRANDS + N_STATE * N_STATE + 2  # averages, Jacobian, number of jumps, number of failures
MAX_JUMPS = 16
NEWTON_STEPS = 80
GOLDEN_STEPS = 10
# Nodes near a break at s_0 are spaced as (s - s_0) ~ x^3, which makes a cusp's cube root smooth.
GRADING = 3
# Farther from its break than this, in standard deviations, a panel is plain.
GRADED_REACH = 7.0
# A minimiser moved by less than this between two routes is the same minimiser.
SAME_POINT = 1e-6
SMOOTH = 2.0
LARGE_FIELD = 0.5  # square of a local field
INVERSE_SQRT_TWO_PI = 1.0 / math.sqrt(2.0 * math.pi)


@compiled
def descend(z_1, z_2, w_1, w_2, V, t_11, t_12, t_21, t_22, parameters):
    """Minimise the Moreau objective from a start: damped Newton; return z, value, Hessian, success."""
    value, g_1, g_2, h_11, h_12, h_22 = moreau_objective(z_1, z_2, w_1, w_2, V, t_11, t_12, t_21, t_22, parameters)
    floor = 1e-5 / V  # the quadratic term alone contributes 1/V to every curvature
    success = False
    for _ in range(NEWTON_STEPS):
        lowest = lowest_curvature(h_11, h_12, h_22)
        convex = lowest > floor
        shift = 0.0 if convex else 0.1 / V - 2.0 * min(lowest, 0.0)
        a_11, a_22 = h_11 + shift, h_22 + shift
        determinant = a_11 * a_22 - h_12 * h_12
        step_1 = (h_12 * g_2 - a_22 * g_1) / determinant
        step_2 = (h_12 * g_1 - a_11 * g_2) / determinant
        length = math.sqrt(step_1 * step_1 + step_2 * step_2)
        if convex and length * length < 1e-14 * min(1.0, lowest * V) * (1.0 + z_1 * z_1 + z_2 * z_2):
            # Quadratic convergence: after this step the error is of order length^2 / (softness * V).
            z_1 += step_1
            z_2 += step_2
            value += 0.5 * (g_1 * step_1 + g_2 * step_2)
            success = True
            break
        if length > 1.0:
            step_1 /= length
            step_2 /= length
        slope = g_1 * step_1 + g_2 * step_2
        scale = 1.0
        for _ in range(40):
            trial_1, trial_2 = z_1 + scale * step_1, z_2 + scale * step_2
            new, n_1, n_2, n_11, n_12, n_22 = moreau_objective(
                trial_1, trial_2, w_1, w_2, V, t_11, t_12, t_21, t_22, parameters
            )
            if new <= value + 1e-4 * scale * slope + 1e-15 * abs(value):
                break
            scale *= 0.4
        z_1, z_2, value = trial_1, trial_2, new
        g_1, g_2, h_11, h_12, h_22 = n_1, n_2, n_11, n_12, n_22
    return z_1, z_2, value, h_11, h_12, h_22, success


@compiled
def minimise_globally(z_1, z_2, w_1, w_2, V, t_11, t_12, t_21, t_22, starts, parameters):
    """Lowest minimum reached from a warm start and from every row of ``starts``: z, value, success, Hessian."""
    best_1, best_2, best, b_11, b_12, b_22, success = descend(z_1, z_2, w_1, w_2, V, t_11, t_12, t_21, t_22, parameters)
    # Where the field itself is large, attention is saturated: minima may lie next to the field, or where one
    # token's attention changes sides.
    n_given = starts.shape[0]
    n_starts = n_given + (5 if w_1 * w_1 + w_2 * w_2 > LARGE_FIELD else 0)
    for k in range(n_starts):
        if k < n_given:
            s_1, s_2 = starts[k, 0], starts[k, 1]
        else:
            s_1 = 0.0 if k == n_given + 1 else (-0.3 * w_1 if k == n_given + 3 else w_1)
            s_2 = 0.0 if k == n_given + 2 else (-0.3 * w_2 if k == n_given + 4 else w_2)
        y_1, y_2, value, h_11, h_12, h_22, _ = descend(s_1, s_2, w_1, w_2, V, t_11, t_12, t_21, t_22, parameters)
        if value < best - 1e-14 * abs(best):
            best_1, best_2, best = y_1, y_2, value
            b_11, b_12, b_22 = h_11, h_12, h_22
    return best_1, best_2, best, success, b_11, b_12, b_22


@compiled
def apart(x_1, x_2, y_1, y_2):
    """Distance of two points."""
    return math.sqrt((x_1 - y_1) ** 2 + (x_2 - y_2) ** 2)


@compiled
def lowest_curvature(h_11, h_12, h_22):
    """Lowest eigenvalue of a symmetric 2 x 2 matrix."""
    return 0.5 * (h_11 + h_22) - math.sqrt(0.25 * (h_11 - h_22) ** 2 + h_12 * h_12)


@compiled
def excess(distance, field_step, V, softness_x, softness_y):
    """How many times farther a minimiser has moved than its lower speed at either end allows.

    The speed is at most |dw| / (V times the lowest curvature). Up to SMOOTH the minimiser may have moved without
    a jump. Beyond, the interval must be halved, until it is smooth or a jump is pinned down.
    """
    return max(0.0, distance - SAME_POINT) * V * max(softness_x, softness_y) / field_step


@compiled
def tie(
    low, x_1, x_2, soft_x, high, y_1, y_2, soft_y, spread,
    a, h_1, h_2, t_11, t_12, t_21, t_22, q, m, V, theta, parameters,
):  # fmt: skip
    """Find where the minimum x, global at ``low``, ties with the minimum y, global at ``high``.

    ``spread`` is |dw/ds|. Returns s, the two minima there, the value, and whether the minimiser really jumps
    in between (it may only have moved fast).
    """
    # Start from the middle; afterwards from Newton on the energy difference.
    s = 0.5 * (low + high)
    value = 0.0
    u_1, u_2, v_1, v_2 = x_1, x_2, y_1, y_2
    for _ in range(200):
        # Each minimum is followed from where it was last, or from its end of the bracket.
        w_1, w_2 = local_fields(a, s, h_1, h_2, q, m, V, theta, parameters)
        u_1, u_2, e_x, h_11, h_12, h_22, _ = descend(u_1, u_2, w_1, w_2, V, t_11, t_12, t_21, t_22, parameters)
        soft_u = lowest_curvature(h_11, h_12, h_22)
        v_1, v_2, e_y, h_11, h_12, h_22, _ = descend(v_1, v_2, w_1, w_2, V, t_11, t_12, t_21, t_22, parameters)
        soft_v = lowest_curvature(h_11, h_12, h_22)
        value = min(e_x, e_y)
        if apart(u_1, u_2, v_1, v_2) < SAME_POINT:
            # One minimum has ceased to exist (or both are one): keep the half in which the point moves too far.
            left = excess(apart(u_1, u_2, x_1, x_2), spread * (s - low), V, soft_x, soft_u)
            right = excess(apart(v_1, v_2, y_1, y_2), spread * (high - s), V, soft_v, soft_y)
            if max(left, right) <= SMOOTH or high - low < 1e-13:
                return s, u_1, u_2, v_1, v_2, value, False
            if left > right:
                high, y_1, y_2, soft_y = s, v_1, v_2, soft_v
            else:
                low, x_1, x_2, soft_x = s, u_1, u_2, soft_u
            s = 0.5 * (low + high)
            u_1, u_2, v_1, v_2 = x_1, x_2, y_1, y_2
            continue
        slope_x, _, _, _, _ = envelope_slopes(u_1, u_2, a, s, h_1, h_2, q, m, V, theta, parameters)
        slope_y, _, _, _, _ = envelope_slopes(v_1, v_2, a, s, h_1, h_2, q, m, V, theta, parameters)
        difference, slope = e_x - e_y, slope_x - slope_y
        if difference < 0.0:
            low, x_1, x_2, soft_x = s, u_1, u_2, soft_u
        else:
            high, y_1, y_2, soft_y = s, v_1, v_2, soft_v
        step = -difference / slope if slope > 0.0 else math.inf
        if abs(step) < 1e-13 or high - low < 1e-13:
            return s, u_1, u_2, v_1, v_2, value, True
        proposal = s + step
        s = proposal if low < proposal < high else 0.5 * (low + high)
    return s, x_1, x_2, y_1, y_2, value, True


@compiled
def softest_point(
    a, h_1, h_2, t_11, t_12, t_21, t_22, q, m, V, theta, parameters, scan, z_scan, softness
):  # fmt: skip
    """Where the objective's lowest curvature is least along a line without jumps: there z* moves fastest."""
    centre = 1
    for i in range(2, scan.size - 1):
        if softness[i] < softness[centre]:
            centre = i
    low, high = scan[centre - 1], scan[centre + 1]
    golden = 0.6180339887498949
    left, right = high - golden * (high - low), low + golden * (high - low)
    value_left, value_right = math.inf, math.inf
    for step in range(GOLDEN_STEPS):
        for side in range(2):
            if step > 0 and ((side == 0) != (value_left == math.inf)):
                continue
            s = left if side == 0 else right
            w_1, w_2 = local_fields(a, s, h_1, h_2, q, m, V, theta, parameters)
            _, _, _, h_11, h_12, h_22, _ = descend(
                z_scan[centre, 0], z_scan[centre, 1], w_1, w_2, V, t_11, t_12, t_21, t_22, parameters
            )
            if side == 0:
                value_left = lowest_curvature(h_11, h_12, h_22)
            else:
                value_right = lowest_curvature(h_11, h_12, h_22)
        if value_left < value_right:
            high, right, value_right = right, left, value_left
            left, value_left = high - golden * (high - low), math.inf
        else:
            low, left, value_left = left, right, value_right
            right, value_right = low + golden * (high - low), math.inf
    return 0.5 * (low + high)


@compiled
def find_jumps(
    i, spread, a, h_1, h_2, t_11, t_12, t_21, t_22, q, m, V, theta, parameters,
    scan, z_scan, softness, starts, with_derivatives, row, jumps, n_jumps,
):  # fmt: skip
    """Find the jumps between scan points i - 1 and i; fill ``jumps`` from ``n_jumps`` on.

    Returns the number of jumps so far, and whether the search was completed.
    """
    # Brackets still to be searched: s, z and lowest curvature at either end.
    stack = np.empty((2 * MAX_JUMPS, 8))
    stack[0, 0], stack[0, 1], stack[0, 2] = scan[i - 1], z_scan[i - 1, 0], z_scan[i - 1, 1]
    stack[0, 3], stack[0, 4], stack[0, 5] = softness[i - 1], scan[i], z_scan[i, 0]
    stack[0, 6], stack[0, 7] = z_scan[i, 1], softness[i]
    depth, first, complete = 1, n_jumps, True
    for _ in range(4 * MAX_JUMPS):
        if depth == 0:
            break
        depth -= 1
        low, x_1, x_2, soft_x = stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3]
        high, y_1, y_2, soft_y = stack[depth, 4], stack[depth, 5], stack[depth, 6], stack[depth, 7]
        s, u_1, u_2, v_1, v_2, value, real = tie(
            low, x_1, x_2, soft_x, high, y_1, y_2, soft_y, spread,
            a, h_1, h_2, t_11, t_12, t_21, t_22, q, m, V, theta, parameters,
        )  # fmt: skip
        if not real:
            continue
        w_1, w_2 = local_fields(a, s, h_1, h_2, q, m, V, theta, parameters)
        b_1, b_2, best, _, h_11, h_12, h_22 = minimise_globally(
            u_1, u_2, w_1, w_2, V, t_11, t_12, t_21, t_22, starts, parameters
        )
        third = apart(b_1, b_2, u_1, u_2) > SAME_POINT and apart(b_1, b_2, v_1, v_2) > SAME_POINT
        if third and best < value - 1e-11 * (1e-3 + abs(value)) and depth + 2 <= stack.shape[0]:
            # A third minimum lies below the tie: two jumps, one on either side.
            soft_b = lowest_curvature(h_11, h_12, h_22)
            stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3] = low, x_1, x_2, soft_x
            stack[depth, 4], stack[depth, 5], stack[depth, 6], stack[depth, 7] = s, b_1, b_2, soft_b
            depth += 1
            stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3] = s, b_1, b_2, soft_b
            stack[depth, 4], stack[depth, 5], stack[depth, 6], stack[depth, 7] = high, y_1, y_2, soft_y
            depth += 1
        elif n_jumps < MAX_JUMPS:
            jumps[n_jumps] = s
            n_jumps += 1
            if with_derivatives:
                add_jump_terms(
                    s,
                    u_1,
                    u_2,
                    v_1,
                    v_2,
                    a,
                    h_1,
                    h_2,
                    t_11,
                    t_12,
                    t_21,
                    t_22,
                    q,
                    m,
                    V,
                    theta,
                    parameters,
                    row,
                )
        else:
            complete = False
    jumps[first:n_jumps].sort()
    return n_jumps, complete and depth == 0


@compiled
def integrate_piece(
    at, far, start, end, grading, a, h_1, h_2, t_11, t_12, t_21, t_22, q, m, V, theta, parameters,
    scan, z_scan, starts, orders, nodes, weights, with_derivatives, row,
):  # fmt: skip
    """Add to ``row`` the integrals from ``start`` to ``end``, a piece of the panel from the break ``at`` to ``far``.

    Nodes are spaced as s - start ~ x**grading. Returns the number of minimisations that failed.
    """
    length = abs(end - start)
    if length <= 0.0:
        return 0
    failures = 0
    spacing = scan[1] - scan[0]
    order = orders[0] if grading > 1 else orders[1]
    # Scan points inside the panel, from which its nodes may start warm. One that lies on the break itself may
    # belong to the other side.
    if far < at:
        inside_first = math.ceil((far - scan[0]) / spacing - 1e-6)
        inside_last = math.floor((at - scan[0]) / spacing - 1e-6)
    else:
        inside_first = math.ceil((at - scan[0]) / spacing + 1e-6)
        inside_last = math.floor((far - scan[0]) / spacing + 1e-6)
    s_previous, z_1, z_2 = math.inf, 0.0, 0.0
    for k in range(order - 1, -1, -1):
        # Towards the break, so that the warm start never crosses a jump.
        fraction = 0.5 * (1.0 + nodes[order, k])
        s = start + (end - start) * fraction**grading
        w_1, w_2 = local_fields(a, s, h_1, h_2, q, m, V, theta, parameters)
        nearest = max(inside_first, min(inside_last, math.floor((s - scan[0]) / spacing + 0.5)))
        if inside_first <= inside_last and abs(scan[nearest] - s) < abs(s_previous - s):
            z_1, z_2 = z_scan[nearest, 0], z_scan[nearest, 1]
        elif k == order - 1:
            z_1, z_2, _, _, _, _, _ = minimise_globally(
                w_1, w_2, w_1, w_2, V, t_11, t_12, t_21, t_22, starts, parameters
            )
        s_previous = s
        z_1, z_2, _, h_11, h_12, h_22, success = descend(z_1, z_2, w_1, w_2, V, t_11, t_12, t_21, t_22, parameters)
        if not success:
            failures += 1
        weight = 0.5 * weights[order, k] * length * grading * fraction ** (grading - 1)
        weight *= INVERSE_SQRT_TWO_PI * math.exp(-0.5 * s * s)
        f = channel_integrands(z_1, z_2, a, s, h_1, h_2, t_11, t_12, t_21, t_22, q, m, V, theta, parameters)
        for j in range(N_INTEGRANDS):
            row[j] += weight * f[j]
        if with_derivatives:
            d = channel_derivatives(z_1, z_2, h_11, h_12, h_22, a, s, h_1, h_2, q, m, V, theta, parameters)
            for j in range(N_STATE * N_STATE):
                row[N_INTEGRANDS + j] += weight * d[j]
    return failures


@compiled
def average_line(
    a, h_1, h_2, t_11, t_12, t_21, t_22, q, m, V, theta, parameters,
    scan, starts, orders, nodes, weights, with_derivatives, row,
):  # fmt: skip
    """Average every integrand (and its derivatives) along one line; fill ``row``."""
    row[:] = 0.0
    n_scan = scan.size
    z_scan, softness = np.empty((n_scan, 2)), np.empty(n_scan)
    jumps = np.empty(MAX_JUMPS)
    n_jumps, failures = 0, 0
    w_1, w_2 = local_fields(a, 0.0, h_1, h_2, q, m, V, theta, parameters)
    y_1, y_2 = local_fields(a, 1.0, h_1, h_2, q, m, V, theta, parameters)
    spread = apart(w_1, w_2, y_1, y_2)

    for i in range(n_scan):
        w_1, w_2 = local_fields(a, scan[i], h_1, h_2, q, m, V, theta, parameters)
        z_1, z_2 = (w_1, w_2) if i == 0 else (z_scan[i - 1, 0], z_scan[i - 1, 1])
        c_1, c_2, _, _, _, _, success = descend(z_1, z_2, w_1, w_2, V, t_11, t_12, t_21, t_22, parameters)
        b_1, b_2, _, _, h_11, h_12, h_22 = minimise_globally(
            c_1, c_2, w_1, w_2, V, t_11, t_12, t_21, t_22, starts, parameters
        )
        z_scan[i, 0], z_scan[i, 1], softness[i] = b_1, b_2, lowest_curvature(h_11, h_12, h_22)
        failures += 0 if success else 1
        # NOTE: a continued minimiser that ends at the global one may have fallen off its own branch on the way.
        if i == 0 or (
            apart(b_1, b_2, c_1, c_2) < SAME_POINT
            and excess(apart(b_1, b_2, z_1, z_2), spread * (scan[i] - scan[i - 1]), V, softness[i - 1], softness[i])
            <= SMOOTH
        ):
            continue
        n_jumps, complete = find_jumps(
            i, spread, a, h_1, h_2, t_11, t_12, t_21, t_22, q, m, V, theta, parameters,
            scan, z_scan, softness, starts, with_derivatives, row, jumps, n_jumps,
        )  # fmt: skip
        failures += 0 if complete else 1

    if n_jumps == 0:
        # No jump: still grade the nodes towards the point where the minimiser moves fastest.
        jumps[0] = softest_point(
            a, h_1, h_2, t_11, t_12, t_21, t_22, q, m, V, theta, parameters, scan, z_scan, softness
        )
    n_breaks = max(1, n_jumps)
    # Two panels per break, one on either side; between two breaks they meet in the middle. Each is graded next
    # to its break and plain beyond.
    for panel in range(2 * n_breaks):
        at = jumps[panel // 2]
        if panel % 2 == 0:
            far = scan[0] if panel == 0 else 0.5 * (jumps[panel // 2 - 1] + at)
        else:
            far = scan[n_scan - 1] if panel == 2 * n_breaks - 1 else 0.5 * (at + jumps[panel // 2 + 1])
        edge = far if abs(far - at) <= GRADED_REACH else at + math.copysign(GRADED_REACH, far - at)
        for piece in range(2):
            start, end, grading = (at, edge, GRADING) if piece == 0 else (edge, far, 1)
            failures += integrate_piece(
                at, far, start, end, grading, a, h_1, h_2, t_11, t_12, t_21, t_22, q, m, V, theta, parameters,
                scan, z_scan, starts, orders, nodes, weights, with_derivatives, row,
            )  # fmt: skip
    row[N_COLUMNS - 2] = n_jumps
    row[N_COLUMNS - 1] = failures


@compiled
def add_jump_terms(
    s, u_1, u_2, v_1, v_2, a, h_1, h_2, t_11, t_12, t_21, t_22, q, m, V, theta, parameters, row
):  # fmt: skip
    """Add to the Jacobian what a moving jump contributes: integrand's drop times velocity times density."""
    left = channel_integrands(u_1, u_2, a, s, h_1, h_2, t_11, t_12, t_21, t_22, q, m, V, theta, parameters)
    right = channel_integrands(v_1, v_2, a, s, h_1, h_2, t_11, t_12, t_21, t_22, q, m, V, theta, parameters)
    slopes_left = envelope_slopes(u_1, u_2, a, s, h_1, h_2, q, m, V, theta, parameters)
    slopes_right = envelope_slopes(v_1, v_2, a, s, h_1, h_2, q, m, V, theta, parameters)
    # The energies stay tied while the jump moves: d(E_left - E_right) = 0.
    crossing = slopes_left[0] - slopes_right[0]
    if crossing == 0.0:
        return
    density = INVERSE_SQRT_TWO_PI * math.exp(-0.5 * s * s)
    for k in range(N_STATE):
        velocity = -(slopes_left[1 + k] - slopes_right[1 + k]) / crossing
        for j in range(N_STATE):
            row[N_INTEGRANDS + N_STATE * j + k] += density * velocity * (left[j] - right[j])


@entry_point
def average_lines(
    first, last, h_1, h_2, common, state, parameters,
    scan, starts, orders, nodes, weights, with_derivatives, rows,
):  # fmt: skip
    """Average lines ``first`` to ``last`` of the outer rule; line k fills ``rows[k]`` and nothing else."""
    q, m, V, theta = state[0], state[1], state[2], state[3]
    for k in range(first, last):
        t_11, t_12, t_21, t_22 = target_matrix(h_1[k], h_2[k], parameters)
        average_line(
            common[k], h_1[k], h_2[k], t_11, t_12, t_21, t_22, q, m, V, theta, parameters,
            scan, starts, orders, nodes, weights, with_derivatives, rows[k],
        )  # fmt: skip


@entry_point
def proximal_points(first, last, fields, targets, V, starts, parameters, out):
    """Global minimisers for given fields (n, 2) and target entries (n, 4): z and the envelope into ``out`` (n, 3)."""
    for k in range(first, last):
        z_1, z_2, value, _, _, _, _ = minimise_globally(
            fields[k, 0], fields[k, 1], fields[k, 0], fields[k, 1], V,
            targets[k, 0], targets[k, 1], targets[k, 2], targets[k, 3], starts, parameters,
        )  # fmt: skip
        out[k, 0], out[k, 1], out[k, 2] = z_1, z_2, value
