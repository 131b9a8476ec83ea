r"""The replica-symmetric free entropy Phi at zero temperature, as a SymPy expression (theory notes, section 3).

.. math::
    \Phi = \mathrm{extr}\Big\{\sum_g\tfrac12\mathrm{Tr}(q_g\hat V_g - V_g\hat q_g) - \mathrm{Tr}\,m^\top\hat m
           - \sum_g\mathrm{Tr}\,\theta_g^\top\hat\theta_g + \Psi_w - \alpha\,\mathbb{E}[\mathcal{M}]\Big\}

Its terms are the limits n -> 0 and beta -> infinity of ``replica.replica_trick``. The sum runs over groups of tokens
with equal covariances, which share their order parameters, and m has a column per direction of the encodings;
``replica.reduction`` shows that nothing is lost by that.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import sympy as sp

from replica import symbols
from replica.gaussian_average import GaussianAverage, GaussianLaw
from replica.inverse_matrices import InverseMatrix, symmetric_symbols, upper_triangle
from replica.layout import Layout
from replica.moreau import MoreauProblem, group_symbols, kind_matrix, moreau_problem
from replica.multi_index import LossModel, loss_model
from replica.replica_trick import (
    replica_limit,
    replica_symmetric_conjugate,
    replica_symmetric_overlap,
    trace_action,
    weight_action,
    zero_temperature,
)
from replica.spectrum_average import spectrum_average
from replica.structure import ModelStructure
from replica.token_law import TokenLaw

__all__ = ["FreeEntropy", "OrderParameterMatrices", "WeightTerm", "build_free_entropy", "trace_limit", "weight_limit"]


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


@functools.cache
def trace_limit(rank: int, directions: int, teacher_rank: int) -> tuple[sp.Expr, dict[str, sp.ImmutableMatrix]]:
    r"""Return the trace term at n -> 0 and zero temperature, and the generic matrices it is written in."""
    square = {name: symmetric_symbols(name, rank) for name in ("q", "V", "q_hat", "V_hat")}
    wide = {
        name: sp.ImmutableMatrix(rank, columns, lambda i, j, name=name: sp.Symbol(f"{name}_{i + 1}_{j + 1}", real=True))
        for stem, columns in (("m", directions), ("theta", teacher_rank))
        for name in (stem, f"{stem}_hat")
    }
    generic = {**square, **wide}
    q, V, q_hat, V_hat, m, m_hat, theta, theta_hat = (
        sp.Matrix(generic[x]) for x in ("q", "V", "q_hat", "V_hat", "m", "m_hat", "theta", "theta_hat")
    )
    action = trace_action(
        replica_symmetric_overlap(q, V), replica_symmetric_conjugate(q_hat, V_hat), (m, m_hat), (theta, theta_hat)
    )
    return zero_temperature(replica_limit(action)), generic


@functools.cache
def weight_limit(rank: int) -> tuple[sp.Expr, InverseMatrix, sp.ImmutableMatrix, sp.ImmutableMatrix]:
    r"""Return the prior term of one eigenvector at n -> 0 and zero temperature, :math:`\frac12\mathrm{Tr}\,K(N + M)`.

    With the inverse K = B^{-1} and the symbols of N (noise) and M (second moments of the tilt).

    Raises
    ------
    AssertionError
        If the limit, written out, is not that trace.
    """
    B, N, M = (symmetric_symbols(letter, rank) for letter in "BNM")
    limit = zero_temperature(replica_limit(weight_action(sp.Matrix(B), sp.Matrix(N), sp.Matrix(M))))
    inverse = InverseMatrix(symmetric_symbols("K", rank), B)
    compact = (sp.Matrix(inverse.symbols) * (sp.Matrix(N) + sp.Matrix(M))).trace() / 2
    assert sp.simplify(limit - compact.xreplace(inverse.definitions)) == 0, limit
    return sp.expand(compact), inverse, N, M


@dataclass(frozen=True)
class WeightTerm:
    r"""The prior term :math:`\Psi_w = \frac12 E_\nu\mathrm{Tr}\,B^{-1}(\sum_g\gamma_g\hat q_g + E\,b b^\top)`.

    Attributes
    ----------
    integrand
        What the spectrum averages: for rank above one in terms of the entries of the inverse and of the moments.
    inverse
        :math:`K = B^{-1}` with :math:`B = \lambda + \sum_g\gamma_g\hat V_g`; its entries are written out in
        ``integrand`` for rank one.
    moments
        For rank above one: symbols S of :math:`\sum_g\gamma_g\hat q_g + E\,bb^\top`, and their values.
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
    def expression(self) -> sp.Expr:
        """The term itself."""
        return spectrum_average(self.written_out(self.integrand), self.token_law.atom_symbols)

    def written_out(self, expression: sp.Expr) -> sp.Expr:
        """Replace the symbols of inverse and moments by what they stand for."""
        return expression.xreplace(dict(self.moments)).xreplace(self.inverse.definitions)


