"""Find special points on a branch: folds, branch points, pitchforks, and zeros of functions.

Stages: between two points of a branch the blocks of dF/dx are interpolated linearly; real zeros of the pencil's
determinant are candidates, whatever their multiplicity (an even-dimensional kernel changes no sign); each is
located by Newton's method on equations that define it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import scipy.linalg

from saddle.continuation.curves import CurveEvaluation, CurvePoint, CurveSystem, predict
from saddle.continuation.defining_systems import FoldPoints, FunctionZeros, SymmetryBreakingPoints
from saddle.continuation.newton import OutsideDomain, newton
from saddle.continuation.problem import Evaluation
from saddle.continuation.sections import Block, Section, symmetry_blocks
from saddle.continuation.tracing import Curve
from saddle.outcomes import Outcome

__all__ = ["Criticality", "Event", "EventFunction", "EventKind", "find_events", "solve_square"]

# Singular values this small compared with one, at a located point, belong to its kernel.
KERNEL = 1e-6
# Roots of a pencil closer than this are one root of higher multiplicity.
TOGETHER = 1e-5


class EventKind(enum.Enum):
    """What happens at a special point."""

    FOLD = "fold"
    BRANCH_POINT = "branch point"
    PITCHFORK = "pitchfork"
    FUNCTION = "zero of a function"


class Criticality(enum.Enum):
    """To which side of a pitchfork the branch of lower symmetry bends."""

    SUPERCRITICAL = "supercritical: the new branch exists where the old one has lost stability"
    SUBCRITICAL = "subcritical: the new branch exists where the old one is still stable"
    UNKNOWN = "not determined"


@dataclass(frozen=True)
class Event:
    """A special point on a branch.

    Attributes
    ----------
    kind, name
        What happens; for functions, which.
    x
        Unknowns there, (n,).
    parameter, error
        Value of the active parameter, and its error from the residual's noise.
    kernel
        Null vectors of dF/dx, (n, r).
    block
        The block that is singular.
    bracket
        Values of the parameter at the points of the branch on both sides.
    outcome
        CONVERGED, or why the point was not located; x and parameter are then interpolated guesses.
    evaluations
        Of the problem, to locate it.
    unstable_side
        1 or -1: to which side of it, in the parameter, the branch is unstable to the kernel; 0 if that is not known.
    criticality
        Of a pitchfork with a kernel of one dimension, once its new branch has been looked at.
    """

    kind: EventKind
    name: str
    x: np.ndarray
    parameter: float
    error: float
    kernel: np.ndarray
    block: Block | None
    bracket: tuple[float, float]
    outcome: Outcome
    evaluations: int
    unstable_side: int = 0
    criticality: Criticality = Criticality.UNKNOWN

    @property
    def resolved(self) -> bool:
        """Whether it was located."""
        return self.outcome is Outcome.CONVERGED


@dataclass(frozen=True)
class EventFunction:
    """A function of the solution whose zeros are wanted.

    Attributes
    ----------
    name
        For the result.
    function, gradient, scale
        As in :class:`saddle.continuation.defining_systems.FunctionZeros`.
    """

    name: str
    function: Callable[[np.ndarray, np.ndarray, Evaluation], float]
    gradient: Callable[[np.ndarray, np.ndarray, Evaluation], tuple[np.ndarray, np.ndarray]] | None = None
    scale: float = 1.0


@dataclass(frozen=True)
class _Square:
    residual: np.ndarray
    jacobian: np.ndarray
    scales: np.ndarray
    curve: CurveEvaluation


@dataclass(frozen=True)
class SquareSolution:
    """A solution of as many equations as unknowns: y (N,), its error from noise (N,), and how it was found."""

    y: np.ndarray
    error: np.ndarray
    outcome: Outcome
    evaluations: int
    evaluation: CurveEvaluation | None


def solve_square(system: CurveSystem, start: np.ndarray, tolerance: float, max_evaluations: int = 12) -> SquareSolution:
    """Solve N equations in N unknowns by Newton's method in natural units; errors are the noise propagated."""
    units = np.asarray(system.units(start), dtype=float)

    def problem(offset: np.ndarray) -> _Square:
        here = system.evaluate(start + units * offset)
        return _Square(
            here.residual / here.scales, here.jacobian * units / here.scales[:, None], np.ones(len(start)), here
        )

    result = newton(
        problem, np.zeros(len(start)), tolerance=max(tolerance, 3.0 * system.noise), max_evaluations=max_evaluations
    )
    error = np.full(len(start), np.inf)
    if result.linearization is not None:
        level = max(system.noise, result.residual_norm)
        inverse = np.linalg.pinv(result.linearization.jacobian)
        error = units * np.abs(inverse).sum(axis=1) * level
    evaluation = None if result.linearization is None else result.linearization.curve
    return SquareSolution(start + units * result.x, error, result.outcome, result.evaluations, evaluation)


