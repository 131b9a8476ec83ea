"""The report of a derivation alone: the equations of any model, without solutions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from replica.common.errors import InvalidArgument
from replica.common.files import prepare_folder, write_files
from replica.reports.content.equation_report import PARTS, equation_report
from replica.reports.content.hierarchy_report import HIERARCHY_PARTS, hierarchy_passages
from replica.reports.formats.choices import ReportOptions
from replica.reports.formats.documents import ReportText, documents
from replica.reports.typesetting.hierarchy_printing import LEVEL_LETTERS
from replica.reports.typesetting.naming import Naming
from replica.reports.typesetting.tokens import tokenise

if TYPE_CHECKING:
    from replica.hierarchy.theory import HierarchicalTheory
    from replica.theory import Theory

__all__ = ["write_hierarchy_report", "write_theory_report"]


def write_theory_report(derivation: Theory, folder: str | os.PathLike[str], options: ReportOptions) -> list[Path]:
    """Write the equations of a model to a folder and return the files' paths.

    Everything is made before anything is written.

    Raises
    ------
    InvalidArgument
        If an option is refused, pdflatex is missing or fails, or the folder cannot be written.
    """
    choices = options.checked(derivation, PARTS)
    target = prepare_folder(folder)
    theory, unnamed = equation_report(derivation, choices.naming, choices.line_width), Naming.of(None)
    title = "Replica theory of dot-product attention"
    if derivation.loss_model.structure is None:
        title = "Replica theory of a multi-index model"
    passages = theory.with_results((), unnamed, choices.parts)
    text = ReportText(title, passages, theory.fragments(unnamed, choices.parts))
    return write_files(target, documents(text, choices))


def write_hierarchy_report(
    theory: HierarchicalTheory, folder: str | os.PathLike[str], options: ReportOptions
) -> list[Path]:
    """Write the derivation at some steps of replica-symmetry breaking to a folder and return the files' paths.

    Everything is made before anything is written.

    Raises
    ------
    InvalidArgument
        If an option is refused, pdflatex is missing or fails, or the folder cannot be written.
    """
    choices = options.checked(theory, HIERARCHY_PARTS)
    for name, latex in choices.naming.chosen.items():
        taken = [x for x in tokenise(latex) if x in LEVEL_LETTERS]
        if taken:
            raise InvalidArgument(
                f"latex_names: {name} cannot be {latex!r}, which stands for something else with steps of "
                f"replica-symmetry breaking: {LEVEL_LETTERS[taken[0]][1]}"
            )
    target = prepare_folder(folder)
    passages = hierarchy_passages(theory, choices.naming, choices.line_width, choices.parts)
    count = theory.breaking_steps
    title = f"Replica theory with {count} step{'s' * (count != 1)} of replica-symmetry breaking"
    name = f"steps-{count}.tex"
    return write_files(target, documents(ReportText(title, passages, {name: passages}), choices))
