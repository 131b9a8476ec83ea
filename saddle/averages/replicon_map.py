r"""The linear map whose largest eigenvalue is the replicon's: fluctuations through the channel and the weights.

A replicon fluctuation of the overlaps is a symmetric r x r matrix :math:`X_g` for every group of tokens. The channel
answers with :math:`\hat X_g = \alpha\,\mathbb{E} \sum_{l \in g} \sum_k H_{lk} X_{g(k)} H_{kl}`, where H are the second
derivatives of the Moreau envelope; the weights answer that with
:math:`X_g = \mathbb{E}_\nu \sum_h A_g \hat X_h A_h`, where :math:`A_g = \gamma_g B^{-1}` (theory notes, section 9).
Both maps are self-adjoint, the weights' is a positive form, and both take positive semidefinite matrices to such. So
all eigenvalues of their product are real, and the largest is also the largest in modulus.
"""

from __future__ import annotations

import itertools

import numpy as np

__all__ = ["form_size", "largest_eigenvalue", "weights_map"]


def form_size(groups: int, rank: int) -> int:
    """Return the number of entries on and above the diagonal of a form on fluctuations."""
    size = groups * rank * (rank + 1) // 2
    return size * (size + 1) // 2


def weights_map(responses: np.ndarray, shares: np.ndarray) -> np.ndarray:
    r"""Return the weights' map on matrices conjugate to fluctuations, (n, n).

    Rows and columns stand for the entries of the fluctuations on and above the diagonal, group by group.

    Parameters
    ----------
    responses
        :math:`A_g = \gamma_g B^{-1}` on every atom of the spectrum, (atoms, groups, r, r). If there is one atom only,
        these are V.
    shares
        Weights of the atoms, (atoms,).
    """
    _, groups, rank, _ = responses.shape
    pairs = list(itertools.combinations_with_replacement(range(rank), 2))
    entries = [(g, i, j) for g in range(groups) for i, j in pairs]
    # Dual to the basis of the channel's form, which has ones at (i, j) and at (j, i).
    basis = np.zeros((len(entries), rank, rank))
    for a, (_, i, j) in enumerate(entries):
        basis[a, i, j] = basis[a, j, i] = 1.0 if i == j else 0.5
    own = responses[:, [g for g, _, _ in entries]]
    # Tr[e_a A_g e_b A_h] with the groups g and h of a and b.
    moved = np.einsum("aij,najk->naik", basis, own)
    return np.einsum("n,naik,nbki->ab", shares, moved, moved)


def largest_eigenvalue(weights: np.ndarray, form: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the largest eigenvalue of the product of the two maps, and its derivatives in the form's entries, (m,).

    The eigenvalue is homogeneous: the sum of derivative times entry. For n = 1 the derivative is ``weights`` itself.

    Parameters
    ----------
    weights
        What :func:`weights_map` returns, (n, n).
    form
        The channel's form: entries on and above the diagonal, row by row, (m,); m is n (n + 1)/2.
    """
    rows, columns = np.triu_indices(len(weights))
    matrix = np.zeros_like(weights)
    matrix[rows, columns] = matrix[columns, rows] = form
    # NOTE: no Cholesky factor, since the map may be singular: tokens whose eigenvalues are in proportion on all atoms
    # respond as one.
    values, vectors = np.linalg.eigh(weights)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    direction = root @ np.linalg.eigh(root @ matrix @ root)[1][:, -1]
    slopes = direction[rows] * direction[columns] * np.where(rows == columns, 1.0, 2.0)
    return float(slopes @ form), slopes
