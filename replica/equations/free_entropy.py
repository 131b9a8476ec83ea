r"""The replica-symmetric free entropy Phi at zero temperature, as a SymPy expression (theory notes, section 3).

.. math::
    \Phi = \mathrm{extr}\Big\{\sum_g\tfrac12\mathrm{Tr}(q_g\hat V_g - V_g\hat q_g) - \mathrm{Tr}\,m^\top\hat m
           - \sum_g\mathrm{Tr}\,\theta_g^\top\hat\theta_g + \Psi_w - \alpha\,\mathbb{E}[\mathcal{M}]\Big\}

Its terms are the limits s -> 0 and beta -> infinity of ``replica.equations.replica_trick``. The sum runs over groups of
tokens with equal covariances, which share their order parameters, and m has a column per direction of the encodings;
``Derivation.verify`` shows that nothing is lost by that.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from functools import cached_property

import sympy as sp

from replica.algebra.gaussian_average import GaussianAverage, GaussianLaw
from replica.algebra.inverse_matrices import InverseMatrix
from replica.equations.moreau import MoreauProblem, moreau_problem
from replica.equations.prior_term import PriorTerm, prior_term
from replica.equations.replica_trick import (
    replica_limit,
    replica_symmetric_conjugate,
    replica_symmetric_overlap,
    trace_action,
    zero_temperature,
)
from replica.model.any_model import loss_model
from replica.model.loss_model import LossModel
from replica.quantities import symbols
from replica.quantities.layout import Layout
from replica.quantities.loss_structure import LossStructure
from replica.quantities.matrices import OrderParameterMatrices, group_symbols
from replica.quantities.structure import ModelStructure

__all__ = ["FreeEntropy", "build_free_entropy", "token_trace_action", "trace_limit", "trace_term"]


@functools.cache
def trace_limit(token: Layout) -> sp.Expr:
    r"""Return one token's share of the trace term at s -> 0 and zero temperature, in the symbols of its layout."""
    return zero_temperature(replica_limit(token_trace_action(token)))


def token_trace_action(token: Layout) -> sp.Expr:
    """Return one token's share of the trace term for s replicas, in the symbols of its layout."""
    matrices = OrderParameterMatrices(token)
    overlap = replica_symmetric_overlap(matrices.of("self_overlap", 0), matrices.of("susceptibility", 0))
    conjugate = replica_symmetric_conjugate(
        matrices.of("self_overlap_conjugate", 0), matrices.of("susceptibility_conjugate", 0)
    )
    positional = (matrices.of("positional_overlap"), matrices.of("positional_overlap_conjugate"))
    semantic = (matrices.of("semantic_overlap", 0), matrices.of("semantic_overlap_conjugate", 0))
    return trace_action(overlap, conjugate, positional, semantic)


@dataclass(frozen=True, kw_only=True)
class FreeEntropy:
    """Phi with its three terms, and what the channel term averages.

    Attributes
    ----------
    trace_term
        Explicit expression in the order parameters and conjugates.
    prior
        The prior term.
    channel
        The minimisation problem whose minimum, the Moreau envelope, the channel term averages.
    envelope
        The Moreau envelope as an unevaluated function of (w, V, h*).
    law
        Joint Gaussian law of (w, h*, noise).
    covariance_inverses
        For ranks above one: inverses of the covariances of a token's (w, h*), one per group, as symbols.
    """

    trace_term: sp.Expr
    prior: PriorTerm
    channel: MoreauProblem
    envelope: sp.Expr
    law: GaussianLaw
    covariance_inverses: tuple[InverseMatrix, ...]

    @property
    def model(self) -> LossModel:
        """Fields, loss and outputs."""
        return self.channel.model

    @property
    def layout(self) -> Layout:
        """Index ranges of order parameters and fields."""
        return self.channel.layout

    @property
    def structure(self) -> ModelStructure:
        """The attention models it holds for.

        Raises
        ------
        ValueError
            If it is not the free entropy of an attention model.
        """
        return self.channel.structure

    @property
    def parameters(self) -> tuple[symbols.SymbolicQuantity, ...]:
        """Numeric parameters of the models, in the order of the kernel's parameter vector."""
        return self.channel.parameters

    @property
    def target(self) -> sp.ImmutableMatrix:
        """The outputs (the target's entries) in terms of h* and noise."""
        return self.model.target

    @cached_property
    def order_parameters(self) -> tuple[symbols.SymbolicQuantity, ...]:
        """Order parameters, in the order of every state vector."""
        return symbols.order_parameters(self.layout)

    @cached_property
    def conjugates(self) -> tuple[symbols.SymbolicQuantity, ...]:
        """Their conjugates, in the same order."""
        return symbols.conjugates(self.layout)

    @property
    def prior_term(self) -> sp.Expr:
        """The prior term, written out."""
        return self.prior.expression

    @property
    def teacher_fields(self) -> tuple[sp.Symbol, ...]:
        """Symbols of the teacher fields h* and of noise: what the outputs are functions of."""
        return (*self.model.teacher_fields, *self.model.noise_fields)

    @cached_property
    def average_envelope(self) -> GaussianAverage:
        """The unevaluated average of the Moreau envelope."""
        return GaussianAverage(self.envelope, self.law)

    @cached_property
    def expression(self) -> sp.Expr:
        """Phi before extremisation."""
        return self.trace_term + self.prior_term - symbols.ALPHA.symbol * self.average_envelope


