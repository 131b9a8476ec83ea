"""Phase diagrams over two parameters of a model: which family is the global minimum, and where transitions are."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from replica.common.checked_arguments import checked_items, checked_number, quoted
from replica.common.errors import InvalidArgument, InvalidModel
from replica.quantities.solvable_model import Model, require_model
from saddle.branches.line_parameters import line_parameters, with_parameters
from saddle.diagram.solve_settings import SolveSettings
from saddle.sweeps.dataset import sweep_dataset
from saddle.sweeps.map_contents import MapContents
from saddle.sweeps.solving import solve_many

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PhaseMap", "solve_map"]

# Regions and borders need the order of branches and three digits: rule and grid of alpha are coarse.
ROUGH = SolveSettings(tolerance=1e-2)
FEW_POINTS = 2


class PhaseMap(MapContents):  # noqa: D101
    __doc__ = MapContents.__doc__

    def to_dataset(self) -> xr.Dataset:
        """Return transitions and errors over both parameters; see :func:`saddle.sweep_dataset`."""
        return sweep_dataset(self.sweep)

    def plot(
        self,
        alpha: float | None = None,
        *,
        ax: Axes | None = None,
        size: float | tuple[float, float] | None = None,
        style: str | Mapping[str, object] | Sequence[str | Mapping[str, object]] | None = None,
    ) -> Figure:
        """Draw the map: at one alpha, regions by global minimum and the lines of transitions; without, alpha_c.

        Regions and lines are interpolated between models, in the logarithm of alpha, and so meet; between models whose
        global minima follow one another in different orders, or where a region is narrower than a cell, they may be
        off by part of a cell. Lines join transitions of one name, and have no error: where it matters, follow one with
        :func:`saddle.solve_transition_line`.

        Parameters
        ----------
        alpha
            Sample complexity, in the range that was solved.
        ax, size, style
            As for :meth:`saddle.TransitionLines.plot`.

        Raises
        ------
        ValueError
            If alpha is no number in the range that was solved, or another argument is none of its kind.
        """
        from saddle.output.figures.figure_request import checked_line_figure
        from saddle.sweeps.map_figure import plot_map

        request = checked_line_figure(ax, size, style)
        return plot_map(self, None if alpha is None else self.checked_alpha(alpha), request)


def solve_map(
    model: Model,
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
    require_model(model, "a map")
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
