"""Slow readable twins of the fast numerics, written without any generated expression."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from replica import AttentionModel

__all__ = ["attention_weights", "envelope_on_line", "jumps_by_search", "sample_loss", "target"]


def attention_weights(h: np.ndarray) -> np.ndarray:
    """Row softmax of h h^T for h of shape (..., 2); returns (..., 2, 2)."""
    logits = h[..., :, None] * h[..., None, :]
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def target(model: AttentionModel, h: np.ndarray) -> np.ndarray:
    """T(h) = (1 - omega) S(h) + omega A."""
    return (1 - model.omega) * attention_weights(h) + model.omega * np.array(model.positional_matrix)


def sample_loss(model: AttentionModel, z: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(sigma^2/2) sum (S(z) - T)^2, z (..., 2)."""
    return model.token_variance / 2 * np.sum((attention_weights(z) - matrix) ** 2, axis=(-2, -1))


def _objective(model: AttentionModel, z: np.ndarray, w: np.ndarray, V: float, matrix: np.ndarray) -> np.ndarray:
    return np.sum((z - w) ** 2, axis=-1) / (2 * V) + sample_loss(model, z, matrix)


def _polish(model: AttentionModel, z: np.ndarray, w: np.ndarray, V: float, matrix: np.ndarray) -> np.ndarray:
    """Refine minimisers z (n, 2) by shrinking pattern search: slow, derivative-free, hard to get wrong."""
    step = 0.05
    offsets = np.array([(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1)], float)
    z = z.copy()
    while step > 1e-8:
        moving = np.arange(len(z))
        while len(moving):
            candidates = z[moving, None, :] + step * offsets
            best = np.argmin(_objective(model, candidates, w[moving, None, :], V, matrix), axis=1)
            z[moving] = candidates[np.arange(len(moving)), best]
            moving = moving[best != 0]
        step *= 0.25
    return z


def envelope_on_line(
    model: AttentionModel, w: np.ndarray, V: float, matrix: np.ndarray, reach: float = 2.6, nodes: int = 131
) -> tuple[np.ndarray, np.ndarray]:
    """Global minimisers (n, 2) and envelopes (n,) for fields w (n, 2), by a dense grid and a pattern search.

    Minima tie across z_1 = z_2 or in opposite quadrants, so the best point of every quadrant is refined whose
    energy on the grid may still turn out lowest.
    """
    axis = np.linspace(-reach, reach, nodes)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    quadrant = 2 * (grid[:, 0] >= 0) + (grid[:, 1] >= 0)
    best, value = w.copy(), np.full(len(w), np.inf)
    for chosen in range(4):
        points = grid[quadrant == chosen]
        constant = np.sum(points**2, axis=1) / (2 * V) + sample_loss(model, points, matrix)
        nearest = np.concatenate([np.argmin(constant - part @ points.T / V, axis=1) for part in _parts(w)])
        z = points[nearest]
        here = _objective(model, z, w, V, matrix)
        # On a grid this fine, energies lie above their minimum by at most the curvature times half the squared step.
        hopeful = here < value + (axis[1] - axis[0]) ** 2 * (1 / V + model.token_variance)
        z[hopeful] = _polish(model, z[hopeful], w[hopeful], V, matrix)
        here[hopeful] = _objective(model, z[hopeful], w[hopeful], V, matrix)
        better = here < value
        best[better], value[better] = z[better], here[better]
    return best, value


def _parts(w: np.ndarray, size: int = 500) -> list[np.ndarray]:
    return [w[k : k + size] for k in range(0, len(w), size)]


def jumps_by_search(minimiser: Callable[[np.ndarray], np.ndarray], s: np.ndarray, height: float) -> np.ndarray:
    """Jumps of a minimiser z(s) along a line: position, and z on either side, (n, 1 + 2 L).

    Every interval in which the minimiser moves by ``height`` or more is divided until it is too short for
    anything but a jump. Only a pair of jumps that cancel between two neighbours in ``s`` can escape.
    """
    z = minimiser(s)
    low, high, left, right = s[:-1], s[1:], z[:-1], z[1:]
    while len(low):
        moving = np.linalg.norm(right - left, axis=1) >= height
        low, high, left, right = low[moving], high[moving], left[moving], right[moving]
        if len(low) == 0 or np.max(high - low) < 1e-9:
            break
        parts = low[:, None] + (high - low)[:, None] * np.arange(1, 8) / 8
        inner = minimiser(parts.ravel()).reshape(*parts.shape, -1)
        points = np.concatenate([low[:, None], parts, high[:, None]], axis=1)
        z = np.concatenate([left[:, None], inner, right[:, None]], axis=1)
        low, high = points[:, :-1].ravel(), points[:, 1:].ravel()
        left, right = z[:, :-1].reshape(len(low), -1), z[:, 1:].reshape(len(low), -1)
    order = np.argsort(low)
    return np.concatenate([low[order, None], left[order], right[order]], axis=1)
