"""Search a segment of a branch for special points.

Stages: candidates between two points of a branch, by interpolation: where the parameter turns back (folds), where
(dF/dx, dF/dp) bordered by the tangent is singular (branch points), where an odd block of dF/dx is (pitchforks);
multiplicities count, because an even-dimensional kernel changes no sign. Each is located by Newton's method on
equations that define it. A segment in which that fails is halved and searched again, a few times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from saddle.continuation.curve.curves import CurvePoint, between, correct, start_point
from saddle.continuation.outcomes import Outcome
from saddle.continuation.problem import Evaluation
from saddle.continuation.special_points.candidates import Candidate, singular_between, turning_between
from saddle.continuation.special_points.defining_systems import (
    FoldPoints,
    FunctionZeros,
    SymmetryBreakingPoints,
    signed_singular_value,
)
from saddle.continuation.special_points.locating import (
    SquareSolution,
    solve_branch_point,
    solve_multiple_branch_point,
    solve_multiple_kernel,
    solve_square,
)
from saddle.continuation.special_points.special_point import CurveFunction, SpecialPoint, SpecialPointKind
from saddle.continuation.subspaces import Block, Section

__all__ = ["Search"]

# Singular values this small compared with one, at a located point, belong to its kernel.
KERNEL = 1e-6
# Singular values this small may belong to one kernel, which is then tried.
NEARLY = 1e-4
# (dF/dx, dF/dp) has lost a rank if a singular value is this small compared with one: no fold, a branch point.
DEGENERATE = 1e-5
# A located point may lie outside its segment by this part of the segment's length; by so little if a sign says that it
# lies in it, and by more only where nothing better is found on a part of the segment.
OUTSIDE, LITTLE = 0.25, 0.02
# Distance, in natural units, over which derivatives of an odd block are taken over: most of the cost of a pitchfork.
REUSE = 0.1
# Where more digits are asked for than this, they are worth their cost.
TIGHT = 1e-8

Segment = tuple[CurvePoint, CurvePoint]


def _turns(segment: Segment) -> bool:
    """Whether the parameter turns back on a segment."""
    return bool(segment[0].tangent[-1] * segment[1].tangent[-1] <= 0.0)


def _details(points: Sequence[CurvePoint]) -> list[Evaluation]:
    found = []
    for point in points:
        assert isinstance(point.evaluation.detail, Evaluation)
        found.append(point.evaluation.detail)
    return found


@dataclass(frozen=True)
class Search:
    """What is looked for on one branch."""

    section: Section
    blocks: tuple[Block, ...]
    functions: tuple[CurveFunction, ...]
    tolerance: float
    outside: float = OUTSIDE

    def within(self, segment: Segment, beside: CurvePoint | None, halvings: int) -> list[SpecialPoint]:
        """Return the special points of a segment, in order."""
        strict = replace(self, outside=LITTLE)
        found = strict._searched(segment, beside, halvings)
        if all(special.outcome is not Outcome.LOST for special in found):
            return found
        # It was located outside: a rule's noise may move what lies at the segment's end.
        return self._searched(segment, beside, halvings)

    def _searched(self, segment: Segment, beside: CurvePoint | None, halvings: int) -> list[SpecialPoint]:
        found = self._own(segment, beside)
        for block in self.blocks:
            if not block.symmetric:
                found += self._pitchforks(segment, beside, block)
        for function in self.functions:
            found += self._zeros(segment, beside, function)
        if all(special.resolved for _, special in found) or halvings == 0:
            return [special for _, special in sorted(found, key=lambda item: item[0])]
        middle = self._middle(segment)
        if middle is None:
            return [special for _, special in sorted(found, key=lambda item: item[0])]
        return [
            *self._searched((segment[0], middle), segment[1], halvings - 1),
            *self._searched((middle, segment[1]), segment[0], halvings - 1),
        ]

    def _middle(self, segment: Segment) -> CurvePoint | None:
        """Solve half-way along a segment; None if that fails."""
        units = np.asarray(self.section.units(segment[1].y), dtype=float)
        guess = between(segment, units, 0.5)
        row = (segment[1].y - segment[0].y) / units
        length = float(np.linalg.norm(row))
        y, result = correct(self.section, guess, row / length, tolerance=self.tolerance, max_evaluations=8)
        if not result.converged or result.last is None or np.linalg.norm((y - guess) / units) > 0.2 * length:
            return None
        return start_point(self.section, y, result.last.curve, segment[1].tangent)

    def _positions(self, segment: Segment, beside: CurvePoint | None) -> tuple[list[CurvePoint], list[float]]:
        """Return the points of a segment and beside it, and where they are as fractions of the segment."""
        units = np.asarray(self.section.units(segment[1].y), dtype=float)
        chord = (segment[1].y - segment[0].y) / units
        if beside is None:
            return [*segment], [0.0, 1.0]
        position = float(chord @ ((beside.y - segment[0].y) / units)) / float(chord @ chord)
        if -0.1 < position < 1.1:
            return [*segment], [0.0, 1.0]
        return [*segment, beside], [0.0, 1.0, position]

    def _own(self, segment: Segment, beside: CurvePoint | None) -> list[tuple[float, SpecialPoint]]:
        """Locate folds and branch points."""
        section = self.section
        units = np.asarray(section.units(segment[1].y), dtype=float)
        points, positions = self._positions(segment, beside)
        bordered = [
            np.vstack([p.evaluation.jacobian * units / p.evaluation.scales[:, None], p.tangent / units]) for p in points
        ]
        candidates = singular_between(bordered, positions)
        crosses = segment[0].orientation * segment[1].orientation < 0
        if crosses and not any(candidate.certain for candidate in candidates):
            candidates.append(Candidate(0.5))
        found = []
        for candidate in candidates:
            guess = between(segment, units, candidate.fraction)
            solution = self._crossing(guess, candidate.multiplicity)
            special = self._finish(segment, SpecialPointKind.BRANCH_POINT, "", section.block, candidate, solution)
            if special is not None:
                found.append(
                    (candidate.fraction, replace(special, unstable_side=self._unstable_side(segment, section.block)))
                )
        return [*found, *self._folds(segment, [special for _, special in found if special.resolved])]

    def _crossing(self, guess: np.ndarray, rank: int) -> SquareSolution:
        """Locate a branch point near a guess; at a kernel of several dimensions, by equations that know of all."""
        section = self.section
        if rank > 1:
            return solve_multiple_branch_point(section, guess, self.tolerance, rank)
        simple = solve_branch_point(section, guess, self.tolerance)
        if simple.outcome is not Outcome.CONVERGED or simple.evaluation is None:
            return simple
        units, m = np.asarray(section.units(simple.y), dtype=float), section.block.size
        scaled = simple.evaluation.jacobian[:m] * units / simple.evaluation.scales[:m, None]
        rank = int(np.sum(np.linalg.svd(scaled, compute_uv=False) < NEARLY))
        if rank < 2:
            return simple
        # Moore's equations then leave some directions nearly free.
        multiple = solve_multiple_branch_point(section, simple.y, self.tolerance, rank)
        evaluations = simple.evaluations + multiple.evaluations
        return replace(multiple if multiple.outcome is Outcome.CONVERGED else simple, evaluations=evaluations)

    def _folds(self, segment: Segment, branch_points: Sequence[SpecialPoint]) -> list[tuple[float, SpecialPoint]]:
        """Locate folds; a branch may also turn back at a branch point, where their equations are degenerate."""
        section = self.section
        units = np.asarray(section.units(segment[1].y), dtype=float)
        length = float(np.linalg.norm((segment[1].y - segment[0].y) / units))
        system = FoldPoints(section.problem, section.block, section.parameters, (section.active,))
        found = []
        for candidate in turning_between(segment, units):
            solution = solve_square(system, between(segment, units, candidate.fraction), self.tolerance)
            solution, deficiency = replace(solution, evaluations=3 * solution.evaluations), 1.0
            if solution.outcome is Outcome.CONVERGED and solution.evaluation is not None:
                rows = solution.evaluation.jacobian[:-1] * units / solution.evaluation.scales[:-1, None]
                values = np.linalg.svd(rows, compute_uv=False)
                deficiency = float(values[-1])
                if deficiency < DEGENERATE:
                    solution = replace(solution, outcome=Outcome.SINGULAR)
            special = self._finish(segment, SpecialPointKind.FOLD, "", section.block, candidate, solution)
            if special is None:
                continue
            away = [
                float(np.linalg.norm(section.coordinates(one.x - special.x, one.parameter - special.parameter) / units))
                for one in branch_points
            ]
            # At a branch point Newton's method on these equations creeps, and may end well before it.
            doubtful = not special.resolved or (
                deficiency < 100.0 * DEGENERATE and min(away, default=length) < 0.01 * length
            )
            if not (doubtful and away and min(away) < 0.3 * length):
                found.append((candidate.fraction, special))
        return found

    def _pitchforks(self, segment: Segment, beside: CurvePoint | None, odd: Block) -> list[tuple[float, SpecialPoint]]:
        section = self.section
        points, positions = self._positions(segment, beside)
        matrices = [
            odd.jacobian(section.problem, here, section.full(point.y)[0])
            for here, point in zip(_details(points), points, strict=True)
        ]
        reuse = REUSE if self.tolerance > TIGHT else 0.0
        units = np.asarray(section.units(segment[1].y), dtype=float)
        found = []
        candidates = singular_between(matrices, positions)
        for candidate in candidates:
            guess = between(segment, units, candidate.fraction)
            system = SymmetryBreakingPoints(
                section.problem, section.block, section.parameters, (section.active,), odd, reuse=reuse
            )
            if candidate.multiplicity > 1:
                solution = solve_multiple_kernel(system, guess, self.tolerance, candidate.multiplicity)
            else:
                solution = solve_square(system, guess, self.tolerance)
                solution = replace(solution, evaluations=solution.evaluations * (1 + 2 * len(guess)))
            special = self._finish(segment, SpecialPointKind.PITCHFORK, "", odd, candidate, solution)
            if special is None:
                continue
            # Stability at both ends of the segment tells without differences, unless several things happen between.
            side = self._unstable_side(segment, odd) if len(candidates) == 1 and not _turns(segment) else 0
            if side == 0 and candidate.multiplicity == 1 and special.resolved:
                side = self._local_side(system, solution, special)
            side = side or self._unstable_side(segment, odd)
            found.append((candidate.fraction, replace(special, unstable_side=side)))
        return found

    def _zeros(
        self, segment: Segment, beside: CurvePoint | None, wanted: CurveFunction
    ) -> list[tuple[float, SpecialPoint]]:
        section = self.section
        points, positions = self._positions(segment, beside)
        values = [
            np.array([[wanted.function(*section.full(point.y), here)]])
            for point, here in zip(points, _details(points), strict=True)
        ]
        if not all(np.isfinite(value).all() for value in values):
            return []
        system = FunctionZeros(
            section.problem, section.block, section.parameters, (section.active,),
            wanted.function, wanted.gradient, wanted.scale,
        )  # fmt: skip
        units = np.asarray(section.units(segment[1].y), dtype=float)
        found = []
        for candidate in singular_between(values, positions):
            guess = between(segment, units, candidate.fraction)
            each = 1 if wanted.gradient is not None else 1 + 2 * len(guess)
            solution = solve_square(system, guess, self.tolerance)
            solution = replace(solution, evaluations=each * solution.evaluations)
            special = self._finish(segment, SpecialPointKind.FUNCTION, wanted.name, None, candidate, solution)
            if special is not None:
                found.append((candidate.fraction, special))
        return found

    def _finish(
        self,
        segment: Segment,
        kind: SpecialPointKind,
        name: str,
        block: Block | None,
        candidate: Candidate,
        solution: SquareSolution,
    ) -> SpecialPoint | None:
        """Return a located point as a special one; what failed or left the segment is unresolved, if it is certain."""
        section = self.section
        units = np.asarray(section.units(segment[1].y), dtype=float)
        y, outcome, here = solution.y, solution.outcome, None
        if outcome is Outcome.CONVERGED and not self._inside(
            segment, y, self.outside if candidate.certain else OUTSIDE
        ):
            outcome = Outcome.LOST
        if outcome is not Outcome.CONVERGED and not candidate.certain:
            return None
        ends = float(segment[0].y[-1]), float(segment[1].y[-1])
        kernel, error = np.zeros((section.problem.size, 0)), abs(ends[1] - ends[0])
        if outcome is Outcome.CONVERGED and solution.evaluation is not None:
            here, error = solution.evaluation.detail, float(solution.error[-1])
            if isinstance(here, Evaluation) and block is not None:
                kernel = self._kernel(here, section.full(y)[0], block)
        else:
            y = between(segment, units, candidate.fraction)
        f, h = candidate.fraction, 1e-3
        slope = (between(segment, units, f + h) - between(segment, units, f - h)) / (2.0 * h)
        tangent = np.append(section.block.basis @ slope[:-1], slope[-1])
        x, _ = section.full(y)
        return SpecialPoint(
            kind, name, x, float(y[-1]), error, kernel, block, ends, outcome, solution.evaluations, tangent=tangent
        )

    def _inside(self, segment: Segment, y: np.ndarray, outside: float) -> bool:
        """Whether a located point belongs to the segment."""
        units = np.asarray(self.section.units(segment[1].y), dtype=float)
        chord, rest = (segment[1].y - segment[0].y) / units, (y - segment[0].y) / units
        length = float(np.linalg.norm(chord))
        along = float(chord @ rest) / length**2
        aside = float(np.linalg.norm(rest - along * chord)) / length
        return -outside <= along <= 1.0 + outside and aside <= 0.5

    def _kernel(self, here: Evaluation, x: np.ndarray, block: Block) -> np.ndarray:
        """Return null vectors of a block of dF/dx, in the unknowns, (n, r)."""
        section = self.section
        _, values, right = np.linalg.svd(block.jacobian(section.problem, here, x))
        rank = max(1, int(np.sum(values < max(KERNEL, 30.0 * section.noise))))
        vectors = block.basis @ (block.units(section.problem, x)[:, None] * right[-rank:].T)
        # Their signs are arbitrary: the same ones every time, so that a branch is not its mirror image next time.
        largest = vectors[np.argmax(np.abs(vectors), axis=0), np.arange(rank)]
        return vectors * np.sign(largest) / np.linalg.norm(vectors, axis=0)

    def _local_side(self, system: SymmetryBreakingPoints, solution: SquareSolution, special: SpecialPoint) -> int:
        """Return to which side of a pitchfork with one null vector the branch is unstable, from derivatives there."""
        curve = solution.evaluation
        if curve is None or not isinstance(curve.detail, Evaluation) or special.kernel.shape[1] != 1:
            return 0
        # The branch's direction with growing parameter, and the derivative of w . J v along it.
        m = self.section.block.size
        along = np.append(np.linalg.lstsq(curve.jacobian[:m, :m], -curve.jacobian[:m, m], rcond=None)[0], 1.0)
        slope = float(curve.jacobian[-1] @ along)
        odd, here = system.odd, curve.detail
        _, left, right = signed_singular_value(odd.jacobian(system.problem, here, special.x))
        overlap = float((left / odd.scales(here)) @ (right * odd.units(system.problem, special.x)))
        change = self.section.problem.stability_sign * slope * overlap
        return -int(np.sign(change)) if abs(overlap) > 1e-9 else 0

    def _unstable_side(self, segment: Segment, block: Block) -> int:
        """Return the sign of the parameter's change with which a block gets more unstable eigenvalues."""
        counts = []
        for here in _details(segment):
            eigenvalues = np.linalg.eigvals(block.equations @ here.jacobian @ block.basis)
            counts.append(int(np.sum(self.section.problem.stability_sign * eigenvalues.real < 0.0)))
        return int(np.sign(counts[1] - counts[0]) * np.sign(segment[1].y[-1] - segment[0].y[-1]))
