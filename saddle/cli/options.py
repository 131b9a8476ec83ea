"""Options that commands share, each group of them gathered into one value before a command sees it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import click

from replica.common.errors import InvalidArgument
from replica.common.progress import watched

if TYPE_CHECKING:
    from replica.quantities.solvable_model import Model

__all__ = [
    "CACHE",
    "PATH",
    "PROGRESS",
    "ModelOptions",
    "TrainingOptions",
    "WorkOptions",
    "gathered",
    "shown",
    "use_cache",
]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

# Shells complete names of files; what is wrong with one is said where it is used.
PATH = click.Path(readable=False)
CACHE = click.option("--cache", type=PATH, help="Folder for compiled kernels [default: the user's cache folder].")
PROGRESS = click.option(
    "--progress/--quiet",
    default=None,
    help="Show progress bars, or none [default: where standard error is a terminal].",
)
OMEGA, SIGMA, REGULARIZATION, MATRIX = 0.3, 0.5, 0.01, "0.6 0.4; 0.4 0.6"


def shown(progress: bool | None) -> bool:
    """Return whether bars are shown: as asked for, or where somebody can watch them."""
    return watched() if progress is None else progress


def gathered(argument: str, kind: type[Any]) -> Decorator:
    """Add a group's options to a command, which gets their values as one argument."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def with_group(**given: Any) -> Any:
            values = {field.name: given.pop(field.name) for field in fields(kind)}
            return command(**{argument: kind(**values)}, **given)

        made = with_group
        for option in reversed(kind.options()):
            made = option(made)
        return made

    return decorate


@dataclass(frozen=True)
class ModelOptions:
    """What describes a model: a file, whose numbers can be replaced, or two tokens and rank one."""

    file: str | None
    omega: float | None
    sigma: float | None
    regularization: float | None
    positional_matrix: str | None

    @staticmethod
    def options() -> tuple[Decorator, ...]:
        """Return the options, in the order of the help."""
        return (
            click.option(
                "--model",
                "file",
                type=PATH,
                metavar="FILE",
                help="Any model: model.py, which defines 'model', or model.json with its arguments. Options below "
                "replace its numbers.",
            ),
            click.option("--omega", type=float, help=f"Positional weight of the target.  [default: {OMEGA}]"),
            click.option("--sigma", type=float, help=f"Token standard deviation.  [default: {SIGMA}]"),
            click.option("--regularization", type=float, help=f"Ridge penalty lambda.  [default: {REGULARIZATION}]"),
            click.option(
                "--positional-matrix",
                help=f"The matrix A: rows separated by ';', entries by spaces.  [default: {MATRIX}]",
            ),
        )

    def model(self) -> Model:
        """Return the model.

        Raises
        ------
        InvalidArgument
            If the matrix holds no numbers, or there is no such model.
        UnreadableFile
            If there is no such file, or it defines no model.
        """
        from replica.model.attention_model import AttentionModel
        from saddle.cli.model_file import read_model

        given: dict[str, Any] = {
            name: value
            for name, value in vars(self).items()
            if value is not None and name not in ("file", "positional_matrix")
        }
        if self.positional_matrix is not None:
            given["positional_matrix"] = _matrix(self.positional_matrix)
        if self.file is not None:
            model = read_model(self.file)
            unknown = [name for name in given if not hasattr(model, name)]
            if unknown:
                raise InvalidArgument(f"the model in {self.file!r} has no {unknown[0]}, got {given[unknown[0]]!r}")
            return replace(model, **given) if given else model
        default = {
            "omega": OMEGA,
            "sigma": SIGMA,
            "regularization": REGULARIZATION,
            "positional_matrix": _matrix(MATRIX),
        }
        return AttentionModel(**{**default, **given})


def _matrix(text: str) -> list[list[float]]:
    try:
        return [[float(entry) for entry in row.replace(",", " ").split()] for row in text.split(";")]
    except ValueError:
        raise InvalidArgument(f"positional_matrix must hold numbers, got {text!r}") from None


@dataclass(frozen=True)
class WorkOptions:
    """How the work is done: where kernels are cached, on how many threads, and whether a bar shows it."""

    cache: str | None
    threads: int
    progress: bool | None

    @staticmethod
    def options() -> tuple[Decorator, ...]:
        """Return the options, in the order of the help."""
        return (
            CACHE,
            click.option("--threads", type=click.IntRange(min=0), default=0, help="Threads; 0 for one per core."),
            PROGRESS,
        )

    @property
    def shown(self) -> bool:
        """Whether to show progress bars."""
        return shown(self.progress)


@dataclass(frozen=True)
class TrainingOptions:
    """What is simulated: the dimension, the data sets, and how students descend on each."""

    dimension: int
    seeds: int
    seed: int
    steps: int
    learning_rate: float | None
    polish: bool
    spherical_teacher: bool

    @staticmethod
    def options() -> tuple[Decorator, ...]:
        """Return the options, in the order of the help."""
        return (
            click.option("--dimension", type=int, default=1000, show_default=True, help="Dimension d."),
            click.option(
                "--seeds", type=click.IntRange(min=2), default=2, show_default=True, help="Number of data sets."
            ),
            click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="First seed."),
            click.option("--steps", type=int, default=5000, show_default=True, help="Gradient-descent steps."),
            click.option(
                "--learning-rate",
                type=float,
                help="Of gradient descent.  [default: 0.15; on losses other than attention's, what their slopes allow]",
            ),
            click.option(
                "--polish", is_flag=True, help="Finish with L-BFGS: 5000 steps do not reach the minimum itself."
            ),
            click.option(
                "--spherical-teacher/--gaussian-teacher",
                default=True,
                show_default=True,
                help="Fix the teacher's norm as theory has it, or draw it as published.",
            ),
        )

    @property
    def all_seeds(self) -> range:
        """Seeds of the data sets."""
        return range(self.seed, self.seed + self.seeds)


def use_cache(cache: str | None) -> None:
    """Check a chosen kernel cache before any work, and make it the process's choice."""
    from saddle.kernel.cache_folder import CACHE_VARIABLE, cache_folder

    if cache is not None:
        os.environ[CACHE_VARIABLE] = str(cache_folder(cache))
