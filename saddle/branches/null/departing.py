"""States of the solutions that leave Q = 0, close to where they do so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from replica.symmetry.families import AGNOSTIC
from saddle.branches.null.departures import NullDeparture
from saddle.branches.null.solution import NullProblem
from saddle.continuation.newton import OutsideDomain, newton
from saddle.state_evolution.evaluation import StateEvaluation
from saddle.state_evolution.state_evolution import StateEvolution

__all__ = ["departing_state"]

# Lengths of the departing direction, in natural units, at which the solution that leaves is solved for first.
LENGTHS, AGNOSTIC_LENGTHS = (0.1, 0.05), (0.01, 0.005)
# Further lengths tried; how closely, in parts of its distance from the departure, alpha is met.
MOST_LENGTHS, MET = 12, 0.02
TOLERANCE = 1e-7


@dataclass(frozen=True)
class _Bordered:
    """The equations of some unknowns and alpha, the length along a direction given."""

    evaluation: StateEvaluation
    free: list[int]
    row: np.ndarray
    excess: float

    @property
    def residual(self) -> np.ndarray:
        return np.append(self.evaluation.full_residual[self.free], self.excess)

    @property
    def jacobian(self) -> np.ndarray:
        here = self.evaluation
        block = here.full_jacobian[np.ix_(self.free, self.free)]
        return np.block([[block, here.alpha_derivative[self.free, None]], [self.row[None], np.zeros((1, 1))]])

    @property
    def scales(self) -> np.ndarray:
        return np.append(self.evaluation.full_units[self.free], 1.0)


def departing_state(evolution: StateEvolution, departure: NullDeparture, alpha: float) -> np.ndarray | None:
    """Return a state close to the solution that leaves Q = 0, for Newton's method to start from.

    Parameters
    ----------
    evolution
        The equations; here its rule matters: it decides, within its error, where the solution begins.
    departure
        Where it leaves.
    alpha
        Where it is wanted, not far from the departure.

    Returns
    -------
    numpy.ndarray or None
        State (n,), close to the solution. None if the solution lies on the other side of the departure, or none was
        found.
    """
    problem = NullProblem(evolution)
    agnostic = departure.leaves == AGNOSTIC
    # Agnostic solutions leave in proportion to the distance, others with its square root.
    power = 1.0 if agnostic else 2.0
    first, second = ((length**power, _at_length(problem, departure, length))
                     for length in (AGNOSTIC_LENGTHS if agnostic else LENGTHS))  # fmt: skip
    for _ in range(MOST_LENGTHS):
        (x, far), (y, near) = first, second
        if far is None or near is None or far[1] == near[1]:
            return None
        if abs(near[1] - alpha) < MET * abs(alpha - departure.alpha):
            return near[0]
        z = y + (alpha - near[1]) * (y - x) / (near[1] - far[1])
        # Beyond zero there is no solution; what is only a curved approach to it is followed more slowly.
        z = float(np.clip(z, 0.2 * y, 5.0 * y))
        first, second = second, (z, _at_length(problem, departure, z ** (1.0 / power)))
    return None


def _at_length(problem: NullProblem, departure: NullDeparture, length: float) -> tuple[np.ndarray, float] | None:
    """Return state and alpha of the departing solution that is so long in the departure's direction."""
    evolution, space = problem.evolution, problem.space
    start = _start(problem, departure, length)
    if start is None:
        return None
    moved = np.flatnonzero(departure.direction)
    entries = list(space.of_kind("susceptibility"))
    units = problem.units(start[entries])
    agnostic = departure.leaves == AGNOSTIC
    block = space.block_of(problem.sector, int(moved[0]))
    free = sorted({*space.block_of(problem.sector, problem.sector.free[0]), *(() if agnostic else block)})
    row = (departure.direction / units**2)[free]

    def equations(x: np.ndarray) -> _Bordered:
        state = np.zeros(space.size)
        state[free] = x[:-1]
        if not x[-1] > 0.0:
            raise OutsideDomain(f"alpha = {x[-1]}")
        return _Bordered(evolution.evaluate(state, float(x[-1])), free, row, float(row @ x[:-1]) - length)

    result = newton(equations, np.append(start[free], departure.alpha), tolerance=TOLERANCE, max_evaluations=30)
    if not result.converged:
        return None
    state = np.zeros(space.size)
    state[free] = result.x[:-1]
    return state, float(result.x[-1])


def _start(problem: NullProblem, departure: NullDeparture, length: float) -> np.ndarray | None:
    """Return Q = 0 at the departure, moved along its direction; q follows m and theta to second order."""
    space, prior, channel = problem.space, problem.evolution.prior, problem.channel
    # Exactly at a fold there is nothing to solve for.
    inside = departure.alpha * (1.0 - (1e-6 if departure.unstable_above else -1e-6))
    here = problem.solve(inside if departure.leaves == AGNOSTIC else departure.alpha)
    if here is None:
        return None
    state = problem.state(here.susceptibilities) + length * departure.direction
    odd, entries = list(space.odd), list(space.of_kind("self_overlap"))
    if departure.leaves == AGNOSTIC:
        return state
    response = problem.response(here.susceptibilities)
    averages = channel.averages(response, here.susceptibilities)
    conjugates = departure.alpha * averages.conjugates
    slopes = prior.overlap_derivatives(conjugates)
    jacobian = np.eye(space.size) - departure.alpha * slopes @ averages.derivatives
    conjugates[odd] = departure.alpha * averages.derivatives[np.ix_(odd, odd)] @ state[odd]
    source = channel.self_overlap_source(response, state[odd], channel.nodes.weights)
    conjugates[list(space.of_kind("self_overlap"))] = departure.alpha * source
    forced = prior.overlaps(conjugates)[entries]
    state[entries] = np.linalg.solve(jacobian[np.ix_(entries, entries)], forced)
    return state
