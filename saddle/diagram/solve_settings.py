"""How a solve is to be done: accuracy, threads and the like, in one value that does not depend on the model."""

from __future__ import annotations

from dataclasses import dataclass

from replica.common.checked_arguments import checked_flag
from saddle.averages.rules.outer import OuterRule
from saddle.averages.rules.rule_arguments import checked_alpha, checked_rule, checked_threads, checked_tolerance

__all__ = ["SolveSettings"]


@dataclass(frozen=True)
class SolveSettings:
    """How transitions are solved for and followed; a value to be kept and passed to several calls.

    Parameters
    ----------
    tolerance
        Relative accuracy of the channel's averages, from 1e-6 to 0.3, for which the rule is chosen; by default as for
        :func:`saddle.solve_phase_diagram`.
    rule
        Quadrature rule, instead of one chosen for the tolerance; whether it fits a model shows when it meets one.
    threads
        Threads of the channel average; 0 for one per core that the process may use. Results do not depend on it.
    progress
        Show a progress bar on standard error; where that is no terminal, a line twice a minute.
    highest_alpha
        Sample complexity n/d at which a line that runs off is cut.

    Raises
    ------
    ValueError
        If one is none of its kind or out of range; the message names it and quotes the value.
    """

    tolerance: float | None = None
    rule: OuterRule | None = None
    threads: int = 0
    progress: bool = False
    highest_alpha: float = 10.0

    def __post_init__(self) -> None:
        """Convert to plain numbers and validate."""
        plain = {
            "tolerance": checked_tolerance(self.tolerance),
            "rule": None if self.rule is None else checked_rule(self.rule),
            "threads": checked_threads(self.threads),
            "progress": checked_flag("progress", self.progress),
            "highest_alpha": checked_alpha(self.highest_alpha, "highest_alpha"),
        }
        for name, value in plain.items():
            object.__setattr__(self, name, value)
