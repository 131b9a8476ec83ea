"""What a quadrature rule makes of Q = 0, to compare it with other branches on one and the same rule.

Phi of Q = 0 is exact, that of a branch which leaves it has its rule's error: next to where it leaves, their difference
would be that error. It goes like the distance squared, so the error would hide which of both is the minimum for long.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from saddle.channel import ChannelAverages
from saddle.continuation.newton import OutsideDomain
from saddle.state_evolution import StateEvolution

__all__ = ["null_averages", "null_ratio"]

# Of a token's variance: so small that the proximal points are those of Q = 0.
SMALL = 1e-8


@lru_cache(maxsize=16)
def null_averages(evolution: StateEvolution, susceptibility: tuple[float, ...]) -> ChannelAverages | None:
    """Return the channel's averages on a rule as the weights vanish.

    Parameters
    ----------
    evolution
        The equations on the rule.
    susceptibility
        State (n,) of Q = 0, whose overlaps vanish; averages of the envelope do not depend on V there.

    Returns
    -------
    ChannelAverages or None
        None where Q = 0 cannot be approached.
    """
    state = np.array(susceptibility)
    variances = np.diagonal(evolution.channel.variances, axis1=1, axis2=2)
    for index, x in enumerate(evolution.space.quantities):
        if x.kind == "self_overlap" and x.positive:
            state[index] = SMALL * variances[x.group].mean()
    try:
        evolution.check_domain(state)
    except OutsideDomain:
        return None
    return evolution.channel.averages(state)


def null_ratio(evolution: StateEvolution, state: np.ndarray, envelope: float) -> float:
    """Return what a rule gives for E[M] at Q = 0, and so for Phi, as a part of its exact value.

    Parameters
    ----------
    evolution
        The equations on the rule.
    state
        A state (n,) of Q = 0.
    envelope
        The exact E[M] there.
    """
    averages = null_averages(evolution, tuple(map(float, state)))
    if averages is None or not envelope > 0.0 or not np.isfinite(averages.envelope):
        return 1.0
    return averages.envelope / envelope
