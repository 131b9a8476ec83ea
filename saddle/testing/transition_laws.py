"""Whether a diagram's transitions are what they say: their defining equations anew, within their stated errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from replica.symmetry.sectors import Sector
from saddle.branches.null.solution import NULL_FAMILY
from saddle.continuation.newton import OutsideDomain
from saddle.diagram.contents import DiagramContents
from saddle.diagram.lines.start import equations_of
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.testing.agreement import STATED, allowance
from saddle.testing.diagram_laws import missing_names
from saddle.transitions.baseline_crossing import test_errors_of
from saddle.transitions.transition import Transition

__all__ = ["transition_laws"]

# Kinds that are solutions of equations, as equations_of knows them.
DEFINED = ("first-order", "baseline-crossing", "pitchfork", "fold")
# Of a unit: what an order parameter may be that vanishes in a sector; by how much Newton's step may move the others.
VANISHING, MOVED = 1e-6, 0.05


def transition_laws(diagram: DiagramContents) -> Iterator[str]:
    """Yield what is wrong with resolved transitions; the first word, up to the colon, is the law.

    At the solutions that are stored with it, one step of Newton's method on a transition's defining equations, on the
    rule on which it was located, must not move alpha by more than three of its errors; a branch that is born there
    must begin or end there; solutions must lie in the sectors of the branches that it names.
    """
    fine = StateEvolution(diagram.model, diagram.rule.refined(), 1)
    for name, transition in diagram.transitions.items():
        if not transition.resolved:
            continue
        missing = missing_names(transition, diagram)
        if missing:
            yield f"transition: {name!r} is one of {missing[0]!r}, which is no branch"
            continue
        yield from _elsewhere(name, transition, diagram)
        jump = _jump_there(transition, diagram)
        if jump is not None:
            yield from _no_jump_across(name, transition, jump, diagram)
        elif transition.kind in DEFINED and not _of_null(transition, diagram):
            yield from _not_solved(name, transition, diagram, fine)


def _of_null(transition: Transition, diagram: DiagramContents) -> bool:
    """Whether one of the solutions is Q = 0, which is on no rule."""
    return any(name.split()[0] == NULL_FAMILY for name in transition.between if name in diagram.branches)


def _jump_there(crossing: Transition, diagram: DiagramContents) -> Transition | None:
    """Return the first-order transition at which a baseline is passed, if it is there that the test error passes it."""
    if crossing.kind != "baseline-crossing":
        return None
    jumps = (t for t in (*diagram.first_order, *diagram.everywhere) if t.kind == "first-order" and len(t.points) == 2)
    return next((t for t in jumps if t.alpha == crossing.alpha and crossing.between[0] in t.between), None)


def _no_jump_across(name: str, crossing: Transition, jump: Transition, diagram: DiagramContents) -> Iterator[str]:
    """Yield a jump of the test error that does not pass the baseline from above to below."""
    after = jump.between.index(crossing.between[0])
    level = test_errors_of(crossing.between[1])[1](diagram.model, crossing.alpha)
    errors = jump.points[1 - after].test_error, jump.points[after].test_error
    if not errors[0] >= level >= errors[1]:
        yield (
            f"transition: at {name!r} the test error jumps from {errors[0]:.6g} to {errors[1]:.6g}, which does not "
            f"pass the baseline's {level:.6g}"
        )


def _elsewhere(name: str, transition: Transition, diagram: DiagramContents) -> Iterator[str]:
    """Yield bifurcations at which no branch that they name begins, ends, or has its own solution pass by."""
    if transition.kind not in ("pitchfork", "fold", "onset"):
        return
    curves = [diagram.branches[x].curve for x in transition.between if x in diagram.branches]
    ends = [end.alpha for curve in curves if curve is not None for end in curve.ends if end.kind != "bound"]
    if not any(abs(alpha - transition.alpha) <= allowance(transition) for alpha in ends):
        yield f"ends: no branch of {name!r} ends at alpha = {transition.alpha:.7g} +- {transition.error:.1e}"


def _not_solved(name: str, transition: Transition, diagram: DiagramContents, fine: StateEvolution) -> Iterator[str]:
    try:
        equations = equations_of(name, transition, diagram)
    except ValueError as failure:
        yield f"equations: {name!r} has none: {failure}"
        return
    points = [np.array(point.order_parameters) for point in transition.points]
    if len(points) != len(equations.sectors):
        yield f"equations: {name!r} has {len(points)} solutions, and its equations are of {len(equations.sectors)}"
        return
    strangers = _outside(points, equations.sectors, fine)
    if strangers:
        yield f"sectors: {name!r} is said to be between {' / '.join(transition.between)}, and {strangers}"
        return
    parts = [point[list(sector.free)] for point, sector in zip(points, equations.sectors, strict=True)]
    y = np.array([*np.concatenate(parts), transition.alpha])
    try:
        system = equations.system(fine, ("alpha",))
        here, units = system.evaluate(y), system.units(y)
        step = np.linalg.solve(here.jacobian, here.residual)
    except (OutsideDomain, np.linalg.LinAlgError) as failure:
        yield f"equations: those of {name!r} cannot be evaluated at its solutions: {failure}"
        return
    moved, others = abs(float(step[-1])), float(np.max(np.abs(step[:-1] / units[:-1])))
    if not moved <= STATED * transition.error:
        yield (
            f"transition: {name!r} is stated at alpha = {transition.alpha:.7g} +- {transition.error:.1e} and its own "
            f"equations are solved {moved:.1e} from there"
        )
    elif not others <= MOVED:
        yield f"transition: at {name!r} an order parameter is {others:.1e} of its unit from a solution"


def _outside(points: Sequence[np.ndarray], sectors: Sequence[Sector], evolution: StateEvolution) -> str:
    """Say in words which solution has an overlap that vanishes in its sector, or lacks one that does not."""
    for point, sector in zip(points, sectors, strict=True):
        units = evolution.units(evolution.space.floored(point))
        for index, quantity in enumerate(evolution.space.quantities):
            vanishes = abs(point[index]) <= VANISHING * units[index]
            if index in evolution.space.odd and vanishes == (index in sector.free):
                has = "has no" if vanishes else "has a"
                return f"a solution {has} {quantity.name}, which the sector {sector.name!r} does not allow"
    return ""
