r"""Trace and prior term of a model at k steps, and the trace and prior term together without the conjugates.

These are the parts of :math:`\Phi_k` that need no integral over the fields; what remains is :math:`\alpha E[F_1]`, the
nested averages of ``replica.hierarchy.nested_averages``. Numbers come from the same expressions
(:class:`ScalarFunction`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import sympy as sp

from replica.hierarchy.ansatz import trace_limit
from replica.hierarchy.prior import HierarchicalPrior, hierarchical_prior
from replica.hierarchy.quantities import HierarchyQuantities
from replica.hierarchy.scalar_function import ScalarFunction
from replica.model.any_model import loss_model
from replica.model.loss_model import LossModel
from replica.quantities.layout import Layout
from replica.quantities.solvable_model import Model
from replica.quantities.structure import ModelStructure

__all__ = ["ExplicitTerms", "explicit_terms"]


def _trace(layout: Layout, steps: int) -> sp.Expr:
    """Return the trace term, group by group; m, which belongs to no group, once."""
    limit = trace_limit(layout.single_token, steps)
    token, own = HierarchyQuantities(layout.single_token, steps), HierarchyQuantities(layout, steps)

    generic = (*token.order_parameters, *token.conjugates)
    total = sp.S.Zero
    for group in range(layout.group_count):
        # Levels and entries come in the same order whatever the number of groups.
        mine = [x for x in (*own.order_parameters, *own.conjugates) if x.group in (None, group)]
        values = {
            x.symbol: sp.S.Zero if x.group is None and group > 0 else y.symbol
            for x, y in zip(generic, mine, strict=True)
        }
        total += limit.subs(values, simultaneous=True)
    return sp.expand(total)


@dataclass(frozen=True)
class ExplicitTerms:
    """What of the functional of k steps is explicit.

    Attributes
    ----------
    quantities
        The unknowns: order parameters, conjugates, Parisi's parameters.
    trace_term
        In order parameters, conjugates and y.
    prior
        The prior term, whose integrand belongs to one atom of the spectrum.
    model
        Fields, loss and law of the tokens.
    """

    quantities: HierarchyQuantities
    trace_term: sp.Expr
    prior: HierarchicalPrior
    model: LossModel

    @property
    def atom_symbols(self) -> tuple[sp.Symbol, ...]:
        """What differs from atom to atom of the spectrum; empty where there is one atom only."""
        return self.prior.token_law.atom_symbols

    @cached_property
    def trace_function(self) -> ScalarFunction:
        """The trace term as a function of (order parameters, conjugates, y), with its derivatives."""
        own = self.quantities
        variables = (*(x.symbol for x in (*own.order_parameters, *own.conjugates)), *own.parameters)
        return ScalarFunction(self.trace_term, variables, ())

    @cached_property
    def prior_function(self) -> ScalarFunction:
        """The prior term of one atom as a function of (conjugates, y) at given ridge penalty and atom."""
        own = self.quantities
        variables = (*(x.symbol for x in own.conjugates), *own.parameters)
        expression = self.prior.written_out
        known = [x.symbol for x in self.model.parameters if x.symbol in expression.free_symbols]
        ridge = [x for x in (self.model.ridge,) if isinstance(x, sp.Symbol) and x not in known]
        return ScalarFunction(expression, variables, (*ridge, *known, *self.atom_symbols))


def explicit_terms(model: Model | ModelStructure | LossModel, steps: int = 1) -> ExplicitTerms:
    """Derive trace and prior term of a model at k steps.

    Parameters
    ----------
    model
        Any model, or a structure or loss model without numbers.
    steps
        Number k of steps; 0 is replica symmetry.

    Raises
    ------
    InvalidArgument
        If the model is none, or the number of steps is not a whole number from 0 on.

    Examples
    --------
    >>> from replica import AttentionModel
    >>> terms = explicit_terms(AttentionModel.paper(), steps=1)
    >>> terms.trace_term
    -V*q_hat1/2 + V_hat*q1/2 - m*m_hat + q0*q_hat0*y1/2 - q1*q_hat1*y1/2 - theta*theta_hat
    >>> terms.prior.integrand
    -(log(B1) - log(B2))/(2*y1) + (m_hat**2 + q_hat0*sigma**2 + sigma**4*theta_hat**2)/(2*B1)
    >>> terms.prior.precisions[sp.Symbol("B1", real=True)]
    B2 - sigma**2*y1*(-q_hat0 + q_hat1)
    """
    known = loss_model(model)
    quantities = HierarchyQuantities(known.layout, steps)
    return ExplicitTerms(
        quantities,
        _trace(known.layout, steps),
        hierarchical_prior(known.token_law, known.ridge, steps),
        known,
    )
