"""State evolution along iterations: what approximate message passing follows as d grows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from replica.common.checked_arguments import positive_number
from replica.common.numeric_errors import numpy_defaults
from saddle.averages.rules.rule_arguments import checked_state
from saddle.branches.search.branch_arguments import checked_evolution
from saddle.state_evolution.state_evolution import StateEvolution
from validation.simulation.teacher import checked_damping, positive_integer

__all__ = ["StateTrajectory", "state_evolution_trajectory"]


@dataclass(frozen=True, eq=False)
class StateTrajectory:
    """Order parameters and conjugates along the iterations; arrays are read-only.

    Attributes
    ----------
    order_parameters
        (q, m, V, theta) before every iteration and after the last, shape (T + 1, 4).
    conjugates
        (q_hat, m_hat, V_hat, theta_hat) in every iteration, shape (T, 4).
    """

    order_parameters: NDArray[np.floating[Any]]
    conjugates: NDArray[np.floating[Any]]


@numpy_defaults
def state_evolution_trajectory(
    evolution: StateEvolution, state: ArrayLike, alpha: float, iterations: int, *, damping: float = 1.0
) -> StateTrajectory:
    """Iterate u <- (1 - damping) u + damping G(alpha f(u)), the damped saddle-point map (theory notes, section 4).

    Parameters
    ----------
    evolution
        The equations of a model on a quadrature rule.
    state
        The first u = (q, m, V, theta), with theta^2 < q rho. An m or theta that is exactly zero stays so.
    alpha
        Samples per dimension.
    iterations
        Number of iterations.
    damping
        In (0, 1], one for none.

    Raises
    ------
    ValueError
        If an argument is out of range.
    OutsideDomain
        If an iterate leaves the domain of the equations.
    """
    checked_evolution(evolution)
    alpha, iterations = positive_number("alpha", alpha), positive_integer("iterations", iterations)
    damping = checked_damping(damping)
    states, conjugates = [checked_state(state, evolution.space)], []
    for _ in range(iterations):
        here = evolution.evaluate(states[-1], alpha)
        conjugates.append(here.conjugates)
        states.append(states[-1] - damping * here.full_residual)
    arrays = np.array(states), np.array(conjugates)
    for array in arrays:
        array.setflags(write=False)
    return StateTrajectory(*arrays)
