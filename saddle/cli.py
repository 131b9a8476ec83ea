"""The command ``attention-phase``: solve, lines, report, simulate, paper.

What the user can mend, the library's own errors and what the system refuses (a full disk), ends with one line that
quotes the value, and exit status 2; anything else is a bug and shows its traceback. An interrupt ends with status 130
at any moment: what is solved by then is printed and written, marked incomplete.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from replica.common.errors import AttentionPhaseError, InvalidArgument
from replica.common.own_packages import require_own_packages
from saddle.command_options import CACHE, ModelOptions, TrainingOptions, WorkOptions, gathered, use_cache

if TYPE_CHECKING:
    from tqdm import tqdm

    from saddle.phase_diagram import PhaseDiagram
    from saddle.transition_lines import TransitionLines

__all__ = ["main"]

INTERRUPTED = 130
DEFAULT_FOLDER = "attention-phase-results"


class _OneLine(click.ClickException):
    exit_code = 2


class _Commands(click.Group):
    """Commands that end as they are documented to, whatever happens in them."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; turn what the user can mend into one line and status 2, and an interrupt into status 130."""
        try:
            return super().invoke(ctx)
        except AttentionPhaseError as error:
            raise _OneLine(" ".join(str(error).split())) from None
        except BrokenPipeError:
            # Whoever read our output has read enough; that is no news.
            raise
        except OSError as error:
            where = "" if error.filename is None else f": {str(error.filename)!r}"
            raise _OneLine(f"{error.strerror or error}{where}") from None
        except KeyboardInterrupt:
            _stop("interrupted: nothing more was done")


def _stop(said: str) -> NoReturn:
    """Say what an interrupt left, and end with its status."""
    click.echo(said, err=True)
    raise SystemExit(INTERRUPTED)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="attention-phase")
def main() -> None:
    """Phase transitions between positional and semantic learning in dot-product attention."""


@main.command()
@gathered("chosen", ModelOptions)
@click.option("--alpha", type=float, nargs=2, default=(0.01, 3.0), show_default=True, help="Lowest and highest n/d.")
@click.option("--points", type=int, default=48, show_default=True, help="Grid points.")
@click.option("--tolerance", type=float, default=2e-4, show_default=True, help="Relative accuracy of the averages.")
@click.option("--output", default=DEFAULT_FOLDER, show_default=True, help="Folder for figure and results file.")
@gathered("work", WorkOptions)
def solve(
    chosen: ModelOptions, work: WorkOptions, alpha: tuple[float, float], points: int, tolerance: float, output: str
) -> None:  # fmt: skip
    """Solve the phase diagram; print the transitions, write a figure and a results file."""
    from replica.common.files import prepare_folder
    from saddle.output.tables import transition_table
    from saddle.phase_diagram import solve_phase_diagram

    model = chosen.model()
    use_cache(work.cache)
    folder = prepare_folder(output)
    diagram = solve_phase_diagram(
        model, alpha, points=points, tolerance=tolerance, threads=work.threads, progress=work.progress
    )
    results, figure = folder / "phase_diagram.nc", folder / "phase_diagram.png"
    _deliver(diagram, transition_table(diagram), results, figure)


def _deliver(solved: PhaseDiagram | TransitionLines, table: str, results: Path, figure: Path) -> None:
    """Print the table of what was solved, save it and draw it; what is incomplete ends with its own status."""
    click.echo(table)
    try:
        solved.save(results)
        click.echo(f"results: {results}")
        _write_figure(solved, figure)
        click.echo(f"figure:  {figure}")
    except KeyboardInterrupt:
        _stop("interrupted while results were written; what is named above is whole")
    if not solved.complete:
        _stop("interrupted: the results are partial")


def _write_figure(diagram: PhaseDiagram | TransitionLines, path: Path) -> None:
    temporary = path.with_suffix(".part.png")
    try:
        diagram.plot().savefig(temporary, dpi=150)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@main.command()
