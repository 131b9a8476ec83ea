"""The saddle-point equations as the continuation engine sees them: order parameters and some parameters."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from replica.common.errors import InvalidModel
from replica.quantities.names import ALPHA, model_parameters
from saddle.averages.channel_averages import ChannelAverages
from saddle.averages.state_space import StateSpace
from saddle.continuation.newton import OutsideDomain
from saddle.continuation.problem import Evaluation, Involution
from saddle.state_evolution.evaluation import StateEvaluation, StateParameterDerivatives
from saddle.state_evolution.state_evolution import StateEvolution

__all__ = ["LINE_PARAMETERS", "AttentionProblem", "LineDerivatives", "state_evaluation"]

LINE_PARAMETERS = ("omega", "sigma", "regularization")
"""The model's parameters that transitions are continued in."""

OMEGA_UNIT = 0.3
# Averages kept, in case the next evaluation differs by alpha alone.
REMEMBERED = 12


def state_evaluation(evaluation: object) -> StateEvaluation:
    """Return what an evaluation of an :class:`AttentionProblem` was computed from."""
    detail = evaluation.detail if isinstance(evaluation, Evaluation) else evaluation
    if not isinstance(detail, StateEvaluation):
        raise TypeError(f"not an evaluation of the saddle-point equations: {type(detail).__name__}")
    return detail


@dataclass(frozen=True)
class LineDerivatives:
    """Derivatives in the parameters of a problem; those in the model's cost three times as much, and wait to be asked.

    Attributes
    ----------
    here
        What was evaluated.
    evolution, over
        The equations, at the parameters there, and the names of these.
    """

    here: StateEvaluation
    evolution: StateEvolution
    over: tuple[str, ...]

    @cached_property
    def _slopes(self) -> StateParameterDerivatives | None:
        if len(self.over) == 1:
            return None
        return self.evolution.parameter_derivatives(self.here.state, self.here.alpha, self.here.averages)

    @cached_property
    def _columns(self) -> list[int]:
        names = [quantity.name for quantity in model_parameters(self.evolution.model.structure)]
        return [names.index(name) for name in self.over[1:]]

    @property
    def residual(self) -> np.ndarray:
        """DF/dp in alpha and the parameters of the line, (n, k)."""
        own = self.here.alpha_derivative[:, None]
        return own if self._slopes is None else np.hstack([own, self._slopes.residual[:, self._columns]])

    @property
    def potential(self) -> np.ndarray:
        """Explicit derivatives of Phi, (k,)."""
        own = [-self.here.averages.envelope]
        return np.array(own if self._slopes is None else [*own, *self._slopes.free_entropy[self._columns]])

    @property
    def test_error(self) -> np.ndarray:
        """Explicit derivatives of the test error per token, (k,); it does not depend on alpha."""
        return np.array([0.0] if self._slopes is None else [0.0, *self._slopes.test_error[self._columns]])


@dataclass(frozen=True)
class AttentionProblem:
    """F(u; alpha, ...) = 0 with F = u - G(alpha f(u)), see :mod:`saddle.state_evolution.state_evolution`.

    Attributes
    ----------
    evolution
        The equations on their rule, at the model's own parameters.
    over
        Names of the parameters of the problem: "alpha", then perhaps one of ``LINE_PARAMETERS``.
    """

    evolution: StateEvolution
    over: tuple[str, ...] = (ALPHA.name,)
    # Much of the Jacobian is a sum over a finite number of lines, whose jumps come and go.
    difference_step: float = 1e-2
    # F = u - G(u): positive eigenvalues are stable under damped state evolution.
    stability_sign: float = 1.0
    _remembered: OrderedDict[bytes, ChannelAverages] = field(default_factory=OrderedDict, repr=False, compare=False)

    @property
    def space(self) -> StateSpace:
        """What the unknowns are."""
        return self.evolution.space

    @property
    def size(self) -> int:
        """Number n of unknowns."""
        return self.space.size

    @property
    def noise(self) -> float:
        """Of the rule."""
        return self.evolution.rule.noise

    @property
    def symmetries(self) -> tuple[Involution, ...]:
        """Generators of the model's symmetries that act by signs."""
        return tuple(Involution(np.diag(np.array(signs, dtype=float))) for signs in self.space.generators)

    @property
    def values(self) -> np.ndarray:
        """The model's own values of the parameters, (k,); 1 for alpha."""
        named = self.evolution.model.parameter_values()
        return np.array([named.get(name, 1.0) for name in self.over])

    def at(self, parameters: np.ndarray) -> StateEvolution:
        """Return the equations at values of the parameters.

        Raises
        ------
        OutsideDomain
            If there is no such model.
        """
        changes = dict(zip(self.over[1:], map(float, parameters[1:]), strict=True))
        model = self.evolution.model
        if all(getattr(model, name) == value for name, value in changes.items()):
            return self.evolution
        try:
            return replace(self.evolution, model=replace(model, **changes))
        except InvalidModel as error:
            raise OutsideDomain(str(error)) from None

    def _averages(self, evolution: StateEvolution, state: np.ndarray, parameters: np.ndarray) -> ChannelAverages:
        key = state.tobytes() + parameters[1:].tobytes()
        if key not in self._remembered:
            self._remembered[key] = evolution.channel.averages(state)
            while len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
        return self._remembered[key]

    def evaluate(self, x: np.ndarray, parameters: np.ndarray) -> Evaluation:
        """Evaluate F, its derivatives, and Phi as the potential.

        Raises
        ------
        OutsideDomain
            Outside the domain of the equations or of the model's parameters.
        """
        alpha = float(parameters[0])
        if not alpha > 0.0:
            raise OutsideDomain(f"alpha must be positive, got {alpha!r}")
        state = np.array(x, dtype=float)
        evolution = self.at(parameters)
        evolution.check_domain(state)
        averages = self._averages(evolution, state, parameters)
        here = evolution.evaluate(state, alpha, averages)
        return Evaluation(
            residual=here.full_residual,
            jacobian=here.full_jacobian,
            derivatives=LineDerivatives(here, evolution, self.over),
            scales=here.full_units,
            potential=here.free_entropy,
            detail=here,
        )

    def units(self, x: np.ndarray) -> np.ndarray:
        """Return natural sizes of the order parameters at a state."""
        return self.evolution.units(self.space.floored(x))

    def parameter_units(self, parameters: np.ndarray) -> np.ndarray:
        """Return natural sizes: alpha, sigma and lambda are changed by factors, omega by parts of its range."""
        units = np.abs(np.asarray(parameters, dtype=float))
        for k, name in enumerate(self.over):
            if name == "omega":
                units[k] = OMEGA_UNIT
        return units
