r"""The number of metastable minima of the training loss at given energy, from one step of replica-symmetry breaking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from replica.common.by_value import ByValue
from replica.common.errors import InvalidArgument
from replica.common.html_table import html_table
from replica.common.progress import progress_bar
from replica.quantities.solvable_model import Model
from saddle.branches.branch import SolvedPoint
from saddle.branches.steps.from_symmetric import break_symmetry
from saddle.branches.steps.step_solution import BrokenSymmetryPoint
from saddle.continuation.outcomes import SolverError
from saddle.diagram.steps.broken_symmetry import point_of
from saddle.state_evolution.steps.step_equations import StepRule

__all__ = ["ComplexityCurve", "solve_complexity"]


@dataclass(frozen=True, eq=False, repr=False)
class ComplexityCurve(ByValue):
    r"""Complexity of the minima of a family at one alpha, as y selects them; every array has the number n of y.

    Attributes
    ----------
    points
        The solutions at every y.
    ground_state
        The one at which the complexity vanishes.
    missing
        Those y at which no solution was found, and why, in words.
    complete
        False if it was interrupted.
    """

    points: tuple[BrokenSymmetryPoint, ...]
    ground_state: BrokenSymmetryPoint | None
    missing: tuple[tuple[float, str], ...] = ()
    complete: bool = True

    @property
    def parisi_parameters(self) -> np.ndarray:
        """Parisi's parameter y."""
        return np.array([point.state.parisi[0] for point in self.points])

    @property
    def energy(self) -> np.ndarray:
        """Energy per dimension of the minima that y counts, decreasing with y."""
        return np.array([point.energy for point in self.points])

    @property
    def complexity(self) -> np.ndarray:
        """Logarithm of their number, per dimension; negative beyond the ground state, where there are none."""
        return np.array([point.complexity for point in self.points])

    @property
    def energy_error(self) -> np.ndarray:
        """Errors of the energy: changes to finer nodes and grids, added up."""
        return np.array([point.energy_error for point in self.points])

    @property
    def complexity_error(self) -> np.ndarray:
        """Errors of the complexity, of the same kind."""
        return np.array([point.complexity_error for point in self.points])

    @property
    def free_entropy(self) -> np.ndarray:
        """The functional at fixed y."""
        return np.array([point.free_entropy for point in self.points])

    @property
    def _rows(self) -> list[tuple[str, str, str]]:
        return [
            (
                f"{point.state.parisi[0]:.5g}",
                f"{point.energy:.8g} +- {point.energy_error:.1e}",
                f"{point.complexity:.4g} +- {point.complexity_error:.1e}",
            )
            for point in self.points
        ]

    @property
    def _ground_row(self) -> tuple[str, str, str]:
        point = self.ground_state
        assert point is not None
        return (
            f"{point.state.parisi[0]:.5g} +- {point.parisi_errors[0]:.1e}",
            f"{point.train_loss:.8g} +- {point.free_entropy_error:.1e}",
            f"{point.complexity:.4g} +- {point.complexity_error:.1e}",
        )

    @property
    def title(self) -> str:
        """What it is, in a line."""
        if not self.points:
            return "complexity: no point" + ("" if self.complete else " (interrupted)")
        first = self.points[0]
        return f"complexity of {first.sector.name} minima at alpha = {first.alpha:.6g}" + (
            "" if self.complete else " (interrupted)"
        )

    def __repr__(self) -> str:
        lines = [f"ComplexityCurve: {self.title}"]
        lines += [f"  y = {y}: energy {energy}, complexity {complexity}" for y, energy, complexity in self._rows]
        if self.ground_state is not None:
            y, energy, complexity = self._ground_row
            lines.append(f"  ground state: y = {y}, energy {energy}, complexity {complexity}")
        lines += [f"  y = {y:.5g}: {why}" for y, why in self.missing]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = list(self._rows)
        if self.ground_state is not None:
            y, energy, complexity = self._ground_row
            rows.append((f"ground state: {y}", energy, complexity))
        return html_table(f"ComplexityCurve: {self.title}", rows, ("y", "energy", "complexity"))


def solve_complexity(
    model: Model | SolvedPoint,
    family: str = "",
    alpha: float | None = None,
    *,
    parisi_parameters: Sequence[float] | np.ndarray | None = None,
    rule: StepRule | None = None,
    progress: bool | None = None,
) -> ComplexityCurve:
    r"""Count the metastable minima of the training loss within the basin of a family, by their energy.

    Parameters
    ----------
    model, family, alpha, rule, progress
        As for :func:`saddle.solve_broken_symmetry`.
    parisi_parameters
        Values of y, increasing; by default eight from a tenth of the ground state's to twice it.

    Returns
    -------
    ComplexityCurve
        After Ctrl-C, of the y so far. A y at which nothing was found is missing, with the reason.

    Raises
    ------
    ValueError
        If an argument is none of its kind.
    SolverError
        If there is no solution with a gap.

    Notes
    -----
    :math:`\Sigma(e)` is the Legendre transform of :math:`y\Phi_1(y)` (R. Monasson, Phys. Rev. Lett. 75 (1995) 2847). At
    one step; minima that are themselves unstable against more steps are counted wrongly.
    """
    point = point_of(model, family, alpha)
    wanted = None if parisi_parameters is None else _increasing(parisi_parameters)
    with progress_bar(60 + 20 * (8 if wanted is None else len(wanted)), progress, "complexity", "evaluation") as bar:
        ground: BrokenSymmetryPoint | None = None
        found: list[BrokenSymmetryPoint] = []
        missing: list[tuple[float, str]] = []
        try:
            ground = break_symmetry(point.evolution, point.sector, point.evaluation, 1, rule, report=bar.update)
            if wanted is None:
                wanted = float(ground.state.parisi[0]) * np.geomspace(0.1, 2.0, 8)
            near = ground.state
            # From the ground state outwards, so that every start is near.
            order = sorted(wanted, key=lambda y: abs(np.log(y / float(ground.state.parisi[0]))))
            solved: dict[float, BrokenSymmetryPoint] = {}
            for y in order:
                if solved:
                    nearest = min(solved, key=lambda x: abs(np.log(x / y)))
                    near = solved[nearest].state
                try:
                    solved[y] = break_symmetry(
                        point.evolution, point.sector, point.evaluation, 1, rule, [y], bar.update, near=near
                    )
                except (SolverError, InvalidArgument) as error:
                    missing.append((float(y), str(error)))
                found = [solved[x] for x in sorted(solved)]
        except KeyboardInterrupt:
            return ComplexityCurve(tuple(found), ground, tuple(missing), complete=False)
    return ComplexityCurve(tuple(found), ground, tuple(sorted(missing)))


def _increasing(parisi: Sequence[float] | np.ndarray) -> np.ndarray:
    try:
        values = np.array(parisi, dtype=float)
    except (TypeError, ValueError):
        values = np.empty((0, 0))
    finite = values.ndim == 1 and values.size > 0 and bool(np.isfinite(values).all())
    if not finite or not np.all(np.diff(values, prepend=0.0) > 0.0):
        raise InvalidArgument(f"parisi_parameters must be positive, finite and increasing, got {parisi!r}")
    return values
