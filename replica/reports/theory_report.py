"""The report of a derivation alone: the equations of any model, without solutions."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from replica.common.files import prepare_folder, write_files
from replica.reports.content.equation_report import equation_report
from replica.reports.formats.bibliography import cited
from replica.reports.formats.documents import DEFAULT_FORMATS, checked_choices, documents
from replica.reports.typesetting.line_breaking import LINE_WIDTH

if TYPE_CHECKING:
    from replica.theory import Theory

__all__ = ["write_theory_report"]


def write_theory_report(
    derivation: Theory,
    folder: str | os.PathLike[str],
    formats: Sequence[str] = DEFAULT_FORMATS,
    latex_names: Mapping[str, str] | None = None,
    prefix: str = "attention",
    line_width: float = LINE_WIDTH,
) -> list[Path]:
    """Write the equations of a model to a folder and return the files' paths.

    Parameters are those of :meth:`saddle.PhaseDiagram.report`. Everything is made before anything is written.

    Raises
    ------
    ValueError
        If a format, a name, the prefix or the width is refused, pdflatex is missing or fails, or the folder cannot be
        written.
    """
    chosen, naming = checked_choices(formats, latex_names, prefix, line_width)
    target = prepare_folder(folder)
    theory = equation_report(derivation, naming, line_width)
    passages = theory.with_results((), naming)
    title = "Replica theory of dot-product attention"
    if derivation.loss_model.structure is None:
        title = "Replica theory of a multi-index model"
    files = documents(title, passages, theory.fragments(naming), chosen, prefix, cited(passages), line_width)
    return write_files(target, files)
