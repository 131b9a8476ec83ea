"""A diagram in at most twelve lines, as a terminal or a notebook shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from replica.common.by_value import shortened
from saddle.branches.branch import Branch
from saddle.diagram.audit import Audit
from saddle.transitions.global_minimum import Phase
from saddle.transitions.transition import Transition

__all__ = ["diagram_summary", "summary_rows"]

# Transitions shown: what is left of twelve lines.
MOST_TRANSITIONS = 6


def summary_rows(
    alpha: np.ndarray,
    searched: tuple[float, float],
    complete: bool,
    branches: Mapping[str, Branch],
    phases: Sequence[Phase],
    transitions: Mapping[str, Transition],
    audit: Audit,
) -> list[tuple[str, str]]:
    """Return range, branches with their intervals, phases, transitions with errors, and the audit's result.

    Parameters
    ----------
    alpha, searched, complete, branches, phases, transitions, audit
        See :class:`saddle.diagram.contents.DiagramContents`.

    Returns
    -------
    list of (str, str)
        What each row is about, and what is said; at most eleven.
    """
    unfinished = "" if complete else "; interrupted, not all was computed"
    asked = f"{_interval(alpha[0], alpha[-1])}, {alpha.size} points"
    rows = [
        ("alpha", f"{asked}, searched {_interval(*searched)}{unfinished}"),
        ("branches", "; ".join(f"{name} {_reach(one)}" for name, one in branches.items()) or "none"),
        ("global minimum", "; ".join(map(_phase, phases)) or "not known"),
    ]
    shown = list(transitions.items())[:MOST_TRANSITIONS]
    rows += [(name, str(transition)) for name, transition in shown] or [("", "no transitions in this range")]
    if len(transitions) > len(shown):
        rows.append(("", f"and {len(transitions) - len(shown)} more in .transitions"))
    rows.append(("audit", _result(audit)))
    return [(name, shortened(text, 300 - len(name))) for name, text in rows]


def diagram_summary(heading: str, rows: Sequence[tuple[str, str]]) -> str:
    """Return a heading and rows as indented lines."""
    return "\n  ".join([heading, *(f"{name}: {text}" if name else text for name, text in rows)])


def _interval(low: float, high: float) -> str:
    # Four digits: ends of branches have no errors here; those of transitions follow.
    return f"{low:.4g} to {high:.4g}"


def _reach(branch: Branch) -> str:
    return "none" if branch.curve is None else _interval(*branch.curve.reach)


def _phase(phase: Phase) -> str:
    return f"{phase.branch or 'not known'} {_interval(phase.low, phase.high)}"


def _result(audit: Audit) -> str:
    if audit.obstacle:
        return "not passed, there is no ground state, see .audit"
    unknown = "not passed, no solution is known for part of alpha" if audit.unknown else ""
    missing = "" if audit.passed else unknown or "solutions are missing"
    if audit.unseen and not any(point.missing for point in audit.points):
        missing = unknown or "not passed, some solutions cannot be looked for"
    missing = f"{missing}, see .audit" if missing and audit.complete else "interrupted" if missing else ""
    if not audit.points:
        return "none was made"
    result = missing or "passed"
    return f"{result}, {audit.starts} starts at {len(audit.points)} values of alpha"
