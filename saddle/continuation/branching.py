"""From a branch point to the branches that start there; which solutions are the same; solutions from nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from saddle.continuation.curve.curves import correct, passes
from saddle.continuation.curve.tracing import Curve
from saddle.continuation.newton import OutsideDomain
from saddle.continuation.problem import Problem
from saddle.continuation.special_points.special_point import Criticality, SpecialPoint, SpecialPointKind
from saddle.continuation.subspaces import FIXED, Section, group_elements, symmetry_blocks

__all__ = ["NewBranch", "deflated_solutions", "equivalent", "runs_through", "switch"]

# A quadratic law for the parameter against the amplitude quadruples when the amplitude doubles.
QUADRATIC = (2.5, 6.0)
# Amplitudes tried, as parts of the one asked for: a branch may bend away within it.
PARTS = (1.0, 0.2)


@dataclass(frozen=True)
class NewBranch:
    """A first point on a branch that starts at a branch point.

    Attributes
    ----------
    section
        The invariant subspace it lives in.
    start, away
        The point, and the direction that leads away from the branch point, (m + 1,).
    evaluations
        Of the problem, to find it.
    """

    section: Section
    start: np.ndarray
    away: np.ndarray
    evaluations: int


def equivalent(problem: Problem, x: np.ndarray, other: np.ndarray, closeness: float) -> bool:
    """Whether two solutions are equal, or one is the image of the other under a symmetry, in natural units."""
    units = problem.units(x)
    images = [other] + [element.on_unknowns @ other for element in group_elements(problem.symmetries)]
    return any(bool(np.max(np.abs((image - x) / units)) < closeness) for image in images)


def runs_through(section: Section, curve: Curve, x: np.ndarray, parameter: float, tolerance: float = 1e-10) -> bool:
    """Whether a branch, or an image of it, passes a solution x (n,) at a value of the active parameter.

    Solved for beside the solution: two branches that cross or touch nearby are told apart.
    """
    problem = section.problem
    images = [x, *(element.on_unknowns @ x for element in group_elements(problem.symmetries))]
    for image in images:
        target = section.coordinates(image, parameter)
        outside = image - section.block.basis @ target[:-1]
        if np.max(np.abs(outside / problem.units(image))) > FIXED:  # not in the branch's subspace
            continue
        if any(passes(section, segment, target, tolerance=tolerance) for segment in pairwise(curve.extended)):
            return True
    return False


def _directions(special: SpecialPoint, units: np.ndarray, attempts: int) -> Iterator[np.ndarray]:
    """Yield directions in a kernel: its only one; or basis vectors, then random ones."""
    rank = special.kernel.shape[1]
    for index in range(rank):
        yield special.kernel[:, index]
    if rank > 1:
        generator = np.random.default_rng(rank)
        basis = np.linalg.qr(special.kernel / units[:, None])[0]
        for _ in range(attempts):
            yield units * (basis @ generator.standard_normal(rank))


def switch(
    section: Section, special: SpecialPoint, *, amplitude: float = 0.05, attempts: int = 8, tolerance: float = 1e-10
) -> tuple[SpecialPoint, list[NewBranch]]:
    """Find the branches that start at a branch point or pitchfork.

    Parameters
    ----------
    section
        The branch on which the special point was found.
    special point
        A resolved pitchfork or branch point.
    amplitude
        How far from the branch the first point is looked for, in natural units.
    attempts
        Directions tried in a kernel of several dimensions, beyond its basis.
    tolerance
        Of residuals.

    Returns
    -------
    (SpecialPoint, list of NewBranch)
        The special point with its criticality, and branches that are not images of each other. No completeness is
        claimed.
    """
    if not special.resolved or special.kind not in (SpecialPointKind.PITCHFORK, SpecialPointKind.BRANCH_POINT):
        return special, []
    problem, found = section.problem, []
    units = np.asarray(problem.units(special.x), dtype=float)
    for direction in _directions(special, units, attempts):
        direction = direction / np.linalg.norm(direction / units)
        # With a declared symmetry the two signs are images of each other; otherwise both are new.
        new, size = None, amplitude
        for part in PARTS:
            size = part * amplitude
            new = _from_direction(section, special, direction, size, tolerance)
            if new is not None:
                break
        if new is None:
            continue
        x = new.section.full(new.start)[0]
        known = (other.section.full(other.start) for other in found)
        if not any(equivalent(problem, x, other, 0.2 * size) for other, _ in known):
            found.append(new)
    if special.kind is SpecialPointKind.PITCHFORK and special.kernel.shape[1] == 1 and found:
        special = replace(special, criticality=_criticality(special, found[0], tolerance))
    return special, found


def _from_direction(
    section: Section, special: SpecialPoint, direction: np.ndarray, amplitude: float, tolerance: float
) -> NewBranch | None:
    """Solve at a given distance from the branch point along a direction."""
    problem = section.problem
    child = section.on(symmetry_blocks(problem, special.x + amplitude * direction)[0])
    base = child.coordinates(special.x, special.parameter)
    units = np.asarray(child.units(base), dtype=float)
    row = np.append(child.block.coordinates @ direction, 0.0) / units
    try:
        if special.kind is SpecialPointKind.BRANCH_POINT and special.kernel.shape[1] == 1:
            row = _transverse(
                child, base, units, np.append(child.block.coordinates @ special.tangent[:-1], special.tangent[-1])
            )
    except OutsideDomain:
        return None
    if row is None:
        return None
    row = row / np.linalg.norm(row)
    guess = base + amplitude * row * units
    y, result = correct(child, guess, row, tolerance=tolerance, max_evaluations=15)
    if not result.converged or np.linalg.norm((y - guess) / units) > amplitude:
        return None
    return NewBranch(child, y, row * units, result.evaluations)


def _transverse(section: Section, base: np.ndarray, units: np.ndarray, along: np.ndarray) -> np.ndarray | None:
    """Return the direction, in natural units, of the other branch through a simple branch point; None if none crosses.

    The two tangents solve the algebraic branching equation, a quadratic form on the kernel of (dF/dx, dF/dp).
    """
    here = section.evaluate(base)
    matrix = here.jacobian * units / here.scales[:, None]
    left, _, right = np.linalg.svd(matrix)
    psi, kernel = left[:, -1], right[-2:].T
    step = section.problem.difference_step
    form = np.zeros((2, 2))
    for index in range(2):
        move = step * units * kernel[:, index]
        ahead, behind = section.evaluate(base + move), section.evaluate(base - move)
        slopes = (ahead.jacobian - behind.jacobian) * units / here.scales[:, None] / (2.0 * step)
        form[index] = psi @ slopes @ kernel
    form = 0.5 * (form + form.T)
    if np.linalg.det(form) >= 0.0:
        return None
    # Zeros of a x^2 + 2 b x y + c y^2.
    values, vectors = np.linalg.eigh(form)
    mix = np.sqrt(-values[0] / values[1])
    tangents = [kernel @ (vectors @ np.array([1.0, sign * mix])) for sign in (1.0, -1.0)]
    tangents = [tangent / np.linalg.norm(tangent) for tangent in tangents]
    # The known branch's own tangent is one of them.
    return min(tangents, key=lambda tangent: abs(float(tangent @ (along / units))))


def _criticality(special: SpecialPoint, new: NewBranch, tolerance: float) -> Criticality:
    """Tell to which side of a pitchfork the new branch bends, from its points at one and half the amplitude."""
    if special.unstable_side == 0:
        return Criticality.UNKNOWN
    base = new.section.coordinates(special.x, special.parameter)
    units = np.asarray(new.section.units(base), dtype=float)
    row = new.away / units
    y, result = correct(
        new.section, base + 0.5 * (new.start - base), row / np.linalg.norm(row), tolerance=tolerance, max_evaluations=15
    )
    if not result.converged:
        return Criticality.UNKNOWN
    whole, half = new.start[-1] - special.parameter, y[-1] - special.parameter
    if abs(half) <= 10.0 * special.error or not QUADRATIC[0] < whole / half < QUADRATIC[1]:
        return Criticality.UNKNOWN
    return Criticality.SUPERCRITICAL if whole * special.unstable_side > 0.0 else Criticality.SUBCRITICAL


def deflated_solutions(
    problem: Problem,
    parameters: np.ndarray,
    seeds: Sequence[np.ndarray],
    known: Sequence[np.ndarray] = (),
    *,
    tolerance: float = 1e-10,
    max_evaluations: int = 40,
    closeness: float = 1e-4,
) -> list[np.ndarray]:
    """Look for solutions at fixed parameters that are not among the known ones, by deflated Newton's method.

    The residual is multiplied by ``prod_i (1 + 1 / |x - x_i|^2)`` over the known solutions and their images, which
    keeps Newton's method away from them. That nothing is found proves nothing.

    Parameters
    ----------
    problem, parameters
        F(x; p) = 0 at p (k,).
    seeds
        Starts, each (n,); each is used until it finds nothing new.
    known
        Solutions already known, each (n,).
    tolerance, max_evaluations
        Of residuals in their scales; per attempt.
    closeness
        Solutions nearer than this, in natural units, are the same.

    Returns
    -------
    list of (n,) arrays
        New solutions, none the image of another or of a known one.
    """
    found: list[np.ndarray] = []
    for seed in seeds:
        while True:
            avoided = [*known, *found]
            x = _deflated_newton(problem, parameters, np.array(seed, dtype=float), avoided, tolerance, max_evaluations)
            if x is None or any(equivalent(problem, x, other, closeness) for other in avoided):
                break
            found.append(x)
    return found


def _deflated_newton(
    problem: Problem,
    parameters: np.ndarray,
    x: np.ndarray,
    known: Sequence[np.ndarray],
    tolerance: float,
    max_evaluations: int,
) -> np.ndarray | None:
    elements = group_elements(problem.symmetries)
    images = [image for other in known for image in (other, *(e.on_unknowns @ other for e in elements))]
    for _ in range(max_evaluations):
        try:
            here = problem.evaluate(x, parameters)
            if np.max(np.abs(here.residual / here.scales)) <= max(tolerance, 3.0 * problem.noise):
                return x
            step = -np.linalg.solve(here.jacobian, here.residual)
        except (OutsideDomain, np.linalg.LinAlgError):
            return None
        units = problem.units(x)
        slope = 0.0
        for image in images:
            offset = (x - image) / units
            square = float(offset @ offset)
            if square == 0.0:
                return None
            # d log(1 + 1 / r^2) along the step.
            slope -= 2.0 * float(offset @ (step / units)) / (square * (square + 1.0))
        # Sherman and Morrison: deflation only rescales Newton's step.
        factor = 1.0 / (1.0 - slope) if abs(1.0 - slope) > 1e-3 else 1e3
        length = abs(factor) * float(np.linalg.norm(step / units))
        x = x + step * factor * min(1.0, 2.0 / length if length > 0.0 else 1.0)
    return None
