"""The front door: solve a model's phase diagram, and the result that comes back."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from baselines import BASELINES, Baseline, LinearPositional, linear_positional
from replica.model import AttentionModel
from replica.sectors import Sector
from saddle.attention_problem import AttentionProblem
from saddle.baseline_crossing import Crossing, find_crossing
from saddle.branch import Branch
from saddle.branch_assembly import Piece, assemble_branches, pieces_of
from saddle.families import Families, find_families
from saddle.quadrature import OuterRule
from saddle.rule_choice import choose_rule
from saddle.state_evolution import StateEvolution
from saddle.transitions import (
    Transition,
    find_alpha_c,
    find_bifurcations,
    global_branch,
    missing_symmetries,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

__all__ = ["Phase", "PhaseDiagram", "solve_phase_diagram"]

LINEAR = "linear positional"


@dataclass(frozen=True)
class Phase:
    """A range of alpha, and the branch that is the global minimum in it; None where no solution is known."""

    branch: str | None
    low: float
    high: float


@dataclass(frozen=True)
class PhaseDiagram:
    """Branches, transitions and baseline of one model over a range of sample complexities.

    Attributes
    ----------
    model
        The model solved.
    alpha
        Grid of sample complexities n/d, increasing, (n,).
    branches
        "agnostic", "positional", "semantic" and "mixed" families, each a :class:`saddle.branch.Branch`; further
        pieces of a family, which folds or separate pitchforks give it, as "positional 2" and so on.
    alpha_c
        First-order transition between positional and semantic, or None (see ``reasons``).
    alpha_l
        Where the global minimum's test error falls below the linear baseline's, or None (see ``reasons``).
    bifurcations
        Pitchforks and folds, by increasing alpha.
    linear_baseline
        The linear positional baseline.
    reasons
        In words, why a transition is None.
    rule
        Quadrature rule of the stored points; transitions are reported on ``rule.refined()``.
    complete
        False if the computation was interrupted: what is there is valid, but not all.
    """

    model: AttentionModel
    alpha: np.ndarray
    branches: Mapping[str, Branch]
    alpha_c: Transition | None
    alpha_l: Transition | None
    bifurcations: tuple[Transition, ...]
    linear_baseline: LinearPositional
    reasons: Mapping[str, str]
    rule: OuterRule
    complete: bool = True

    @property
    def transitions(self) -> dict[str, Transition]:
        """Every located transition under a name: alpha_c, alpha_l, and the bifurcations by their branches."""
        named = {"alpha_c": self.alpha_c, "alpha_l": self.alpha_l}
        counts: dict[str, int] = {}
        for transition in self.bifurcations:
            stem = " -> ".join(transition.between)
            counts[stem] = counts.get(stem, 0) + 1
            named[stem if counts[stem] == 1 else f"{stem} ({counts[stem]})"] = transition
        return {name: transition for name, transition in named.items() if transition is not None}

    @property
    def global_minimum(self) -> tuple[str | None, ...]:
        """Name of the branch of lowest training loss at each grid point."""
        found = global_branch(list(self.branches.values()))
        return tuple(None if branch is None else branch.name for branch in found)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Ranges of alpha in which one branch is the global minimum, by increasing alpha.

        They end at the transition that explains the change, where one was located between two grid points, and
        otherwise half-way between these.
        """
        names = self.global_minimum
        found: list[Phase] = []
        start = float(self.alpha[0])
        for k in range(1, len(names)):
            if names[k] == names[k - 1]:
                continue
            low, high = float(self.alpha[k - 1]), float(self.alpha[k])
            pair = {names[k - 1], names[k]}
            between = [t.alpha for t in self.transitions.values() if set(t.between) == pair and low <= t.alpha <= high]
            end = between[0] if between else 0.5 * (low + high)
            found.append(Phase(names[k - 1], start, end))
            start = end
        return (*found, Phase(names[-1], start, float(self.alpha[-1])))

    def to_dataset(self) -> xr.Dataset:
        """Return everything as an xarray.Dataset with dimensions (branch, alpha)."""
        from saddle.storage import to_dataset

        return to_dataset(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the diagram to a netCDF file, whole or not at all.

        Raises
        ------
        ValueError
            If the file cannot be written.
        """
        from saddle.storage import save

        save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PhaseDiagram:
        """Read back what :meth:`save` wrote.

        Raises
        ------
        ValueError
            If there is no such file, or it is not a saved diagram.
        """
        from saddle.storage import load

        return load(path)

    def crossing(self, baseline: str | Baseline) -> Crossing:
        """Return the first alpha at which the global minimum beats a baseline in test error.

        ``alpha_l`` is this for the linear positional layer.

        Parameters
        ----------
        baseline
            A name in :data:`baselines.BASELINES`, or a baseline made for this model.

        Returns
        -------
        Crossing
            With a transition, or the reason in words why there is none in this range.

        Raises
        ------
        ValueError
            If there is no baseline of this name.
        """
        return find_crossing(list(self.branches.values()), baseline, self.alpha_c)

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
        from saddle.plotting import plot_phase_diagram

        return plot_phase_diagram(self, self.made_baselines(baselines))

    def made_baselines(self, baselines: Sequence[str | Baseline]) -> tuple[Baseline, ...]:
        """Return baselines of this model, those given by name computed.

        Raises
        ------
        ValueError
            If there is no baseline of some name.
        """
        if isinstance(baselines, str):
            raise ValueError(f"baselines must be a sequence, got the string {baselines!r}")
        unknown = [name for name in baselines if isinstance(name, str) and name not in BASELINES]
        if unknown:
            raise ValueError(f"baselines may be {', '.join(map(repr, BASELINES))}, got {unknown[0]!r}")
        own = {self.linear_baseline.name: self.linear_baseline}
        return tuple(
            (own.get(name) or BASELINES[name](self.model)) if isinstance(name, str) else name for name in baselines
        )

    def report(
        self,
        folder: str | os.PathLike[str],
        formats: Sequence[str] = ("latex", "markdown", "html"),
        latex_names: Mapping[str, str] | None = None,
        prefix: str = "attention",
        line_width: float = 31.0,
        baselines: Sequence[str | Baseline] = tuple(BASELINES),
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
            ``{"semantic_overlap": r"\vartheta"}``.
        prefix
            Labels of equations begin with ``eq:`` and this.
        line_width
            What a line of an equation may take, without its number, in ems of the text's font: 31 for an article, 21
            for a paper of two columns.
        baselines
            Listed with their test errors, and drawn: names in :data:`baselines.BASELINES`, or baselines made for this
            model.

        Returns
        -------
        list of Path
            The files written. The same diagram gives the same bytes.

        Raises
        ------
        ValueError
            If a format, a name, the prefix, the width or a baseline is refused, pdflatex is missing, or the folder
            cannot be written.
        """
        from saddle.report_writing import write_report

        return write_report(self, folder, formats, latex_names, prefix, line_width, baselines)


def _grid(alpha: Sequence[float], points: int) -> np.ndarray:
    """Return the grid of sample complexities, uniform in the square root."""
    try:
        low, high = (float(value) for value in alpha)
    except (TypeError, ValueError):
        raise ValueError(f"alpha must be a pair (lowest, highest), got {alpha!r}") from None
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"alpha must be finite, got {alpha!r}")
    if low <= 0.0:
        raise ValueError(f"alpha must be positive, got a lowest alpha of {low!r}")
    if low >= high:
        raise ValueError(f"alpha must increase from lowest to highest, got {low!r} to {high!r}")
    if not isinstance(points, int) or points < 2:
        raise ValueError(f"points must be an integer of at least 2, got {points!r}")
    grid = np.linspace(np.sqrt(low), np.sqrt(high), points) ** 2
    grid[0], grid[-1] = low, high
    grid.setflags(write=False)
    return grid