@gathered("chosen", ModelOptions)
@click.option(
    "--over",
    type=click.Choice(["omega", "sigma", "regularization", "lambda"]),
    default="omega",
    show_default=True,
    help="Parameter of the model that varies along the lines.",
)
@click.option("--between", type=float, nargs=2, default=(0.0, 0.5), show_default=True, help="Its range.")
@click.option("--points", type=int, default=40, show_default=True, help="Points per line.")
@click.option("--alpha", type=float, nargs=2, default=(0.01, 3.0), show_default=True, help="Where lines are started.")
@click.option("--tolerance", type=float, default=2e-4, show_default=True, help="Relative accuracy of the averages.")
@click.option("--output", default=DEFAULT_FOLDER, show_default=True, help="Folder for figure and results file.")
@gathered("work", WorkOptions)
def lines(
    chosen: ModelOptions, work: WorkOptions, over: str, between: tuple[float, float], points: int,
    alpha: tuple[float, float], tolerance: float, output: str,
) -> None:  # fmt: skip
    """Continue the transitions in a parameter of the model; draw the phase diagram in alpha and that parameter."""
    from replica.common.files import prepare_folder
    from saddle.diagram.solve_settings import SolveSettings
    from saddle.output.tables import line_table
    from saddle.transition_lines import solve_transition_lines

    model = chosen.model()
    use_cache(work.cache)
    folder = prepare_folder(output)
    settings = SolveSettings(tolerance, threads=work.threads, progress=work.progress)
    solved = solve_transition_lines(model, over, between, points=points, alpha=alpha, settings=settings)
    results, figure = folder / f"lines_{solved.over}.nc", folder / f"lines_{solved.over}.png"
    _deliver(solved, line_table(solved), results, figure)


@main.command()
@gathered("chosen", ModelOptions)
@click.option("--results", help="A results file of 'solve' to report on; without it, the model is solved first.")
@click.option("--output", default=DEFAULT_FOLDER, show_default=True, help="Folder for the report.")
@click.option(
    "--format",
    "formats",
    type=click.Choice(["latex", "markdown", "html", "pdf"]),
    multiple=True,
    default=("latex", "markdown", "html"),
    show_default=True,
    help="Format; may be given several times. 'pdf' needs pdflatex.",
)
@click.option("--prefix", help="Labels of equations begin with eq: and this; by default with a digest of the model.")
@click.option(
    "--line-width", type=float, default=31.0, show_default=True, help="Width of equations in ems; 21 for two columns."
)
@click.option(
    "--latex-name",
    "latex_names",
    multiple=True,
    metavar="NAME=LATEX",
    help=r"LaTeX for a symbol, such as theta=\vartheta; may be given several times.",
)
@gathered("work", WorkOptions)
def report(
    chosen: ModelOptions, work: WorkOptions, results: str | None, output: str, formats: tuple[str, ...],
    prefix: str | None, line_width: float, latex_names: tuple[str, ...],
) -> None:  # fmt: skip
    """Write a report: model, symbols, equations, transitions, a check of the equations, references."""
    from replica.common.files import prepare_folder
    from replica.derivation import derive
    from replica.reports.content.equation_report import PARTS
    from replica.reports.formats.choices import ReportOptions
    from saddle.output.tables import transition_table
    from saddle.phase_diagram import PhaseDiagram, solve_phase_diagram

    names = _latex_names(latex_names)
    model = chosen.model()
    if results is None:
        # Before what takes time; a diagram that is read has names of its own, and checks them.
        ReportOptions(formats, names, prefix, line_width).checked(derive(model), PARTS)
    use_cache(work.cache)
    folder = prepare_folder(output)
    if results is not None:
        diagram = PhaseDiagram.load(results)
    else:
        diagram = solve_phase_diagram(model, threads=work.threads, progress=work.progress)
        if not diagram.complete:
            click.echo(transition_table(diagram))
            _stop("interrupted: no report of partial results is written")
    for path in diagram.report(folder, formats, names, prefix, line_width):
        click.echo(str(path))


