r"""The functional of k steps, Phi_k: trace and prior term, and the nested averages of the Moreau envelope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from replica.algebra.gaussian_average import GaussianAverage, GaussianLaw
from replica.equations.free_entropy import FreeEntropy, build_free_entropy
from replica.hierarchy.channel import channel_limit, level_function, nested_definitions
from replica.hierarchy.explicit_terms import ExplicitTerms, explicit_terms
from replica.hierarchy.quantities import HierarchyQuantities
from replica.model.any_model import loss_model
from replica.model.loss_model import LossModel
from replica.quantities import symbols
from replica.quantities.solvable_model import Model
from replica.quantities.structure import ModelStructure

__all__ = ["HierarchicalFreeEntropy", "hierarchical_free_entropy"]


@dataclass(frozen=True)
class HierarchicalFreeEntropy:
    r"""Phi_k with its terms.

    Attributes
    ----------
    symmetric
        Phi of replica symmetry: envelope, fields, loss.
    terms
        Trace and prior term.
    law
        Law of the outermost fields :math:`w_0`, h* and noise, with :math:`q_0`.
    definitions
        :math:`\varphi_k \dots \varphi_1`, each in terms of the one before.
    """

    symmetric: FreeEntropy
    terms: ExplicitTerms
    law: GaussianLaw
    definitions: dict[sp.Expr, sp.Expr]

    @property
    def quantities(self) -> HierarchyQuantities:
        """The unknowns."""
        return self.terms.quantities

    @property
    def steps(self) -> int:
        """Number k of steps."""
        return self.quantities.steps

    def potential(self, level: int) -> sp.Expr:
        r"""Return :math:`\varphi_j` of the model's fields; for j = k + 1 minus the envelope."""
        phi = self.symmetric
        return level_function(level, self.steps, phi.envelope, phi.channel.fields, phi.teacher_fields)

    @property
    def channel_term(self) -> sp.Expr:
        """The channel term."""
        if not self.steps:
            return -symbols.ALPHA.symbol * GaussianAverage(self.symmetric.envelope, self.law)
        return symbols.ALPHA.symbol * channel_limit(self.potential(1), self.law)

    @property
    def expression(self) -> sp.Expr:
        """Phi_k before it is made stationary."""
        return self.terms.trace_term + self.terms.prior.expression + self.channel_term


def with_outermost(expression: Any, quantities: HierarchyQuantities) -> Any:
    """Write q of level 0 for the q of replica symmetry."""
    known = {x.name: x.symbol for x in quantities.order_parameters}
    table = {
        x.symbol: known[x.name.replace("self_overlap", "self_overlap_0", 1)]
        for x in symbols.order_parameters(quantities.layout)
        if x.kind == "self_overlap"
    }
    return expression.xreplace(table)


def hierarchical_free_entropy(model: Model | ModelStructure | LossModel, steps: int = 1) -> HierarchicalFreeEntropy:
    """Derive Phi_k of a model.

    Parameters
    ----------
    model
        Any model, or a structure or loss model without numbers.
    steps
        Number k of steps; 0 is replica symmetry.
    """
    known = loss_model(model)
    terms, phi = explicit_terms(known, steps), build_free_entropy(known)
    law = GaussianLaw(
        phi.law.variables,
        phi.law.mean,
        with_outermost(phi.law.covariance, terms.quantities),
        phi.law.inverse,
    )
    definitions = nested_definitions(phi.envelope, phi.channel.fields, phi.teacher_fields, steps)
    return HierarchicalFreeEntropy(phi, terms, law, definitions)
