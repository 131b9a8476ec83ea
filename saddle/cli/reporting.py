"""The command ``report``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from replica.common.errors import InvalidArgument
from saddle.cli.group import DEBUG, stop
from saddle.cli.options import PATH, ModelOptions, WorkOptions, gathered, use_cache
from saddle.cli.output_folder import output_folder
from saddle.cli.printing import PrintOptions, files_printed
from saddle.cli.solving import DEFAULT_FOLDER, diagram_printed

__all__ = ["report"]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


@dataclass(frozen=True)
class ReportAsked:
    """What a report looks like."""

    formats: tuple[str, ...]
    prefix: str | None
    line_width: float
    latex_names: tuple[str, ...]
    macros: tuple[str, ...]
    parts: tuple[str, ...]
    steps: int | None

    @staticmethod
    def options() -> tuple[Decorator, ...]:
        """Return the options, in the order of the help."""
        return (
            click.option(
                "--format",
                "formats",
                type=click.Choice(["latex", "markdown", "html", "pdf"]),
                multiple=True,
                default=("latex", "markdown", "html"),
                show_default=True,
                help="Format; may be given several times. 'pdf' needs pdflatex.",
            ),
            click.option(
                "--prefix", help="Labels of equations begin with eq: and this; by default with a digest of the model."
            ),
            click.option(
                "--line-width",
                type=float,
                default=31.0,
                show_default=True,
                help="Width of equations in ems; 21 for two columns.",
            ),
            click.option(
                "--latex-name",
                "latex_names",
                multiple=True,
                metavar="NAME=LATEX",
                help=r"LaTeX for a symbol, such as theta=\vartheta; may be given several times.",
            ),
            click.option(
                "--macro",
                "macros",
                multiple=True,
                metavar="MACRO=LATEX",
                help=r"What a macro of your paper stands for, such as \Qself=Q_{\mathrm{s}}; may be repeated.",
            ),
            click.option(
                "--part", "parts", multiple=True, help="Only this part of the report; may be given several times."
            ),
            click.option(
                "--steps",
                type=click.IntRange(min=0),
                help="Also write the equations with that many steps of replica-symmetry breaking, to a folder inside.",
            ),
        )


@click.command()
@gathered("chosen", ModelOptions)
@click.option(
    "--results", type=PATH, help="A results file of 'solve' to report on; without it, the model is solved first."
)
@click.option("--output", type=PATH, default=DEFAULT_FOLDER, show_default=True, help="Folder for the report.")
@gathered("asked", ReportAsked)
@gathered("printing", PrintOptions)
@gathered("work", WorkOptions)
@DEBUG
def report(
    chosen: ModelOptions, results: str | None, output: str, asked: ReportAsked, printing: PrintOptions,
    work: WorkOptions,
) -> None:  # fmt: skip
    """Write a report: model, symbols, equations, transitions, a check of the equations, references."""
    from replica.derivation import derive, derive_broken_symmetry
    from replica.reports.content.equation_report import PARTS
    from replica.reports.formats.choices import ReportOptions
    from saddle.output.report import RESULT_PARTS
    from saddle.phase_diagram import PhaseDiagram, solve_phase_diagram

    names, macros = _pairs("--latex-name", "NAME", asked.latex_names), _pairs("--macro", "MACRO", asked.macros)
    parts = asked.parts or None
    if results is not None and chosen.file is not None:
        raise InvalidArgument(f"--model and --results exclude each other, got {chosen.file!r} and {results!r}")
    model = chosen.model()
    if results is None:
        # Before what takes time; a diagram that is read has names of its own, and checks them.
        options = ReportOptions(asked.formats, names, asked.prefix, asked.line_width, macros, parts)
        options.checked(derive(model), (*PARTS, *RESULT_PARTS))
    use_cache(work.cache)
    with output_folder(output) as folder:
        diagram = None if results is None else PhaseDiagram.load(results)
        broken = []
        if asked.steps is not None:
            # Before what takes time, too.
            theory = derive_broken_symmetry(model if diagram is None else diagram.model, asked.steps)
            inside = folder / f"steps-{asked.steps}"
            broken = theory.report(inside, asked.formats, names, asked.prefix, asked.line_width, macros)
        if diagram is None:
            diagram = solve_phase_diagram(model, threads=work.threads, progress=work.shown)
            if not diagram.complete:
                printing.show(diagram_printed(diagram))
                stop("interrupted: no report of partial results is written")
        written = diagram.report(
            folder, asked.formats, names, asked.prefix, asked.line_width, macros=macros, parts=parts
        )
        printing.show(files_printed([*written, *broken]))


def _pairs(option: str, what: str, given: tuple[str, ...]) -> dict[str, str]:
    """Return names and their LaTeX from what an option was given, NAME=LATEX."""
    names = {}
    for choice in given:
        name, separator, latex = choice.partition("=")
        if not separator:
            raise InvalidArgument(f"{option} must be {what}=LATEX, got {choice!r}")
        if name in names:
            raise InvalidArgument(f"{option} names {name!r} twice: {names[name]!r} and {latex!r}")
        names[name] = latex
    return names