def trace_term(layout: Layout) -> sp.Expr:
    """Return the trace term, group by group; m, which belongs to no group, once."""
    token = layout.single_token
    limit = trace_limit(token)
    generic = (*symbols.order_parameters(token), *symbols.conjugates(token))
    own = {
        (x.kind, x.group, x.indices): x.symbol for x in (*symbols.order_parameters(layout), *symbols.conjugates(layout))
    }
    total = sp.S.Zero
    for group in range(layout.group_count):
        values: dict[sp.Symbol, sp.Expr] = {}
        for x in generic:
            once = x.group is None and group > 0
            values[x.symbol] = sp.S.Zero if once else own[x.kind, x.group if x.group is None else group, x.indices]
        total += limit.subs(values, simultaneous=True)
    return sp.expand(total)


def _field_law(model: LossModel) -> tuple[GaussianLaw, tuple[InverseMatrix, ...]]:
    """Return the joint law of (w, h*, noise), tokens independent of each other, and inverses of its blocks."""
    layout, law = model.layout, model.token_law
    rank, t, length = layout.rank, layout.teacher_rank, layout.sequence_length
    matrices = OrderParameterMatrices(layout)
    blocks = []
    for g in range(layout.group_count):
        q, theta, rho = matrices.of("self_overlap", g), matrices.of("semantic_overlap", g), law.teacher_variances[g]
        blocks.append(sp.Matrix(sp.BlockMatrix([[q, theta], [theta.T, sp.Matrix(rho)]])))
    simple = rank == 1 and t == 1
    inverses = () if simple else tuple(
        InverseMatrix(group_symbols("Lambda", layout, g, rank + t), sp.ImmutableMatrix(block))
        for g, block in enumerate(blocks)
    )  # fmt: skip
    size = length * (rank + t) + len(model.noise_fields)
    covariance, precision = sp.eye(size), sp.eye(size)
    for token, group in enumerate(layout.groups):
        own = [token * rank + a for a in range(rank)] + [length * rank + token * t + s for s in range(t)]
        for a, i in enumerate(own):
            for b, j in enumerate(own):
                covariance[i, j] = blocks[group][a, b]
                precision[i, j] = 0 if simple else inverses[group].symbols[a, b]
    m = matrices.of("positional_overlap")
    means = sp.Matrix(law.encoding) * m.T
    mean = (*means, *(sp.S.Zero for _ in range(size - length * rank)))
    variables = (*model.fields, *model.teacher_fields, *model.noise_fields)
    known = None if simple else sp.ImmutableMatrix(precision)
    return GaussianLaw(variables, mean, sp.ImmutableMatrix(covariance), known), inverses


def build_free_entropy(model: ModelStructure | LossStructure | LossModel = symbols.PAPER) -> FreeEntropy:
    """Derive Phi of a model.

    Parameters
    ----------
    model
        An attention model's structure, by default the paper's, or any loss model.

    Returns
    -------
    FreeEntropy
        With symbols from ``replica.quantities.symbols``; no numerical value enters.
    """
    known = loss_model(model)
    problem = moreau_problem(known)
    law, covariance_inverses = _field_law(known)
    arguments = dict.fromkeys(x for matrix in problem.susceptibilities for x in matrix)
    return FreeEntropy(
        channel=problem,
        trace_term=trace_term(known.layout),
        prior=prior_term(known.token_law, known.ridge),
        envelope=sp.Function("M")(*known.fields, *arguments, *known.teacher_fields, *known.noise_fields),
        law=law,
        covariance_inverses=covariance_inverses,
    )
