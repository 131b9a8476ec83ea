"""What theory says of a run that starts at the teacher, along the encodings or anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from replica.sectors import Sector
from saddle import Branch, PhaseDiagram, SolvedPoint, SolverError
from validation.comparison import COMPARED

__all__ = ["START_SECTORS", "TheoryPoint", "theory_point"]

START_SECTORS: Mapping[str, Sector] = MappingProxyType(
    {
        "semantic": Sector.SEMANTIC,
        "positional": Sector.POSITIONAL,
        "positional-informed": Sector.POSITIONAL,
        "random": Sector.POSITIONAL,
    }
)
"""The family of solutions that descent from a start is compared with.

From small random weights it finds positional attention first: the agnostic solution loses its stability to m long
before it loses that to theta.
"""


@dataclass(frozen=True)
class TheoryPoint:
    """The solution that runs from one start at one alpha are compared with.

    Attributes
    ----------
    branch
        Name of the branch.
    alpha
        Sample complexity n/d.
    exists
        Whether the start's own family has a solution here. Where it has none, the solution into which it has
        merged is given instead.
    stable, replica_stable
        Whether damped state evolution is stable there, and replica symmetry at the diagram's nearest grid point.
    values, errors
        By the names of :data:`~validation.comparison.COMPARED`; empty where no solution is known.
    """

    branch: str
    alpha: float
    exists: bool
    stable: bool
    replica_stable: bool
    values: Mapping[str, float]
    errors: Mapping[str, float]


def theory_point(diagram: PhaseDiagram, start: str, alpha: float) -> TheoryPoint:
    """Return what theory says of a start at one alpha.

    Of several solutions of one family, as folds give, the one of largest free entropy is taken.

    Raises
    ------
    ValueError
        If the start is not one of ``START_SECTORS``, or alpha is not positive.
    """
    if start not in START_SECTORS:
        raise ValueError(f"start must be one of {', '.join(map(repr, START_SECTORS))}, got {start!r}")
    for sector in (START_SECTORS[start], Sector.AGNOSTIC):
        found = _solutions(diagram, sector, alpha)
        if found:
            branch, point = max(found, key=lambda pair: pair[1].free_entropy)
            return _described(branch, point, sector is START_SECTORS[start])
    return TheoryPoint("none", alpha, False, False, False, MappingProxyType({}), MappingProxyType({}))


def _solutions(diagram: PhaseDiagram, sector: Sector, alpha: float) -> list[tuple[Branch, SolvedPoint]]:
    """Return the solutions of a sector's branches at one alpha."""
    found = []
    for branch in diagram.branches.values():
        if branch.sector is not sector or not branch.distinct.any():
            continue
        try:
            found.append((branch, branch.at(alpha)))
        except SolverError:
            continue
    return found


def _described(branch: Branch, point: SolvedPoint, exists: bool) -> TheoryPoint:
    own = np.flatnonzero(branch.distinct)
    nearest = own[np.argmin(np.abs(branch.alpha[own] - point.alpha))]
    observed = {**point.order_parameters, "train_loss": point.train_loss, "test_error": point.test_error}
    # The training loss is -Phi, and so is its error.
    errors = {**point.error, "train_loss": point.error["free_entropy"]}
    return TheoryPoint(
        branch=branch.name,
        alpha=point.alpha,
        exists=exists,
        stable=point.stable,
        replica_stable=bool(branch.replica_stable[nearest]),
        values=MappingProxyType({quantity: float(observed[quantity]) for quantity in COMPARED}),
        errors=MappingProxyType({quantity: float(errors[quantity]) for quantity in COMPARED}),
    )
