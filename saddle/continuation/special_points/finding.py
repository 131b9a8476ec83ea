"""Find special points on a branch: folds, branch points, pitchforks, and zeros of functions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from saddle.continuation.curve.curves import CurvePoint
from saddle.continuation.curve.tracing import Curve
from saddle.continuation.special_points.searching import Search
from saddle.continuation.special_points.special_point import CurveFunction, SpecialPoint
from saddle.continuation.subspaces import Section, group_elements, isotropy, symmetry_blocks

__all__ = ["find_special_points"]

# How often a segment is halved in which something could not be located.
HALVINGS = 4
# Part of what breaks a symmetry that is left where a special point counts as one of a branch that is about to lose it.
REMAINING = 0.05


def find_special_points(
    section: Section,
    curve: Curve,
    functions: Sequence[CurveFunction] = (),
    *,
    tolerance: float = 1e-10,
) -> list[SpecialPoint]:
    """Find and locate the special points of a branch.

    Parameters
    ----------
    section
        Where the branch was traced; its points' details are the problem's evaluations.
    curve
        The branch.
    functions
        Whose zeros are wanted.
    tolerance
        Of the defining equations.

    Returns
    -------
    list of SpecialPoint
        In the curve's order, each once. Points that could not be located stay in it, marked unresolved.
    """
    if len(curve.extended) < 2:
        return []
    # A point where the branch happens to meet one of higher symmetry does not tell what fixes the branch.
    fixed_least = min(
        (section.full(point.y)[0] for point in curve.points), key=lambda x: len(isotropy(section.problem, x))
    )
    search = Search(section, symmetry_blocks(section.problem, fixed_least), tuple(functions), tolerance)
    special_points: list[SpecialPoint] = []
    points = curve.extended
    first = 1 if curve.beyond[0] is not None else 0
    last = first + len(curve.points) - 1
    for k, segment in enumerate(pairwise(points)):
        # The point beside the segment: before it, or after the first one.
        beside = points[k - 1] if k > 0 else (points[2] if len(points) > 2 else None)
        inside = first <= k < last
        for special in search.within(segment, beside, HALVINGS if inside else 0):
            ours = inside or _before_the_end(section, segment[0 if k == last else 1], special)
            if ours and not any(_same(section, special, other) for other in special_points):
                special_points.append(special)
    return special_points


def _before_the_end(section: Section, point: CurvePoint, special: SpecialPoint) -> bool:
    """Whether a special point in the last step of a branch comes before the branch becomes more symmetric.

    Beyond it the branch is its own mirror image, with the mirror images of its special points; where it turns into them
    it has an apparent fold.
    """
    if not special.resolved:
        return False
    problem, x = section.problem, section.full(point.y)[0]
    units, fixed = problem.units(x), isotropy(problem, x)
    for element in group_elements(problem.symmetries):
        if any(np.array_equal(element.on_unknowns, other.on_unknowns) for other in fixed):
            continue
        here, there = ((y - element.on_unknowns @ y) / units for y in (x, special.x))
        if float(here @ there) < REMAINING * float(here @ here):
            return False
    return True


def _same(section: Section, special: SpecialPoint, other: SpecialPoint) -> bool:
    """Whether two special points that were found from neighbouring segments or candidates are one."""
    if (special.kind, special.name) != (other.kind, other.name) or not (special.resolved and other.resolved):
        return False
    parameters = np.array(section.parameters, dtype=float)
    parameters[section.active] = special.parameter
    unit = float(section.problem.parameter_units(parameters)[section.active])
    if abs(special.parameter - other.parameter) > 10.0 * (special.error + other.error) + 1e-8 * unit:
        return False
    # Along the branch unknowns change with the parameter, which is known to its error.
    known = 1e-5 + 20.0 * (special.error + other.error) / unit
    away = float(np.max(np.abs(special.x - other.x) / section.problem.units(special.x)))
    if away > known or special.kernel.shape != other.kernel.shape:
        return False
    if special.kernel.shape[1] == 0:
        return True
    first, second = (np.linalg.qr(one.kernel)[0] for one in (special, other))
    return bool(np.linalg.svd(first.T @ second, compute_uv=False)[-1] > 1.0 - 1e-4)
