"""A progress bar for logs: a line now and then, and no carriage returns."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TextIO

__all__ = ["BarInLines"]

SECONDS = 30.0


@dataclass
class BarInLines:
    """Progress as lines: when it begins, twice a minute at most, and when it ends.

    Attributes
    ----------
    total
        Number of steps.
    what
        What is done now.
    unit
        What one step is called.
    file
        Where lines are written.
    n
        Number of steps that are done.
    """

    total: int
    what: str
    unit: str
    file: TextIO
    n: int = 0
    begun: float = field(default_factory=time.monotonic)
    told: float = float("-inf")

    def __enter__(self) -> BarInLines:
        self._tell(least=SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._tell(least=0.0)

    def update(self, steps: int = 1) -> None:
        """Count steps that are done."""
        self.n += steps
        self._tell(least=SECONDS)

    def set_description(self, what: str) -> None:
        """Say what is done now, in the line that is due next."""
        self.what = what

    def set_postfix_str(self, more: str) -> None:
        """Leave out what is of the moment: a line is read later."""

    def _tell(self, least: float) -> None:
        now = time.monotonic()
        if now - self.told >= least:
            self.told = now
            self.file.write(f"{self.what}: {self.n} of {self.total} {self.unit}, {now - self.begun:.0f} s\n")
            self.file.flush()
