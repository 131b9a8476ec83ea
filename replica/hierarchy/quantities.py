r"""The unknowns of k steps: overlaps of every level, what they share with replica symmetry, Parisi's parameters.

Replicas lie in nested blocks, and an overlap depends on the level of the smallest block that holds both: :math:`q_0`
between replicas that share none, up to :math:`q_k` in the innermost. Only q and its conjugate have levels. With
``steps=0`` there is one level, and these are the order parameters of replica symmetry.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import sympy as sp

from replica.common.checked_arguments import checked_integer
from replica.quantities import symbols
from replica.quantities.layout import Layout
from replica.quantities.matrices import kind_matrix
from replica.quantities.symbols import SymbolicQuantity

__all__ = ["HierarchyQuantities", "block_size", "gap", "increments", "parisi_parameter"]


def block_size(level: int) -> sp.Symbol:
    """Return s_j, the number of replicas in a block of level j >= 1."""
    return sp.Symbol(f"s{level}", positive=True)


def parisi_parameter(level: int) -> sp.Symbol:
    r"""Return :math:`y_j = \beta s_j`, finite at zero temperature."""
    return sp.Symbol(f"y{level}", positive=True)


def gap(level: int) -> sp.Symbol:
    r"""Return :math:`\Delta_j = q_j - q_{j-1}` of a model with one q at every level, as a symbol of its own."""
    return sp.Symbol(f"Delta{level}", positive=True)


def increments(levels: Sequence[sp.Matrix]) -> tuple[sp.Matrix, ...]:
    """Return the value of level 0, and by how much it grows from level to level."""
    return (levels[0], *(after - before for before, after in itertools.pairwise(levels)))


def _of_level(entry: SymbolicQuantity, level: int) -> SymbolicQuantity:
    """Return q, or its conjugate, of one level: q, q_12 and q_1_12 become q0, q0_12 and q0_1_12."""
    letter, latex = ("q_hat", r"\hat{q}") if entry.kind.endswith("_conjugate") else ("q", "q")
    rest = entry.latex.removeprefix(latex)
    mark, _, index = rest.partition("_{")
    return replace(
        entry,
        name=entry.name.replace("self_overlap", f"self_overlap_{level}", 1),
        # Without an assumption on its sign: where the loss is even, q_0 may vanish.
        symbol=sp.Symbol(f"{letter}{level}{entry.symbol.name.removeprefix(letter)}", real=True),
        latex=f"{latex}{mark}_{{{level}{',' if index else '}'}{index}",
    )


@dataclass(frozen=True)
class HierarchyQuantities:
    """Symbols of the unknowns of k steps.

    Attributes
    ----------
    layout
        Index ranges of the order parameters.
    steps
        Number k of steps, 0 for replica symmetry.

    Raises
    ------
    InvalidArgument
        If the number of steps is not a whole number from 0 on.

    Examples
    --------
    >>> unknowns = HierarchyQuantities(Layout(), 1)
    >>> [str(x.symbol) for x in (*unknowns.order_parameters, *unknowns.conjugates)]
    ['q0', 'q1', 'm', 'V', 'theta', 'q_hat0', 'q_hat1', 'm_hat', 'V_hat', 'theta_hat']
    >>> unknowns.parameters
    (y1,)
    """

    layout: Layout
    steps: int

    def __post_init__(self) -> None:
        """Refuse what is no number of steps."""
        checked_integer("steps", self.steps, 0)

    @property
    def levels(self) -> range:
        """The levels 0 ... k of the overlaps."""
        return range(self.steps + 1)

    @cached_property
    def order_parameters(self) -> tuple[SymbolicQuantity, ...]:
        """Self-overlaps of level 0 ... k, then m, V and theta."""
        return self._leveled(symbols.order_parameters(self.layout), "self_overlap")

    @cached_property
    def conjugates(self) -> tuple[SymbolicQuantity, ...]:
        """Their conjugates, in the same order."""
        return self._leveled(symbols.conjugates(self.layout), "self_overlap_conjugate")

    def _leveled(self, entries: tuple[SymbolicQuantity, ...], kind: str) -> tuple[SymbolicQuantity, ...]:
        leveled = (_of_level(x, level) for level in self.levels for x in entries if x.kind == kind)
        return (*leveled, *(x for x in entries if x.kind != kind))

    @cached_property
    def parameters(self) -> tuple[sp.Symbol, ...]:
        """Parisi's parameters y_1 ... y_k."""
        return tuple(parisi_parameter(level) for level in self.levels[1:])

    @cached_property
    def block_sizes(self) -> tuple[sp.Symbol, ...]:
        """The blocks' sizes s_1 ... s_k."""
        return tuple(block_size(level) for level in self.levels[1:])

    def self_overlap(self, level: int, group: int | None = 0) -> sp.Matrix:
        """Return q of a level, r x r."""
        return self._matrix(symbols.order_parameters(self.layout), "self_overlap", level, group)

    def conjugate(self, level: int, group: int | None = 0) -> sp.Matrix:
        """Return the conjugate of q of a level, r x r."""
        return self._matrix(symbols.conjugates(self.layout), "self_overlap_conjugate", level, group)

    def _matrix(self, entries: tuple[SymbolicQuantity, ...], kind: str, level: int, group: int | None) -> sp.Matrix:
        own = [_of_level(x, level) for x in entries if x.kind == kind]
        return kind_matrix(own, kind, group, (self.layout.rank, self.layout.rank))

    def increments(self, group: int | None = 0) -> tuple[sp.Matrix, ...]:
        r"""Return :math:`q_0` and the gaps :math:`\Delta_j = q_j - q_{j-1}`."""
        return increments([self.self_overlap(level, group) for level in self.levels])

    def conjugate_increments(self, group: int | None = 0) -> tuple[sp.Matrix, ...]:
        r"""Return :math:`\hat q_0` and :math:`\hat q_j - \hat q_{j-1}`."""
        return increments([self.conjugate(level, group) for level in self.levels])

    def symmetric(self) -> dict[sp.Symbol, sp.Symbol]:
        """Return the symbols of replica symmetry for those of ``steps=0``."""
        known = (*symbols.order_parameters(self.layout), *symbols.conjugates(self.layout))
        own = (*self.order_parameters, *self.conjugates)
        return {x.symbol: y.symbol for x, y in zip(own, known, strict=True)}
