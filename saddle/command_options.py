"""Options that commands share, each group of them gathered into one value before a command sees it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import click

from replica.common.errors import InvalidArgument

if TYPE_CHECKING:
    from replica.model.attention_model import AttentionModel

__all__ = ["ModelOptions", "TrainingOptions", "WorkOptions", "gathered", "use_cache"]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

CACHE = click.option("--cache", help="Folder for compiled kernels [default: the user's cache folder].")


def gathered(argument: str, kind: type[ModelOptions | WorkOptions | TrainingOptions]) -> Decorator:
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
    """What describes a model: two tokens, student and teacher of rank one."""

    omega: float
    sigma: float
    regularization: float
    positional_matrix: str

    @staticmethod
    def options() -> tuple[Decorator, ...]:
        """Return the options, in the order of the help."""
        return (
            click.option(
                "--omega", type=float, default=0.3, show_default=True, help="Positional weight of the target."
            ),
            click.option("--sigma", type=float, default=0.5, show_default=True, help="Token standard deviation."),
            click.option("--regularization", type=float, default=0.01, show_default=True, help="Ridge penalty lambda."),
            click.option(
                "--positional-matrix",
                default="0.6 0.4; 0.4 0.6",
                show_default=True,
                help="The matrix A: rows separated by ';', entries by spaces.",
            ),
        )

    def model(self) -> AttentionModel:
        """Return the model.

        Raises
        ------
        InvalidArgument
            If the matrix holds no numbers, or there is no such model.
        """
        from replica.model.attention_model import AttentionModel

        rows = self.positional_matrix.split(";")
        try:
            matrix = [[float(entry) for entry in row.replace(",", " ").split()] for row in rows]
        except ValueError:
            raise InvalidArgument(f"positional_matrix must hold numbers, got {self.positional_matrix!r}") from None
        return AttentionModel(self.omega, self.sigma, self.regularization, matrix)


@dataclass(frozen=True)
class WorkOptions:
    """How the work is done: where kernels are cached, on how many threads, and whether a bar shows it."""

    cache: str | None
    threads: int
    quiet: bool

    @staticmethod
    def options() -> tuple[Decorator, ...]:
        """Return the options, in the order of the help."""
        return (
            CACHE,
            click.option("--threads", type=click.IntRange(min=0), default=0, help="Threads; 0 for one per core."),
            click.option("--quiet", is_flag=True, help="No progress bar."),
        )

    @property
    def progress(self) -> bool:
        """Whether to show a progress bar."""
        return not self.quiet


@dataclass(frozen=True)
class TrainingOptions:
    """What is simulated: the dimension, the data sets, and how students descend on each."""

    dimension: int
    seeds: int
    seed: int
    steps: int
    learning_rate: float
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
            click.option("--learning-rate", type=float, default=0.15, show_default=True),
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
