"""Where many runs are done, and what becomes of them meanwhile."""

from __future__ import annotations

import os
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from replica.common.checked_arguments import checked_flag, checked_instance, checked_path

__all__ = ["IN_THIS_PROCESS", "Execution", "checked_execution"]


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How many runs are carried out; results do not depend on it.

    Attributes
    ----------
    executor
        Any :class:`concurrent.futures.Executor` on which the runs are done, each on one thread; without one, here,
        one by one.
    folder
        Where finished runs are kept: those found there are not repeated, so that what was interrupted, or is extended,
        goes on from where it was. None keeps nothing.
    progress
        Show a progress bar on standard error.

    Raises
    ------
    ValueError
        If one is nothing of the kind; the message quotes it.
    """

    executor: Executor | None = None
    folder: str | os.PathLike[str] | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        if self.executor is not None:
            checked_instance("executor", self.executor, Executor, "an Executor or None")
        if self.folder is not None:
            object.__setattr__(self, "folder", checked_path("folder", self.folder))
        object.__setattr__(self, "progress", checked_flag("progress", self.progress))


IN_THIS_PROCESS = Execution()
"""One run after the other, nothing kept."""


def checked_execution(execution: Any) -> Execution:
    """Return how runs are carried out if it is said, or raise a ValueError."""
    return checked_instance("execution", execution, Execution, "an Execution, such as Execution(folder='runs')")
