"""A solved phase diagram: branches, transitions, baseline, and what can be asked of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from baselines import BASELINES, Baseline, LinearPositional
from replica.errors import InvalidArgument
from replica.model import AttentionModel
from saddle.baseline_crossing import Crossing, find_crossing
from saddle.branch import Branch
from saddle.quadrature import OuterRule
from saddle.solve_arguments import checked_baselines
from saddle.transitions import Transition, global_branch

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

__all__ = ["LINEAR", "Phase", "PhaseDiagram"]

LINEAR = "linear positional"
# Those that take every model.
GENERAL_BASELINES = (LINEAR, "uniform attention")


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
        First-order transition between positional and semantic: where both have the same training loss, whether or
        not a third branch has a lower one. None if there is none (see ``reasons``).
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
    first_order
        First-order transitions of the global minimum, between any branches, by increasing alpha; ``alpha_c`` is among
        them if it is one.
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
    first_order: tuple[Transition, ...] = ()

    @property
    def transitions(self) -> dict[str, Transition]:
        """Every located transition under a name: alpha_c, alpha_l, and others by their branches.

        Further jumps of the global minimum are named as "agnostic / semantic", bifurcations as "agnostic -> semantic".
        """
        named = {"alpha_c": self.alpha_c, "alpha_l": self.alpha_l}
        counts: dict[str, int] = {}
        jumps = [(" / ", jump) for jump in self.first_order if jump != self.alpha_c]
        for sign, transition in (*jumps, *((" -> ", bifurcation) for bifurcation in self.bifurcations)):
            stem = sign.join(transition.between)
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

        They end at the transition that explains the change, where one was located between two grid points or next to
        them, and otherwise half-way between these.
        """
        names = self.global_minimum
        found: list[Phase] = []
        start = float(self.alpha[0])
        for k in range(1, len(names)):
            if names[k] != names[k - 1]:
                end = max(self._change(k, names[k - 1], names[k]), start)
                found.append(Phase(names[k - 1], start, end))
                start = end
        return (*found, Phase(names[-1], start, float(self.alpha[-1])))

    def _change(self, k: int, first: str | None, second: str | None) -> float:
        """Return where the global minimum changes between two branches, next before the k-th grid point."""
        low, high = float(self.alpha[k - 1]), float(self.alpha[k])
        # Next to a pitchfork a branch may not be told from the one that it is born from.
        beside = float(self.alpha[max(k - 2, 0)]), float(self.alpha[min(k + 1, len(self.alpha) - 1)])
        near = [t for t in self.transitions.values() if beside[0] <= t.alpha <= beside[1]]
        own = [t.alpha for t in near if set(t.between) == {first, second}]
        # Where it begins a branch may be in pieces: "agnostic -> semantic 2" and "semantic".
        families = {self.branches[name].family for name in (first, second) if name is not None}
        kin = [t.alpha for t in near if {name.split()[0] for name in t.between} == families and len(families) == 2]
        return min(own or kin, key=lambda alpha: max(low - alpha, alpha - high, 0.0), default=0.5 * (low + high))

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
        return find_crossing(list(self.branches.values()), baseline, self.first_order)

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

    @property
    def applicable_baselines(self) -> tuple[str, ...]:
        """Names of the baselines that take this model."""
        return tuple(BASELINES) if self.model.structure.is_plain else GENERAL_BASELINES

    def made_baselines(self, baselines: Sequence[str | Baseline]) -> tuple[Baseline, ...]:
        """Return baselines of this model, those given by name computed.

        Raises
        ------
        ValueError
            If there is no baseline of some name.
        """
        if isinstance(baselines, str):
            raise InvalidArgument(f"baselines must be a sequence, got the string {baselines!r}")
        baselines = checked_baselines(baselines)
        unknown = [name for name in baselines if isinstance(name, str) and name not in BASELINES]
        if unknown:
            raise InvalidArgument(f"baselines may be {', '.join(map(repr, BASELINES))}, got {unknown[0]!r}")
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
        baselines: Sequence[str | Baseline] | None = None,
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
            model. By default, all that take the model.

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

        chosen = self.applicable_baselines if baselines is None else baselines
        return write_report(self, folder, formats, latex_names, prefix, line_width, chosen)
