"""The front door: a model's phase diagram, and what can be done with one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from baselines import BASELINES, Baseline
from replica.common.checked_arguments import quoted
from replica.common.errors import InvalidArgument, UnreadableFile
from replica.common.numeric_errors import numpy_defaults
from replica.quantities.solvable_model import Model
from saddle.averages.rules.outer import OuterRule
from saddle.branches.steps.step_solution import BrokenSymmetryPoint
from saddle.diagram.contents import LINEAR, DiagramContents
from saddle.diagram.lines.start import canonical_name, equations_of
from saddle.diagram.solve_arguments import checked_solve
from saddle.diagram.solving import solve_contents
from saddle.diagram.steps.complexity import ComplexityCurve
from saddle.diagram.steps.step_contents import StepContents, solve_steps
from saddle.diagram.steps.step_transitions import StepTransition
from saddle.state_evolution.steps.step_equations import StepRule
from saddle.transitions.alpha_derivatives import AlphaDerivative, alpha_derivatives

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PhaseDiagram", "StepDiagram", "load_steps", "solve_phase_diagram"]


class StepDiagram(StepContents):  # noqa: D101
    __doc__ = StepContents.__doc__

    @classmethod
    def of(cls, contents: StepContents) -> StepDiagram:
        """Return contents as a diagram."""
        values = {field.name: getattr(contents, field.name) for field in fields(StepContents)}
        values["diagram"] = PhaseDiagram.of(contents.diagram)
        return cls(**values)

    def to_dataset(self) -> xr.Dataset:
        """Return everything with steps as an xarray.Dataset with dimensions (branch, alpha).

        "self_overlap_0" is the outermost overlap; ``solution`` says where replica symmetry is broken, and numbers of
        points that are missing are nan. The replica-symmetric diagram has its own: ``diagram.to_dataset()``.
        """
        from saddle.output.steps.step_files import steps_dataset

        return steps_dataset(self)

    def to_dataframe(self) -> pd.DataFrame:
        """Return the solutions as a table with one row per branch and alpha, in this order.

        Returns
        -------
        pandas.DataFrame
            Columns ``branch``, ``alpha``, ``solution`` ("broken", "replica_symmetric" or "missing"), and the rest
            named as in :meth:`to_dataset`, with the number of the level where there is a value for each.
        """
        from saddle.output.frames import steps_frame

        return steps_frame(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the diagram, with the replica-symmetric one, to a sealed netCDF file, whole or not at all.

        Raises
        ------
        ValueError
            If the file cannot be written.
        """
        from saddle.output.steps.step_files import save_steps

        save_steps(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> StepDiagram:
        """Read back what :meth:`save` wrote.

        Raises
        ------
        ValueError
            If there is no such file, or it is no saved diagram with steps.
        """
        found = load_steps(path)
        if not isinstance(found, StepDiagram):
            raise UnreadableFile(
                f"cannot read {str(path)!r} as a diagram with steps: it holds a {type(found).__name__}"
            )
        return found

    def plot(
        self,
        *,
        quantities: str | Sequence[str] | None = None,
        size: float | tuple[float, float] | None = None,
        style: str | Mapping[str, object] | Sequence[str | Mapping[str, object]] | None = None,
    ) -> Figure:
        """Draw the solutions with steps as diamonds over the replica-symmetric diagram.

        Filled where a gap between overlaps is resolved, open where replica symmetry holds; triangles on the axis of
        alpha are transitions with steps. Overlaps are m and theta, which do not depend on the level.

        Parameters
        ----------
        quantities, size, style
            As for :meth:`saddle.PhaseDiagram.plot`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from saddle.output.figures.figure_frame import styled
        from saddle.output.figures.figure_request import checked_figure
        from saddle.output.figures.steps_figure import draw_steps

        layout = self.diagram.model.structure.layout
        request = checked_figure(layout, quantities=quantities, size=size, style=style)
        figure = PhaseDiagram.of(self.diagram).plot(quantities=quantities, size=size, style=style)
        with styled(request):
            draw_steps(self, figure, request)
        return figure

    def report(
        self,
        folder: str | os.PathLike[str],
        formats: Sequence[str] = ("latex", "markdown", "html"),
        latex_names: Mapping[str, str] | None = None,
        prefix: str | None = None,
        line_width: float = 31.0,
        macros: Mapping[str, str] | None = None,
        parts: Sequence[str] | None = None,
    ) -> list[Path]:
        """Write the replica-symmetric diagram's report, with what steps change and what every error covers.

        Parameters
        ----------
        folder, formats, latex_names, prefix, line_width, macros
            As for :meth:`saddle.PhaseDiagram.report`.
        parts
            The same, and "steps". By default, all.

        Returns
        -------
        list of Path
            The files written.

        Raises
        ------
        ValueError
            As for :meth:`saddle.PhaseDiagram.report`.
        """
        from saddle.output.report import ReportOptions, write_report

        options = ReportOptions(formats, latex_names, prefix, line_width, macros, parts)
        return write_report(self.diagram, folder, options, self.diagram.applicable_baselines, self)


class PhaseDiagram(DiagramContents):  # noqa: D101
    __doc__ = DiagramContents.__doc__

    @classmethod
    def of(cls, contents: DiagramContents) -> PhaseDiagram:
        """Return contents as a diagram."""
        return cls(**{field.name: getattr(contents, field.name) for field in fields(DiagramContents)})

    def derivatives(self, transition: str) -> dict[str, AlphaDerivative]:
        """Return d alpha/d parameter of a transition for every parameter of the model, each with its error.

        Parameters
        ----------
        transition
            Its name in :attr:`transitions`, or that of a baseline.

        Returns
        -------
        dict of AlphaDerivative
            By name: "omega", "sigma", "regularization", "positional_matrix_12", ... as :func:`line_parameters` has
            them. From the system that defines the transition, on the branches' rule and a ten times finer one.

        Raises
        ------
        ValueError
            If there is no such transition, or it is not resolved.
        SolverError
            If its system is singular.
        """
        name = canonical_name(transition)
        if not isinstance(name, str):
            raise InvalidArgument(f"transition must be a name, got {quoted(transition)}")
        found = self.crossing(name).transition if name in BASELINES else self.transitions.get(name)
        if found is None or not found.points:
            known = ", ".join(repr(name) for name, one in self.transitions.items() if one.points) or "and it has none"
            raise InvalidArgument(f"transition must be one that this diagram has, {known}; got {transition!r}")
        evolution = next(iter(self.branches.values())).evolution
        return alpha_derivatives(equations_of(name, found, self), evolution, found)

    def with_steps(
        self,
        steps: int = 1,
        *,
        alpha: Sequence[float] | np.ndarray | None = None,
        branches: Sequence[str] | None = None,
        rule: StepRule | None = None,
        progress: bool | None = None,
    ) -> StepDiagram:
        """Solve the branches, alpha_c and alpha_l with k steps of replica-symmetry breaking.

        Parameters
        ----------
        steps
            Number k of steps.
        alpha
            Sample complexities, increasing; by default eight over the diagram's range.
        branches
            Names; by default the positional, semantic and mixed ones.
        rule
            How what steps add is averaged: a :class:`saddle.JumpLineRule`, a :class:`saddle.GridRule`, or None for the
            default of so many steps.
        progress
            Whether to show a bar; None for where stderr is a terminal.

        Returns
        -------
        StepDiagram
            After Ctrl-C, of what was solved so far. What was not found is None, with a reason.

        Raises
        ------
        ValueError
            If an argument is none of its kind, outputs have noise, or the student has several columns.

        Notes
        -----
        A point takes 4 to 10 s of one core for two tokens, and minutes where a gap is below 1 % of the fields'
        variance.
        """
        found = solve_steps(self, steps, alpha=alpha, branches=branches, rule=rule, progress=progress)
        return StepDiagram.of(found)

    def to_dataset(self) -> xr.Dataset:
        """Return everything as an xarray.Dataset with dimensions (branch, alpha)."""
        from saddle.output.files.diagram_file import to_dataset

        return to_dataset(self)

    def to_dataframe(self) -> pd.DataFrame:
        """Return the branches as a table with one row per branch and alpha, in this order.

        Returns
        -------
        pandas.DataFrame
            Columns ``branch``, ``family``, ``alpha``, ``outcome``, ``merged_with`` (the branch whose values stand where
            the outcome is MERGED), order parameters, their errors and conjugates, free entropy, losses, replicon and
            stabilities, named as in :meth:`to_dataset`; nan where nothing is stored.
        """
        from saddle.output.frames import diagram_frame

        return diagram_frame(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the diagram to a netCDF file, whole or not at all.

        Raises
        ------
        ValueError
            If the file cannot be written.
        """
        from saddle.output.files.diagram_file import save

        save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PhaseDiagram:
        """Read back what :meth:`save` wrote.

        Raises
        ------
        ValueError
            If there is no such file, or it is not a saved diagram.
        """
        from saddle.output.files.diagram_file import load

        return cls.of(load(path))

    def plot(
        self,
        baselines: Sequence[str | Baseline] | None = None,
        *,
        ax: Axes | Sequence[Axes] | Mapping[str, Axes] | None = None,
        panels: tuple[int, int] | None = None,
        quantities: str | Sequence[str] | None = None,
        size: float | tuple[float, float] | None = None,
        style: str | Mapping[str, object] | Sequence[str | Mapping[str, object]] | None = None,
        label_branches: bool = True,
        mark_minimum: bool = True,
    ) -> Figure:
        """Draw quantities against alpha, one per panel, for every branch; by default overlaps, loss and test error.

        Curves are the branches' own, from bifurcation to bifurcation, whatever the grid: solid where state evolution
        is stable, dashed where not, dotted where that is not known. A pale stroke follows the global minimum, upright
        where it jumps; a grey rule along the axis of alpha says where it is not known. The user's own Matplotlib
        settings hold.

        Parameters
        ----------
        baselines
            Drawn in the panel of test errors: names in :data:`baselines.BASELINES`, or baselines made for this model.
            By default the linear positional layer, for attention models.
        ax
            Axes to draw in, instead of a new figure: one for one quantity, or as many as there are quantities, or a
            mapping from quantities to axes, such as ``pyplot.subplot_mosaic`` gives. They get no legend and no title.
        panels
            Rows and columns of panels of a new figure; by default one row. The legend stands in the first cell that is
            left over, or below.
        quantities
            One or more of "overlap" (of each branch, those by which it breaks symmetries), "train_loss",
            "test_error", "free_entropy", a kind of order parameters such as "semantic_overlap" or "susceptibility",
            or one of them by name.
        size
            Of a new figure in inches: its width, such as 3.4 for a column of a paper, or width and height.
        style
            "paper" (small letters and thin lines), a style sheet of Matplotlib's, parameters as in ``rcParams``, or a
            sequence of these, on top of the user's settings.
        label_branches
            Whether names stand beside curves where there is room for them.
        mark_minimum
            Whether the global minimum is marked.

        Returns
        -------
        matplotlib.figure.Figure
            That of ``ax``, or a new one. Each axes bears the name of its quantity, so that data can be drawn over it:
            ``{axes.get_label(): axes for axes in figure.axes}["test_error"]``.

        Raises
        ------
        InvalidArgument
            If there is no baseline or quantity of some name, or another argument is none of its kind; before anything
            is drawn.

        Examples
        --------
        >>> from replica import AttentionModel
        >>> diagram = solve_phase_diagram(AttentionModel.paper(omega=0.3), (0.5, 2.0), points=3, tolerance=5e-4)
        >>> figure = diagram.plot(quantities=("overlap", "test_error"), panels=(2, 1), size=3.4, style="paper")
        >>> [axes.get_label() for axes in figure.axes]
        ['overlap', 'test_error']
        """
        from saddle.output.figures.diagram_figure import plot_phase_diagram
        from saddle.output.figures.figure_request import checked_figure

        usual = () if self.linear_baseline is None else (LINEAR,)
        made = self.made_baselines(usual if baselines is None else baselines)
        layout = self.model.structure.layout
        request = checked_figure(layout, ax, panels, quantities, size, style, label_branches, mark_minimum)
        return plot_phase_diagram(self, made, request)

    def report(
        self,
        folder: str | os.PathLike[str],
        formats: Sequence[str] = ("latex", "markdown", "html"),
        latex_names: Mapping[str, str] | None = None,
        prefix: str | None = None,
        line_width: float = 31.0,
        baselines: Sequence[str | Baseline] | None = None,
        macros: Mapping[str, str] | None = None,
        parts: Sequence[str] | None = None,
    ) -> list[Path]:
        r"""Write a report to a folder: model, symbols, equations, results, a check of the equations, references.

        Parameters
        ----------
        folder
            Where to; made if it does not exist.
        formats
            Any of "latex" (a document ``report.tex``, and ``equations.tex`` to be read by ``\input`` in a paper),
            "markdown", "html" (one file that needs nothing else) and "pdf" (needs pdflatex).
        latex_names
            LaTeX for symbols that are to look otherwise, by name or letter, such as
            ``{"semantic_overlap": r"\vartheta"}``; also of parameters of the model's own. Macros of your paper reach
            LaTeX as they are: ``{"self_overlap": r"\Qself"}``.
        prefix
            Labels of equations begin with ``eq:`` and this; by default with a digest of the model, so that two models
            in one paper share no label.
        line_width
            What a line of an equation may take, without its number, in ems of the text's font: 31 for an article, 21
            for a paper of two columns.
        baselines
            Listed with their test errors, and drawn: names in :data:`baselines.BASELINES`, or baselines made for this
            model. By default, all that take the model.
        macros
            What macros in ``latex_names`` look like, for other formats and for figures, which do not know them:
            ``{r"\Qself": r"Q_{\mathrm{s}}"}``, with ``#1`` for an argument. Without it a name that is one macro is
            shown there as the library's own symbol.
        parts
            What the report consists of: any of "model", "symbols", "derivation", "free entropy", "saddle point",
            "sectors", "observables", "parameters", "baselines", "transitions", "figure" and "check". By default, all.

        Returns
        -------
        list of Path
            The files written. The same diagram gives the same bytes.

        Raises
        ------
        ValueError
            If a format, a name, a macro, the prefix, the width, a baseline or a part is refused, pdflatex is missing,
            or the folder cannot be written.
        """
        from saddle.output.report import ReportOptions, write_report

        chosen = self.applicable_baselines if baselines is None else baselines
        options = ReportOptions(formats, latex_names, prefix, line_width, macros, parts)
        return write_report(self, folder, options, chosen)


def load_steps(
    path: str | os.PathLike[str],
) -> BrokenSymmetryPoint | ComplexityCurve | StepTransition | StepDiagram:
    """Read back what :func:`saddle.save_steps`, or :meth:`saddle.StepDiagram.save`, wrote.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    BrokenSymmetryPoint, ComplexityCurve, StepTransition or StepDiagram
        What was saved. The replica-symmetric equations are evaluated again, some 20 ms for every solution.

    Raises
    ------
    ValueError
        If the file cannot be read, holds no such result, or was changed after it was written.
    """
    from saddle.output.steps.step_files import load

    found = load(path)
    return StepDiagram.of(found) if isinstance(found, StepContents) else found


@numpy_defaults
def solve_phase_diagram(
    model: Model,
    alpha: Sequence[float] = (0.01, 3.0),
    *,
    points: int | Sequence[float] = 48,
    sweep: str = "down",
    tolerance: float | None = None,
    rule: OuterRule | None = None,
    threads: int = 0,
    progress: bool = False,
) -> PhaseDiagram:
    """Solve the saddle-point equations of a model over a range of sample complexities.

    Parameters
    ----------
    model
        The model.
    alpha
        Lowest and highest sample complexity n/d, both positive: what is stored. Branches are looked for, and followed,
        on an interval that the model determines, from small alpha to beyond the highest one asked for.
    points
        Number of grid points, spaced evenly in the square root of alpha; or the grid itself, increasing values of
        alpha, which then sets the range.
    sweep
        "down" or "up": from which end of the interval solutions are looked for first.
    tolerance
        Requested relative accuracy of the channel's averages: the rule is chosen so that their own error estimate,
        which is cautious, is about this; for two tokens and rank one never more than 5e-4, as curves break on rougher
        rules. Transitions are located to better, on a finer rule. By default 2e-4 for two
        tokens and rank one; more tokens or columns get 2048 lines, whatever their accuracy, unless a tolerance is
        given.
    rule
        Quadrature rule of the stored points, instead of one chosen for the tolerance.
    threads
        Threads of the channel average; 0 for one per core that the process may use. Results do not depend on it.
    progress
        Show a progress bar on standard error; where that is no terminal, a line twice a minute.

    Returns
    -------
    PhaseDiagram
        What was found. A branch or transition that was not found is data (a named outcome, a reason), and
        completeness is never claimed. After Ctrl-C, what was computed so far, marked incomplete.

    Raises
    ------
    ValueError
        If an argument is none of its kind or out of range; the message names it and quotes the value.

    Notes
    -----
    The asymptotics of arXiv:2402.03902; theory notes in docs/, sections 4 to 6.

    Examples
    --------
    >>> from replica import AttentionModel
    >>> diagram = solve_phase_diagram(AttentionModel.paper(omega=0.3), (0.5, 2.0), points=3, tolerance=5e-4)
    >>> print(diagram.alpha_c.kind, f"at {diagram.alpha_c.alpha:.3f}")
    first-order at 1.252
    >>> [phase.branch for phase in diagram.phases]
    ['positional', 'semantic']
    >>> point = diagram.branches["semantic"].at(1.2)
    >>> print(f"{point.test_error:.4f}")
    0.0024
    >>> diagram.branches["semantic"].at(0.1)
    Traceback (most recent call last):
    ...
    saddle.continuation.outcomes.SolverError: no semantic branch at alpha = 0.1: it begins at pitchfork on agnostic ...
    """
    arguments = checked_solve(model, alpha, points, sweep, tolerance, rule, threads, progress)
    return PhaseDiagram.of(solve_contents(model, arguments))
