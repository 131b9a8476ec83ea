"""Random models of two tokens from a generator of numbers: like the paper's, wide, and such that something happens."""

from __future__ import annotations

import math

import numpy as np

from replica import AttentionModel

__all__ = ["lively", "paper_like", "wide"]

PUBLISHED = (((0.6, 0.4), (0.4, 0.6)), ((0.3, 0.7), (0.8, 0.2)))


def _log_uniform(generator: np.random.Generator, low: float, high: float) -> float:
    return math.exp(generator.uniform(math.log(low), math.log(high)))


def paper_like(generator: np.random.Generator) -> AttentionModel:
    """Draw one like the paper's: opposite encodings, a stochastic A (of the paper, or random), moderate fields."""
    chosen = generator.integers(3)
    if chosen < 2:
        matrix = PUBLISHED[chosen]
    else:
        first, second = generator.uniform(0.0, 1.0, size=2)
        matrix = ((first, 1.0 - first), (second, 1.0 - second))
    return AttentionModel(
        omega=generator.uniform(0.0, 0.5),
        sigma=generator.uniform(0.3, 0.7),
        regularization=_log_uniform(generator, 3e-3, 0.1),
        positional_matrix=matrix,
    )


def wide(
    generator: np.random.Generator,
    largest_sigma: float = 1.0,
    smallest_regularization: float = 1e-3,
) -> AttentionModel:
    """Draw any omega, narrow to wide tokens, weak to strong penalties, generic A and encodings."""
    return AttentionModel(
        omega=generator.uniform(0.0, 1.0),
        sigma=generator.uniform(0.1, largest_sigma),
        regularization=_log_uniform(generator, smallest_regularization, 2.0),
        positional_matrix=generator.uniform(0.0, 1.0, size=(2, 2)).tolist(),
        positional_encoding=[
            float(generator.choice([-1, 1]) * generator.uniform(0.3, 1.5)),
            float(generator.uniform(-1.5, 1.5)),
        ],
    )


def lively(generator: np.random.Generator, omega: float | None = None) -> AttentionModel:
    """Draw generic A and encodings, but such that something happens: self-attention, opposite signs, weak penalties."""
    first, second = generator.uniform(0.5, 1.0, size=2)
    others = generator.uniform(0.0, 0.5, size=2)
    return AttentionModel(
        omega=generator.uniform(0.05, 0.3) if omega is None else omega,
        sigma=generator.uniform(0.4, 0.6),
        regularization=_log_uniform(generator, 3e-3, 1.5e-2),
        positional_matrix=[[float(first), float(others[0])], [float(others[1]), float(second)]],
        positional_encoding=[float(generator.uniform(0.7, 1.3)), -float(generator.uniform(0.7, 1.3))],
    )
