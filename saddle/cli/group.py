"""How every command ends, whatever happens in it.

What the user can mend, the library's own errors and what the system refuses (a full disk), ends with one line that
quotes the value, and exit status 2, after a traceback with ``--debug``; anything else is a bug and shows its traceback.
An interrupt ends with status 130 at any moment: what is solved by then is printed and written, marked incomplete.
"""

from __future__ import annotations

import traceback
from typing import Any, NoReturn

import click

from replica.common.errors import AttentionPhaseError

__all__ = ["DEBUG", "INTERRUPTED", "Commands", "stop"]

INTERRUPTED = 130
ASKED = "attention_phase.debug"


def _remember(context: click.Context, _: click.Parameter, debug: bool) -> None:
    # Shared by all contexts of a call, so that the option may stand before a command or after it.
    context.meta[ASKED] = debug or context.meta.get(ASKED, False)


DEBUG = click.option(
    "--debug", is_flag=True, expose_value=False, callback=_remember, help="Show the traceback of every error."
)


class _OneLine(click.ClickException):
    exit_code = 2


class Commands(click.Group):
    """Commands that end as they are documented to."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; turn what the user can mend into one line and status 2, and an interrupt into status 130."""
        try:
            return super().invoke(ctx)
        except AttentionPhaseError as error:
            _debugged(ctx)
            raise _OneLine(" ".join(str(error).split())) from None
        except BrokenPipeError:
            # Whoever read our output has read enough; that is no news.
            raise
        except OSError as error:
            _debugged(ctx)
            where = "" if error.filename is None else f": {str(error.filename)!r}"
            raise _OneLine(f"{error.strerror or error}{where}") from None
        except KeyboardInterrupt:
            stop("interrupted: nothing more was done")


def _debugged(context: click.Context) -> None:
    """Show the traceback of the error that is being handled, if that was asked for."""
    if context.meta.get(ASKED):
        click.echo(traceback.format_exc(), err=True, nl=False)


def stop(said: str) -> NoReturn:
    """Say what an interrupt left, and end with its status."""
    click.echo(said, err=True)
    raise SystemExit(INTERRUPTED)
