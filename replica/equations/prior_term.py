r"""The prior term of Phi: the Gaussian integral over the weights, at s -> 0 and zero temperature."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from replica.algebra.inverse_matrices import InverseMatrix, symmetric_symbols, upper_triangle
from replica.algebra.spectrum_average import spectrum_average
from replica.common.errors import DerivationError
from replica.equations.replica_trick import prior_action, replica_limit, zero_temperature
from replica.model.token_law import TokenLaw
from replica.quantities.matrices import OrderParameterMatrices

__all__ = ["PriorTerm", "prior_limit", "prior_term"]


@functools.cache
def prior_limit(rank: int) -> tuple[sp.Expr, InverseMatrix, sp.ImmutableMatrix, sp.ImmutableMatrix]:
    r"""Return the prior term of one eigenvector at s -> 0 and zero temperature, :math:`\frac12\mathrm{Tr}\,K(N + M)`.

    With the inverse K = B^{-1} and the symbols of N (noise) and M (second moments of the tilt).

    Raises
    ------
    DerivationError
        If the limit, written out, is not that trace.
    """
    B, N, M = (symmetric_symbols(letter, rank) for letter in "BNM")
    limit = zero_temperature(replica_limit(prior_action(sp.Matrix(B), sp.Matrix(N), sp.Matrix(M))))
    inverse = InverseMatrix(symmetric_symbols("K", rank), B)
    compact = (sp.Matrix(inverse.symbols) * (sp.Matrix(N) + sp.Matrix(M))).trace() / 2
    if sp.simplify(limit - compact.xreplace(inverse.definitions)) != 0:
        raise DerivationError(f"the prior term's limit is no trace of K (N + M): {limit}")
    return sp.expand(compact), inverse, N, M


@dataclass(frozen=True)
class PriorTerm:
    r"""The prior term :math:`\Psi_w = \frac12 E_\nu\mathrm{Tr}\,B^{-1}(\sum_g\gamma_g\hat q_g + E\,b b^\top)`.

    Attributes
    ----------
    integrand
        What the spectrum averages: for rank above one in terms of the entries of the inverse and of the moments.
    inverse
        :math:`K = B^{-1}` with :math:`B = \lambda + \sum_g\gamma_g\hat V_g`; its entries are written out in
        ``integrand`` for rank one.
    moments
        For rank above one: symbols U of :math:`\sum_g\gamma_g\hat q_g + E\,bb^\top`, and their values.
    tilt
        The coefficients of b: :math:`\hat m` (r x k) and :math:`\sum_g\gamma_g\hat\theta_g` (r x t).
    token_law
        Covariances and projections.
    """

    integrand: sp.Expr
    inverse: InverseMatrix
    moments: Mapping[sp.Symbol, sp.Expr]
    tilt: tuple[sp.ImmutableMatrix, sp.ImmutableMatrix]
    token_law: TokenLaw

    @property
    def inverses(self) -> tuple[InverseMatrix, ...]:
        """The inverse, where ``integrand`` is in terms of its entries."""
        return (self.inverse,) if self.moments else ()

    @property
    def definitions(self) -> dict[sp.Symbol, sp.Expr]:
        """Symbols in ``integrand`` that stand for entries of K and U, and their values, in order."""
        return {**self.inverse.definitions, **self.moments} if self.moments else {}

    @property
    def expression(self) -> sp.Expr:
        """The term itself."""
        return spectrum_average(self.written_out(self.integrand), self.token_law.atom_symbols)

    def written_out(self, expression: sp.Expr) -> sp.Expr:
        """Replace the symbols of inverse and moments by what they stand for."""
        return expression.xreplace(dict(self.moments)).xreplace(self.inverse.definitions)


def prior_term(token_law: TokenLaw, ridge: sp.Expr) -> PriorTerm:
    """Return the prior term of a token law."""
    layout = token_law.layout
    rank, groups = layout.rank, range(layout.group_count)
    matrices = OrderParameterMatrices(layout)
    gamma = token_law.eigenvalues
    precision, noise = ridge * sp.eye(rank), sp.zeros(rank, rank)
    semantic = sp.zeros(rank, layout.teacher_rank)
    for g in groups:
        precision += gamma[g] * matrices.of("susceptibility_conjugate", g)
        noise += gamma[g] * matrices.of("self_overlap_conjugate", g)
        semantic += gamma[g] * matrices.of("semantic_overlap_conjugate", g)
    positional = matrices.of("positional_overlap_conjugate")
    P, X, S = (sp.Matrix(x) for x in (token_law.positional, token_law.mixed, token_law.teacher))
    cross = positional * X * semantic.T
    tilt = positional * P * positional.T + cross + cross.T + semantic * S * semantic.T
    compact, generic, N, M = prior_limit(rank)
    inverse = InverseMatrix(generic.symbols, sp.ImmutableMatrix(precision))
    if rank == 1:
        values: dict[Any, Any] = dict(
            zip((*N, *M, *generic.symbols), (*noise, *tilt, 1 / precision[0, 0]), strict=True)
        )
        integrand, moments = sp.simplify(compact.xreplace(values)), {}
    else:
        total = symmetric_symbols("U", rank)
        moments = {total[i, j]: sp.expand(noise[i, j] + tilt[i, j]) for i, j in upper_triangle(rank)}
        integrand = (sp.Matrix(inverse.symbols) * sp.Matrix(total)).trace() / 2
        # The limit depends on N and M through their sum alone.
        split = {total[i, j]: N[i, j] + M[i, j] for i, j in upper_triangle(rank)}
        if sp.expand(integrand.xreplace(split) - compact) != 0:
            raise DerivationError(f"the prior term does not depend on N and M through their sum alone: {compact}")
    tilt_coefficients = (sp.ImmutableMatrix(positional), sp.ImmutableMatrix(semantic))
    return PriorTerm(integrand, inverse, moments, tilt_coefficients, token_law)