def solve_phase_diagram(
    model: AttentionModel,
    alpha: Sequence[float] = (0.01, 3.0),
    *,
    points: int = 48,
    sweep: str = "down",
    tolerance: float = 2e-4,
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
        Lowest and highest sample complexity n/d, both positive.
    points
        Number of grid points, spaced evenly in the square root of alpha.
    sweep
        "down" or "up": from which end of the range each branch is looked for.
    tolerance
        Requested relative accuracy of the channel's averages: the rule is chosen so that their own error estimate,
        which is cautious, is about this. Transitions are located to better, on a finer rule.
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
        If the range, the number of points, the sweep's direction or the tolerance is invalid, or the model is not of
        the kind that the compiled solver handles.

    Notes
    -----
    The asymptotics of arXiv:2402.03902; theory notes in docs/, sections 4 to 6.
    """
    AttentionModel.require(model, "the compiled solver")
    grid = _grid(alpha, points)
    if sweep not in ("down", "up"):
        raise ValueError(f"sweep must be 'down' or 'up', got {sweep!r}")
    baseline = linear_positional(model)
    if rule is None:
        rule = choose_rule(model, float(grid[-1]), tolerance, threads)
    evolution = StateEvolution(model, rule, threads)
    with tqdm(total=len(Sector) * points + 3, disable=not progress, desc="solving", unit="pt") as bar:
        lacking = missing_symmetries(evolution)
        if lacking:
            families = Families(AttentionProblem(evolution), (), True)
        else:
            families = find_families(
                evolution, (float(grid[0]), float(grid[-1])), upwards=sweep == "up", report=bar.set_description
            )
        pieces = pieces_of(families)
        bar.set_description("solving on the grid")
        branches, finished = assemble_branches(families, pieces, grid, bar.update)
        bar.update(max(0, len(Sector) * points - bar.n))
        located = _Located(None, None, (), {})
        if finished:
            try:
                located = _locate(evolution, branches, pieces, lambda what: (bar.set_description(what), bar.update()))
            except KeyboardInterrupt:
                finished = False
        bar.set_description("solved" if finished else "interrupted")
    if lacking:
        reason = f"{lacking}, which tells the families of solutions apart"
        located = _Located(None, None, (), {"alpha_c": reason, "alpha_l": reason})
    return PhaseDiagram(
        model=model,
        alpha=grid,
        branches=branches,
        alpha_c=located.alpha_c,
        alpha_l=located.alpha_l,
        bifurcations=located.bifurcations,
        linear_baseline=baseline,
        reasons=located.reasons if finished else {"interrupted": "the computation was interrupted"},
        rule=evolution.rule,
        complete=finished,
    )


@dataclass(frozen=True)
class _Located:
    alpha_c: Transition | None
    alpha_l: Transition | None
    bifurcations: tuple[Transition, ...]
    reasons: Mapping[str, str]


def _first_order(branches: Mapping[str, Branch], pieces: Sequence[Piece]) -> tuple[Transition | None, str]:
    """Find the first alpha at which a positional and a semantic branch, both attracting, have equal Phi.

    Returns the transition, or None and the reason that the main branches give.
    """
    attracting = {
        sector: [b for b in branches.values() if b.sector is sector and not np.any(b.jacobian_signs[b.distinct, 0] < 0)]
        for sector in (Sector.POSITIONAL, Sector.SEMANTIC)
    }
    main = find_alpha_c(branches["positional"], branches["semantic"], pieces)
    found = [main[0]] if main[0] is not None else []
    for positional in attracting[Sector.POSITIONAL]:
        for semantic in attracting[Sector.SEMANTIC]:
            if (positional.name, semantic.name) != ("positional", "semantic"):
                other, _ = find_alpha_c(positional, semantic, pieces)
                found += [other] if other is not None else []
    return (min(found, key=lambda transition: transition.alpha), "") if found else main


def _locate(
    evolution: StateEvolution, branches: Mapping[str, Branch], pieces: Sequence[Piece], report: Callable[[str], object]
) -> _Located:
    """Locate all transitions on the assembled branches."""
    reasons = {}
    report("alpha_c")
    alpha_c, reasons["alpha_c"] = _first_order(branches, pieces)
    report("alpha_l")
    alpha_l = find_crossing(list(branches.values()), LINEAR, alpha_c)
    reasons["alpha_l"] = alpha_l.reason
    report("pitchforks and folds")
    bifurcations = find_bifurcations(evolution, pieces)
    return _Located(
        alpha_c, alpha_l.transition, tuple(bifurcations), {name: reason for name, reason in reasons.items() if reason}
    )
