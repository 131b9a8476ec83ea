"""What a solved phase diagram contains: branches, transitions, baseline, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from baselines import BASELINES, Baseline, LinearPositional
from replica.common.by_value import ByValue, shortened
from replica.common.checked_arguments import checked_instance
from replica.common.errors import InvalidArgument
from replica.common.html_table import html_table
from replica.model.attention_model import AttentionModel
from replica.quantities.loss_structure import LossStructure
from replica.quantities.solvable_model import Model
from replica.quantities.structure import ModelStructure
from saddle.averages.rules.outer import OuterRule
from saddle.branches.branch import Branch
from saddle.branches.branch_curve import OnCurve
from saddle.diagram.audit import Audit
from saddle.diagram.diagram_summary import diagram_summary, summary_rows
from saddle.diagram.minimum_continuity import without_jumps
from saddle.diagram.provenance import Provenance
from saddle.diagram.solve_arguments import checked_baselines
from saddle.transitions.baseline_crossing import Crossing, find_crossing
from saddle.transitions.events import Event, find_event
from saddle.transitions.found import Found
from saddle.transitions.global_minimum import Phase, find_phases
from saddle.transitions.transition import Transition

__all__ = ["LINEAR", "DiagramContents", "known_phases", "special_transitions"]

LINEAR = "linear positional"
# Those that take every model.
GENERAL_BASELINES = (LINEAR, "uniform attention")


def special_transitions(structure: ModelStructure | LossStructure) -> tuple[str, ...]:
    """Return which of "alpha_c" and "alpha_l" mean something for models of a structure."""
    if not isinstance(structure, LossStructure):
        return ("alpha_c", "alpha_l")
    return ("alpha_c",) if structure.directions else ()


def known_phases(
    branches: Sequence[OnCurve], transitions: Sequence[Transition], searched: tuple[float, float], audit: Audit
) -> tuple[Phase, ...]:
    """Return ranges of alpha by global minimum, as far as the audit lets one say so."""
    if audit.obstacle:
        return (Phase(None, *searched, audit.obstacle),)
    if not audit.complete:
        return (Phase(None, *searched, "the search for solutions was interrupted, or never made"),)
    if audit.unseen:
        return (Phase(None, *searched, audit.unseen),)
    phases = without_jumps(find_phases(branches, transitions, *searched), branches, transitions, audit.alphas)
    missing = [audit.missing_between(phase.low, phase.high) for phase in phases]
    return tuple(
        replace(phase, branch=None, reason=reason) if reason else phase
        for phase, reason in zip(phases, missing, strict=True)
    )


@dataclass(frozen=True, eq=False, repr=False)
class DiagramContents(ByValue):
    """Branches, transitions and baseline of one model over a range of sample complexities.

    Attributes
    ----------
    model
        The model solved.
    alpha
        Grid of sample complexities n/d, increasing, (n,).
    branches
        "agnostic", "positional", "semantic" and "mixed" families, each a :class:`saddle.Branch`; of models without
        encodings "agnostic" and "teacher", or of several of the teacher's columns "teacher-1", "teacher-2",
        "teacher-12" and so on, by what solutions overlap with; further pieces of a family, which folds or separate
        pitchforks give it, by where they are born, such as "positional from agnostic"; "null" where Q = 0 is a
        solution.
    alpha_c
        The first of all first-order transitions between positional and semantic branches that attract: where both
        have the same training loss, whether or not a third branch has a lower one. None if there is none in the range
        (see ``reasons``).
    alpha_l
        The first alpha at which the global minimum's test error falls below the linear baseline's, or None if there is
        none in the range (see ``reasons``).
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
    audit
        Where solutions were looked for that no branch leads to, from how many starts, and with what result.
    searched
        Interval of alpha in which families were looked for and followed; the model determines it, and the highest
        alpha asked for may extend it.
    everywhere
        First-order transitions of the global minimum and bifurcations over all of this interval.
    provenance
        Versions, a digest of the equations, what was asked, and seconds by stage; two diagrams are compared without.
    """

    model: Model
    alpha: np.ndarray
    branches: Mapping[str, Branch]
    alpha_c: Transition | None
    alpha_l: Transition | None
    bifurcations: tuple[Transition, ...]
    linear_baseline: LinearPositional | None
    reasons: Mapping[str, str]
    rule: OuterRule
    complete: bool = True
    first_order: tuple[Transition, ...] = ()
    audit: Audit = Audit()
    searched: tuple[float, float] = (0.0, float("inf"))
    everywhere: tuple[Transition, ...] = ()
    provenance: Provenance = field(default=Provenance(), compare=False)

    def __repr__(self) -> str:
        return diagram_summary(self._heading, self._rows)

    def _repr_html_(self) -> str:
        return html_table(self._heading, self._rows)

    @property
    def _heading(self) -> str:
        return shortened(f"{type(self).__name__} of {self.model!r}")

    @property
    def _rows(self) -> list[tuple[str, str]]:
        """What a terminal and a notebook show."""
        return summary_rows(
            self.alpha, self.searched, self.complete, self.branches, self.phases, self.transitions, self.audit
        )

    @property
    def special_names(self) -> tuple[str, ...]:
        """Which of "alpha_c" and "alpha_l" mean something for this model, whether or not it has them.

        The first is between position and meaning, the second compares attention with a baseline.
        """
        return special_transitions(self.model.structure)

    @property
    def transitions(self) -> dict[str, Transition]:
        """Every located transition under a name: alpha_c, alpha_l, and others by their branches.

        Further jumps of the global minimum are named as "agnostic / semantic", bifurcations as "agnostic -> semantic".
        Several of one name are numbered by increasing alpha, whatever the range asked for.
        """
        named = {"alpha_c": self.alpha_c, "alpha_l": self.alpha_l}
        counts: dict[str, int] = {}
        inside = (*(jump for jump in self.first_order if jump != self.alpha_c), *self.bifurcations)
        for transition in sorted((*self.everywhere,), key=lambda one: (one.kind != "first-order", one.alpha)):
            stem = (" / " if transition.kind == "first-order" else " -> ").join(transition.between)
            counts[stem] = counts.get(stem, 0) + 1
            if transition in inside:
                named[stem if counts[stem] == 1 else f"{stem} ({counts[stem]})"] = transition
        return {name: transition for name, transition in named.items() if transition is not None}

    @property
    def global_minimum(self) -> tuple[str | None, ...]:
        """Name of the branch of lowest training loss at each grid point; None where it is not known."""
        phases = self.phases
        found = []
        for alpha in self.alpha:
            found.append(next((phase.branch for phase in phases if phase.low <= alpha <= phase.high), None))
        return tuple(found)

    @cached_property
    def all_phases(self) -> tuple[Phase, ...]:
        """As :attr:`phases`, over all of the interval in which branches were followed."""
        branches = list(self.branches.values())
        return known_phases(branches, self.everywhere, self.searched, self.audit)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Ranges of alpha in which one branch is the global minimum, by increasing alpha.

        They end at the transition that explains the change. Where the minimum is not known, ``reason`` says why.
        """
        low, high = float(self.alpha[0]), float(self.alpha[-1])
        inside = [phase for phase in self.all_phases if phase.low < high and phase.high > low]
        return tuple(replace(phase, low=max(phase.low, low), high=min(phase.high, high)) for phase in inside)

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
        jumps = [transition for transition in self.everywhere if transition.kind == "first-order"]
        asked = float(self.alpha[0]), float(self.alpha[-1])
        return find_crossing(list(self.branches.values()), baseline, self.all_phases, jumps, asked)

    def locate(self, event: Event) -> Found:
        """Return where an event of your own happens along its branches, in the diagram's range of alpha.

        Parameters
        ----------
        event
            A function of a solved point, or of two, and the branches it is about.

        Returns
        -------
        Found
            Transitions of kind "event" by increasing alpha, each with its error, or the reason in words why there is
            none. Takes about two residuals per point of the branches' curves.

        Raises
        ------
        ValueError
            If it is no event, there is no branch of some name, or its function returns no number.
        """
        checked_instance("event", event, Event, "Event")
        return find_event(self.branches, event, (float(self.alpha[0]), float(self.alpha[-1])))

    @property
    def attention_model(self) -> AttentionModel:
        """The model, if it is one of attention; raises ValueError if it is not."""
        AttentionModel.require_any(self.model, "what is asked of this diagram")
        assert isinstance(self.model, AttentionModel)
        return self.model

    @property
    def attention_baseline(self) -> LinearPositional:
        """The linear positional layer; raises ValueError for a model that is not attention."""
        if self.linear_baseline is None:
            raise InvalidArgument("a multi-index model has no linear positional baseline")
        return self.linear_baseline

    @property
    def applicable_baselines(self) -> tuple[str, ...]:
        """Names of the baselines that take this model."""
        if isinstance(self.model.structure, LossStructure):
            return ()
        return tuple(BASELINES) if self.model.structure.is_paper_kind else GENERAL_BASELINES

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
        if isinstance(self.model.structure, LossStructure) and any(isinstance(name, str) for name in baselines):
            raise InvalidArgument(f"baselines of a multi-index model must be its own, got {tuple(baselines)!r:.100}")
        own = {} if self.linear_baseline is None else {self.linear_baseline.name: self.linear_baseline}
        return tuple(
            (own.get(name) or BASELINES[name](self.attention_model)) if isinstance(name, str) else name
            for name in baselines
        )
