"""Checks of every step of a derivation by an independent route, at 30 digits (``Derivation.verify``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replica.checks import channel_checks, equation_checks, replica_checks
from replica.checks.check import Check

if TYPE_CHECKING:
    from replica.derivation import Derivation

__all__ = ["Check", "Verification", "verify"]

CHECKS: tuple[Callable[[Derivation, int], Iterator[Check]], ...] = (
    replica_checks.replica_sums,
    replica_checks.determinants_and_inverses,
    replica_checks.continuation_to_no_replicas,
    replica_checks.zero_temperature,
    channel_checks.laplace,
    channel_checks.envelope_theorem,
    channel_checks.price_and_stein,
    channel_checks.stationarity_on_a_quadrature,
    equation_checks.shared_order_parameters,
    equation_checks.stationarity_of_the_weights,
    equation_checks.theory_notes,
    equation_checks.families,
)


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


def verify(derivation: Derivation, seed: int = 0, steps: Sequence[str] | None = None) -> Verification:
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
    known = [step.name for step in derivation.steps]
    unknown = [name for name in steps or () if name not in known]
    if unknown:
        raise ValueError(f"no step is called {unknown[0]!r}; there are {', '.join(known)}")
    found = (check for checks in CHECKS for check in checks(derivation, seed))
    return Verification(tuple(check for check in found if steps is None or check.step in steps))
