"""All figures of the paper, one after the other, into a folder, with a summary of what they show."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from matplotlib.figure import Figure

from replica import AttentionModel
from replica.common.errors import InvalidArgument
from replica.common.files import prepare_folder, write_atomically
from saddle import PhaseDiagram
from saddle.output.tables import transition_table
from validation.comparison.compare import TheoryComparison
from validation.paper.maps import MapResult, phase_map
from validation.paper.overview import overview
from validation.paper.scaling import scaling
from validation.paper.settings import FULL, PaperSettings, paper_model, second_model
from validation.paper.slices import slice_models, slices
from validation.paper.workshop import Workshop
from validation.published.numbers import published_transitions

__all__ = ["FIGURES", "Drawn", "Recipe", "reproduce_paper"]


@dataclass(frozen=True, eq=False)
class Drawn:
    """A figure, and what is to be said of it in the summary."""

    figure: Figure
    text: str


def _overview(workshop: Workshop) -> Drawn:
    figure, comparison = overview(workshop)
    diagram = comparison.diagram
    return Drawn(figure, f"```\n{transition_table(diagram)}\n```\n\n{_errors(diagram)}\n\n{_said(comparison)}")


def _first_map(workshop: Workshop) -> Drawn:
    known = published_transitions()
    marks = [
        [(float(a), float(w)) for w, a in zip(known["omega"].values, known[name].values, strict=True) if a == a]
        for name in ("alpha_c", "alpha_l")
    ]
    title = r"$A = (0.6, 0.4;\ 0.4, 0.6)$, $\sigma = 0.5$, $\lambda = 0.01$"
    return _map(phase_map(workshop, _first_models(workshop.settings), title, marks))


def _second_map(workshop: Workshop) -> Drawn:
    title = r"$A = (0.3, 0.7;\ 0.8, 0.2)$, $\sigma = 0.5$, $\lambda = 0.01$"
    return _map(phase_map(workshop, _second_models(workshop.settings), title))


def _map(result: MapResult) -> Drawn:
    rows = ["| omega | alpha_c | alpha_l |", "|---|---|---|"]
    for diagram in result.diagrams:
        cells = [
            f"{transition.alpha:.5f} +- {transition.error:.0e}" if transition is not None else diagram.reasons[name]
            for name, transition in (("alpha_c", diagram.alpha_c), ("alpha_l", diagram.alpha_l))
        ]
        rows.append(f"| {diagram.attention_model.omega:g} | {cells[0]} | {cells[1]} |")
    said = [
        f"Line of {name}: {len(line)} points, largest error {np.max(line.error):.0e}."
        for name, line in result.lines.items()
    ]
    for what, (clear, same) in zip(("training losses", "test error"), result.sign_agreement, strict=True):
        said.append(
            f"Simulated points whose {what} lie more than three standard errors apart: {clear}, of which {same} have "
            "the sign of theory."
        )
    return Drawn(result.figure, "\n".join([*rows, "", *said]))


def _slices(workshop: Workshop) -> Drawn:
    figure, comparisons = slices(workshop)
    told = [
        f"omega = {c.diagram.attention_model.omega:g}, sigma = {c.diagram.attention_model.sigma:g}, "
        f"lambda = {c.diagram.attention_model.regularization:g}: {_transitions(c.diagram)}\n\n{_said(c)}"
        for c in comparisons
    ]
    return Drawn(figure, "\n\n".join(told))


def _scaling(workshop: Workshop) -> Drawn:
    figure, comparison = scaling(workshop)
    return Drawn(figure, _said(comparison))


def _base(_: PaperSettings) -> list[AttentionModel]:
    return [paper_model()]


def _first_models(settings: PaperSettings) -> list[AttentionModel]:
    return [paper_model(omega=omega) for omega in settings.map_omegas]


def _second_models(settings: PaperSettings) -> list[AttentionModel]:
    return [second_model(omega) for omega in settings.second_omegas]


def _sliced_models(settings: PaperSettings) -> list[AttentionModel]:
    return [model for models in slice_models(settings).values() for model in models.values()]


@dataclass(frozen=True)
class Recipe:
    """How a figure is made.

    Attributes
    ----------
    title
        Its heading in the summary.
    models
        The models whose phase diagrams it needs.
    draw
        Draws it.
    """

    title: str
    models: Callable[[PaperSettings], list[AttentionModel]]
    draw: Callable[[Workshop], Drawn]


FIGURES: Mapping[str, Recipe] = MappingProxyType(
    {
        "overview": Recipe("Overlaps, losses and test error at omega = 0.3", _base, _overview),
        "phase_maps": Recipe("Phase diagrams in (alpha, omega)", _first_models, _first_map),
        "second_matrix": Recipe("The same with the second positional matrix", _second_models, _second_map),
        "slices": Recipe("Slices in omega, sigma and lambda", _sliced_models, _slices),
        "scaling": Recipe("Scaling in d at alpha = 1.5", _base, _scaling),
    }
)
"""What can be drawn, by file stem."""


def reproduce_paper(
    folder: str | os.PathLike[str],
    settings: PaperSettings = FULL,
    *,
    figures: Sequence[str] | None = None,
    executor: Executor | None = None,
    threads: int = 0,
    progress: bool = False,
) -> list[Path]:
    """Draw the theory figures of the paper anew, with error bars and simulations.

    Parameters
    ----------
    folder
        Where to. Diagrams and training runs are kept in its folder ``data``: a second call goes on from the first.
    settings
        How much is computed: ``FULL``, ``QUICK`` or others.
    figures
        Stems in ``FIGURES``; all of them by default.
    executor
        Any :class:`concurrent.futures.Executor` on which diagrams, lines and training runs are computed, with one
        thread each; without one, here, one by one.
    threads
        Threads of the solver without an executor; 0 for one per core.
    progress
        Show progress bars on standard error.

    Returns
    -------
    list of Path
        The files written: a PNG and a PDF per figure, and ``summary.md``, which holds transitions, numerical errors
        and the verdicts of the comparisons. After every figure, all of what is finished is there.

    Raises
    ------
    ValueError
        If a figure has an unknown name, or the folder cannot be written.
    KeyboardInterrupt
        After Ctrl-C; what was finished stays.
    """
    wanted = list(FIGURES) if figures is None else list(figures)
    unknown = [name for name in wanted if name not in FIGURES]
    if isinstance(figures, str) or unknown:
        raise InvalidArgument(f"figures may be {', '.join(map(repr, FIGURES))}, got {figures!r}")
    path = prepare_folder(folder)
    workshop = Workshop(settings, prepare_folder(path / "data"), executor, threads, progress)
    # All at once, so that no core waits at the end of every figure.
    workshop.prepare(model for name in wanted for model in FIGURES[name].models(settings))
    written, texts = [], []
    for name in wanted:
        drawn = FIGURES[name].draw(workshop)
        for suffix in ("png", "pdf"):
            target = path / f"{name}.{suffix}"
            temporary = target.with_suffix(f".part.{suffix}")
            drawn.figure.savefig(temporary, dpi=150)
            temporary.replace(target)
            written.append(target)
        texts.append(f"## {FIGURES[name].title}\n\n![{FIGURES[name].title}]({name}.png)\n\n{drawn.text}\n")
        write_atomically(path / "summary.md", "# Figures of arXiv:2402.03902, computed anew\n\n" + "\n".join(texts))
    return [*written, path / "summary.md"]


def _said(comparison: TheoryComparison) -> str:
    return f"```\n{comparison.verdict()}\n```"


def _transitions(diagram: PhaseDiagram) -> str:
    """Return alpha_c and alpha_l in words."""
    return "; ".join(
        f"{name} = {transition.alpha:.5f} +- {transition.error:.0e}"
        if transition is not None
        else f"no {name}: {diagram.reasons[name]}"
        for name, transition in (("alpha_c", diagram.alpha_c), ("alpha_l", diagram.alpha_l))
    )


def _errors(diagram: PhaseDiagram) -> str:
    """Say how accurate the curves are."""
    worst = {}
    for branch in diagram.branches.values():
        if branch.distinct.any():
            for name in ("free_entropy", "test_error"):
                values = {"free_entropy": branch.train_loss, "test_error": branch.test_error}[name]
                share = np.max(branch.error[name][branch.distinct] / values[branch.distinct])
                worst[name] = max(worst.get(name, 0.0), float(share))
    return (
        "Numerical errors of the curves, far below the width of a line: training loss to "
        f"{worst['free_entropy']:.0e}, test error to {worst['test_error']:.0e}, relative, at worst."
    )
