r"""The replica-symmetric ansatz, the limits s -> 0 and beta -> infinity, as transformations of SymPy expressions.

The partition function of s replicas, averaged over the data, is an integral of :math:`e^{d A_s}` over overlaps of
replicas and their conjugates (section 3 of the theory notes). Its exponent has three terms, each of which is written
here for replica-symmetric overlaps at finite s and beta, and then taken to its limits:

.. math::
    \Phi = \lim_{\beta\to\infty}\frac1\beta\,\partial_s A_s\Big|_{s=0}

- the trace term pairs overlaps with conjugates;
- the prior term is a Gaussian integral over the weights, whose matrix has determinant
  :math:`\det X^{s-1}\det(X + sY)` for blocks :math:`X\delta_{ab} + Y`;
- the channel term is the average of a partition function's s-th power, whose logarithm Laplace's method turns into
  the Moreau envelope of the loss.
"""

from __future__ import annotations

import sympy as sp

from replica.algebra.gaussian_average import GaussianAverage, GaussianLaw
from replica.common.errors import InvalidArgument

__all__ = [
    "BETA",
    "REPLICAS",
    "SAME_REPLICA",
    "channel_action",
    "prior_action",
    "replica_limit",
    "replica_sum",
    "replica_symmetric_conjugate",
    "replica_symmetric_overlap",
    "trace_action",
    "zero_temperature",
]

REPLICAS = sp.Symbol("s", real=True)
"""The number of replicas; n counts samples."""
BETA = sp.Symbol("beta", positive=True)
SAME_REPLICA = sp.Symbol("delta_ab", real=True)
r"""Kronecker's delta of two replicas, :math:`\delta_{ab}`."""


def replica_symmetric_overlap(q: sp.Matrix, V: sp.Matrix) -> sp.Matrix:
    r"""Return :math:`Q^{ab} = q + \delta_{ab} V/\beta`: replicas differ by fluctuations of order of temperature."""
    return q + SAME_REPLICA * V / BETA


def replica_symmetric_conjugate(q_hat: sp.Matrix, V_hat: sp.Matrix) -> sp.Matrix:
    r"""Return :math:`\hat Q^{ab} = \beta\hat V\delta_{ab} - \beta^2\hat q`."""
    return BETA * SAME_REPLICA * V_hat - BETA**2 * q_hat


def replica_sum(summand: sp.Expr) -> sp.Expr:
    r"""Return the sum over replicas a and b of a polynomial in :math:`\delta_{ab}`.

    A power of the delta is the delta, whose sum is s; what is free of it is summed :math:`s^2` times.
    """
    polynomial = sp.Poly(sp.expand(summand), SAME_REPLICA)
    total = sp.S.Zero
    for (power,), coefficient in polynomial.terms():
        total += coefficient * (REPLICAS if power else REPLICAS**2)
    return total


def trace_action(
    overlap: sp.Matrix,
    conjugate: sp.Matrix,
    positional: tuple[sp.Matrix, sp.Matrix],
    semantic: tuple[sp.Matrix, sp.Matrix],
) -> sp.Expr:
    r"""Return a token's share of the trace term for s replicas.

    .. math::
        \tfrac12\sum_{ab}\mathrm{Tr}\,Q^{ab}\hat Q^{ab} - \sum_a \beta\, m\cdot\hat m
        - \sum_a\beta\,\mathrm{Tr}\,\theta\hat\theta^\top
    """
    pairs = replica_sum((overlap * conjugate).trace()) / 2
    single = sum(((x.T * y).trace() for x, y in (positional, semantic) if x.shape[1]), start=sp.S.Zero)
    return pairs - REPLICAS * BETA * single


def prior_action(precision: sp.Matrix, noise: sp.Matrix, tilt: sp.Matrix) -> sp.Expr:
    r"""Return the prior term of one eigenvector for s replicas, up to a constant.

    The integral over the s rows of weights of :math:`\exp(-\frac12\sum_{ab} w_a\cdot\mathcal{B}_{ab} w_b + \beta
    \sum_a b\cdot w_a)` with :math:`\mathcal{B}_{ab} = X\delta_{ab} + Y`, :math:`X = \beta B`, :math:`Y = -\beta^2 N`:

    .. math::
        -\tfrac12\big[(s-1)\log\det X + \log\det(X + sY)\big] + \tfrac{s\beta^2}{2}\, b\cdot(X + sY)^{-1} b

    Parameters
    ----------
    precision, noise
        B and N, r x r: matrices of entries, or symbols of whole matrices.
    tilt
        Second moments of b, r x r.
    """
    # X + sY = beta (B - s beta N): the factor beta is taken out of determinants and inverses here, so that none of
    # them has to be found in long fractions later.
    total = precision - REPLICAS * BETA * noise
    size = precision.rows
    symbolic = isinstance(precision, sp.MatrixSymbol)
    first, second = (sp.Determinant(x) if symbolic else x.det() for x in (precision, total))
    logarithms = (REPLICAS - 1) * sp.log(first) + sp.log(second) + REPLICAS * size * sp.log(BETA)
    field = sp.Trace(sp.Inverse(total) * tilt) if symbolic else (total.inv(method="ADJ") * tilt).trace()
    return -logarithms / 2 + REPLICAS * BETA / 2 * field


def channel_action(single: sp.Expr, law: GaussianLaw) -> sp.Expr:
    r"""Return the channel term for s replicas, :math:`\log\mathbb{E}[\zeta^s]`.

    Parameters
    ----------
    single
        :math:`\zeta`, the partition function of one replica's fields at given (w, h*), as a function of the law's
        variables.
    law
        Law of (w, h*).
    """
    return sp.log(GaussianAverage(single**REPLICAS, law))


def replica_limit(action: sp.Expr) -> sp.Expr:
    r"""Return :math:`\lim_{s\to0}\frac1s A_s = \partial_s A_s|_{s=0}`; the action vanishes at s = 0."""
    at_zero = sp.diff(action, REPLICAS).subs(REPLICAS, 0)
    # The average of a constant is the constant.
    averages = {x: x.integrand for x in at_zero.atoms(GaussianAverage) if not x.integrand.free_symbols}
    return at_zero.xreplace(averages)


def zero_temperature(action: sp.Expr) -> sp.Expr:
    r"""Return :math:`\lim_{\beta\to\infty} A/\beta`, term by term.

    Raises
    ------
    ValueError
        If the limit does not exist: the ansatz scales a quantity in the wrong way.
    """
    powers: dict[sp.Expr, sp.Expr] = {}
    expanded = sp.expand(sp.expand_log(action, force=True))
    for term in sp.Add.make_args(sp.expand(expanded / BETA)):
        factor, power = term.as_independent(BETA)
        powers[power] = powers.get(power, sp.S.Zero) + factor
    kept = sp.S.Zero
    for power, factor in powers.items():
        limit = sp.limit(power, BETA, sp.oo)
        if limit == 0 or sp.simplify(factor) == 0:
            continue
        if not limit.is_finite:
            raise InvalidArgument(f"{sp.simplify(factor) * power} has no limit as beta grows")
        kept += factor * limit
    return kept
