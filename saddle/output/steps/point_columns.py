"""The variables of solutions with steps: one table of names, meanings and how they are read off a solution.

A solution with a gap is written whole; a replica-symmetric one as what it was solved from, its overlap standing at
every level. The replica-symmetric equations are evaluated again when a file is read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from replica.common.errors import UnreadableFile
from replica.quantities.layout import Layout
from replica.quantities.names import order_parameters
from replica.symmetry.sectors import Sector
from saddle.averages.replicon import Replicon
from saddle.branches.branch import SolvedPoint
from saddle.branches.steps.step_solution import BrokenSymmetryPoint
from saddle.output.files.file_schema import Column, Contents, Variable, variable_of
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.state_evolution.steps.step_equations import StepRule
from saddle.state_evolution.steps.step_stability import StepStability
from saddle.state_evolution.steps.step_state import StepSpace, step_space

__all__ = ["BROKEN", "SOLUTION", "SOLUTIONS", "PointTable", "StepPoint"]

StepPoint = BrokenSymmetryPoint | SolvedPoint

MISSING, SYMMETRIC, BROKEN = 0, 1, 2
SOLUTION = "solution"
SOLUTIONS = {MISSING: "missing", SYMMETRIC: "replica_symmetric", BROKEN: "broken"}
"""What the numbers of ``solution`` mean."""
FLAGS = tuple(SOLUTIONS.items())
ONLY_BROKEN = "nan where replica symmetry is not broken"
UNKNOWN = "stability_unknown"
WEIGHTS = "as its meaning says, for weights Q of order one"

# Numbers of a solution with steps, under the names of its fields.
NUMBERS = (
    ("free_entropy", "free entropy Phi", "per dimension d"),
    ("free_entropy_error", "error of free_entropy", "per dimension d"),
    ("test_error", "test error", "per token"),
    ("test_error_error", "error of test_error", "per token"),
    ("average_envelope", "average Moreau envelope E[M] = -dPhi/dalpha", "per sample"),
)
BROKEN_NUMBERS = (
    ("energy", "energy of the minima that the outermost y counts", "per dimension d"),
    ("energy_error", "error of energy", "per dimension d"),
    ("complexity", "logarithm of the number of these minima", "per dimension d"),
    ("complexity_error", "error of complexity", "per dimension d"),
)
STABILITY = (
    ("replicon_regular", "replicon eigenvalue of the level, jumps of proximal points left out", "regular"),
    ("replicon_regular_error", "error of replicon_regular", "regular_error"),
    ("jump_strength", "C: the level's replicon eigenvalue is -C/T at a small temperature T", "jump_strength"),
    ("jump_strength_error", "error of jump_strength", "jump_strength_error"),
    ("jumps", "number of jumps met on the grid", "jumps"),
    ("jump_failures", "number of proximal points that were lost", "failures"),
)


@dataclass(frozen=True)
class PointTable:
    """Solutions with steps along some dimensions of a Dataset.

    Attributes
    ----------
    layout
        Index ranges of the order parameters.
    steps
        Number k of steps.
    dims, shape
        The dimensions that the solutions stand along, and their sizes; solutions are listed flat, the last one fastest.
    prefix
        What the variables' names begin with.
    """

    layout: Layout
    steps: int
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    prefix: str = ""

    @cached_property
    def _space(self) -> StepSpace:
        return step_space(self.layout, self.steps)

    @cached_property
    def _gaps(self) -> list[str]:
        """Names of the gaps of levels 1 ... k, level by level."""
        overlaps = [x for x in self._space.names if x.startswith("self_overlap_")]
        return [x.replace("self_overlap", "gap", 1) for x in overlaps[len(overlaps) // (self.steps + 1) :]]

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """All variables."""
        own = {x.name: x for x in order_parameters(self.layout)}
        meanings = {x.name: x.meaning for x in own.values()}
        found = [self._column(SOLUTION, "what kind of solution stands here", kind="integer", flags=FLAGS)]
        for name in self._space.names:
            meaning = meanings.get(name) or f"overlap of level {name.removeprefix('self_overlap_')[0]}, outermost 0"
            found += [
                self._column(name, meaning, WEIGHTS, ancillary=(f"{name}_error",)),
                self._column(f"{name}_error", f"error of {name}", "as the order parameter"),
                self._column(f"{name}_conjugate", f"conjugate of {name}", "summed over a group's tokens"),
            ]
        for name in self._gaps:
            meaning = f"{name.replace('gap', 'self_overlap', 1)} less the overlap of the next level outside"
            found.append(self._column(name, meaning, WEIGHTS, comment="0 where replica symmetry is not broken"))
        for name, meaning, normalisation in NUMBERS:
            found.append(self._column(name, meaning, normalisation))
        for name, meaning, normalisation in BROKEN_NUMBERS:
            found.append(self._column(name, meaning, normalisation, comment=ONLY_BROKEN))
        for level in range(1, self.steps + 1):
            y = f"parisi_parameter_{level}"
            found += [
                self._column(y, f"Parisi's parameter y of step {level}", "inverse energy per dimension d",
                             comment=ONLY_BROKEN, ancillary=(f"{y}_error",)),
                self._column(f"{y}_error", f"error of {y}; 0 where y was given", comment=ONLY_BROKEN),
                self._column(f"free_entropy_slope_{level}", f"derivative of Phi in {y}", comment=ONLY_BROKEN),
            ]  # fmt: skip
        for name in own:
            found.append(self._column(f"symmetric_{name}", f"{name} of the replica-symmetric solution", WEIGHTS))
        found.append(self._column("residual_norm", "residual of the replica-symmetric equations",
                                  comment="nan where replica symmetry is broken"))  # fmt: skip
        along = (*self.dims, f"{self.prefix}level")
        for name, meaning, _ in STABILITY:
            comment = f"{ONLY_BROKEN} or stability is not known"
            found.append(Column(f"{self.prefix}{name}", along, meaning, comment=comment))
        meaning = "why the replicons of a solution with a gap are not known, in words"
        found.append(self._column(UNKNOWN, meaning, kind="text", comment="empty where they are"))
        return tuple(found)

    def _column(self, name: str, meaning: str, normalisation: str = "", **more: Any) -> Column:
        ancillary = tuple(f"{self.prefix}{x}" for x in more.pop("ancillary", ()))
        return Column(f"{self.prefix}{name}", self.dims, meaning, normalisation, ancillary=ancillary, **more)

    def variables(self, points: Sequence[StepPoint | None]) -> dict[str, Variable]:
        """Return the variables of solutions."""
        rows = [self._row(point) for point in points]
        found = {}
        for column in self.columns:
            name = column.name.removeprefix(self.prefix)
            tail = column.dims[len(self.dims) :]
            empty = np.full(self.steps + 1, np.nan) if tail else np.nan
            default = {SOLUTION: MISSING, UNKNOWN: ""}.get(name, empty)
            values = [row.get(name, default) for row in rows]
            found[column.name] = variable_of(column, values, (*self.shape, *((self.steps + 1,) * len(tail))))
        return found

    def _row(self, point: StepPoint | None) -> dict[str, Any]:
        """Return the values of a solution by the variables' names, without the prefix."""
        if point is None:
            return {}
        row: dict[str, Any] = {name: float(getattr(point, name)) for name in ("free_entropy", "test_error")}
        names = [x.name for x in order_parameters(self.layout)]
        if isinstance(point, SolvedPoint):
            errors = dict.fromkeys((*names, "free_entropy", "test_error"), np.nan)
            with contextlib.suppress(np.linalg.LinAlgError):
                errors |= point.error
            row |= dict.fromkeys(self._gaps, 0.0)
            row |= {SOLUTION: SYMMETRIC, "residual_norm": point.residual_norm}
            row |= {f"{name}_error": errors[name] for name in ("free_entropy", "test_error")}
            row["average_envelope"] = point.evaluation.averages.envelope
            conjugates = dict(zip(names, point.conjugates.values(), strict=True))
            for name in self._space.names:
                known = self._without_level(name)
                row |= {name: point.order_parameters[known], f"{name}_error": errors[known]}
                row[f"{name}_conjugate"] = conjugates[known]
            return row | {f"symmetric_{name}": value for name, value in point.order_parameters.items()}
        values = self._space.vector(point.state)
        for name, value, error, conjugate in zip(
            self._space.names, values, point.state_errors, point.conjugates, strict=True
        ):
            row |= {name: value, f"{name}_error": error, f"{name}_conjugate": conjugate}
        row |= dict(zip(self._gaps, point.state.gaps.ravel(), strict=True))
        row |= {name: getattr(point, name) for name, _, _ in (*NUMBERS, *BROKEN_NUMBERS)}
        for level in range(1, self.steps + 1):
            row[f"parisi_parameter_{level}"] = point.state.parisi[level - 1]
            row[f"parisi_parameter_{level}_error"] = point.parisi_errors[level - 1]
            row[f"free_entropy_slope_{level}"] = point.by_parisi[level - 1]
        row |= {f"symmetric_{name}": x for name, x in zip(names, point.symmetric.state, strict=True)}
        if not point.stability.unknown:
            for name, _, own in STABILITY:
                row[name] = np.array([getattr(one, own) for one in point.stability.replicons], dtype=float)
        return row | {SOLUTION: BROKEN, UNKNOWN: point.stability.unknown}

    def _without_level(self, name: str) -> str:
        """Return the order parameter of replica symmetry that one of a level comes from."""
        if not name.startswith("self_overlap_"):
            return name
        _, _, rest = name.removeprefix("self_overlap_").partition("_")
        return "self_overlap" + (f"_{rest}" if rest else "")

    def check(self, contents: Contents) -> None:
        """Refuse a file that lacks variables, or has them along other dimensions."""
        contents.check(self.columns)
        level = f"{self.prefix}level"
        if contents.data.sizes.get(level) != self.steps + 1:
            raise UnreadableFile(f"{level} must have the size {self.steps + 1}, got {contents.data.sizes.get(level)}")

    def points(
        self,
        contents: Contents,
        alphas: Sequence[float] | np.ndarray,
        evolutions: Sequence[StateEvolution],
        sectors: Sequence[Sector],
        rules: Sequence[StepRule | None],
    ) -> list[StepPoint | None]:
        """Return the solutions that a file holds, listed flat, from what it does not hold of each of them.

        Parameters
        ----------
        rules
            How what steps add was averaged; None of those without a gap.
        """
        self.check(contents)
        count = len(alphas)
        flat = {
            column.name.removeprefix(self.prefix): contents.values(column.name).reshape(
                count, *() if column.dims == self.dims else (self.steps + 1,)
            )
            for column in self.columns
        }
        found: list[StepPoint | None] = []
        given = zip(alphas, evolutions, sectors, rules, strict=True)
        for k, (alpha, evolution, sector, rule) in enumerate(given):
            row = {name: values[k] for name, values in flat.items()}
            if row[SOLUTION] == MISSING:
                found.append(None)
                continue
            unknowns = np.array([row[f"symmetric_{x.name}"] for x in order_parameters(self.layout)])
            try:
                symmetric = evolution.evaluate(unknowns, float(alpha))
            except ValueError as error:
                raise UnreadableFile(f"{sector.name} at alpha = {float(alpha)!r}: {error}") from None
            if row[SOLUTION] == SYMMETRIC:
                point = SolvedPoint(float(alpha), sector, evolution, symmetric, float(row["residual_norm"]))
                found.append(point)
                continue
            if rule is None:
                raise UnreadableFile(f"a solution with steps at alpha = {float(alpha)!r} must have a rule")
            found.append(self._broken(row, float(alpha), sector, evolution, rule, symmetric))
        return found

    def _broken(
        self, row: dict[str, Any], alpha: float, sector: Sector, evolution: StateEvolution, rule: StepRule,
        symmetric: Any,
    ) -> BrokenSymmetryPoint:  # fmt: skip
        """Return the solution with a gap that stands in a row of a file."""
        names, levels = self._space.names, range(1, self.steps + 1)
        parisi = np.array([row[f"parisi_parameter_{j}"] for j in levels])
        vector, errors, conjugates = (
            np.array([row[f"{x}{end}"] for x in names]) for end in ("", "_error", "_conjugate")
        )
        # Energy and complexity follow from the rest.
        numbers = {name: float(row[name]) for name, _, _ in (*NUMBERS, *BROKEN_NUMBERS[1::2])}
        gaps = np.array([row[name] for name in self._gaps]).reshape(self.steps, -1)
        unknown = str(row[UNKNOWN])
        own = {field: np.asarray(row[name]) for name, _, field in STABILITY if not unknown}
        if not all(np.isfinite(x).all() for x in (parisi, vector, gaps, conjugates, *own.values(), *numbers.values())):
            raise UnreadableFile(f"a solution with steps at alpha = {alpha!r} must have finite numbers")
        replicons = tuple(
            Replicon(
                *(
                    float(own[field][j])
                    for field in ("regular", "regular_error", "jump_strength", "jump_strength_error")
                ),
                jumps=int(own["jumps"][j]),
                failures=int(own["failures"][j]),
            )
            for j in range(0 if unknown else self.steps + 1)
        )
        return BrokenSymmetryPoint(
            alpha=alpha,
            sector=sector,
            evolution=evolution,
            rule=rule,
            # Gaps are kept to their last digit, which differences of overlaps are not.
            state=replace(self._space.state(vector, parisi), gaps=gaps),
            state_errors=errors,
            parisi_errors=np.array([row[f"parisi_parameter_{j}_error"] for j in levels]),
            conjugates=conjugates,
            by_parisi=np.array([row[f"free_entropy_slope_{j}"] for j in levels]),
            stability=StepStability(replicons, unknown),
            symmetric=symmetric,
            **numbers,
        )
