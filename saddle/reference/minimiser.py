"""Many small minimisations at once: Newton's method in NumPy, from several starts, the lowest minimum kept."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["Objective", "minimise_from", "spread_starts"]

MAX_STEPS = 200
HALVINGS = 40


@dataclass(frozen=True)
class Objective:
    """A function of z (n, k) at n nodes, with its derivatives; ``select`` restricts it to some of the nodes.

    Attributes
    ----------
    value, gradient, hessian
        From z (n, k) to (n,), (n, k) and (n, k, k).
    select
        From an index array to the objective at those nodes.
    """

    value: Callable[[np.ndarray], np.ndarray]
    gradient: Callable[[np.ndarray], np.ndarray]
    hessian: Callable[[np.ndarray], np.ndarray]
    select: Callable[[np.ndarray], Objective]


def spread_starts(size: int, height: float) -> np.ndarray:
    """Return all sign patterns times a height, (2^size, size): one start in every orthant."""
    return height * np.array(list(itertools.product((1.0, -1.0), repeat=size)))


def _newton_steps(gradient: np.ndarray, hessian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Newton's step (n, k) and whether the Hessian is positive definite (n,), by factorising it as L D L^T."""
    size = gradient.shape[1]
    lower: dict[tuple[int, int], np.ndarray] = {}
    pivots: list[np.ndarray] = []
    positive = np.ones(len(gradient), dtype=bool)
    with np.errstate(all="ignore"):
        for j in range(size):
            pivot = hessian[:, j, j] - sum(lower[j, m] ** 2 * pivots[m] for m in range(j))
            positive &= pivot > 1e-8 * np.abs(hessian[:, j, j])
            pivots.append(pivot)
            for i in range(j + 1, size):
                below = hessian[:, i, j] - sum(lower[i, m] * lower[j, m] * pivots[m] for m in range(j))
                lower[i, j] = below / pivot
        step = -gradient.T
        for j in range(size):
            step[j] -= sum(lower[j, m] * step[m] for m in range(j))
        for j in reversed(range(size)):
            step[j] = step[j] / pivots[j] - sum(lower[m, j] * step[m] for m in range(j + 1, size))
    return step.T, positive


def _descent_step(gradient: np.ndarray, hessian: np.ndarray) -> np.ndarray:
    """Newton's step, (n, k); where curvatures are not all positive, with their absolute values instead: downhill."""
    step, positive = _newton_steps(gradient, hessian)
    if not np.all(positive):
        curvature, axes = np.linalg.eigh(hessian[~positive])
        size = np.max(np.abs(curvature), axis=-1, keepdims=True)
        along = np.einsum("nji,nj->ni", axes, gradient[~positive])
        along /= np.maximum(np.abs(curvature), 1e-8 * size + 1e-300)
        step[~positive] = -np.einsum("nij,nj->ni", axes, along)
    return step


def _descend(objective: Objective, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return local minimisers (n, k) reached from z, and their values (n,)."""
    z, value = z.copy(), objective.value(z)
    active = np.arange(len(z))
    here = objective
    for _ in range(MAX_STEPS):
        if len(active) == 0:
            break
        slope = here.gradient(z[active])
        step = _descent_step(slope, here.hessian(z[active]))
        decrease = np.einsum("ni,ni->n", slope, step)
        before, scale = value[active], np.ones(len(active))
        # Near the minimum differences of values are rounding, and Newton's step is to be trusted.
        slack = 1e-14 * (1 + np.abs(before))
        after = here.value(z[active] + step)
        for _ in range(HALVINGS):
            rejected = ~(after <= before + 1e-4 * scale * decrease + slack)
            if not np.any(rejected):
                break
            scale[rejected] /= 2
            after[rejected] = here.select(rejected).value((z[active] + scale[:, None] * step)[rejected])
        moved = scale[:, None] * step
        z[active] += moved
        value[active] = after
        running = np.max(np.abs(moved), axis=1) > 1e-13 * (1 + np.max(np.abs(z[active]), axis=1))
        active, here = active[running], here.select(running)
    return z, value


def minimise_from(objective: Objective, starts: list[np.ndarray]) -> np.ndarray:
    """Return the lowest of the minimisers (n, k) reached from each start (n, k)."""
    best, lowest = _descend(objective, starts[0])
    for start in starts[1:]:
        z, value = _descend(objective, start)
        # Ties within rounding stay with the earlier start.
        better = value < lowest - 1e-15 * (1 + np.abs(lowest))
        best[better], lowest[better] = z[better], value[better]
    return best
