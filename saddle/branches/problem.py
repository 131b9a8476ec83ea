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
from saddle.branches.line_parameters import line_parameters, parameter_unit, with_parameters
from saddle.continuation.newton import OutsideDomain
from saddle.continuation.problem import Evaluation, Involution
from saddle.state_evolution.evaluation import StateEvaluation, StateParameterDerivatives
from saddle.state_evolution.state_evolution import StateEvolution

__all__ = ["AttentionProblem", "LineDerivatives", "state_evaluation"]

# Step of differences in a parameter that the kernel does not differentiate in, relative to its unit.
STEP = 1e-4
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
        """Derivatives in all parameters but alpha, in their order."""
        if len(self.over) == 1:
            return None
        names = [quantity.name for quantity in model_parameters(self.evolution.model.structure)]
        in_closed_form = [name for name in self.over[1:] if name in names]
        known = None
        if in_closed_form:
            known = self.evolution.parameter_derivatives(self.here.state, self.here.alpha, self.here.averages)
        columns = []
        for name in self.over[1:]:
            if known is None or name not in names:
                columns.append(self._differences(name))
            else:
                k = names.index(name)
                columns.append((known.residual[:, k], known.free_entropy[k], known.test_error[k]))
        residual, free_entropy, test_error = zip(*columns, strict=True)
        return StateParameterDerivatives(np.stack(residual, axis=1), np.array(free_entropy), np.array(test_error))

    def _differences(self, name: str) -> tuple[np.ndarray, float, float]:
        """Differentiate F, Phi and the test error in a parameter that the kernel does not know by itself.

        Phi is stationary in the conjugates at a solution, so that these may follow.
        """
        model = self.evolution.model
        value = line_parameters(model)[name]
        step = STEP * parameter_unit(name, value)
        ahead, behind = (
            replace(self.evolution, model=with_parameters(model, {name: value + sign * step})).evaluate(
                self.here.state, self.here.alpha
            )
            for sign in (1.0, -1.0)
        )
        return (
            (ahead.full_residual - behind.full_residual) / (2.0 * step),
            (ahead.free_entropy - behind.free_entropy) / (2.0 * step),
            (ahead.test_error - behind.test_error) / (2.0 * step),
        )

    @property
    def residual(self) -> np.ndarray:
        """DF/dp in alpha and the parameters of the line, (n, k)."""
        own = self.here.alpha_derivative[:, None]
        return own if self._slopes is None else np.hstack([own, self._slopes.residual])

    @property
    def potential(self) -> np.ndarray:
        """Explicit derivatives of Phi, (k,)."""
        own = [-self.here.averages.envelope]
        return np.array(own if self._slopes is None else [*own, *self._slopes.free_entropy])

    @property
    def test_error(self) -> np.ndarray:
        """Explicit derivatives of the test error per token, (k,); it does not depend on alpha."""
        return np.array([0.0] if self._slopes is None else [0.0, *self._slopes.test_error])


@dataclass(frozen=True)
class AttentionProblem:
    """F(u; alpha, ...) = 0 with F = u - G(alpha f(u)), see :mod:`saddle.state_evolution.state_evolution`.

    Attributes
    ----------
    evolution
        The equations on their rule, at the model's own parameters.
    over
        Names of the parameters of the problem: "alpha", then perhaps others of the model's ``line_parameters``.
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
        named = line_parameters(self.evolution.model)
        return np.array([named.get(name, 1.0) for name in self.over])

    def at(self, parameters: np.ndarray) -> StateEvolution:
        """Return the equations at values of the parameters.

        Raises
        ------
        OutsideDomain
            If there is no such model.
        """
        changes = dict(zip(self.over[1:], map(float, parameters[1:]), strict=True))
        if not changes:
            return self.evolution
        try:
            changed = with_parameters(self.evolution.model, changes)
        except InvalidModel as error:
            raise OutsideDomain(str(error)) from None
        return self.evolution if changed is self.evolution.model else replace(self.evolution, model=changed)

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
        first, *others = (float(x) for x in parameters)
        return np.array([abs(first), *(parameter_unit(name, x) for name, x in zip(self.over[1:], others, strict=True))])
