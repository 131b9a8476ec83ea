"""What a quadrature rule makes of Q = 0, to compare it with other branches on one and the same rule.

Phi of Q = 0 is exact, that of a branch which leaves it has its rule's error: next to where it leaves, their difference
would be that error. It goes like the distance squared, so the error would hide which of both is the minimum for long.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from saddle.averages.channel_averages import ChannelAverages
from saddle.continuation.newton import OutsideDomain
from saddle.state_evolution.state_evolution import StateEvolution

__all__ = ["null_averages", "null_shift"]

# Of a token's variance: so small that the proximal points are those of Q = 0.
SMALL = 1e-8


@lru_cache(maxsize=64)
def null_averages(
    evolution: StateEvolution, null: tuple[float, ...], direction: tuple[float, ...] = ()
) -> ChannelAverages | None:
    """Return the channel's averages on a rule as the weights of a branch vanish.

    Parameters
    ----------
    evolution
        The equations on the rule.
    null
        State (n,) of Q = 0; averages of the envelope do not depend on V there.
    direction
        A state (n,) of the branch next to where it leaves: the rule's lines are turned by the ratios of overlaps, and
        its error depends on them. By default none but Q itself vanishes.

    Returns
    -------
    ChannelAverages or None
        None where Q = 0 cannot be approached.
    """
    state = np.array(direction or null)
    variances = np.diagonal(evolution.channel.variances, axis1=1, axis2=2)
    quantities = list(enumerate(evolution.space.quantities))
    for index, x in quantities:
        if x.kind == "self_overlap" and x.positive and not direction:
            state[index] = variances[x.group].mean()
    largest = max(state[i] / variances[x.group].mean() for i, x in quantities if x.kind == "self_overlap")
    if not largest > 0.0:
        return None
    for index, x in quantities:
        power = {"self_overlap": 1.0, "positional_overlap": 0.5, "semantic_overlap": 0.5}.get(x.kind, 0.0)
        state[index] *= (SMALL / largest) ** power
    try:
        evolution.check_domain(state)
    except OutsideDomain:
        return None
    return evolution.channel.averages(state)


def null_shift(
    evolution: StateEvolution, state: np.ndarray, envelope: float, direction: tuple[float, ...] = ()
) -> float:
    """Return by how much a rule's E[M] at Q = 0 differs from its exact value; its Phi does by -alpha times that.

    It is a difference, and no ratio: losses may vanish at Q = 0, or be negative.

    Parameters
    ----------
    evolution
        The equations on the rule.
    state
        A state (n,) of Q = 0.
    envelope
        The exact E[M] there.
    direction
        As for :func:`null_averages`.
    """
    averages = null_averages(evolution, tuple(map(float, state)), direction)
    if averages is None or not np.isfinite(averages.envelope):
        return 0.0
    return averages.envelope - envelope
