"""The term of the weights in matrices of any rank, as SymPy objects to print."""

from __future__ import annotations

import sympy as sp

from replica.algebra.inverse_matrices import symmetric_symbols
from replica.equations.prior_term import prior_limit
from replica.equations.replica_trick import BETA, prior_action, replica_limit

__all__ = ["RankMatrices"]


class RankMatrices:
    """Matrices of the weights' term as symbols: of their entries for rank one, of the matrices for higher ranks."""

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.entries = tuple(sp.Matrix(symmetric_symbols(letter, rank)) for letter in "BNM")
        self.whole = tuple(sp.MatrixSymbol(letter, rank, rank) for letter in "BNM")

    def action(self) -> sp.Expr:
        """Return the weights' term for s replicas."""
        return prior_action(*(self.entries if self.rank == 1 else self.whole))

    def without_replicas(self) -> sp.Expr:
        """Return its limit s -> 0."""
        if self.rank == 1:
            return sp.expand(sp.expand_log(replica_limit(prior_action(*self.entries)), force=True))
        B, N, M = self.whole
        logarithms = sp.log(sp.Determinant(B)) + self.rank * sp.log(BETA)
        return BETA / 2 * sp.Trace(sp.Inverse(B) * (N + M)) - logarithms / 2

    def at_zero_temperature(self) -> sp.Expr:
        """Return its limit beta -> infinity."""
        if self.rank == 1:
            limit, inverse, *_ = prior_limit(1)
            return sp.factor_terms(limit.xreplace(inverse.definitions))
        B, N, M = self.whole
        return sp.Trace(sp.Inverse(B) * (N + M)) / 2
