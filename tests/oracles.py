"""Slow readable twins of the fast numerics, written without any generated expression."""

from __future__ import annotations

import numpy as np

from replica import AttentionModel

__all__ = ["attention_weights", "envelope_on_line", "sample_loss"]


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


def _polish(model: AttentionModel, z: np.ndarray, w: np.ndarray, V: float, matrix: np.ndarray) -> np.ndarray:
    """Refine minimisers z (n, 2) by shrinking pattern search: slow, derivative-free, hard to get wrong."""
    step = 0.05
    offsets = np.array([(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1)], float)
    while step > 1e-9:
        candidates = z[:, None, :] + step * offsets
        values = np.sum((candidates - w[:, None, :]) ** 2, axis=-1) / (2 * V)
        values = values + sample_loss(model, candidates, matrix)
        best = np.argmin(values, axis=1)
        z = candidates[np.arange(len(z)), best]
        if np.all(best == 0):
            step *= 0.5
    return z


def envelope_on_line(
    model: AttentionModel, w: np.ndarray, V: float, matrix: np.ndarray, reach: float = 2.6, nodes: int = 131
) -> tuple[np.ndarray, np.ndarray]:
    """Global minimisers (n, 2) and envelopes (n,) for fields w (n, 2), by a dense grid and a pattern search."""
    axis = np.linspace(-reach, reach, nodes)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    losses = sample_loss(model, grid, matrix)
    starts = np.empty_like(w)
    for k, field in enumerate(w):
        starts[k] = grid[np.argmin(np.sum((grid - field) ** 2, axis=1) / (2 * V) + losses)]
    z = _polish(model, starts, w, V, matrix)
    return z, np.sum((z - w) ** 2, axis=1) / (2 * V) + sample_loss(model, z, matrix)