def _latex_names(given: tuple[str, ...]) -> dict[str, str]:
    """Return names and their LaTeX from NAME=LATEX."""
    names = {}
    for choice in given:
        name, separator, latex = choice.partition("=")
        if not separator:
            raise InvalidArgument(f"--latex-name must be NAME=LATEX, got {choice!r}")
        if name in names:
            raise InvalidArgument(f"--latex-name names {name!r} twice: {names[name]!r} and {latex!r}")
        names[name] = latex
    return names


def _advance(bar: tqdm) -> Callable[[int], None]:
    """Return a callback that moves a progress bar by one."""

    def advance(_: int) -> None:
        bar.update()

    return advance


@main.command()
@gathered("chosen", ModelOptions)
@click.option("--alpha", type=float, default=1.5, show_default=True, help="Sample complexity n/d.")
@gathered("training", TrainingOptions)
@click.option(
    "--start",
    type=click.Choice(["semantic", "positional", "positional-informed"]),
    multiple=True,
    default=("semantic", "positional"),
    show_default=True,
    help="Informed start; may be given several times.",
)
@gathered("work", WorkOptions)
def simulate(
    chosen: ModelOptions, work: WorkOptions, training: TrainingOptions, alpha: float, start: tuple[str, ...]
) -> None:  # fmt: skip
    """Print theory and gradient descent side by side at one (alpha, omega, d)."""
    from tqdm import tqdm

    from replica.symmetry.sectors import Sector
    from saddle.branches.branch import find_point
    from saddle.state_evolution.state_evolution import StateEvolution

    require_own_packages("validation")
    from validation import Prediction, Training, compare_at, comparison_table

    model = chosen.model()
    use_cache(work.cache)
    evolution = StateEvolution(model, threads=work.threads)
    settings = Training(steps=training.steps, learning_rate=training.learning_rate, polish=training.polish)
    for name in start:
        sector = Sector.SEMANTIC if name == "semantic" else Sector.POSITIONAL
        point = find_point(evolution, sector, alpha)
        values = {**point.order_parameters, "train_loss": point.train_loss, "test_error": point.test_error}
        # The training loss is -Phi, and so is its error.
        errors = {**point.error, "train_loss": point.error["free_entropy"]}
        with tqdm(total=training.seeds, disable=work.quiet, desc=f"{name} start", unit="run") as bar:
            comparison = compare_at(
                model, Prediction(alpha, values, errors), name, training.dimension, training.all_seeds,
                training=settings, spherical_teacher=training.spherical_teacher, progress=_advance(bar),
            )  # fmt: skip
        click.echo(comparison_table(comparison))


@main.command()
@click.option("--quick", is_flag=True, help="Coarse curves and small simulations: two minutes instead of half an hour.")
@click.option(
    "--figure",
    "figures",
    type=click.Choice(["overview", "phase_maps", "second_matrix", "slices", "scaling"]),
    multiple=True,
    help="Only this figure; may be given several times.",
)
@click.option("--workers", type=click.IntRange(min=0), default=0, help="Processes; 0 for one per core.")
@CACHE
@click.option("--output", default="attention-phase-paper", show_default=True, help="Folder for figures and results.")
@click.option("--quiet", is_flag=True, help="No progress bars.")
def paper(quick: bool, figures: tuple[str, ...], workers: int, cache: str | None, output: str, quiet: bool) -> None:
    """Draw the theory figures of arXiv:2402.03902 anew, with error bars and simulations.

    What was computed is kept in the output folder: an interrupted command goes on from there.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    require_own_packages("validation")
    from validation.paper import FIGURES, FULL, QUICK, reproduce_paper

    use_cache(cache)
    # NOTE: not by fork, which a process with threads of the solver should not do.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers or None, mp_context=spawn) as executor:
        try:
            written = reproduce_paper(
                output, QUICK if quick else FULL, figures=figures or tuple(FIGURES), executor=executor,
                progress=not quiet,
            )  # fmt: skip
        except KeyboardInterrupt:
            _stop("interrupted: finished figures are there; the same command goes on")
    for path in written:
        click.echo(str(path))
