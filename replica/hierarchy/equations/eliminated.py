r"""Trace and prior term without the conjugates, for tokens of one isotropic covariance and students of rank one.

.. math::
    \frac{q_0 - \sigma^2|m|^2 - |\theta|^2/\sigma^2}{2\chi_1} + \sum_{j=1}^k\frac{\log(\chi_j/\chi_{j+1})}{2y_j}
    - \frac{\lambda q_k}{2\sigma^2}, \qquad \chi_{k+1} = V, \quad \chi_j = \chi_{j+1} + y_j\Delta_j .

Stationarity in the conjugates gives :math:`B_j = \sigma^2/\chi_j`; what they are is put in, not assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from replica.common.errors import DerivationError, InvalidArgument
from replica.hierarchy.explicit_terms import ExplicitTerms, explicit_terms
from replica.hierarchy.quantities import gap, parisi_parameter
from replica.hierarchy.scalar_function import ScalarFunction
from replica.model.loss_model import LossModel
from replica.quantities.solvable_model import Model
from replica.quantities.structure import ModelStructure

__all__ = ["EliminatedTerms", "eliminated_terms", "level_susceptibility"]


def level_susceptibility(level: int) -> sp.Symbol:
    r"""Return :math:`\chi_j`, the response of a pre-activation when blocks of level j follow."""
    return sp.Symbol(f"chi{level}", positive=True)


@dataclass(frozen=True)
class EliminatedTerms:
    r"""Trace and prior term in (q_0, gaps, m, V, theta, y) alone.

    Attributes
    ----------
    terms
        What the conjugates were eliminated from.
    integrand
        In terms of :math:`\chi_1 \dots \chi_{k+1}`, :math:`q_k` written as the sum of :math:`q_0` and gaps.
    susceptibilities
        Their values, each in terms of the one before.
    conjugates
        The conjugates where all is stationary in them, in terms of overlaps, gaps and y.
    """

    terms: ExplicitTerms
    integrand: sp.Expr
    susceptibilities: dict[sp.Symbol, sp.Expr]
    conjugates: dict[sp.Symbol, sp.Expr]

    @property
    def written_out(self) -> sp.Expr:
        """The integrand in terms of overlaps, gaps and y."""
        return _written(self.integrand, self.susceptibilities)

    @cached_property
    def function(self) -> ScalarFunction:
        """The terms as a function of (q_0, gaps, m, V, theta, y), at given variance and ridge penalty."""
        own = self.terms.quantities
        first, *others = (x for x in own.order_parameters if x.kind != "self_overlap" or x.symbol.name == "q0")
        gaps = tuple(gap(level) for level in own.levels[1:])
        variables = (first.symbol, *gaps, *(x.symbol for x in others), *own.parameters)
        constants = tuple(x.symbol for x in self.terms.model.parameters if x.symbol in self.written_out.free_symbols)
        ridge = self.terms.model.ridge
        extra = (ridge,) if isinstance(ridge, sp.Symbol) and ridge not in constants else ()
        return ScalarFunction(self.written_out, variables, (*extra, *constants))


def _written(expression: Any, definitions: dict[sp.Symbol, sp.Expr]) -> Any:
    for symbol, value in reversed(definitions.items()):
        expression = expression.xreplace({symbol: value})
    return expression


def eliminated_terms(model: Model | ModelStructure | LossModel, steps: int = 1) -> EliminatedTerms:
    """Eliminate the conjugates from trace and prior term.

    Raises
    ------
    InvalidArgument
        If the student has more than one column, or the covariances are not all the same multiple of the identity.
    DerivationError
        If trace and prior term are not stationary in the conjugates that were put in.

    Examples
    --------
    >>> from replica import AttentionModel
    >>> terms = eliminated_terms(AttentionModel.paper(), steps=1)
    >>> terms.susceptibilities
    {chi2: V, chi1: Delta1*y1 + chi2}
    >>> [str(x) for x in terms.function.variables]
    ['q0', 'Delta1', 'm', 'V', 'theta', 'y1']
    """
    terms = explicit_terms(model, steps)
    own, law = terms.quantities, terms.prior.token_law
    if own.layout.rank != 1 or own.layout.group_count != 1 or law.atom_symbols:
        raise InvalidArgument(
            "conjugates are eliminated in closed form for students of rank one and one isotropic covariance, got "
            f"rank {own.layout.rank}, {own.layout.group_count} group(s) of tokens, "
            f"{'a spectrum' if law.atom_symbols else 'one eigenvalue'}"
        )
    gamma, ridge = law.eigenvalues[0], terms.model.ridge
    symbols_of = {(x.kind, x.symbol.name): x.symbol for x in (*own.order_parameters, *own.conjugates)}

    def entries(kind: str) -> list[sp.Symbol]:
        return [x for (of, _), x in symbols_of.items() if of == kind]

    q, q_hat = entries("self_overlap"), entries("self_overlap_conjugate")
    (V,), (V_hat,) = entries("susceptibility"), entries("susceptibility_conjugate")
    m, m_hat = entries("positional_overlap"), entries("positional_overlap_conjugate")
    theta, theta_hat = entries("semantic_overlap"), entries("semantic_overlap_conjugate")
    chi = {steps + 1: V} | {level: level_susceptibility(level) for level in range(steps, 0, -1)}
    susceptibilities = {level_susceptibility(steps + 1): V} | {
        chi[level]: level_susceptibility(level + 1) + parisi_parameter(level) * gap(level)
        for level in range(steps, 0, -1)
    }
    chi[steps + 1] = level_susceptibility(steps + 1)
    free = q[0] - gamma * sp.Add(*(x**2 for x in m)) - sp.Add(*(x**2 for x in theta)) / gamma
    overlaps = {q[level]: q[0] + sp.Add(*(gap(x) for x in range(1, level + 1))) for level in own.levels}
    integrand = free / (2 * chi[1]) - ridge * overlaps[q[-1]] / (2 * gamma)
    for level in range(1, steps + 1):
        integrand += (sp.log(chi[level]) - sp.log(chi[level + 1])) / (2 * parisi_parameter(level))
    # Stationary in the conjugates: B_j = gamma / chi_j.
    B = {level: gamma / x for level, x in chi.items()}
    conjugates: dict[Any, Any] = {V_hat: (B[steps + 1] - ridge) / gamma, q_hat[0]: free / chi[1] ** 2}
    for level in range(1, steps + 1):
        change = (B[level + 1] - B[level]) / (parisi_parameter(level) * gamma)
        conjugates[q_hat[level]] = conjugates[q_hat[level - 1]] + change
    conjugates |= {hat: x * B[1] for hat, x in zip(m_hat, m, strict=True)}
    conjugates |= {hat: x * B[1] / gamma**2 for hat, x in zip(theta_hat, theta, strict=True)}
    found = EliminatedTerms(terms, integrand, susceptibilities, conjugates)
    _require_stationary(found, overlaps)
    return found


def _require_stationary(found: EliminatedTerms, overlaps: dict[Any, Any]) -> None:
    """Refuse conjugates in which trace and prior term are not stationary, or another value there."""
    explicit: Any = found.terms.trace_term + found.terms.prior.written_out

    def at(expression: Any) -> Any:
        return _written(expression.xreplace(found.conjugates).xreplace(overlaps), found.susceptibilities)

    for conjugate in found.conjugates:
        slope = at(sp.diff(explicit, conjugate))
        if sp.simplify(slope) != 0:
            raise DerivationError(f"trace and prior term are not stationary in {conjugate}: {sp.simplify(slope)}")
    difference = sp.expand_log(sp.simplify(at(explicit)) - found.written_out, force=True)
    if sp.simplify(difference) != 0:
        raise DerivationError(f"without conjugates, trace and prior term differ by {sp.simplify(difference)}")
