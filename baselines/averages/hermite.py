r"""Functions of L independent standard normal fields, expanded in Hermite polynomials.

With normalised polynomials, :math:`f(x) = \sum_k f_k \prod_l \mathrm{He}_{k_l}(x_l)/\sqrt{k_l!}`, two standard normal
vectors with correlation c in every component obey Mehler's formula,

.. math::
    \mathbb{E}[f(x)\, g(x')] = \sum_k c^{|k|} f_k\, g_k, \qquad |k| = k_1 + \dots + k_L ,

which turns averages over 2L fields into sums over L-dimensional tables.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

__all__ = ["coefficients", "degree_sums", "grid", "orders"]

Array = NDArray[np.float64]

ORDERS = (4, 8, 12, 16, 24, 32, 48, 64, 96, 128)
# Of the whole grid, which has a power of the nodes per token.
LARGEST_GRID = 2**16


@functools.lru_cache(maxsize=16)
def _transform(order: int) -> tuple[Array, Array, Array]:
    """Return Gauss-Hermite nodes and weights, (n,), and the matrix from values at nodes to coefficients, (n, n)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(order)
    weights = weights / weights.sum()
    matrix = np.empty((order, order))
    # With the root of the weights inside, the recurrence neither overflows nor underflows.
    matrix[0], previous = np.sqrt(weights), np.zeros(order)
    for k in range(1, order):
        following = (nodes * matrix[k - 1] - np.sqrt(k - 1) * previous) / np.sqrt(k)
        previous = matrix[k - 1]
        matrix[k] = following
    return nodes, weights, matrix * np.sqrt(weights)


def orders(length: int) -> tuple[int, int]:
    """Return two numbers of nodes per token, the second twice the first and as large as the grid may be."""
    fine = max(order for order in ORDERS if order**length <= LARGEST_GRID)
    return fine // 2, fine


def grid(length: int, order: int) -> tuple[Array, Array]:
    """Return the nodes of the product rule, (L, n, ..., n), and their weights, (n, ..., n)."""
    nodes, weights, _ = _transform(order)
    return np.stack(np.meshgrid(*[nodes] * length, indexing="ij")), functools.reduce(
        np.multiply.outer, [weights] * length
    )


def coefficients(values: Array, length: int) -> Array:
    """Return Hermite coefficients of functions given at the nodes, both (..., n, ..., n) with L axes of nodes."""
    matrix = _transform(values.shape[-1])[2]
    for axis in range(values.ndim - length, values.ndim):
        values = np.moveaxis(np.tensordot(values, matrix, axes=([axis], [1])), -1, axis)
    return values


def degree_sums(terms: Array, length: int) -> Array:
    """Return the sum of the entries of each total degree |k|, shape (L (n - 1) + 1,); leading axes are summed."""
    order = terms.shape[-1]
    degree = functools.reduce(np.add.outer, [np.arange(order)] * length)
    table = terms.reshape(-1, *degree.shape).sum(axis=0)
    return np.bincount(degree.ravel(), weights=table.ravel()).astype(float)
