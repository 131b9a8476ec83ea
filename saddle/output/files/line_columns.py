"""The variables of a file of lines: one table of those that are read back, and one of those that follow from the rest.

The latter are for readers who have xarray alone, and are compared with the rest when a file is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from saddle.diagram.lines.line import TransitionLine
from saddle.output.files.diagram_columns import YES_OR_NO
from saddle.output.files.file_schema import Column, Variable, variable_of

__all__ = [
    "LABELS", "LINE_LABEL", "PLANE_COLUMNS", "POINT_COLUMNS", "SOLUTIONS", "SOLUTION_COLUMNS", "line_variables",
]  # fmt: skip

# Of coexisting solutions, side by side in the file.
SOLUTIONS = 2
SAMPLES = "number of samples n over dimension d"
FEWER = "nan where the line has one solution; the first one is on the first branch that the line is between"

POINT_COLUMNS = (
    Column("parameter", ("point",), "value of the parameter that the line is continued in", values="finite"),
    Column("alpha", ("point",), "sample complexity of the transition", SAMPLES, r"\alpha", values="finite",
           ancillary=("error",)),
    Column("error", ("point",), "error of alpha", SAMPLES),
    Column("tangent", ("point",), "derivative of alpha in the parameter, along the line"),
)  # fmt: skip
"""Fields of a line that hold one number per point."""

PLANE_COLUMNS = (
    Column("parameter", ("point",), "value of the first parameter", values="finite", ancillary=("error",)),
    Column("alpha", ("point",), "sample complexity of the transition, which is held", SAMPLES, r"\alpha",
           values="finite"),
    Column("error", ("point",), "error of the first parameter, across the line"),
    Column("tangent", ("point",), "derivative of the second parameter in the first, along the line"),
    Column("second", ("point",), "value of the second parameter", values="finite", ancillary=("second_error",)),
    Column("second_error", ("point",), "error of the second parameter, across the line"),
)  # fmt: skip
"""The same of a line at one alpha."""

SOLUTION_COLUMNS = (
    Column("free_entropy", ("point", "solution"), "free entropy Phi of the solutions there", "per dimension d",
           comment=FEWER),
    Column("test_error", ("point", "solution"), "test error of the solutions there",
           "per token and dimension, (1/(dL)) E|y - yhat|^2", comment=FEWER),
    Column("order_parameters", ("point", "solution", "order_parameter"), "order parameters of the solutions there",
           "as the order parameter's meaning says, for weights Q of order one", comment=FEWER),
)  # fmt: skip
"""Fields of a line that hold numbers of one or two solutions per point."""

LABELS = (
    Column("line", ("point",), "name of the line that the point is on", kind="text"),
    Column("order_parameter", ("order_parameter",), "order parameter", kind="text"),
)

ALONG, SIDES = ("transition",), ("transition", "side")
LINE_LABEL = Column("transition", ALONG, "line of transitions, by the name that it was asked for", kind="text")
ENDS = "how the line ended on both sides"
NOT_LOCATED = "nan where the line does not end at a special point, or that was not located"


def _end(name: str) -> Callable[[TransitionLine], list[float]]:
    return lambda line: [np.nan if end is None else getattr(end, name) for end in line.ends]


LINE_COLUMNS: tuple[tuple[Column, Callable[[TransitionLine], Any]], ...] = (
    (Column("line_kind", ALONG, "kind of the transition", kind="text", comment="empty where there is no line"),
     lambda line: line.kind),
    (Column("line_between", SIDES, "branches, or branch and baseline, that the transition is between", kind="text"),
     lambda line: line.between),
    (Column("line_points", ALONG, "number of points of the line", kind="integer"),
     len),
    (Column("line_complete", ALONG, "whether all of the line was computed", kind="integer", flags=YES_OR_NO),
     lambda line: line.complete),
    (Column("line_reason", ALONG, "why there is no line", kind="text", comment="empty where there is one"),
     lambda line: line.reason),
    (Column("line_endings", SIDES, f"{ENDS}, in words", kind="text"),
     lambda line: line.endings),
    (Column("line_end_kind", SIDES, "special point at which the line ends", kind="text",
            comment="empty where it ends at none"),
     lambda line: ["" if end is None else end.kind for end in line.ends]),
    (Column("line_end_parameter", SIDES, "value of the parameter at the special point", comment=NOT_LOCATED,
            ancillary=("line_end_parameter_error",)),
     _end("parameter")),
    (Column("line_end_parameter_error", SIDES, "error of the parameter at the special point", comment=NOT_LOCATED),
     _end("parameter_error")),
    (Column("line_end_alpha", SIDES, "sample complexity of the special point", SAMPLES, comment=NOT_LOCATED,
            ancillary=("line_end_alpha_error",)),
     _end("alpha")),
    (Column("line_end_alpha_error", SIDES, "error of the sample complexity of the special point", SAMPLES,
            comment=NOT_LOCATED),
     _end("alpha_error")),
)  # fmt: skip
"""What there is of every line, and how it is read off one."""

PLANE_LINE_COLUMNS: tuple[tuple[Column, Callable[[TransitionLine], Any]], ...] = (
    (Column("line_end_second", SIDES, "value of the second parameter at the special point", comment=NOT_LOCATED,
            ancillary=("line_end_second_error",)),
     _end("second")),
    (Column("line_end_second_error", SIDES, "error of the second parameter at the special point",
            comment=NOT_LOCATED),
     _end("second_error")),
)  # fmt: skip
"""What there is besides of lines at one alpha."""

METASTABLE = Column(
    "metastable", ("point",), "of a baseline crossing, whether another solution has the larger Phi there",
    kind="integer", flags=((-1, "not_asked"), *YES_OR_NO),
)  # fmt: skip
SOLUTION_BRANCH = Column("solution_branch", ("point", "solution"), "branch that the solution is on", kind="text",
                         comment="empty where the line has one solution")  # fmt: skip


def line_variables(lines: Mapping[str, TransitionLine], in_plane: bool = False) -> dict[str, Variable]:
    """Return what follows from lines, by the names that they were asked for, as variables; there may be none."""
    listed = list(lines.values())
    found = {LINE_LABEL.name: variable_of(LINE_LABEL, list(lines))}
    for column, value in (*LINE_COLUMNS, *(PLANE_LINE_COLUMNS if in_plane else ())):
        shape = (len(listed), 2)[: len(column.dims)]
        values = [value(line) for line in listed]
        found[column.name] = variable_of(column, np.array(values, dtype=np.int32) if value is len else values, shape)
    asked = [[-1] * len(line) if line.metastable is None else line.metastable.tolist() for line in listed]
    found[METASTABLE.name] = variable_of(METASTABLE, [x for own in asked for x in own])
    on = [
        [name if k < line.free_entropy.shape[1] else "" for k, name in enumerate(line.between)]
        for line in listed
        for _ in range(len(line))
    ]
    return found | {SOLUTION_BRANCH.name: variable_of(SOLUTION_BRANCH, on, (len(on), SOLUTIONS))}
