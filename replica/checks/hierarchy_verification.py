"""Checks of every step to k steps of replica-symmetry breaking by an independent route."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from replica.checks import hierarchy_replicas, hierarchy_stationarity, level_checks, splitting_checks
from replica.checks.check import Check
from replica.checks.verification import Verification
from replica.common.checked_arguments import checked_integer, checked_items, quoted
from replica.common.errors import InvalidArgument
from replica.common.numeric_errors import numpy_defaults
from replica.hierarchy.functional import HierarchicalFreeEntropy
from replica.hierarchy.theory import HierarchicalTheory

__all__ = ["verify_hierarchy"]

CHECKS: dict[Callable[[HierarchicalFreeEntropy, int], Iterator[Check]], str] = {
    hierarchy_replicas.hierarchical_matrices: "hierarchical matrices",
    hierarchy_replicas.limits: "limits",
    hierarchy_replicas.channel_of_replicas: "nested averages",
    level_checks.slopes_of_levels: "nested averages",
    hierarchy_stationarity.symmetric_case: "functional",
    hierarchy_stationarity.collapsed_levels: "functional",
    hierarchy_stationarity.stationarity: "stationarity",
    splitting_checks.split_gaps: "stability",
}
"""What is checked, and the step that each check belongs to."""


@numpy_defaults
def verify_hierarchy(theory: HierarchicalTheory, seed: int = 0, steps: Sequence[str] | None = None) -> Verification:
    """Check the derivation's steps against numbers that do not use them.

    Raises
    ------
    InvalidArgument
        If a name is not one of a step.
    """
    seed = checked_integer("seed", seed, 0)
    if steps is not None:
        steps, known = checked_items("steps", steps, "a sequence of names of steps"), [x.name for x in theory.steps]
        unknown = [name for name in steps if name not in known]
        if unknown:
            raise InvalidArgument(f"steps: no step is called {quoted(unknown[0])}; there are {', '.join(known)}")
    chosen = [checks for checks, step in CHECKS.items() if steps is None or step in steps]
    return Verification(tuple(check for checks in chosen for check in checks(theory.free_entropy, seed)))
