"""The command ``attention-phase`` and its parts."""

from __future__ import annotations

import click

from replica.common.version import library_version
from saddle.cli.group import DEBUG, Commands
from saddle.cli.reporting import report
from saddle.cli.simulating import paper, simulate
from saddle.cli.solving import lines, solve

__all__ = ["main"]


def _say_version(context: click.Context, _: click.Parameter, asked: bool) -> None:
    # NOTE: not click's own option, which fails where the library was not installed.
    if asked and not context.resilient_parsing:
        click.echo(f"{context.find_root().info_name}, version {library_version()}")
        context.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@DEBUG
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_say_version,
    help="Show the version.",
)
def main() -> None:
    """Phase transitions between positional and semantic learning in dot-product attention.

    Exit status: 0 if all is done, 2 for what you can mend, 130 after an interrupt, 1 for a fault of the software.
    """


for _command in (solve, lines, report, simulate, paper):
    main.add_command(_command)
