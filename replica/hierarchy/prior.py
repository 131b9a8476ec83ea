r"""The prior term of k steps at s -> 0 and zero temperature.

.. math::
    \Psi_w = E_\nu\Big[-\sum_{j=1}^k \frac{\log\det B_j - \log\det B_{j+1}}{2 y_j}
             + \tfrac12\mathrm{Tr}\,B_1^{-1}\Big(\sum_g\gamma_g\hat q_{g,0} + E\,bb^\top\Big)\Big]

with :math:`B_{k+1} = \lambda + \sum_g\gamma_g\hat V_g` and :math:`B_j = B_{j+1} - y_j\sum_g\gamma_g(\hat q_{g,j} -
\hat q_{g,j-1})`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import sympy as sp

from replica.algebra.inverse_matrices import symmetric_symbols, upper_triangle
from replica.algebra.spectrum_average import spectrum_average
from replica.common.errors import DerivationError
from replica.equations.prior_term import prior_term
from replica.equations.replica_trick import replica_limit
from replica.hierarchy.ansatz import at_zero_temperature, hierarchical_prior_action
from replica.hierarchy.quantities import HierarchyQuantities, parisi_parameter
from replica.model.token_law import TokenLaw
from replica.quantities.matrices import OrderParameterMatrices

__all__ = ["HierarchicalPrior", "hierarchical_prior", "hierarchical_prior_limit", "precision_symbols"]


def precision_symbols(level: int, rank: int) -> sp.ImmutableMatrix:
    """Return the symbols of B_j, r x r."""
    return symmetric_symbols(f"B{level}", rank)


def _exact(expression: sp.Expr) -> sp.Expr:
    """Return an expression of logarithms and fractions as one fraction; zero if it is zero."""
    logarithms: dict[sp.Expr, sp.Symbol] = {}
    replaced: dict[Any, Any] = {
        x: logarithms.setdefault(sp.expand(x.args[0]), sp.Dummy()) for x in expression.atoms(sp.log)
    }
    return sp.expand(sp.numer(sp.together(expression.xreplace(replaced))))


@functools.cache
def hierarchical_prior_limit(rank: int, steps: int) -> sp.Expr:
    """Return the prior term of one eigenvector in the symbols of B_1 ... B_{k+1}, N0 and M.

    Raises
    ------
    DerivationError
        If the limit of the term of s replicas, written out, is not that expression.
    """
    noise = [sp.Matrix(symmetric_symbols(f"N{level}", rank)) for level in range(steps + 1)]
    B, M = (sp.Matrix(symmetric_symbols(letter, rank)) for letter in "BM")
    limit = at_zero_temperature(replica_limit(hierarchical_prior_action(B, noise, M)), steps)
    precisions = [sp.Matrix(precision_symbols(level, rank)) for level in range(1, steps + 2)]
    compact = (precisions[0].inv(method="ADJ") * (noise[0] + M)).trace() / 2
    for level in range(1, steps + 1):
        inner, outer = (sp.log(precisions[x].det()) for x in (level, level - 1))
        compact -= (outer - inner) / (2 * parisi_parameter(level))
    values: dict[Any, Any] = {}
    current = B
    for level in range(steps + 1, 0, -1):
        if level <= steps:
            current = current - parisi_parameter(level) * noise[level]
        values |= dict(zip(precisions[level - 1], current, strict=True))
    if _exact(limit - compact.xreplace(values)) != 0:
        raise DerivationError(f"the prior term's limit at {steps} steps is not the expected one: {limit}")
    return compact


@dataclass(frozen=True)
class HierarchicalPrior:
    r"""The prior term of k steps.

    Attributes
    ----------
    integrand
        What the spectrum averages, in terms of the entries of B_1 ... B_{k+1}.
    precisions
        Symbols of these entries and their values, in order of computation: each in terms of the one before.
    moments
        :math:`\sum_g\gamma_g\hat q_{g,0} + E\,bb^\top`, r x r.
    token_law
        Covariances and projections.
    """

    integrand: sp.Expr
    precisions: dict[sp.Symbol, sp.Expr]
    moments: sp.ImmutableMatrix
    token_law: TokenLaw

    @property
    def written_out(self) -> sp.Expr:
        """The integrand in terms of conjugates, y and what the spectrum averages."""
        return self.without_precisions(self.integrand)

    def without_precisions(self, expression: Any) -> Any:
        """Replace the symbols of B_1 ... B_{k+1} by what they stand for."""
        for symbol, value in reversed(self.precisions.items()):
            expression = expression.xreplace({symbol: value})
        return expression

    @property
    def expression(self) -> sp.Expr:
        """The term itself."""
        return spectrum_average(self.written_out, self.token_law.atom_symbols)


def hierarchical_prior(token_law: TokenLaw, ridge: sp.Expr, steps: int) -> HierarchicalPrior:
    """Return the prior term of a token law.

    Parameters
    ----------
    token_law
        Covariances and projections.
    ridge
        The ridge penalty.
    steps
        Number k of steps.
    """
    layout, gamma = token_law.layout, token_law.eigenvalues
    rank, own, matrices = layout.rank, HierarchyQuantities(layout, steps), OrderParameterMatrices(layout)
    groups = range(layout.group_count)
    # What b is made of is the same at any number of steps.
    positional, semantic = map(sp.Matrix, prior_term(token_law, ridge).tilt)
    P, X, S = (sp.Matrix(x) for x in (token_law.positional, token_law.mixed, token_law.teacher))
    cross = positional * X * semantic.T
    tilt = positional * P * positional.T + cross + cross.T + semantic * S * semantic.T
    precision = ridge * sp.eye(rank)
    noise = [sp.zeros(rank, rank) for _ in own.levels]
    for g in groups:
        precision += gamma[g] * matrices.of("susceptibility_conjugate", g)
        noise = [x + gamma[g] * y for x, y in zip(noise, own.conjugate_increments(g), strict=True)]
    values: dict[Any, Any] = {}
    precisions: dict[Any, Any] = {}
    for level in range(steps + 1, 0, -1):
        entries = precision_symbols(level, rank)
        if level == steps + 1:
            value = precision
        else:
            value = sp.Matrix(precision_symbols(level + 1, rank)) - parisi_parameter(level) * noise[level]
        precisions |= {entries[i, j]: value[i, j] for i, j in upper_triangle(rank)}
    N0, M = symmetric_symbols("N0", rank), symmetric_symbols("M", rank)
    values |= {N0[i, j]: noise[0][i, j] for i, j in upper_triangle(rank)}
    values |= {M[i, j]: sp.expand(tilt[i, j]) for i, j in upper_triangle(rank)}
    integrand: Any = hierarchical_prior_limit(rank, steps)
    return HierarchicalPrior(integrand.xreplace(values), precisions, sp.ImmutableMatrix(noise[0] + tilt), token_law)
