"""What theory says of a run that starts at the teacher, along the encodings or anywhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from replica.common.by_value import ByValue
from replica.common.checked_arguments import checked_choice, checked_instance, positive_number
from replica.quantities.layout import Layout
from replica.quantities.overlap_invariants import OVERLAP_KINDS, invariant_errors
from replica.symmetry.families import AGNOSTIC, FAMILIES, TEACHER
from saddle import Branch, PhaseDiagram, SolvedPoint, SolverError
from validation.comparison.prediction import predicted_values
from validation.simulation.compared import compared_names, own_overlaps

__all__ = ["START_FAMILIES", "TheoryPoint", "start_family", "start_overlaps", "theory_point"]

START_FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        "semantic": "semantic",
        "positional": "positional",
        "positional-informed": "positional",
        "random": "positional",
        "uninformed": "positional",
        "mixed": "mixed",
    }
)
"""The family of solutions that descent from a start is compared with, of models with encodings.

From small random weights it finds positional attention first: the agnostic solution loses its stability to m long
before it loses that to theta.
"""

_, POSITIONAL, SEMANTIC, MIXED = FAMILIES


def start_family(layout: Layout, start: str) -> str:
    """Return the family that descent from a start is compared with: without encodings nothing is positional."""
    family = START_FAMILIES[start]
    return AGNOSTIC if family == POSITIONAL and layout.directions == 0 else family


def start_overlaps(layout: Layout, start: str) -> tuple[str, ...]:
    """Return the names of the overlaps that a start's family has of its own: m or theta, both, or none."""
    family = start_family(layout, start)
    kinds = OVERLAP_KINDS[1:] if family == MIXED else (f"{family}_overlap",)
    return tuple(name for kind in kinds for name in own_overlaps(layout, kind))


@dataclass(frozen=True, eq=False, repr=False)
class TheoryPoint(ByValue):
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
        By :func:`~validation.simulation.compared.compared_names` of the model's layout; empty where no solution is
        known. Errors of eigenvalues and singular values are bounds
        (:func:`replica.quantities.overlap_invariants.invariant_errors`).
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

    Of several solutions of the start's own family, as folds give, the one of largest free entropy is taken; where
    there is no mixed solution, the best of the other families stands for it. Where
    the model's symmetries leave no such family, and m and theta are non-zero together or not at all, it is the
    mixed solution with the largest overlap of the start's kind.

    A start that knows nothing, of a model without encodings, is compared with the agnostic solution where that attracts
    state evolution, and otherwise with the solution of largest free entropy that does.

    Raises
    ------
    ValueError
        If the start is not one of ``START_FAMILIES``, or alpha is not positive.
    """
    checked_instance("diagram", diagram, PhaseDiagram, "a PhaseDiagram")
    checked_choice("start", start, START_FAMILIES)
    alpha = positive_number("alpha", alpha)
    layout = diagram.model.structure.layout
    own = start_family(layout, start)
    if own == AGNOSTIC:
        return _of_the_uninformed(diagram, alpha)
    overlap = start_overlaps(layout, start)[0]
    families = {branch.sector.name for branch in diagram.branches.values()}
    own = _of_the_teacher(families) if own == SEMANTIC and own not in families else own
    # Families of the same kind are numbered.
    mixed = [family for family in sorted(families) if family.startswith(MIXED)]
    stands_in = bool(mixed) and own not in families and own != MIXED
    wanted = mixed if stands_in or own == MIXED else [own]
    # Of several directions or columns, solutions may be along others than the first.
    numbered = [family for family in sorted(families) if family.startswith(f"{own} ") and family not in wanted]
    merged = [POSITIONAL, SEMANTIC, AGNOSTIC] if own == MIXED else [AGNOSTIC]
    for among in (wanted, numbered, merged):
        found = [
            (branch, point, predicted_values(layout, point)) for branch, point in _solutions(diagram, among, alpha)
        ]
        if found and among is wanted and stands_in:
            return _described(layout, *max(found, key=lambda item: abs(item[2][overlap])), True)
        if found:
            best = max(found, key=lambda item: item[1].free_entropy)
            return _described(layout, *best, among is not merged)
    return _unknown(alpha)


def _of_the_teacher(families: Collection[str]) -> str:
    """Return the family that overlaps with most columns of the teacher, where it is named by them."""
    named = [family for family in sorted(families) if family.startswith(TEACHER)]
    return max(named, key=lambda family: len(family.split()[0]), default=SEMANTIC)


def _of_the_uninformed(diagram: PhaseDiagram, alpha: float) -> TheoryPoint:
    """Return the solution that descent reaches which knows nothing of teacher and encodings."""
    layout = diagram.model.structure.layout
    families = {branch.sector.name for branch in diagram.branches.values()}
    for among in ([AGNOSTIC], sorted(families - {AGNOSTIC})):
        found = [(branch, point) for branch, point in _solutions(diagram, among, alpha) if point.stable]
        if found:
            branch, point = max(found, key=lambda item: item[1].free_entropy)
            return _described(layout, branch, point, predicted_values(layout, point), True)
    return _unknown(alpha)


def _unknown(alpha: float) -> TheoryPoint:
    return TheoryPoint("none", alpha, False, False, False, MappingProxyType({}), MappingProxyType({}))


def _solutions(diagram: PhaseDiagram, families: Sequence[str], alpha: float) -> list[tuple[Branch, SolvedPoint]]:
    """Return the solutions of some families' branches at one alpha."""
    found = []
    for branch in diagram.branches.values():
        if branch.sector.name not in families or not _reaches(branch, alpha):
            continue
        try:
            found.append((branch, branch.at(alpha)))
        except SolverError:
            continue
    return found


def _reaches(branch: Branch, alpha: float) -> bool:
    """Whether a branch may have a solution of its own at an alpha: up to the next grid point where it has none.

    Beyond, a rough rule may still have roots of a tiny overlap.
    """
    own = np.flatnonzero(branch.distinct)
    if own.size == 0:
        return False
    below, above = own[0] - 1, own[-1] + 1
    low = branch.alpha[below] if below >= 0 else 0.0
    high = branch.alpha[above] if above < branch.alpha.size else np.inf
    return bool(low <= alpha <= high)


def _described(
    layout: Layout, branch: Branch, point: SolvedPoint, values: Mapping[str, float], exists: bool
) -> TheoryPoint:
    own = np.flatnonzero(branch.distinct)
    nearest = own[np.argmin(np.abs(branch.alpha[own] - point.alpha))]
    # The training loss is -Phi, and so is its error.
    losses = {"train_loss": point.error["free_entropy"], "test_error": point.error["test_error"]}
    errors = {**invariant_errors(layout, point.error), **losses}
    names = compared_names(layout)
    return TheoryPoint(
        branch=branch.name,
        alpha=point.alpha,
        exists=exists,
        stable=point.stable,
        replica_stable=bool(branch.replica_stable[nearest]),
        values=MappingProxyType({quantity: float(values[quantity]) for quantity in names}),
        errors=MappingProxyType({quantity: float(errors[quantity]) for quantity in names}),
    )
