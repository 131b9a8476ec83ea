r"""Steps that take the limits: determinants, s -> 0, beta -> infinity (theory notes, section 3)."""

from __future__ import annotations

import sympy as sp

from replica.algebra.gaussian_average import GaussianLaw
from replica.equations.free_entropy import token_trace_action, trace_limit
from replica.equations.replica_trick import REPLICAS, channel_action, replica_limit
from replica.model.loss_model import LossModel
from replica.steps.rank_matrices import RankMatrices
from replica.steps.step import DerivationStep, DisplayedEquation

__all__ = ["determinants", "no_replicas", "zero_temperature_limit"]


def determinants(model: LossModel) -> DerivationStep:
    """Integrate over the weights, by the determinant and inverse of replica-symmetric matrices."""
    rank = model.layout.rank
    X, Y = (sp.Symbol("X"), sp.Symbol("Y")) if rank == 1 else (sp.MatrixSymbol(letter, rank, rank) for letter in "XY")
    total = X + REPLICAS * Y
    determinant = (
        X ** (REPLICAS - 1) * total if rank == 1 else sp.Determinant(X) ** (REPLICAS - 1) * sp.Determinant(total)
    )
    inverse = REPLICAS / total if rank == 1 else REPLICAS * sp.Inverse(total)
    return DerivationStep(
        "determinant and inverse",
        "Determinant and inverse of replica-symmetric matrices",
        r"A matrix of blocks $X\delta_{ab} + Y$ has the determinant and the sum of all blocks of its inverse given "
        r"below. With $X = \beta B$, $Y = -\beta^2 N$ and a tilt $\beta\eta$, where "
        r"$B = \lambda + \sum_l\gamma_l\hat{V}_l$, $N = \sum_l\gamma_l\hat{q}_l$, "
        + (
            r"$\eta = \sum_l\tau_l\hat{m}_l + \sum_l\gamma_l\hat{\theta}_l\pi$"
            if model.layout.directions
            else r"$\eta = \sum_l\gamma_l\hat{\theta}_l\pi$"
        )
        + r" and $M = \mathbb{E}\, \eta\eta^\top$, the term of the weights is, up to a constant,",
        (
            DisplayedEquation("determinant", r"\det\left[X\delta_{ab} + Y\right]_{a,b=1}^s", determinant),
            DisplayedEquation("inverse", r"\sum_{ab} \left[\left(X\delta_{ab} + Y\right)^{-1}\right]_{ab}", inverse),
            DisplayedEquation("weights-symmetric", r"\mathcal{A}_s^{\mathrm{weights}}", RankMatrices(rank).action()),
        ),
    )


def no_replicas(model: LossModel) -> DerivationStep:
    """Take the limit s -> 0."""
    slope = r"\lim_{s\to 0} \tfrac{1}{s} "
    channel = channel_action(single_partition_function(model), field_law_symbols(model))
    return DerivationStep(
        "no replicas",
        "The limit of no replicas",
        r"All terms vanish at $s = 0$; what counts is their slope. Given local fields $w$ that all replicas share, "
        r"those of one replica have covariance $V_l/\beta$ and the partition function $\zeta(w, h^{\star}) = "
        r"\int dz\, \mathcal{N}(z;\, w, V/\beta)\, e^{-\beta\,\ell(z, h^{\star})}$:",
        (
            DisplayedEquation(
                "trace-no-replicas",
                slope + r"\mathcal{A}_s^{\mathrm{trace}}",
                sp.expand(replica_limit(token_trace_action(model.layout.single_token))),
            ),
            DisplayedEquation(
                "weights-no-replicas",
                slope + r"\mathcal{A}_s^{\mathrm{weights}}",
                RankMatrices(model.layout.rank).without_replicas(),
            ),
            DisplayedEquation(
                "channel-no-replicas", slope + r"\mathcal{A}_s^{\mathrm{channel}}", replica_limit(channel)
            ),
        ),
    )


def single_partition_function(model: LossModel) -> sp.Expr:
    """Return zeta(w, h*), the partition function of one replica's fields, as an unevaluated function."""
    return sp.Function("zeta", positive=True)(*model.fields, *model.teacher_fields, *model.noise_fields)


def field_law_symbols(model: LossModel) -> GaussianLaw:
    """Return a law of the fields whose moments do not matter, for averages that are not evaluated."""
    variables = (*model.fields, *model.teacher_fields, *model.noise_fields)
    size = len(variables)
    return GaussianLaw(variables, (sp.S.Zero,) * size, sp.ImmutableMatrix(sp.eye(size)))


def zero_temperature_limit(model: LossModel) -> DerivationStep:
    """Take the limit beta -> infinity of trace term and weights."""
    both = r"\lim_{\beta\to\infty} \lim_{s\to 0} \tfrac{1}{s\beta} "
    return DerivationStep(
        "zero temperature",
        "Zero temperature",
        r"Divided by $\beta$, logarithms vanish as $\beta \to \infty$, and the powers of $\beta$ in the ansatz are "
        r"those that leave the rest finite:",
        (
            DisplayedEquation(
                "trace-zero-temperature",
                both + r"\mathcal{A}_s^{\mathrm{trace}}",
                trace_limit(model.layout.single_token),
            ),
            DisplayedEquation(
                "weights-zero-temperature",
                both + r"\mathcal{A}_s^{\mathrm{weights}}",
                RankMatrices(model.layout.rank).at_zero_temperature(),
            ),
        ),
    )
