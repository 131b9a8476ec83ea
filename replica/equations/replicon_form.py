r"""How a fluctuation of the overlaps between replicas acts through the channel, as a quadratic form.

A replicon fluctuation is a symmetric r x r matrix per group of tokens. With the second derivatives
:math:`H_{lk}` (r x r blocks) of the Moreau envelope in the fields of tokens l and k, the channel gives it the form
:math:`\mathbb{E} \sum_{lk} \mathrm{Tr}[Y_{g(l)} H_{lk} X_{g(k)} H_{kl}]` (theory notes, section 9).
"""

from __future__ import annotations

import sympy as sp

from replica.quantities.layout import Layout
from replica.quantities.names import order_parameters

__all__ = ["curvature_symbols", "replicon_form"]


def curvature_symbols(size: int) -> sp.Matrix:
    """Return symbols of the Moreau envelope's second derivatives in the fields, (size, size)."""
    return sp.Matrix(size, size, lambda i, j: sp.Symbol(f"curvature_{min(i, j) + 1}{max(i, j) + 1}", real=True))


def replicon_form(layout: Layout, curvature: sp.Matrix) -> tuple[sp.Expr, ...]:
    r"""Return the entries on and above the diagonal of the form's matrix, row by row.

    Rows and columns stand for the entries of :math:`q_g` on and above the diagonal, in the order of the order
    parameters. The basis matrix of entry (i, j) has ones at (i, j) and (j, i).
    """
    rank = layout.rank
    entries = [(x.group or 0, *x.indices) for x in order_parameters(layout) if x.kind == "self_overlap"]

    def value(first: tuple[int, ...], second: tuple[int, ...]) -> sp.Expr:
        (g, *left), (h, *right) = first, second
        terms = []
        for token in layout.members(g):
            for other in layout.members(h):
                for i, j in {tuple(left), tuple(left[::-1])}:
                    for m, n in {tuple(right), tuple(right[::-1])}:
                        # Tr[E_ij H_lk E_mn H_kl].
                        terms.append(
                            curvature[token * rank + j, other * rank + m]
                            * curvature[token * rank + i, other * rank + n]
                        )
        return sp.Add(*terms)

    return tuple(value(entries[a], entries[b]) for a in range(len(entries)) for b in range(a, len(entries)))
