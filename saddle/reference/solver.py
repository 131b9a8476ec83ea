r"""Any saddle-point system, solved slowly and readably: a second route to every solution.

SymPy expressions become NumPy functions, Gaussian averages become sums over a product rule, and
:math:`u \to G(\alpha f(u))` is iterated to a fixed point. Nothing is compiled, or shared with the fast solver. It takes
any loss, number of tokens, rank, teacher and spectrum; but its rules know nothing of proximal points that jump, and
there they are as good as their nodes are many. How good they are is measured, on finer rules, and stated with every
number.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import sympy as sp

from replica.common.checked_arguments import checked_instance, positive_number
from replica.common.errors import InvalidArgument
from replica.common.numeric_errors import numpy_defaults
from replica.derivation import derive
from replica.equations.free_entropy import FreeEntropy
from replica.equations.saddle_system import SaddleSystem
from replica.model.any_model import model_atoms
from replica.model.attention_model import AttentionModel
from replica.model.multi_index_model import MultiIndexModel
from replica.model.sample_class import class_numbers
from saddle.reference.breaks import breaks_of
from saddle.reference.channel_averages import ReferenceRule
from saddle.reference.normal_rules import GaussHermite, LegendrePanels, node_count
from saddle.reference.numeric_functions import ONE_ATOM, SpectrumAtoms
from saddle.reference.refinement import Iteration, Solved, solve_on_rule, solve_to_accuracy
from saddle.reference.settings import ReferenceSettings
from saddle.reference.system import ReferenceSystem

__all__ = ["ReferenceOutcome", "SaddlePoint", "solve_model", "solve_reference"]

ACCURACY = 1e-5
# Where refinement starts, if no rule is given.
FIRST_NODES, BROKEN = 12, LegendrePanels(width=4.25)
OBSERVABLES = ("free_entropy", "training_loss", "test_error")


class ReferenceOutcome(enum.Enum):
    """How a reference solve ended; the message is for people."""

    CONVERGED = "converged"
    INACCURATE = "the equations are solved, but the quadrature rule could not be refined to the accuracy asked for"
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
    error
        Numerical error of every number above, by its name: order parameters, conjugates, ``free_entropy``,
        ``training_loss`` and ``test_error``. It is twice the sum over the standard normals of the change when the rule
        along one of them is refined (about twice the nodes), plus what remains of the residual, plus rounding: the
        error of the averages and of the iteration, not of replica symmetry or of a minimum over z that was missed.
        An estimate, not a bound. Infinite if the equations cannot be evaluated on the finer rules, nan far from a
        solution.
    nodes
        Number of nodes of the rule.
    """

    order_parameters: dict[str, float]
    conjugates: dict[str, float]
    free_entropy: float
    training_loss: float
    test_error: float
    residual: float
    outcome: ReferenceOutcome
    error: dict[str, float] = field(default_factory=dict)
    nodes: int = 0

    @property
    def converged(self) -> bool:
        """Whether it is a solution, of the accuracy that was asked for if one was."""
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
    settings: ReferenceSettings = ReferenceSettings(),
) -> SaddlePoint:
    """Solve a saddle-point system by iteration from a start, and state the error of every number.

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
        How averages are computed. By default rules start with 12 Gauss-Hermite nodes along every standard normal
        (fewer where ``settings.max_nodes`` is less than that), and with panels that meet where outputs jump or have a
        kink, and are refined to ``settings.accuracy``. A rule that is given here or with a :class:`ReferenceSystem` is
        kept as it is, unless an accuracy is given, too.
    settings
        How accurately the equations are solved, on how many nodes, and in how many steps.

    Raises
    ------
    ValueError
        If alpha is not positive, settings are none, or a value is missing or unknown. A solve that does not
        converge says so in its ``outcome``.
    """
    alpha = positive_number("alpha", alpha)
    accuracy = checked_instance("settings", settings, ReferenceSettings, "ReferenceSettings").accuracy
    if accuracy is None and rule is None and not isinstance(system, ReferenceSystem):
        accuracy = ACCURACY
    reference = _reference_system(system, parameters, alpha, rule, settings.max_nodes)
    given = reference.given_values(parameters, alpha)
    iteration = Iteration(reference, given, atoms, settings.tolerance, settings.max_steps, settings.damping)
    first = _start_state(reference.system, start or {})
    if accuracy is None:
        solved = solve_on_rule(iteration, first, reference.normals)
    else:
        solved = solve_to_accuracy(iteration, first, reference.normals, accuracy, settings.max_nodes)
    return _saddle_point(iteration, solved)


