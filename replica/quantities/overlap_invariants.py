r"""What of a student's overlaps does not change under rotations of its columns, Q -> QR with orthogonal R.

Where the attention depends on Q through :math:`QQ^\top` alone, as the paper's does, overlaps of a student of higher
rank are defined up to such a rotation. What remains are the eigenvalues of every q and the singular values of m and of
every theta; for a student of one column these are q and the lengths of m and theta.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from replica.common.errors import InvalidArgument
from replica.quantities.layout import Layout
from replica.quantities.names import Quantity, order_parameters

__all__ = ["OVERLAP_KINDS", "invariant_errors", "invariant_names", "overlap_invariants", "single_overlaps"]

OVERLAP_KINDS = ("self_overlap", "positional_overlap", "semantic_overlap")
"""Kinds of the order parameters that are overlaps of the student: q, m and theta, in the order of every table."""


def overlap_invariants(layout: Layout, values: Mapping[str, float]) -> dict[str, float]:
    r"""Return eigenvalues of every q, and singular values of m and of every theta, each in descending order.

    Parameters
    ----------
    layout
        Index ranges of the order parameters.
    values
        Order parameters by the names of ``replica.quantities.names.order_parameters(layout)``; others are not looked
        at.

    Returns
    -------
    dict
        By :func:`invariant_names`. For one column, one direction and one teacher: q, :math:`|m|` and :math:`|\theta|`.

    Raises
    ------
    ValueError
        If an overlap is missing; the message names it.
    """
    found: dict[str, float] = {}
    for stem, kind, entries in _matrices(layout):
        matrix = _filled(layout, kind, entries, values)
        # Singular values of a symmetric matrix would lose the sign of an eigenvalue that rounding made negative.
        numbers = np.linalg.eigvalsh(matrix)[::-1] if kind == OVERLAP_KINDS[0] else _singular_values(matrix)
        found |= zip(_numbered(stem, len(numbers)), map(float, numbers), strict=True)
    return found


def invariant_errors(layout: Layout, errors: Mapping[str, float]) -> dict[str, float]:
    """Return bounds on the errors of the invariants, from those of the overlaps.

    A perturbation moves no eigenvalue of a symmetric matrix and no singular value by more than its spectral norm
    (Weyl), which its Frobenius norm bounds. For a single overlap this is its own error.

    Parameters
    ----------
    layout
        Index ranges of the order parameters.
    errors
        Absolute errors by the names of ``replica.quantities.names.order_parameters(layout)``.

    Raises
    ------
    ValueError
        If the error of an overlap is missing; the message names it.
    """
    found: dict[str, float] = {}
    for stem, kind, entries in _matrices(layout):
        matrix = _filled(layout, kind, entries, errors)
        bound = float(np.linalg.norm(matrix)) if matrix.size > 1 else float(matrix[0, 0])
        found |= dict.fromkeys(_numbered(stem, min(matrix.shape)), bound)
    return found


def invariant_names(layout: Layout) -> tuple[str, ...]:
    """Return the invariants' names, in the order of every table: the kind, the group's number, the value's.

    A number that takes one value only is not written.
    """
    names = []
    for stem, kind, _ in _matrices(layout):
        names += _numbered(stem, min(_shape(layout, kind)))
    return tuple(names)


def single_overlaps(layout: Layout) -> tuple[str, ...]:
    """Return the names of those m and theta that are a single number, so that the invariant forgets but a sign."""
    listed = [(stem, kind) for stem, kind, _ in _matrices(layout) if kind != OVERLAP_KINDS[0]]
    return tuple(stem for stem, kind in listed if _shape(layout, kind) == (1, 1))


def _matrices(layout: Layout) -> Iterator[tuple[str, str, list[Quantity]]]:
    """Yield each matrix of overlaps: the stem of its invariants' names, its kind, and its entries."""
    entries = order_parameters(layout)
    for kind in OVERLAP_KINDS:
        own = [entry for entry in entries if entry.kind == kind]
        for group in dict.fromkeys(entry.group for entry in own):
            stem = kind if group is None or layout.group_count == 1 else f"{kind}_{group + 1}"
            yield stem, kind, [entry for entry in own if entry.group == group]


def _shape(layout: Layout, kind: str) -> tuple[int, int]:
    columns = dict(zip(OVERLAP_KINDS, (layout.rank, layout.directions, layout.teacher_rank), strict=True))
    return layout.rank, columns[kind]


def _filled(layout: Layout, kind: str, entries: list[Quantity], values: Mapping[str, float]) -> np.ndarray:
    """Return a matrix from its named entries; of a symmetric one the upper triangle has names."""
    matrix = np.zeros(_shape(layout, kind))
    for entry in entries:
        if entry.name not in values:
            raise InvalidArgument(f"values must hold {entry.name!r}, got {sorted(values)!r}")
        matrix[entry.indices] = values[entry.name]
        if kind == OVERLAP_KINDS[0]:
            matrix[entry.indices[::-1]] = values[entry.name]
    return matrix


def _singular_values(matrix: np.ndarray) -> np.ndarray:
    # Exact for a single number, where a decomposition would round.
    return np.abs(matrix[0]) if matrix.shape == (1, 1) else np.linalg.svd(matrix, compute_uv=False)


def _numbered(stem: str, count: int) -> list[str]:
    return [stem] if count == 1 else [f"{stem}_{k + 1}" for k in range(count)]
