"""Several lines of transitions over one parameter: the phase diagram in two parameters."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from replica.model import AttentionModel
from replica.names import ORDER_PARAMETERS
from saddle.phase_diagram import PhaseDiagram, solve_phase_diagram
from saddle.quadrature import OuterRule
from saddle.transition_lines import START_POINTS, TransitionLine, check_range, solve_transition_line

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

__all__ = ["DEFAULT_TRANSITIONS", "TransitionLines", "solve_transition_lines"]

DEFAULT_TRANSITIONS = (
    "alpha_c",
    "alpha_l",
    "agnostic -> positional",
    "agnostic -> semantic",
    "semantic -> mixed",
    "positional -> mixed",
)
FORMAT = "attention-phase lines 1"


@dataclass(frozen=True)
class TransitionLines:
    """Lines of transitions over one parameter of a model.

    Attributes
    ----------
    model
        The model; ``over`` replaces one of its parameters.
    over, between
        Name of the parameter, and its range.
    lines
        By name; one without points says why in its ``reason``.
    complete
        False after an interruption.
    """

    model: AttentionModel
    over: str
    between: tuple[float, float]
    lines: Mapping[str, TransitionLine]
    complete: bool = True

    def plot(self) -> Figure:
        """Draw the phase diagram in alpha and the parameter."""
        from saddle.line_plotting import plot_lines

        return plot_lines(self)

    def to_dataset(self) -> xr.Dataset:
        """Return all points as an xarray.Dataset with dimensions (point, solution, order_parameter).

        Lines follow each other along ``point``, with their names in ``line``; lines of one solution leave the
        second one nan.
        """
        import xarray as xr

        full = [line for line in self.lines.values() if len(line)]

        def joined(name: str) -> np.ndarray:
            return np.concatenate([getattr(line, name) for line in full]) if full else np.zeros(0)

        def padded(name: str, *tail: int) -> np.ndarray:
            rows = []
            for line in full:
                values = getattr(line, name)
                wide = np.full((len(line), 2, *tail), np.nan)
                wide[:, : values.shape[1]] = values
                rows.append(wide)
            return np.concatenate(rows) if rows else np.zeros((0, 2, *tail))

        variables = {
            **{name: (("point",), joined(name)) for name in ("parameter", "alpha", "error", "tangent")},
            **{name: (("point", "solution"), padded(name)) for name in ("free_entropy", "test_error")},
            "order_parameters": (("point", "solution", "order_parameter"), padded("order_parameters", 4)),
        }
        names = [line.name for line in full for _ in range(len(line))]
        attributes = {
            "format": FORMAT,
            "model": json.dumps(self.model.to_dict()),
            "over": self.over,
            "between": list(self.between),
            "reasons": json.dumps({name: line.reason for name, line in self.lines.items() if line.reason}),
            "endings": json.dumps({line.name: line.endings for line in full}),
            "ends": json.dumps({line.name: [e and asdict(e) for e in line.ends] for line in full}),
            "complete": int(self.complete),
        }
        coordinates = {
            "line": ("point", np.array(names, dtype="U32")),
            "order_parameter": [quantity.name for quantity in ORDER_PARAMETERS],
        }
        return xr.Dataset(variables, coordinates, attributes)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the dataset to a netCDF file, whole or not at all.

        Raises
        ------
        ValueError
            If the file cannot be written.
        """
        from saddle.storage import prepare_output

        target = prepare_output(path)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=target.name, suffix=".tmp")
        os.close(handle)
        try:
            self.to_dataset().to_netcdf(temporary, engine="scipy")
            os.replace(temporary, target)
        finally:
            Path(temporary).unlink(missing_ok=True)


def solve_transition_lines(
    model: AttentionModel,
    over: str = "omega",
    between: Sequence[float] = (0.0, 0.5),
    *,
    transitions: Sequence[str] = DEFAULT_TRANSITIONS,
    points: int = 40,
    alpha: Sequence[float] = (0.01, 3.0),
    highest_alpha: float = 20.0,
    tolerance: float = 2e-4,
    rule: OuterRule | None = None,
    threads: int = 0,
    progress: bool = False,
) -> TransitionLines:
    """Continue several transitions in a parameter of the model; see :func:`saddle.solve_transition_line`.

    All lines start from one phase diagram where it has them.

    Raises
    ------
    ValueError
        If a transition or the parameter is unknown, or the range or the number of points is invalid.
    """
    low, high = check_range(model, over, between, points)
    diagram: PhaseDiagram | None = None
    lines: dict[str, TransitionLine] = {}
    complete = True
    try:
        if low <= getattr(model, over) <= high:
            diagram = solve_phase_diagram(
                model, alpha, points=START_POINTS, tolerance=tolerance, rule=rule, threads=threads, progress=progress
            )
            complete = diagram.complete
        for name in transitions if complete else ():
            lines[name] = solve_transition_line(
                model, name, over, (low, high), points=points, alpha=alpha, highest_alpha=highest_alpha,
                tolerance=tolerance, rule=rule, diagram=diagram, threads=threads, progress=progress,
            )  # fmt: skip
            if not lines[name].complete:
                complete = False
                break
    except KeyboardInterrupt:
        complete = False
    return TransitionLines(model, over, (low, high), lines, complete)
