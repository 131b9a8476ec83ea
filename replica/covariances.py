r"""From covariance matrices to weighted eigenvalues: common eigenvectors, equal directions, bins.

Matrices that commute have common eigenvectors, and these are those of nearly every linear combination of them (H. He
and D. Kressner, Randomized joint diagonalization of symmetric matrices, SIAM J. Matrix Anal. Appl. 45, 2024): where
eigenvalues of the combination are apart, its eigenvectors are determined, and where they are not, those of every matrix
coincide, for nearly every combination.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from replica.common.checked_arguments import checked_items, checked_number, quoted
from replica.common.errors import InvalidModel

__all__ = [
    "CommonEigenvectors",
    "binned",
    "checked_covariances",
    "checked_vectors",
    "common_eigenvectors",
    "equal_rows",
]

# By default, of the largest entry or eigenvalue: matrices in double precision, and in single or less.
DOUBLE, SINGLE = 1e-8, 1e-4
# Combinations that are tried: the best is taken.
COMBINATIONS = 4
# Of the tolerance for rounding: eigenvalues nearer to each other than this part of the largest are equal.
EQUAL = 0.1


@dataclass(frozen=True)
class CommonEigenvectors:
    """Common eigenvectors of matrices that commute.

    Attributes
    ----------
    vectors
        Columns are eigenvectors, (d, d).
    eigenvalues
        Of every direction and matrix, (d, matrices).
    """

    vectors: np.ndarray
    eigenvalues: np.ndarray


def checked_covariances(covariances: Any, tolerance: float | None) -> tuple[np.ndarray, float]:
    """Return covariance matrices (matrices, d, d) in double precision, and the tolerance for their rounding.

    Raises
    ------
    InvalidModel
        If one is not square, of another size, not finite, not symmetric or not positive semidefinite.
    """
    single = getattr(covariances, "ndim", None) == 2 or _is_one_matrix(covariances)
    if isinstance(covariances, np.ndarray) and covariances.ndim == 3:
        # As they are: in lists their precision would be lost.
        listed = list(covariances)
    else:
        listed = [covariances] if single else checked_items("covariances", covariances, "matrices", error=InvalidModel)
    if not listed:
        raise InvalidModel("covariances must hold at least one matrix, got none")
    names = ["covariances"] if single else [f"covariances[{g}]" for g in range(len(listed))]
    given = [_matrix(name, matrix) for name, matrix in zip(names, listed, strict=True)]
    if tolerance is not None:
        tolerance = checked_number("tolerance", tolerance, 0.0, 0.1, error=InvalidModel)
    else:
        rough = any(x.dtype.kind == "f" and x.dtype.itemsize < 8 for x in given)
        tolerance = SINGLE if rough else DOUBLE
    matrices = [x.astype(float) for x in given]
    for name, matrix in zip(names, matrices, strict=True):
        if matrix.shape != matrices[0].shape:
            sizes = f"{len(matrix)} x {len(matrix)} beside {len(matrices[0])} x {len(matrices[0])}"
            raise InvalidModel(f"{name} must be as large as the others, got {sizes}")
        _check_covariance(name, matrix, tolerance)
    stacked = np.array(matrices)
    return 0.5 * (stacked + stacked.transpose(0, 2, 1)), tolerance


def _is_one_matrix(covariances: Any) -> bool:
    """Whether what was given are the rows of one matrix, not matrices."""
    try:
        return np.ndim(covariances) == 2
    except (ValueError, TypeError):
        return False


def _require_finite(name: str, array: np.ndarray) -> None:
    """Refuse an array (n, k) with an entry that is not finite, and name it."""
    wrong = np.argwhere(~np.isfinite(array))
    if wrong.size:
        i, j = map(int, wrong[0])
        raise InvalidModel(f"{name}[{i}][{j}] must be finite, got {float(array[i, j])!r}")


def _matrix(name: str, matrix: Any) -> np.ndarray:
    try:
        array = np.asarray(matrix)
    except (ValueError, TypeError):
        array = np.empty(0)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or not array.size or array.dtype.kind not in "fiu":
        shape = " x ".join(map(str, array.shape))
        shown = f"an array of {shape}" if array.size and array.dtype.kind in "fiu" else quoted(matrix)
        raise InvalidModel(f"{name} must be a square matrix of real numbers, got {shown}")
    _require_finite(name, array)
    return array


def _check_covariance(name: str, matrix: np.ndarray, tolerance: float) -> None:
    size = float(np.abs(matrix).max())
    if size == 0.0:
        raise InvalidModel(f"{name} must have variance, got only zeros")
    asymmetry = np.abs(matrix - matrix.T)
    if asymmetry.max() > tolerance * size:
        i, j = map(int, np.unravel_index(asymmetry.argmax(), asymmetry.shape))
        raise InvalidModel(
            f"{name} must be symmetric, got {float(matrix[i, j])!r} at ({i}, {j}) and {float(matrix[j, i])!r} at "
            f"({j}, {i})"
        )
    eigenvalues = np.linalg.eigvalsh(0.5 * (matrix + matrix.T))
    if eigenvalues[0] < -tolerance * eigenvalues[-1]:
        raise InvalidModel(
            f"{name} must be positive semidefinite, got an eigenvalue of {float(eigenvalues[0]):.6g}, with "
            f"{float(eigenvalues[-1]):.6g} the largest"
        )


def checked_vectors(name: str, vectors: Any, size: int, rows: int | None = None) -> np.ndarray:
    """Return vectors of length d as rows, (rows, d); one alone may be given as it is."""
    try:
        array = np.atleast_2d(np.asarray(vectors))
    except (ValueError, TypeError):
        array = np.empty((0, 0))
    expected = f"{'' if rows is None else f'{rows} '}vectors of {size} real numbers each, as rows"
    fits = array.ndim == 2 and array.size and array.shape[1] == size and array.dtype.kind in "fiu"
    if not fits or (rows is not None and len(array) != rows):
        shape = " x ".join(map(str, array.shape))
        shown = f"an array of {shape}" if array.size and array.dtype.kind in "fiu" else quoted(vectors)
        raise InvalidModel(f"{name} must be {expected}, got {shown}")
    _require_finite(name, array)
    return array.astype(float)


def common_eigenvectors(matrices: np.ndarray, tolerance: float) -> CommonEigenvectors:
    """Return common eigenvectors of symmetric matrices (matrices, d, d).

    Raises
    ------
    InvalidModel
        If two of them do not commute, naming them and by how much.
    """
    sizes = np.linalg.norm(matrices, axis=(1, 2))
    for g in range(len(matrices)):
        for h in range(g):
            product = matrices[g] @ matrices[h]
            commutator = float(np.linalg.norm(product - product.T) / (sizes[g] * sizes[h]))
            if commutator > tolerance:
                raise InvalidModel(
                    f"covariances must commute, that is, have common eigenvectors; got covariances[{h}] and "
                    f"covariances[{g}], whose commutator is {commutator:.3g} of the product of their norms, and may be "
                    f"{tolerance:.3g}"
                )
    best, eigenvalues, least = np.eye(matrices.shape[1]), np.zeros((len(matrices), 0)), np.inf
    numbers = np.random.default_rng(1)
    for _ in range(COMBINATIONS if len(matrices) > 1 else 1):
        weights = numbers.normal(size=len(matrices)) if len(matrices) > 1 else np.ones(1)
        _, vectors = np.linalg.eigh(np.einsum("g,gij->ij", weights / sizes, matrices))
        turned = vectors.T @ matrices @ vectors
        diagonals = turned.diagonal(axis1=1, axis2=2)
        left = float((np.linalg.norm(turned - diagonals[:, None] * np.eye(len(vectors)), axis=(1, 2)) / sizes).max())
        if left < least:
            best, eigenvalues, least = vectors, diagonals, left
        if least <= tolerance:
            break
    if least > max(np.sqrt(tolerance), 1e-6):
        raise InvalidModel(
            "covariances must commute, that is, have common eigenvectors; in the best basis found "
            f"{least:.3g} of their norms is off the diagonal"
        )
    # What rounding has made of zero.
    return CommonEigenvectors(best, np.maximum(eigenvalues.T, 0.0))


def equal_rows(eigenvalues: np.ndarray, tolerance: float) -> list[np.ndarray]:
    """Return the directions (d, matrices) in sets whose eigenvalues differ by rounding only.

    Sets stand by increasing eigenvalues of the first matrix, then of the next.
    """
    ranks = np.empty(eigenvalues.shape, dtype=int)
    for column, found in zip(eigenvalues.T, ranks.T, strict=True):
        order = np.argsort(column, kind="stable")
        apart = np.diff(column[order]) > EQUAL * tolerance * column.max()
        found[order] = np.concatenate([[0], np.cumsum(apart)])
    order = np.lexsort(ranks.T[::-1])
    changes = np.any(np.diff(ranks[order], axis=0) != 0, axis=1)
    return np.split(order, np.flatnonzero(changes) + 1)


def binned(sets: Sequence[np.ndarray], eigenvalues: np.ndarray, most: int) -> list[np.ndarray]:
    """Return at most so many sets of directions, joined where that loses least of the eigenvalues' second moments.

    The set that varies most within itself is halved where the sum of both halves' variances is least, again and again.
    Every matrix counts in proportion to its mean eigenvalue.

    Parameters
    ----------
    sets
        Of directions with equal eigenvalues, which are not separated.
    eigenvalues
        Of every direction, (d, matrices).
    most
        Number of sets.
    """
    scaled = eigenvalues / eigenvalues.mean(axis=0)
    values = np.array([scaled[rows].mean(axis=0) for rows in sets])
    counts = np.array([float(len(rows)) for rows in sets])
    parts = [np.arange(len(sets))]
    while len(parts) < most:
        scatters = [_scatter(values[part], counts[part]) for part in parts]
        widest = int(np.argmax(scatters))
        if not scatters[widest] > 0.0:
            break
        parts[widest : widest + 1] = _halves(parts[widest], values, counts)
    return [np.concatenate([sets[k] for k in part]) for part in parts]


def _scatter(values: np.ndarray, counts: np.ndarray) -> float:
    mean = counts @ values / counts.sum()
    return float(counts @ ((values - mean) ** 2).sum(axis=1))


def _halves(part: np.ndarray, values: np.ndarray, counts: np.ndarray) -> list[np.ndarray]:
    """Return a set in two, along the matrix whose eigenvalues vary most in it."""
    own, weights = values[part], counts[part]
    spread = weights @ (own - weights @ own / weights.sum()) ** 2
    part = part[np.argsort(own[:, int(spread.argmax())], kind="stable")]
    own, weights = values[part], counts[part]
    # What is gained by a cut is n m/(n + m) of the squared distance between both means.
    below, sums = np.cumsum(weights)[:-1], np.cumsum(weights[:, None] * own, axis=0)
    above = weights.sum() - below
    gap = sums[:-1] / below[:, None] - (sums[-1] - sums[:-1]) / above[:, None]
    cut = int((below * above * (gap**2).sum(axis=1)).argmax()) + 1
    return [part[:cut], part[cut:]]
