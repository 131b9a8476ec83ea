r"""k steps at finite temperature and s replicas, and the limits s -> 0 and beta -> infinity of trace term and weights.

.. math::
    Q^{ab}: \; q_0, \dots, q_k, \; q_k + V/\beta \text{ on the diagonal}, \qquad
    \hat Q^{ab}: \; -\beta^2\hat q_0, \dots, -\beta^2\hat q_k, \; \beta\hat V - \beta^2\hat q_k,
    \qquad s_j = y_j/\beta .
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import sympy as sp

from replica.equations.replica_trick import BETA, REPLICAS, replica_limit, zero_temperature
from replica.hierarchy.matrices import HierarchicalMatrix
from replica.hierarchy.quantities import HierarchyQuantities, block_size, increments, parisi_parameter
from replica.quantities.layout import Layout
from replica.quantities.matrices import OrderParameterMatrices

__all__ = [
    "at_zero_temperature",
    "conjugate_ansatz",
    "hierarchical_prior_action",
    "hierarchical_trace_action",
    "overlap_ansatz",
    "trace_limit",
]


def overlap_ansatz(levels: Sequence[sp.Matrix], V: sp.Matrix) -> HierarchicalMatrix:
    """Return the overlaps of replicas from q of every level."""
    return HierarchicalMatrix((*increments(levels), V / BETA))


def conjugate_ansatz(levels: Sequence[sp.Matrix], V_hat: sp.Matrix) -> HierarchicalMatrix:
    """Return the conjugates of the overlaps from those of every level."""
    return HierarchicalMatrix((*(-(BETA**2) * x for x in increments(levels)), BETA * V_hat))


def hierarchical_trace_action(token: Layout, steps: int) -> sp.Expr:
    """Return one token's share of the trace term for s replicas, in the symbols of its layout."""
    own, matrices = HierarchyQuantities(token, steps), OrderParameterMatrices(token)
    overlap = overlap_ansatz([own.self_overlap(x) for x in own.levels], matrices.of("susceptibility", 0))
    conjugate = conjugate_ansatz([own.conjugate(x) for x in own.levels], matrices.of("susceptibility_conjugate", 0))
    # These do not depend on the replica.
    pairs = [("positional_overlap", None), ("semantic_overlap", 0)]
    single = sp.S.Zero
    for kind, group in pairs:
        x, y = matrices.of(kind, group), matrices.of(f"{kind}_conjugate", group)
        single += (x.T * y).trace() if x.shape[1] else sp.S.Zero
    return overlap.pair_sum(conjugate) / 2 - REPLICAS * BETA * single


def hierarchical_prior_action(precision: sp.Matrix, noise: Sequence[sp.Matrix], tilt: sp.Matrix) -> sp.Expr:
    r"""Return the prior term of one eigenvector for s replicas, up to a constant.

    Parameters
    ----------
    precision
        B, r x r.
    noise
        :math:`N_0` and the increments :math:`N_j` of :math:`\sum_l\gamma_l\hat q_l` from level to level.
    tilt
        Second moments of b, r x r.
    """
    # The factor beta is taken out of the matrix, as it is for replica symmetry.
    matrix = HierarchicalMatrix((*(-BETA * x for x in noise), precision))
    logarithms = matrix.log_determinant() + REPLICAS * precision.rows * sp.log(BETA)
    return -logarithms / 2 + BETA / 2 * (matrix.inverse_sum() * tilt).trace()


def at_zero_temperature(limit: sp.Expr, steps: int) -> sp.Expr:
    """Return the limit beta -> infinity, with blocks of size y_j / beta, of what is left at s -> 0."""
    sizes = {block_size(x + 1): parisi_parameter(x + 1) / BETA for x in range(steps)}
    return zero_temperature(limit.subs(sizes))


@functools.cache
def trace_limit(token: Layout, steps: int) -> sp.Expr:
    """Return one token's share of the trace term at s -> 0 and zero temperature."""
    return sp.expand(at_zero_temperature(replica_limit(hierarchical_trace_action(token, steps)), steps))