@dataclass(frozen=True, kw_only=True)
class FreeEntropy(MoreauProblem):
    """Phi with its three terms, and what the channel term averages.

    Attributes
    ----------
    trace_term
        Explicit expression in the order parameters and conjugates.
    weights
        The prior term.
    envelope
        The Moreau envelope as an unevaluated function of (w, V, h*).
    law
        Joint Gaussian law of (w, h*, noise).
    covariance_inverses
        For ranks above one: inverses of the covariances of a token's (w, h*), one per group, as symbols.
    """

    trace_term: sp.Expr
    weights: WeightTerm
    envelope: sp.Expr
    law: GaussianLaw
    covariance_inverses: tuple[InverseMatrix, ...]

    @property
    def target(self) -> sp.ImmutableMatrix:
        """The outputs (the target's entries) in terms of h* and noise."""
        return self.model.target

    @cached_property
    def order_parameters(self) -> tuple[symbols.Quantity, ...]:
        """Order parameters, in the order of every state vector."""
        return symbols.order_parameters(self.layout)

    @cached_property
    def conjugates(self) -> tuple[symbols.Quantity, ...]:
        """Their conjugates, in the same order."""
        return symbols.conjugates(self.layout)

    @property
    def prior_term(self) -> sp.Expr:
        """The prior term, written out."""
        return self.weights.expression

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


def _trace_term(layout: Layout) -> sp.Expr:
    """Return the trace term, group by group; m, which belongs to no group, once."""
    matrices = OrderParameterMatrices(layout)
    limit, generic = trace_limit(layout.rank, layout.directions, layout.teacher_rank)
    total = sp.S.Zero
    for group in range(layout.group_count):
        values = {
            "q": matrices.of("self_overlap", group),
            "V": matrices.of("susceptibility", group),
            "q_hat": matrices.of("self_overlap_conjugate", group),
            "V_hat": matrices.of("susceptibility_conjugate", group),
            "theta": matrices.of("semantic_overlap", group),
            "theta_hat": matrices.of("semantic_overlap_conjugate", group),
            "m": matrices.of("positional_overlap") * int(group == 0),
            "m_hat": matrices.of("positional_overlap_conjugate"),
        }
        total += limit.xreplace(
            {x: y for name, value in values.items() for x, y in zip(generic[name], value, strict=True)}
        )
    return sp.expand(total)


def weight_term(token_law: TokenLaw, ridge: sp.Expr) -> WeightTerm:
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
    compact, generic, N, M = weight_limit(rank)
    inverse = InverseMatrix(generic.symbols, sp.ImmutableMatrix(precision))
    if rank == 1:
        values = {N[0, 0]: noise[0, 0], M[0, 0]: tilt[0, 0], generic.symbols[0, 0]: 1 / precision[0, 0]}
        integrand, moments = sp.simplify(compact.xreplace(values)), {}
    else:
        total = symmetric_symbols("S", rank)
        moments = {total[i, j]: sp.expand(noise[i, j] + tilt[i, j]) for i, j in upper_triangle(rank)}
        integrand = (sp.Matrix(inverse.symbols) * sp.Matrix(total)).trace() / 2
        # The limit depends on N and M through their sum alone.
        split = {total[i, j]: N[i, j] + M[i, j] for i, j in upper_triangle(rank)}
        assert sp.expand(integrand.xreplace(split) - compact) == 0
    tilt_coefficients = (sp.ImmutableMatrix(positional), sp.ImmutableMatrix(semantic))
    return WeightTerm(integrand, inverse, moments, tilt_coefficients, token_law)


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


def build_free_entropy(model: ModelStructure | LossModel = symbols.PAPER) -> FreeEntropy:
    """Derive Phi of a model.

    Parameters
    ----------
    model
        An attention model's structure, by default the paper's, or any loss model.

    Returns
    -------
    FreeEntropy
        With symbols from ``replica.symbols``; no numerical value enters.
    """
    known = loss_model(model)
    problem = moreau_problem(known)
    law, covariance_inverses = _field_law(known)
    arguments = dict.fromkeys(x for matrix in problem.susceptibilities for x in matrix)
    return FreeEntropy(
        model=known,
        susceptibilities=problem.susceptibilities,
        inverse_susceptibilities=problem.inverse_susceptibilities,
        forces=problem.forces,
        objective=problem.objective,
        trace_term=_trace_term(known.layout),
        weights=weight_term(known.token_law, known.ridge),
        envelope=sp.Function("M")(*known.fields, *arguments, *known.teacher_fields, *known.noise_fields),
        law=law,
        covariance_inverses=covariance_inverses,
    )
