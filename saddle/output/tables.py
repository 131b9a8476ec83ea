"""Results as text: tables of transitions and lines, the audit, and what replica symmetry does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from replica.common.aligned_text import aligned

if TYPE_CHECKING:
    from saddle.branches.branch import Branch
    from saddle.diagram.contents import DiagramContents
    from saddle.diagram.lines.contents import LinesContents

__all__ = ["line_table", "replica_symmetry", "transition_rows", "transition_table"]


def transition_rows(diagram: DiagramContents) -> tuple[tuple[str, str, str, str, str], ...]:
    """Return name, kind, alpha, error and partners of every transition, as text."""
    return tuple(
        (
            name,
            f"{transition.criticality} {transition.kind}" if transition.criticality else transition.kind,
            f"{transition.alpha:.5f}",
            f"{transition.error:.1e}" + ("" if transition.resolved else " (not resolved)"),
            " / ".join(transition.between),
        )
        for name, transition in diagram.transitions.items()
    )


def transition_table(diagram: DiagramContents) -> str:
    """Return the transitions, the reasons for missing ones, the baseline and what replica symmetry does, as text."""
    rows = transition_rows(diagram)
    lines = aligned([("transition", "kind", "alpha", "error", "between"), *rows], underlined=True)
    if not (rows or diagram.reasons):
        lines = ["no transitions in this range"]
    lines += [reason if name == "interrupted" else f"no {name}: {reason}" for name, reason in diagram.reasons.items()]
    baseline = diagram.linear_baseline
    if baseline is not None:
        said = f"test error {baseline.test_error:.8f} +- {baseline.error:.0e} per token"
        lines.append(f"linear positional baseline: {said}")
    lines.append(f"audit: {diagram.audit}")
    lines.append("replica symmetry at zero temperature, at the points of the grid:")
    lines += [f"  {branch.name}: {replica_symmetry(branch)}" for branch in diagram.branches.values()]
    return "\n".join(lines)


def replica_symmetry(branch: Branch) -> str:
    """Say in words where on a branch replica symmetry is locally stable."""
    own = branch.distinct
    if not own.any():
        return "no solution of its own in this range"
    unclear = own & ~branch.replica_known
    if unclear.any():
        ranges = ", ".join(f"{alpha:.3f}" for alpha in branch.alpha[unclear])
        return f"not known within errors at alpha = {ranges}; {_where_stable(branch, own & ~unclear)}"
    return _where_stable(branch, own)


def _where_stable(branch: Branch, own: np.ndarray) -> str:
    """Say where replica symmetry is stable, among points (n,) at which that is known."""
    stable = branch.replica_stable
    if not own.any():
        return "nothing else was computed"
    if not np.any(stable[own]):
        jumping = branch.jumping[own]
        cause = "the proximal point jumps" if np.all(jumping) else "the regular part of the replicon is negative"
        cause = cause if np.all(jumping) or not np.any(jumping) else "by jumps or by the regular part of the replicon"
        return f"broken at every point ({cause})"
    if np.all(stable[own]):
        return "stable at every point"
    changes = np.flatnonzero(np.diff(stable[own].astype(int)))
    if len(changes) == 1:
        low, high = branch.alpha[own][changes[0]], branch.alpha[own][changes[0] + 1]
        first, second = ("broken", "stable") if stable[own][-1] else ("stable", "broken")
        return f"{first} up to alpha = {low:.3f}, {second} from {high:.3f}"
    ranges = ", ".join(f"{alpha:.3f}" for alpha in branch.alpha[own & stable])
    return f"stable at alpha = {ranges} only"


def line_table(lines: LinesContents) -> str:
    """Return lines of transitions with their ends, and the reasons for missing ones, as text."""
    second = "alpha" if lines.plane is None else lines.plane.second
    rows = [("line", "points", lines.over, second, "largest error")]
    said = []
    for name, line in lines.lines.items():
        if not len(line):
            said.append(f"no {name}: {line.reason}")
            continue
        values = line.alpha if line.second is None else line.second
        errors = line.error if line.second_error is None else np.maximum(line.error, line.second_error)
        rows.append(
            (
                name,
                str(len(line)),
                f"{line.parameter[0]:.4f} to {line.parameter[-1]:.4f}",
                f"{values[0]:.5f} to {values[-1]:.5f}",
                f"{np.max(errors):.1e}",
            )
        )
        for end in line.ends:
            if end is not None and np.isfinite(end.alpha):
                value, error = (end.alpha, end.alpha_error) if lines.plane is None else (end.second, end.second_error)
                said.append(
                    f"{name} ends in a {end.kind}: {lines.over} = {end.parameter:.5f} +- {end.parameter_error:.0e}, "
                    f"{second} = {value:.5f} +- {error:.0e}"
                )
    return "\n".join([*aligned(rows, underlined=True), *said])
