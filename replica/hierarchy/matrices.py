r"""Hierarchical matrices of s replicas: eigenvalues, determinant, inverse and sums over pairs.

Blocks of sizes :math:`s_0 = s > s_1 > \dots > s_k > s_{k+1} = 1` are nested. With :math:`J_j` the matrix that is one
where two replicas share a block of size :math:`s_j`, and r x r increments :math:`C_j`,

.. math::
    \mathcal{X} = \sum_{j=0}^{k+1} C_j \otimes J_j, \qquad \Lambda_j = \sum_{i\ge j} s_i C_i ,

the :math:`\Lambda_j` are its eigenvalues (blocks of them), :math:`s/s_j - s/s_{j-1}` times each and :math:`\Lambda_0`
once: what is constant on blocks of size :math:`s_j` and sums to zero on those of size :math:`s_{j-1}`. The sum of all
blocks of the inverse is :math:`s\Lambda_0^{-1}`. Replica-symmetric matrices :math:`X\delta_{ab} + Y` are k = 0 with
:math:`C_0 = Y, C_1 = X`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

from replica.common.errors import InvalidArgument
from replica.equations.replica_trick import REPLICAS
from replica.hierarchy.quantities import block_size

__all__ = ["HierarchicalMatrix", "nested_sizes"]


def nested_sizes(steps: int) -> tuple[sp.Expr, ...]:
    """Return the sizes of blocks s, s_1 ... s_k, 1."""
    return (REPLICAS, *(block_size(level + 1) for level in range(steps)), sp.S.One)


@dataclass(frozen=True)
class HierarchicalMatrix:
    """A matrix of replicas whose entries, r x r, depend on the smallest block that holds both.

    Attributes
    ----------
    increments
        :math:`C_0 ... C_{k+1}`: by how much an entry grows from one level to the next, the last on the diagonal.

    Raises
    ------
    InvalidArgument
        If there are fewer than two increments, or they differ in shape.

    Examples
    --------
    >>> X, Y = sp.symbols("X Y")
    >>> symmetric = HierarchicalMatrix((sp.Matrix([[Y]]), sp.Matrix([[X]])))
    >>> [(eigenvalue[0], count) for eigenvalue, count in symmetric.eigenvalues()]
    [(X + Y*s, 1), (X, s - 1)]
    """

    increments: tuple[sp.Matrix, ...]

    def __post_init__(self) -> None:
        """Refuse what is no hierarchy."""
        shapes = {x.shape for x in self.increments}
        if len(self.increments) < 2 or len(shapes) != 1:
            raise InvalidArgument(f"increments must be two or more matrices of one shape, got shapes {sorted(shapes)}")

    @property
    def steps(self) -> int:
        """Number k of steps."""
        return len(self.increments) - 2

    @property
    def levels(self) -> tuple[sp.Matrix, ...]:
        """Entries of pairs whose smallest common block is of level 0 ... k, and on the diagonal."""
        found = [self.increments[0]]
        for x in self.increments[1:]:
            found.append(found[-1] + x)
        return tuple(found)

    def eigenvalues(self) -> tuple[tuple[sp.Matrix, sp.Expr], ...]:
        """Return the eigenvalues, r x r, and how many times each occurs."""
        sizes = nested_sizes(self.steps)
        total, values = sp.zeros(*self.increments[0].shape), []
        for size, increment in zip(reversed(sizes), reversed(self.increments), strict=True):
            total = total + size * increment
            values.insert(0, total)
        counts = [sp.S.One, *(REPLICAS / b - REPLICAS / a for a, b in itertools.pairwise(sizes))]
        return tuple(zip(values, counts, strict=True))

    def log_determinant(self) -> sp.Expr:
        """Return the logarithm of the determinant of the s r x s r matrix."""
        return sp.Add(*(count * sp.log(value.det()) for value, count in self.eigenvalues()))

    def inverse_sum(self) -> sp.Matrix:
        """Return the sum of all blocks of the inverse, r x r."""
        return REPLICAS * self.eigenvalues()[0][0].inv(method="ADJ")

    def pair_sum(self, other: HierarchicalMatrix) -> sp.Expr:
        r"""Return :math:`\sum_{ab}\mathrm{Tr}\,\mathcal{X}_{ab}\mathcal{Y}_{ab}` with another of as many steps."""
        sizes = (*nested_sizes(self.steps), sp.S.Zero)
        pairs = [REPLICAS * (a - b) for a, b in itertools.pairwise(sizes)]
        both = zip(pairs, self.levels, other.levels, strict=True)
        return sp.Add(*(count * (x * y).trace() for count, x, y in both))

    def explicit(self, sizes: Sequence[int]) -> Any:
        """Return the matrix written out, s r x s r.

        Parameters
        ----------
        sizes
            Whole numbers s, s_1 ... s_k, each a multiple of the next.
        """
        whole = [*map(int, sizes), 1]
        if len(whole) != len(self.increments) or any(a % b for a, b in itertools.pairwise(whole)):
            raise InvalidArgument(f"sizes must be {self.steps + 1} numbers, each a multiple of the next, got {sizes!r}")
        rank = self.increments[0].rows

        def entry(i: int, j: int) -> sp.Expr:
            shared = (
                x for x, size in zip(self.increments, whole, strict=True) if i // rank // size == j // rank // size
            )
            return sp.Add(*(x[i % rank, j % rank] for x in shared))

        return sp.Matrix(whole[0] * rank, whole[0] * rank, entry)
