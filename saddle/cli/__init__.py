"""The command ``attention-phase``: solve, lines, report, simulate, paper; ``python -m saddle`` is the same."""

from saddle.cli.commands import main
from saddle.cli.group import INTERRUPTED

__all__ = ["INTERRUPTED", "main"]
