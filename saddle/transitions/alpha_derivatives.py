"""How a transition moves with the model: d alpha / d parameter for every parameter, from the defining system."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from replica.quantities.names import ALPHA
from saddle.branches.line_parameters import line_parameters
from saddle.continuation.newton import OutsideDomain
from saddle.continuation.outcomes import Outcome, SolverError
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.transitions.equations import TransitionEquations
from saddle.transitions.transition import Transition, unknowns_at

__all__ = ["AlphaDerivative", "alpha_derivatives"]

# What rounding and differences leave, relatively.
FLOOR = 1e-6


@dataclass(frozen=True)
class AlphaDerivative:
    """A derivative of a transition's alpha in a parameter of the model.

    Attributes
    ----------
    value, error
        d alpha/d parameter on a rule ten times finer than the branches', and the change to it from the branches' own.
    """

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.5g} +- {self.error:.1e}"


def alpha_derivatives(
    equations: TransitionEquations, evolution: StateEvolution, transition: Transition
) -> dict[str, AlphaDerivative]:
    """Differentiate a located transition's alpha in every parameter of the model.

    The equations R(y, p) = 0 hold along with p, y being the solutions' unknowns and alpha, so dy/dp = -R_y^{-1} R_p.

    Parameters
    ----------
    equations
        That define it.
    evolution
        The equations of state on the branches' rule.
    transition
        With its solutions.

    Returns
    -------
    dict of AlphaDerivative
        By the names of ``line_parameters``.

    Raises
    ------
    SolverError
        If the system is singular there, or a parameter cannot be moved.
    """
    names = tuple(line_parameters(evolution.model))
    solution = unknowns_at(transition, equations.sectors)
    y = np.concatenate([solution, list(line_parameters(evolution.model).values())])
    slopes = []
    for rule in (evolution.rule, evolution.rule.refined()):
        system = equations.system(evolution.with_rule(rule), (ALPHA.name, *names))
        try:
            jacobian = system.evaluate(y).jacobian
            slopes.append(-np.linalg.solve(jacobian[:, : len(solution)], jacobian[:, len(solution) :])[-1])
        except (OutsideDomain, np.linalg.LinAlgError) as failure:
            outcome = Outcome.LEFT_DOMAIN if isinstance(failure, OutsideDomain) else Outcome.SINGULAR
            said = f"the derivatives of alpha at {transition}: {failure}"
            raise SolverError(said, outcome) from None
    coarse, fine = slopes
    errors = np.maximum(np.abs(fine - coarse), FLOOR * np.abs(fine))
    return {
        name: AlphaDerivative(float(value), float(error))
        for name, value, error in zip(names, fine, errors, strict=True)
    }
