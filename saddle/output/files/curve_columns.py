"""The branches' curves in a phase diagram's file: nodes of all branches one after the other, and how each ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from replica.common.errors import UnreadableFile
from saddle.branches.branch import Branch
from saddle.branches.branch_curve import BranchCurve, CurveEnd
from saddle.continuation.outcomes import Outcome
from saddle.output.files.file_schema import Column, Contents, Variable, variable_of
from saddle.output.files.json_values import to_json

__all__ = ["check_curves", "curve_of", "curve_variables", "curves_to_json"]

NODE = ("curve_point",)
VECTOR = (*NODE, "order_parameter")

COLUMNS = {
    "alpha": Column("curve_alpha", NODE, "sample complexity", values="finite", since=5),
    "states": Column("curve_state", VECTOR, "order parameters", values="finite", since=5),
    "tangents": Column("curve_tangent", (*NODE, "direction"), "direction of the curve, order parameters then alpha",
                       since=5, comment="nan at bifurcations"),
    "free_entropy": Column("curve_free_entropy", NODE, "free entropy Phi", "per dimension d", values="finite", since=5),
    "average_envelope": Column("curve_average_envelope", NODE, "average E[M] of the Moreau envelope", "per sample",
                               values="finite", since=5),
    "test_error": Column("curve_test_error", NODE, "test error", "per token and dimension", values="finite", since=5),
    "test_error_derivative": Column("curve_test_error_slope", NODE, "derivative of the test error in alpha",
                               since=5, comment="nan at bifurcations"),
}  # fmt: skip
"""Fields of a curve, and the variable that each is kept in."""
OWNER = Column("curve_branch", NODE, "branch whose curve has the node", kind="text", since=7)


@dataclass(frozen=True)
class StoredCurve:
    """What is kept of a curve beside its nodes.

    Attributes
    ----------
    nodes
        Their number; 0 if nothing is known of the branch.
    ends, vanishing
        As in :class:`saddle.branches.branch_curve.BranchCurve`.
    attracting
        As in :class:`saddle.Branch`.
    """

    nodes: int
    ends: tuple[CurveEnd, ...]
    vanishing: tuple[tuple[int, ...], ...]
    attracting: bool


def curves_to_json(branches: Sequence[Branch]) -> str:
    """Return how the curves of branches end, as JSON."""
    rows = [
        StoredCurve(0, (), (), b.attracting)
        if b.curve is None
        else StoredCurve(len(b.curve.alpha), b.curve.ends, b.curve.vanishing, b.attracting)
        for b in branches
    ]
    return to_json(rows)


def curve_variables(branches: Sequence[Branch]) -> dict[str, Variable]:
    """Return the nodes of all branches' curves as variables; nothing if there are none."""
    curves = [branch.curve for branch in branches if branch.curve is not None]
    if not curves:
        return {}
    variables = {
        column.name: variable_of(column, np.concatenate([getattr(curve, name) for curve in curves]))
        for name, column in COLUMNS.items()
    }
    owners = [b.name for b in branches if b.curve is not None for _ in b.curve.alpha]
    return variables | {OWNER.name: variable_of(OWNER, owners)}


def _stored(contents: Contents) -> tuple[StoredCurve, ...]:
    return contents.json("curves", tuple[StoredCurve, ...])


def check_curves(contents: Contents, branches: int) -> None:
    """Refuse a file whose curves are not those of its branches."""
    if contents.version < 5:
        return
    rows = _stored(contents)
    if len(rows) != branches:
        raise UnreadableFile(f"there must be a curve for each of {branches} branches, got {len(rows)}")
    total = sum(row.nodes for row in rows)
    if total == 0:
        return
    contents.check(COLUMNS.values())
    if any(row.nodes < 0 or (row.nodes and (len(row.ends), len(row.vanishing)) != (2, 2)) for row in rows):
        raise UnreadableFile("a curve must have two ends")
    contents.check([OWNER])
    alpha = contents.values("curve_alpha")
    if len(alpha) != total:
        raise UnreadableFile(f"curves must have {total} nodes, got {len(alpha)}")
    unknowns = contents.values("curve_state").shape[1]
    if contents.values("curve_tangent").shape[1] != unknowns + 1:
        raise UnreadableFile(f"tangents of curves must have {unknowns + 1} components")
    first = 0
    for row in rows:
        own = alpha[first : first + row.nodes]
        if row.nodes and not (own[0] > 0.0 and np.all(np.diff(own) > 0.0)):
            raise UnreadableFile("the nodes of a curve must have positive and increasing alpha")
        if any(not 0 <= i < unknowns for part in row.vanishing for i in part):
            raise UnreadableFile("a curve names an order parameter that the model has not")
        first += row.nodes


def curve_of(
    contents: Contents,
    place: int,
    alpha: np.ndarray,
    outcomes: Sequence[Outcome],
    states: np.ndarray,
    numbers: Mapping[str, np.ndarray],
) -> tuple[BranchCurve | None, bool]:
    """Return the curve of the branch at a place among them, and whether it attracts.

    Files of earlier formats have none: it is then made of the branch's own points on the grid alpha (n,), where it has
    ``outcomes``, order parameters ``states`` (n, k) and ``numbers`` (n,) by name.
    """
    if contents.version < 5:
        return _from_grid(alpha, outcomes, states, numbers), True
    rows = _stored(contents)
    row = rows[place]
    if row.nodes == 0:
        return None, row.attracting
    first = sum(other.nodes for other in rows[:place])
    fields = {name: contents.values(column.name)[first : first + row.nodes] for name, column in COLUMNS.items()}
    (low, high), (below, above) = row.ends, row.vanishing
    return BranchCurve(**fields, ends=(low, high), vanishing=(below, above)), row.attracting


def _from_grid(
    alpha: np.ndarray, outcomes: Sequence[Outcome], states: np.ndarray, numbers: Mapping[str, np.ndarray]
) -> BranchCurve | None:
    own = np.array([outcome is Outcome.CONVERGED for outcome in outcomes])
    if not own.any():
        return None
    kinds = [("bound" if own[end] else "lost", float(alpha[own][end])) for end in (0, -1)]
    return BranchCurve(
        alpha=alpha[own],
        states=states[own],
        tangents=np.full((int(own.sum()), states.shape[1] + 1), np.nan),
        free_entropy=numbers["free_entropy"][own],
        average_envelope=numbers["average_envelope"][own],
        test_error=numbers["test_error"][own],
        test_error_derivative=np.full(int(own.sum()), np.nan),
        ends=(CurveEnd(*kinds[0]), CurveEnd(*kinds[1])),
    )
