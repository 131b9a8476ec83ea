"""The attention layer and its target as SymPy expressions, and one sample's loss."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from replica.algebra.softmax_weight import SoftmaxWeight
from replica.model.layer import attention_entries, target_entries
from replica.quantities import symbols

__all__ = [
    "attention_matrix",
    "sample_loss",
    "target_matrix",
]


def _softmax(logits: Sequence[sp.Expr]) -> list[sp.Expr]:
    return [SoftmaxWeight(j, *logits) for j in range(len(logits))]


def attention_matrix(preactivations: Sequence[sp.Expr] | sp.MatrixBase) -> sp.Matrix:
    r"""Return :math:`S(h) = \mathrm{softmax}(h h^\top)`, row by row (section 2 of arXiv:2402.03902).

    Parameters
    ----------
    preactivations
        The L entries of h (rank one), or an L x r matrix.

    Returns
    -------
    sympy.Matrix
        L x L, rows summing to one.
    """
    return sp.Matrix(attention_entries(sp.Matrix(preactivations).tolist(), _softmax))


def target_matrix(preactivations: Sequence[sp.Expr]) -> sp.Matrix:
    r"""Return :math:`T(h) = (1-\omega) S(h) + \omega A`, L x L."""
    attention = attention_matrix(preactivations)
    positional = symbols.positional_matrix(attention.rows)
    return sp.Matrix(target_entries(attention.tolist(), symbols.parameter("omega"), positional.tolist()))


def sample_loss(attention: sp.Matrix, target: sp.Matrix, traces: Sequence[sp.Expr]) -> sp.Expr:
    r"""Return :math:`\frac12\mathrm{Tr}[(S-T)R(S-T)^\top]` with :math:`R = \mathrm{diag}(\mathrm{Tr}\Sigma_l/d)`.

    Source: section 1 of the theory notes. ``target`` holds the entries of T(h*), as expressions or opaque symbols.
    """
    difference = attention - target
    columns = range(difference.cols)
    # Columns of equal weight share one factor, so that what is squared stands together.
    by_trace: dict[sp.Expr, list[sp.Expr]] = {}
    for k in columns:
        by_trace.setdefault(traces[k], []).extend(difference[i, k] ** 2 for i in range(difference.rows))
    if len(by_trace) == 1:
        # In the order of the matrix, row by row.
        return traces[0] / 2 * sp.Add(*(entry**2 for entry in difference))
    return sp.Add(*(trace / 2 * sp.Add(*squares) for trace, squares in by_trace.items()))
