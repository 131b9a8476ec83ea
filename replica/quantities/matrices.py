"""Order parameters as matrices of symbols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

from replica.quantities import symbols
from replica.quantities.layout import Layout

__all__ = ["OrderParameterMatrices", "group_symbols", "kind_matrix"]


def kind_matrix(
    quantities: Sequence[symbols.SymbolicQuantity], kind: str, group: int | None, shape: tuple[int, int]
) -> sp.Matrix:
    """Return the matrix whose entries are the quantities of one kind (and group); symmetric where half is given."""
    entries = {x.indices: x.symbol for x in quantities if x.kind == kind and x.group == group}
    return sp.Matrix(*shape, lambda i, j: entries[(i, j)] if (i, j) in entries else entries[(j, i)])


@dataclass(frozen=True)
class OrderParameterMatrices:
    """Order parameters and conjugates of a layout as matrices: q, V, theta and their conjugates per group, m."""

    layout: Layout

    def of(self, kind: str, group: int | None = None) -> sp.Matrix:
        """Return the matrix of one kind, by the name it has in the table."""
        layout = self.layout
        conjugate = kind.endswith("_conjugate")
        quantities = symbols.conjugates(layout) if conjugate else symbols.order_parameters(layout)
        stem = kind.removesuffix("_conjugate")
        columns = {"positional_overlap": layout.directions, "semantic_overlap": layout.teacher_rank}
        return kind_matrix(quantities, kind, group, (layout.rank, columns.get(stem, layout.rank)))


def group_symbols(letter: str, layout: Layout, group: int, size: int) -> sp.ImmutableMatrix:
    """Return a symmetric matrix of symbols for one group of tokens."""
    stem = f"{letter}_{group + 1}_" if layout.group_count > 1 else f"{letter}_"
    return sp.ImmutableMatrix(size, size, lambda i, j: sp.Symbol(f"{stem}{min(i, j) + 1}{max(i, j) + 1}", real=True))
