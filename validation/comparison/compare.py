"""The front door of the comparison: a phase diagram against gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from replica.common.checked_arguments import checked_instance, checked_items
from replica.common.numeric_errors import numpy_defaults
from saddle import PhaseDiagram
from validation.comparison.contents import ComparisonContents
from validation.comparison.figures import plot_comparison
from validation.comparison.run_statistics import extrapolate, statistics_of_runs
from validation.comparison.theory_points import theory_point
from validation.comparison.verdict import disagreements, table, verdict
from validation.simulation.execution import IN_THIS_PROCESS, Execution
from validation.simulation.run_grid import simulate_runs
from validation.simulation.starts import usual_starts
from validation.simulation.training import INTO_THE_BASIN, Training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["TheoryComparison", "compare_with_theory"]


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
    starts: Sequence[str] | None = None,
    dimensions: Iterable[int] = (1000,),
    seeds: int | Iterable[int] = 4,
    training: Training = INTO_THE_BASIN,
    spherical_teacher: bool = True,
    execution: Execution = IN_THIS_PROCESS,
) -> TheoryComparison:
    """Simulate a diagram's model and hold the results against it.

    Parameters
    ----------
    diagram
        A solved phase diagram.
    alphas
        Sample complexities n/d.
    starts
        Names of starts; see :func:`~validation.simulation.starts.initial_student`. By default ``"semantic"``, at the
        teacher, and, if the model has encodings, ``"positional-informed"``, which begins at m = 1; the published
        positional one, ``"positional"``, begins at m = 1/sqrt(d), almost uninformed.
    dimensions
        Token dimensions d. From two or more, results are extrapolated in 1/d.
    seeds
        The number of data sets, or their seeds; at least two. A seed gives the same data whatever the start.
    training
        How, and in which precision. By default :data:`validation.INTO_THE_BASIN`: a few steps of gradient descent, and
        L-BFGS to the bottom of the basin that they lead into; ``dataclasses.replace(INTO_THE_BASIN, ...)`` changes
        something else about it. For attention 5000 steps of gradient descent, ``Training()``, are published, which
        leave overlaps a few per cent short. L-BFGS alone may leap into the basin of a higher minimum with its first
        steps.
    spherical_teacher
        Fix the teacher's norm, as theory has it, and the products of its columns; off for a Gaussian teacher, as
        published.
    execution
        On which executor, in which folder runs are kept, and whether there is a progress bar.

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

    Examples
    --------
    >>> from replica import AttentionModel
    >>> from saddle import solve_phase_diagram
    >>> diagram = solve_phase_diagram(AttentionModel.paper(omega=0.3), (0.5, 2.0), points=3, tolerance=5e-4)
    >>> comparison = compare_with_theory(diagram, [2.0], starts=["semantic"], dimensions=[50], seeds=2)
    >>> comparison.points["semantic", 2.0].exists
    True
    >>> dict(comparison.runs.sizes)["seed"]
    2
    """
    checked_instance("diagram", diagram, PhaseDiagram, "a PhaseDiagram")
    chosen = usual_starts(diagram.model) if starts is None else checked_items("starts", starts, "a sequence of names")
    runs, complete = simulate_runs(
        diagram.model, alphas, starts=chosen, dimensions=dimensions, seeds=seeds, training=training,
        spherical_teacher=spherical_teacher, execution=execution,
    )  # fmt: skip
    axis = [float(alpha) for alpha in runs["alpha"].values]
    points = {(start, alpha): theory_point(diagram, start, alpha) for start in chosen for alpha in axis}
    statistics = statistics_of_runs(runs, points, diagram.model.structure.layout)
    extrapolated = extrapolate(statistics) if runs.sizes["dimension"] > 1 else None
    return TheoryComparison(diagram, points, runs, statistics, extrapolated, training, complete)
