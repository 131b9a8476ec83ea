"""Errors of means of few independent replicas: how much wider Student's law is than the normal one."""

from __future__ import annotations

import functools

from scipy.special import ndtr, stdtrit

__all__ = ["ONE_DEVIATION", "standard_errors_for"]

ONE_DEVIATION = 2.0 * float(ndtr(-1.0))
"""How often a normal deviate is farther from its mean than its standard deviation: in about one of three cases."""


@functools.lru_cache(maxsize=64)
def standard_errors_for(chance: float, replicas: int) -> float:
    """Return how many standard errors the mean of independent replicas is off by, or more, with a given chance.

    The standard error is estimated from the same replicas, so that the mean's distance from what it estimates follows
    Student's law of one degree of freedom less than there are replicas.

    Examples
    --------
    >>> round(standard_errors_for(ONE_DEVIATION, 4), 3)
    1.197
    >>> round(standard_errors_for(ONE_DEVIATION, 1000), 3)
    1.001
    """
    return float(-stdtrit(replicas - 1, chance / 2.0))