def _pencil_roots(before: np.ndarray, after: np.ndarray) -> list[float]:
    """Return where, between 0 and 1, the matrix interpolated linearly is singular; multiple roots once."""
    if not before.size:
        return []
    if before.shape == (1, 1):
        a, b = float(before[0, 0]), float(after[0, 0])
        return [a / (a - b)] if a * b < 0.0 or b == 0.0 != a else []
    roots = np.asarray(scipy.linalg.eigvals(before, before - after))
    roots = roots[np.isfinite(roots)]
    sizes = np.real(roots)
    real = np.sort(sizes[(np.abs(np.imag(roots)) < 1e-6) & (sizes > 0.0) & (sizes <= 1.0)])
    return [float(root) for k, root in enumerate(real) if k == 0 or root - real[k - 1] > TOGETHER]


def find_events(
    section: Section,
    curve: Curve,
    functions: Sequence[EventFunction] = (),
    *,
    tolerance: float = 1e-10,
) -> list[Event]:
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
    list of Event
        In the curve's order. Points that could not be located stay in it, marked unresolved.
    """
    if len(curve.points) < 2:
        return []
    middle = curve.points[len(curve.points) // 2]
    blocks = symmetry_blocks(section.problem, section.full(middle.y)[0])
    events: list[Event] = []
    # Where a branch ends on a more symmetric one it turns back in its mirror image: an apparent fold beside it.
    mirrored = [segment for segment, end in ((0, curve.beyond[0]), (len(curve.points) - 2, curve.beyond[1])) if end]
    for place, segment in enumerate(pairwise(curve.points)):
        found = []
        for block in blocks:
            singular = _singular_points(section, segment, block, tolerance)
            if place in mirrored:
                singular = [(at, e) for at, e in singular if e.resolved or e.kind is not EventKind.FOLD]
            found += singular
        for function in functions:
            found += _function_zero(section, segment, function, tolerance)
        found.sort(key=lambda item: item[0])
        for _, event in found:
            if not any(_same(event, other) for other in events[-4:]):
                events.append(event)
    return events


def _same(event: Event, other: Event) -> bool:
    """Whether two events that were found from neighbouring segments or candidates are one."""
    if (event.kind, event.name) != (other.kind, other.name) or not (event.resolved and other.resolved):
        return False
    near = 10.0 * (event.error + other.error) + 1e-8 * (1.0 + abs(event.parameter))
    return bool(
        abs(event.parameter - other.parameter) < near
        and np.linalg.norm(event.x - other.x) < 1e-5 * (1.0 + np.linalg.norm(event.x))
        and event.kernel.shape == other.kernel.shape
        and np.allclose(np.abs(event.kernel.T @ other.kernel), np.abs(event.kernel.T @ event.kernel), atol=1e-4)
    )


def _guess(section: Section, segment: tuple[CurvePoint, CurvePoint], fraction: float) -> np.ndarray:
    """Return the point of a segment at a fraction of its length."""
    before, after = segment
    units = np.asarray(section.units(after.y), dtype=float)
    direction = after.tangent / units
    length = float(direction @ ((before.y - after.y) / units)) / float(np.linalg.norm(direction))
    return predict(segment, units, (1.0 - fraction) * length)


def _evaluations(segment: tuple[CurvePoint, CurvePoint]) -> tuple[Evaluation, Evaluation]:
    before, after = (point.evaluation.detail for point in segment)
    assert isinstance(before, Evaluation)
    assert isinstance(after, Evaluation)
    return before, after


def _singular_points(
    section: Section, segment: tuple[CurvePoint, CurvePoint], block: Block, tolerance: float
) -> list[tuple[float, Event]]:
    matrices = [
        section.scaled_block(here, section.full(point.y)[0], block)
        for here, point in zip(_evaluations(segment), segment, strict=True)
    ]
    own = block.symmetric
    turns = segment[0].tangent[-1] * segment[1].tangent[-1] < 0.0
    crosses = segment[0].orientation * segment[1].orientation < 0
    roots = _pencil_roots(*matrices)
    if own and turns and not roots:
        roots = [0.5]
    found = []
    for root in roots:
        guess = _guess(section, segment, root)
        if own and turns and not (crosses and len(roots) > 1):
            event = _fold(section, segment, guess, tolerance)
        elif own:
            event = _branch_point(section, segment, guess, tolerance)
        else:
            event = _pitchfork(section, segment, block, guess, tolerance)
        if event is not None:
            found.append((root, replace(event, unstable_side=_unstable_side(section, segment, block))))
    return found


def _unstable_side(section: Section, segment: tuple[CurvePoint, CurvePoint], block: Block) -> int:
    """Return the sign of the parameter's change towards which a block's critical eigenvalue turns unstable."""
    margins = []
    for here in _evaluations(segment):
        eigenvalues = np.linalg.eigvals(block.equations @ here.jacobian @ block.basis)
        critical = eigenvalues[np.argmin(np.abs(eigenvalues))].real
        margins.append(section.problem.stability_sign * float(critical))
    if margins[0] * margins[1] >= 0.0:
        return 0
    forwards = 1 if margins[1] < 0.0 else -1
    return forwards * int(np.sign(segment[1].y[-1] - segment[0].y[-1]))


def _bracket(segment: tuple[CurvePoint, CurvePoint]) -> tuple[float, float]:
    return float(segment[0].y[-1]), float(segment[1].y[-1])


def _kernel(section: Section, here: Evaluation, x: np.ndarray, block: Block) -> np.ndarray:
    """Return null vectors of a block of dF/dx, in the unknowns, (n, r)."""
    matrix = section.scaled_block(here, x, block)
    _, values, right = np.linalg.svd(matrix)
    rank = max(1, int(np.sum(values < max(KERNEL, 30.0 * section.noise))))
    columns = np.abs(block.coordinates) @ section.problem.units(x)
    vectors = block.basis @ (columns[:, None] * right[-rank:].T)
    largest = vectors[np.argmax(np.abs(vectors), axis=0), np.arange(rank)]
    return vectors * np.sign(largest) / np.linalg.norm(vectors, axis=0)


def _event(
    section: Section,
    kind: EventKind,
    name: str,
    y: np.ndarray,
    error: float,
    here: Evaluation | None,
    block: Block | None,
    segment: tuple[CurvePoint, CurvePoint],
    outcome: Outcome,
    evaluations: int,
) -> Event:
    x, _ = section.full(y)
    kernel = np.zeros((section.problem.size, 0))
    if here is not None and block is not None:
        kernel = _kernel(section, here, x, block)
    return Event(kind, name, x, float(y[-1]), error, kernel, block, _bracket(segment), outcome, evaluations)


def _near(section: Section, segment: tuple[CurvePoint, CurvePoint], y: np.ndarray) -> bool:
    """Whether a located point belongs to the segment: not farther from its middle than twice its length."""
    units = np.asarray(section.units(segment[1].y), dtype=float)
    middle = 0.5 * (segment[0].y + segment[1].y)
    length = np.linalg.norm((segment[1].y - segment[0].y) / units)
    return bool(np.linalg.norm((y - middle) / units) <= 2.0 * length)


def _finish(
    section: Section,
    segment: tuple[CurvePoint, CurvePoint],
    kind: EventKind,
    name: str,
    block: Block | None,
    guess: np.ndarray,
    solution: SquareSolution,
    evaluations: int,
) -> Event:
    """Turn a located point into an event; what left the segment, or did not converge, stays unresolved."""
    y, outcome = solution.y, solution.outcome
    if outcome is Outcome.CONVERGED and not _near(section, segment, y):
        outcome = Outcome.LOST
    if outcome is not Outcome.CONVERGED or solution.evaluation is None:
        size = abs(segment[1].y[-1] - segment[0].y[-1])
        return _event(section, kind, name, guess, size, None, block, segment, outcome, evaluations)
    here = solution.evaluation.detail
    assert isinstance(here, Evaluation)
    return _event(section, kind, name, y, float(solution.error[-1]), here, block, segment, outcome, evaluations)


def _fold(section: Section, segment: tuple[CurvePoint, CurvePoint], guess: np.ndarray, tolerance: float) -> Event:
    system = FoldPoints(section.problem, section.block, section.parameters, (section.active,))
    solution = solve_square(system, guess, tolerance)
    return _finish(section, segment, EventKind.FOLD, "", section.block, guess, solution, 3 * solution.evaluations)


def _pitchfork(
    section: Section, segment: tuple[CurvePoint, CurvePoint], odd: Block, guess: np.ndarray, tolerance: float
) -> Event:
    system = SymmetryBreakingPoints(section.problem, section.block, section.parameters, (section.active,), odd)
    here = section.problem.evaluate(*section.full(guess))
    values = np.linalg.svd(system.odd_matrix(section.full(guess)[0], here), compute_uv=False)
    several = len(values) > 1 and values[-2] < 3.0 * values[-1] + 1e-9 * values[0]
    evaluations = 1
    solve = _multiple_kernel if several else solve_square
    solution = solve(system, guess, tolerance)
    evaluations += solution.evaluations * (1 + 2 * len(guess))
    return _finish(section, segment, EventKind.PITCHFORK, "", odd, guess, solution, evaluations)


def _multiple_kernel(system: SymmetryBreakingPoints, start: np.ndarray, tolerance: float) -> SquareSolution:
    """Locate where an odd block loses several singular values at once.

    Gauss-Newton on all entries between its near-null spaces, which vanish together.
    """
    y = start.copy()
    evaluation, outcome, residual = None, Outcome.MAX_STEPS, np.zeros(0)
    rank, matrix = 0, np.zeros((0, 0))
    units = np.asarray(system.units(y), dtype=float)
    evaluations = 0
    for _ in range(12):
        evaluations += 1
        x, parameters = system.full(y)
        here = system.problem.evaluate(x, parameters)
        left, values, right = np.linalg.svd(system.odd_matrix(x, here))
        if rank == 0:
            rank = int(np.sum(values < 3.0 * values[-1] + 1e-9 * values[0]))
        rows, derivatives, scales = system._branch_rows(here)
        small = left[:, -rank:].T @ system.odd_matrix(x, here) @ right[-rank:].T
        residual = np.concatenate([rows / scales, small.ravel()])
        evaluation = CurveEvaluation(rows, derivatives, scales, here)
        if np.max(np.abs(residual)) < max(tolerance, 3.0 * system.noise):
            outcome = Outcome.CONVERGED
            break
        slopes = np.einsum("ia,kij,jb->abk", left[:, -rank:], system.odd_matrix_derivatives(y), right[-rank:].T)
        matrix = np.vstack([derivatives / scales[:, None], slopes.reshape(rank * rank, -1)]) * units
        y = y - units * np.linalg.lstsq(matrix, residual, rcond=1e-10)[0]
    level = max(system.noise, float(np.max(np.abs(residual))))
    error = units * (np.abs(np.linalg.pinv(matrix)).sum(axis=1) if matrix.size else 1.0) * level
    return SquareSolution(y, error, outcome, evaluations, evaluation)


def _branch_point(
    section: Section, segment: tuple[CurvePoint, CurvePoint], guess: np.ndarray, tolerance: float
) -> Event | None:
    """Locate a crossing of branches by Moore's equations: F + beta psi = 0, psi . (dF/dx, dF/dp) = 0, |psi| = 1.

    They are regular at a simple branch point, unlike F = 0 and det = 0.
    """
    m = section.block.size
    here = section.evaluate(guess)
    units = np.asarray(section.units(guess), dtype=float)
    left = np.linalg.svd(here.jacobian * units / here.scales[:, None])[0]
    start = np.concatenate([guess / units, [0.0], left[:, -1]])
    step = section.problem.difference_step
    count = 0

    def scaled(y: np.ndarray) -> tuple[np.ndarray, np.ndarray, CurveEvaluation]:
        nonlocal count
        count += 1
        there = section.evaluate(units * y)
        return there.residual / here.scales, there.jacobian * units / here.scales[:, None], there

    def problem(unknowns: np.ndarray) -> _Square:
        y, beta, psi = unknowns[: m + 1], unknowns[m + 1], unknowns[m + 2 :]
        residual, jacobian, there = scaled(y)
        second = np.zeros((m + 1, m + 1))
        for index in range(m + 1):
            move = np.zeros(m + 1)
            move[index] = step
            second[:, index] = psi @ (scaled(y + move)[1] - scaled(y - move)[1]) / (2.0 * step)
        matrix = np.zeros((2 * m + 2, 2 * m + 2))
        matrix[:m, : m + 1], matrix[:m, m + 1], matrix[:m, m + 2 :] = jacobian, psi, beta * np.eye(m)
        matrix[m : 2 * m + 1, : m + 1], matrix[m : 2 * m + 1, m + 2 :] = second, jacobian.T
        matrix[-1, m + 2 :] = 2.0 * psi
        values = np.concatenate([residual + beta * psi, jacobian.T @ psi, [psi @ psi - 1.0]])
        return _Square(values, matrix, np.ones(2 * m + 2), there)

    try:
        result = newton(problem, start, tolerance=max(tolerance, 10.0 * section.noise), max_evaluations=12)
    except OutsideDomain:
        return None
    y = units * result.x[: m + 1]
    error = np.full(m + 1, np.inf)
    evaluation = None
    if result.linearization is not None:
        level = max(section.noise, result.residual_norm)
        error = units * np.abs(np.linalg.pinv(result.linearization.jacobian)).sum(axis=1)[: m + 1] * level
        evaluation = result.linearization.curve
    outcome = result.outcome
    if outcome is Outcome.CONVERGED and abs(result.x[m + 1]) > 1e-6:
        outcome = Outcome.LOST  # an imperfect crossing: no branch passes through it
    solution = SquareSolution(y, error, outcome, result.evaluations, evaluation)
    return _finish(section, segment, EventKind.BRANCH_POINT, "", section.block, guess, solution, count)


def _function_zero(
    section: Section, segment: tuple[CurvePoint, CurvePoint], wanted: EventFunction, tolerance: float
) -> list[tuple[float, Event]]:
    values = [
        wanted.function(*section.full(point.y), here)
        for point, here in zip(segment, _evaluations(segment), strict=True)
    ]
    if not values[0] * values[1] < 0.0:
        return []
    fraction = values[0] / (values[0] - values[1])
    guess = _guess(section, segment, fraction)
    system = FunctionZeros(
        section.problem, section.block, section.parameters, (section.active,),
        wanted.function, wanted.gradient, wanted.scale,
    )  # fmt: skip
    solution = solve_square(system, guess, tolerance)
    each = 1 if wanted.gradient is not None else 1 + 2 * len(guess)
    event = _finish(
        section, segment, EventKind.FUNCTION, wanted.name, None, guess, solution, each * solution.evaluations
    )
    return [(fraction, event)]
