"""The figure of a curve of complexities: the number of metastable minima against their energy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from replica.common.checked_arguments import quoted
from replica.common.errors import InvalidArgument
from saddle.diagram.steps.complexity import ComplexityCurve
from saddle.output.figures.figure_frame import new_figure, root_figure, styled
from saddle.output.figures.figure_request import checked_line_figure
from saddle.output.figures.styles import branch_colour, ink

__all__ = ["plot_complexity"]


def plot_complexity(
    curve: ComplexityCurve,
    *,
    ax: Axes | None = None,
    size: float | tuple[float, float] | None = None,
    style: str | Mapping[str, object] | Sequence[str | Mapping[str, object]] | None = None,
) -> Figure:
    """Draw the complexity of metastable minima against their energy, with error bars.

    Points are joined in the order of y, solid where minima are fewer the deeper they lie, dotted where the complexity
    grows with y: that part is the count of no minima. A triangle on the axis is the ground state.

    Parameters
    ----------
    curve
        What :func:`saddle.solve_complexity` returned; also an empty or interrupted one.
    ax
        Axes to draw in, instead of a new figure.
    size, style
        As for :meth:`saddle.PhaseDiagram.plot`.

    Returns
    -------
    matplotlib.figure.Figure
        That of ``ax``, or a new one.

    Raises
    ------
    ValueError
        If an argument is none of its kind.
    """
    if not isinstance(curve, ComplexityCurve):
        raise InvalidArgument(f"curve must be a ComplexityCurve, got {quoted(curve)}")
    request = checked_line_figure(ax, size, style)
    with styled(request):
        if request.axes is not None:
            _draw(request.axes[0], curve)
            return root_figure(request.axes[0])
        figure = new_figure(request)
        _draw(figure.subplots(), curve)
        figure.suptitle(curve.title)
        return figure


def _draw(axes: Axes, curve: ComplexityCurve) -> None:
    colour = branch_colour(curve.points[0].sector.family if curve.points else "")
    energy, complexity = curve.energy, curve.complexity
    for k in range(len(energy) - 1):
        counted = complexity[k + 1] < complexity[k]
        axes.plot(energy[k : k + 2], complexity[k : k + 2], color=colour, linestyle="-" if counted else ":")
    axes.errorbar(
        energy,
        complexity,
        curve.complexity_error,
        curve.energy_error,
        color=colour,
        marker="o",
        linestyle="",
        capsize=2,
    )
    if curve.ground_state is not None:
        axes.plot([curve.ground_state.train_loss], [0.0], marker="^", color=ink(), linestyle="", label="ground state")
        axes.legend(frameon=False)
    axes.axhline(0.0, color=ink(), linewidth=0.6)
    axes.set_xlabel("energy per dimension")
    axes.set_ylabel(r"complexity $\Sigma$ per dimension")
    # Energies differ in their last digits.
    axes.ticklabel_format(style="sci", axis="y", scilimits=(-2, 2))
    axes.locator_params(axis="x", nbins=5)
    if not np.size(energy):
        axes.set_yticks([0.0])
    if not axes.get_label():
        axes.set_label("complexity")
