"""Random models and states of two tokens, as wide as the property tests draw them."""

from __future__ import annotations

import numpy as np

from replica import AttentionModel
from saddle.testing.drawn_states import drawn_state

__all__ = ["paper_state", "random_model", "random_state"]


def random_model(generator: np.random.Generator, largest_sigma: float = 1.2) -> AttentionModel:
    """Any model of reasonable size: A need not be stochastic, the encodings need not be opposite."""
    return AttentionModel(
        omega=generator.uniform(0, 1),
        sigma=generator.uniform(0.25, largest_sigma),
        regularization=generator.uniform(0.003, 0.3),
        positional_matrix=generator.uniform(-0.5, 1.5, size=(2, 2)),
        positional_encoding=(generator.choice([-1, 1]) * generator.uniform(0.3, 1.5), generator.uniform(-1.5, 1.5)),
    )


def random_state(generator: np.random.Generator, model: AttentionModel) -> np.ndarray:
    """Any state in the domain of a model's equations, none of its overlaps zero."""
    return drawn_state(model, generator.uniform, lambda: generator.choice([-1, 1]))


def paper_state(generator: np.random.Generator) -> np.ndarray:
    """q, m, V and theta of the size that they have on the paper's branches, m and theta often zero."""
    q = generator.uniform(0.03, 0.15)
    m = generator.choice([0, 1]) * generator.uniform(0.02, 0.3)
    theta = generator.choice([0, 1]) * generator.uniform(0.01, 0.95) * 0.5 * np.sqrt(q)
    return np.array([q, m, generator.uniform(5, 35), theta])
