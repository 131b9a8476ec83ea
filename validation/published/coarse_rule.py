"""The published theory curves traced back: our equations, on the quadrature rule they were computed with.

The published theory (notebook ``theory.ipynb`` of the authors' repository) averages over w = m c + sqrt(q) xi and
h* = theta xi/sqrt(q) + sqrt(rho - theta^2/q) eta, each of the pairs xi and eta with 12 nodes in the plane, and iterates
with damping until q, m and theta change by less than 1e-4 before damping. Nothing of its code is used here: the
equations are those derived by ``replica``, evaluated by ``saddle.reference``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from replica import AttentionModel, derive
from replica.common.checked_arguments import checked_choice, checked_flag, checked_integer, positive_number
from replica.common.errors import InvalidArgument
from replica.common.numeric_errors import numpy_defaults
from saddle.reference import PlanarRule, ReferenceRule, ReferenceSystem
from saddle.reference.numeric_functions import ONE_ATOM
from validation.simulation.functions.layers import attention_weights

__all__ = ["CoarseSolution", "rabinowitz_richter_rule", "solve_on_published_rule", "stroud_secrest_rule"]

# State (q, m, V, theta) from which the notebook iterates. The agnostic curve's start is not in it.
_STARTS = {
    "semantic": (0.906838209589, 0.0002, 14.575, 0.3472),
    "positional": (0.0206838209589, 0.2, 14.575, 0.0),
    "agnostic": (0.906838209589, 0.0, 14.575, 0.0),
}
_NEW_SHARE = 0.2


@dataclass(frozen=True)
class CoarseSolution:
    """Where the published iteration stops.

    Attributes
    ----------
    branch, alpha
        What was solved.
    order_parameters
        By name.
    free_entropy
        Phi: conjugates from the rule with 12 nodes, E[M] from that with 28.
    test_error
        Per token.
    steps
        Number of damped steps taken.
    converged
        Whether the iteration stopped by itself.
    """

    branch: str
    alpha: float
    order_parameters: Mapping[str, float]
    free_entropy: float
    test_error: float
    steps: int
    converged: bool


def stroud_secrest_rule() -> PlanarRule:
    """Return 12 nodes for two standard normals, exact for polynomials of degree 7.

    Source: A. H. Stroud and D. Secrest, Math. Comp. 17 (1963) 105, formula VI (for the weight exp(-r^2); nodes are
    scaled by sqrt(2)). Eight of the nodes lie on the diagonals.
    """
    root = np.sqrt(5.0)
    axes, inner, outer = np.sqrt(3.0), np.sqrt((9 - 3 * root) / 8), np.sqrt((9 + 3 * root) / 8)
    return _symmetric_rule(
        ((axes, 0.0, 1 / 36), (inner, inner, (5 + 2 * root) / 45), (outer, outer, (5 - 2 * root) / 45))
    )


def rabinowitz_richter_rule() -> PlanarRule:
    """Return 28 nodes for two standard normals, exact for polynomials of degree 11.

    Source: P. Rabinowitz and N. Richter, Math. Comp. 23 (1969) 765, the second of the formulas for exp(-r^2).
    """
    orbits = (
        (2.757816396257008, 0.0, 0.8176645817675417e-3),
        (np.sqrt(3.0), 0.0, 0.4363323129985824e-1),
        (0.6280515301597559, 0.0, 0.5373255214498174),
        (np.sqrt(1.5), 1.5 * np.sqrt(2.0), 0.363610260832152e-2),
        (np.sqrt(0.5), np.sqrt(1.5), 0.9817477042468103e-1),
    )
    return _symmetric_rule(tuple((a, b, weight / np.pi) for a, b, weight in orbits))


@numpy_defaults
def solve_on_published_rule(
    model: AttentionModel,
    branch: str,
    alpha: float,
    *,
    tolerance: float = 1e-4,
    max_steps: int = 300,
    from_origin: bool = True,
) -> CoarseSolution:
    """Iterate our saddle-point equations as the published theory does, on its nodes, from its starts.

    Parameters
    ----------
    model
        Two tokens, rank one.
    branch
        ``"semantic"``, ``"positional"`` or ``"agnostic"``; says where the iteration starts. Overlaps that start at
        zero are kept there.
    alpha
        Samples per dimension.
    tolerance
        The iteration stops once an undamped step moves q, m and theta by less than this; 1e-4 as published.
    max_steps
        Most steps taken; 300 as published.
    from_origin
        Minimise over z from z = 0 alone, as published, instead of taking the lowest of several minima.

    Returns
    -------
    CoarseSolution
        Where the iteration stopped; the residual may be far larger than the tolerance suggests.

    Raises
    ------
    ValueError
        If the branch has another name, or alpha is not positive.
    saddle.reference.normal_rules.DegenerateLaw
        If the iteration leaves the domain of the equations.
    """
    AttentionModel.require(model, "the published rule")
    checked_choice("branch", branch, _STARTS)
    alpha, tolerance = positive_number("alpha", alpha), positive_number("tolerance", tolerance)
    max_steps, from_origin = checked_integer("max_steps", max_steps, 0), checked_flag("from_origin", from_origin)
    if model.sequence_length != 2:
        raise InvalidArgument(f"model: the published rule is for two tokens, got {model.sequence_length}")
    coarse, fine = _systems(model.structure, from_origin)
    given = coarse.given_values(model.parameter_values(), alpha)
    state = np.array(_STARTS[branch])
    free = state != 0.0
    taken = 0
    while True:
        here = coarse.evaluate(state, given, ONE_ATOM)
        step = np.where(free, here.overlaps - state, 0.0)
        converged = bool(np.max(np.abs(step[[0, 1, 3]])) < tolerance)
        if converged or taken == max_steps:
            break
        state = state + _NEW_SHARE * step
        taken += 1
    averages = replace(fine.evaluate(state, given, ONE_ATOM), conjugates=here.conjugates)
    phi, _, _ = fine.observables(state, averages, given, ONE_ATOM)
    names = [quantity.name for quantity in coarse.system.order_parameters]
    return CoarseSolution(
        branch=branch,
        alpha=alpha,
        order_parameters=MappingProxyType(dict(zip(names, state.tolist(), strict=True))),
        free_entropy=phi,
        test_error=_published_test_error(model, state),
        steps=taken,
        converged=converged,
    )


@lru_cache(maxsize=8)
def _systems(structure: object, from_origin: bool) -> tuple[ReferenceSystem, ReferenceSystem]:
    """Return the equations on 12 x 12 nodes and on 28 x 28; models of one structure share them."""
    equations = derive(structure).saddle_system  # pyright: ignore[reportArgumentType]
    rules = (stroud_secrest_rule(), rabinowitz_richter_rule())
    coarse, fine = (ReferenceSystem(equations, ReferenceRule(r, r, from_origin=from_origin)) for r in rules)
    return coarse, fine


def _published_test_error(model: AttentionModel, state: np.ndarray) -> float:
    """Return the test error per token as published: three terms, each on its own nodes."""
    q, m, _, theta = state
    rho, omega = model.token_variance, model.omega
    encoding, matrix = np.asarray(model.positional_encoding)[:, None], np.asarray(model.positional_matrix)[:, :, None]

    def target(h: np.ndarray) -> np.ndarray:
        return (1 - omega) * attention_weights(h) + omega * matrix

    (x, weight_x), (y, weight_y) = rabinowitz_richter_rule().table(), stroud_secrest_rule().table()
    student = attention_weights(np.sqrt(q) * x.T + m * encoding)
    squares = weight_x @ np.einsum("ijn->n", target(np.sqrt(rho) * x.T) ** 2 + student**2)
    teacher_fields = theta / np.sqrt(q) * x.T[:, :, None] + np.sqrt(rho - theta**2 / q) * y.T[:, None, :]
    targets = target(teacher_fields.reshape(2, -1)).reshape(2, 2, len(x), len(y))
    product = np.einsum("ijn,ijnk,n,k->", student, targets, weight_x, weight_y)
    return float(rho * (squares - 2 * product) / model.sequence_length)


def _symmetric_rule(orbits: tuple[tuple[float, float, float], ...]) -> PlanarRule:
    """Return the rule for two standard normals from one node and weight per orbit, given for the weight exp(-r^2)."""
    points: list[tuple[float, float]] = []
    weights: list[float] = []
    for a, b, weight in orbits:
        images = sorted({(s * u, t * v) for u, v in ((a, b), (b, a)) for s in (1.0, -1.0) for t in (1.0, -1.0)})
        points += [(float(np.sqrt(2.0) * u), float(np.sqrt(2.0) * v)) for u, v in images]
        weights += [float(weight)] * len(images)
    return PlanarRule(tuple(points), tuple(weights))
