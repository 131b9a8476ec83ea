r"""The channel term of k steps: s replicas in nested blocks, s -> 0 and beta -> infinity.

Given (w_0, h*), replicas of one block of level j share the fields :math:`w_0 + u_1 + \dots + u_j`. So with
:math:`\zeta` the partition function of one replica's fields,

.. math::
    \mathcal{A}_s = \log\mathbb{E}\Big[\Big(\mathbb{E}_{u_1}\Big(\dots\mathbb{E}_{u_k}\zeta^{s_k}\dots
    \Big)^{s_1/s_2}\Big)^{s/s_1}\Big], \qquad
    \varphi_j(w) = \frac1{y_j}\log\mathbb{E}_{u_j}e^{y_j\varphi_{j+1}(w+u_j)}, \quad \varphi_{k+1} = -\mathcal{M},

and :math:`\lim\frac{1}{s\beta}\mathcal{A}_s = \mathbb{E}\,\varphi_1(w_0, h^\star)`: the power of level j is
:math:`e^{\beta s_{j-1}\varphi_j}`.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from replica.algebra.gaussian_average import GaussianAverage, GaussianLaw
from replica.equations.replica_trick import BETA, REPLICAS, channel_action, replica_limit
from replica.hierarchy.averages import LevelAverage
from replica.hierarchy.quantities import block_size, parisi_parameter

__all__ = ["channel_limit", "hierarchical_channel_action", "increment", "level_function", "nested_definitions"]


def increment(level: int, field: sp.Symbol) -> sp.Symbol:
    """Return what a field gains at a level: the symbol u1_2 at level 1 for the field w_2."""
    return sp.Symbol(f"u{level}_{field.name.partition('_')[2]}", real=True)


def level_function(
    level: int, steps: int, envelope: sp.Expr, fields: Sequence[sp.Expr], others: Sequence[sp.Expr]
) -> sp.Expr:
    r"""Return :math:`\varphi_j` of fields and teacher fields, not evaluated; for j = k + 1 minus the envelope."""
    return -envelope if level == steps + 1 else sp.Function(f"phi{level}", real=True)(*fields, *others)


def hierarchical_channel_action(partition: sp.Expr, law: GaussianLaw, steps: int) -> sp.Expr:
    r"""Return the channel term for s replicas.

    Parameters
    ----------
    partition
        :math:`\zeta`, the partition function of one replica's fields at the fields of its innermost block.
    law
        Law of (w_0, h*).
    steps
        Number k of steps.
    """
    value = partition
    for level in range(steps, 0, -1):
        deeper = block_size(level + 1) if level < steps else sp.S.One
        value = LevelAverage(value ** (block_size(level) / deeper), level)
    return sp.log(GaussianAverage(value ** (REPLICAS / (block_size(1) if steps else 1)), law))


def channel_limit(potential: sp.Expr, law: GaussianLaw) -> sp.Expr:
    r"""Return :math:`\lim\frac1{s\beta}\log\mathbb{E}\,e^{s\beta\varphi_1}`."""
    average = sp.expand_log(replica_limit(channel_action(sp.exp(BETA * potential), law)), force=True)
    return GaussianAverage(average.integrand / BETA, law)


def nested_definitions(
    envelope: sp.Expr, fields: tuple[sp.Symbol, ...], others: tuple[sp.Symbol, ...], steps: int
) -> dict[sp.Expr, sp.Expr]:
    r"""Return :math:`\varphi_k \dots \varphi_1` with their definitions, each in terms of the one before.

    Parameters
    ----------
    envelope
        The Moreau envelope as a function of ``fields``, V and ``others``.
    fields
        What the increments of a level are added to.
    others
        Teacher fields and noise.
    steps
        Number k of steps.
    """
    definitions: dict[sp.Expr, sp.Expr] = {}
    for level in range(steps, 0, -1):
        y = parisi_parameter(level)
        inner = level_function(level + 1, steps, envelope, fields, others)
        shifted = inner.xreplace({x: x + increment(level, x) for x in fields})
        value = sp.log(LevelAverage(sp.exp(y * shifted), level)) / y
        definitions[level_function(level, steps, envelope, fields, others)] = value
    return definitions
