"""The front door of the comparison: a phase diagram against gradient descent."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from replica.common.checked_arguments import checked_instance, checked_items
from replica.common.numeric_errors import numpy_defaults
from saddle import PhaseDiagram
from validation.comparison.contents import ComparisonContents
from validation.comparison.figures import plot_comparison
from validation.comparison.run_statistics import extrapolate, statistics_of_runs
from validation.comparison.theory_points import theory_point
from validation.comparison.verdict import disagreements, table, verdict
from validation.simulation.run_grid import simulate_runs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["INTO_THE_BASIN", "TheoryComparison", "compare_with_theory"]

INTO_THE_BASIN: Mapping[str, Any] = MappingProxyType({"method": "gradient-descent", "steps": 200, "polish": True})
"""How a minimum near a start is reached: as far as gradient descent leads in 200 steps, then by L-BFGS."""


class TheoryComparison(ComparisonContents):  # noqa: D101
    __doc__ = ComparisonContents.__doc__

    @property
    def agrees(self) -> bool:
        """Whether every quantity lies within three standard errors, wherever the start's branch exists."""
        return self.complete and not disagreements(self)

    def verdict(self) -> str:
        """Say in words where theory and simulation agree, where not, and what is known of the reason."""
        return verdict(self)

    def table(self) -> str:
        """Return means, standard errors, theory and deviations as text, a line per start, alpha, size, quantity."""
        return table(self)

    def plot(self) -> Figure:
        """Draw the runs' means on the curves of theory, and the deviations in standard errors."""
        return plot_comparison(self)


@numpy_defaults
def compare_with_theory(
    diagram: PhaseDiagram,
    alphas: Iterable[float] = (0.5, 1.0, 1.5, 2.0, 2.5),
    *,
    starts: Sequence[str] = ("semantic", "positional-informed"),
    dimensions: Iterable[int] = (1000,),
    seeds: int | Iterable[int] = 4,
    executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
    progress: bool = False,
    spherical_teacher: bool = True,
    **settings: Any,
) -> TheoryComparison:
    """Simulate a diagram's model and hold the results against it.

    Parameters
    ----------
    diagram
        A solved phase diagram.
    alphas
        Sample complexities n/d.
    starts
        Names of starts; see :func:`~validation.simulation.gradient_descent.initial_student`. The published positional
        one, ``"positional"``, begins at m = 1/sqrt(d), almost uninformed; ``"positional-informed"`` begins at m = 1.
    dimensions
        Token dimensions d. From two or more, results are extrapolated in 1/d.
    seeds
        The number of data sets, or their seeds; at least two. A seed gives the same data whatever the start.
    executor
        Any :class:`concurrent.futures.Executor` on which the runs are done; without one, here, one by one. Each
        run takes one thread, and results do not depend on the executor.
    folder
        Where finished runs are kept: those found there are not repeated, so that a comparison that was
        interrupted, or is extended, goes on from where it was.
    progress
        Show a progress bar on standard error.
    spherical_teacher
        Fix the teacher's norm, as theory has it; off for a Gaussian teacher, as published.
    **settings
        Other keyword arguments of :func:`~validation.simulation.gradient_descent.train_student`. By default
        :data:`INTO_THE_BASIN`: a few steps of gradient descent, and L-BFGS to the bottom of the basin that they lead
        into. Published are 5000 steps of gradient descent (``method="gradient-descent"``), which leave overlaps a few
        per cent short. L-BFGS alone may leap into the basin of a higher minimum with its first steps.

    Returns
    -------
    TheoryComparison
        Runs, statistics, and a verdict. After Ctrl-C, of what was finished, marked incomplete.

    Raises
    ------
    ValueError
        If an argument is out of range; the message quotes it.

    Notes
    -----
    Theory describes minima for d to infinity (Result 4.2 of arXiv:2402.03902). Deviations are in standard errors
    of the mean over seeds; their significance allows for these being estimated from few seeds (Student's t).
    """
    checked_instance("diagram", diagram, PhaseDiagram, "a PhaseDiagram")
    starts = checked_items("starts", starts, "a sequence of names")
    own_way = {"method", "steps", "polish", "learning_rate", "gradient_tolerance"} & set(settings)
    settings = {**({} if own_way else INTO_THE_BASIN), **settings, "spherical_teacher": spherical_teacher}
    runs, complete = simulate_runs(
        diagram.model, alphas, starts=starts, dimensions=dimensions, seeds=seeds, executor=executor, folder=folder,
        progress=progress, **settings,
    )  # fmt: skip
    axis = [float(alpha) for alpha in runs["alpha"].values]
    points = {(start, alpha): theory_point(diagram, start, alpha) for start in starts for alpha in axis}
    statistics = statistics_of_runs(runs, points, diagram.model.structure.layout)
    extrapolated = extrapolate(statistics) if runs.sizes["dimension"] > 1 else None
    return TheoryComparison(diagram, points, runs, statistics, extrapolated, complete)
