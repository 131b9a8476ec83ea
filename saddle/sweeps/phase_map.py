"""Phase diagrams over two parameters of a model: which family is the global minimum, and where transitions are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from replica.common.by_value import ByValue
from replica.common.checked_arguments import checked_items, checked_number, quoted
from replica.common.errors import InvalidArgument, InvalidModel
from replica.model.attention_model import AttentionModel
from saddle.branches.line_parameters import line_parameters, with_parameters
from saddle.diagram.solve_settings import SolveSettings
from saddle.phase_diagram import PhaseDiagram
from saddle.sweeps.model_sweep import ModelSweep, SweptModel
from saddle.sweeps.solving import solve_many

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PhaseMap", "solve_map"]

# Regions and borders need the order of branches and three digits: rule and grid of alpha are coarse.
ROUGH = SolveSettings(tolerance=1e-2)
FEW_POINTS = 2


@dataclass(frozen=True, eq=False, repr=False)
class PhaseMap(ByValue):
    """Phase diagrams on a grid of two parameters.

    Attributes
    ----------
    model
        The model; two of its parameters are replaced.
    over
        Their names.
    values
        Their values, increasing: (n,) of the first, and (k,) of the second.
    sweep
        The diagrams: those of all values of the second parameter at the first's first value, and so on.
    """

    model: AttentionModel
    over: tuple[str, str]
    values: tuple[np.ndarray, np.ndarray]
    sweep: ModelSweep

    def __post_init__(self) -> None:
        """Make arrays read-only."""
        for axis in self.values:
            axis.setflags(write=False)

    def __repr__(self) -> str:
        axes = [
            f"{name} = {axis[0]:.6g} to {axis[-1]:.6g} ({len(axis)})"
            for name, axis in zip(self.over, self.values, strict=True)
        ]
        return f"<PhaseMap over {', '.join(axes)}: {len(self.sweep.diagrams)} of {len(self.sweep)} models solved>"

    @property
    def complete(self) -> bool:
        """Whether all diagrams are there, and complete."""
        return self.sweep.complete

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers n and k of values."""
        return len(self.values[0]), len(self.values[1])

    def at(self, first: int, second: int) -> SweptModel:
        """Return the model, with its diagram, at the places of both parameters' values."""
        return self.sweep[np.ravel_multi_index((first, second), self.shape)]

    def transition(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return alpha of a transition and its error, both (n, k); nan where there is none, or no diagram.

        Parameters
        ----------
        name
            As in :attr:`saddle.PhaseDiagram.transitions`, such as "alpha_c".
        """
        alpha, error = np.full(self.shape, np.nan), np.full(self.shape, np.nan)
        for place, one in enumerate(self.sweep):
            found = None if one.diagram is None else one.diagram.transitions.get(name)
            if found is not None and found.resolved:
                alpha.flat[place], error.flat[place] = found.alpha, found.error
        return alpha, error

    @property
    def transition_names(self) -> tuple[str, ...]:
        """Names of all transitions that some diagram has, those of most diagrams first."""
        counts: dict[str, int] = {}
        for diagram in self.sweep.diagrams:
            for name in diagram.transitions:
                counts[name] = counts.get(name, 0) + 1
        return tuple(sorted(counts, key=lambda name: -counts[name]))

    def families(self, alpha: float) -> np.ndarray:
        """Return the family of the global minimum at one alpha, (n, k) of texts; "" where it is not known.

        Raises
        ------
        ValueError
            If alpha is no number in the range that was solved.
        """
        alpha = self._checked_alpha(alpha)
        found = np.full(self.shape, "", dtype="U16")
        for place, one in enumerate(self.sweep):
            found.flat[place] = _family_at(one.diagram, alpha)
        return found

    def plot(self, alpha: float | None = None) -> Figure:
        """Draw the map: at one alpha, regions by global minimum and the lines of transitions; without, alpha_c.

        Raises
        ------
        ValueError
            If alpha is no number in the range that was solved.
        """
        from saddle.output.map_figure import plot_map

        return plot_map(self, None if alpha is None else self._checked_alpha(alpha))

    def _checked_alpha(self, alpha: float) -> float:
        value = checked_number("alpha", alpha)
        grids = [diagram.alpha for diagram in self.sweep.diagrams]
        low, high = (float(grids[0][0]), float(grids[0][-1])) if grids else (value, value)
        if not low <= value <= high:
            raise InvalidArgument(f"alpha must lie in the range that was solved, {low!r} to {high!r}, got {value!r}")
        return value


def _family_at(diagram: PhaseDiagram | None, alpha: float) -> str:
    if diagram is None:
        return ""
    branch = next((phase.branch for phase in diagram.phases if phase.low <= alpha <= phase.high), None)
    return "" if branch is None else branch.split()[0]


def solve_map(
    model: AttentionModel,
    first: str,
    second: str,
    values: tuple[Sequence[float], Sequence[float]],
    *,
    alpha: Sequence[float] = (0.01, 3.0),
    settings: SolveSettings = ROUGH,
    executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> PhaseMap:
    """Solve phase diagrams on a grid of two parameters of a model.

    Parameters
    ----------
    model
        The model.
    first, second
        Two of its :func:`line_parameters`, such as "omega" and "sigma".
    values
        Increasing values of both.
    alpha
        Range of alpha.
    settings
        As for :func:`saddle.solve_phase_diagram`; by default coarse, for three digits of every transition.
    executor, folder
        Where diagrams are solved, and kept as they finish, so that a second call goes on: see
        :func:`saddle.solve_many`.

    Returns
    -------
    PhaseMap
        After Ctrl-C, with what was solved.

    Raises
    ------
    ValueError
        If a parameter is none of the model's, values do not increase, a model is refused, or another argument is none
        of its kind; before any work.
    """
    AttentionModel.require_any(model, "a map")
    known = line_parameters(model)
    for name in (first, second):
        if not isinstance(name, str) or name not in known:
            raise InvalidArgument(f"parameters of a map may be {', '.join(known)}; got {quoted(name)}")
    if first == second:
        raise InvalidArgument(f"a map must be over two different parameters, got {first!r} twice")
    pair = checked_items("values", values, "a pair of sequences, one per parameter")
    if len(pair) != 2:
        raise InvalidArgument(f"values must be a pair of sequences, one per parameter, got {len(pair)} of them")
    axes = _increasing(first, pair[0]), _increasing(second, pair[1])
    try:
        models = [with_parameters(model, {first: float(x), second: float(y)}) for x in axes[0] for y in axes[1]]
    except InvalidModel as error:
        raise InvalidArgument(f"values: {error}") from None
    sweep = solve_many(
        models, alpha, points=FEW_POINTS, settings=settings, executor=executor, folder=folder,
        progress=settings.progress,
    )  # fmt: skip
    return PhaseMap(model, (first, second), axes, sweep)


def _increasing(name: str, values: Sequence[float]) -> np.ndarray:
    """Return at least two increasing numbers, or raise InvalidArgument."""
    listed = checked_items(f"values of {name}", values, "a sequence of numbers")
    axis = np.array([checked_number(f"values of {name}", value) for value in listed])
    if len(axis) < 2 or not np.all(np.diff(axis) > 0.0):
        raise InvalidArgument(f"values of {name} must be two or more and increase, got {quoted(listed)}")
    return axis
