r"""Any saddle-point system, solved slowly and readably: a second route to every solution.

SymPy expressions become NumPy functions, Gaussian averages become sums over a product rule, and
:math:`u \to G(\alpha f(u))` is iterated to a fixed point. Nothing is compiled, or shared with the fast solver. It takes
any loss, number of tokens, rank, teacher and spectrum; but its rules know nothing of proximal points that jump, and
there they are as good as their nodes are many.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from replica.checked_arguments import checked_integer, positive_number
from replica.derivation import derive
from replica.errors import InvalidArgument
from replica.model import AttentionModel
from replica.multi_index import MultiIndexModel, model_atoms
from replica.numeric_errors import numpy_defaults
from replica.saddle_equations import SaddleSystem
from saddle.reference.channel_averages import ReferenceRule
from saddle.reference.fixed_point import accelerated_fixed_point
from saddle.reference.numeric_functions import ONE_ATOM, SpectrumAtoms
from saddle.reference.system import ReferenceSystem

__all__ = ["ReferenceOutcome", "SaddlePoint", "solve_model", "solve_reference"]


class ReferenceOutcome(enum.Enum):
    """How a reference solve ended; the message is for people."""

    CONVERGED = "converged"
    NOT_CONVERGED = "the iteration did not reach the tolerance within its steps"
    LEFT_DOMAIN = "the iteration left the domain where the equations are defined"


@dataclass(frozen=True)
class SaddlePoint:
    """A solution of the saddle-point equations, or the best point that was found.

    Attributes
    ----------
    order_parameters, conjugates
        By name.
    free_entropy
        Phi.
    training_loss
        Training loss per dimension, by the route that does not use the envelope: equals minus Phi at a solution.
    test_error
        Twice the average loss of a new sample, per token.
    residual
        Largest of the equations' residuals in natural units.
    outcome
        How the iteration ended.
    """

    order_parameters: dict[str, float]
    conjugates: dict[str, float]
    free_entropy: float
    training_loss: float
    test_error: float
    residual: float
    outcome: ReferenceOutcome

    @property
    def converged(self) -> bool:
        """Whether it is a solution."""
        return self.outcome is ReferenceOutcome.CONVERGED


def _start_state(system: SaddleSystem, start: Mapping[str, float]) -> np.ndarray:
    names = [x.name for x in system.order_parameters]
    unknown = sorted(set(start) - set(names))
    if unknown:
        raise InvalidArgument(f"start holds {unknown[0]!r}, which is none of the order parameters {names}")
    default = [1.0 if x.symbol.is_positive else 0.0 for x in system.order_parameters]
    return np.array([float(start.get(name, value)) for name, value in zip(names, default, strict=True)])


@numpy_defaults
def solve_reference(
    system: SaddleSystem | ReferenceSystem,
    parameters: Mapping[str, float],
    alpha: float,
    *,
    start: Mapping[str, float] | None = None,
    atoms: SpectrumAtoms = ONE_ATOM,
    rule: ReferenceRule | None = None,
    tolerance: float = 1e-12,
    max_steps: int = 500,
    damping: float = 0.5,
) -> SaddlePoint:
    """Solve a saddle-point system by iteration from a start.

    Parameters
    ----------
    system
        The equations; as a :class:`ReferenceSystem` if many solves shall share its functions.
    parameters
        Value of every numeric parameter, by name.
    alpha
        Samples per dimension, > 0.
    start
        Order parameters to start from, by name: by default one where they must be positive, and zero
        elsewhere. An order parameter that vanishes by a symmetry stays zero.
    atoms
        Weights and values of a covariance spectrum's atoms, by the names of their symbols.
    rule
        How averages are computed, by default 24 Gauss-Hermite nodes along every direction.
    tolerance
        Greatest residual of a solution, in units of the order parameters.
    max_steps, damping
        Of the iteration.

    Raises
    ------
    ValueError
        If alpha is not positive, or a value is missing or unknown. A solve that does not converge says so in its
        ``outcome``.
    """
    alpha, tolerance = positive_number("alpha", alpha), positive_number("tolerance", tolerance)
    max_steps, damping = checked_integer("max_steps", max_steps, 1), positive_number("damping", damping)
    if isinstance(system, ReferenceSystem):
        reference = system if rule is None else ReferenceSystem(system.system, rule)
    else:
        reference = ReferenceSystem(system, rule or ReferenceRule())
    given = reference.given_values(parameters, alpha)
    positive = np.array([bool(x.symbol.is_positive) for x in reference.system.order_parameters])

    def units(state: np.ndarray) -> np.ndarray:
        return np.maximum(np.abs(state), np.min(state[positive]))

    found = accelerated_fixed_point(
        lambda state: reference.evaluate(state, given, atoms).overlaps,
        _start_state(reference.system, start or {}),
        units,
        tolerance,
        max_steps,
        damping,
    )
    conjugates, observables = np.full(len(found.point), np.nan), (np.nan,) * 3
    if np.isfinite(found.residual):
        here = reference.evaluate(found.point, given, atoms)
        conjugates, observables = here.conjugates, reference.observables(found.point, here, given, atoms)
    if found.residual <= tolerance:
        outcome = ReferenceOutcome.CONVERGED
    else:
        outcome = ReferenceOutcome.LEFT_DOMAIN if found.left_domain else ReferenceOutcome.NOT_CONVERGED
    equations = reference.system
    return SaddlePoint(
        order_parameters=dict(zip((x.name for x in equations.order_parameters), found.point.tolist(), strict=True)),
        conjugates=dict(zip((x.name for x in equations.conjugates), conjugates.tolist(), strict=True)),
        free_entropy=observables[0],
        training_loss=observables[1],
        test_error=observables[2],
        residual=found.residual,
        outcome=outcome,
    )


def solve_model(model: AttentionModel | MultiIndexModel, alpha: float, **options: Any) -> SaddlePoint:
    """Derive a model's equations and solve them by iteration from a start.

    ``options`` are those of :func:`solve_reference`. For many values of alpha or of parameters, derive once and make
    one :class:`ReferenceSystem`.
    """
    derivation, alpha = derive(model), positive_number("alpha", alpha)
    if not isinstance(model, AttentionModel | MultiIndexModel):
        raise InvalidArgument(f"model must be one with numbers, an AttentionModel or a MultiIndexModel, got {model!r}")
    system = derivation.saddle_system
    return solve_reference(system, model.parameter_values(), alpha, atoms=model_atoms(model), **options)