def _reference_system(
    system: SaddleSystem | ReferenceSystem,
    parameters: Mapping[str, float],
    alpha: float,
    rule: ReferenceRule | None,
    max_nodes: int,
) -> ReferenceSystem:
    if isinstance(system, ReferenceSystem):
        return system if rule is None else replace(system, rule=rule)
    if rule is None:
        rule = _chosen_rule(system, [parameters], alpha, max_nodes)
    return ReferenceSystem(system, rule)


def _coarse_rule(free_entropy: FreeEntropy, breaks: tuple[sp.Expr, ...], max_nodes: int) -> ReferenceRule:
    """Return the rule where refinement starts: with fewer nodes where there are many normals."""
    affordable = max_nodes / BROKEN.size ** len(breaks)
    nodes = min(FIRST_NODES, int(affordable ** (1 / max(len(free_entropy.law.variables) - len(breaks), 1))))
    smooth = GaussHermite(max(nodes, 2))
    return ReferenceRule(smooth, smooth, break_along=breaks, broken=BROKEN)


def _saddle_point(iteration: Iteration, solved: Solved) -> SaddlePoint:
    reference, found = iteration.system, solved.found
    conjugates, observables = np.full(len(found.point), np.nan), (np.nan,) * 3
    if np.isfinite(found.residual):
        here = reference.evaluate(found.point, iteration.given, iteration.atoms, solved.normals)
        conjugates = here.conjugates
        observables = reference.observables(found.point, here, iteration.given, iteration.atoms)
    if found.residual <= iteration.tolerance:
        outcome = ReferenceOutcome.CONVERGED if solved.accurate else ReferenceOutcome.INACCURATE
    else:
        outcome = ReferenceOutcome.LEFT_DOMAIN if found.left_domain else ReferenceOutcome.NOT_CONVERGED
    equations = reference.system
    order, conjugate = ([x.name for x in each] for each in (equations.order_parameters, equations.conjugates))
    names = [*order, *conjugate, *OBSERVABLES]
    error = np.full(len(names), np.nan) if solved.error is None else solved.error.total
    return SaddlePoint(
        order_parameters=dict(zip(order, found.point.tolist(), strict=True)),
        conjugates=dict(zip(conjugate, conjugates.tolist(), strict=True)),
        free_entropy=observables[0],
        training_loss=observables[1],
        test_error=observables[2],
        residual=found.residual,
        outcome=outcome,
        error=dict(zip(names, error.tolist(), strict=True)),
        nodes=node_count(solved.normals),
    )


def solve_model(
    model: AttentionModel | MultiIndexModel,
    alpha: float,
    *,
    start: Mapping[str, float] | None = None,
    rule: ReferenceRule | None = None,
    settings: ReferenceSettings = ReferenceSettings(),
) -> SaddlePoint:
    """Derive a model's equations and solve them by iteration from a start; see :func:`solve_reference`.

    By default rules are refined to a stated error of 1e-5. For many values of alpha or of parameters, derive once and
    make one :class:`ReferenceSystem`.

    Parameters
    ----------
    model
        The model, with numbers.
    alpha, start, rule, settings
        As there.

    Raises
    ------
    ValueError
        If the model is none, or as there.
    """
    derivation, alpha = derive(model), positive_number("alpha", alpha)
    if not isinstance(model, AttentionModel | MultiIndexModel):
        raise InvalidArgument(f"model must be one with numbers, an AttentionModel or a MultiIndexModel, got {model!r}")
    system: SaddleSystem | ReferenceSystem = derivation.saddle_system
    numbers, atoms = model.parameter_values(), model_atoms(model)
    if model.classes:
        own = [(one.probability, one.parameters) for one in class_numbers(model)]
        chosen = rule or _chosen_rule(derivation.saddle_system, [one for _, one in own], alpha, settings.max_nodes)
        system = ReferenceSystem(derivation.saddle_system, chosen, tuple(own))
        if rule is None and settings.accuracy is None:
            settings = replace(settings, accuracy=ACCURACY)
        rule = None
    return solve_reference(system, numbers, alpha, start=start, atoms=atoms, rule=rule, settings=settings)


def _chosen_rule(
    system: SaddleSystem, classes: Sequence[Mapping[str, float]], alpha: float, max_nodes: int
) -> ReferenceRule:
    """Return the rule where refinement starts, broken where the outputs of any class jump."""
    reference = ReferenceSystem(system)
    breaks: dict[sp.Expr, None] = {}
    for own in classes:
        breaks |= dict.fromkeys(breaks_of(system.free_entropy, reference.given_values(own, alpha)))
    return _coarse_rule(system.free_entropy, tuple(breaks), max_nodes)
