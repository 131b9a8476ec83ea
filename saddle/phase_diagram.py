"""The front door: a model's phase diagram, and what can be done with one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from baselines import Baseline
from replica.common.numeric_errors import numpy_defaults
from replica.model.attention_model import AttentionModel
from saddle.averages.rules.outer import OuterRule
from saddle.diagram.contents import LINEAR, DiagramContents
from saddle.diagram.solve_arguments import checked_solve
from saddle.diagram.solving import solve_contents

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

__all__ = ["PhaseDiagram", "solve_phase_diagram"]


class PhaseDiagram(DiagramContents):  # noqa: D101
    __doc__ = DiagramContents.__doc__

    @classmethod
    def of(cls, contents: DiagramContents) -> PhaseDiagram:
        """Return contents as a diagram."""
        return cls(**{field.name: getattr(contents, field.name) for field in fields(DiagramContents)})

    def to_dataset(self) -> xr.Dataset:
        """Return everything as an xarray.Dataset with dimensions (branch, alpha)."""
        from saddle.output.files.diagram_file import to_dataset

        return to_dataset(self)

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

    def plot(self, baselines: Sequence[str | Baseline] = (LINEAR,)) -> Figure:
        """Draw overlaps, training loss and test error against alpha.

        Parameters
        ----------
        baselines
            Drawn in the panel of test errors: names in :data:`baselines.BASELINES`, or baselines made for this model.

        Raises
        ------
        ValueError
            If there is no baseline of some name.
        """
        from saddle.output.diagram_figure import plot_phase_diagram

        return plot_phase_diagram(self, self.made_baselines(baselines))

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


@numpy_defaults
def solve_phase_diagram(
    model: AttentionModel,
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
        Threads of the channel average; 0 for one per core. Results do not depend on it.
    progress
        Show a progress bar on standard error.

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
