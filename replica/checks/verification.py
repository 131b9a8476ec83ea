"""Checks of every step of a derivation by an independent route, at 30 digits (``Derivation.verify``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replica.checks import channel_checks, equation_checks, replica_checks
from replica.checks.check import Check
from replica.common.checked_arguments import checked_integer, checked_items, quoted
from replica.common.errors import InvalidArgument
from replica.common.numeric_errors import numpy_defaults

if TYPE_CHECKING:
    from replica.theory import Theory

__all__ = ["Verification", "verify"]

CHECKS: dict[Callable[[Theory, int], Iterator[Check]], str] = {
    replica_checks.replica_sums: "replica symmetry",
    replica_checks.determinants_and_inverses: "determinant and inverse",
    replica_checks.continuation_to_no_replicas: "no replicas",
    replica_checks.zero_temperature: "zero temperature",
    channel_checks.laplace: "Moreau envelope",
    channel_checks.envelope_theorem: "stationarity",
    channel_checks.price_and_stein: "stationarity",
    channel_checks.stationarity_on_a_quadrature: "stationarity",
    equation_checks.shared_order_parameters: "shared order parameters",
    equation_checks.stationarity_of_the_weights: "saddle point",
    equation_checks.theory_notes: "saddle point",
    equation_checks.families: "sectors",
}
"""What is checked, and the step that each check belongs to."""


@dataclass(frozen=True)
class Verification:
    """The outcome of all checks."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every deviation is below its tolerance."""
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)

    def __str__(self) -> str:
        """Return a table, one line per check."""
        width = max((len(check.statement) for check in self.checks), default=0)
        return "\n".join(
            f"{'ok  ' if check.passed else 'FAIL'} {check.statement.ljust(width)}  "
            f"deviation {check.deviation:.1e}  (tolerance {check.tolerance:.0e})"
            for check in self.checks
        )


@numpy_defaults
def verify(derivation: Theory, seed: int = 0, steps: Sequence[str] | None = None) -> Verification:
    """Check a derivation's steps against numbers that do not use them.

    Parameters
    ----------
    derivation
        What to check.
    seed
        Seed of the random points at which expressions are evaluated.
    steps
        Names of the steps to check; by default all.

    Raises
    ------
    ValueError
        If a name is not one of a step.
    """
    seed = checked_integer("seed", seed, 0)
    # Steps are derived only if one is named.
    if steps is not None:
        steps = checked_items("steps", steps, "a sequence of names of steps")
        known = [step.name for step in derivation.steps]
        unknown = [name for name in steps if name not in known]
        if unknown:
            raise InvalidArgument(f"steps: no step is called {quoted(unknown[0])}; there are {', '.join(known)}")
    chosen = [checks for checks, step in CHECKS.items() if steps is None or step in steps]
    return Verification(tuple(check for checks in chosen for check in checks(derivation, seed)))
