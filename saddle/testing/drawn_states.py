"""States inside the domain of a model's equations, from sizes relative to what is natural for the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from replica.model.attention_model import AttentionModel
from replica.model.multi_index_model import MultiIndexModel
from replica.model.parameter_values import group_statistics
from replica.model.spectrum import Spectrum
from replica.quantities.layout import Layout
from replica.quantities.names import Quantity, order_parameters

__all__ = ["drawn_state", "layout_of", "statistics"]

Model = TypeVar("Model", AttentionModel, MultiIndexModel)

# Sizes relative to what is natural, from which states are drawn.
SELF_OVERLAPS, POSITIONAL_OVERLAPS, SUSCEPTIBILITIES, SEMANTIC_OVERLAPS = (
    (0.05, 1.0),
    (0.1, 1.5),
    (0.1, 0.9),
    (0.05, 0.9),
)
# Two columns' correlation, in q and in V.
CORRELATIONS = (0.05, 0.9)


def layout_of(model: AttentionModel | MultiIndexModel) -> Layout:
    """Return which order parameters a model has."""
    return model.layout if isinstance(model, MultiIndexModel) else model.structure.layout


def drawn_state(
    model: AttentionModel | MultiIndexModel, size: Callable[[float, float], float], sign: Callable[[], float]
) -> np.ndarray:
    r"""Return any state (n,) in the domain of a model's equations, none of its overlaps zero.

    q, V and :math:`\rho - \theta^\top q^{-1}\theta` are positive definite in every group of tokens.

    Parameters
    ----------
    model
        The model.
    size
        Draws a number between two others.
    sign
        Draws -1 or 1.
    """
    layout = layout_of(model)
    traces, variances = statistics(model)
    quantities = order_parameters(layout)
    groups, r, t = layout.group_count, layout.rank, layout.teacher_rank
    q, V = (np.zeros((groups, r, r)) for _ in range(2))
    theta, m = np.zeros((groups, r, t)), np.zeros((r, layout.directions))

    def symmetric(matrices: np.ndarray, x: Quantity, diagonal: float) -> None:
        """Draw an entry of q or V, whose diagonal entries come before those beside them."""
        (a, b), of_group = x.indices, matrices[x.group or 0]
        if a == b:
            of_group[a, a] = diagonal
        else:
            # Rows of the correlation matrix are dominated by their diagonal.
            of_group[a, b] = of_group[b, a] = sign() * size(*CORRELATIONS) / (r - 1)

    for x in quantities:
        if x.kind == "self_overlap":
            symmetric(q, x, traces[x.group or 0] * size(*SELF_OVERLAPS) if x.positive else 0.0)
    q = _scaled(q)
    for x in quantities:
        if x.kind == "positional_overlap":
            spread = np.sqrt(q[:, x.indices[0], x.indices[0]].mean())
            m[x.indices] = spread * size(*POSITIONAL_OVERLAPS) * sign()
    for x in quantities:
        if x.kind == "susceptibility":
            largest = traces[x.group or 0] / model.regularization
            symmetric(V, x, largest * size(*SUSCEPTIBILITIES) if x.positive else 0.0)
    V = _scaled(V)
    for x in quantities:
        if x.kind == "semantic_overlap":
            # A matrix of so small entries has a norm below one.
            theta[x.group or 0][x.indices] = size(*SEMANTIC_OVERLAPS) * sign() / np.sqrt(r * t)
    for g in range(groups):
        theta[g] = _root(q[g]) @ theta[g] @ _root(variances[g]).T
    matrices = {"self_overlap": q, "susceptibility": V, "semantic_overlap": theta}
    return np.array([
        m[x.indices] if x.kind == "positional_overlap" else matrices[x.kind][x.group or 0][x.indices]
        for x in quantities
    ])  # fmt: skip


def statistics(model: AttentionModel | MultiIndexModel) -> tuple[np.ndarray, np.ndarray]:
    """Return tokens' mean variances (groups,) and teachers' variances (groups, t, t)."""
    if isinstance(model.spectrum, Spectrum):
        return group_statistics(model.spectrum, model.gram, model.teacher_rank)
    assert isinstance(model, AttentionModel)
    return np.array([model.token_variance]), model.token_variance * np.eye(model.teacher_rank)[None]


def _scaled(matrices: np.ndarray) -> np.ndarray:
    """Return covariances (groups, r, r) from variances on the diagonal and correlations beside it."""
    scaled = matrices.copy()
    for of_group in scaled:
        spread = np.sqrt(of_group.diagonal())
        np.fill_diagonal(of_group, 1.0)
        of_group *= np.outer(spread, spread)
    return scaled


def _root(matrix: np.ndarray) -> np.ndarray:
    """Return R with R R^T a positive definite matrix; of one entry, its square root."""
    return np.linalg.cholesky(matrix)
