"""The commands ``solve`` and ``lines``: a table, a results file and a figure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replica.common.errors import InvalidArgument
from saddle.cli.group import DEBUG, stop
from saddle.cli.options import PATH, ModelOptions, WorkOptions, gathered, use_cache
from saddle.cli.output_folder import output_folder
from saddle.cli.printing import Printed, PrintOptions

if TYPE_CHECKING:
    from saddle.averages.rules.outer import OuterRule
    from saddle.phase_diagram import PhaseDiagram
    from saddle.transition_lines import TransitionLines

__all__ = ["diagram_printed", "lines", "solve"]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

DEFAULT_FOLDER = "attention-phase-results"
ALPHA = (0.01, 3.0)
OUTPUT = click.option(
    "--output", type=PATH, default=DEFAULT_FOLDER, show_default=True, help="Folder for figure and results file."
)
TOLERANCE = click.option(
    "--tolerance",
    type=float,
    help="Relative accuracy of the averages.  [default: 2e-4 for two tokens and rank one, otherwise 2048 lines]",
)


@dataclass(frozen=True)
class SolveOptions:
    """What is solved for, and on which rule."""

    alpha: tuple[float, float]
    points: int
    grid: str | None
    sweep: str
    tolerance: float | None
    rule: str | None

    @staticmethod
    def options() -> tuple[Decorator, ...]:
        """Return the options, in the order of the help."""
        return (
            click.option("--alpha", type=float, nargs=2, default=ALPHA, show_default=True, help="Range of n/d."),
            click.option("--points", type=int, default=48, show_default=True, help="Grid points."),
            click.option("--grid", metavar="NUMBERS", help="The grid itself, such as '0.5 1 1.5', instead of both."),
            click.option(
                "--sweep",
                type=click.Choice(["down", "up"]),
                default="down",
                show_default=True,
                help="From which end of alpha solutions are looked for first.",
            ),
            TOLERANCE,
            click.option("--rule", metavar="JSON", help="Quadrature rule, as --json prints it, instead of one chosen."),
        )

    @property
    def wanted(self) -> int | tuple[float, ...]:
        """Number of grid points, or the grid."""
        if self.grid is None:
            return self.points
        try:
            return tuple(float(entry) for entry in self.grid.replace(",", " ").split())
        except ValueError:
            raise InvalidArgument(f"--grid must hold numbers, got {self.grid!r}") from None

    def chosen_rule(self) -> OuterRule | None:
        """Return the rule, or None where one is to be chosen."""
        from saddle.output.files.stored_inputs import rule_from_dict

        if self.rule is None:
            return None
        try:
            values = json.loads(self.rule)
        except (RecursionError, ValueError):
            values = None
        if not isinstance(values, dict):
            raise InvalidArgument(
                f'--rule must be JSON such as {{"kind": "SobolRule", "points": 512}}, got {self.rule!r:.200}'
            )
        return rule_from_dict(values)


@click.command()
@gathered("chosen", ModelOptions)
@gathered("asked", SolveOptions)
@OUTPUT
@gathered("printing", PrintOptions)
@gathered("work", WorkOptions)
@DEBUG
def solve(chosen: ModelOptions, asked: SolveOptions, output: str, printing: PrintOptions, work: WorkOptions) -> None:
    """Solve the phase diagram; print the transitions, write a figure and a results file."""
    from saddle.phase_diagram import solve_phase_diagram

    model, rule, points = chosen.model(), asked.chosen_rule(), asked.wanted
    use_cache(work.cache)
    with output_folder(output) as folder:
        diagram = solve_phase_diagram(
            model, asked.alpha, points=points, sweep=asked.sweep, tolerance=asked.tolerance, rule=rule,
            threads=work.threads, progress=work.shown,
        )  # fmt: skip
        results, figure = folder / "phase_diagram.nc", folder / "phase_diagram.png"
        _deliver(diagram, printing, diagram_printed(diagram), results, figure)


def diagram_printed(diagram: PhaseDiagram) -> Printed:
    """Return a diagram in every form."""
    from saddle.output.documents import diagram_document, diagram_rows
    from saddle.output.tables import transition_table

    return Printed(lambda: transition_table(diagram), lambda: diagram_document(diagram), lambda: diagram_rows(diagram))


def _deliver(
    solved: PhaseDiagram | TransitionLines, printing: PrintOptions, result: Printed, results: Path, figure: Path
) -> None:
    """Print what was solved, save it and draw it; what is incomplete ends with its own status."""
    printing.show(result)
    try:
        solved.save(results)
        printing.tell(f"results: {results}")
        _write_figure(solved, figure)
        printing.tell(f"figure:  {figure}")
    except KeyboardInterrupt:
        stop("interrupted while results were written; what is named above is whole")
    if not solved.complete:
        stop("interrupted: the results are partial")


def _write_figure(diagram: PhaseDiagram | TransitionLines, path: Path) -> None:
    temporary = path.with_suffix(".part.png")
    try:
        diagram.plot().savefig(temporary, dpi=150)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@dataclass(frozen=True)
class LineOptions:
    """Which lines are followed, and how."""

    over: str
    between: tuple[float, float]
    points: int
    alpha: tuple[float, float]
    tolerance: float | None

    @staticmethod
    def options() -> tuple[Decorator, ...]:
        """Return the options, in the order of the help."""
        return (
            click.option(
                "--over",
                default="omega",
                show_default=True,
                help="Parameter of the model that varies along the lines: omega, sigma, regularization or lambda.",
            ),
            click.option("--between", type=float, nargs=2, default=(0.0, 0.5), show_default=True, help="Its range."),
            click.option("--points", type=int, default=40, show_default=True, help="Points per line."),
            click.option(
                "--alpha", type=float, nargs=2, default=ALPHA, show_default=True, help="Where lines are started."
            ),
            TOLERANCE,
        )


@click.command()
@gathered("chosen", ModelOptions)
@gathered("asked", LineOptions)
@OUTPUT
@gathered("printing", PrintOptions)
@gathered("work", WorkOptions)
@DEBUG
def lines(chosen: ModelOptions, asked: LineOptions, output: str, printing: PrintOptions, work: WorkOptions) -> None:
    """Continue the transitions in a parameter of the model; draw the phase diagram in alpha and that parameter."""
    from saddle.diagram.solve_settings import SolveSettings
    from saddle.output.documents import lines_document, lines_rows
    from saddle.output.tables import line_table
    from saddle.transition_lines import solve_transition_lines

    model = chosen.model()
    settings = SolveSettings(asked.tolerance, threads=work.threads, progress=work.shown)
    use_cache(work.cache)
    with output_folder(output) as folder:
        solved = solve_transition_lines(
            model, asked.over, asked.between, points=asked.points, alpha=asked.alpha, settings=settings
        )
        results, figure = folder / f"lines_{solved.over}.nc", folder / f"lines_{solved.over}.png"
        printed = Printed(lambda: line_table(solved), lambda: lines_document(solved), lambda: lines_rows(solved))
        _deliver(solved, printing, printed, results, figure)
