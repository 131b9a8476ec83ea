"""Random models of two tokens in two strata: like the paper's, and wide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from replica import AttentionModel
from saddle.testing.drawn_models import paper_like, wide

__all__ = ["STRATA", "random_model"]

STRATA: Mapping[str, Callable[[np.random.Generator], AttentionModel]] = MappingProxyType(
    {"paper-like": paper_like, "wide": wide}
)
"""Ways to draw a model, by name."""


def random_model(seed: int, number: int) -> tuple[str, AttentionModel]:
    """Return the stratum and the model of one number; strata take turns."""
    stratum = tuple(STRATA)[number % len(STRATA)]
    return stratum, STRATA[stratum](np.random.default_rng([seed, number]))
