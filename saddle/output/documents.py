"""Results as plain values and as rows, for programs that read what the command prints; every number as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replica.quantities.names import order_parameters
from saddle.output.files.json_values import to_plain
from saddle.output.tables import replica_symmetry

if TYPE_CHECKING:
    from replica.quantities.solvable_model import Model
    from saddle.diagram.contents import DiagramContents
    from saddle.diagram.lines.contents import LinesContents

__all__ = ["diagram_document", "diagram_rows", "lines_document", "lines_rows"]

# Of a line, what is the same for all, or has no meaning outside of this library.
LEFT_OUT = ("name", "model", "over", "rule", "plane")
IN_PLANE = ("second", "second_error")


def diagram_document(diagram: DiagramContents) -> dict[str, Any]:
    """Return what the table of a diagram says, as plain values; what is not finite is as it is.

    Parameters
    ----------
    diagram
        The diagram.
    """
    baseline = diagram.linear_baseline
    return {
        "result": "phase diagram",
        "complete": diagram.complete,
        "model": diagram.model.to_dict(),
        "alpha": diagram.alpha.tolist(),
        "searched": list(diagram.searched),
        "order_parameters": _names(diagram.model),
        "transitions": to_plain(diagram.transitions),
        "reasons": dict(diagram.reasons),
        "phases": to_plain(diagram.phases),
        **(
            {}
            if baseline is None
            else {"linear_baseline": {"test_error": baseline.test_error, "error": baseline.error}}
        ),
        "audit": {"passed": diagram.audit.passed, **to_plain(diagram.audit)},
        "branches": {
            name: {
                "reach": to_plain(branch.reach),
                "origin": branch.origin,
                "replica_symmetry": replica_symmetry(branch),
            }
            for name, branch in diagram.branches.items()
        },
        "rule": {"kind": type(diagram.rule).__name__, **to_plain(diagram.rule)},
    }


def diagram_rows(diagram: DiagramContents) -> list[list[Any]]:
    """Return a row for every transition, and one with the reason for alpha_c and alpha_l that the model does not have.

    Columns' names come first.
    """
    columns = ["transition", "kind", "criticality", "alpha", "error", "first", "second", "unstable_to", "resolved"]
    rows: list[list[Any]] = [[*columns, "reason"]]
    found = diagram.transitions
    for name in (*diagram.special_names, *(name for name in found if name not in diagram.special_names)):
        if name in found:
            one = found[name]
            numbers = [one.kind, one.criticality, one.alpha, one.error]
            rows.append([name, *numbers, *one.between, one.unstable_to, one.resolved, ""])
        else:
            # What an interrupted solve did not come to has one reason in common.
            reason = diagram.reasons.get(name, diagram.reasons.get("interrupted", ""))
            rows.append([name, *[""] * (len(columns) - 1), reason])
    return rows


def lines_document(lines: LinesContents) -> dict[str, Any]:
    """Return lines of transitions with all of their points, as plain values."""
    left_out = LEFT_OUT if lines.plane is not None else (*LEFT_OUT, *IN_PLANE)
    plane = {} if lines.plane is None else {"plane": to_plain(lines.plane)}
    return {
        "result": "transition lines",
        "complete": lines.complete,
        "model": lines.model.to_dict(),
        "over": lines.over,
        "between": list(lines.between),
        **plane,
        "order_parameters": _names(lines.model),
        "lines": {
            name: {key: to_plain(value) for key, value in vars(line).items() if key not in left_out}
            for name, line in lines.lines.items()
        },
    }


def lines_rows(lines: LinesContents) -> list[list[Any]]:
    """Return a row for every point of every line, and one with the reason for a line without points."""
    names = ["alpha", "error", "tangent"]
    if lines.plane is not None:
        names = [lines.plane.second, "alpha", "error", f"error of {lines.plane.second}", "tangent"]
    rows: list[list[Any]] = [["line", lines.over, *names, "reason"]]
    for name, line in lines.lines.items():
        columns = (line.parameter, line.alpha, line.error, line.tangent)
        if line.second is not None and line.second_error is not None:
            columns = (line.parameter, line.second, line.alpha, line.error, line.second_error, line.tangent)
        points = zip(*(column.tolist() for column in columns), strict=True)
        rows += [[name, *point, ""] for point in points] or [[name, *[""] * len(columns), line.reason]]
    return rows


def _names(model: Model) -> list[str]:
    return [quantity.name for quantity in order_parameters(model.structure.layout)]
