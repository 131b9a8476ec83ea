"""The one place that decides whether, where and how a progress bar is shown.

Somebody must be able to watch it. A terminal and a notebook have a bar that is drawn over itself; a log, where every
step would stay as another carriage return, has none, or, where one is asked for all the same, a line now and then.
"""

from __future__ import annotations

import importlib.util
import sys
from types import TracebackType
from typing import Any, Protocol, Self

from replica.common.bar_in_lines import BarInLines
from replica.common.checked_arguments import checked_flag

__all__ = ["ProgressBar", "checked_progress", "in_notebook", "progress_bar", "watched"]


class ProgressBar(Protocol):
    """What a bar can do, wherever it is drawn."""

    n: Any

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> Any: ...

    def update(self, steps: int = 1, /) -> Any:
        """Count steps that are done."""

    def set_description(self, what: str, /) -> Any:
        """Say what is done now."""

    def set_postfix_str(self, more: str, /) -> Any:
        """Say more behind the bar."""


def checked_progress(value: Any) -> bool | None:
    """Return whether a bar is to be shown: True, False, or None, which is to say where somebody can watch it.

    Raises
    ------
    InvalidArgument
        If it is none of the three.
    """
    return None if value is None else checked_flag("progress", value)


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook; IPython is not imported for it."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and "IPKernelApp" in shell.config


def watched() -> bool:
    """Return whether somebody can watch a bar: in a notebook, or where standard error is a terminal."""
    return in_notebook() or _on_terminal()


def _on_terminal() -> bool:
    try:
        return sys.stderr is not None and sys.stderr.isatty()
    except (AttributeError, ValueError):
        # Something else was put into its place, or it is closed.
        return False


def progress_bar(total: int, progress: bool | None, what: str, unit: str) -> ProgressBar:
    """Return a progress bar on standard error, which is a context manager.

    Parameters
    ----------
    total
        Number of steps.
    progress
        Whether it is shown: None is where somebody can watch it. True is always; where standard error is neither a
        terminal nor a notebook, as lines of their own.
    what
        Stands before the bar.
    unit
        What one step is called.
    """
    seen = watched()
    # Without a standard error, as under pythonw, there is nothing to draw on.
    if progress and not seen and sys.stderr is not None:
        return BarInLines(total, what, unit, sys.stderr)
    if seen and in_notebook() and importlib.util.find_spec("ipywidgets") is not None:
        from tqdm.notebook import tqdm
    else:
        from tqdm import tqdm
    shown = seen if progress is None else progress and seen
    return tqdm(total=total, disable=not shown, desc=what, unit=unit)
