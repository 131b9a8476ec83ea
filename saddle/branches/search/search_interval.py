"""The interval of alpha in which families are looked for: set by the model, and only widened by what is asked."""

from __future__ import annotations

from saddle.branches.search.sector_solver import evaluation_of, informed_solution
from saddle.continuation.newton import OutsideDomain
from saddle.state_evolution.state_evolution import StateEvolution

__all__ = ["highest_alpha", "search_interval"]

# At small alpha there is one solution, agnostic, with q proportional to alpha, or none but Q = 0; where the agnostic
# one has not been left by any other yet, nothing is born below.
LOWEST, FACTOR, MOST_FACTORS = 4e-3, 0.25, 4
HIGHEST, BEYOND = 4.0, 1.25


def highest_alpha(asked: float) -> float:
    """Return up to which alpha families are followed, for a highest asked alpha: beyond it."""
    return max(HIGHEST, BEYOND * asked)


def search_interval(evolution: StateEvolution, asked: tuple[float, float]) -> tuple[float, float]:
    """Return lowest and highest alpha between which families are looked for.

    Parameters
    ----------
    evolution
        The equations.
    asked
        The range that is to be stored.

    Returns
    -------
    (float, float)
        From where the agnostic solution is still stable in the full space, or does not exist yet, to beyond the
        highest asked alpha.
    """
    low = LOWEST
    agnostic = evolution.space.sectors[0]
    for _ in range(MOST_FACTORS):
        try:
            found = informed_solution(evolution, agnostic, low, most=1)
        except OutsideDomain:
            found = None
        if found is None or evaluation_of(found).stable:
            break
        low *= FACTOR
    return min(low, asked[0]), highest_alpha(asked[1])
