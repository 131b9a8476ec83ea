r"""The replica-symmetric free entropy Phi at zero temperature, as a SymPy expression (theory notes, section 3).

.. math::
    \Phi = \mathrm{extr}\Big\{\tfrac12\sum_l (q_l\hat V_l - V_l\hat q_l) - \sum_l m_l\hat m_l
           - \sum_l\theta_l\hat\theta_l + \Psi_w - \alpha\,\mathbb{E}[\mathcal{M}]\Big\}

It is first written with one set of order parameters per token and then reduced to the single set of the
isotropic model: equal covariances share q, V and theta, and the encodings lie along one direction, so that
:math:`m_l = c_l m`, for any number of tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import sympy as sp

from replica import symbols
from replica.attention import target_matrix
from replica.gaussian_average import GaussianAverage, GaussianLaw
from replica.model import ModelStructure
from replica.moreau import MoreauProblem, moreau_problem

__all__ = ["FreeEntropy", "build_free_entropy"]


@dataclass(frozen=True, kw_only=True)
class FreeEntropy(MoreauProblem):
    """Phi with its three terms, and what the channel term averages.

    Attributes
    ----------
    trace_term, prior_term
        Explicit expressions in the order parameters and conjugates.
    envelope
        The Moreau envelope as an unevaluated function of (w, V, h*).
    target
        The target's entries in terms of h*.
    law
        Joint Gaussian law of (w, h*).
    """

    trace_term: sp.Expr
    prior_term: sp.Expr
    envelope: sp.Expr
    target: sp.Matrix
    law: GaussianLaw

    @property
    def teacher_fields(self) -> tuple[sp.Symbol, ...]:
        """Symbols of the teacher fields h*."""
        return self.law.variables[len(self.fields) :]

    @cached_property
    def average_envelope(self) -> GaussianAverage:
        """The unevaluated average of the Moreau envelope."""
        return GaussianAverage(self.envelope, self.law)

    @cached_property
    def expression(self) -> sp.Expr:
        """Phi before extremisation."""
        return self.trace_term + self.prior_term - symbols.ALPHA.symbol * self.average_envelope


def _per_token_terms(length: int) -> tuple[sp.Expr, sp.Expr, dict[sp.Symbol, sp.Expr]]:
    """Return trace and prior term with one set of order parameters per token, and their reduction to one set."""
    encoding = symbols.positional_encoding(length)
    sigma, ridge = symbols.parameter("sigma"), symbols.parameter("regularization")
    eigenvalue = sigma**2
    shared = {quantity.name: quantity.symbol for quantity in (*symbols.ORDER_PARAMETERS, *symbols.CONJUGATES)}
    # tau: projection of an eigenvector on the encodings' direction; pi: the teacher's row. Both standardised.
    tau, pi = sp.symbols("tau pi", real=True)
    trace, noise, tilt, precision = sp.S.Zero, sp.S.Zero, sp.S.Zero, ridge
    reduction: dict[sp.Symbol, sp.Expr] = {}
    encoding_norm = sp.Add(*(c**2 for c in encoding))
    for token, c in enumerate(encoding, start=1):
        q, m, V, theta = (sp.Symbol(f"{x.name}_{token}") for x in symbols.ORDER_PARAMETERS)
        q_hat, m_hat, V_hat, theta_hat = (sp.Symbol(f"{x.name}_{token}") for x in symbols.CONJUGATES)
        trace += (q * V_hat - V * q_hat) / 2 - m * m_hat - theta * theta_hat
        precision += eigenvalue * V_hat
        noise += eigenvalue * q_hat
        tilt += c * tau * m_hat + eigenvalue * theta_hat * pi
        # Only sums over tokens of the conjugates enter, so spreading them evenly loses nothing.
        reduction |= {
            q: shared["self_overlap"],
            m: c * shared["positional_overlap"],
            V: shared["susceptibility"],
            theta: shared["semantic_overlap"],
            q_hat: shared["self_overlap_conjugate"] / length,
            m_hat: c * shared["positional_overlap_conjugate"] / encoding_norm,
            V_hat: shared["susceptibility_conjugate"] / length,
            theta_hat: shared["semantic_overlap_conjugate"] / length,
        }
    moments = sp.Poly(sp.expand(tilt**2), tau, pi)
    # E tau^2 = E pi^2 = 1 and E tau pi = 0: the encodings know nothing of the teacher.
    tilt_squared = sp.Add(
        *(value for (i, j), value in moments.terms() if (i, j) in {(2, 0), (0, 2)}),
    )
    prior = (noise + tilt_squared) / (2 * precision)
    return trace, prior, reduction


def build_free_entropy(structure: ModelStructure = symbols.PAPER) -> FreeEntropy:
    """Derive Phi of the isotropic rank-one model from its per-token form.

    Parameters
    ----------
    structure
        Number of tokens; by default the paper's two.

    Returns
    -------
    FreeEntropy
        With symbols from ``replica.symbols``; no numerical value enters.

    Raises
    ------
    ValueError
        If the rank is not one.
    """
    if structure.rank != 1:
        raise ValueError(f"equations are derived for rank one, got rank {structure.rank!r}")
    length = structure.sequence_length
    trace, prior, reduction = _per_token_terms(length)
    problem, h = moreau_problem(structure), symbols.teacher_fields(length)
    q, m, V, theta = (quantity.symbol for quantity in symbols.ORDER_PARAMETERS)
    teacher_variance = symbols.parameter("sigma") ** 2
    identity = sp.eye(length)
    covariance = sp.ImmutableMatrix(
        sp.BlockMatrix([[q * identity, theta * identity], [theta * identity, teacher_variance * identity]])
    )
    mean = (*(c * m for c in symbols.positional_encoding(length)), *(sp.S.Zero for _ in h))
    return FreeEntropy(
        structure=structure,
        points=problem.points,
        fields=problem.fields,
        target_symbols=problem.target_symbols,
        loss=problem.loss,
        objective=problem.objective,
        trace_term=sp.simplify(trace.xreplace(reduction)),
        prior_term=sp.simplify(prior.xreplace(reduction)),
        envelope=sp.Function("M")(*problem.fields, V, *h),
        target=target_matrix(h),
        law=GaussianLaw((*problem.fields, *h), mean, covariance),
    )
